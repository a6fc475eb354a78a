"""Two assessments -> parts that sum to the change of the score, each from one cause alone."""

from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from readiness.assessment.difference import Difference, Link, Score, Side, difference
from readiness.assessment.model import evaluate
from readiness.baseline import Baseline
from readiness.checks import Criteria
from readiness.criteria import with_packs
from readiness.evidence import Evidence
from readiness.measurement import Measurement
from tests.baselines import P95, baseline, reading
from tests.judging import (
    ACCESS,
    CRITERIA,
    NOW,
    estimate,
    evidence,
    healthy,
    inventory,
    service,
    waiver,
)
from tests.strategies import PROPERTY, evidences, losses

PACK = """checks:
  quick:
    title: Quick
    probe: http_latency
    metric: p50_ms
    area: performance
    severity: critical
    unit: ms
    target: 1
    limit: 2
    why: It matters.
    fix: {text: Make it quick., effort_hours: 1}
"""
STRICTER = with_packs(CRITERIA, {"pack.yaml": PACK})
API = service(probes=ACCESS, criticality="high")


def of(*measurements: Measurement, services: Sequence[Any] = (API,), **changes: Any) -> Evidence:
    inventoried = {name: changes.pop(name) for name in ("waivers",) if name in changes}
    return evidence(inventory(*services, **inventoried), *(measurements or healthy()), **changes)


def side(of: Evidence, criteria: Criteria = CRITERIA, **changes: Any) -> Side:
    decision = evaluate(of, criteria)
    told = (decision.decision.value, decision.card.raw)
    return Side(of, criteria, **{"told": told, **changes})


def moved(a: Side, b: Side) -> dict[Link, tuple[int, Fraction]]:
    """The parts that are not zero; all of them sum to the change."""
    found = difference(a, b)
    assert sums(found)
    return {p.link: (p.change.value, p.change.exact) for p in found.parts if any(p.change)}


def sums(found: Difference) -> bool:
    value = sum(p.change.value for p in found.parts)
    exact = sum((p.change.exact for p in found.parts), Fraction(0))
    return (value, exact) == tuple(found.change)


@settings(PROPERTY, max_examples=15)
@given(data=st.data(), a=evidences(3), b=evidences(3))
def test_the_parts_sum_to_the_change_exactly(data: st.DataObject, a: Evidence, b: Evidence) -> None:
    judged = data.draw(st.sampled_from([CRITERIA, STRICTER]), "criteria of a")
    told = data.draw(st.sampled_from([None, (7, 9), (100, 100)]), "told of a")
    one, other = Side(a, judged, told), side(b, STRICTER)
    found = difference(one, other)
    assert sums(found)
    before, after = evaluate(a, judged), evaluate(b, STRICTER)
    assert found.before.value == (told[0] if told else before.decision.value)
    assert found.after.value == after.decision.value
    assert found.after.exact == 100 * after.standing.exact
    if not told:
        assert found.before.exact == 100 * before.standing.exact


@settings(PROPERTY, max_examples=8)
@given(of=evidences(2))
def test_a_run_does_not_differ_from_itself(of: Evidence) -> None:
    found = difference(side(of), side(of))
    assert [part.link for part in found.parts if any(part.change) or part.movers] == []


@settings(PROPERTY, max_examples=15)
@given(data=st.data(), of=evidences(2))
def test_what_is_lost_is_evidence_or_the_system_s(data: st.DataObject, of: Evidence) -> None:
    assume(of.measurements)
    lost = data.draw(losses(of))
    parts = moved(side(of), side(lost))
    assert parts.keys() <= {"evidence", "system"}
    assert sum(exact for _, exact in parts.values()) <= 0


def test_another_system_state_is_the_system_s_part() -> None:
    slow = of(*healthy(http_latency__p95_ms=estimate(9000)))
    found = difference(side(of()), side(slow))
    assert moved(side(of()), side(slow)).keys() == {"system"}
    mover = next(p for p in found.parts if p.link == "system").movers[0]
    assert (mover.check, mover.service) == (P95, "api")
    assert mover.effect == found.change.exact  # it alone has moved
    assert mover.was.startswith("pass (20 ms")
    assert mover.now.startswith("fail (9000 ms")


