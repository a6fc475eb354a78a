import os

import pytest

from readiness.load.machine import Machine, load_average


def test_stolen_time_is_a_share_of_all_processors() -> None:
    before, after = Machine(stolen=10.0, at=100.0), Machine(stolen=11.0, at=104.0)
    assert after.steal(before) == pytest.approx(0.25 / (os.cpu_count() or 1))
    assert before.steal(after) is None


def test_a_machine_that_does_not_say_is_not_known() -> None:
    assert Machine(stolen=1.0, at=2.0).steal(Machine(stolen=None, at=1.0)) is None


def test_this_machine_answers_within_reason() -> None:
    before = Machine.now()
    stolen = Machine.now().steal(before)
    assert stolen is None or stolen >= 0
    average = load_average()
    assert average is None or average >= 0
