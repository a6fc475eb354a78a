import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readiness.load.clock import Clock
from tests.load.test_response import PROPERTY

READING = 1_000
STEP = 100_000
SLOW = 5_000_000
ERROR = 10_000
"""Half of what a trusted reading may take: so far may the offset be from the truth."""


class Hands:
    """Two clocks that move only as they are read, each reading after its own delay."""

    def __init__(self, *delays: int, distance: int = 1_790_000_000_000_000_000) -> None:
        self.distance = distance
        self.delays = list(delays)
        self.now = 3_000_000_000

    def wall(self) -> int:
        return self.monotonic() + self.distance

    def monotonic(self) -> int:
        self.now += self.delays.pop(0) if self.delays else READING
        return self.now

    def clock(self) -> Clock:
        return Clock(self.wall, self.monotonic)


def interrupted(times: int) -> list[int]:
    """The delays of so many measurements, each interrupted before it reads the wall clock."""
    return [READING, SLOW, READING] * times


def test_the_offset_turns_wall_time_into_monotonic_time() -> None:
    hands = Hands()
    clock = hands.clock()
    assert clock.offset_ns == hands.distance
    assert hands.wall() - clock.offset_ns == hands.now


def test_the_clocks_of_this_machine_are_read_unless_told_otherwise() -> None:
    assert abs(time.time_ns() - Clock().offset_ns - time.monotonic_ns()) < 10_000_000_000


@pytest.mark.parametrize("step", [STEP, -STEP, 3_600_000_000_000, -3_600_000_000_000])
def test_a_clock_that_is_set_is_noticed_once_and_followed(step: int) -> None:
    hands = Hands()
    clock = hands.clock()
    hands.distance += step
    assert [clock.stepped(), clock.stepped()] == [True, False]
    assert clock.offset_ns == hands.distance


@pytest.mark.parametrize("step", [0, STEP - 1, 1 - STEP])
def test_less_than_a_step_is_no_alarm_and_not_followed(step: int) -> None:
    hands = Hands()
    clock = hands.clock()
    before = hands.distance
    hands.distance += step
    assert not clock.stepped()
    assert clock.offset_ns == before


def test_small_steps_add_up_to_one() -> None:
    hands = Hands()
    clock = hands.clock()
    seen = []
    for _ in range(3):
        hands.distance += STEP * 2 // 5
        seen.append(clock.stepped())
    assert seen == [False, False, True]


@pytest.mark.parametrize("times", [1, 4])
def test_interrupted_readings_are_taken_again(times: int) -> None:
    hands = Hands(*interrupted(times))
    clock = hands.clock()
    assert clock.offset_ns == hands.distance
    hands.delays = interrupted(times)
    assert not clock.stepped()
    hands.delays = interrupted(times)
    hands.distance += STEP
    assert clock.stepped()
    assert clock.offset_ns == hands.distance


def test_where_every_reading_is_interrupted_nothing_is_concluded_until_one_is_not() -> None:
    hands = Hands()
    clock = hands.clock()
    hands.distance += STEP
    hands.delays = interrupted(5)
    assert not clock.stepped()
    assert clock.offset_ns == hands.distance - STEP
    assert not hands.delays
    assert clock.stepped()


def test_an_offset_begun_in_trouble_is_mended_at_the_first_good_reading() -> None:
    hands = Hands(*interrupted(5), READING, SLOW)
    clock = hands.clock()
    assert abs(clock.offset_ns - hands.distance) <= SLOW
    assert clock.stepped()
    assert clock.offset_ns == hands.distance


DELAYS = st.lists(st.integers(0, 60_000), min_size=15, max_size=15)


@given(DELAYS, DELAYS, st.integers(2 * ERROR + STEP, 10**15), st.sampled_from([-1, 0, 1]))
@settings(PROPERTY, max_examples=150)
def test_steps_alone_are_alarms_wherever_a_reading_is_held_up(
    first: list[int], then: list[int], size: int, way: int
) -> None:
    hands = Hands(*first, READING, READING)
    clock = hands.clock()
    hands.delays = []
    if abs(clock.offset_ns - hands.distance) > ERROR:
        return  # begun in trouble: see above
    hands.delays = [*then[:12], READING, READING, READING]
    hands.distance += way * size
    assert clock.stepped() is (way != 0)
    assert abs(clock.offset_ns - hands.distance) <= ERROR
