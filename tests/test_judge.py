"""One criterion on one service: what passes, warns, fails, is unknown, and what is said of it."""

import math
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.failure import FAILURE_KINDS, TARGET_FAULTS, FailureKind
from readiness.finding import Finding
from readiness.inventory import Service, Waiver
from readiness.judge import judge, judge_all
from readiness.measurement import Measurement
from readiness.quantity import Unit, amount
from tests.judging import CRITERIA, NOW, check, estimate, inventory, measured, service, waiver
from tests.strategies import HOSTILE, PROPERTY

TODAY = NOW.date()
SPEED, UP = check(sampled=True), check(must_be=True, metric="up")
DAYS = check(unit="days", target=21, limit=7, better="higher", metric="days")
RATE = check(
    unit="ratio", target="99%", limit="90%", curve="nines", better="higher", metric="success"
)


def one(
    rule: Any = SPEED,
    on: Service | None = None,
    *attempts: Measurement,
    waivers: tuple[Waiver, ...] = (),
    **values: Any,
) -> Finding:
    measurements = attempts or (measured("http_latency", **values),)
    return judge(rule, on or service(), measurements, waivers, TODAY)


@pytest.mark.parametrize(
    ("days", "outcome", "score", "because"),
    [
        (22, "pass", 1.0, "22 days is within 21 days"),
        (21, "pass", 1.0, "21 days is within 21 days"),
        (14, "warn", 0.75, "14 days misses the target of 21 days, within the limit of 7 days"),
        (7, "warn", 0.5, "7 days misses the target of 21 days, within the limit of 7 days"),
        (0, "fail", 0.25, "0 days is beyond the limit of 7 days"),
        (-900, "fail", 0.0, "-900 days is beyond the limit of 7 days"),
    ],
)
def test_a_plain_number_is_compared_as_it_is(
    days: int, outcome: str, score: float, because: str
) -> None:
    found = one(DAYS, days=days)
    assert (found.outcome, found.score, found.upper) == (outcome, score, score)
    assert (found.measured, found.because) == (days, because)
    assert (found.undecided, found.flaky, found.conclusive) == (False, False, True)


@pytest.mark.parametrize(
    ("interval", "outcome", "undecided", "worse", "better", "words"),
    [
        ((100, 150, 200), "pass", False, 1.0, 1.0, "is within 200 ms"),
        ((100, 150, 316.23), "warn", False, 0.75, 1.0, "is not surely within the target of 200 ms"),
        ((300, 316.23, 400), "warn", False, 0.622, 0.779, "misses the target of 200 ms"),
        ((100, 450, 600), "warn", True, 0.4, 1.0, "is too close to the limit of 500 ms to call"),
        ((450, 480, 500), "warn", True, 0.5, 0.5575, "is too close to the limit"),
        ((500, 600, 700), "warn", True, 0.316, 0.5, "is too close to the limit"),
        ((501, 600, 1300), "fail", False, 0.0, 0.499, "is beyond the limit of 500 ms"),
    ],
)
def test_an_interval_decides(
    interval: tuple[float, float, float],
    outcome: str,
    undecided: bool,
    worse: float,
    better: float,
    words: str,
) -> None:
    low, value, high = interval
    found = one(p95_ms=estimate(value, low, high))
    assert (found.outcome, found.undecided) == (outcome, undecided)
    assert found.score == pytest.approx(worse, abs=0.001)
    assert found.upper == pytest.approx(better, abs=0.001)
    assert words in found.because


def test_the_worse_end_of_a_rate_is_its_lower_one() -> None:
    found = one(RATE, success=estimate(0.95, 0.9, 1))
    assert (found.outcome, found.undecided, found.upper) == ("warn", True, 1.0)
    assert found.score == 0.5
    assert (
        found.because == "95 % (90 % to 100 %, n = 1000) is too close to the limit of 90 % to call"
    )
    assert one(RATE, success=estimate(0.999, 0.99, 1)).outcome == "pass"
    assert one(RATE, success=estimate(0.5, 0.4, 0.8999)).outcome == "fail"


