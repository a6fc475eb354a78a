"""Findings -> Scorecard: three levels of weighted means, with unknowns as bounds, exactly."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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


class _Sums(NamedTuple):
    """What one area adds up to, in the area's own parts, and its conclusive checks."""

    low: int = 0
    high: int = 0
    covered: int = 0
    conclusive: int = 0

    def plus(self, f: Finding, share: int) -> "_Sums":
        """Return these sums with `f` counted in, which earns `share` parts for a billionth."""
        return _Sums(
            self.low + share * _exact(f.score),
            self.high + share * _exact(f.upper),
            self.covered + share * _NANO * f.conclusive,
            self.conclusive + f.conclusive,
        )

    def mended(self, f: Finding, share: int) -> "_Sums":
        """Return these sums, in which `f` is, as they would be with it passing."""
        return _Sums(
            self.low + share * (_NANO - _exact(f.score)),
            self.high + share * (_NANO - _exact(f.upper)),
            self.covered + share * _NANO * (not f.conclusive),
            self.conclusive + (not f.conclusive),
        )


_NOTHING_KNOWN = _Sums(0, 1, 0)
"""What an area of one part adds up to in which nothing was found."""
_Shares = Mapping[tuple[str, str, Severity], int]
"""(area id, service name, severity) -> the parts that a finding there earns for a billionth."""
_Place = tuple[str, str, str]
"""(area id, service name, check id)"""


