import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readiness.enough import PLENTY, decided, more, settled
from readiness.estimate import Estimate, rate
from tests.judging import estimate

LIMITS = {"p95_ms": (200.0, 500.0), "success_rate": (0.99, 0.95)}


@pytest.mark.parametrize(
    ("low", "high", "n", "is_settled"),
    [
        (100, 190, 100, True),
        (100, 210, 100, False),  # the target is open
        (100, 210, PLENTY, True),
        (210, 490, 100, True),
        (210, 510, 100, False),  # the limit is open
        (210, 510, 1_000_000, False),
        (510, 900, 100, True),
    ],
)
def test_a_target_is_worth_plenty_of_samples_and_a_limit_any_number(
    low: float, high: float, n: int, is_settled: bool
) -> None:
    assert settled(estimate((low + high) / 2, low, high, n), 200, 500) is is_settled


def test_what_has_no_interval_yet_is_open() -> None:
    empty = Estimate(value=None, low=None, high=None, n=10)
    assert not settled(empty, 200, 500)
    assert more(empty, 500) is None


def test_only_what_is_judged_is_waited_for() -> None:
    clear, straddling = estimate(100), estimate(500, 400, 600)
    assert decided({"p95_ms": clear, "p99_ms": straddling, "request": "GET /"}, LIMITS)
    assert not decided({"p95_ms": straddling}, LIMITS)
    assert decided({}, LIMITS)


def test_how_many_more_it_takes() -> None:
    assert more(estimate(400, 300, 600, n=100), 500) == pytest.approx(300, abs=2)
    assert more(estimate(400, 300, 450, n=100), 500) == 0
    assert more(estimate(500, 300, 600), 500) is None


@given(st.integers(50, 950))
@settings(max_examples=30, deadline=None)
def test_what_more_says_is_about_right_for_a_rate(successes: int) -> None:
    found = rate(successes, 1000)
    bound = (found.value or 0) + ((found.high or 0) - (found.value or 0)) / 2
    missing = more(found, bound)
    assert missing is not None
    assert 2000 <= missing <= 4000  # half as wide takes four times as many
    wider = rate(successes * 5, 5000)
    assert (wider.high or 0) < bound
