"""Findings added up by hand: the three levels, bounds for unknowns, areas, and rounding."""

import random
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.finding import Finding
from readiness.inventory import Inventory
from readiness.score import AreaScore, Ledger, grade, partial, percent, score
from tests.judging import area, finding, inventory, outage, service, unknown
from tests.strategies import PROPERTY

AREAS = {"performance": area("performance", 25), "security": area("security", 15)}
ONE = {"performance": area("performance")}
API = inventory(service())
PAIR = inventory(service("api", criticality="critical"), service("job", criticality="low"))


def raw(*findings: Finding, of: Inventory = API, areas: Any = ONE) -> int:
    return score(findings, of, areas).raw


def test_a_cell_is_weighted_by_severity() -> None:
    # critical (1 + 0)/2, high 0.5, low 0: (10 * 0.5 + 7.5 * 0.5 + 2.5 * 0) / 20 = 0.4375
    found = [
        finding(1, check="a", severity="critical"),
        finding(0, check="b", severity="critical"),
        finding(0.5, check="c", severity="high"),
        finding(0, check="d", severity="low"),
    ]
    assert raw(*found) == 43
    assert Ledger.of(found, API, ONE).total.low == Fraction(4375, 10_000)


def test_twenty_trivial_checks_do_not_swamp_a_critical_one() -> None:
    trivial = [finding(1, check=f"t{i}", severity="low") for i in range(20)]
    assert raw(finding(0, severity="critical"), *trivial) == 20


def test_an_area_is_weighted_by_criticality() -> None:
    # (4 * 0.4375 + 0.5 * 1) / 4.5 = 0.5
    found = [
        finding(1, check="a", severity="critical"),
        finding(0, check="b", severity="critical"),
        finding(0.5, check="c", severity="high"),
        finding(0, check="d", severity="low"),
        finding(1, service="job", severity="low"),
    ]
    assert raw(*found, of=PAIR) == 50


@pytest.mark.parametrize(
    ("criticality", "expected"), [("critical", 20), ("high", 33), ("normal", 50), ("low", 66)]
)
def test_weights_of_criticality(criticality: str, expected: int) -> None:
    of = inventory(service("api"), service("job", criticality=criticality))
    assert raw(finding(1), finding(0, service="job"), of=of) == expected


def test_the_system_is_weighted_by_area() -> None:
    # (25 * 0.5 + 15 * 1) / 40 = 0.6875
    card = score([finding(0.5), finding(1, area="security")], API, AREAS)
    assert card.raw == 68
    assert [(a.score, a.weight) for a in card.areas] == [(50, 25), (100, 15)]


def test_rounding_down_happens_once() -> None:
    # 2/3 and 1/3 are 66 and 33 printed, and exactly 50 together
    thirds = [finding(x, check=c) for c, x in (("a", 1), ("b", 1), ("c", 0))]
    rest = [finding(x, check=c, area="security") for c, x in (("a", 0), ("b", 0), ("c", 1))]
    areas = {"performance": area("performance"), "security": area("security")}
    card = score([*thirds, *rest], API, areas)
    assert [a.score for a in card.areas] == [66, 33]
    assert card.raw == 50


@pytest.mark.parametrize(("x", "expected"), [(0.85, 85), (0.29, 29), (0.8499, 84), (0.999999, 99)])
def test_float_noise_costs_no_point(x: float, expected: int) -> None:
    assert raw(finding(x)) == expected


def test_an_unknown_is_0_in_the_headline_and_1_in_the_upper_score() -> None:
    card = score([finding(1, check="a"), finding(0, check="b"), unknown(check="c")], API, ONE)
    assert (card.raw, card.upper, card.coverage) == (33, 66, 0.66)


def test_coverage_takes_all_that_was_measured_as_perfect() -> None:
    # (10 * 1/2 + 2.5 * 1) / 12.5 = 0.6
    found = [
        finding(0, check="a", severity="critical"),
        unknown(check="b", severity="critical"),
        finding(0.3, 0.9, check="c", severity="low", outcome="warn"),
    ]
    card = score(found, API, ONE)
    assert (card.raw, card.coverage) == (6, 0.6)
    assert card.upper == 58  # (10 * 0.5 + 2.5 * 0.9) / 12.5


def test_an_outage_fails_without_being_measured() -> None:
    card = score([finding(1, check="a"), outage(check="b")], API, ONE)
    assert (card.raw, card.upper, card.coverage) == (50, 50, 0.5)


def test_not_applicable_leaves_the_sum() -> None:
    skipped = finding(0, 1, check="b", severity="critical", outcome="not_applicable")
    assert raw(finding(1, check="a"), skipped) == 100


def test_a_service_without_findings_in_an_area_leaves_it() -> None:
    assert raw(finding(1), of=PAIR) == 100


