from collections.abc import Iterable

import pytest

from readiness.failure import FAILURE_KINDS, TARGET_FAULTS
from readiness.load.check import BODY_FAILED, Check
from readiness.load.guard import Guard
from readiness.load.recorder import Recorder
from readiness.load.tally import fault_code

RESET = fault_code("reset")


class Watch:
    """A guard and the run it watches."""

    def __init__(self, channels: int = 1, check: Check | None = None) -> None:
        check = check or Check()
        self.recorder, self.guard = Recorder(check), Guard(channels, check)

    def sees(self, codes: Iterable[int], asked_to_wait: int = 0) -> str:
        """What the guard says after one more turn of these outcomes."""
        for code in codes:
            self.recorder.add((1, 1, 2, 0, code, 1))
        because = self.guard.alarm(self.recorder.newest(), asked_to_wait)
        self.recorder.turn()
        return because


@pytest.mark.parametrize(
    "code", [500, 502, 503, 599, *(fault_code(kind) for kind in sorted(TARGET_FAULTS))]
)
def test_a_surge_of_errors_is_an_alarm(code: int) -> None:
    assert Watch().sees([code] * 200) == "200 of the last 200 requests failed"


@pytest.mark.parametrize("code", [200, 204, 301, 400, 404, 429, 200 + BODY_FAILED])
def test_what_is_no_failure_of_the_service_is_none_however_often(code: int) -> None:
    assert not Watch().sees([code] * 5000)


@pytest.mark.parametrize(("failed", "alarm"), [(180, True), (179, False)])
def test_nine_of_ten_must_fail(failed: int, alarm: bool) -> None:
    because = Watch().sees([200] * (200 - failed) + [RESET] * failed)
    assert because == (f"{failed} of the last 200 requests failed" if alarm else "")


def test_a_few_failures_are_no_surge() -> None:
    assert not Watch().sees([RESET] * 199)


def test_outcomes_add_up_over_turns_and_count_once() -> None:
    watch = Watch()
    said = [watch.sees([RESET] * 50) for _ in range(8)]
    assert [bool(because) for because in said] == [False] * 3 + [True] + [False] * 3 + [True]
    assert said[3] == said[7] == "200 of the last 200 requests failed"


def test_turns_without_outcomes_are_no_alarm() -> None:
    watch = Watch()
    watch.sees([RESET] * 199)
    assert not any(watch.sees([]) for _ in range(100))
    assert watch.sees([RESET])


def test_a_good_past_does_not_hide_a_surge() -> None:
    watch = Watch()
    assert not watch.sees([200] * 10_000)
    assert watch.sees([RESET] * 200)


def test_many_connections_may_all_fail_a_few_times_first() -> None:
    watch = Watch(channels=100)
    assert not watch.sees([RESET] * 399)
    assert watch.sees([RESET])


@pytest.mark.parametrize(("answers", "alarm"), [(0, False), (19, False), (20, True), (500, True)])
def test_twenty_pleas_to_wait_are_heard(answers: int, alarm: bool) -> None:
    because = Watch().sees([200], asked_to_wait=answers)
    assert because == (f"{answers} answers asked for a pause (Retry-After)" if alarm else "")


def test_every_fault_has_an_outcome_of_its_own() -> None:
    codes = [fault_code(kind) for kind in FAILURE_KINDS]
    assert len(set(codes)) == len(FAILURE_KINDS)
    assert max(codes) < 0


def test_a_wanted_5xx_is_no_failure() -> None:
    assert not Watch(check=Check(statuses=frozenset({503}))).sees([503] * 500)
