"""Scorecard and open blockers -> what keeps a system from READY, counted rather than listed."""

from collections.abc import Sequence

from readiness.finding import Finding
from readiness.gate import READY_AREA, READY_COVERAGE, READY_SCORE, weak_areas
from readiness.score import Scorecard

_NAMED = 2
"""Areas that are named; more are counted."""
_STATES = ("failed", "unknown", "undecided", "waived")


def reasons(
    card: Scorecard, open_blockers: Sequence[Finding], regressed: int = 0
) -> tuple[str, ...]:
    """Return every requirement of READY that is not met, the gravest first.

    `open_blockers` are those that `gate.blockers` returns, `regressed` counts what has surely
    got worse since the baseline.
    """
    if not card.applicable:
        return ("nothing in the inventory was applicable",)
    found = _blockers(open_blockers)
    if regressed:
        found.append(f"{regressed} metric{'s have' if regressed > 1 else ' has'} regressed")
    found += _areas(card)
    if card.coverage < READY_COVERAGE:
        found.append(
            f"coverage of {card.coverage * 100:.0f} % is below {READY_COVERAGE * 100:.0f} %"
        )
    if card.raw < READY_SCORE:
        found.append(f"the score before caps is {card.raw}, below {READY_SCORE}")
    return tuple(found)


def _areas(card: Scorecard) -> list[str]:
    weak = [area for area in card.areas if area.id in weak_areas(card)]
    if len(weak) > _NAMED:
        return [f"{len(weak)} areas are below {READY_AREA}"]
    return [f"{area.title} is at {area.score}, below {READY_AREA}" for area in weak]


def _blockers(open_blockers: Sequence[Finding]) -> list[str]:
    states = [_state(f) for f in open_blockers]
    counted = ((state, states.count(state)) for state in _STATES)
    return [f"{n} blocker{'s' * (n > 1)} {state}" for state, n in counted if n]


def _state(finding: Finding) -> str:
    if finding.waived:
        return "waived"
    if finding.undecided:
        return "undecided"
    return "failed" if finding.outcome == "fail" else "unknown"
