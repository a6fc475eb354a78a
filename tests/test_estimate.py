import math
import random
from collections.abc import Callable
from fractions import Fraction
from statistics import NormalDist
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readiness.binomial import surplus
from readiness.estimate import (
    Above,
    Estimate,
    Exceedances,
    Sides,
    exceedances,
    needed,
    quantile,
    ranks,
    rate,
    share,
)

SAMPLES = st.lists(st.floats(0, 1e6), max_size=600)
QUANTILES = st.sampled_from([0.05, 0.5, 0.9, 0.95, 0.99])
_SOURCE = random.Random(11)
EXPONENTIAL = [_SOURCE.expovariate(1) for _ in range(3000)]


def shuffled(n: int) -> list[int]:
    return random.Random(3).sample(range(n), n)


def ends(estimate: Estimate) -> tuple[float, float, float]:
    return cast(tuple[float, float, float], (estimate.low, estimate.value, estimate.high))


@pytest.mark.parametrize(("q", "least"), [(0.5, 6), (0.95, 72), (0.99, 368)])
def test_a_quantile_needs_its_number_of_samples(q: float, least: int) -> None:
    assert needed(q) == least
    assert quantile(shuffled(least - 1), q) == Estimate(
        value=None, low=None, high=None, n=least - 1
    )
    assert None not in ends(quantile(shuffled(least), q))


@given(SAMPLES, QUANTILES)
def test_a_quantile_lies_within_its_interval_and_the_samples(
    samples: list[float], q: float
) -> None:
    estimate = quantile(samples, q)
    assert estimate.n == len(samples)
    if len(samples) < needed(q):
        assert estimate.value is None
    if estimate.value is not None:
        low, value, high = ends(estimate)
        assert min(samples) <= low <= value <= high <= max(samples)


@pytest.mark.parametrize("q", [0.05, 0.5, 0.95, 0.99])
@pytest.mark.parametrize("n", [6, 72, 368, 5000])
def test_equal_samples_are_known_exactly(n: int, q: float) -> None:
    expected = (7, 7, 7) if n >= needed(q) else (None, None, None)
    assert ends(quantile([7] * n, q)) == expected


@pytest.mark.parametrize("n", [400, 5000])
@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
def test_times_that_only_rise_are_bounded_by_none_of_them(n: int, q: float) -> None:
    low, value, high = ends(quantile(range(1, n + 1), q))
    assert value == math.ceil(n * q)
    assert high > 1.2 * n
    assert low <= max(1, (2 * q - 1) * n)


@pytest.mark.parametrize("q", [0.5, 0.95])
def test_bunched_samples_tell_less_than_scattered_ones(q: float) -> None:
    bunched = [sample for sample in EXPONENTIAL[:600] for _ in range(5)]
    few = ends(quantile(EXPONENTIAL[:600], q))
    wide, narrow = ends(quantile(bunched, q)), ends(quantile(EXPONENTIAL, q))
    assert wide[2] - wide[0] > 1.5 * (narrow[2] - narrow[0])
    assert wide[2] - wide[0] == pytest.approx(few[2] - few[0], rel=0.7)


@pytest.mark.parametrize("digits", [0, 1])
def test_rounded_samples_give_the_rounded_interval(digits: int) -> None:
    rounded = quantile([round(sample, digits) for sample in EXPONENTIAL], 0.95)
    assert ends(rounded) == pytest.approx(ends(quantile(EXPONENTIAL, 0.95)), abs=10**-digits)


@given(st.integers(6, 400), st.floats(0.001, 1000), st.floats(0, 1000))
def test_a_quantile_keeps_the_unit_of_its_samples(n: int, scale: float, shift: float) -> None:
    plain = ends(quantile(shuffled(n), 0.5))
    scaled = ends(quantile([x * scale + shift for x in shuffled(n)], 0.5))
    assert scaled == pytest.approx([x * scale + shift for x in plain])


@given(st.integers(1, 400), QUANTILES)
@settings(max_examples=60)
def test_ranks_are_those_of_exact_arithmetic(n: int, q: float) -> None:
    found = ranks(n, q, independent(n))
    assert (found and (found.low, found.high)) == exact_ranks(n, Fraction(str(q)))


