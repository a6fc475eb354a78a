"""Scorecard + findings + policy -> the verdict, the caps on the score and the exit code."""

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from readiness.finding import Finding
from readiness.score import Grade, Scorecard, grade

Verdict = Literal["ready", "conditional", "not_ready", "inconclusive"]
FailOn = Literal["not-ready", "conditional"]

READY_SCORE = 85
READY_AREA = 70
READY_COVERAGE = 0.95
ENOUGH_COVERAGE = 0.80
CONDITIONAL_SCORE = 70

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
    area: int
    """What every area that applies must be at."""


class Policy(BaseModel):
    """What the caller lets pass."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fail_on: FailOn = "not-ready"
    gate: bool = True


class Decision(BaseModel):
    """The verdict with the capped score and everything that capped it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Verdict
    value: int
    upper: int
    grade: Grade
    caps: tuple[Cap, ...]
    exit_code: int


def decide(card: Scorecard, findings: Sequence[Finding], policy: Policy) -> Decision:
    """Decide on `card`, whose findings are `findings`.

    The headline value takes every unknown or undecided blocker as failed and the upper value
    as passed, so that losing evidence can lower a score but never raise it.
    """
    caps = _caps(card, findings)
    value = headline(card, blockers(findings))
    upper = min([card.upper, *_upper_caps(card, findings)])
    verdict = _verdict(card, findings, value, upper)
    return Decision(
        verdict=verdict,
        value=value,
        upper=upper,
        grade=grade(value),
        caps=caps,
        exit_code=_exit_code(verdict, policy),
    )


def blockers(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the blocker findings that are not surely passed: failed, unknown or undecided."""
    return tuple(
        f for f in findings if f.blocker and (f.outcome in ("fail", "unknown") or f.undecided)
    )


def headline(card: Scorecard, open_blockers: Collection[Finding]) -> int:
    """Return the raw score under all caps; `open_blockers` are those that `blockers` returns."""
    caps = [to for to, _ in _card_caps(card)]
    if open_blockers:
        caps.append(CAP_NOT_READY if all(f.waived for f in open_blockers) else CAP_BLOCKED)
    return min([card.raw, *caps])


def demands(value: int) -> Demands:
    """Return what a headline of at least `value` takes besides that raw score."""
    coverage = {value > CAP_UNCOVERED: ENOUGH_COVERAGE, value > CAP_NOT_READY: READY_COVERAGE}
    return Demands(
        unexcused=value > CAP_BLOCKED,
        excused=value > CAP_NOT_READY,
        coverage=coverage.get(True, 0.0),
        area=READY_AREA if value > CAP_NOT_READY else 0,
    )


def weak_areas(card: Scorecard) -> tuple[str, ...]:
    """Return the ids of applicable areas below what READY needs."""
    return tuple(a.id for a in card.areas if a.score is not None and a.score < READY_AREA)


def _caps(card: Scorecard, findings: Sequence[Finding]) -> tuple[Cap, ...]:
    caps = [
        (_blocker_cap(f), f"blocker {_state(f)}: {f.title} on {f.service}")
        for f in blockers(findings)
    ]
    return tuple(Cap(to=to, because=why) for to, why in sorted([*caps, *_card_caps(card)]))


def _blocker_cap(finding: Finding) -> int:
    return CAP_NOT_READY if finding.waived else CAP_BLOCKED


def _state(finding: Finding) -> str:
    state = "undecided" if finding.undecided else {"fail": "failed"}.get(finding.outcome, "unknown")
    return f"{state}, waived" if finding.waived else state


def _card_caps(card: Scorecard) -> list[tuple[int, str]]:
    """(cap, because) of everything but blockers."""
    if not card.applicable:
        return [(0, "nothing in the inventory was applicable")]
    titles = {a.id: a.title for a in card.areas}
    caps = [(CAP_NOT_READY, f"area below {READY_AREA}: {titles[a]}") for a in weak_areas(card)]
    if card.coverage < ENOUGH_COVERAGE:
        caps.append((CAP_UNCOVERED, f"coverage of {card.coverage * 100:.0f} % is below 80 %"))
    elif card.coverage < READY_COVERAGE:
        caps.append((CAP_NOT_READY, f"coverage of {card.coverage * 100:.0f} % is below 95 %"))
    return caps


def _upper_caps(card: Scorecard, findings: Sequence[Finding]) -> list[int]:
    """Caps that hold even if every unknown passes and every interval ends well."""
    caps = [_blocker_cap(f) for f in findings if f.blocker and f.outcome == "fail"]
    if any(a.upper is not None and a.upper < READY_AREA for a in card.areas):
        caps.append(CAP_NOT_READY)
    return caps


def _verdict(card: Scorecard, findings: Sequence[Finding], value: int, upper: int) -> Verdict:
    open_blockers = [f for f in blockers(findings) if not f.waived]
    if not card.applicable:
        return "inconclusive"
    if any(f.outcome == "fail" for f in open_blockers) or upper < CONDITIONAL_SCORE:
        return "not_ready"
    if open_blockers or value < CONDITIONAL_SCORE or card.coverage < ENOUGH_COVERAGE:
        return "inconclusive"
    ready = (
        value >= READY_SCORE
        and card.coverage >= READY_COVERAGE
        and not weak_areas(card)
        and not blockers(findings)
    )
    return "ready" if ready else "conditional"


def _exit_code(verdict: Verdict, policy: Policy) -> int:
    failed = verdict == "not_ready" or (
        verdict == "conditional" and policy.fail_on == "conditional"
    )
    if failed:
        return 1 if policy.gate else 0
    return 4 if verdict == "inconclusive" else 0
