"""One coroutine on an event loop of its own, which a deadline or a signal surely ends."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine, Iterator
from typing import Any, Literal

Interruption = Literal["SIGINT", "SIGTERM"]
End = Literal["done", "deadline"] | Interruption

GRACE_SECONDS = 1.0
"""What cancelled tasks get to close their connections before they are left behind."""


def run(main: Coroutine[Any, Any, None], seconds: float) -> End:
    """Run `main` for at most `seconds` and return how it ended.

    The first SIGINT or SIGTERM cancels `main`; a second one is Python's own affair again.
    Unlike asyncio.run this never waits for a task that does not let itself be cancelled.
    """
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, _context: None)
    try:
        return loop.run_until_complete(_bounded(main, seconds))
    finally:
        loop.run_until_complete(_close(loop))
        loop.close()


async def _bounded(main: Coroutine[Any, Any, None], seconds: float) -> End:
    loop = asyncio.get_running_loop()
    interrupted: asyncio.Future[Interruption] = loop.create_future()
    task = asyncio.create_task(main)
    with _signals(loop, interrupted):
        either: set[asyncio.Future[Any]] = {task, interrupted}
        await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
            return "done"
        task.cancel()
        await asyncio.wait([task], timeout=GRACE_SECONDS)
        return interrupted.result() if interrupted.done() else "deadline"


@contextlib.contextmanager
def _signals(
    loop: asyncio.AbstractEventLoop, interrupted: asyncio.Future[Interruption]
) -> Iterator[None]:
    names: tuple[Interruption, ...] = ("SIGINT", "SIGTERM")
    before = {name: signal.getsignal(getattr(signal, name)) for name in names}

    def settle(name: Interruption) -> None:
        if not interrupted.done():
            interrupted.set_result(name)
        restore()

    def restore() -> None:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)

    def caught(number: int, _frame: object) -> None:
        name: Interruption = "SIGINT" if number == signal.SIGINT else "SIGTERM"
        loop.call_soon_threadsafe(settle, name)

    for name in names:
        signal.signal(getattr(signal, name), caught)
    try:
        yield
    finally:
        restore()


async def _close(loop: asyncio.AbstractEventLoop) -> None:
    left = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=GRACE_SECONDS)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GRACE_SECONDS):
            await loop.shutdown_asyncgens()