def independent(n: int) -> Above:
    """Samples that show no dependence, for nothing of their order is known."""
    return lambda rank: Exceedances((), n - rank)


def exact_ranks(n: int, q: Fraction) -> tuple[int, int] | None:
    tail, below = Fraction(1, 40), Fraction(0)
    if q**n > tail or (1 - q) ** n > tail:
        return None
    low, high = 0, n
    for k in range(n):
        if below <= tail:
            low = k
        if below >= 1 - tail:
            high = k
            break
        below += math.comb(n, k) * q**k * (1 - q) ** (n - k)
    return max(1, low), high


@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
def test_a_hundred_thousand_samples_agree_with_the_normal_limit(q: float) -> None:
    n = 100_000
    found = ranks(n, q, independent(n))
    assert found is not None
    low, value, high = found[:3]
    half = 1.96 * math.sqrt(n * q * (1 - q))
    assert value == n * q
    assert low == pytest.approx(n * q - half, abs=2)
    assert high == pytest.approx(n * q + half, abs=2)


@pytest.mark.parametrize(("q", "n"), [(0.5, 20), (0.95, 100), (0.99, 400)])
def test_a_quantiles_interval_covers_the_truth_as_often_as_it_says(q: float, n: int) -> None:
    source, runs = random.Random(7), 2000
    truth = -math.log(1 - q)  # of the exponential distribution with mean 1
    covered = 0
    for _ in range(runs):
        estimate = quantile([source.expovariate(1) for _ in range(n)], q)
        covered += estimate.low is None or holds(estimate, truth)
    assert covered / runs >= 0.94


def holds(estimate: Estimate, truth: float) -> bool:
    low, _value, high = ends(estimate)
    return low <= truth <= high


@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
def test_few_independent_samples_are_taken_for_dependent(q: float) -> None:
    source, runs = random.Random(8), 300
    n = needed(q) + 30
    samples = ([source.expovariate(1) for _ in range(n)] for _ in range(runs))
    assert sum(quantile(s, q).value is None for s in samples) <= 0.1 * runs


@pytest.mark.parametrize("q", [0.05, 0.5, 0.95])
def test_chance_alone_seldom_widens_an_interval(q: float) -> None:
    source, runs, n = random.Random(23), 300, 3000
    widths = []
    for _ in range(runs):
        found = quantile([source.random() for _ in range(n)], q)
        assert found.low is not None and found.high is not None
        widths.append(found.high - found.low)
    independent = 2 * 1.96 * math.sqrt(q * (1 - q) / n)
    assert sum(width > 1.4 * independent for width in widths) <= 0.04 * runs


def autoregressive(rho: float, n: int, source: random.Random) -> list[float]:
    level, samples = source.gauss(0, 1), []
    for _ in range(n):
        samples.append(level)
        level = rho * level + source.gauss(0, math.sqrt(1 - rho * rho))
    return samples


def queue(load: float, n: int, source: random.Random) -> list[float]:
    """Response times of a stationary M/M/1 queue, in service times."""
    waiting = source.expovariate(1 - load) if source.random() < load else 0.0
    samples = []
    for _ in range(n):
        samples.append(waiting + source.expovariate(1))
        waiting = max(0.0, samples[-1] - source.expovariate(load))
    return samples


@pytest.mark.parametrize("rho", [pytest.param(0.5, marks=pytest.mark.thorough), 0.0, 0.9])
def test_intervals_cover_the_truth_of_dependent_samples(rho: float) -> None:
    source, runs, n = random.Random(13), 300, 3000
    normal = NormalDist()
    found = covered(lambda: autoregressive(rho, n, source), normal.inv_cdf, runs)
    for q, held in found.items():
        assert held / runs >= 0.915, q  # 95 %, less 2.8 standard errors of 300 runs
    assert found[0.5] / runs <= 0.985  # nor are the intervals wider than they must be


