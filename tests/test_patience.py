import pytest

from readiness.patience import Patience


def test_one_probe_may_take_half_of_the_time_that_nobody_needs() -> None:
    assert Patience(300.0, 10).until(0.0) == pytest.approx((300 - 30) / 2)


def test_each_may_take_most_of_its_equal_part_where_no_time_is_to_spare() -> None:
    assert Patience(30.0, 20).until(0.0) == pytest.approx(0.75 * 30 / 20)


def test_what_others_took_is_kept_for_those_to_come() -> None:
    patience = Patience(300.0, 10)
    for _ in range(5):
        patience.done(20.0)
    assert patience.until(100.0) == pytest.approx(100 + (200 - 5 * 20) / 2)


def test_a_first_one_that_took_long_is_not_the_rule() -> None:
    patience = Patience(300.0, 10)
    patience.done(90.0)
    assert patience.until(90.0) == pytest.approx(90 + (210 - 9 * 3) / 2)


def test_a_few_that_took_long_are_not_what_is_usual() -> None:
    patience = Patience(300.0, 10)
    for seconds in (1.0, 1.0, 100.0):
        patience.done(seconds)
    assert patience.until(102.0) == pytest.approx(102 + (198 - 7 * 3) / 2)


@pytest.mark.parametrize("undecided", [2, 20, 200])
def test_all_who_wait_together_end_by_the_deadline(undecided: int) -> None:
    patience, now = Patience(300.0, undecided), 0.0
    for _ in range(undecided):
        began, now = now, patience.until(now)
        assert began <= now <= 300
        patience.done(now - began)


def test_nobody_keeps_the_verdict_waiting_for_long() -> None:
    assert Patience(300.0, 1, most=30.0).until(5.0) == 35
    assert Patience(300.0, 200, most=30.0).until(0.0) == pytest.approx(0.75 * 300 / 200)


def test_after_the_deadline_there_is_no_time() -> None:
    assert Patience(10.0, 3).until(12.0) == 12
