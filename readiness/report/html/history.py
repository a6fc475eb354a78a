"""The trend -> the score of each run over time, coloured by its verdict."""

from collections.abc import Sequence
from datetime import timedelta

from readiness.inventory import Policy
from readiness.report.html import vega
from readiness.report.html.figure import Figure, Panel
from readiness.report.trend import Point
from readiness.report.words import moment, spoken

MOST = 60
_BRIEF = timedelta(days=5)
"""Within this, days alone would name several marks of the axis alike."""
_WIDTHS = {"wide": 900, "narrow": 290}


def history(points: Sequence[Point], policy: Policy) -> Figure | None:
    """Draw `points`, the oldest first, and what `policy` demands."""
    if not points:
        return None
    first, last = points[0], points[-1]
    passing, ready = policy.conditional.score, policy.ready.score
    label = (
        f"The score of {len(points)} runs, from {first.value} on {first.at:%Y-%m-%d} "
        f"to {last.value} on {last.at:%Y-%m-%d}"
    )
    return Figure(
        id="trend-chart",
        caption=f"Score of the last {len(points)} runs, each in the colour of its verdict. "
        f"The lines are at {passing}, to pass, and {ready}, to be ready.",
        panels=tuple(
            Panel(vega.drawn(_spec(points, w, (passing, ready)), label, n))
            for n, w in _WIDTHS.items()
        ),
        columns=("Run", "Score", "Verdict"),
        rows=tuple((moment(p.at), str(p.value), spoken(p.verdict)) for p in reversed(points)),
    )


def _spec(points: Sequence[Point], width: int, needed: tuple[int, ...]) -> vega.Spec:
    rows = [
        {"at": f"{p.at:%Y-%m-%dT%H:%M:%SZ}", "value": p.value, "colour": vega.COLOURS[p.sign]}
        for p in points
    ]
    x: vega.Piece = {
        "field": "at",
        "type": "temporal",
        "scale": {"type": "utc", "nice": False, "padding": 14},
    }
    brief = points[-1].at - points[0].at < _BRIEF
    x |= {
        "axis": {
            "title": None,
            "grid": False,
            "format": "%b %-d, %H:%M" if brief else "%b %-d",
            "tickCount": width // (130 if brief else 90),
        }
    }
    y: vega.Piece = {"type": "quantitative", "scale": {"domain": [0, 100]}}
    y |= {"axis": {"title": None, "values": [0, 50, 100]}}
    marks = vega.values(*({"at": at} for at in needed))
    rule = {"mark": {"type": "rule", "color": vega.FAINT, "strokeDash": [4, 4]}}
    score = {"x": x, "y": {**y, "field": "value"}}
    dots = {"color": {"field": "colour", "type": "nominal", "scale": None}}
    return {
        "width": width,
        "height": 150,
        "data": vega.values(*rows),
        "layer": [
            {**rule, "data": marks, "encoding": {"y": {**y, "field": "at"}}},
            {"mark": {"type": "line", "color": vega.FAINT, "strokeWidth": 1.5}, "encoding": score},
            {
                "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
                "encoding": score | dots,
            },
            {
                "data": vega.values(rows[-1]),
                "mark": {"type": "text", "dy": -14, "fontSize": 13, "fontWeight": "bold"},
                "encoding": score | {"text": {"field": "value"}},
            },
        ],
    }
