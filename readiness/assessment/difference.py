"""Two assessments -> why their scores differ: parts that sum to the difference exactly.

From one to the other leads a chain of judgements, each with one thing more exchanged. A part is
what the score changes by at its link, so that the parts sum to the difference whatever happens
(a telescoping sum). Another order of the links would share it out otherwise: this one goes from
what is least of the system's doing to what is most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Literal, NamedTuple, get_args

from readiness.assessment.model import findings_of, standing_of
from readiness.assessment.movers import Judgement, Mover, movers
from readiness.assessment.regression import compare, worse
from readiness.checks import Criteria
from readiness.evidence import Evidence
from readiness.finding import Finding, Key
from readiness.measurement import Measurement

Link = Literal["model", "criteria", "scope", "waivers", "evidence", "system", "baseline"]
"""What is exchanged, in this order.

`model`: this version of readiness judges instead of the one that did. `criteria`: checks, targets
and weights. `scope`: what the inventory names, how critical it is, and its own targets. `waivers`:
those in force, and the policy. `evidence`: what is known in one of the runs only. `system`: what
was measured. `baseline`: what has regressed since the run that each was compared with.
"""


class Score(NamedTuple):
    """The headline (0..100) and the score before caps and rounding, in points of 100."""

    value: int
    exact: Fraction


@dataclass(frozen=True)
class Side:
    """One of the two: what was measured, by what it is judged, and the score it had."""

    evidence: Evidence
    criteria: Criteria
    told: tuple[int, int] | None = None
    """Value and raw score as told when it was judged, None if nobody kept them."""
    criteria_kept: bool = True
    """Whether `criteria` are those it was judged by, and not this version's in their place."""


@dataclass(frozen=True)
class Part:
    """What one link changes the score by, and the findings that moved it."""

    link: Link
    change: Score
    movers: tuple[Mover, ...] = ()


@dataclass(frozen=True)
class Difference:
    """Why the score of `b` is not that of `a`. The parts sum to the difference."""

    a: Side
    b: Side
    before: Score
    after: Score
    parts: tuple[Part, ...]

    @property
    def change(self) -> Score:
        """The whole difference."""
        return _minus(self.after, self.before)

    @property
    def merged(self) -> bool:
        """Whether criteria and model cannot be told apart, which `criteria` then stands for."""
        return not (self.a.criteria_kept and self.b.criteria_kept)


def difference(a: Side, b: Side) -> Difference:
    """Explain the change of the score from `a` to `b`, which are of one system."""
    chain = _chain(a, b)
    first, last = _told(a, chain["model"]), _told(b, chain["baseline"])
    parts: list[Part] = []
    links: Sequence[Link] = get_args(Link)
    for previous, link in pairwise(links):
        before, after = chain[previous], chain[link]
        change = _minus(_score(after), _score(before))
        moved = () if link == "baseline" else movers(before, after)
        parts.append(Part(link, change, moved))
    start, end = _score(chain["model"]), _score(chain["baseline"])
    model = _plus(_minus(start, first), _minus(last, end))
    found = Difference(a, b, first, last, (Part("model", model), *parts))
    return _with_one_part(found) if found.merged else found


def _with_one_part(found: Difference) -> Difference:
    """Return `found` with the criteria's part and the model's as one."""
    model, criteria, *rest = found.parts
    one = Part("criteria", _plus(model.change, criteria.change), criteria.movers)
    return Difference(found.a, found.b, found.before, found.after, (one, *rest))


def _chain(a: Side, b: Side) -> Mapping[Link, Judgement]:
    """Return the judgement once each link and all before it have been exchanged."""
    of_a, of_b, rules = a.evidence, b.evidence, b.criteria
    mixed = of_b.model_copy(update={"measurements": _measured(of_a, of_b)})
    first = _judgement(of_a, a.criteria)
    alike = _judgement(of_a, rules)
    left = alike.standing.regressed
    scoped = _judgement(_excused_as(mixed, of_a), rules, left)
    waived = _judgement(mixed, rules, left)
    final = _judgement(of_b, rules)
    known = _as_known(waived.findings, final.findings)
    return {
        "model": first,
        "criteria": alike,
        "scope": scoped,
        "waivers": waived,
        "evidence": _standing(of_b, rules, known, left),
        "system": _standing(of_b, rules, final.findings, left),
        "baseline": final,
    }


def _judgement(
    evidence: Evidence, criteria: Criteria, regressed: frozenset[Key] | None = None
) -> Judgement:
    """Judge `evidence`; what has regressed is as its own baseline says, unless it is given."""
    findings = findings_of(evidence, criteria)
    if regressed is None:
        regressed = frozenset(worse(compare(evidence, criteria, findings), findings))
    return _standing(evidence, criteria, findings, regressed)


def _standing(
    evidence: Evidence,
    criteria: Criteria,
    findings: tuple[Finding, ...],
    regressed: frozenset[Key],
) -> Judgement:
    there = regressed & {(f.check, f.service) for f in findings}
    standing = standing_of(evidence, criteria, findings, there)
    return Judgement(evidence.inventory, findings, standing)


def _excused_as(evidence: Evidence, other: Evidence) -> Evidence:
    """Return `evidence` with the waivers, the policy and the day of `other`."""
    inventory = evidence.inventory.model_copy(update={"waivers": other.inventory.waivers})
    parts = {"inventory": inventory, "policy": other.policy, "finished_at": other.finished_at}
    return evidence.model_copy(update=parts)


def _measured(a: Evidence, b: Evidence) -> tuple[Measurement, ...]:
    """Return what `a` measured, and of what it did not ask for what `b` measured."""
    asked = {(s.name, probe) for s in a.inventory.subjects for probe in s.expected_probes}
    new = (m for m in b.measurements if (m.service, m.probe) not in asked)
    return (*(m for m in a.measurements if (m.service, m.probe) in asked), *new)


def _as_known(then: Sequence[Finding], now: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the findings `then`, but of what is unknown in one of the runs only those `now`."""
    later = {(f.check, f.service): f for f in now}
    return tuple(
        other if (f.outcome == "unknown") is not (other.outcome == "unknown") else f
        for f in then
        for other in [later[f.check, f.service]]
    )


def _score(judgement: Judgement) -> Score:
    return Score(judgement.standing.value, 100 * judgement.standing.exact)


def _told(side: Side, judged: Judgement) -> Score:
    """Return the score as it was told; its fraction is lost where this version makes another."""
    found = _score(judged)
    if side.told is None:
        return found
    value, raw = side.told
    return Score(value, found.exact if int(found.exact) == raw else Fraction(raw))


def _minus(one: Score, other: Score) -> Score:
    return Score(one.value - other.value, one.exact - other.exact)


def _plus(one: Score, other: Score) -> Score:
    return Score(one.value + other.value, one.exact + other.exact)
