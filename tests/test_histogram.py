import math
import random
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readiness.histogram import RELATIVE_WIDTH, Histogram

DURATIONS = st.lists(
    st.one_of(st.integers(0, 300), st.integers(0, 10**10), st.integers(0, 2**53)), max_size=200
)
SOME = DURATIONS.filter(bool)
ROUNDING = 2**-23
NOTHING = 1e-30  # how wide the bucket of zero is


def latencies(n: int) -> list[int]:
    source = random.Random(3)
    slow = (source.expovariate(1e-8) if source.random() < 0.02 else 0 for _ in range(n))
    return [round(5e6 + source.lognormvariate(14, 0.4) + extra) for extra in slow]


@given(DURATIONS)
def test_nothing_is_lost(values: list[int]) -> None:
    counted = Histogram.of(array("q", values))
    assert counted.n == len(values)
    assert counted.minimum == min(values, default=None)
    assert counted.maximum == max(values, default=None)
    assert counted == Histogram.of(values[::-1])


@given(SOME)
def test_every_value_lies_in_a_bucket_narrower_than_a_hundredth_of_it(values: list[int]) -> None:
    counted = Histogram.of(values)
    for rank, value in enumerate(sorted(values), 1):
        low, middle, high = counted.ranked(rank)
        assert low <= middle <= high
        assert low <= value <= high
        assert high - low <= value * (RELATIVE_WIDTH + ROUNDING) + NOTHING


@given(DURATIONS, DURATIONS, DURATIONS)
def test_merging_is_exact_in_any_order_and_grouping(
    a: list[int], b: list[int], c: list[int]
) -> None:
    one, two, three = map(Histogram.of, (a, b, c))
    whole = Histogram.of(a + b + c)
    assert (one + two) + three == whole
    assert one + (two + three) == whole
    assert three + one + two == whole
    assert list((three + one + two).counts) == sorted(whole.counts)


@given(DURATIONS)
def test_an_empty_histogram_changes_nothing(values: list[int]) -> None:
    assert Histogram.of(values) + Histogram() == Histogram.of(values)


@given(SOME, st.floats(0, 1))
def test_a_quantile_is_bounded_by_its_bucket(values: list[int], q: float) -> None:
    low, _, high = Histogram.of(values).quantile(q)
    ordered = sorted(values)
    reached = ordered[max(0, math.ceil(len(values) * q - 1e-9) - 1)]
    assert low <= reached <= high


@given(SOME, st.integers(0, 2**62))
def test_the_count_above_a_threshold_is_bounded(values: list[int], threshold: int) -> None:
    low, likely, high = Histogram.of(values).above(threshold)
    assert low <= sum(v > threshold for v in values) <= high
    assert low <= likely <= high


def test_only_the_thresholds_own_bucket_is_in_doubt() -> None:
    values = list(range(1_000_000, 2_000_000, 1000))
    counted = Histogram.of(values)
    low, likely, high = counted.above(1_500_000)
    assert likely == pytest.approx(499, abs=2)
    assert 0 < high - low < 10
    assert counted.above(1_999_000) == (0, 0, 0)
    assert counted.above(999_999) == (1000, 1000, 1000)


@given(DURATIONS)
def test_text_brings_back_the_same(values: list[int]) -> None:
    counted = Histogram.of(values)
    text = counted.encode()
    assert Histogram.decode(text) == counted
    assert text.isascii() and text.isprintable() and " " not in text


def test_the_text_of_a_usual_distribution_is_short() -> None:
    assert len(Histogram.of(latencies(3000)).encode()) < 500
    assert len(Histogram.of(latencies(100_000)).encode()) < 1500


@given(st.text(max_size=80))
def test_what_is_no_histogram_is_refused(text: str) -> None:
    for garbage in (text, "h1." + text):
        with pytest.raises(ValueError, match="histogram"):
            Histogram.decode(garbage)


@given(st.data())
@settings(max_examples=200)
def test_a_damaged_text_is_refused_or_still_makes_sense(data: st.DataObject) -> None:
    text = Histogram.of(latencies(200)).encode()
    place = data.draw(st.integers(0, len(text) - 1))
    damaged = text[:place] + data.draw(st.characters()) + text[place + 1 :]
    try:
        Histogram.decode(damaged)
    except ValueError:
        return
    assert Histogram.decode(damaged) == Histogram.decode(text)  # the checksum leaves no other


@pytest.mark.parametrize("kept", [0, 3, 10, -1, -4])
def test_a_text_cut_short_is_refused(kept: int) -> None:
    text = Histogram.of(latencies(200)).encode()
    with pytest.raises(ValueError, match="histogram"):
        Histogram.decode(text[:kept])


@pytest.mark.parametrize(
    "broken",
    [
        Histogram({16256: 1}, 1, 2),  # the ends say there are two values
        Histogram({16256: 2}, 2, 2),  # 2 is not in the bucket of 1
        Histogram({16256: 0}, 1, 1),
        Histogram({16256: 2**60}, 1, 1),
        Histogram({16256: 1, 16384: 1}, 2, 1),
    ],
)
def test_numbers_that_contradict_each_other_are_refused(broken: Histogram) -> None:
    with pytest.raises(ValueError, match="contradict"):
        Histogram.decode(broken.encode())


def test_a_text_that_would_fill_the_memory_is_refused() -> None:
    bomb = Histogram(dict.fromkeys(range(16256, 300000), 1), 1, 2**40)
    with pytest.raises(ValueError, match="histogram"):
        Histogram.decode(bomb.encode())


@given(SOME, st.integers(1, 80))
def test_bars_hold_every_value_once(values: list[int], columns: int) -> None:
    bars = Histogram.of(values).bars(columns)
    assert len(bars) == columns
    assert sum(bars) == len(values)


def test_bars_are_spaced_by_the_logarithm() -> None:
    counted = Histogram.of([1_000_000, *[10_000_000] * 5, 99_000_000, 100_000_000])
    assert counted.bars(3) == [1, 5, 2]
    assert Histogram().bars(3) == [0, 0, 0]
    assert Histogram.of([7, 7]).bars(3) == [2, 0, 0]


@pytest.mark.parametrize("values", [[-1], [5, -(2**62)], [2**53 + 1]])
def test_what_is_no_duration_is_refused(values: list[int]) -> None:
    with pytest.raises(ValueError, match="duration"):
        Histogram.of(values)


def test_nothing_has_no_quantile() -> None:
    with pytest.raises(ValueError, match="rank"):
        Histogram().quantile(0.5)
    with pytest.raises(ValueError, match="quantile"):
        Histogram.of([1]).quantile(1.5)


def test_a_rank_beyond_the_last_is_refused() -> None:
    counted = Histogram.of([100, 300, 200])
    middles = [counted.ranked(rank)[1] for rank in (1, 2, 3)]
    assert middles == pytest.approx([100, 200, 300], rel=RELATIVE_WIDTH)
    for rank in (0, 4):
        with pytest.raises(ValueError, match="rank"):
            counted.ranked(rank)