def test_too_few_samples_are_unknown_never_a_guess() -> None:
    found = one(p95_ms=estimate(None, n=71))
    assert (found.outcome, found.score, found.upper) == ("unknown", 0.0, 1.0)
    assert found.because == "71 samples are too few for this quantity"
    assert found.measured == estimate(None, n=71)


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        (SPEED, {"p95_ms": math.nan}),
        (SPEED, {"p95_ms": 120.0}),
        (SPEED, {"p95_ms": 120}),
        (SPEED, {"p95_ms": "120ms"}),
        (SPEED, {"p95_ms": True}),
        (SPEED, {"p95_ms": estimate(100, -1, 120)}),
        (SPEED, {"p95_ms": estimate(100, 50, math.inf)}),
        (SPEED, {"p95_ms": estimate(math.nan, 50, 120)}),
        (SPEED, {"p95_ms": estimate(100, 110, 120)}),
        (SPEED, {"p95_ms": estimate(130, 110, 120)}),
        (SPEED, {"p95_ms": estimate(100, n=0)}),
        (RATE, {"success": 1.01}),
        (RATE, {"success": estimate(1, 0.99, 1.01)}),
        (RATE, {"success": -0.1}),
        (DAYS, {"days": math.inf}),
        (DAYS, {"days": 10**400}),
        (DAYS, {"days": "30"}),
        (DAYS, {"days": False}),
        (check(unit="count", target=1, limit=0.5, better="higher"), {"p95_ms": -1}),
        (UP, {"up": 1}),
        (UP, {"up": "true"}),
        (UP, {"up": estimate(1)}),
        (check(one_of=["a"]), {"p95_ms": True}),
        (check(one_of=["a"]), {"p95_ms": 1}),
        (check(one_of=["a"]), {"p95_ms": math.nan}),
        (check(one_of=[200]), {"p95_ms": "200"}),
        (check(one_of=[200]), {"p95_ms": 200.0}),
        (check(one_of=[200]), {"p95_ms": math.inf}),
    ],
)
def test_what_no_honest_probe_returns_is_unknown_and_ours(
    rule: Any, values: dict[str, Any]
) -> None:
    found = one(rule, **values)
    assert (found.outcome, found.score, found.upper) == ("unknown", 0.0, 1.0)
    assert found.failure and found.failure.kind == "probe_bug"
    assert found.because == f"{rule.metric} is not a possible value"
    assert found.measured is None
    assert not found.conclusive


@pytest.mark.parametrize(
    ("value", "outcome"), [("a", "pass"), ("b", "fail"), ("", "fail"), ("[/]", "fail")]
)
def test_one_of(value: str, outcome: str) -> None:
    found = one(check(one_of=["a", "c"]), p95_ms=value)
    assert (found.outcome, found.because, found.measured) == (outcome, value, value)


def test_must_be_false() -> None:
    rule = check(must_be=False, metric="contradiction")
    assert one(rule, contradiction=False).outcome == "pass"
    assert one(rule, contradiction=True).outcome == "fail"


@pytest.mark.parametrize("kind", FAILURE_KINDS)
def test_the_targets_failures_fail_and_ours_are_unknown(kind: FailureKind) -> None:
    found = one(SPEED, None, measured("http_latency", failure=kind, p95_ms=estimate(1)))
    if kind in TARGET_FAULTS:
        assert (found.outcome, found.score, found.upper) == ("fail", 0.0, 0.0)
    else:
        assert (found.outcome, found.score, found.upper) == ("unknown", 0.0, 1.0)
    assert found.because == f"{kind} it was"
    assert not found.conclusive


def test_an_absent_metric_is_unknown_for_the_reason_given() -> None:
    assert one().because == "p95_ms was not measured"
    assert one(p95_ms_because="no sample was answered").because == "no sample was answered"
    assert one().outcome == "unknown"


def test_nothing_measured_at_all_is_unknown() -> None:
    found = judge(SPEED, service(), (), (), TODAY)
    assert (found.outcome, found.because) == ("unknown", "not measured")


def test_an_explanation_is_added_to_what_does_not_pass() -> None:
    assert one(UP, up=False, up_because="status 503").because == "status 503"
    assert one(UP, up=True, up_because="status 503").because == "holds"


WHEN = check(
    must_be=True,
    metric="saved",
    when={"metric": "persists", "equals": True, "otherwise": "persistence is off"},
)


@pytest.mark.parametrize(
    ("values", "outcome", "because"),
    [
        ({"persists": True, "saved": True}, "pass", "holds"),
        ({"persists": True, "saved": False}, "fail", "does not hold"),
        ({"persists": True}, "unknown", "saved was not measured"),
        ({"persists": False, "saved": False}, "not_applicable", "persistence is off"),
        ({"persists": False, "persists_because": "no disk"}, "not_applicable", "no disk"),
        ({"saved": True}, "unknown", "persists was not measured"),
        ({"saved": True, "persists_because": "status 503"}, "unknown", "status 503"),
        ({"persists": math.nan, "saved": False}, "unknown", "persists was not measured"),
        ({"persists": 0, "saved": False}, "unknown", "persists was not measured"),
        ({"persists": "False", "saved": False}, "unknown", "persists was not measured"),
    ],
)
def test_only_a_measured_fact_makes_a_check_not_applicable(
    values: dict[str, Any], outcome: str, because: str
) -> None:
    found = one(WHEN, **values)
    assert (found.outcome, found.because) == (outcome, because)


