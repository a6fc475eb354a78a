"""What holds of the whole model, whatever the evidence: what raises a score and what never does.

Of losing evidence, of order, of waivers and of saved evidence, test_assessment.py holds it.
"""

import random
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from readiness import criteria
from readiness.assessment import Assessment, assess
from readiness.assessment.model import Key, Model, judged
from readiness.checks import Criteria
from readiness.evidence import Evidence
from readiness.finding import Finding
from tests.judging import CRITERIA, outage
from tests.judging import finding as made
from tests.strategies import PROPERTY, evidences

GREEN = 0
FEW = settings(PROPERTY, max_examples=12)
"""Of whole models fewer are tried: each is judged many times."""


def anew(of: Assessment, instead: dict[Key, Finding]) -> Model:
    """Judge the findings of `of` again from the start, some of them replaced."""
    model = of.model
    found = [instead.get((f.check, f.service), f) for f in model.findings]
    return judged(model.evidence, model.criteria, found)


def mended(found: tuple[Finding, ...]) -> dict[Key, Finding]:
    return {(f.check, f.service): f.passing() for f in found}


def failing(f: Finding) -> Finding:
    return f.model_copy(update={"outcome": "fail", "score": 0.0, "upper": 0.0, "undecided": False})


def no_better(old: Model, new: Model) -> None:
    assert new.card.raw <= old.card.raw
    assert new.decision.value <= old.decision.value
    assert new.decision.upper <= old.decision.upper
    assert old.decision.exit_code == GREEN or new.decision.exit_code != GREEN


@FEW
@given(before=evidences())
def test_every_bound_is_in_its_place(before: Evidence) -> None:
    model = assess(before, CRITERIA).model
    card, decision = model.card, model.decision
    assert 0 <= decision.value <= decision.upper <= card.upper <= 100
    assert decision.value <= card.raw <= card.upper
    assert 0 <= card.coverage <= 1
    for row in card.areas:
        if row.score is not None and row.upper is not None and row.coverage is not None:
            assert 0 <= row.score <= row.upper <= 100
            assert row.score <= 100 * row.coverage + 1e-9, "what was not measured earned something"


@FEW
@given(before=evidences(), data=st.data())
def test_a_finding_that_comes_to_fail_never_pays(before: Evidence, data: st.DataObject) -> None:
    found = assess(before, CRITERIA)
    known = [f for f in found.model.findings if f.conclusive]
    assume(known)
    some = data.draw(st.lists(st.sampled_from(known), min_size=1, unique_by=id))
    no_better(found.model, anew(found, {(f.check, f.service): failing(f) for f in some}))


@FEW
@given(before=evidences(), data=st.data())
def test_one_more_finding_that_fails_never_pays(before: Evidence, data: st.DataObject) -> None:
    """That the area or the coverage has enough only with it is another matter: more is known."""
    model = assess(before, CRITERIA).model
    place: dict[str, Any] = {
        "check": "new",
        "service": data.draw(st.sampled_from([s.name for s in before.inventory.subjects])),
        "area": data.draw(st.sampled_from(sorted(CRITERIA.areas))),
        "severity": data.draw(st.sampled_from(["critical", "high", "medium", "low"])),
        "blocker": data.draw(st.booleans()),
    }
    applied = {a.id for a in model.card.areas if a.applicable}
    assume(place["area"] in applied)
    out = judged(before, CRITERIA, [*model.findings, outage(**place)])
    no_better(model, out)
    assert out.card.coverage <= model.card.coverage
    failed = judged(before, CRITERIA, [*model.findings, made(0, **place)])
    assert failed.card.upper <= model.card.upper
    enough = next(not a.because for a in model.card.areas if a.id == place["area"])
    assert not enough or failed.card.raw <= model.card.raw


@FEW
@given(before=evidences(), data=st.data())
def test_mending_never_lowers_a_score_nor_closes_the_gate(
    before: Evidence, data: st.DataObject
) -> None:
    found = assess(before, CRITERIA)
    assume(found.model.findings)
    some = data.draw(st.lists(st.sampled_from(found.model.findings), min_size=1, unique_by=id))
    no_better(anew(found, mended(tuple(some))), found.model)


@FEW
@given(before=evidences())
def test_every_score_of_the_plan_is_that_of_the_whole_model_evaluated_again(
    before: Evidence,
) -> None:
    found = assess(before, CRITERIA)
    done: dict[Key, Finding] = {}
    for work in found.work:
        alone = anew(found, mended(work.findings))
        assert work.projected_score == alone.decision.value
        assert work.gain == alone.standing.exact - found.model.standing.exact
        done |= mended(work.findings)
        assert work.together_score == anew(found, done).decision.value
    mending = {key: work for work in found.work for key in work.keys}
    for f in found.model.findings:
        key = (f.check, f.service)
        if key in found.projections and key not in mending:
            assert found.projections[key] == anew(found, mended((f,))).decision.value


@FEW
@given(before=evidences())
def test_the_least_plan_leads_where_it_says(before: Evidence) -> None:
    found = assess(before, CRITERIA)
    least = found.least
    if least is None:
        assert found.model.decision.value == 100
        return
    done = {key: f for step in least.steps for key, f in mended(step.work.findings).items()}
    after = anew(found, done).decision
    assert (least.score, least.reached) == (
        after.value,
        after.verdict == "ready" if least.goal.ready else after.value >= least.goal.value,
    )
    assert least.within_hours == 0


@FEW
@given(before=evidences(), seed=st.randoms(use_true_random=False))
def test_the_order_of_the_criteria_and_the_findings_decides_nothing(
    before: Evidence, seed: random.Random
) -> None:
    names, areas = list(CRITERIA.checks), list(CRITERIA.areas)
    seed.shuffle(names)
    seed.shuffle(areas)
    shuffled = Criteria(
        checks={name: CRITERIA.checks[name] for name in names},
        areas={name: CRITERIA.areas[name] for name in areas},
    )
    old, new = assess(before, CRITERIA), assess(before, shuffled)
    assert new.model.decision.model_copy(update={"caps": ()}) == old.model.decision.model_copy(
        update={"caps": ()}
    )
    assert sorted(new.model.decision.caps, key=str) == sorted(old.model.decision.caps, key=str)
    assert new.projections == old.projections
    findings = list(old.model.findings)
    seed.shuffle(findings)
    assert judged(before, CRITERIA, findings).card == old.model.card


@FEW
@given(before=evidences())
def test_saved_evidence_and_criteria_read_back_give_an_equal_assessment(before: Evidence) -> None:
    rules = criteria.from_json(criteria.to_json(CRITERIA))
    again = assess(Evidence.model_validate_json(before.to_json()), rules)
    old = assess(before, CRITERIA)
    assert again.model.findings == old.model.findings
    assert (again.model.card, again.model.decision) == (old.model.card, old.model.decision)
    assert again.to_json() == old.to_json()


@FEW
@given(before=evidences(), data=st.data())
def test_by_some_checks_alone_nothing_is_green(before: Evidence, data: st.DataObject) -> None:
    names = st.lists(st.sampled_from(sorted(CRITERIA.checks)), min_size=1, max_size=20)
    part = criteria.narrowed(CRITERIA, data.draw(names))
    found = assess(before, part)
    assert found.model.decision.exit_code != GREEN
    assert found.model.decision.verdict != "ready"