def test_lost_evidence_is_a_part_of_its_own() -> None:
    lost = of(*(m for m in healthy() if m.probe != "http_cors"))
    parts = moved(side(of()), side(lost))
    assert parts.keys() == {"evidence"}
    assert parts["evidence"][1] < 0
    assert moved(side(lost), side(of()))["evidence"][1] == -parts["evidence"][1]


def test_an_outage_is_the_system_s_and_not_lost_evidence() -> None:
    down = Measurement.model_validate(
        dict(healthy()[1]) | {"values": {}, "failure": {"kind": "refused", "detail": "refused"}}
    )
    rest = [m for m in healthy() if m.probe != down.probe]
    assert moved(side(of()), side(of(*rest, down))).keys() == {"system"}


def test_criteria_are_a_part_of_their_own() -> None:
    parts = moved(side(of()), side(of(), STRICTER))
    assert parts.keys() == {"criteria"}
    assert parts["criteria"][1] < 0


def test_a_waiver_moves_the_headline_only_and_so_does_its_end() -> None:
    refused = healthy(http_access__login_accepted=False)
    excuse = [waiver("login-accepted", "2026-03-05")]
    plain, waived = of(*refused), of(*refused, waivers=excuse)
    assert moved(side(plain), side(waived)) == {"waivers": (25, Fraction(0))}
    later = of(*refused, waivers=excuse, finished_at=NOW + timedelta(days=30))
    found = difference(side(waived), side(later))
    part = next(p for p in found.parts if p.link == "waivers")
    assert part.change == Score(-25, Fraction(0))
    assert [(m.check, m.bars) for m in part.movers] == [("login-accepted", True)]


def test_services_added_and_removed_are_the_scope() -> None:
    more = service("more", probes=ACCESS, criticality="critical")
    both = of(
        *healthy(), *healthy("more", http_latency__p95_ms=estimate(9000)), services=[API, more]
    )
    found = difference(side(of()), side(both))
    assert moved(side(of()), side(both)).keys() == {"scope"}
    mover = next(p for p in found.parts if p.link == "scope").movers[0]
    assert (mover.check, mover.service, mover.was) == ("", "more", "not there")
    assert mover.effect == found.change.exact
    back = difference(side(both), side(of()))
    assert next(p for p in back.parts if p.link == "scope").movers[0].now == "not there"


def test_another_criticality_is_scope_too() -> None:
    other = service("other", probes=ACCESS)
    slow = healthy("other", http_latency__p95_ms=estimate(9000))
    one = of(*healthy(), *slow, services=[API, other])
    heavier = other.model_copy(update={"criticality": "critical"})
    assert moved(side(one), side(of(*healthy(), *slow, services=[API, heavier]))).keys() == {
        "scope"
    }


def test_a_score_told_otherwise_is_the_model_s_part() -> None:
    assert moved(side(of(), told=(60, 61)), side(of())) == {"model": (40, Fraction(39))}
    assert moved(side(of()), side(of(), told=(60, 61))) == {"model": (-40, Fraction(-39))}


def test_a_regression_since_the_baseline_is_a_part_of_its_own() -> None:
    then = baseline(reading(P95, estimate(5)))
    found = moved(side(of()), side(of(baseline=then)))
    assert found == {"baseline": (-16, Fraction(0))}


def test_criteria_that_are_not_kept_make_one_part_with_the_model() -> None:
    unknown = side(of(), told=(60, 61), criteria_kept=False)
    found = difference(unknown, side(of(), STRICTER))
    assert found.merged
    assert sums(found)
    assert "model" not in [p.link for p in found.parts]
    criteria = next(p for p in found.parts if p.link == "criteria")
    assert criteria.change == found.change


@pytest.mark.parametrize("then", [None, baseline(reading(P95, estimate(5)))])
def test_a_chain_ends_where_both_runs_are(then: Baseline | None) -> None:
    found = difference(side(of(baseline=then)), side(of(baseline=then)))
    assert found.change == Score(0, Fraction(0))
