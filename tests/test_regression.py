"""A run and its baseline -> what has regressed, what that does to the verdict, and what is said."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readiness.assessment import Assessment, assess
from readiness.assessment.change import Change
from readiness.baseline import Baseline, Reading, spread
from readiness.cli import words
from readiness.evidence import Evidence, from_json
from readiness.inventory import Regression
from readiness.measurement import Measurement
from readiness.report import FORMATS, PRINTED
from tests.baselines import P95, baseline, reading
from tests.judging import (
    ACCESS,
    CRITERIA,
    estimate,
    evidence,
    healthy,
    inventory,
    judged,
    measured,
    service,
    waiver,
)
from tests.strategies import PROPERTY, evidences, values_of

API = inventory(service(probes=ACCESS, criticality="high", owner="platform"))


def against(then: Baseline, *now: Measurement, **changes: Any) -> Assessment:
    return judged(API, *(now or healthy()), baseline=then, **changes)


def change(found: Assessment, check: str = P95) -> Change:
    assert found.model.comparison
    return next(c for c in found.model.comparison.changes if c.check == check)


def slower(by: float, check: str = P95, **changes: Any) -> Assessment:
    """A p95 of 100 ms, give or take 2, that has become slower."""
    now = healthy(http_latency__p95_ms=estimate(100 + by, 98 + by, 102 + by))
    return against(baseline(reading(check, estimate(100, 98, 102), **changes)), *now)


def test_what_is_surely_slower_and_beyond_the_tolerance_has_regressed() -> None:
    found = slower(40)
    row = change(found)
    assert row.course == "regressed"
    assert (row.before, row.now, row.tolerance, row.noise) == (100, 140, 10, None)
    assert row.low == pytest.approx(40 - 8**0.5)
    assert row.because == (
        "140 ms, was 100 ms: +40 ms (+37.2 ms to +42.8 ms), beyond the tolerance of 10 ms; "
        "the noise is not known yet"
    )


@pytest.mark.parametrize(
    ("by", "course"), [(20, "regressed"), (10, "unchanged"), (-10, "unchanged"), (-11, "improved")]
)
def test_the_tolerance_is_a_tenth_of_a_time(by: float, course: str) -> None:
    assert change(slower(by, spread=0)).course == course


def test_where_the_noise_is_not_known_runs_are_taken_to_vary_by_the_tolerance() -> None:
    # sqrt(2) * 1.96 * 10 ms is 27.7 ms
    row = change(slower(27))
    assert row.course == "changed"
    assert row.because.endswith(
        "fewer than 8 runs tell how much it varies: without, only 27.7 ms and more is sure"
    )
    assert change(slower(28)).course == "regressed"
    assert change(slower(-27)).course == "changed"


def test_what_may_be_chance_is_no_regression_however_far_it_is() -> None:
    then = baseline(reading(P95, estimate(100, 50, 200)))
    row = change(against(then, *healthy(http_latency__p95_ms=estimate(180, 120, 260))))
    assert row.course == "unchanged"
    assert "may be chance" in row.because


@pytest.mark.parametrize(("deviation", "course"), [(5, "regressed"), (8, "unchanged")])
def test_a_shift_that_runs_show_anyway_is_no_regression(deviation: float, course: str) -> None:
    # sqrt(2) * 1.96 * 5 is 13.9, and of 8 it is 22.2
    row = change(slower(20, spread=deviation, runs=10**6))
    assert row.course == course
    assert row.noise == pytest.approx(2**0.5 * 1.959964 * deviation, rel=1e-4)


def test_a_spread_of_few_runs_is_itself_uncertain() -> None:
    # Student's t with 0.37 * 19 degrees of freedom is 2.36
    row = change(slower(20, spread=5, runs=20))
    assert row.noise == pytest.approx(2**0.5 * 2.36 * 5, rel=0.01)


@pytest.mark.parametrize(
    ("value", "course"), [(0.996, "unchanged"), (0.995, "unchanged"), (0.994, "regressed")]
)
def test_a_rate_may_lose_half_a_point(value: float, course: str) -> None:
    then = baseline(reading("success-rate", estimate(1.0, 0.9999, 1.0, n=10**6), spread=0))
    now = healthy(http_latency__success_rate=estimate(value, value - 1e-4, value + 1e-4, n=10**6))
    row = change(against(then, *now), "success-rate")
    assert row.course == course
    assert row.tolerance == 0.005


def test_the_inventory_says_what_is_tolerated() -> None:
    rules = Regression.model_validate({"tolerance": "30%", "checks": {"latency-p50": "1%"}})
    of = API.model_copy(update={"regression": rules})
    then = baseline(reading(P95, estimate(100)), reading("latency-p50", estimate(10)))
    now = healthy(http_latency__p95_ms=estimate(125), http_latency__p50_ms=estimate(11))
    found = judged(of, *now, baseline=then)
    assert change(found).course == "unchanged"
    assert change(found, "latency-p50").course == "regressed"
    report = FORMATS["markdown"].render(found)
    assert "the tolerance (30 % of what it was, of rates 0.5 points, latency-p50 1 %)" in report


@pytest.mark.parametrize("written", ["-1%", "1%%", "ten", True, None, 11, "NaN"])
def test_a_tolerance_is_a_share(written: Any) -> None:
    with pytest.raises(ValueError, match="tolerance"):
        Regression.model_validate({"tolerance": written})


# Numbers without intervals.

COUNT = "connect-time"


def counted(value: float, then: float, **changes: Any) -> Change:
    base = baseline(reading(COUNT, then, **changes))
    return change(against(base, *healthy(http_health__connect_ms=value)), COUNT)


def test_a_number_without_interval_needs_a_known_noise() -> None:
    row = counted(5000.0, 10.0)
    assert row.course == "changed"
    assert "fewer than 8 runs" in row.because
    assert counted(5000.0, 10.0, spread=1).course == "regressed"
    assert counted(5000.0, 10.0, spread=0).course == "regressed"
    assert counted(5000.0, 10.0, spread=3000).course == "unchanged"
    assert counted(1.0, 10.0, spread=0.1).course == "improved"


def test_a_number_within_its_target_has_not_regressed() -> None:
    row = counted(20.0, 10.0, spread=0.1)
    assert row.course == "changed"
    assert row.because.endswith("and still within its target")


def test_days_that_pass_are_no_regression() -> None:
    of = inventory(service(url="https://h:1", probes=ACCESS))
    now = [m for m in healthy() if m.probe != "http_health"]
    base = baseline(reading("certificate-expiry", 90.0, spread=0))
    health = measured("http_health", status=200, healthy=True, certificate_days=1)
    row = change(judged(of, *now, health, baseline=base), "certificate-expiry")
    assert row.course == "changed"
    assert "days pass" in row.because


# What cannot be compared.


def test_what_is_lost_is_not_comparable_and_earns_nothing() -> None:
    then = baseline(reading(P95, estimate(100)))
    lost = [m for m in healthy() if m.probe != "http_latency"]
    found = against(then, *lost)
    assert change(found).course == "not_comparable"
    assert change(found).because == "not measured now: not measured"
    assert found.model.decision.value < against(then, *healthy()).model.decision.value


@pytest.mark.parametrize(
    ("then", "why"),
    [
        (reading(P95, 100.0), "an interval in one of the runs only"),
        (reading(P95, estimate(100), under="50 users"), "then at 50 users"),
        (reading(P95, estimate(100), metric="http_latency.max_ms"), "http_latency.max_ms then"),
    ],
)
def test_what_was_measured_otherwise_is_not_comparable(then: Reading, why: str) -> None:
    row = change(against(baseline(then)))
    assert row.course == "not_comparable"
    assert why in row.because


def test_the_load_of_a_metric_is_told() -> None:
    values: dict[str, Any] = {
        "success_rate": estimate(1.0),
        "p95_ms": estimate(50),
        "users_max": 10,
    }
    then = baseline(reading("concurrency-p95", estimate(50), under="50 users"))
    row = change(against(then, measured("http_concurrency", **values)), "concurrency-p95")
    assert row.because == "measured at 10 users, then at 50 users"


def test_another_request_makes_another_measurement() -> None:
    values: dict[str, Any] = {"success_rate": estimate(1.0), "p95_ms": estimate(50)}
    now = measured("http_concurrency", **values, users_max=10, request="GET /new")
    then = baseline(reading("concurrency-p95", estimate(50), under="10 users, GET /old"))
    row = change(against(then, now), "concurrency-p95")
    assert row.because == "measured at 10 users, GET /new, then at 10 users, GET /old"


def test_services_that_are_new_or_gone_are_named() -> None:
    of = inventory(service("api", probes=ACCESS), service("fresh"))
    found = judged(of, *healthy(), baseline=baseline(services=("api", "old")))
    assert found.model.comparison
    assert found.model.comparison.added == ("fresh",)
    assert found.model.comparison.gone == ("old",)
    report = FORMATS["markdown"].render(found)
    assert "New since: fresh." in report
    assert "No longer there: old." in report


# The gate.


def test_a_regression_makes_ready_conditional_with_its_owner_named() -> None:
    found = slower(60)
    assert slower(0).model.decision.verdict == "ready"
    assert found.model.decision.verdict == "conditional"
    assert (found.model.decision.value, found.model.decision.upper) == (84, 84)
    condition = next(c for c in found.conditions if "regressed" in c.text)
    assert (condition.owner, condition.effort_hours) == ("platform", None)
    assert condition.text.startswith("p95 response time, api, has regressed: 160 ms, was 100 ms")
    assert condition.projected_score == found.model.card.raw


def test_a_waiver_of_the_check_lifts_no_regression() -> None:
    of = API.model_copy(update={"waivers": (waiver(P95, "2026-12-31"),)})
    now = healthy(http_latency__p95_ms=estimate(160))
    found = judged(of, *now, baseline=baseline(reading(P95, estimate(100))))
    assert found.model.decision.verdict == "conditional"


def readings_of(of: Evidence) -> st.SearchStrategy[list[Reading]]:
    """Readings of any checks on the services of `of`, plain or estimated, noisy or not."""
    checks = [c for c in CRITERIA.checks.values() if c.target is not None]
    pairs = [(c, s.name) for s in of.inventory.subjects for c in checks if c.concerns(s)]
    if not pairs:
        return st.just([])
    noise = st.sampled_from([None, 0.0, 0.01, 1e3])
    one = st.sampled_from(pairs).flatmap(
        lambda pair: st.builds(
            lambda value, deviation: reading(pair[0].id, value, pair[1], spread=deviation),
            values_of(pair[0]),
            noise,
        )
    )
    return st.lists(one, max_size=8, unique_by=lambda r: (r.check, r.service))


@settings(PROPERTY, max_examples=15)
@given(data=st.data(), of=evidences(2))
def test_a_baseline_can_only_make_ready_conditional(data: st.DataObject, of: Evidence) -> None:
    names = tuple(s.name for s in of.inventory.subjects)
    then = baseline(*data.draw(readings_of(of)), services=names)
    without = assess(of, CRITERIA)
    found = assess(of.model_copy(update={"baseline": then}), CRITERIA)
    regressed = bool(found.model.comparison and found.model.comparison.regressed)
    before, after = without.model.decision, found.model.decision
    if regressed and before.verdict == "ready":
        assert after.verdict == "conditional"
    else:
        assert after.verdict == before.verdict
    assert after.value == (min(before.value, 84) if regressed else before.value)
    assert found.model.card == without.model.card


# What is said, and kept.


def test_the_evidence_replays_with_its_baseline() -> None:
    kept = from_json(slower(20, spread=3).evidence.to_json(), "evidence.json")
    again = from_json(kept.to_json(), "evidence.json")
    assert again == kept
    assert assess(again, CRITERIA).to_json() == assess(kept, CRITERIA).to_json()
    for render in FORMATS.values():
        one, other = (render.render(assess(e, CRITERIA)) for e in (kept, again))
        assert one == other


def test_the_report_begins_with_what_has_regressed_and_tells_the_rest() -> None:
    found = slower(20, spread=0)
    report = FORMATS["markdown"].render(found)
    first, rest = report.split("## Services", 1)
    assert "**REGRESSED** since main: p95 response time on api (120 ms, was 100 ms" in first
    assert "1 metric has regressed." in first
    assert "## Compared with main" in rest
    assert "score **97** then, **84** now" in rest
    assert "## Compared with main" in FORMATS["summary"].render(found)
    said = words.conclusion(found)
    assert "Compared with main (run 4f1d2c3b of 2026-03-01): 1 metric, 1 regressed" in said
    assert "REGRESSED: p95 response time on api: 120 ms" in said
    assert 'failures="1"' in FORMATS["junit"].render(found)
    assert "regressed: 120 ms, was 100 ms" in FORMATS["junit"].render(found)


def test_the_report_says_which_run_a_value_is_of_that_the_baseline_has_not() -> None:
    then = baseline(reading(P95, estimate(20), run_id="0ddba11c0ffee"))
    report = FORMATS["markdown"].render(against(then, *healthy(http_latency__p95_ms=estimate(90))))
    assert "is of the newest run before it that has one: 0ddba11c." in report
    assert "; then is of run 0ddba11c" in report
    assert "before it that has one" not in FORMATS["markdown"].render(slower(20))


@pytest.mark.parametrize("name", ["sarif", "gitlab"])
def test_a_regression_of_what_still_passes_is_shown_by_code_hosts(name: str) -> None:
    found = slower(60)
    assert found.model.decision.verdict == "conditional"
    assert "regressed: 160 ms, was 100 ms" in FORMATS[name].render(found)
    assert "regressed" not in FORMATS[name].render(slower(0))
    annotated = PRINTED["github"](found)
    assert "::warning" in annotated
    assert "regressed: 160 ms" in annotated


def test_a_baseline_that_is_not_there_is_neutral_and_said_first() -> None:
    plain = judged(API, *healthy())
    found = judged(API, *healthy(), no_baseline="Asked for was main. No run of `x` is kept.")
    assert found.model.decision == plain.model.decision
    assert found.conditions == plain.conditions
    report = FORMATS["markdown"].render(found)
    assert "**NO BASELINE.** Asked for was main. No run of \\`x\\` is kept." in report
    assert "NO BASELINE: Asked for was main" in words.conclusion(found)


def test_nothing_is_said_of_baselines_unless_one_is_asked_for() -> None:
    found = judged(API, *healthy())
    said = FORMATS["markdown"].render(found) + words.conclusion(found)
    assert "Compared with" not in said
    assert "BASELINE" not in said


def test_numbers_beyond_all_reason_are_told_of_and_break_nothing() -> None:
    huge = estimate(1.7e308, 0, 1.7e308)
    then = baseline(reading(P95, estimate(0, 0, 1.7e308)))
    row = change(against(then, *healthy(http_latency__p95_ms=huge)))
    assert (row.course, row.now, row.low) == ("unchanged", 1.7e308, None)
    worse = against(
        baseline(reading(P95, estimate(1))), *healthy(http_latency__p95_ms=estimate(1e308))
    )
    assert [r["now"] for r in json.loads(worse.to_json())["regressions"]] == [1e308]


def test_names_from_outside_stay_text() -> None:
    evil = "<img src=x>|`](http://e)\x1b[31m"
    then = baseline(reading(P95, estimate(100)), asked=evil, branch=evil, services=(evil,))
    found = against(then, *healthy(http_latency__p95_ms=estimate(150)), no_baseline="")
    for name in ("markdown", "summary"):
        text = FORMATS[name].render(found)
        assert "<img" not in text
        assert "\x1b" not in text
    assert "\x1b" not in words.conclusion(found)


def test_a_spread_needs_eight_runs_and_bears_two_that_went_wrong() -> None:
    usual = [10.0, 11.0, 9.0, 10.5, 9.5, 10.0]
    assert spread([*usual, 10.0]) is None
    assert spread([*usual, 900.0, 0.1]) == pytest.approx(1.4826 * 0.75, rel=0.01)
    assert spread([3.0] * 8) == 0


def test_what_most_runs_agree_about_varies_all_the_same() -> None:
    assert spread([1.0] * 25 + [0.985] * 15) == pytest.approx(1.2533 * 0.015 * 15 / 40)


def test_evidence_of_before_baselines_is_still_read() -> None:
    text = evidence(API, *healthy()).to_json()
    assert from_json(text, "e").baseline is None
