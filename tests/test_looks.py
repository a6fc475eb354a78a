from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.looks import ALONE, Looks

LOWER, HIGHER = (200.0, 500.0), (0.99, 0.95)
"""Targets and limits of what is better lower, and of what is better higher."""


@given(st.floats(0.8, 0.9999), st.integers(1, 1000))
def test_no_number_of_looks_misses_more_than_was_asked_for(asked: float, checks: int) -> None:
    looks, miss = Looks(asked, checks), 1 - asked
    fails = sum(1 - looks.sides(k, LOWER).low for k in range(1, 200))
    passes = sum(1 - looks.sides(k, LOWER).high for k in range(1, 200))
    assert checks * fails <= miss * (1 + 1e-6) + 1e-9
    assert passes <= miss * (1 + 1e-6)
    assert passes >= 0.99 * miss


def test_the_end_that_fails_a_check_pays_for_all_checks_and_the_other_does_not() -> None:
    looks = Looks(0.95, checks=100)
    lower, higher = looks.sides(1, LOWER), looks.sides(1, HIGHER)
    assert (lower.low, lower.high) == (higher.high, higher.low)
    assert 1 - lower.low == pytest.approx(0.05 / 100 / 2)
    assert 1 - lower.high == pytest.approx(0.05 / 2)


def test_what_nothing_judges_pays_for_no_other_check() -> None:
    assert Looks(0.95, checks=100).sides(1) == Looks(0.95).sides(1)


def test_a_single_look_spends_nothing_on_others() -> None:
    assert ALONE.once().sides(1) == (0.95, 0.95)
    assert ALONE.once(planned=False).sides(1).low > 0.95


def test_the_parts_add_up_to_one() -> None:
    assert sum(Fraction(1, k * (k + 1)) for k in range(1, 100)) == 1 - Fraction(1, 100)
