"""Findings -> Scorecard: three levels of weighted means, with unknowns as bounds, exactly."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from readiness.checks import Area, Severity, SubjectKind
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

    `coverage` (0..1) is what the score would be, were every check whose value was measured
    perfect and every other one failed.
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


class Bounds(NamedTuple):
    """Exact headline, upper end and coverage, each 0..1."""

    low: Fraction
    high: Fraction
    covered: Fraction


_NANO = 10**9
_NOTHING_KNOWN = Bounds(Fraction(0), Fraction(1), Fraction(0))


class _Sums(NamedTuple):
    """What one area adds up to: weighted bounds of its services, and its conclusive checks."""

    weight: Fraction = Fraction(0)
    low: Fraction = Fraction(0)
    high: Fraction = Fraction(0)
    covered: Fraction = Fraction(0)
    conclusive: int = 0

    def plus(self, weight: Fraction, cell: Sequence[Finding], sign: int = 1) -> "_Sums":
        """Return these sums with a service's `cell` counted in, or out again with sign -1."""
        if not cell:
            return self
        bounds, weight = _cell(cell), sign * weight
        return _Sums(
            self.weight + weight,
            self.low + weight * bounds.low,
            self.high + weight * bounds.high,
            self.covered + weight * bounds.covered,
            self.conclusive + sign * sum(f.conclusive for f in cell),
        )

    @property
    def bounds(self) -> Bounds:
        """The weighted mean."""
        if not self.weight:
            return _NOTHING_KNOWN
        return Bounds(*(part / self.weight for part in (self.low, self.high, self.covered)))


_Cells = Mapping[tuple[str, str], tuple[Finding, ...]]
"""(area id, service name) -> the findings that apply."""


@dataclass(frozen=True)
class Ledger:
    """Findings added up exactly, so that a change costs what changed and not the whole model."""

    areas: Mapping[str, Area]
    kinds: frozenset[SubjectKind]
    weights: Mapping[str, Fraction]
    cells: _Cells
    sums: Mapping[str, _Sums]

    @classmethod
    def of(
        cls, findings: Iterable[Finding], inventory: Inventory, areas: Mapping[str, Area]
    ) -> "Ledger":
        """Add up `findings` on the services of `inventory`; their order does not matter."""
        weights = {s.name: CRITICALITY_WEIGHTS[s.criticality] for s in inventory.subjects}
        cells: dict[tuple[str, str], tuple[Finding, ...]] = {}
        for f in findings:
            if f.outcome != "not_applicable":
                cells[f.area, f.service] = (*cells.get((f.area, f.service), ()), f)
        sums = dict.fromkeys(areas, _Sums())
        for (area, service), cell in cells.items():
            sums[area] = sums[area].plus(weights[service], cell)
        kinds = frozenset[SubjectKind](s.kind for s in inventory.subjects)
        return cls(areas, kinds, weights, cells, sums)

    def passing(self, findings: Iterable[Finding]) -> "Ledger":
        """Return this ledger as it would be with `findings`, which are in it, passing."""
        fixed: dict[tuple[str, str], set[str]] = {}
        for f in findings:
            fixed.setdefault((f.area, f.service), set()).add(f.check)
        return self._with(
            {
                key: tuple(f.passing() if f.check in checks else f for f in self.cells.get(key, ()))
                for key, checks in fixed.items()
            }
        )

    def replacing(self, old: Finding, new: Finding) -> "Ledger":
        """Return this ledger with `new` in place of `old`, of the same check and service."""
        cells = {
            (area, old.service): tuple(
                f for f in self.cells.get((area, old.service), ()) if f.check != old.check
            )
            for area in (old.area, new.area)
        }
        if new.outcome != "not_applicable":
            cells[new.area, new.service] += (new,)
        return self._with(cells)

    def _with(self, cells: _Cells) -> "Ledger":
        sums = dict(self.sums)
        for (area, service), new in cells.items():
            weight, old = self.weights[service], self.cells.get((area, service), ())
            sums[area] = sums[area].plus(weight, old, -1).plus(weight, new)
        return replace(self, cells={**self.cells, **cells}, sums=sums)

    @property
    def total(self) -> Bounds:
        """The bounds of the whole system."""
        areas = filter(self._applies, self.areas.values())
        return _mean((Fraction(a.weight), self._bounds(a)) for a in areas)

    def card(self) -> Scorecard:
        """Round down once, to what is printed and compared."""
        total = self.total
        return Scorecard(
            raw=percent(total.low),
            upper=percent(total.high),
            coverage=percent(total.covered) / 100,
            areas=tuple(
                self._row(a) if self._applies(a) else _not_applicable(a)
                for a in self.areas.values()
            ),
        )

    def _applies(self, area: Area) -> bool:
        """Whether the inventory holds its kind of service, or a check of a pack falls in it."""
        return not self.kinds.isdisjoint(area.kinds) or self.sums[area.id].weight > 0

    def _bounds(self, area: Area) -> Bounds:
        """Mean over the services; with too few conclusive checks nothing is earned."""
        sums = self.sums[area.id]
        if sums.conclusive >= area.min_checks:
            return sums.bounds
        return sums.bounds._replace(low=Fraction(0), covered=Fraction(0))

    def _row(self, area: Area) -> AreaScore:
        bounds, conclusive = self._bounds(area), self.sums[area.id].conclusive
        few = f"{conclusive} of at least {area.min_checks} checks gave a result"
        return AreaScore(
            id=area.id,
            title=area.title,
            weight=area.weight,
            score=percent(bounds.low),
            upper=percent(bounds.high),
            coverage=percent(bounds.covered) / 100,
            applicable=True,
            because=few if conclusive < area.min_checks else "",
        )


