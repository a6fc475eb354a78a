"""Coroutines -> their results, awaited by code that is none, and never beyond a time."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_GRACE_SECONDS = 1.0
_ROUNDS = 3
"""Of the loop, in which a transport that was closed lets go of its socket, by TLS too."""


class Waiting(asyncio.SelectorEventLoop):
    """An event loop for one who waits: it looks names up in threads that nothing waits for."""

    def __init__(self) -> None:
        super().__init__()
        self.set_exception_handler(lambda _loop, _context: None)

    def wait(self, main: Coroutine[Any, Any, T], seconds: float) -> T:
        """Return what `main` returns; TimeoutError if that takes longer than `seconds`."""
        task = self.create_task(main)
        self.run_until_complete(asyncio.wait([task], timeout=seconds))
        if task.done():
            return task.result()
        task.cancel()
        self.run_until_complete(asyncio.wait([task], timeout=_GRACE_SECONDS))
        raise TimeoutError

    def close(self) -> None:
        """Part of AbstractEventLoop; what was told to close before gets the rounds it takes."""
        if not self.is_closed():
            self.run_until_complete(_end_others())
        super().close()

    async def getaddrinfo(self, *words: Any, **more: Any) -> Any:
        """Part of AbstractEventLoop: its own would hold the end of the process."""
        found: asyncio.Future[Any] = self.create_future()

        def settle(error: Exception | None, addresses: Any) -> None:
            if not found.done():
                found.set_exception(error) if error else found.set_result(addresses)

        def work() -> None:
            error, addresses = None, None
            try:
                addresses = socket.getaddrinfo(*words, **more)
            except (OSError, UnicodeError) as caught:
                error = caught
            with contextlib.suppress(RuntimeError):  # the loop may be closed by now
                self.call_soon_threadsafe(settle, error, addresses)

        threading.Thread(target=work, name="look up", daemon=True).start()
        return await found


async def _end_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=_GRACE_SECONDS)
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)