def test_what_is_not_declared_is_not_applicable_even_unmeasured() -> None:
    rule = check(declared=("https",))
    found = judge(rule, service(), (), (), TODAY)
    assert (found.outcome, found.because) == ("not_applicable", "api declares no https")


def test_a_retry_that_passes_is_flaky() -> None:
    retried = (
        measured("http_latency", failure="timeout"),
        measured("http_latency", attempt=2, up=True),
    )
    found = one(UP, None, *retried)
    assert (found.outcome, found.flaky, found.score, found.upper) == ("warn", True, 0.5, 0.5)
    assert found.because == "flaky: attempt 1 failed (timeout it was), attempt 2: holds"


def test_a_retry_stays_visible_when_the_first_attempt_is_lost() -> None:
    found = one(UP, None, measured("http_latency", attempt=2, up=True))
    assert (found.flaky, found.score) == (True, 0.5)
    assert found.because == "flaky: attempt 1 failed (not kept), attempt 2: holds"


def test_a_flaky_value_keeps_a_score_below_a_half_and_its_doubt() -> None:
    slow = measured("http_latency", attempt=2, p95_ms=estimate(550, 450, 600))
    found = one(SPEED, None, measured("http_latency", failure="reset"), slow)
    assert found.score == pytest.approx(0.4, abs=0.001)
    assert (found.upper, found.undecided, found.flaky) == (0.5, True, True)


@pytest.mark.parametrize(
    ("last", "outcome"),
    [
        (measured("http_latency", attempt=2, up=False), "fail"),
        (measured("http_latency", attempt=2, failure="refused"), "fail"),
        (measured("http_latency", attempt=2, failure="local_limit"), "unknown"),
        (measured("http_latency", attempt=2), "unknown"),
    ],
)
def test_a_retry_that_does_not_pass_is_not_flaky(last: Measurement, outcome: str) -> None:
    found = one(UP, None, measured("http_latency", failure="timeout"), last)
    assert (found.outcome, found.flaky) == (outcome, False)


@pytest.mark.parametrize(
    ("waived", "waiver_of", "suffix"),
    [
        ([], None, ""),
        ([waiver("speed", "2026-03-01")], "2026-03-01", ""),
        ([waiver("speed", "2026-03-01", service="api")], "2026-03-01", ""),
        ([waiver("speed", "2026-03-01", service="db")], None, ""),
        ([waiver("other", "2026-03-01")], None, ""),
        (
            [waiver("speed", "2026-02-28")],
            None,
            " (the waiver of dana expired on 2026-02-28)",
        ),
        ([waiver("speed", "2026-02-28"), waiver("speed", "2026-03-02")], "2026-03-02", ""),
    ],
)
def test_a_waiver_holds_to_its_last_day(
    waived: list[Waiver], waiver_of: str | None, suffix: str
) -> None:
    found = one(p95_ms=estimate(900), waivers=tuple(waived))
    assert found.outcome == "fail"
    assert found.waived is (waiver_of is not None)
    assert (str(found.waiver.until) if found.waiver else None) == waiver_of
    assert found.because == "900 ms (900 ms to 900 ms, n = 1000) is beyond the limit of 500 ms" + (
        suffix
    )


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"p95_ms": estimate(100)}, False),
        ({"p95_ms": estimate(300)}, False),
        ({"p95_ms": estimate(500, 400, 600)}, True),
        ({}, True),
    ],
)
def test_an_expired_waiver_is_told_of_where_it_would_have_helped(
    values: dict[str, Any], told: bool
) -> None:
    found = one(waivers=(waiver("speed", "2026-02-28"),), **values)
    assert ("expired" in found.because) is told


@pytest.mark.parametrize(
    ("criticality", "blocks"),
    [("critical", True), ("high", True), ("normal", False), ("low", False)],
)
def test_blockers_hold_on_critical_and_high_services(criticality: str, blocks: bool) -> None:
    on = service(criticality=criticality)
    assert one(check(must_be=True, metric="up", blocker=True), on, up=False).blocker is blocks
    assert one(UP, on, up=False).blocker is False


def test_a_service_is_judged_by_its_own_targets() -> None:
    own = service(checks={"speed": {"target": "1s", "limit": "2s"}})
    found = one(SPEED, own, p95_ms=estimate(900))
    assert (found.outcome, found.target, found.limit) == ("pass", 1000, 2000)


