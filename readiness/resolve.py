"""Host names -> their addresses, in a bounded number of threads that nothing ever waits for.

The resolver of the C library cannot be cancelled. In the loop's own pool, one that hangs would
hold the process past every deadline, and forty would starve all other look-ups.
"""

import asyncio
import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from readiness.probes import Address
from readiness.probes._connection import Addresses, LookUpsHang

AT_ONCE = 32
"""Names looked up together, for the name server's sake."""
PATIENCE_SECONDS = 0.25
"""After which a look-up no longer counts among those, so that others go on beside it."""
MOST_THREADS = 256
"""Look-ups that may hang at the same time; further ones fail at once, and as our own fault."""
JOINED_SECONDS = 2.0
"""After which a look-up is not waited for by further callers, who start another one."""
KEPT_SECONDS = 30.0
"""For which a name's addresses are believed, as of many services on one host."""


@dataclass(frozen=True)
class _Known:
    """What a look-up found: (family, numeric IP), or why nothing."""

    hosts: Sequence[tuple[int, str]]
    error: OSError | LookUpsHang | None
    ms: float
    at: float


class Resolver:
    """Looks each name up once at a time, for one event loop; call it, and close it at the end."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._asked: dict[str, asyncio.Task[_Known]] = {}
        self._free = asyncio.Semaphore(AT_ONCE)
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = self._busy = 0

    async def __call__(self, host: str, port: int) -> Addresses:
        """Resolve `host` for a TCP connection to `port`.

        Raises socket.gaierror, and LookUpsHang if too many other look-ups hang.
        """
        if family := _numeric(host):
            return Addresses([(family, host, port)])
        known = self._known.get(host)
        if known is None or time.monotonic() - known.at > KEPT_SECONDS:
            known = await asyncio.shield(self._join(host))  # others may wait for it too
        if known.error:
            raise known.error
        addresses = Addresses((family, host, port) for family, host in known.hosts)
        addresses.ms = known.ms
        return addresses

    def close(self) -> None:
        """Let go of the threads: idle ones end now, others when their look-up does."""
        for _ in range(self._threads):
            self._jobs.put(None)
        self._threads = 0

    def _join(self, host: str) -> "asyncio.Task[_Known]":
        if host not in self._asked:
            task = self._asked[host] = asyncio.create_task(self._ask(host))
            late = asyncio.get_running_loop().call_later(JOINED_SECONDS, self._forget, host, task)
            task.add_done_callback(lambda _: late.cancel())
            task.add_done_callback(lambda _: self._forget(host, task))
        return self._asked[host]

    def _forget(self, host: str, task: "asyncio.Task[_Known]") -> None:
        if self._asked.get(host) is task:
            del self._asked[host]

    async def _ask(self, host: str) -> _Known:
        await self._free.acquire()
        slot = _Once(self._free.release)
        late = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, slot)
        try:
            known = await self._look_up(host)
        finally:
            late.cancel()
            slot()
        if not known.error:
            self._known[host] = known
        return known

    async def _look_up(self, host: str) -> _Known:
        if self._busy >= MOST_THREADS:
            return _Known((), LookUpsHang(MOST_THREADS), 0.0, 0.0)
        loop = asyncio.get_running_loop()
        found: asyncio.Future[_Known] = loop.create_future()

        def settle(known: _Known) -> None:
            self._busy -= 1
            if not found.done():
                found.set_result(known)

        def work() -> None:
            known = _looked_up(host)
            with contextlib.suppress(RuntimeError):  # the loop may be closed by now
                loop.call_soon_threadsafe(settle, known)

        self._busy += 1
        self._jobs.put(work)
        if self._busy > self._threads:
            self._threads += 1
            threading.Thread(target=_serve, args=(self._jobs,), name="resolve", daemon=True).start()
        return await found


class _Once:
    """Calls `act` the first time it is called."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act: Callable[[], None] | None = act

    def __call__(self) -> None:
        act, self._act = self._act, None
        if act:
            act()


def _serve(jobs: "queue.SimpleQueue[Callable[[], None] | None]") -> None:
    while job := jobs.get():
        job()


def _looked_up(host: str) -> _Known:
    """Look `host` up; the time is taken here, where no queue of ours is in it."""
    hosts: list[tuple[int, str]] = []
    error: OSError | None = None
    began = time.perf_counter()
    try:
        infos = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
        hosts = [(family, str(to[0])) for family, _, _, _, to in infos]
    except OSError as failed:
        error = failed
    except UnicodeError:
        error = socket.gaierror(socket.EAI_NONAME, "not a possible host name")
    return _Known(hosts, error, (time.perf_counter() - began) * 1000, time.monotonic())


def _numeric(host: str) -> int | None:
    """Return the family of a literal address; None for a name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError, ValueError):
            socket.inet_pton(family, host)
            return family
    return None


async def resolve(host: str, port: int) -> Sequence[Address]:
    """Resolve one name alone, as `Resolver` does."""
    resolver = Resolver()
    try:
        return await resolver(host, port)
    finally:
        resolver.close()
