"""Coroutines -> their results, awaited by code that is none, and never beyond a time."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_GRACE_SECONDS = 1.0


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
