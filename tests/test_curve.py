"""One value against target and limit: the points of the curves, and what makes no curve."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from readiness.curve import Better, Curve, fault, meets, score
from tests.strategies import PROPERTY

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, 1), (-1, 1), (200, 1), (316, 0.75), (500, 0.5), (600, 0.40), (1250, 0), (9e9, 0)],
)
def test_log_loses_equal_parts_per_equal_ratio(value: float, expected: float) -> None:
    assert score(value, 200, 500, "log", "lower") == pytest.approx(expected, abs=0.003)


@pytest.mark.parametrize(
    ("value", "expected"), [(100, 1), (50, 1), (25, 0.75), (12.5, 0.5), (3.125, 0), (0, 0), (-5, 0)]
)
def test_log_with_higher_better_inverts_the_ratio(value: float, expected: float) -> None:
    assert score(value, 50, 12.5, "log", "higher") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "expected"), [(0.1, 1), (0.7, 1), (0.8, 0.75), (0.9, 0.5), (1.0, 0.25), (1.1, 0)]
)
def test_linear_loses_equal_parts_per_equal_difference(value: float, expected: float) -> None:
    assert score(value, 0.7, 0.9, "linear", "lower") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(21, 1), (90, 1), (14, 0.75), (7, 0.5), (0, 0.25), (-7, 0), (-30, 0)],
)
def test_linear_with_higher_better(value: float, expected: float) -> None:
    assert score(value, 21, 7, "linear", "higher") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1, 1), (0.9999, 1), (0.999, 1), (0.99, 0.5), (1 - 10**-2.5, 0.75), (0.9, 0), (0, 0)],
)
def test_nines_lose_equal_parts_per_nine(value: float, expected: float) -> None:
    assert score(value, 0.999, 0.99, "nines", "higher") == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("value", "expected"), [(0.9, 1), (0.99, 0.5), (0.999, 0), (1, 0), (1.5, 0)]
)
def test_nines_with_lower_better(value: float, expected: float) -> None:
    assert score(value, 0.9, 0.99, "nines", "lower") == pytest.approx(expected)


def test_the_points_that_define_a_curve_are_exact() -> None:
    for curve, target, limit in (("log", 20, 70), ("linear", 0.1, 0.7), ("nines", 0.7, 0.97)):
        assert score(target, target, limit, curve, "lower") == 1.0  # type: ignore[arg-type]
        assert score(limit, target, limit, curve, "lower") == 0.5  # type: ignore[arg-type]


def test_nan_is_no_score() -> None:
    with pytest.raises(ValueError, match="never NaN"):
        score(math.nan, 1, 2, "linear", "lower")


@pytest.mark.parametrize(
    ("target", "limit", "curve", "better", "expected"),
    [
        (200, 500, "log", "lower", None),
        (0.99, 0.9, "nines", "higher", None),
        (0, 1, "linear", "lower", None),
        (200, 200, "linear", "lower", "must differ"),
        (math.nan, 1, "linear", "lower", "finite"),
        (1, math.inf, "linear", "lower", "finite"),
        (500, 200, "log", "lower", "lower is better"),
        (200, 500, "log", "higher", "higher is better"),
        (0, 1, "log", "lower", "above 0"),
        (-2, -1, "log", "lower", "above 0"),
        (1, 0.9, "nines", "higher", "below 1"),
        (0.9, 1, "nines", "lower", "below 1"),
        (-1.7e308, 1.7e308, "linear", "lower", "computed with"),
        (1e300, math.nextafter(1e300, math.inf), "log", "lower", "computed with"),
        (-9e-17, math.nextafter(-9e-17, -1), "nines", "higher", None),
    ],
)
def test_arguments_that_make_no_curve_are_named(
    target: float, limit: float, curve: Curve, better: Better, expected: str | None
) -> None:
    found = fault(target, limit, curve, better)
    assert found is None if expected is None else expected in str(found)


@PROPERTY
@given(
    value=FINITE,
    target=FINITE,
    limit=FINITE,
    curve=st.sampled_from(["log", "linear", "nines"]),
    better=st.sampled_from(["lower", "higher"]),
)
def test_every_finite_value_scores_between_0_and_1_on_its_side_of_the_limit(
    value: float, target: float, limit: float, curve: Curve, better: Better
) -> None:
    assume(fault(target, limit, curve, better) is None)
    found = score(value, target, limit, curve, better)
    assert 0 <= found <= 1
    if meets(value, target, better):
        assert found == 1
    elif meets(value, limit, better):
        assert found >= 0.5
    else:
        assert found <= 0.5


@PROPERTY
@given(
    values=st.tuples(FINITE, FINITE),
    target=FINITE,
    limit=FINITE,
    curve=st.sampled_from(["log", "linear", "nines"]),
    better=st.sampled_from(["lower", "higher"]),
)
def test_a_better_value_never_scores_less(
    values: tuple[float, float], target: float, limit: float, curve: Curve, better: Better
) -> None:
    assume(fault(target, limit, curve, better) is None)
    good, bad = sorted(values, reverse=better == "higher")
    assert score(good, target, limit, curve, better) >= score(bad, target, limit, curve, better)
