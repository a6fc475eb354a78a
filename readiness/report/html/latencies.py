"""Response times -> a percentile plot for each service, with the targets that it is held to."""

import math
from collections.abc import Sequence

from readiness.assessment.percentiles import Point, percentiles
from readiness.estimate import Estimate
from readiness.finding import Finding
from readiness.quantity import amount
from readiness.report.html import vega
from readiness.report.html.figure import Figure, Panel
from readiness.report.page import Page

MOST = 12
_PROBE = "http_latency"
_ONE_IN = {"p50_ms": 2, "p95_ms": 20, "p99_ms": 100}
"""Metric -> one in how many answers takes longer."""
_TICKS = {2: "50", 20: "95", 100: "99", 1000: "99.9", 10000: "99.99"}


def latencies(page: Page) -> Figure | None:
    """Draw the services whose times are furthest from good, the worst first."""
    judged: dict[str, list[Finding]] = {}
    for f in page.model.findings:
        if f.probe == _PROBE and _metric(page, f) in _ONE_IN and isinstance(f.measured, Estimate):
            judged.setdefault(f.service, []).append(f)
    worst = sorted(judged, key=lambda name: min(f.score for f in judged[name]))
    lines = percentiles(page.a.evidence.measurements, worst[:MOST])
    if not lines:
        return None
    most = max(points[-1][0] for points in lines.values())
    ends = _ends(list(lines.values()), [f for name in lines for f in judged[name]])
    left = len(judged) - len(lines)
    return Figure(
        id="latency-chart",
        caption="How long the slowest answers take: milliseconds by percentile, both axes "
        "logarithmic, one scale for all."
        + (f" The {len(lines)} furthest from good; {left} more in the table." if left else ""),
        keys=(
            ("line", "answers, as far up as their number tells"),
            ("point", "percentile with its interval"),
            ("block fair", "over the target"),
            ("block bad", "over the limit"),
        ),
        panels=tuple(
            _panel(name, points, {_metric(page, f): f for f in judged[name]}, most, ends)
            for name, points in lines.items()
        ),
    )


def _metric(page: Page, finding: Finding) -> str:
    return page.model.criteria.checks[finding.check].metric


def _ends(lines: Sequence[Sequence[Point]], judged: Sequence[Finding]) -> tuple[float, float]:
    """Return the least and the most milliseconds that the plots must show."""
    drawn = [ms for points in lines for _, ms in points if ms > 0]
    limits = [f.limit for f in judged if f.limit]
    highs = [
        f.measured.high for f in judged if isinstance(f.measured, Estimate) and f.measured.high
    ]
    return min(drawn, default=1) / 1.3, max([*drawn, *limits, *highs]) * 1.6


def _panel(
    name: str,
    points: Sequence[Point],
    judged: dict[str, Finding],
    most: float,
    ends: tuple[float, float],
) -> Panel:
    f = judged.get("p95_ms") or next(iter(judged.values()))
    facts = [
        f"{metric.removesuffix('_ms')} {amount(e.value, 'ms')}"
        for metric, found in judged.items()
        if isinstance(e := found.measured, Estimate) and e.value is not None
    ]
    label = (
        f"Response times of {name}: {', '.join(facts) or 'too few for a percentile'}; {f.because}"
    )
    spec = _spec(points, judged, most, ends)
    return Panel(vega.drawn(spec, label, "panel"), name, facts[-1] if facts else "")


def _spec(
    points: Sequence[Point], judged: dict[str, Finding], most: float, ends: tuple[float, float]
) -> vega.Spec:
    ticks = [tick for tick in _TICKS if tick <= most * 1.05]
    named = ", ".join(f"'{tick}': '{name}'" for tick, name in _TICKS.items())
    x: vega.Piece = {
        "type": "quantitative",
        "scale": {"type": "log", "domain": [1.8, most * 1.3], "nice": False},
    }
    x |= {
        "axis": {
            "values": ticks,
            "title": None,
            "grid": False,
            "labelExpr": f"'p' + ({{{named}}})[datum.value]",
        }
    }
    y: vega.Piece = {
        "type": "quantitative",
        "scale": {"type": "log", "domain": list(ends), "nice": False},
    }
    decades = [
        10.0**k for k in range(math.floor(math.log10(ends[0])), math.ceil(math.log10(ends[1])) + 1)
    ]
    steps = [s for d in decades for s in ((d,) if len(decades) > 2 else (d, 2 * d, 5 * d))]
    y |= {
        "axis": {
            "values": [s for s in steps if ends[0] <= s <= ends[1]],
            "title": None,
            "format": "~g",
        }
    }
    line = vega.values(*({"in": one_in, "ms": max(ms, ends[0])} for one_in, ms in points))
    gates = vega.values(
        *(g for metric, f in judged.items() for g in _gates(_ONE_IN[metric], f, ends[1]))
    )
    found = vega.values(*(e for metric, f in judged.items() for e in _interval(_ONE_IN[metric], f)))
    gate = {"x": {**x, "field": "in"}, "y": {**y, "field": "from"}, "y2": {"field": "to"}}
    gate |= {"color": {"field": "colour", "type": "nominal", "scale": None}}
    return {
        "width": 250,
        "height": 130,
        "layer": [
            {
                "data": gates,
                "mark": {"type": "rule", "strokeWidth": 7, "opacity": 0.45},
                "encoding": gate,
            },
            {
                "data": line,
                "mark": {
                    "type": "line",
                    "color": vega.ACCENT,
                    "strokeWidth": 2,
                    "interpolate": "step-after",
                },
                "encoding": {"x": {**x, "field": "in"}, "y": {**y, "field": "ms"}},
            },
            {
                "data": found,
                "mark": {"type": "rule", "color": vega.TEXT, "strokeWidth": 1.5},
                "encoding": {
                    "x": {**x, "field": "in"},
                    "y": {**y, "field": "low"},
                    "y2": {"field": "high"},
                },
            },
            {
                "data": found,
                "mark": {
                    "type": "point",
                    "filled": True,
                    "color": vega.TEXT,
                    "size": 28,
                    "opacity": 1,
                },
                "encoding": {"x": {**x, "field": "in"}, "y": {**y, "field": "ms"}},
            },
        ],
    }


def _gates(one_in: int, f: Finding, top: float) -> list[dict[str, float | str]]:
    if not f.target or not f.limit or f.target > f.limit:
        return []
    return [
        {"in": one_in, "from": f.target, "to": f.limit, "colour": vega.COLOURS["fair"]},
        {"in": one_in, "from": f.limit, "to": top, "colour": vega.COLOURS["bad"]},
    ]


def _interval(one_in: int, f: Finding) -> list[dict[str, float]]:
    e = f.measured
    if not isinstance(e, Estimate) or e.value is None or e.low is None or e.high is None:
        return []
    return [{"in": one_in, "ms": e.value, "low": e.low, "high": e.high}] if e.low > 0 else []
