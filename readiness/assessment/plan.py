"""Findings -> the work to do: what to fix first, at what effort, for which score."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from pydantic import BaseModel, ConfigDict

from readiness.assessment.blame import JOURNEY
from readiness.assessment.model import Model
from readiness.finding import Finding, Key
from readiness.gate import blockers, weak_areas
from readiness.score import AreaScore

_TELLING = 24
"""Characters from which on a reason is not found in another by chance."""
_MOST_QUOTED = 100
_NEEDING_SOMEONE = ("security", "journeys")
"""Areas whose checks often need somebody logged in first."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlanItem(_Frozen):
    """One piece of work and the score when it alone is done."""

    check: str
    service: str
    effort_hours: float
    projected_score: int


class Condition(_Frozen):
    """Something READY still needs; effort and owner are null where nobody can say."""

    text: str
    owner: str | None
    effort_hours: float | None
    projected_score: int


@dataclass(frozen=True)
class Work:
    """Findings that one fix mends together, the telling one first.

    `gain` (0..1) is what it adds to the score before caps.
    """

    findings: tuple[Finding, ...]
    projected_score: int
    gain: Fraction
    together_score: int = 0
    """The score once this and all work before it in the plan is done."""

    @property
    def head(self) -> Finding:
        """The finding that names this work."""
        return self.findings[0]

    @property
    def keys(self) -> frozenset[Key]:
        """The findings this work makes pass."""
        return frozenset((f.check, f.service) for f in self.findings)


def works(model: Model, hidden: Collection[str] = ()) -> tuple[Work, ...]:
    """Return all work worth doing, blockers first, then by gain per hour.

    Outages of the services in `hidden` are left out: another service's outage explains them. So
    is what only lacks samples: there is nothing to mend.
    """
    found = [_work(model, group) for group in _groups(model.findings, hidden)]
    found.sort(
        key=lambda w: (
            not any(f.blocker for f in w.findings),
            -w.gain / Fraction(w.head.fix.effort_hours),
            w.head.service,
            w.head.check,
        )
    )
    return _together(model, found)


def _groups(findings: Sequence[Finding], hidden: Collection[str]) -> list[list[Finding]]:
    """Return the findings that one fix mends together.

    That is all that one unreachable service fails; all that one probe found only at its second
    attempt; with a failed blocker the blockers that the same probe left unknown, because it
    could not get past the failed one; and with any failure whatever names it as its reason: of
    a login that is refused, all that needed somebody logged in.
    """
    groups: dict[Key, list[Finding]] = {}
    for f in findings:
        if f.outcome in ("fail", "warn") and not f.waived and not f.unproven:
            down = f.failure is not None and f.failure.blames_target
            if not (down and f.service in hidden):
                cause = "" if down else f.probe if f.flaky else f.check
                groups.setdefault((cause, f.service), []).append(f)
    for f in findings:
        if f.outcome == "unknown" and f.blocker:
            behind = (g for g in groups.values() if _same_probe(g[0], f) and g[0].blocker)
            next(behind, []).append(f)
    return _named_as_reason(list(groups.values()), findings)


def _named_as_reason(
    groups: list[list[Finding]], findings: Sequence[Finding]
) -> list[list[Finding]]:
    """Return `groups`, each with the findings whose reason quotes that of its first."""
    quotable = [
        group
        for group in groups
        if group[0].outcome == "fail" and len(group[0].because) >= _TELLING and not group[0].failure
    ][:_MOST_QUOTED]
    taken: set[int] = set()
    for group in quotable:
        head, known = group[0], {id(f) for f in group}
        for other in quotable:
            if id(group) not in taken and _quotes(other[0], head):
                group += other
                taken.add(id(other))
        group += [
            f
            for f in findings
            if f.outcome == "unknown" and id(f) not in known and _quotes(f, head)
        ]
    return [group for group in groups if id(group) not in taken]


def _quotes(one: Finding, other: Finding) -> bool:
    """Whether the reason of `one` names that of `other`, found by another probe, as its own.

    That is for what stands in others' way; two failures that merely sound alike are two.
    """
    hindered = one.area in _NEEDING_SOMEONE and (one.outcome == "unknown" or one.probe == JOURNEY)
    return hindered and one.probe != other.probe and one.because.find(other.because) > 0


def _same_probe(one: Finding, other: Finding) -> bool:
    return (one.service, one.probe) == (other.service, other.probe) and one.outcome == "fail"


def plan(work: Sequence[Work]) -> tuple[PlanItem, ...]:
    """Return `work` as the plan's rows."""
    return tuple(
        PlanItem(
            check=w.head.check,
            service=w.head.service,
            effort_hours=w.head.fix.effort_hours,
            projected_score=w.projected_score,
        )
        for w in work
    )


