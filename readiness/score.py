"""Findings -> Scorecard: three levels of weighted means, with unknowns as bounds, exactly."""

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Literal

from pydantic import BaseModel, ConfigDict

from readiness.checks import Area, Severity
from readiness.finding import Finding
from readiness.inventory import Criticality, Inventory

SEVERITY_WEIGHTS: Mapping[Severity, Fraction] = {
    "critical": Fraction(10),
    "high": Fraction(15, 2),
    "medium": Fraction(5),
    "low": Fraction(5, 2),
}
CRITICALITY_WEIGHTS: Mapping[Criticality, Fraction] = {
    "critical": Fraction(4),
    "high": Fraction(2),
    "normal": Fraction(1),
    "low": Fraction(1, 2),
}
Grade = Literal["A", "B", "C", "D", "F"]


class AreaScore(BaseModel):
    """One area's bounds (0..100, rounded down) and coverage (0..1), or why it has none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    title: str
    weight: float
    score: int | None
    upper: int | None
    coverage: float | None
    applicable: bool
    because: str


class Scorecard(BaseModel):
    """The system's raw score and its upper bound (0..100, rounded down once), by area.

    `coverage` (0..1) is what the score would be, were every conclusive check perfect and
    every unknown one failed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    raw: int
    upper: int
    coverage: float
    areas: tuple[AreaScore, ...]

    @property
    def applicable(self) -> bool:
        """Whether anything was there to be scored."""
        return any(a.applicable for a in self.areas)


class _Bounds(BaseModel):
    """Exact (headline, upper, coverage), each 0..1."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    low: Fraction
    high: Fraction
    covered: Fraction


def score(
    findings: Sequence[Finding], inventory: Inventory, areas: Mapping[str, Area]
) -> Scorecard:
    """Score `findings` on the services of `inventory`; their order does not matter."""
    weights = {s.name: CRITICALITY_WEIGHTS[s.criticality] for s in inventory.services}
    kinds = {s.kind for s in inventory.services}
    rows, bounds = [], []
    for area in areas.values():
        if not kinds & set(area.kinds):
            rows.append(_not_applicable(area, "nothing of this kind is in the inventory"))
            continue
        judged = [f for f in findings if f.area == area.id and f.outcome != "not_applicable"]
        bound, because = _area(area, judged, weights)
        bounds.append((Fraction(area.weight), bound))
        rows.append(_row(area, bound, because))
    total = _mean(bounds)
    return Scorecard(
        raw=percent(total.low),
        upper=percent(total.high),
        coverage=percent(total.covered) / 100,
        areas=tuple(rows),
    )


def partial(findings: Sequence[Finding], inventory: Inventory, areas: Mapping[str, Area]) -> int:
    """Score (0..100) a part of the system by the areas its `findings` fall in."""
    weights = {s.name: CRITICALITY_WEIGHTS[s.criticality] for s in inventory.services}
    parts = []
    for area in areas.values():
        judged = [f for f in findings if f.area == area.id and f.outcome != "not_applicable"]
        if judged:
            parts.append((Fraction(area.weight), _cells(judged, weights)))
    return percent(_mean(parts).low)


def grade(value: int) -> Grade:
    """Return the letter of a score of 0..100."""
    letters: tuple[tuple[int, Grade], ...] = ((90, "A"), (80, "B"), (70, "C"), (60, "D"))
    return next((letter for least, letter in letters if value >= least), "F")


def percent(part: Fraction) -> int:
    """Return `part` (0..1) as whole points of 100, rounded down: the number that is printed."""
    return math.floor(100 * part)


def _area(
    area: Area, findings: Sequence[Finding], weights: Mapping[str, Fraction]
) -> tuple[_Bounds, str]:
    bound = _cells(findings, weights)
    conclusive = sum(f.conclusive for f in findings)
    if conclusive >= area.min_checks:
        return bound, ""
    return (
        bound.model_copy(update={"low": Fraction(0), "covered": Fraction(0)}),
        f"{conclusive} of at least {area.min_checks} checks gave a result",
    )


def _cells(findings: Sequence[Finding], weights: Mapping[str, Fraction]) -> _Bounds:
    """Mean over the services present, weighted by criticality."""
    by_service: dict[str, list[Finding]] = {}
    for f in findings:
        by_service.setdefault(f.service, []).append(f)
    return _mean((weights[name], _cell(mine)) for name, mine in by_service.items())


def _cell(findings: Sequence[Finding]) -> _Bounds:
    """Mean over the severities present of the mean within each severity."""
    return _mean(
        (
            weight,
            _mean((Fraction(1), _bounds(f)) for f in findings if f.severity == severity),
        )
        for severity, weight in SEVERITY_WEIGHTS.items()
        if any(f.severity == severity for f in findings)
    )


def _bounds(finding: Finding) -> _Bounds:
    return _Bounds(
        low=Fraction(finding.score),
        high=Fraction(finding.upper),
        covered=Fraction(int(finding.conclusive)),
    )


def _mean(parts: Iterable[tuple[Fraction, _Bounds]]) -> _Bounds:
    """Weighted mean; of nothing, the bounds of not knowing anything."""
    kept = list(parts)
    total = sum((w for w, _ in kept), Fraction(0))
    if not total:
        return _Bounds(low=Fraction(0), high=Fraction(1), covered=Fraction(0))
    return _Bounds(
        low=sum((w * b.low for w, b in kept), Fraction(0)) / total,
        high=sum((w * b.high for w, b in kept), Fraction(0)) / total,
        covered=sum((w * b.covered for w, b in kept), Fraction(0)) / total,
    )


def _row(area: Area, bound: _Bounds, because: str) -> AreaScore:
    return AreaScore(
        id=area.id,
        title=area.title,
        weight=area.weight,
        score=percent(bound.low),
        upper=percent(bound.high),
        coverage=percent(bound.covered) / 100,
        applicable=True,
        because=because,
    )


def _not_applicable(area: Area, because: str) -> AreaScore:
    return AreaScore(
        id=area.id,
        title=area.title,
        weight=area.weight,
        score=None,
        upper=None,
        coverage=None,
        applicable=False,
        because=because,
    )
