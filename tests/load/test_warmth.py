from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.load.warmth import Warmth
from tests.load.test_response import PROPERTY

MS = 1_000_000


def fed(*windows: list[int]) -> Warmth:
    warmth = Warmth(10)
    for window in windows:
        warmth.feed(window)
    return warmth


def test_two_equal_windows_are_enough() -> None:
    assert fed([MS] * 10, [MS] * 10).settled


@pytest.mark.parametrize(
    ("times", "asked", "unserved"), [(0, 19, False), (0, 20, True), (1, 20, False), (10, 50, False)]
)
def test_a_service_of_failures_alone_has_nothing_to_settle(
    times: int, asked: int, unserved: bool
) -> None:
    assert fed([MS] * times).unserved(asked) == unserved


@pytest.mark.parametrize("times", [0, 1, 10, 19])
def test_less_than_two_windows_are_not(times: int) -> None:
    assert not fed([MS] * times).settled


@pytest.mark.parametrize(
    ("first", "second", "settled"),
    [
        (20 * MS, 17 * MS, True),
        (20 * MS, 17 * MS - 1, False),
        (17 * MS, 20 * MS, True),
        (17 * MS - 1, 20 * MS, False),
        (300_000, 200_000, True),
        (200_000, 300_000, True),
        (300_001, 200_000, False),
        (0, 0, True),
    ],
)
def test_windows_agree_within_15_percent_or_a_tenth_of_a_millisecond(
    first: int, second: int, settled: bool
) -> None:
    assert fed([first] * 10, [second] * 10).settled is settled


def test_outliers_do_not_matter() -> None:
    assert fed([MS] * 6 + [900 * MS] * 4, [MS] * 10).settled


def test_a_service_that_warms_up_settles_when_it_has() -> None:
    warmth, seen = Warmth(10), []
    for time in (100, 60, 30, 20, 10, 10, 50):
        warmth.feed([time * MS] * 10)
        seen.append(warmth.settled)
    assert seen == [False] * 5 + [True, True]


def test_one_that_never_settles_is_given_up_after_ten_windows() -> None:
    warmth, given_up = Warmth(10), []
    for window in range(12):
        warmth.feed([MS << window] * 10)
        given_up.append(warmth.given_up)
    assert given_up == [False] * 9 + [True] * 3
    assert not warmth.settled


def test_slow_and_quick_windows_in_turn_never_agree() -> None:
    assert not fed(*[[MS] * 10, [2 * MS] * 10] * 4).settled


@given(
    st.lists(st.integers(0, 10 * MS), max_size=150),
    st.lists(st.integers(0, 150), max_size=12),
    st.integers(1, 20),
)
@PROPERTY
def test_it_does_not_matter_in_what_portions_they_come(
    times: list[int], cuts: list[int], size: int
) -> None:
    whole, pieces = Warmth(size), Warmth(size)
    whole.feed(times)
    edges = [0, *sorted(cuts), len(times)]
    for begin, end in pairwise(edges):
        pieces.feed(times[begin:end])
    assert (pieces.settled, pieces.given_up) == (whole.settled, whole.given_up)
