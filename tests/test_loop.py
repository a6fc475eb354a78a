import asyncio
import os
import signal
import time
from collections.abc import Iterator

import pytest

from readiness import loop

HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Have the handlers as they were, whatever a program that ends leaves of them."""
    before = [signal.getsignal(number) for number in HELD]
    yield
    for number, handler in zip(HELD, before, strict=True):
        signal.signal(number, handler)


def test_a_finished_coroutine_is_done() -> None:
    with loop.Signals() as signals:
        assert loop.run(asyncio.sleep(0), 5, signals) == "done"


def test_an_error_passes_through() -> None:
    async def broken() -> None:
        raise ValueError("mine")

    with loop.Signals() as signals, pytest.raises(ValueError, match="mine"):
        loop.run(broken(), 5, signals)


async def for_ever() -> None:
    await asyncio.Event().wait()


def test_the_deadline_ends_it() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with loop.Signals() as signals:
        assert loop.run(for_ever(), 0.05, signals) == "deadline"
        assert signals.first is None
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("name", "end"), [("SIGINT", "SIGINT"), ("SIGTERM", "SIGTERM"), ("SIGHUP", "SIGTERM")]
)
def test_the_first_signal_ends_it_and_further_ones_change_nothing(name: str, end: str) -> None:
    number = getattr(signal, name)

    async def struck() -> None:
        os.kill(os.getpid(), number)
        await for_ever()

    with loop.Signals() as signals:
        assert loop.run(struck(), 10, signals) == end
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.first == end
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), number)


def test_a_signal_that_came_before_the_start_ends_it_at_once() -> None:
    with loop.Signals() as signals:
        os.kill(os.getpid(), signal.SIGINT)
        assert loop.run(for_ever(), 10, signals) == "SIGINT"


def test_a_task_that_refuses_to_be_cancelled_is_left_behind() -> None:
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue

    began = time.monotonic()
    with loop.Signals() as signals:
        assert loop.run(stubborn(), 0.05, signals) == "deadline"
    assert time.monotonic() - began < 3 * loop.GRACE_SECONDS + 2
