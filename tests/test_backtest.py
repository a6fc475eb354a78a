"""New checks on runs that did not know them: what they block, and what nobody can tell."""

from typing import Any

import pytest

from readiness.assessment.backtest import Backtest, backtest
from readiness.checks import Check, Criteria
from readiness.evidence import Evidence
from readiness.inventory import Policy
from tests.judging import ACCESS, CRITERIA, check, estimate, evidence, healthy, inventory, service

API = inventory(service(probes=ACCESS, criticality="critical"))
TIGHT = {"id": "tight", "target": 5, "limit": 15, "severity": "critical"}


def with_new(*new: Check) -> Criteria:
    return CRITERIA.model_copy(update={"checks": {**CRITERIA.checks, **{c.id: c for c in new}}})


def past(**changes: Any) -> Evidence:
    return evidence(API, *healthy(**changes))


def tried(of: Evidence, *new: Check) -> Backtest:
    return backtest(of, CRITERIA, with_new(*new), of)


def test_a_blocker_that_fails_would_have_blocked() -> None:
    result = tried(past(), check(**TIGHT, blocker=True))
    assert (result.effect, result.outcomes) == ("blocked", {"fail": 1})
    assert (result.before.verdict, result.after.verdict) == ("ready", "not_ready")


def test_a_blocker_that_is_too_close_to_call_would_not_have_passed() -> None:
    close = past(http_latency__p95_ms=estimate(14, low=12, high=16))
    result = tried(close, check(**TIGHT, blocker=True))
    assert (result.effect, result.after.gated_exit_code) == ("inconclusive", 4)
    lost = check(**TIGHT | {"id": "lost", "metric": "nosuch"}, blocker=True)
    assert tried(close, check(**TIGHT, blocker=True), lost).effect == "inconclusive"


def test_what_lowers_the_score_alone_lets_pass() -> None:
    result = tried(past(), check(**TIGHT))
    assert (result.effect, result.outcomes) == ("passes", {"fail": 1})
    assert result.after.value < result.before.value


def test_what_was_not_measured_and_decides_cannot_be_told() -> None:
    result = tried(past(), check(**TIGHT | {"metric": "nosuch"}, blocker=True))
    assert (result.effect, result.outcomes) == ("cannot_tell", {"unknown": 1})
    assert result.after.verdict == "inconclusive"


def test_what_was_not_measured_and_decides_nothing_is_told() -> None:
    result = tried(past(), check(**TIGHT | {"metric": "nosuch", "severity": "low"}))
    assert (result.effect, result.outcomes) == ("passes", {"unknown": 1})


def test_what_blocks_whatever_was_not_measured_is_told() -> None:
    unknown = check(**TIGHT | {"id": "lost", "metric": "nosuch"}, blocker=True)
    assert tried(past(), unknown, check(**TIGHT, blocker=True)).effect == "blocked"


def test_what_did_not_pass_is_not_newly_blocked() -> None:
    bad = past(http_access__login_accepted=False)
    assert tried(bad, check(**TIGHT, blocker=True)).effect == "not_passed"


def test_a_run_that_the_gate_let_pass_by_its_stage_did_not_pass() -> None:
    lenient = past(http_access__login_accepted=False).model_copy(
        update={"policy": Policy(stage="report")}
    )
    assert tried(lenient, check(**TIGHT, blocker=True)).effect == "not_passed"


def test_what_concerns_no_service_changes_nothing() -> None:
    result = tried(past(), check(**TIGHT | {"probe": "redis_health"}, blocker=True))
    assert (result.effect, result.findings) == ("passes", ())


def test_a_check_that_was_there_with_another_limit_is_new() -> None:
    slower = CRITERIA.checks["latency-p95"]
    changed = slower.model_copy(update={"target": 5.0, "limit": 15.0, "blocker": True})
    result = tried(past(), changed)
    assert [f.check for f in result.findings] == ["latency-p95"]
    assert result.effect == "blocked"
    assert tried(past(), slower).findings == ()


@pytest.mark.parametrize(("level", "effect"), [("not-ready", "passes"), ("conditional", "blocked")])
def test_a_stricter_gate_blocks_what_was_conditional(level: Any, effect: str) -> None:
    run = past(http_latency__p95_ms=estimate(900), http_latency__p99_ms=estimate(9000))
    stricter = run.model_copy(update={"policy": Policy(fail_on=level)})
    result = backtest(run, CRITERIA, CRITERIA, stricter)
    assert result.before.verdict == "conditional"
    assert result.effect == effect
