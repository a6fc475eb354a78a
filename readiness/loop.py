"""One coroutine on an event loop of its own, which a deadline or a signal surely ends."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from types import FrameType, TracebackType
from typing import Any, Literal, Self

Interruption = Literal["SIGINT", "SIGTERM"]
End = Literal["done", "deadline"] | Interruption

GRACE_SECONDS = 1.0
"""What cancelled tasks get to close their connections before they are left behind."""

_CAUGHT: dict[str, Interruption] = {"SIGINT": "SIGINT", "SIGTERM": "SIGTERM", "SIGHUP": "SIGTERM"}


class Signals:
    """Holds the signals that would end the program while it must still write what it knows.

    The first one is noted and ends what is being measured; further ones change nothing, since
    all that follows is bounded. Leaving the context gives the handlers back, but for a program
    that was told to end: nothing is to interrupt its end.
    """

    def __init__(self) -> None:
        self.first: Interruption | None = None
        self._wake: Callable[[], None] = lambda: None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for name in _CAUGHT:
            if hasattr(signal, name):
                number = signal.Signals[name]
                self._before[number] = signal.signal(number, self._caught)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_IGN if self.first else handler)

    def wake(self, call: Callable[[], None]) -> None:
        """Call `call` at the first signal, at once if it has come already."""
        self._wake = call
        if self.first:
            call()

    def _caught(self, number: int, _frame: FrameType | None) -> None:
        if self.first is None:
            self.first = _CAUGHT[signal.Signals(number).name]
            self._wake()


def run(
    main: Coroutine[Any, Any, None],
    seconds: float,
    signals: Signals,
    grace: Callable[[], float] = lambda: GRACE_SECONDS,
) -> End:
    """Run `main` for at most `seconds` and return how it ended; the first signal cancels it.

    `grace` is asked then how many seconds it gets to put things in order. Unlike asyncio.run
    this never waits for a task that does not let itself be cancelled.
    """
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, _context: None)
    try:
        return loop.run_until_complete(_bounded(main, seconds, signals, grace))
    finally:
        signals.wake(lambda: None)
        loop.run_until_complete(_close(loop))
        loop.close()


async def _bounded(
    main: Coroutine[Any, Any, None],
    seconds: float,
    signals: Signals,
    grace: Callable[[], float],
) -> End:
    loop = asyncio.get_running_loop()
    interrupted = asyncio.Event()

    def strike() -> None:
        loop.call_soon_threadsafe(interrupted.set)

    signals.wake(strike)
    task, struck = asyncio.create_task(main), asyncio.create_task(interrupted.wait())
    either: set[asyncio.Future[Any]] = {task, struck}
    await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    struck.cancel()
    if task.done():
        task.result()
        return "done"
    task.cancel()
    await asyncio.wait([task], timeout=grace())
    return signals.first or "deadline"


async def _close(loop: asyncio.AbstractEventLoop) -> None:
    left = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=GRACE_SECONDS)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GRACE_SECONDS):
            await loop.shutdown_asyncgens()
