"""One name looked up again and again by the system's resolver, in a thread nothing waits for."""

import asyncio
import contextlib
import queue
import socket
import threading


class SystemLookups:
    """Looks `host` up when asked; close it at the end. A look-up that hangs holds nobody."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._jobs: queue.SimpleQueue[asyncio.Future[None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def once(self) -> None:
        """Look the name up once; raises socket.gaierror."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="look-up", daemon=True)
            self._thread.start()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._jobs.put(done)
        await done

    def close(self) -> None:
        """Let the thread end, now or when its look-up does."""
        self._jobs.put(None)

    def _serve(self) -> None:
        while done := self._jobs.get():
            error: OSError | None = None
            try:
                socket.getaddrinfo(self._host, 0, type=socket.SOCK_STREAM)
            except OSError as failed:
                error = failed
            with contextlib.suppress(RuntimeError):  # the loop may be closed by now
                done.get_loop().call_soon_threadsafe(_settle, done, error)


def _settle(done: "asyncio.Future[None]", error: OSError | None) -> None:
    if done.done():
        return
    if error:
        done.set_exception(error)
    else:
        done.set_result(None)
