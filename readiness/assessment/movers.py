"""Two judgements of one system -> the findings that moved the score most between them."""

from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction

from readiness.assessment.model import Standing
from readiness.finding import Finding, Key
from readiness.gate import capping
from readiness.inventory import Inventory
from readiness.score import CRITICALITY_WEIGHTS, SEVERITY_WEIGHTS, Ledger

_TRIED, _WEIGHED_ANEW = 2000, 100
"""How many are evaluated exactly and told of, of those that roughly moved it most: whose weight is
the same, and whose is not, with which that of others changes."""


@dataclass(frozen=True)
class Judgement:
    """Findings on the subjects of an inventory, and where they stand."""

    inventory: Inventory
    findings: tuple[Finding, ...]
    standing: Standing

    @property
    def by_key(self) -> dict[Key, Finding]:
        """The findings by check and service."""
        return {(f.check, f.service): f for f in self.findings}


@dataclass(frozen=True)
class Mover:
    """A finding, or with `check` empty a whole service, that differs between two judgements.

    `effect` is what it alone adds to the score before caps, in points of 100. Those of several
    do not add up to a part, since a mean moves by what else is in it.
    """

    check: str
    service: str
    was: str
    now: str
    effect: Fraction
    bars: bool
    """Whether it sets a cap that did not hold before, or lifts one."""


def movers(before: Judgement, after: Judgement) -> tuple[Mover, ...]:
    """Return what differs, the gravest first: what opens or closes a cap, then by effect."""
    found = [*_findings(before, after), *_services(before, after)]
    found.sort(key=lambda m: (not m.bars, -abs(m.effect), m.service, m.check))
    return tuple(found)


def _findings(before: Judgement, after: Judgement) -> list[Mover]:
    old, new = before.by_key, after.by_key
    pairs = [(old[key], new[key]) for key in old if key in new and _differ(old[key], new[key])]
    weights = {s.name: CRITICALITY_WEIGHTS[s.criticality] for s in before.inventory.subjects}
    pairs.sort(key=lambda p: _roughly(p[0], p[1], weights[p[0].service]), reverse=True)
    ledger = before.standing.ledger
    known = [pair for pair in pairs if pair[1].area in ledger.areas]
    alike = [pair for pair in known if _place(pair[0]) == _place(pair[1])]
    others = [pair for pair in known if _place(pair[0]) != _place(pair[1])]
    return [
        Mover(
            check=one.check,
            service=one.service,
            was=_words(one),
            now=_words(other),
            effect=100 * (_exchanged(before, one, other).total.low - ledger.total.low),
            bars=_bar(one) != _bar(other),
        )
        for one, other in (*alike[:_TRIED], *others[:_WEIGHED_ANEW])
    ]


def _place(finding: Finding) -> tuple[str, str, bool]:
    """Return what decides how much a finding counts, and others with it."""
    return finding.area, finding.severity, finding.outcome == "not_applicable"


def _exchanged(before: Judgement, one: Finding, other: Finding) -> Ledger:
    """Return the ledger with `other` in place of `one`."""
    ledger = before.standing.ledger
    if _place(one) != _place(other):
        findings = [other if f is one else f for f in before.findings]
        return Ledger.of(findings, before.inventory, ledger.areas)
    return ledger if one.outcome == "not_applicable" else ledger.replacing(one, other)


def _differ(one: Finding, other: Finding) -> bool:
    return (one.outcome, one.score, _bar(one), one.area, one.severity) != (
        *(other.outcome, other.score, _bar(other), other.area, other.severity),
    )


def _bar(finding: Finding) -> str:
    """Return which cap a finding sets, if any."""
    return ("waived" if finding.waived else "open") if capping([finding]) else ""


def _roughly(one: Finding, other: Finding, weight: Fraction) -> tuple[bool, float]:
    moved = abs(one.score - other.score) or (one.outcome != other.outcome) * 1e-6
    return _bar(one) != _bar(other), moved * float(weight * SEVERITY_WEIGHTS[one.severity])


def _services(before: Judgement, after: Judgement) -> list[Mover]:
    """Return the subjects that only one of the judgements has, each as it alone would count."""
    old = {s.name for s in before.inventory.subjects}
    new = {s.name for s in after.inventory.subjects}
    return [
        *(_mover(before, after, name, old - {name}, gone=True) for name in sorted(old - new)),
        *(_mover(before, after, name, old | {name}, gone=False) for name in sorted(new - old)),
    ]


def _mover(
    before: Judgement, after: Judgement, name: str, names: Collection[str], *, gone: bool
) -> Mover:
    mine = [f for f in (before if gone else after).findings if f.service == name]
    rest = [f for f in before.findings if f.service != name]
    ledger = before.standing.ledger
    subjects = _with_subjects(before.inventory, after.inventory, names)
    without = Ledger.of(rest if gone else [*rest, *mine], subjects, ledger.areas)
    applied = sum(f.outcome != "not_applicable" for f in mine)
    words = f"{applied} check{'' if applied == 1 else 's'}"
    return Mover(
        check="",
        service=name,
        was=words if gone else "not there",
        now="not there" if gone else words,
        effect=100 * (without.total.low - ledger.total.low),
        bars=any(map(_bar, mine)),
    )


def _with_subjects(one: Inventory, other: Inventory, names: Collection[str]) -> Inventory:
    """Return `one` with the subjects of these names, those it has not taken from `other`."""
    mine = {s.name for s in one.subjects}
    parts = {
        part: (
            *(s for s in getattr(one, part) if s.name in names),
            *(s for s in getattr(other, part) if s.name in names and s.name not in mine),
        )
        for part in ("services", "journeys", "artifacts")
    }
    return one.model_copy(update=parts)


def _words(finding: Finding) -> str:
    waived = ", waived" if finding.waived else ""
    undecided = ", undecided" if finding.undecided else ""
    outcome = finding.outcome.replace("_", " ")
    return f"{outcome}{undecided}{waived} ({finding.because})"
