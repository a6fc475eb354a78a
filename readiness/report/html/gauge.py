"""The score -> a bar from 0 to 100 with the marks that it must reach."""

from markupsafe import Markup

from readiness.gate import Decision
from readiness.inventory import Policy
from readiness.report.html import vega
from readiness.report.words import SIGNS

_HEIGHT = 12


def gauge(decision: Decision, policy: Policy) -> Markup:
    """Draw the score, and behind it what it could be if all that is unknown were good."""
    colour = vega.COLOURS[SIGNS[decision.verdict]]
    needed = (policy.conditional.score, policy.ready.score)
    label = (
        f"Score {decision.value} of 100, at best {decision.upper}; "
        f"{needed[0]} to pass, {needed[1]} to be ready"
    )
    x: vega.Piece = {"type": "quantitative", "scale": {"domain": [0, 100]}, "axis": None}
    bars = [
        _bar(100, vega.LINE, 0.6, x),
        _bar(decision.upper, colour, 0.3, x),
        _bar(decision.value, colour, 1, x),
    ]
    marks = vega.values(*({"at": at} for at in needed))
    ticks = {
        "data": marks,
        "encoding": {"x": {**x, "field": "at"}},
        "layer": [
            {"mark": {"type": "rule", "color": vega.TEXT, "y": -3, "y2": _HEIGHT + 3}},
            {
                "mark": {"type": "text", "y": _HEIGHT + 12, "color": vega.FAINT},
                "encoding": {"text": {"field": "at"}},
            },
        ],
    }
    spec = {"width": 220, "height": _HEIGHT, "layer": [*bars, ticks]}
    return vega.drawn(spec, label, "gauge")


def _bar(value: int, colour: str, opacity: float, x: vega.Spec) -> vega.Spec:
    mark = {"type": "bar", "color": colour, "opacity": opacity, "height": _HEIGHT}
    return {
        "data": vega.values({"value": value}),
        "mark": {**mark, "cornerRadius": 3},
        "encoding": {"x": {**x, "field": "value"}},
    }