@dataclass(frozen=True)
class Ledger:
    """Findings added up exactly, so that a change costs what changed and not the whole model.

    A finding's score counts by its severity and how many of that severity its service has in
    the area, none of which its outcome changes: so all is added up in whole numbers. `wholes`
    says how many a perfect area has, of those that apply; `factors`, how many of the system's
    each is, of which a perfect one has `whole`.
    """

    areas: Mapping[str, Area]
    shares: _Shares
    wholes: Mapping[str, int]
    factors: Mapping[str, int]
    whole: int
    sums: Mapping[str, _Sums]
    passed: tuple[frozenset[_Place], ...] = ()
    _rows: dict[tuple[str, _Sums | None], AreaScore] = field(
        default_factory=dict, compare=False, repr=False
    )
    """Rows as they were written before: a change of one area leaves those of all others."""

    @classmethod
    def of(
        cls, findings: Iterable[Finding], inventory: Inventory, areas: Mapping[str, Area]
    ) -> "Ledger":
        """Add up `findings` on the services of `inventory`; their order does not matter."""
        found = [f for f in findings if f.outcome != "not_applicable"]
        weights = {s.name: int(2 * CRITICALITY_WEIGHTS[s.criticality]) for s in inventory.subjects}
        shares, wholes = _shared(found, weights)
        sums = dict.fromkeys(areas, _Sums())
        for f in found:
            sums[f.area] = sums[f.area].plus(f, shares[f.area, f.service, f.severity])
        kinds = frozenset[SubjectKind](s.kind for s in inventory.subjects)
        for area in areas.values():
            if area.id not in wholes and not kinds.isdisjoint(area.kinds):
                wholes[area.id], sums[area.id] = 1, _NOTHING_KNOWN
        factors, whole = _factors(wholes, areas)
        return cls(areas, shares, wholes, factors, whole, sums)

    def passing(self, findings: Iterable[Finding]) -> "Ledger":
        """Return this ledger as it would be with `findings`, which are in it, passing."""
        sums = dict(self.sums)
        mended: set[_Place] = set()
        for f in findings:
            place = (f.area, f.service, f.check)
            if place not in mended and self._counts(f, place):
                mended.add(place)
                sums[f.area] = sums[f.area].mended(f, self.shares[f.area, f.service, f.severity])
        return replace(self, sums=sums, passed=_joined(self.passed, frozenset(mended)))

    def replacing(self, old: Finding, new: Finding) -> "Ledger":
        """Return this ledger with `new` in place of `old`, which counts for as much."""
        share = self.shares[old.area, old.service, old.severity]
        sums = self.sums[old.area].plus(old, -share).plus(new, share)
        fewer = sums._replace(conclusive=sums.conclusive - 2 * old.conclusive)
        return replace(self, sums={**self.sums, old.area: fewer})

    def _counts(self, f: Finding, place: _Place) -> bool:
        """Whether `f` is among the sums, and not as passing already."""
        return f.outcome != "not_applicable" and not any(place in some for some in self.passed)

    def gains(self, findings: Iterable[Finding]) -> Mapping[str, tuple[int, int, int]]:
        """Return what `findings` add to areas, each passing once: low, covered, conclusive.

        The first two are in the area's own parts, of which `wholes` has how many it takes.
        """
        found: dict[str, _Sums] = {}
        seen: set[_Place] = set()
        for f in findings:
            place = (f.area, f.service, f.check)
            if place not in seen and self._counts(f, place):
                seen.add(place)
                share = self.shares[f.area, f.service, f.severity]
                found[f.area] = found.get(f.area, _Sums()).mended(f, share)
        return {area: (s.low, s.covered, s.conclusive) for area, s in found.items()}

    @property
    def total(self) -> Bounds:
        """The bounds of the whole system."""
        return Bounds(*(Fraction(part, self.whole) for part in self._total))

    def card(self) -> Scorecard:
        """Round down once, to what is printed and compared."""
        low, high, covered = (100 * part // self.whole for part in self._total)
        return Scorecard(
            raw=low,
            upper=high,
            coverage=covered / 100,
            areas=tuple(map(self._row, self.areas.values())),
        )

    @property
    def _total(self) -> tuple[int, int, int]:
        """The system's parts at each bound."""
        if not self.factors:
            return _NOTHING_KNOWN[:3]
        found = [(k, *self.earned(area)) for area, k in self.factors.items()]
        low = sum(k * low for k, low, _, _ in found)
        high = sum(k * high for k, _, high, _ in found)
        return low, high, sum(k * covered for k, _, _, covered in found)

    def earned(self, area: str) -> tuple[int, int, int]:
        """An area's parts at each bound: with too few conclusive checks nothing is earned."""
        sums = self.sums[area]
        if sums.conclusive >= self.areas[area].min_checks:
            return sums.low, sums.high, sums.covered
        return 0, sums.high, 0

    def _row(self, area: Area) -> AreaScore:
        sums = self.sums[area.id] if area.id in self.wholes else None
        key = area.id, sums
        if key not in self._rows:
            self._rows[key] = _not_applicable(area) if sums is None else self._written(area)
        return self._rows[key]

    def _written(self, area: Area) -> AreaScore:
        whole, conclusive = self.wholes[area.id], self.sums[area.id].conclusive
        low, high, covered = (100 * part // whole for part in self.earned(area.id))
        few = f"{conclusive} of at least {area.min_checks} checks gave a result"
        return AreaScore(
            id=area.id,
            title=area.title,
            weight=area.weight,
            score=low,
            upper=high,
            coverage=covered / 100,
            applicable=True,
            because=few if conclusive < area.min_checks else "",
        )


def _shared(
    findings: Sequence[Finding], weights: Mapping[str, int]
) -> tuple[_Shares, dict[str, int]]:
    """Return each finding's share of its area, and how many parts the whole of each area is.

    A cell is the mean over the severities present of the mean within each severity, and an area
    the mean over its services, all weighted: (area, service, severity) -> what 1 of n counts.
    """
    counts = Counter((f.area, f.service, f.severity) for f in findings)
    present: dict[tuple[str, str], int] = {}
    for area, service, severity in counts:
        weight = int(2 * SEVERITY_WEIGHTS[severity])
        present[area, service] = present.get((area, service), 0) + weight
    units: dict[str, int] = {}
    for (area, service, _), n in counts.items():
        units[area] = math.lcm(units.get(area, 1), present[area, service] * n)
    shares = {
        key: weights[key[1]]
        * int(2 * SEVERITY_WEIGHTS[key[2]])
        * units[key[0]]
        // (present[key[:2]] * n)
        for key, n in counts.items()
    }
    wholes = dict.fromkeys(units, 0)
    for area, service in present:
        wholes[area] += weights[service] * units[area] * _NANO
    return shares, wholes


def _factors(wholes: Mapping[str, int], areas: Mapping[str, Area]) -> tuple[Mapping[str, int], int]:
    """Return what a part of each area is in parts of the system, and how many that has."""
    weights = {name: Fraction(areas[name].weight) for name in wholes}
    common = math.lcm(*(whole * weights[name].denominator for name, whole in wholes.items()))
    factors = {name: int(weights[name] * (common // whole)) for name, whole in wholes.items()}
    return factors, int(sum(weights.values()) * common) or 1


def _joined(
    sets: tuple[frozenset[_Place], ...], more: frozenset[_Place]
) -> tuple[frozenset[_Place], ...]:
    """Return `sets` with `more`, few and each far smaller than the one before it.

    One set would be copied whole at every step of a plan, however small the step.
    """
    while sets and len(sets[-1]) <= 2 * len(more):
        *rest, last = sets
        sets, more = tuple(rest), last | more
    return (*sets, more) if more else sets


def score(
    findings: Iterable[Finding], inventory: Inventory, areas: Mapping[str, Area]
) -> Scorecard:
    """Score `findings` on the services of `inventory`; their order does not matter."""
    return Ledger.of(findings, inventory, areas).card()


def partial(findings: Iterable[Finding], inventory: Inventory, areas: Mapping[str, Area]) -> int:
    """Score (0..100) a part of the system by the areas its `findings` fall in."""
    ledger = Ledger.of(findings, inventory, areas)
    factors = {area: ledger.factors[area] for area, _, _ in ledger.shares}
    earned = sum(factor * ledger.sums[area].low for area, factor in factors.items())
    whole = sum(factor * ledger.wholes[area] for area, factor in factors.items())
    return 100 * earned // whole if whole else 0


def grade(value: int) -> Grade:
    """Return the letter of a score of 0..100."""
    letters: tuple[tuple[int, Grade], ...] = ((90, "A"), (80, "B"), (70, "C"), (60, "D"))
    return next((letter for least, letter in letters if value >= least), "F")


def percent(part: Fraction) -> int:
    """Return `part` (0..1) as whole points of 100, rounded down: the number that is printed."""
    return math.floor(100 * part)


def _exact(part: float) -> int:
    """Return `part` in billionths: 0.85 is 85 of 100, though its float is a little less."""
    return round(part * _NANO)


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
