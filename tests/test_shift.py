"""Two estimates -> the interval of their difference, and at which level it is looked at."""

import math
import random
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.assessment.shift import ALPHA, chance, levels, shift
from readiness.estimate import Estimate, Sides, quantile
from tests.judging import estimate
from tests.strategies import PROPERTY, estimates


def test_margins_are_added_as_squares_and_keep_their_sides() -> None:
    # Zou and Donner 2008, equation 4: l1 and u2 make the lower end, u1 and l2 the upper.
    found = shift(estimate(50, 47, 62), estimate(40, 28, 44))
    assert found.value == 10
    assert found.low == pytest.approx(10 - math.hypot(3, 4))
    assert found.high == pytest.approx(10 + math.hypot(12, 12))


def test_another_level_scales_the_margins_as_a_normal_variable_s() -> None:
    found = shift(estimate(50, 47, 62), estimate(40, 28, 44), level=0.01)
    assert found.low == pytest.approx(10 - 5 * 2.575829 / 1.959964, rel=1e-6)


def test_ends_that_are_surer_are_brought_to_the_level_of_the_others() -> None:
    plain = shift(estimate(50, 47, 62), estimate(40, 28, 44))
    z = NormalDist().inv_cdf(0.9995) / NormalDist().inv_cdf(0.975)
    surer = estimate(50, 50 - 3 * z, 62).model_copy(update={"sides": Sides(0.999, 0.95)})
    assert shift(surer, estimate(40, 28, 44)) == pytest.approx(plain)


@pytest.mark.parametrize("sides", [(1.0, 1.0), (1e-300, 0.5), (1 - 1e-16, 0.95)])
def test_whatever_evidence_says_of_its_ends_there_is_a_difference(
    sides: tuple[float, float],
) -> None:
    written = estimate(2, 1, 3).model_dump() | {"sides": sides}
    assert 0 <= chance(Estimate.model_validate(written), estimate(1)) <= 1


@pytest.mark.parametrize("side", [0, 1])
def test_an_empty_estimate_differs_from_nothing(side: int) -> None:
    empty = Estimate(value=None, low=None, high=None, n=3)
    pair = (empty, estimate(1)) if side else (estimate(1), empty)
    with pytest.raises(ValueError, match="empty"):
        shift(*pair)


def test_no_width_leaves_no_doubt() -> None:
    assert chance(estimate(1), estimate(2)) == 0
    assert chance(estimate(2), estimate(2)) == 1


@PROPERTY
@given(
    now=st.floats(1, 1e3).flatmap(estimates),
    before=st.floats(1, 1e3).flatmap(estimates),
    level=st.floats(1e-6, 0.5),
)
def test_the_chance_is_the_level_at_which_the_interval_reaches_zero(
    now: Estimate, before: Estimate, level: float
) -> None:
    p = chance(now, before)
    if not math.isclose(p, level, rel_tol=1e-6):
        assert shift(now, before, level).excludes_zero is (p < level)


def test_holm_tests_the_smallest_at_the_strictest_level() -> None:
    # Holm 1979: 0.01 <= .05/4, 0.013 <= .05/3, 0.03 > .05/2, so that 0.04 is not looked at.
    assert levels([0.03, 0.01, 0.04, 0.013], 0.05) == pytest.approx(
        [0.05 / 2, 0.05 / 4, 0.05 / 2, 0.05 / 3]
    )
    assert levels([]) == ()


@PROPERTY
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_finds_all_that_bonferroni_does(chances: list[float]) -> None:
    found = levels(chances)
    for p, level in zip(chances, found, strict=True):
        assert ALPHA / len(chances) <= level <= ALPHA
        assert p >= level or p < ALPHA
    assert sum(p < a for p, a in zip(chances, found, strict=True)) >= sum(
        p < ALPHA / len(chances) for p in chances
    )


def test_runs_of_one_system_seldom_differ() -> None:
    rnd = random.Random(7)
    alarms = 0
    for _ in range(60):
        pairs = []
        for _ in range(6):
            one, other = ([rnd.lognormvariate(4, 0.4) for _ in range(200)] for _ in range(2))
            pairs += [(quantile(one, q), quantile(other, q)) for q in (0.5, 0.95)]
        at = levels([chance(*pair) for pair in pairs])
        found = (shift(*pair, level) for pair, level in zip(pairs, at, strict=True))
        alarms += any(s.excludes_zero for s in found)
    assert alarms <= 5  # 5 % of 60 are 3
