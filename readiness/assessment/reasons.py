"""Scorecard and open blockers -> what keeps a system from READY, counted rather than listed."""

from collections.abc import Sequence

from readiness.finding import Finding
from readiness.gate import weak_areas
from readiness.inventory import Policy
from readiness.score import Scorecard

_NAMED = 2
"""Areas that are named; more are counted."""
_STATES = ("failed", "unknown", "undecided", "waived")


def reasons(
    card: Scorecard, open_blockers: Sequence[Finding], policy: Policy, regressed: int = 0
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
    found += _areas(card, policy)
    needed = policy.ready
    if card.coverage < needed.coverage:
        least = f"{needed.coverage * 100:g} %"
        found.append(f"coverage of {card.coverage * 100:.0f} % is below {least}")
    if card.raw < needed.score:
        found.append(f"the score before caps is {card.raw}, below {needed.score}")
    return tuple(found)


def _areas(card: Scorecard, policy: Policy) -> list[str]:
    weak = [area for area in card.areas if area.id in weak_areas(card, policy)]
    if len(weak) > _NAMED:
        least = {policy.minimum(area.id) for area in weak}
        return [f"{len(weak)} areas are below {least.pop() if len(least) == 1 else 'their least'}"]
    return [
        f"{area.title} has no subject, and the policy demands {policy.minimum(area.id)}"
        if area.score is None
        else f"{area.title} is at {area.score}, below {policy.minimum(area.id)}"
        for area in weak
    ]


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
