"""The least work to a score, compared with every choice there is."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain, combinations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from readiness.assessment.goal import ready, scored
from readiness.assessment.model import Model, judged
from readiness.assessment.plan import works
from readiness.assessment.target import Solver
from readiness.checks import Criteria, Fix
from readiness.finding import Finding
from readiness.inventory import Policy
from readiness.policy import PRESETS, PRODUCTION
from tests.judging import (
    CRITERIA,
    area,
    evidence,
    finding,
    inventory,
    outage,
    service,
    unknown,
    waiver,
)
from tests.strategies import PROPERTY

AREAS = {
    "availability": area("availability", 20, min_checks=1),
    "performance": area("performance", 25, min_checks=2),
    "security": area("security", 15, min_checks=3),
}
RULES = Criteria(checks=CRITERIA.checks, areas=AREAS)
NAMES = ("api", "job", "web")
LEVELS = ("critical", "normal", "low")
MOST_WORK = 6


@st.composite
def findings(draw: st.DrawFn) -> list[Finding]:
    """Findings of every outcome, some of them blockers, outages, waived; effort in odd parts."""
    found = []
    for n in range(draw(st.integers(1, 14))):
        hours = draw(st.sampled_from([0.1, 0.25, 0.5, 1, 2, 2, 3, 4, 8]))
        changes: dict[str, Any] = {
            "check": f"c{n}",
            "probe": draw(st.sampled_from(["one", "two", "three"])),
            "service": draw(st.sampled_from(NAMES)),
            "area": draw(st.sampled_from(sorted(AREAS))),
            "severity": draw(st.sampled_from(["critical", "high", "medium", "low"])),
            "blocker": draw(st.integers(0, 4)) == 0,
            "fix": Fix(text="Mend it.", effort_hours=hours),
        }
        how = draw(st.sampled_from(["good"] * 3 + ["bad"] * 4 + ["warn", "out", "unknown"]))
        if how in ("bad", "out") and draw(st.integers(0, 5)) == 0:
            changes["waiver"] = waiver(f"c{n}", "2030-01-01")
        score = draw(st.sampled_from([0.0, 0.2, 0.5, 0.7]))
        made = {
            "good": finding(1, **changes),
            "bad": finding(score, **changes),
            "warn": finding(score, 0.9, **changes, outcome="warn"),
            "out": outage(**changes),
            "unknown": unknown(**changes),
        }
        found.append(made[how])
    return found


def modelled(found: list[Finding], policy: Policy = PRODUCTION) -> Model:
    of = inventory(*(service(n, criticality=c) for n, c in zip(NAMES, LEVELS, strict=True)))
    return judged(evidence(of, policy=policy), RULES, found)


def subsets(n: int) -> Iterator[frozenset[int]]:
    return map(frozenset, chain.from_iterable(combinations(range(n), k) for k in range(n + 1)))


def every(solver: Solver) -> list[tuple[Fraction, int, int]]:
    """Return hours, headline and raw score of every choice of the work there is."""
    rows = []
    for chosen in subsets(len(solver.work)):
        after = solver.after(chosen)
        rows.append((solver.hours(chosen), after.value, int(100 * after.exact)))
    return rows


@PROPERTY
@given(found=findings(), target=st.sampled_from([20, 50, 59, 60, 70, 75, 84, 85, 90, 100]))
def test_no_choice_reaches_the_target_with_less(found: list[Finding], target: int) -> None:
    model = modelled(found)
    solver = Solver(model.standing, works(model)[:MOST_WORK])
    goal = scored(target, model.standing.strict)
    reaching = [hours for hours, value, _ in every(solver) if value >= target]
    least = solver.least(goal)
    if least is None:
        assert not reaching
        return
    assert solver.after(least.chosen).value >= target
    assert least.least_hours <= min(reaching) <= solver.hours(least.chosen)
    assert solver.hours(least.chosen) == least.least_hours


@PROPERTY
@given(found=findings(), tier=st.sampled_from(sorted(PRESETS)), data=st.data())
def test_no_choice_is_ready_with_less_by_any_policy(
    found: list[Finding], tier: Any, data: st.DataObject
) -> None:
    areas = data.draw(st.dictionaries(st.sampled_from(sorted(AREAS)), st.sampled_from([1, 90])))
    policy = PRESETS[tier].model_copy(update={"areas": areas})
    model = modelled(found, policy)
    solver = Solver(model.standing, works(model)[:MOST_WORK])
    least, goal = solver.least(ready(policy)), ready(policy)
    verdicts = {}
    for chosen in subsets(len(solver.work)):
        mended = {key for n in chosen for key in solver.work[n].keys}
        anew = [f.passing() if (f.check, f.service) in mended else f for f in found]
        verdicts[chosen] = modelled(anew, policy).decision.verdict
        assert (verdicts[chosen] == "ready") == goal.met(solver.after(chosen))
    reaching = [solver.hours(c) for c, verdict in verdicts.items() if verdict == "ready"]
    assert (least is None) == (not reaching)
    if least:
        assert verdicts[least.chosen] == "ready"
        assert solver.hours(least.chosen) == min(reaching) == least.least_hours
