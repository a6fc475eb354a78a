import math
import random
from fractions import Fraction
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readiness.estimate import Estimate, needed, quantile, rate

SAMPLES = st.lists(st.floats(0, 1e6), max_size=600)
QUANTILES = st.sampled_from([0.05, 0.5, 0.9, 0.95, 0.99])


def ends(estimate: Estimate) -> tuple[float, float, float]:
    return cast(tuple[float, float, float], (estimate.low, estimate.value, estimate.high))


@pytest.mark.parametrize(("q", "least"), [(0.5, 6), (0.95, 72), (0.99, 368)])
def test_a_quantile_needs_its_number_of_samples(q: float, least: int) -> None:
    assert needed(q) == least
    assert quantile(range(least - 1), q) == Estimate(value=None, low=None, high=None, n=least - 1)
    assert None not in ends(quantile(range(least), q))


@given(SAMPLES, QUANTILES)
def test_a_quantile_lies_within_its_interval_and_the_samples(
    samples: list[float], q: float
) -> None:
    estimate = quantile(samples, q)
    assert estimate.n == len(samples)
    if len(samples) < needed(q):
        assert estimate.value is None
    else:
        low, value, high = ends(estimate)
        assert min(samples) <= low <= value <= high <= max(samples)


@given(SAMPLES, QUANTILES, st.randoms())
def test_order_is_irrelevant(samples: list[float], q: float, source: random.Random) -> None:
    shuffled = list(samples)
    source.shuffle(shuffled)
    assert quantile(shuffled, q) == quantile(samples, q)


@given(st.integers(6, 400), st.floats(0.001, 1000), st.floats(0, 1000))
def test_a_quantile_keeps_the_unit_of_its_samples(n: int, scale: float, shift: float) -> None:
    plain = ends(quantile(range(n), 0.5))
    scaled = ends(quantile([x * scale + shift for x in range(n)], 0.5))
    assert scaled == pytest.approx([x * scale + shift for x in plain])


@given(st.integers(1, 400), QUANTILES)
@settings(max_examples=60)
def test_ranks_are_those_of_exact_arithmetic(n: int, q: float) -> None:
    estimate = quantile(range(1, n + 1), q)
    assert (estimate.low, estimate.high) == exact_ranks(n, Fraction(str(q)))


def exact_ranks(n: int, q: Fraction) -> tuple[int, int] | tuple[None, None]:
    tail, below = Fraction(1, 40), Fraction(0)
    if q**n > tail or (1 - q) ** n > tail:
        return None, None
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
    low, value, high = ends(quantile(range(1, n + 1), q))
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
        low, _value, high = ends(quantile([source.expovariate(1) for _ in range(n)], q))
        covered += low <= truth <= high
    assert covered / runs >= 0.94


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
    ("successes", "n", "low", "high"), [(50, 100, 0.4038, 0.5962), (0, 10, 0, 0.2775)]
)
def test_a_rates_interval_is_wilsons(successes: int, n: int, low: float, high: float) -> None:
    assert ends(rate(successes, n)) == pytest.approx((low, successes / n, high), abs=5e-5)


@pytest.mark.parametrize("p", [0.5, 0.9, 0.98])
def test_a_rates_interval_covers_the_truth_as_often_as_it_says(p: float) -> None:
    n = 300  # Wilson's interval covers 95 % on the average over p, so the sum is exact
    covered = 0.0
    for successes in range(n + 1):
        low, _value, high = ends(rate(successes, n))
        if low <= p <= high:
            covered += math.comb(n, successes) * p**successes * (1 - p) ** (n - successes)
    assert covered >= 0.93


def test_half_an_estimate_is_refused() -> None:
    with pytest.raises(ValueError, match="together"):
        Estimate(value=1.0, low=None, high=2.0, n=5)