def test_intervals_cover_the_truth_of_a_queue() -> None:
    source, runs, n = random.Random(17), 300, 3000
    times = covered(lambda: queue(0.5, n, source), lambda q: -math.log(1 - q) / 0.5, runs)
    assert all(held / runs >= 0.915 for held in times.values())


def test_intervals_that_ignore_dependence_would_not() -> None:
    source, runs, n = random.Random(13), 100, 3000
    missed = 0
    for _ in range(runs):
        samples = autoregressive(0.9, n, source)
        source.shuffle(scrambled := list(samples))
        missed += not holds(quantile(scrambled, 0.5), 0)
    assert missed >= 0.4 * runs


def covered(
    sample: Callable[[], list[float]], truth: Callable[[float], float], runs: int
) -> dict[float, int]:
    """How many of the runs, by quantile, state no interval without the truth."""
    held = dict.fromkeys((0.5, 0.95, 0.99), 0)
    for _ in range(runs):
        samples = sample()
        for q in held:
            estimate = quantile(samples, q)
            held[q] += estimate.value is None or holds(estimate, truth(q))
    return held


@given(st.integers(0, 5000), st.integers(1, 5000))
def test_a_rate_lies_within_its_interval(successes: int, n: int) -> None:
    successes = min(successes, n)
    low, value, high = ends(rate(successes, n))
    assert 0 <= low <= value <= high <= 1
    assert value == successes / n


@given(st.integers(0, 500), st.integers(1, 500))
def test_errors_mirror_successes(successes: int, n: int) -> None:
    successes = min(successes, n)
    low, value, high = ends(rate(successes, n))
    mirrored = ends(rate(n - successes, n))
    assert mirrored == pytest.approx((1 - high, 1 - value, 1 - low))


@given(st.integers(1, 200), st.integers(2, 50))
def test_more_requests_narrow_the_interval(n: int, times: int) -> None:
    few, many = ends(rate(n, 2 * n)), ends(rate(n * times, 2 * n * times))
    assert many[2] - many[0] < few[2] - few[0]


def test_no_request_gives_no_rate() -> None:
    assert rate(0, 0) == Estimate(value=None, low=None, high=None, n=0)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"), [(50, 100, 0.3983, 0.6017), (0, 10, 0, 0.3085)]
)
def test_a_rates_interval_is_clopper_and_pearsons(
    successes: int, n: int, low: float, high: float
) -> None:
    assert ends(rate(successes, n)) == pytest.approx((low, successes / n, high), abs=5e-5)


@pytest.mark.parametrize("p", [0.5, 0.9, 0.98])
def test_a_rates_interval_covers_the_truth_as_often_as_it_says(p: float) -> None:
    n = 300
    covered = 0.0
    for successes in range(n + 1):
        low, _value, high = ends(rate(successes, n))
        if low <= p <= high:
            covered += math.comb(n, successes) * p**successes * (1 - p) ** (n - successes)
    assert covered >= 0.95


@pytest.mark.parametrize("mass", [0.025, 1e-3, 1e-5])
@pytest.mark.parametrize(("n", "q"), [(40, 0.5), (400, 0.05), (3000, 0.99)])
def test_a_rates_interval_misses_no_more_than_it_may_on_either_side(
    n: int, q: float, mass: float
) -> None:
    """Wilson's misses seven times as often, of 400 samples, where it may in one of 100,000."""
    sides = Sides(1 - 2 * mass, 1 - 2 * mass)
    low = high = 0.0
    for successes in range(n + 1):
        ways = math.lgamma(n + 1) - math.lgamma(successes + 1) - math.lgamma(n - successes + 1)
        chance = math.exp(ways + successes * math.log(q) + (n - successes) * math.log1p(-q))
        if chance > 1e-15:
            found = ends(rate(successes, n, sides))
            low, high = low + chance * (q < found[0]), high + chance * (q > found[2])
    assert low <= mass * (1 + 1e-6)
    assert high <= mass * (1 + 1e-6)


def test_a_great_rates_interval_is_the_normal_limit() -> None:
    low, value, high = ends(rate(5 * 10**11, 10**12))
    assert (value - low, high - value) == pytest.approx((0.98e-6, 0.98e-6), rel=1e-3)
    less, more = ends(rate(199_998, 400_000)), ends(rate(200_002, 400_000))
    assert less[0] < more[0]  # where one formula takes over from the other, nothing jumps back


