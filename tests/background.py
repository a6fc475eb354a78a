"""Real servers on a loop of their own thread, for tests that run the program as a process."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from tests.servers import Handler, serving


@contextlib.contextmanager
def background(*handlers: Handler) -> Iterator[list[int]]:
    """Serve each handler on a free port from another thread; yield the ports in order."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    stack = contextlib.AsyncExitStack()

    async def start() -> list[int]:
        return [await stack.enter_async_context(serving(handler)) for handler in handlers]

    try:
        yield asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
