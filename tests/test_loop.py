import asyncio
import os
import signal
import time

import pytest

from readiness import loop


def test_a_finished_coroutine_is_done() -> None:
    assert loop.run(asyncio.sleep(0), 5) == "done"


def test_an_error_passes_through() -> None:
    async def broken() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        loop.run(broken(), 5)


def test_the_deadline_ends_it() -> None:
    assert loop.run(asyncio.Event().wait(), 0.05) == "deadline"  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_it_and_the_handlers_come_back(name: str) -> None:
    number = getattr(signal, name)
    before = signal.getsignal(number)

    async def struck() -> None:
        os.kill(os.getpid(), number)
        await asyncio.Event().wait()

    assert loop.run(struck(), 10) == name
    assert signal.getsignal(number) is before


def test_a_task_that_refuses_to_be_cancelled_is_left_behind() -> None:
    async def stubborn() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue

    began = time.monotonic()
    assert loop.run(stubborn(), 0.05) == "deadline"
    assert time.monotonic() - began < 3 * loop.GRACE_SECONDS + 2
