"""A host name and a deadline -> a connected socket, with the time each step took."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Sequence

from readiness.failure import ProbeError
from readiness.probes import Address, Context

_STAGGER = 0.25
"""Seconds before the next address is tried beside the last (RFC 8305, section 5)."""


class Stopwatch:
    """Times the steps of one exchange as they follow each other; `ms` holds the finished ones."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}
        self.step = ""
        self._since = 0.0

    def begin(self, step: str) -> None:
        """End the step under way, if any, and begin `step`."""
        now = time.perf_counter()
        if self.step:
            self.ms[self.step] = (now - self._since) * 1000
        self.step, self._since = step, now

    def end(self) -> None:
        """End the step under way."""
        self.begin("")


@contextlib.asynccontextmanager
async def within(context: Context) -> AsyncIterator[Stopwatch]:
    """Bound one exchange as a whole by `context.timeout` and by the probe's deadline.

    Raises ProbeError: `timeout` names the step that was under way, `deadline` blames this run.
    """
    watch = Stopwatch()
    ends = asyncio.get_running_loop().time() + context.timeout
    try:
        async with asyncio.timeout_at(min(ends, context.deadline)) as scope:
            yield watch
    except TimeoutError:
        if not scope.expired():
            raise
        if context.deadline < ends:
            raise ProbeError(
                "deadline", "no time was left for this probe before the answer came"
            ) from None
        step = f" ({watch.step})" if watch.step else ""
        raise ProbeError("timeout", f"no answer within {context.timeout:g} s{step}") from None


async def dial(addresses: Sequence[Address]) -> socket.socket:
    """Return a socket connected to the first address that accepts; the caller closes it.

    Raises the one error, or an ExceptionGroup of all, when none does. An address that stays
    silent delays the next by a quarter of a second, not by its whole timeout.
    """
    waiting, failures = list(addresses), []
    attempts: set[asyncio.Task[socket.socket]] = set()
    try:
        while waiting or attempts:
            if waiting:
                attempts.add(asyncio.create_task(_dial(waiting.pop(0))))
            done, _ = await asyncio.wait(
                attempts,
                timeout=_STAGGER if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for attempt in done:
                attempts.discard(attempt)
                if not (failure := attempt.exception()):
                    return attempt.result()
                failures.append(failure)
    finally:
        await _abandon(attempts)
    if len(failures) == 1:
        raise failures[0]
    if not failures:
        raise ProbeError("dns", "host name has no address")
    raise BaseExceptionGroup("no address of the host accepted the connection", failures)


async def _dial(address: Address) -> socket.socket:
    family, host, port = address
    with contextlib.ExitStack() as on_failure:
        # the protocol is named, or asyncio leaves Nagle on and a body waits 40 ms for an ACK
        connection = on_failure.enter_context(
            socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        )
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, (host, port))
        on_failure.pop_all()
    return connection


async def _abandon(attempts: set[asyncio.Task[socket.socket]]) -> None:
    """Stop attempts that lost the race, closing what they may have opened in the meantime."""
    for attempt in attempts:
        attempt.cancel()
    for loser in await asyncio.gather(*attempts, return_exceptions=True):
        if isinstance(loser, socket.socket):
            loser.close()
