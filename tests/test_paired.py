import math
import random
from collections.abc import Callable
from itertools import combinations_with_replacement
from statistics import median
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readiness.estimate import Estimate, Sides
from readiness.paired import FEWEST, excess, mcnemar, p_value, ratio, shift, slower

DIFFERENCES = st.lists(st.integers(-50, 50).map(lambda n: n / 4), min_size=FEWEST, max_size=50)


def ends(estimate: Estimate) -> tuple[float, float, float]:
    return cast(tuple[float, float, float], (estimate.low, estimate.value, estimate.high))


def walsh(differences: list[float]) -> list[float]:
    return sorted((a + b) / 2 for a, b in combinations_with_replacement(differences, 2))


# Recorded from scipy 1.17: wilcoxon(d, zero_method="pratt", correction=False,
# method="asymptotic").pvalue, of lists without dependence.
PLAIN = [((i * 10) % 41 - 17) / 10 for i in range(41)]
TIED = [((i * 10) % 41 - 17) // 5 for i in range(41)]


@pytest.mark.parametrize(
    ("differences", "p"), [(PLAIN, 0.1343961261384391), (TIED, 0.6154692186135267)]
)
def test_the_test_is_wilcoxons_with_pratts_zeros(differences: list[float], p: float) -> None:
    assert p_value(differences) == pytest.approx(p, rel=1e-9)


def test_too_few_pairs_say_nothing() -> None:
    few = [1.0] * (FEWEST - 1)
    assert p_value(few) is None
    assert shift(few).value is None
    assert slower(few, few).value is None
    assert excess([], [], 0).value is None


def test_pairs_that_are_all_but_one_say_that_all_may_be() -> None:
    steps = [1.0] * 100 + [-1.0] * 100
    low, value, high = ends(shift(steps))
    assert low <= -1 and value == 0 and high >= 1
    rising = [float(i > 20) for i in range(200)]
    p = p_value(rising)
    assert p is None or p > 0.05  # one step in 200 pairs is one event


@pytest.mark.parametrize("times", [0.4, 1.0, 1.15, 3.0])
def test_a_ratio_is_that_of_the_times_whatever_both_feel(times: float) -> None:
    source = random.Random(5)
    host = [10 ** source.uniform(-1, 2) for _ in range(400)]
    exact = ratio([times * one for one in host], host)
    assert ends(exact) == pytest.approx((times, times, times))
    ours, theirs = ([h * source.lognormvariate(0, 0.2) for h in host] for _ in "ab")
    low, value, high = ends(ratio([times * one for one in ours], theirs))
    assert low < times < high
    assert high / low < 1.1
    assert value == pytest.approx(times, rel=0.05)


def test_a_ratio_has_no_unit_and_its_inverse_is_the_other_way_round() -> None:
    source = random.Random(6)
    ours, theirs = ([source.expovariate(1) for _ in range(200)] for _ in "ab")
    low, value, high = ends(ratio(ours, theirs, Sides(0.999, 0.95)))
    shown = ratio([1000 * one for one in ours], [1000 * one for one in theirs], Sides(0.999, 0.95))
    assert ends(shown) == pytest.approx((low, value, high))
    back = ends(ratio(theirs, ours, Sides(0.95, 0.999)))
    assert back == pytest.approx((1 / high, 1 / value, 1 / low))
    assert ratio([0.0] * 40, [0.0] * 40).value == 1
    assert ratio(ours[: FEWEST - 1], theirs[: FEWEST - 1]).value is None


def test_no_difference_at_all() -> None:
    assert p_value([0.0] * 40) == 1
    assert ends(shift([0.0] * 40)) == (0, 0, 0)
    assert slower([3.0] * 40, [3.0] * 40).value == 0.5


@given(DIFFERENCES)
@settings(max_examples=25, deadline=None)
def test_the_shift_is_the_median_of_all_means_of_two(differences: list[float]) -> None:
    found = shift(differences)
    means = walsh(differences)
    if found.value is not None:
        assert found.value == pytest.approx(median(means), abs=1e-9)
        for end in (found.low, found.high):
            assert end is not None
            seen = any(math.isclose(end, mean, abs_tol=1e-9) for mean in means)
            assert seen or not means[0] <= end <= means[-1]


@given(DIFFERENCES, st.integers(-8, 8), st.sampled_from([0.5, 2.0, 4.0]))
@settings(max_examples=25, deadline=None)
def test_the_shift_moves_and_grows_with_the_times(
    differences: list[float], by: int, times: float
) -> None:
    before, after = shift(differences), shift([times * (d + by) for d in differences])
    if before.value is not None:
        moved = [times * (end + by) for end in ends(before)]
        assert ends(after) == pytest.approx(moved, abs=1e-9)


@given(DIFFERENCES)
@settings(max_examples=25, deadline=None)
def test_who_is_called_the_candidate_does_not_matter(differences: list[float]) -> None:
    mirrored = [-d for d in differences]
    assert p_value(mirrored) == p_value(differences)
    if shift(differences).value is not None:
        low, value, high = ends(shift(differences))
        assert ends(shift(mirrored)) == pytest.approx((-high, -value, -low), abs=1e-9)
    zeros = [0.0] * len(differences)
    one, other = slower(differences, zeros), slower(zeros, differences)
    if one.value is not None:
        low, value, high = ends(one)
        assert ends(other) == pytest.approx((1 - high, 1 - value, 1 - low), abs=1e-9)


def test_an_end_that_must_be_surer_reaches_farther() -> None:
    source = random.Random(4)
    differences = [source.gauss(0, 1) for _ in range(100)]
    failures = [i % 9 == 0 for i in range(100)]
    ways: list[Callable[[Sides], Estimate]] = [
        lambda sides: shift(differences, sides),
        lambda sides: excess(failures, [False] * 100, 0, sides),
    ]
    for made in ways:
        low, value, high = ends(made(Sides()))
        lower, same, usual = ends(made(Sides(low=0.9999)))
        assert lower < low < same == value < usual == high


def test_the_interval_excludes_zero_where_the_test_does() -> None:
    source = random.Random(5)
    for mean in (0.0, 0.1, 0.2, 0.3):
        differences = [source.gauss(mean, 1) for _ in range(200)]
        low, _, high = ends(shift(differences))
        p = p_value(differences)
        assert p is not None
        if abs(p - 0.05) > 0.02:
            assert (low > 0 or high < 0) is (p < 0.05)


def test_the_probability_is_that_of_all_pairs() -> None:
    source = random.Random(6)
    ours = [source.expovariate(1 / 1.3) for _ in range(100)]
    theirs = [source.expovariate(1) for _ in range(100)]
    wins = sum(a > b for a in ours for b in theirs)
    low, value, high = ends(slower(ours, theirs))
    assert value == wins / 100**2  # Mann and Whitney's U over n * n
    assert low < value < high
    assert ends(slower([2.0] * 50, [1.0] * 50))[1:] == (1, 1)


def test_mcnemar_is_the_sign_test_of_the_pairs_that_differ() -> None:
    assert mcnemar(0, 0) == mcnemar(7, 7) == 1
    assert mcnemar(3, 12) == mcnemar(12, 3) == pytest.approx(0.03515625)  # scipy's binomtest
    assert mcnemar(2000, 2100) == pytest.approx(0.12206497999113655)


def test_an_excess_of_failures_is_newcombes() -> None:
    # the first example of his table: 36 both, 12 and 2 one only, 0 neither
    ours = [i % 4 == 0 and i < 48 for i in range(50)]
    theirs = [i in (1, 26) for i in range(50)]
    assert (sum(ours), sum(theirs)) == (12, 2)
    # with Wilson's intervals (0.0569, 0.3404); with exact ones a little wider
    low, value, high = ends(excess(ours, theirs, 36))
    assert value == 0.2
    assert 0.0569 - 0.03 < low < 0.0569
    assert 0.3404 < high < 0.3404 + 0.03


def test_two_that_never_fail_differ_by_no_more_than_the_sample_can_tell() -> None:
    low, value, high = ends(excess([False] * 400, [False] * 400, 0))
    assert value == 0
    assert -low == high == pytest.approx(1 - 0.025 ** (1 / 400))


def test_failures_in_bunches_tell_less() -> None:
    bunched = [i >= 360 for i in range(400)]
    spread = [i % 10 == 0 for i in range(400)]
    none = [False] * 400
    wide, narrow = ends(excess(bunched, none, 0)), ends(excess(spread, none, 0))
    assert wide[2] - wide[0] > 1.5 * (narrow[2] - narrow[0])


def queue(source: random.Random, n: int) -> list[float]:
    """Response times of a stationary M/M/1 queue at half its capacity."""
    times, waiting = [], 0.0
    for _ in range(n):
        times.append(waiting + source.expovariate(1))
        waiting = max(0.0, times[-1] - source.expovariate(0.5))
    return times


def alone(source: random.Random, n: int) -> list[float]:
    return [source.lognormvariate(0, 0.3) for _ in range(n)]


@pytest.mark.parametrize("times", [alone, queue])
def test_two_that_are_alike_seldom_alarm(
    times: Callable[[random.Random, int], list[float]],
) -> None:
    source, alarms = random.Random(7), 0
    for _ in range(200):
        pairs = zip(times(source, 400), times(source, 400), strict=True)
        p = p_value([a - b for a, b in pairs])
        alarms += p is not None and p < 0.05
    assert alarms <= 20  # 5 % of 200 and more than three standard deviations


def test_what_ten_percent_cost_is_seen() -> None:
    source = random.Random(8)
    pairs = list(zip(alone(source, 400), alone(source, 400), strict=True))
    found = shift([1.1 * a - b for a, b in pairs])
    assert ends(found)[0] > 0.03
    assert ends(found)[1] == pytest.approx(0.1, abs=0.05)
