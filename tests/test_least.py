"""The least plan: within hours the best there is, in order, with true scores, and honest."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.assessment import assess
from readiness.assessment.goal import ready, scored
from readiness.assessment.least import LeastPlan, least_plan, next_goal
from readiness.assessment.model import Model
from readiness.assessment.plan import Work, works
from readiness.assessment.target import Solver
from readiness.finding import Finding
from tests.baselines import P95, baseline, reading
from tests.judging import (
    ACCESS,
    CRITERIA,
    estimate,
    evidence,
    healthy,
    inventory,
    measured,
    service,
    waiver,
)
from tests.strategies import PROPERTY
from tests.test_target import MOST_WORK, every, findings, modelled

API = inventory(service(probes=ACCESS, criticality="critical"))


def planned(found: list[Finding], value: int, hours: float | None = None) -> tuple[Any, ...]:
    """Return model, work and plan for a headline of `value`."""
    model = modelled(found)
    work = works(model)[:MOST_WORK]
    return model, work, least_plan(model, work, scored(value, model.standing.strict), hours)


@PROPERTY
@given(
    found=findings(), value=st.sampled_from([60, 85, 100]), hours=st.sampled_from([0.0, 0.6, 3, 7])
)
def test_within_the_hours_nothing_comes_to_more(
    found: list[Finding], value: int, hours: float
) -> None:
    model, work, plan = planned(found, value, hours)
    rows = every(Solver(model.standing, work))
    affordable = [row for row in rows if row[0] <= Fraction(str(hours))]
    assert plan.hours <= hours
    assert plan.at_most == plan.score or plan.reached
    if plan.reached:
        least = min(hours for hours, headline, _ in rows if headline >= value)
        assert plan.hours == float(least)
        return
    best = max((headline, raw) for _, headline, raw in affordable)
    assert (plan.score, plan.raw) == best
    same = [spent for spent, headline, raw in affordable if (headline, raw) == best]
    assert plan.hours == float(min(same))


@PROPERTY
@given(found=findings(), value=st.sampled_from([50, 60, 85, 90, 100]))
def test_every_score_told_is_that_of_the_whole_model_evaluated_again(
    found: list[Finding], value: int
) -> None:
    model, work, plan = planned(found, value)
    mended: set[tuple[str, str]] = set()
    hours = Fraction(0)
    for step in plan.steps:
        mended |= step.work.keys
        hours += Fraction(str(step.work.head.fix.effort_hours))
        anew = [f.passing() if (f.check, f.service) in mended else f for f in found]
        assert modelled(anew).decision.value == step.score
        assert step.total_hours == float(hours)
    assert plan.score == (plan.steps[-1].score if plan.steps else model.decision.value)
    order = [work.index(step.work) for step in plan.steps]
    assert order == sorted(order)
    assert {*plan.left, *(s.work for s in plan.steps)} == set(work)


@PROPERTY
@given(found=findings(), value=st.sampled_from([60, 85, 100]))
def test_what_is_not_reached_says_what_else_it_takes(found: list[Finding], value: int) -> None:
    model, work, plan = planned(found, value)
    all_done = Solver(model.standing, work).best.value
    assert plan.reached == (all_done >= value)
    assert bool(plan.needs) is not plan.reached
    if plan.score_if is not None:
        assert plan.score_if >= value > plan.score


def plan_of(*changes: Any, **more: Any) -> tuple[Model, tuple[Work, ...], LeastPlan]:
    found = assess(evidence(more.pop("of", API), *healthy(**more), *changes), CRITERIA)
    goal = next_goal(found.model)
    assert goal
    return found.model, found.work, least_plan(found.model, found.work, goal)


def test_a_report_plans_for_ready_and_then_for_more() -> None:
    slow = {"http_latency__p95_ms": estimate(400)}
    model, _, plan = plan_of(**slow)
    assert model.decision.verdict == "ready"
    assert plan.goal.name == ("90" if model.decision.value < 90 else "100")
    broken = {"http_access__login_accepted": False}
    model, _, plan = plan_of(**broken)
    assert (plan.goal.name, plan.reached) == ("READY", True)
    assert [step.because for step in plan.steps] == ["blocker"]
    perfect = assess(evidence(API, *healthy()), CRITERIA)
    assert perfect.least is None
    assert '"least_plan": null' in perfect.to_json()


def test_an_unknown_blocker_is_no_work_but_said() -> None:
    lost = API.services[0].model_copy(update={"name": "lost"})
    of = inventory(*API.services, lost)
    _, _, plan = plan_of(of=of, http_latency__p95_ms=estimate(900))
    assert not plan.reached
    assert plan.score_if is not None and plan.score_if >= 85 > plan.score
    assert any("not known" in need and "lost" in need for need in plan.needs)


def test_a_waived_blocker_must_be_mended_for_ready() -> None:
    of = API.model_copy(update={"waivers": (waiver("login-accepted", "2030-01-01"),)})
    _, _, plan = plan_of(of=of, http_access__login_accepted=False)
    assert not plan.reached and plan.score == 84
    assert any("waived" in need for need in plan.needs)


def test_what_another_outage_explains_waits_for_it() -> None:
    leaf = service("leaf", depends_on=["root"], criticality="critical")
    of = inventory(service("root", criticality="critical"), leaf)
    found = [
        measured(probe, name, failure="refused")
        for name in ("root", "leaf")
        for probe in ("http_health", "http_latency", "http_concurrency")
    ]
    whole = assess(evidence(of, *found), CRITERIA)
    plan = least_plan(whole.model, whole.work, ready(whole.evidence.policy))
    assert not plan.reached
    assert any("outages" in need and "leaf" in need for need in plan.needs)


@pytest.mark.parametrize("value", [1, 59])
def test_what_is_reached_already_takes_nothing(value: int) -> None:
    found = assess(evidence(API, *healthy()), CRITERIA)
    plan = least_plan(found.model, found.work, scored(value, found.model.standing.strict))
    assert (plan.reached, plan.steps, plan.hours, plan.needs) == (True, (), 0.0, ())


def test_the_keys_of_the_contract() -> None:
    _, _, plan = plan_of(http_access__login_accepted=False)
    told = plan.to_contract()
    assert set(told) == {
        *("target", "ready", "budget_hours", "hours", "within_hours", "score", "raw", "reached"),
        *("score_if", "because", "items"),
    }
    assert set(told["items"][0]) == {
        *("check", "service", "effort_hours", "total_hours", "score", "because"),
    }


@pytest.mark.parametrize("now", [300, 900])
def test_what_has_regressed_must_be_brought_back_for_ready(now: float) -> None:
    then = baseline(reading(P95, estimate(100, 98, 102)))
    worse = healthy(http_latency__p95_ms=estimate(now, now - 2, now + 2))
    found = assess(evidence(API, *worse, baseline=then), CRITERIA)
    assert found.model.standing.regressed
    least = found.least
    assert least and least.reached
    assert [step.because for step in least.steps] == ["has regressed"]


def test_what_has_regressed_and_no_work_mends_is_said() -> None:
    then = baseline(reading(P95, estimate(100, 98, 102)))
    worse = healthy(http_latency__p95_ms=estimate(400, 395, 405))
    found = assess(evidence(API, *worse, baseline=then), CRITERIA)
    least = least_plan(found.model, (), ready(found.evidence.policy))
    assert not least.reached
    assert any("regressed since the baseline: latency-p95 on api" in need for need in least.needs)
    assert not any("pass which no work mends" in need for need in least.needs)
    assert any("all of that: it leads from" in need for need in least.needs)
    assert least.score_if is not None and least.score_if >= 85
