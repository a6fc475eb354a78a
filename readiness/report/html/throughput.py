"""Loads -> throughput against users for each service, with its knee."""

from collections.abc import Sequence

from readiness.quantity import amount
from readiness.report.html import vega
from readiness.report.html.figure import Figure, Panel
from readiness.report.page import Page
from readiness.report.rows import Load

MOST = 12
_NEAR = 0.9
"""Share of the greatest throughput from which on more users bring little more."""


def throughput(page: Page) -> Figure | None:
    """Draw the services that were loaded, those with errors or an early knee first."""
    loads = [load for load in page.loads if len(_points(load)) > 1]
    if not loads:
        return None
    rates = {row.service: row.rate for row in page.knees}
    loads.sort(key=lambda load: (_success(load), (_knee(load) or load.top.users) / load.top.users))
    shown, left = loads[:MOST], len(loads) - MOST
    return Figure(
        id="throughput-chart",
        caption="Requests answered in a second, by the number of users who ask at once."
        + (f" The {MOST} that bear least; {left} more in the table." if left > 0 else ""),
        keys=(
            ("line", "as measured"),
            ("dash", "if each further user brought as much as the first"),
            ("ring", f"knee: more users bring less than {1 - _NEAR:.0%} more".replace("%", " %")),
            ("cross bad", "answers failed"),
        ),
        panels=tuple(_panel(load, rates.get(load.name)) for load in shown),
    )


def _points(load: Load) -> list[tuple[int, float]]:
    return [(v.users, v.requests_per_second) for v in load.levels if v.requests_per_second]


def _success(load: Load) -> float:
    rate = load.top.success_rate
    return 1.0 if rate is None or rate.value is None else rate.value


def _knee(load: Load) -> int | None:
    """Return the least users with nearly the greatest throughput; None if the most users had it."""
    points = _points(load)
    most = max(rate for _, rate in points)
    users = next(users for users, rate in points if rate >= _NEAR * most)
    return users if users < points[-1][0] else None


def _panel(load: Load, rate: float | None) -> Panel:
    knee = _knee(load)
    facts = [f"knee at {knee} users" if knee else f"no knee up to {load.top.users} users"]
    if rate is not None:
        facts.append(f"holds {amount(rate, '')}/s")
    told = ", ".join(f"{amount(r, '')} per second at {users}" for users, r in _points(load))
    label = f"Throughput of {load.name} by users: {told}; {'; '.join(facts)}"
    return Panel(vega.drawn(_spec(load, knee, rate), label, "panel"), load.name, ", ".join(facts))


def _spec(load: Load, knee: int | None, rate: float | None) -> vega.Spec:
    points = _points(load)
    top = 1.15 * max([r for _, r in points] + ([rate] if rate else []))
    users, first = points[0]
    failed = {v.users for v in load.levels if v.errors}
    ideal = [(n, first / users * n) for n in (users, min(points[-1][0], top * users / first))]
    x: vega.Piece = {
        "field": "users",
        "type": "quantitative",
        "scale": {"type": "log", "nice": False},
    }
    x["scale"] |= {"domain": [users / 1.2, points[-1][0] * 1.2]}
    x |= {"axis": {"values": _ticks(points), "title": "users", "grid": False, "format": "d"}}
    y: vega.Piece = {
        "field": "rate",
        "type": "quantitative",
        "scale": {"domain": [0, top], "nice": False},
    }
    y |= {"axis": {"title": "requests/s", "tickCount": 4, "format": ",~f"}}
    xy = {"x": x, "y": y}
    line = {"type": "line", "color": vega.ACCENT, "strokeWidth": 2}
    dots = {"type": "point", "filled": True, "opacity": 1, "size": 36}
    return {
        "width": 250,
        "height": 130,
        "layer": [
            _layer(
                ideal,
                {"type": "line", "color": vega.FAINT, "strokeDash": [4, 4], "strokeWidth": 1},
                xy,
            ),
            *([] if rate is None else [_held(rate, y)]),
            _layer(points, line, xy),
            _layer([p for p in points if p[0] not in failed], {**dots, "color": vega.ACCENT}, xy),
            _layer(
                [p for p in points if p[0] in failed],
                {
                    **dots,
                    "shape": "M-1,-1L1,1M-1,1L1,-1",
                    "filled": False,
                    "strokeWidth": 2,
                    "size": 90,
                }
                | {"color": vega.COLOURS["bad"]},
                xy,
            ),
            _layer(
                [p for p in points if p[0] == knee],
                {
                    "type": "point",
                    "size": 190,
                    "color": vega.TEXT,
                    "strokeWidth": 1.5,
                    "opacity": 1,
                },
                xy,
            ),
        ],
    }


def _held(rate: float, y: vega.Spec) -> vega.Spec:
    return {
        "data": vega.values({"rate": rate}),
        "mark": {"type": "rule", "color": vega.COLOURS["good"], "strokeWidth": 1.5},
        "encoding": {"y": y},
    }


def _layer(points: Sequence[tuple[float, float]], mark: vega.Spec, xy: vega.Spec) -> vega.Spec:
    rows = ({"users": users, "rate": rate} for users, rate in points)
    return {"data": vega.values(*rows), "mark": mark, "encoding": xy}


def _ticks(points: list[tuple[int, float]]) -> list[int]:
    """Return numbers of users that stand far enough apart to be read."""
    ticks: list[int] = []
    for users, _ in points:
        if not ticks or users >= 1.8 * ticks[-1]:
            ticks.append(users)
    return ticks
