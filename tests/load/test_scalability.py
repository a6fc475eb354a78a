"""The Universal Scalability Law's fit: known coefficients come back, a bad fit is no advice."""

import math
import random

import pytest

from readiness.load.scalability import RESIDUAL, Point, fit

LEVELS = (1, 2, 4, 8, 16, 32, 64)


def law(scale: float, sigma: float, kappa: float, users: float) -> float:
    return scale * users / (1 + sigma * (users - 1) + kappa * users * (users - 1))


def measured(scale: float, sigma: float, kappa: float, noise: float = 0.0) -> list[Point]:
    chance = random.Random(3)
    return [(n, law(scale, sigma, kappa, n) * chance.gauss(1, noise)) for n in LEVELS]


@pytest.mark.parametrize(
    ("scale", "sigma", "kappa"),
    [(1000, 0.05, 0.0005), (20, 0.3, 0.01), (500, 0.02, 0.0), (500, 0.0, 0.001), (70, 0.0, 0.0)],
)
def test_exact_points_give_their_coefficients(scale: float, sigma: float, kappa: float) -> None:
    found = fit(measured(scale, sigma, kappa))
    assert found is not None
    assert found.per_user == pytest.approx(scale, rel=1e-4)
    assert found.contention == pytest.approx(sigma, abs=1e-5)
    assert found.coherency == pytest.approx(kappa, abs=1e-6)
    assert found.residual < 1e-4


def test_noisy_points_give_nearly_their_coefficients_and_peak() -> None:
    found = fit(measured(1000, 0.05, 0.001, noise=0.02))
    assert found is not None
    assert found.per_user == pytest.approx(1000, rel=0.05)
    assert found.contention == pytest.approx(0.05, rel=0.3)
    assert found.coherency == pytest.approx(0.001, rel=0.3)
    assert found.peak_users == pytest.approx(math.sqrt(0.95 / 0.001), rel=0.15)
    assert found.peak_rate == pytest.approx(law(1000, 0.05, 0.001, math.sqrt(950)), rel=0.05)
    assert 0.002 < found.residual < 0.04
    assert not found.extrapolated


def test_the_law_is_not_left_by_its_peak() -> None:
    found = fit(measured(1000, 0.05, 0.001))
    assert found is not None
    assert found.peak_users is not None
    assert found.peak_rate is not None
    assert found.at(found.peak_users) == pytest.approx(found.peak_rate)
    for users in (0.8 * found.peak_users, 1.2 * found.peak_users):
        assert found.at(users) < found.peak_rate


def test_without_coherency_there_is_no_peak_but_an_asymptote() -> None:
    found = fit(measured(500, 0.02, 0.0))
    assert found is not None
    assert found.peak_users is None
    assert found.peak_rate == pytest.approx(500 / 0.02, rel=0.01)
    assert found.extrapolated


def test_a_peak_beyond_what_was_measured_is_said_to_be_extrapolated() -> None:
    found = fit(measured(1000, 0.01, 0.00001))
    assert found is not None
    assert found.peak_users == pytest.approx(math.sqrt(0.99 / 0.00001), rel=0.05)
    assert found.extrapolated


def test_more_than_linear_growth_gives_no_negative_coefficient() -> None:
    found = fit([(n, 100 * n**1.05) for n in LEVELS])
    assert found is not None
    assert found.contention >= 0
    assert found.coherency >= 0


def test_five_levels_are_not_enough_however_often_measured() -> None:
    assert fit(measured(1000, 0.05, 0.001)[:5] * 3) is None
    assert fit(measured(1000, 0.05, 0.001)[:6]) is not None


def test_a_bad_fit_is_no_advice() -> None:
    chance = random.Random(1)
    assert fit([(n, 100 * chance.uniform(0.2, 3)) for n in LEVELS]) is None
    assert RESIDUAL == 0.1


def test_levels_that_served_nothing_are_no_advice() -> None:
    assert fit([*measured(1000, 0.05, 0.001), (128, 0.0)]) is None


def test_less_than_one_user_is_refused() -> None:
    with pytest.raises(ValueError, match="one user"):
        fit([(0, 10.0), *measured(1000, 0.05, 0.001)])