@pytest.mark.parametrize(
    ("found", "row"),
    [
        ([finding(1), finding(1, check="b")], (100, 100, 1.0, "")),
        ([finding(1)], (0, 100, 0.0, "1 of at least 2 checks gave a result")),
        ([finding(1), unknown(check="b")], (0, 100, 0.0, "1 of at least 2 checks gave a result")),
        ([finding(1), outage(check="b")], (0, 50, 0.0, "1 of at least 2 checks gave a result")),
        ([outage(), outage(check="b")], (0, 0, 0.0, "0 of at least 2 checks gave a result")),
        ([], (0, 100, 0.0, "0 of at least 2 checks gave a result")),
    ],
)
def test_an_area_with_too_few_results_is_unknown_in_whole(
    found: list[Finding], row: tuple[int, int, float, str]
) -> None:
    areas = {"performance": area("performance", min_checks=2)}
    card = score(found, API, areas)
    only = card.areas[0]
    assert (only.score, only.upper, only.coverage, only.because) == row
    assert only.applicable
    assert card.raw == row[0]


def test_an_area_without_subject_is_not_applicable() -> None:
    areas = ONE | {"data": area("data", 60, kinds=("redis",))}
    card = score([finding(0.5)], API, areas)
    assert card.raw == 50
    assert card.areas[1] == AreaScore(
        id="data",
        title="Data",
        weight=60,
        score=None,
        upper=None,
        coverage=None,
        applicable=False,
        because="nothing of this kind is in the inventory",
    )


def test_a_check_from_a_pack_makes_its_area_applicable_on_any_kind() -> None:
    areas = ONE | {"data": area("data", 1, kinds=("redis",))}
    assert score([finding(1), finding(0, area="data")], API, areas).raw == 50


def test_nothing_at_all_is_not_applicable() -> None:
    card = score([], inventory(), AREAS)
    assert (card.raw, card.upper, card.coverage, card.applicable) == (0, 100, 0.0, False)


def test_a_part_is_scored_by_the_areas_it_falls_in() -> None:
    found = [finding(0.5), finding(1, area="security"), unknown(check="b", area="security")]
    assert partial(found, API, AREAS) == 50  # (25 * 0.5 + 15 * 0.5) / 40
    assert partial([finding(0.5)], API, AREAS) == 50
    assert partial([], API, AREAS) == 0


@pytest.mark.parametrize(
    ("value", "letter"),
    [
        (100, "A"),
        (90, "A"),
        (89, "B"),
        (80, "B"),
        (79, "C"),
        (70, "C"),
        (69, "D"),
        (60, "D"),
        (59, "F"),
        (0, "F"),
    ],
)
def test_grades(value: int, letter: str) -> None:
    assert grade(value) == letter


def test_percent_rounds_down() -> None:
    assert [percent(Fraction(n, 1000)) for n in (0, 9, 10, 849, 850, 1000)] == [
        0,
        0,
        1,
        84,
        85,
        100,
    ]


SEVERITIES = st.sampled_from(["critical", "high", "medium", "low"])
PLACES = st.tuples(st.sampled_from(["api", "job"]), st.sampled_from(["performance", "security"]))


@st.composite
def findings(draw: st.DrawFn) -> list[Finding]:
    """Up to a dozen findings of every outcome, on two services and in two areas."""
    found = []
    for i in range(draw(st.integers(0, 12))):
        on, where = draw(PLACES)
        place: dict[str, Any] = {
            "check": f"c{i}",
            "service": on,
            "area": where,
            "severity": draw(SEVERITIES),
        }
        x, y = sorted((draw(st.floats(0, 1)), draw(st.floats(0, 1))))
        made = st.sampled_from(
            [
                finding(1, **place),
                finding(x, y, outcome="warn", **place),
                finding(x, outcome="fail", **place),
                unknown(**place),
                outage(**place),
                finding(0, 1, outcome="not_applicable", **place),
            ]
        )
        found.append(draw(made))
    return found


@PROPERTY
@given(found=findings(), seed=st.randoms(use_true_random=False))
def test_order_does_not_matter(found: list[Finding], seed: random.Random) -> None:
    shuffled = list(found)
    seed.shuffle(shuffled)
    assert score(found, PAIR, AREAS) == score(shuffled, PAIR, AREAS)


@PROPERTY
@given(found=findings(), place=PLACES, severity=SEVERITIES)
def test_one_more_unknown_never_raises_the_score_or_the_coverage(
    found: list[Finding], place: tuple[str, str], severity: str
) -> None:
    more = unknown(check="new", service=place[0], area=place[1], severity=severity)
    before, after = score(found, PAIR, AREAS), score([*found, more], PAIR, AREAS)
    assert after.raw <= before.raw
    assert after.coverage <= before.coverage
    assert after.upper >= before.upper or not found


@PROPERTY
@given(found=findings(), data=st.data())
def test_a_change_costs_only_what_changed_and_comes_to_the_same(
    found: list[Finding], data: st.DataObject
) -> None:
    some = data.draw(st.lists(st.sampled_from(found), unique_by=id)) if found else []
    keys = {f.check for f in some}
    anew = [f.passing() if f.check in keys else f for f in found]
    ledger = Ledger.of(found, PAIR, AREAS)
    assert ledger.passing(some).card() == score(anew, PAIR, AREAS)
    assert ledger.passing(some).total == Ledger.of(anew, PAIR, AREAS).total
    assert ledger.card() == score(found, PAIR, AREAS)


@PROPERTY
@given(found=findings())
def test_bounds_enclose_the_score(found: list[Finding]) -> None:
    card = score(found, PAIR, AREAS)
    assert 0 <= card.raw <= card.upper <= 100
    assert 0 <= card.coverage <= 1
    for row in card.areas:
        assert row.score is None or row.upper is None or row.score <= row.upper