def projections(model: Model, work: Sequence[Work]) -> Mapping[Key, int]:
    """Finding -> the score with it (and what its fix mends along with it) passing."""
    found: dict[Key, int] = {key: w.projected_score for w in work for key in w.keys}
    for f in model.findings:
        key = (f.check, f.service)
        if f.outcome in ("fail", "warn", "unknown") and key not in found:
            found[key] = model.standing.passing([f]).value
    return found


def conditions(model: Model, work: Sequence[Work]) -> tuple[Condition, ...]:
    """Return everything between this system and READY, blockers first; empty when READY."""
    if model.decision.verdict == "ready":
        return ()
    owners = {s.name: s.owner for s in model.evidence.inventory.subjects}
    grouped = {key: w.findings for w in work for key in w.keys}
    found: list[Condition] = []
    seen: set[Key] = set()
    for f in blockers(model.findings):
        if (f.check, f.service) not in seen:
            group = grouped.get((f.check, f.service), (f,))
            seen |= {(g.check, g.service) for g in group}
            found.append(_blocker(model, f, group, owners[f.service]))
    found += _regressions(model, owners)
    return (*found, *_areas(model, work), *_coverage(model), *_score(model, work))


def _work(model: Model, group: Sequence[Finding]) -> Work:
    order = {"critical": 0, "high": 1, "medium": 2, "low": 3}
    ordered = sorted(
        group,
        key=lambda f: (
            f.outcome == "unknown",
            not f.blocker,
            order[f.severity],
            f.area != "availability",
        ),
    )
    after = model.standing.passing(ordered)
    return Work(tuple(ordered), after.value, after.exact - model.standing.exact)


def _together(model: Model, work: Sequence[Work]) -> tuple[Work, ...]:
    done, found = model.standing, []
    for w in work:
        done = done.passing(w.findings)
        found.append(replace(w, together_score=done.value))
    return tuple(found)


def _blocker(
    model: Model, finding: Finding, group: Sequence[Finding], owner: str | None
) -> Condition:
    after = model.standing.passing(group)
    measured = finding.outcome != "unknown"
    down = finding.failure is not None and finding.failure.blames_target
    told = group[0] if down else finding  # which names the outage, not one of what it fails
    what = told.fix.text if measured else "Make it measurable, then run again."
    waived = f" (waived by {finding.waiver.owner})" if finding.waiver else ""
    return Condition(
        text=f"{told.title}, {told.service}{waived}: {told.because}. {what}",
        owner=owner,
        effort_hours=finding.fix.effort_hours if measured else None,
        projected_score=after.value,
    )


def _regressions(model: Model, owners: Mapping[str, str | None]) -> list[Condition]:
    changes = model.comparison.regressed if model.comparison else ()
    since = {c.key: f", has regressed: {c.because}" for c in changes}
    return [
        Condition(
            text=f"{f.title}, {f.service}{since.get((f.check, f.service), f': {f.because}')}",
            owner=owners[f.service],
            effort_hours=None,
            projected_score=model.standing.passing([f]).value,
        )
        for f in model.findings
        if (f.check, f.service) in model.standing.regressed
    ]


def _areas(model: Model, work: Sequence[Work]) -> list[Condition]:
    policy = model.evidence.policy
    weak = weak_areas(model.card, policy)
    return [
        _lift(model, work, f"{_at(a)}, READY needs {policy.minimum(a.id)}", [a.id])
        for a in model.card.areas
        if a.id in weak
    ]


def _at(area: AreaScore) -> str:
    where = "without a subject in the inventory" if area.score is None else f"at {area.score}"
    return f"{area.title} is {where}"


def _score(model: Model, work: Sequence[Work]) -> list[Condition]:
    needed = model.evidence.policy.ready.score
    if model.card.raw >= needed:
        return []
    text = f"The score before caps is {model.card.raw}, READY needs {needed}"
    return [_lift(model, work, text, [a.id for a in model.card.areas])]


def _coverage(model: Model) -> list[Condition]:
    needed = model.evidence.policy.ready.coverage
    if model.card.coverage >= needed:
        return []
    unmeasured = [f for f in model.findings if not f.conclusive and f.outcome != "not_applicable"]
    text = (
        f"{model.card.coverage * 100:.0f} % of the score rests on measured values, "
        f"READY needs {needed * 100:g} %"
    )
    return [
        Condition(
            text=f"{text}. Bring up what is down and measure what is listed as not tested.",
            owner=None,
            effort_hours=None,
            projected_score=model.standing.passing(unmeasured).value,
        )
    ]


def _lift(model: Model, work: Sequence[Work], text: str, areas: Sequence[str]) -> Condition:
    open_ = [f for f in model.findings if f.area in areas and f.outcome in ("fail", "warn")]
    after = model.standing.passing(open_)
    mending = (w for w in work if any(f.area in areas for f in w.findings))
    hours = sum(w.head.fix.effort_hours for w in mending)
    return Condition(text=text, owner=None, effort_hours=hours or None, projected_score=after.value)
