"""Scorecard + findings + policy -> the verdict, the caps on the score and the exit code."""

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from readiness.finding import Finding
from readiness.inventory import Policy
from readiness.policy import at_least
from readiness.score import Grade, Scorecard, grade

Verdict = Literal["ready", "conditional", "not_ready", "inconclusive"]

CAP_BLOCKED = 59
CAP_UNCOVERED = 69
CAP_NOT_READY = 84


class Cap(BaseModel):
    """The most the score can be, and the reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: int
    because: str


class Demands(NamedTuple):
    """What the caps on the score demand: which blockers closed, and how much of the rest."""

    unexcused: bool
    excused: bool
    """Whether waived blockers must be closed as well."""
    coverage: float
    areas: Policy | None
    """The policy by whose least scores of areas each must be, if any must."""


class Decision(BaseModel):
    """The verdict with the capped score and everything that capped it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Verdict
    value: int
    upper: int
    grade: Grade
    caps: tuple[Cap, ...]
    exit_code: int
    gated_exit_code: int
    """What the exit code is once the stage is `gate`."""


def decide(
    card: Scorecard, findings: Sequence[Finding], policy: Policy, regressed: Sequence[str] = ()
) -> Decision:
    """Decide on `card`, whose findings are `findings`; `regressed` names what has surely got worse.

    The headline value takes every unknown or undecided blocker as failed and the upper value
    as passed, so that losing evidence can lower a score but never raise it. Both are capped by
    the stricter of `policy` and production, so that an easier policy lets pass but adds no point.
    """
    strict = at_least(policy)
    caps = _caps(card, findings, strict, regressed)
    value = headline(card, capping(findings), strict, bool(regressed))
    upper = min([card.upper, *_upper_caps(card, findings, strict, bool(regressed))])
    verdict = _verdict(card, findings, policy, bool(regressed))
    code = _exit_code(verdict, policy)
    return Decision(
        verdict=verdict,
        value=value,
        upper=upper,
        grade=grade(value),
        caps=caps,
        exit_code=0 if code == 1 and policy.stage != "gate" else code,
        gated_exit_code=code,
    )


def in_part(decision: Decision) -> Decision:
    """Return `decision` where it rests on some of the criteria: what they pass proves nothing."""
    if decision.gated_exit_code == 1:
        return decision
    update = {"verdict": "inconclusive", "exit_code": 4, "gated_exit_code": 4}
    return decision.model_copy(update=update)


def capping(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return what caps the score: blockers, by policy or by the criteria, not surely passed."""
    return tuple(
        f
        for f in findings
        if (f.blocker or f.usual_blocker) and (f.outcome in ("fail", "unknown") or f.undecided)
    )


def blockers(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the blocker findings that are not surely passed: failed, unknown or undecided."""
    return tuple(f for f in capping(findings) if f.blocker)


def headline(
    card: Scorecard, still_open: Collection[Finding], strict: Policy, regressed: bool = False
) -> int:
    """Return the raw score under all caps; `still_open` are those that `capping` returns.

    `strict` is the policy, made at least as strict as production.
    """
    caps = [to for to, _ in _card_caps(card, strict)]
    if still_open:
        caps.append(CAP_NOT_READY if all(f.waived for f in still_open) else CAP_BLOCKED)
    if regressed and card.applicable:
        caps.append(CAP_NOT_READY)
    return min([card.raw, *caps])


def demands(value: int, strict: Policy) -> Demands:
    """Return what a headline of at least `value` takes besides that raw score."""
    coverage = strict.conditional.coverage if value > CAP_UNCOVERED else 0.0
    return Demands(
        unexcused=value > CAP_BLOCKED,
        excused=value > CAP_NOT_READY,
        coverage=strict.ready.coverage if value > CAP_NOT_READY else coverage,
        areas=strict if value > CAP_NOT_READY else None,
    )


def weak_areas(card: Scorecard, policy: Policy) -> tuple[str, ...]:
    """Return the ids of areas below what READY needs.

    An area without a subject counts 0 where the policy names it, else not at all.
    """
    return tuple(
        a.id
        for a in card.areas
        if (a.score is not None or a.id in policy.areas) and (a.score or 0) < policy.minimum(a.id)
    )


def _caps(
    card: Scorecard, findings: Sequence[Finding], strict: Policy, regressed: Sequence[str]
) -> tuple[Cap, ...]:
    caps = [
        (_blocker_cap(f), f"blocker {_state(f)}: {f.title} on {f.service}")
        for f in capping(findings)
    ]
    caps += [(CAP_NOT_READY, f"regressed: {what}") for what in regressed]
    both = sorted([*caps, *_card_caps(card, strict)])
    return tuple(Cap(to=to, because=why) for to, why in both)


def _blocker_cap(finding: Finding) -> int:
    return CAP_NOT_READY if finding.waived else CAP_BLOCKED


def _state(finding: Finding) -> str:
    state = "undecided" if finding.undecided else {"fail": "failed"}.get(finding.outcome, "unknown")
    return f"{state}, waived" if finding.waived else state


def _card_caps(card: Scorecard, strict: Policy) -> list[tuple[int, str]]:
    """(cap, because) of everything but blockers."""
    if not card.applicable:
        return [(0, "nothing in the inventory was applicable")]
    titles = {a.id: a.title for a in card.areas}
    caps = [
        (CAP_NOT_READY, f"area below {strict.minimum(a)}: {titles[a]}")
        for a in weak_areas(card, strict)
    ]
    enough, ready = strict.conditional.coverage, strict.ready.coverage
    if card.coverage < enough:
        caps.append((CAP_UNCOVERED, _uncovered(card, enough)))
    elif card.coverage < ready:
        caps.append((CAP_NOT_READY, _uncovered(card, ready)))
    return caps


def _uncovered(card: Scorecard, needed: float) -> str:
    return f"coverage of {card.coverage * 100:.0f} % is below {needed * 100:g} %"


def _upper_caps(
    card: Scorecard, findings: Sequence[Finding], strict: Policy, regressed: bool
) -> list[int]:
    """Caps that hold even if every unknown passes and every interval ends well."""
    caps = [_blocker_cap(f) for f in capping(findings) if f.outcome == "fail"]
    uppers = ((a.id, a.upper) for a in card.areas if a.upper is not None)
    absent = (a.id for a in card.areas if a.score is None and a.id in strict.areas)
    if any(upper < strict.minimum(a) for a, upper in uppers) or any(absent):
        caps.append(CAP_NOT_READY)
    if regressed:
        caps.append(CAP_NOT_READY)
    return caps


def _verdict(
    card: Scorecard, findings: Sequence[Finding], policy: Policy, regressed: bool
) -> Verdict:
    """Judge by the policy alone: its thresholds are those of scores before caps."""
    vetoes = blockers(findings)
    unwaived = [f for f in vetoes if not f.waived]
    least = policy.conditional
    if not card.applicable:
        return "inconclusive"
    if any(f.outcome == "fail" for f in unwaived) or card.upper < least.score:
        return "not_ready"
    if unwaived or card.raw < least.score or card.coverage < least.coverage:
        return "inconclusive"
    ready = (
        card.raw >= policy.ready.score
        and card.coverage >= policy.ready.coverage
        and not weak_areas(card, policy)
        and not vetoes
        and not regressed
    )
    return "ready" if ready else "conditional"


def _exit_code(verdict: Verdict, policy: Policy) -> int:
    """Return the gate's exit code. That too little is known, no stage turns into a pass."""
    if verdict == "not_ready" or (verdict == "conditional" and policy.fail_on == "conditional"):
        return 1
    return 4 if verdict == "inconclusive" else 0
