"""The plan -> how the score rises, fix by fix, and where its cap is lifted."""

from collections.abc import Iterator

from readiness.report.html import vega
from readiness.report.html.figure import Figure, Panel
from readiness.report.page import Page

MOST = 20
_WIDTHS = {"wide": 900, "narrow": 290}


def waterfall(page: Page) -> Figure | None:
    """Draw the first fixes one by one and all others as one, numbered as in the plan."""
    if not page.a.work:
        return None
    steps = list(_steps(page))
    start, end = steps[0], steps[-1]
    needed = page.model.evidence.policy.ready.score
    label = (
        f"Before caps the score rises from {start['to']:.0f} to {end['to']:.0f} by "
        f"{len(page.a.work)} fixes; with its caps from {start['score']} to {end['score']}"
    )
    return Figure(
        id="waterfall-chart",
        caption="What each fix of the plan adds, by its number in the plan below.",
        keys=(
            ("bar good", "points before caps"),
            ("line", "the score, which its caps hold down until their last reason is gone"),
            ("dash", f"{needed}, to be ready"),
        ),
        panels=tuple(
            Panel(vega.drawn(_spec(steps, w, needed), label, n)) for n, w in _WIDTHS.items()
        ),
    )


def _steps(page: Page) -> Iterator[vega.Piece]:
    """Yield now, each fix, and the rest of the plan: from, to, and the score that is then."""
    standing = page.model.standing
    before = float(100 * standing.exact)
    yield _step("now", 0, before, standing.value, vega.FAINT)
    for number, work in enumerate(page.a.work[:MOST], 1):
        standing = standing.passing(work.findings)
        after = float(100 * standing.exact)
        yield _step(str(number), before, after, work.together_score, vega.COLOURS["good"])
        before = after
    if len(page.a.work) > MOST:
        done = page.repaired
        yield _step("rest", before, float(100 * done.exact), done.value, vega.COLOURS["good"])


def _step(name: str, start: float, end: float, score: int, colour: str) -> vega.Piece:
    return {"step": name, "from": start, "to": end, "score": score, "colour": colour}


def _spec(steps: list[vega.Piece], width: int, needed: int) -> vega.Spec:
    low = min(min(float(s["to"]), float(s["score"])) for s in steps)
    floor = max(0, (low - 5) // 10 * 10)
    x: vega.Piece = {
        "field": "step",
        "type": "ordinal",
        "sort": None,
        "scale": {"paddingInner": 0.25},
    }
    x |= {"axis": {"title": None, "labelAngle": 0, "grid": False}}
    y: vega.Piece = {"type": "quantitative", "scale": {"domain": [floor, 100]}, "title": None}
    y |= {"axis": {"tickCount": 5, "title": None}}
    rows = [
        {
            **s,
            "from": max(floor, float(s["from"])),
            "told": not n or s["score"] != steps[n - 1]["score"],
        }
        for n, s in enumerate(steps)
    ]
    bar: vega.Piece = {"x": x, "y": {**y, "field": "from"}, "y2": {"field": "to"}}
    bar |= {"color": {"field": "colour", "type": "nominal", "scale": None}}
    score = {"x": x, "y": {**y, "field": "score"}}
    number: vega.Piece = {"type": "text", "dy": 14, "fontWeight": "bold"}
    line = {"type": "line", "interpolate": "step", "color": vega.ACCENT, "strokeWidth": 2}
    ready = {"mark": {"type": "rule", "color": vega.FAINT, "strokeDash": [4, 4]}}
    return {
        "width": width,
        "height": 200,
        "data": vega.values(*rows),
        "layer": [
            {**ready, "encoding": {"y": {**y, "datum": needed}}},
            {"mark": {"type": "bar", "minBandSize": 2}, "encoding": bar},
            {"mark": line, "encoding": score},
            *(
                {
                    "transform": [{"filter": "datum.told"}],
                    "mark": number | look,
                    "encoding": score | {"text": {"field": "score"}},
                }
                for look in (vega.HALO, {"color": vega.ACCENT})
            ),
        ],
    }