def score(
    findings: Iterable[Finding], inventory: Inventory, areas: Mapping[str, Area]
) -> Scorecard:
    """Score `findings` on the services of `inventory`; their order does not matter."""
    return Ledger.of(findings, inventory, areas).card()


def partial(findings: Iterable[Finding], inventory: Inventory, areas: Mapping[str, Area]) -> int:
    """Score (0..100) a part of the system by the areas its `findings` fall in."""
    ledger = Ledger.of(findings, inventory, areas)
    parts = [(Fraction(areas[name].weight), sums) for name, sums in ledger.sums.items()]
    return percent(_mean((weight, sums.bounds) for weight, sums in parts if sums.weight).low)


def grade(value: int) -> Grade:
    """Return the letter of a score of 0..100."""
    letters: tuple[tuple[int, Grade], ...] = ((90, "A"), (80, "B"), (70, "C"), (60, "D"))
    return next((letter for least, letter in letters if value >= least), "F")


def percent(part: Fraction) -> int:
    """Return `part` (0..1) as whole points of 100, rounded down: the number that is printed."""
    return math.floor(100 * part)


def _cell(findings: Sequence[Finding]) -> Bounds:
    """Mean over the severities present of the mean within each severity."""
    by_severity: dict[Severity, list[Finding]] = {}
    for f in findings:
        by_severity.setdefault(f.severity, []).append(f)
    return _mean((SEVERITY_WEIGHTS[s], _average(mine)) for s, mine in by_severity.items())


def _average(findings: Sequence[Finding]) -> Bounds:
    """Mean of the findings' bounds, added up in whole numbers, which are quicker than fractions."""
    whole = _NANO * len(findings)
    return Bounds(
        Fraction(sum(_exact(f.score) for f in findings), whole),
        Fraction(sum(_exact(f.upper) for f in findings), whole),
        Fraction(sum(f.conclusive for f in findings), len(findings)),
    )


def _exact(part: float) -> int:
    """Return `part` in billionths: 0.85 is 85 of 100, though its float is a little less."""
    return round(part * _NANO)


def _mean(parts: Iterable[tuple[Fraction, Bounds]]) -> Bounds:
    """Weighted mean; of nothing, the bounds of not knowing anything."""
    kept = list(parts)
    total = sum((w for w, _ in kept), Fraction(0))
    if not total:
        return _NOTHING_KNOWN
    return Bounds(*(sum((w * b[i] for w, b in kept), Fraction(0)) / total for i in range(3)))


def _not_applicable(area: Area) -> AreaScore:
    return AreaScore(
        id=area.id,
        title=area.title,
        weight=area.weight,
        score=None,
        upper=None,
        coverage=None,
        applicable=False,
        because="nothing of this kind is in the inventory",
    )
