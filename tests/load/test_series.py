import pickle
import random
from array import array
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readiness.estimate import Estimate, quantile
from readiness.histogram import RELATIVE_WIDTH, Histogram
from readiness.load.series import BATCHES, Series

MS = 1_000_000
DURATIONS = st.lists(st.integers(0, 10**10), max_size=400)
KEPT = 500
"""Samples kept one by one in these tests, so that the rest is binned soon."""


def series(values: Sequence[int], raw: int = 10**6, chunk: int = 97) -> Series:
    made = Series(raw, held=raw)
    for start in range(0, len(values), chunk):
        made.add(array("q", values[start : start + chunk]))
    return made


def exponential(n: int, seed: int = 1) -> list[int]:
    source = random.Random(seed)
    return [round(source.expovariate(1 / (10 * MS))) for _ in range(n)]


def stalling(n: int, seed: int = 1) -> list[int]:
    """10 ms, but every 400th to 600th sample begins a stall of 40 that wait for its end."""
    source, values = random.Random(seed), list[int]()
    while len(values) < n:
        values += [10 * MS + source.randrange(MS) for _ in range(source.randrange(400, 600))]
        values += [MS * (500 - 12 * i) for i in range(40)]
    return values[:n]


def drawn(estimate: Estimate) -> tuple[float, float, float]:
    assert estimate.low is not None and estimate.value is not None and estimate.high is not None
    return estimate.low, estimate.value, estimate.high


@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
def test_raw_samples_give_the_very_estimate(q: float) -> None:
    values = exponential(2000)
    expected = quantile([value / MS for value in values], q)
    assert drawn(series(values).quantile(q)) == pytest.approx(drawn(expected))


