import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.looks import ALONE, Looks

LOWER, HIGHER = (200.0, 500.0), (0.99, 0.95)
"""Targets and limits of what is better lower, and of what is better higher."""


@given(st.floats(0.8, 0.9999), st.integers(1, 1000), st.integers(1, 100))
def test_however_many_looks_miss_what_was_asked_for_and_no_more(
    asked: float, checks: int, made: int
) -> None:
    looks, miss = Looks(asked, checks), 1 - asked
    sides = [looks.sides(k, LOWER, last=k == made) for k in range(1, made + 1)]
    fails, passes = (sum(1 - side[end] for side in sides) for end in (0, 1))
    assert checks * fails == pytest.approx(miss, rel=1e-6)
    assert passes == pytest.approx(miss, rel=1e-6)


def test_the_end_that_fails_a_check_pays_for_all_checks_and_the_other_does_not() -> None:
    looks = Looks(0.95, checks=100)
    lower, higher = looks.sides(1, LOWER), looks.sides(1, HIGHER)
    assert (lower.low, lower.high) == (higher.high, higher.low)
    assert 1 - lower.low == pytest.approx(0.05 / 100 / 4)
    assert 1 - lower.high == pytest.approx(0.05 / 4)


def test_what_nothing_judges_pays_for_no_other_check() -> None:
    assert Looks(0.95, checks=100).sides(1) == Looks(0.95).sides(1)


def test_a_single_look_spends_nothing_on_others() -> None:
    assert ALONE.once().sides(1) == (0.95, 0.95)
    assert ALONE.once(planned=False).sides(1).low > 0.95


def test_who_had_time_for_one_look_only_spends_all_on_it() -> None:
    assert ALONE.sides(1, LOWER, last=True).low == pytest.approx(0.95)
    assert ALONE.sides(9, LOWER, last=True).low < ALONE.sides(9, LOWER).low