def test_an_override_that_cannot_be_used_leaves_the_check_unknown() -> None:
    own = service(checks={"speed": {"target": "9s"}})
    found = one(SPEED, own, p95_ms=estimate(1))
    assert found.outcome == "unknown"
    assert found.because == (
        "the service's own target or limit cannot be used: "
        "target must be better than limit, and lower is better here"
    )


def test_passing_is_what_the_fix_would_lead_to() -> None:
    failed = one(p95_ms=estimate(900), waivers=(waiver("speed", "2026-12-31"),))
    fixed = failed.passing()
    assert (fixed.outcome, fixed.score, fixed.upper) == ("pass", 1.0, 1.0)
    assert (fixed.failure, fixed.waiver, fixed.conclusive) == (None, None, True)
    assert one(UP, None, measured("http_latency", failure="refused")).passing().conclusive
    skipped = judge(check(declared=("https",)), service(), (), (), TODAY)
    assert skipped.passing() == skipped


def test_all_checks_of_all_services_are_judged_in_order() -> None:
    of = inventory(service(), service("cache", "redis"))
    found = judge_all(of, (), CRITERIA, TODAY)
    names = [(f.service, f.check) for f in found]
    expected = [
        (s.name, c.id) for s in of.services for c in CRITERIA.checks.values() if c.concerns(s)
    ]
    assert names == expected
    assert {f.outcome for f in found} == {"unknown", "not_applicable"}
    assert next(f for f in found if f.check == "redis-up").severity == "critical"


def test_measurements_of_strangers_change_nothing() -> None:
    of = inventory(service())
    strangers = (
        measured("http_latency", "nobody"),
        measured("redis_health", "api", connected=True),
    )
    assert judge_all(of, strangers, CRITERIA, TODAY) == judge_all(of, (), CRITERIA, TODAY)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (53.24, "ms", "53.2 ms"),
        (0.04, "ms", "0.04 ms"),
        (5.0, "ms", "5 ms"),
        (123.4, "ms", "123 ms"),
        (12_345, "ms", "12.3 s"),
        (1e300, "ms", "1e+297 s"),
        (0.991, "ratio", "99.1 %"),
        (0.999, "ratio", "99.9 %"),
        (0.9995, "ratio", "99.95 %"),
        (0.99996, "ratio", "99.996 %"),
        (0.99999999, "ratio", "99.9999 %"),
        (1.0, "ratio", "100 %"),
        (1.2, "ratio", "120 %"),
        (0.0, "ratio", "0 %"),
        (1_400_000, "bytes", "1.4 MB"),
        (2_000_000_000, "bytes", "2 GB"),
        (1500, "bytes", "1.5 kB"),
        (17, "bytes", "17 B"),
        (0, "bytes", "0 B"),
        (3, "count", "3"),
        (-2, "days", "-2 days"),
        (0.123456, "", "0.12"),
        (1e300, "", "1e+300"),
    ],
)
def test_amounts_are_written_to_the_digits_that_matter(value: float, unit: Unit, text: str) -> None:
    assert amount(value, unit) == text


@PROPERTY
@given(value=st.one_of(st.sampled_from(HOSTILE), st.floats(), st.integers(), st.text()))
def test_no_value_breaks_a_check_or_scores_outside_its_bounds(value: Any) -> None:
    for rule in (*CRITERIA.checks.values(), SPEED, UP, DAYS, RATE, check(one_of=[1, "a"])):
        found = judge(
            rule.model_copy(update={"declared": (), "when": None}),
            service(),
            [measured(rule.probe, **{rule.metric: value})],
            (),
            date(2026, 3, 1),
        )
        assert 0 <= found.score <= found.upper <= 1
        assert found.because or value == ""
        if found.outcome == "pass":
            assert found.score == 1


@PROPERTY
@given(
    ends=st.tuples(*[st.floats(0, 2000)] * 5).map(sorted),
    rule=st.sampled_from([SPEED, check(unit="count", target=900, limit=300, better="higher")]),
)
def test_fewer_samples_never_score_more(ends: list[float], rule: Any) -> None:
    outer_low, low, value, high, outer_high = ends
    many = one(rule, p95_ms=estimate(value, low, high, n=500))
    few = one(rule, p95_ms=estimate(value, outer_low, outer_high, n=80))
    none = one(rule, p95_ms=estimate(None, n=3))
    assert few.score <= many.score
    assert few.upper >= many.upper
    assert none.score <= few.score
    assert not (few.outcome == "pass" and many.outcome != "pass")
