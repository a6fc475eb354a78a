"""A host name and a deadline -> a connected socket, with the time each step took."""

import asyncio
import errno
import os
import socket
import struct
import sys
import time
from collections.abc import Sequence
from types import TracebackType

from readiness.failure import ProbeError
from readiness.probes import Address, Context

_STAGGER = 0.25
"""Seconds before the next address is tried beside the last (RFC 8305, section 5)."""
_TCP_INFO = getattr(socket, "TCP_INFO", None) if sys.platform == "linux" else None
_INFO_SIZE = 104
_STATE, _RTT, _RETRANSMITTED = 0, 68, 100  # of struct tcp_info, linux/tcp.h
_ESTABLISHED, _CLOSED = 1, 7  # net/tcp_states.h
_UNDER_WAY = (errno.EINPROGRESS, errno.EWOULDBLOCK)


class Addresses(tuple[Address, ...]):
    """The addresses of a name, with the milliseconds that looking it up took, if at all."""

    ms: float = 0.0


class LookUpsHang(ProbeError):
    """Raised for a name that cannot be looked up because so many other look-ups hang."""

    def __init__(self, n: int) -> None:
        super().__init__("local_limit", f"{n} look-ups of other names hang")


class Stopwatch:
    """Times the steps of one exchange as they follow each other; `ms` holds the finished ones."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}
        self.step = ""
        self._since = 0.0

    def begin(self, step: str, at: float | None = None) -> None:
        """End the step under way, if any, and begin `step`: now, or `at` time.perf_counter."""
        now = time.perf_counter() if at is None else max(at, self._since)
        if self.step:
            self.ms[self.step] = (now - self._since) * 1000
        self.step, self._since = step, now

    def end(self, at: float | None = None) -> None:
        """End the step under way."""
        self.begin("", at)

    def excuse(self, seconds: float) -> None:
        """Do not charge the step under way with `seconds` of our own making."""
        self._since = min(time.perf_counter(), self._since + seconds)


def within(context: Context) -> "_Within":
    """Bound one exchange as a whole by `context.timeout` and by the probe's deadline.

    Raises ProbeError: `timeout` names the step that was under way, `deadline` blames this run.
    """
    return _Within(context)


class _Within:
    """What asyncio.timeout_at is, at a third of its price."""

    def __init__(self, context: Context) -> None:
        self._context, self._watch = context, Stopwatch()

    def __enter__(self) -> Stopwatch:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None, "an exchange is part of a task"
        self._task, self._cancelling, self._late = task, task.cancelling(), False
        self._ends = loop.time() + self._context.timeout
        self._timer = loop.call_at(min(self._ends, self._context.deadline), self._expire)
        return self._watch

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        if self._late:
            ours = self._task.uncancel() <= self._cancelling  # and nobody else cancelled it
            if ours and isinstance(error, asyncio.CancelledError):
                raise self._failure() from None

    def _expire(self) -> None:
        self._late = True
        self._task.cancel()

    def _failure(self) -> ProbeError:
        context, step = self._context, self._watch.step
        if context.deadline < self._ends:
            return ProbeError("deadline", "no time was left for this probe before the answer came")
        named = f" ({step})" if step else ""
        return ProbeError("timeout", f"no answer within {context.timeout:g} s{named}")


async def dial(addresses: Sequence[Address]) -> socket.socket:
    """Return a socket connected to the first address that accepts; the caller closes it.

    Raises the one error, or an ExceptionGroup of all, when none does. An address that stays
    silent delays the next by a quarter of a second, not by its whole timeout.
    """
    if len(addresses) == 1:
        return await _dial(addresses[0])
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


def handshake_ms(connection: socket.socket) -> float | None:
    """Return the milliseconds from SYN to SYN-ACK as the kernel counted them.

    None where it does not tell, and where a SYN was lost and the time must be the whole wait.
    """
    info = _info(connection)
    if info is None or _word(info, _RETRANSMITTED):
        return None
    return _word(info, _RTT) / 1000 or None


async def _dial(address: Address) -> socket.socket:
    family, host, port = address
    # the protocol is named, or asyncio leaves Nagle on and a body waits 40 ms for an ACK
    connection = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    connected = False
    try:
        connection.setblocking(False)
        await _connect(connection, (host, port))
        connected = True
    finally:
        if not connected:
            connection.close()
    return connection


async def _connect(connection: socket.socket, to: tuple[str, int]) -> None:
    code = connection.connect_ex(to)
    if code in _UNDER_WAY and not _settled(connection):
        await _writable(connection)
    if code in (0, *_UNDER_WAY):
        code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


async def _writable(connection: socket.socket) -> None:
    loop, number = asyncio.get_running_loop(), connection.fileno()
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_writer(number, wake)
    try:
        await ready
    finally:
        loop.remove_writer(number)


def _settled(connection: socket.socket) -> bool:
    """Whether it is connected or refused already, as is usual within one machine."""
    info = _info(connection)
    return info is not None and info[_STATE] in (_ESTABLISHED, _CLOSED)


def _info(connection: socket.socket) -> bytes | None:
    if _TCP_INFO is None:
        return None
    info = connection.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _INFO_SIZE)
    return info if len(info) == _INFO_SIZE else None


def _word(info: bytes, at: int) -> int:
    return int(struct.unpack_from("=I", info, at)[0])


async def _abandon(attempts: set[asyncio.Task[socket.socket]]) -> None:
    """Stop attempts that lost the race, closing what they may have opened in the meantime."""
    for attempt in attempts:
        attempt.cancel()
    for loser in await asyncio.gather(*attempts, return_exceptions=True):
        if isinstance(loser, socket.socket):
            loser.close()