@given(DURATIONS, st.integers(1, 3))
def test_the_mean_is_exact_however_it_is_kept(values: list[int], parts: int) -> None:
    whole = Series(KEPT // 10)
    for place in range(parts):
        whole.merge(series(values[place::parts], KEPT // 10))
    assert whole.mean_ms == pytest.approx(sum(values) / len(values) / MS if values else 0)


@given(DURATIONS, st.integers(1, 50))
def test_chunks_make_no_difference(values: list[int], chunk: int) -> None:
    whole, parts = series(values, chunk=1000), series(values, chunk=chunk)
    assert (parts.n, parts.maximum_ms) == (len(values), max(values, default=0) / MS)
    assert parts.histogram() == whole.histogram() == Histogram.of(values)
    assert parts.quantile(0.5) == whole.quantile(0.5)


@given(st.integers(0, 9000), st.integers(1, 3000))
@settings(max_examples=30, deadline=None)
def test_binning_loses_nothing(n: int, chunk: int) -> None:
    values = exponential(n)
    folded = series(values, KEPT, chunk)
    assert folded.n == n
    assert folded.histogram() == Histogram.of(values)
    assert folded.maximum_ms == max(values, default=0) / MS


@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("make", [exponential, stalling])
def test_binned_and_raw_agree_within_a_bucket(make: Callable[[int], list[int]], q: float) -> None:
    values = make(20_000)
    exact, binned = series(values), series(values, KEPT)
    assert binned.point(q) == pytest.approx(exact.point(q), rel=RELATIVE_WIDTH)
    low, value, high = drawn(exact.quantile(q))
    coarse = drawn(binned.quantile(q))
    assert coarse[1] == pytest.approx(value, rel=RELATIVE_WIDTH)
    assert 0.4 * (high - low) <= coarse[2] - coarse[0] <= 2.5 * (high - low) + value * 0.01


def test_the_ends_of_a_binned_interval_are_the_outer_bounds_of_their_buckets() -> None:
    values = exponential(20_000)
    binned, ordered = series(values, KEPT), sorted(values)
    low, _, high = drawn(binned.quantile(0.5))
    below = sum(value < low * MS for value in ordered)
    above = sum(value > high * MS for value in ordered)
    half = 1.96 * (20_000 * 0.25) ** 0.5
    assert below <= 10_000 - half + 1
    assert above <= 10_000 - half + 1


@pytest.mark.parametrize("raw", [10**6, KEPT])
def test_a_stall_widens_the_interval_beyond_that_of_scattered_samples(raw: int) -> None:
    values = stalling(20_000)
    scattered = random.Random(2).sample(values, len(values))
    bunched, apart = (drawn(series(v, raw).quantile(0.95)) for v in (values, scattered))
    assert bunched[2] - bunched[0] > 2 * (apart[2] - apart[0])


@pytest.mark.parametrize("make", [exponential, stalling])
@pytest.mark.parametrize("raw", [10**6, KEPT])
def test_workers_together_are_exactly_one_worker(
    make: Callable[[int], list[int]], raw: int
) -> None:
    values = make(6001)
    parts = [series(values[i::3], raw) for i in range(3)]
    whole = Series(raw)
    for part in parts:
        whole.merge(part)
    alone = series(values, raw)
    assert whole.n == alone.n
    assert whole.histogram() == alone.histogram()
    assert whole.maximum_ms == alone.maximum_ms
    assert whole.point(0.95) == alone.point(0.95)
    assert parts[0].n == 2001  # and the parts are as they were


def test_raw_workers_are_laid_side_by_side() -> None:
    values = stalling(9000)
    whole = series(values[::2])
    whole.merge(series(values[1::2]))
    assert whole.quantile(0.95) == series(values).quantile(0.95)


@given(st.integers(0, 3000), st.integers(0, 3000), st.integers(0, 3000))
@settings(max_examples=30, deadline=None)
def test_merging_counts_every_sample_whatever_the_sizes(a: int, b: int, after: int) -> None:
    one, two, three = exponential(a, 1), exponential(b, 2), exponential(after, 3)
    whole = series(one, KEPT)
    whole.merge(series(two, KEPT))
    whole.add(three)
    assert whole.n == a + b + after
    assert whole.histogram() == Histogram.of(one + two + three)


@pytest.mark.parametrize("raw", [10**6, KEPT])
def test_a_stall_that_two_workers_saw_is_one_stall(raw: int) -> None:
    seen = stalling(10_000)
    twice = series(seen, raw)
    twice.merge(series(seen, raw))
    once, both = drawn(series(seen, raw).quantile(0.95)), drawn(twice.quantile(0.95))
    assert both[2] - both[0] > 0.75 * (once[2] - once[0])


def test_a_merged_copy_is_independent_of_its_source() -> None:
    source = series(exponential(3000), KEPT)
    copy = Series()
    copy.merge(source)
    copy.add(exponential(500))
    assert (source.n, copy.n) == (3000, 3500)
    assert source.histogram() == Histogram.of(exponential(3000))


def test_memory_is_bounded_for_runs_of_any_length() -> None:
    endless, chunk = Series(KEPT, held=KEPT), array("q", exponential(5000))
    sizes = []
    for _ in range(10):
        for _ in range(10):
            endless.add(chunk)
        sizes.append(len(pickle.dumps(endless)))
    assert endless.n == 500_000
    bucket_bytes, usual_buckets = 9, 1100
    assert max(sizes) < BATCHES * usual_buckets * bucket_bytes + 8 * endless.n / 32
    assert max(sizes[5:]) < 1.5 * max(sizes[:5])


def test_estimates_follow_what_is_added_later() -> None:
    growing = series([MS] * 100)
    assert growing.quantile(0.5).value == growing.point(0.5) == 1
    growing.add([3 * MS] * 101)
    assert growing.point(0.5) == 3
    assert growing.histogram().n == growing.quantile(0.5).n == 201


@pytest.mark.parametrize("raw", [10**6, KEPT])
def test_the_share_over_an_objective(raw: int) -> None:
    values = exponential(5000)
    low, value, high = drawn(series(values, raw).over(20))
    assert value == pytest.approx(sum(v > 20 * MS for v in values) / 5000, abs=0.001)
    assert low < 0.1353 < high  # e ** -2
    assert high - low < 0.03


@pytest.mark.parametrize("raw", [10**6, KEPT])
def test_a_share_of_bunched_samples_is_less_certain(raw: int) -> None:
    values = stalling(10_000)
    scattered = random.Random(2).sample(values, len(values))
    bunched, apart = (drawn(series(v, raw).over(100)) for v in (values, scattered))
    assert bunched[2] - bunched[0] > 1.3 * (apart[2] - apart[0])


def test_no_sample_over_an_objective_is_no_proof_that_none_will_be() -> None:
    low, value, high = drawn(series(exponential(300)).over(10_000))
    assert low == value == 0
    assert 0.0126 <= high < 0.016


def test_nothing_measured_is_no_number() -> None:
    empty = Series()
    nothing = Estimate(value=None, low=None, high=None, n=0)
    assert empty.quantile(0.5) == empty.over(1) == nothing
    assert (empty.n, empty.point(0.99), empty.maximum_ms) == (0, 0, 0)
    assert empty.histogram() == Histogram()
    assert not empty.drifts()


@pytest.mark.parametrize("raw", [10**6, KEPT])
def test_drift_is_told_from_chance_and_from_trifles(raw: int) -> None:
    steady = exponential(4000)
    assert not series(steady, raw).drifts()
    assert not series(stalling(4000), raw).drifts()
    assert not series([v + i * MS // 8000 for i, v in enumerate([10 * MS] * 4000)], raw).drifts()
    assert series([v + v * i // 4000 for i, v in enumerate(steady)], raw).drifts()
    assert series([v - v * i // 8000 for i, v in enumerate(steady)], raw).drifts()


@pytest.mark.parametrize("raw", [10**6, KEPT])
def test_a_service_that_became_quick_has_drifted(raw: int) -> None:
    quick = [20 * MS + i for i in range(500)]
    assert series([100 * MS] * 200 + quick, raw).drifts()


def test_a_duration_below_zero_is_refused() -> None:
    refusing = Series()
    with pytest.raises(ValueError, match="below zero"):
        refusing.add(array("q", [5, -1]))
    assert refusing.n == 0


def test_a_series_travels_between_processes() -> None:
    sent = series(exponential(3000), KEPT)
    estimate = sent.quantile(0.95)
    assert pickle.loads(pickle.dumps(sent)).quantile(0.95) == estimate


def test_a_queue_that_only_grows_drifts() -> None:
    series = Series()
    series.add([1_000_000 + 50_000 * place for place in range(400)])
    assert series.drifts()


def test_merged_intervals_end_at_the_time_out_as_well() -> None:
    values, timeout_ms = stalling(1000), 600
    bounded = Series(most=timeout_ms * MS)
    bounded.add(array("q", values))
    whole = Series()
    whole.merge(bounded)
    assert drawn(series(values).quantile(0.99))[2] > timeout_ms  # too few stalls to bound it
    assert drawn(whole.quantile(0.99))[2] == timeout_ms