CONFIDENCES = st.floats(0.8, 0.9999999)


@given(SAMPLES, QUANTILES, CONFIDENCES, CONFIDENCES)
def test_a_surer_interval_is_no_narrower(
    samples: list[float], q: float, one: float, other: float
) -> None:
    less, more = sorted((one, other))
    wide, narrow = (quantile(samples, q, Sides(sure, sure)) for sure in (more, less))
    assert wide.value == narrow.value
    if wide.value is not None:
        assert ends(wide)[0] <= ends(narrow)[0]
        assert ends(narrow)[2] <= ends(wide)[2]


@given(SAMPLES, QUANTILES, CONFIDENCES)
def test_each_side_is_as_sure_as_was_asked_of_it(
    samples: list[float], q: float, sure: float
) -> None:
    both, plain = quantile(samples, q, Sides(sure, sure)), quantile(samples, q)
    one_sided = quantile(samples, q, Sides(low=sure))
    assert (one_sided.low, one_sided.value, one_sided.high) == (both.low, both.value, plain.high)


@given(st.integers(0, 600), st.integers(1, 600), CONFIDENCES)
def test_a_surer_rate_is_no_narrower(successes: int, n: int, sure: float) -> None:
    wide = ends(rate(min(successes, n), n, Sides(sure, sure)))
    plain = ends(rate(min(successes, n), n, Sides(0.8, 0.8)))
    assert wide[0] <= plain[0]
    assert plain[2] <= wide[2]


def test_where_even_the_greatest_sample_does_not_bound_a_quantile_the_interval_reaches_beyond() -> (
    None
):
    samples, sides = shuffled(100), Sides(0.95, 1 - 1e-5)  # which takes 238 samples
    assert needed(0.95, sides.high) == 238
    assert ends(quantile(samples, 0.95, sides))[2] == pytest.approx(49 + 50 * 2.38, rel=1e-3)


def over(samples: list[float], threshold: float) -> Estimate:
    flags, ordered = [s > threshold for s in samples], sorted(samples)
    return share(
        len(samples),
        Exceedances(flags, sum(flags)),
        lambda rank: exceedances(samples, ordered, rank),
    )


@given(SAMPLES, st.floats(0, 1e6))
def test_a_share_lies_within_its_interval_and_is_never_bolder_than_a_rate(
    samples: list[float], threshold: float
) -> None:
    estimate = over(samples, threshold)
    plain = rate(sum(s > threshold for s in samples), len(samples))
    assert (estimate.value, estimate.n) == (plain.value, plain.n)
    if samples:
        low, value, high = ends(estimate)
        assert 0 <= low <= value <= high <= 1
        assert high - low >= ends(plain)[2] - ends(plain)[0] - 1e-12


@pytest.mark.parametrize("rho", [0.0, 0.9])
@pytest.mark.parametrize("p", [0.3, 0.02])
def test_the_interval_of_a_share_covers_the_truth(rho: float, p: float) -> None:
    source, runs, threshold = random.Random(19), 300, NormalDist().inv_cdf(1 - p)
    shares = (over(autoregressive(rho, 1000, source), threshold) for _ in range(runs))
    assert sum(holds(found, p) for found in shares) >= 0.915 * runs


def test_half_an_estimate_is_refused() -> None:
    with pytest.raises(ValueError, match="together"):
        Estimate(value=1.0, low=None, high=2.0, n=5)


@pytest.mark.parametrize(
    ("failures", "n", "others", "of", "likely"),
    [
        (3, 4, 1, 4, 17 / 70),  # the lady tasting tea (Fisher 1935)
        (0, 48, 3, 48, 1.0),
        (10, 10, 0, 10, 1 / math.comb(20, 10)),
    ],
)
def test_a_surplus_of_failures_is_as_likely_as_fisher_says(
    failures: int, n: int, others: int, of: int, likely: float
) -> None:
    assert surplus(failures, n, others, of) == pytest.approx(likely)
