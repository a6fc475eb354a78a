"""The areas -> one bar each, as long as its score."""

from collections.abc import Sequence

from readiness.inventory import Policy
from readiness.report.html import vega
from readiness.report.html.figure import Figure, Panel
from readiness.report.rows import AreaSection
from readiness.report.words import Sign

_BAR, _GOOD = 22, 90


def areas(sections: Sequence[AreaSection], policy: Policy) -> Figure | None:
    """Draw every area that applies, in the report's order."""
    rows = [_row(s, policy) for s in sections if s.score.applicable]
    if not rows:
        return None
    needed = policy.ready.area
    y: vega.Piece = {"field": "title", "type": "nominal", "sort": None}
    y |= {"axis": {"title": None, "labelLimit": 190, "labelColor": vega.TEXT, "labelFontSize": 12}}
    x: vega.Piece = {"type": "quantitative", "scale": {"domain": [0, 100]}, "axis": None}
    layer = [
        _bar({"color": vega.LINE, "opacity": 0.5}, {"x": {**x, "field": "whole"}, "y": y}),
        _bar({"opacity": 0.3}, {"x": {**x, "field": "upper"}, "y": y, **_COLOUR}),
        _bar({}, {"x": {**x, "field": "score"}, "y": y, **_COLOUR}),
        {
            "data": vega.values({"at": needed}),
            "mark": {"type": "rule", "color": vega.TEXT},
            "encoding": {"x": {**x, "field": "at"}},
        },
        {
            "mark": {"type": "text", "align": "right", "fontWeight": "bold", "fontSize": 12},
            "encoding": {"text": {"field": "shown"}, "x": {"value": 262}, "y": y},
        },
    ]
    spec = {"data": vega.values(*rows), "width": 230, "height": {"step": _BAR}}
    told = ", ".join(f"{row['title']} {row['shown']}" for row in rows)
    label = f"Score of each area: {told}; ready needs {needed}"
    drawing = vega.drawn({**spec, "layer": layer}, label, "areas")
    return Figure(
        "areas-chart",
        f"Score of each area, of 100; READY needs {needed} in each.",
        (Panel(drawing),),
    )


def _bar(look: vega.Spec, encoding: vega.Spec) -> vega.Spec:
    return {"mark": {"type": "bar", "height": 10, "cornerRadius": 2, **look}, "encoding": encoding}


_COLOUR = {"color": {"field": "colour", "type": "nominal", "scale": None}}


def _row(section: AreaSection, policy: Policy) -> dict[str, str | int | None]:
    score = section.score.score
    weak = score is not None and score < policy.minimum(section.score.id)
    sign: Sign = "unknown" if score is None else "bad" if weak else "fair"
    return {
        "title": section.score.title,
        "score": score or 0,
        "upper": section.score.upper or 0,
        "whole": 100,
        "shown": "?" if score is None else str(score),
        "colour": vega.COLOURS["good" if score is not None and score >= _GOOD else sign],
    }
