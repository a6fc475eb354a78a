"""A connected socket -> bytes out and bytes in, with the moment at which the kernel got them.

Many exchanges share one thread. What came may lie unread while others are served, and that
wait is ours: the kernel's stamps leave it out of every time (Linux; elsewhere nothing can).
"""

import asyncio
import contextlib
import select
import socket
import ssl
import struct
import sys
import time
import weakref
from weakref import WeakKeyDictionary

from readiness.failure import ProbeError

STAMPED = sys.platform == "linux"
"""Whether the kernel tells when bytes came, and how long a handshake took."""

CHUNK = 64 << 10
_SO_TIMESTAMPNS = 35  # asm-generic/socket.h; Python names it on no system
_STAMP = struct.Struct("@ll")
_SECOND = 1_000_000_000
_BRACKET_NS = 20_000
_TRIES = 5
_ROOM = socket.CMSG_SPACE(_STAMP.size)


class Lookout:
    """Waits for many sockets of one loop, with one call to the kernel for each wait.

    A loop's own readers cost five times as much, which tells where thousands are asked.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._poll = weakref.proxy(loop), select.epoll()
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._known: set[int] = set()
        loop.add_reader(self._poll.fileno(), self._wake)

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> "Lookout":
        """Return the loop's own one."""
        found = _lookouts.get(loop)
        if found is None:
            found = _lookouts[loop] = cls(loop)
        return found

    def readable(self, fd: int) -> asyncio.Future[None]:
        """Return what is done once a descriptor can be read; one waits for it at a time."""
        watch = self._poll.modify if fd in self._known else self._poll.register
        watch(fd, select.EPOLLIN | select.EPOLLONESHOT)
        self._known.add(fd)
        waiting: asyncio.Future[None] = self._loop.create_future()
        self._waiting[fd] = waiting
        return waiting

    def forget(self, fd: int) -> None:
        """Let go of a descriptor that is about to be closed."""
        self._known.discard(fd)
        self._waiting.pop(fd, None)

    def _wake(self) -> None:
        for fd, _ in self._poll.poll(0):
            if waiting := self._waiting.pop(fd, None):
                _settle(waiting)


_lookouts: WeakKeyDictionary[asyncio.AbstractEventLoop, Lookout] = WeakKeyDictionary()


class Wire:
    """Reads and writes one socket, which it closes at the end.

    `came` is the moment (of time.perf_counter) at which the last bytes came that were read,
    `first` that of the first of them all, `unread` the seconds for which those lay unread.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket, self._loop = connection, asyncio.get_running_loop()
        self._lookout: Lookout | None = None
        self._peeks = STAMPED
        self.first = self.came = self.unread = 0.0
        if STAMPED:
            connection.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)

    @property
    def certificate_end(self) -> str | None:
        """When the peer's certificate expires, as OpenSSL writes it; None without TLS."""
        return None

    async def send(self, data: bytes) -> None:
        """Hand all of `data` to the kernel."""
        try:
            sent = self._socket.send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            await self._loop.sock_sendall(self._socket, data[sent:])

    async def receive(self) -> bytes:
        """Return what comes next, nothing at the end of the connection."""
        while True:
            await self._readable()
            with contextlib.suppress(BlockingIOError):
                return self._read()

    def close(self) -> None:
        """Close at once, whatever is still on its way."""
        if self._lookout:
            self._lookout.forget(self._socket.fileno())
        self._socket.close()

    def _read(self) -> bytes:
        if not STAMPED:
            data = self._socket.recv(CHUNK)
            self.came = time.perf_counter()
            self.first = self.first or self.came
            return data
        if self._peeks:  # of several segments read together the kernel tells the last one's
            begun = self._socket.recvmsg(1, _ROOM, socket.MSG_PEEK)[1]
            self.first = _moment(begun)
            self.unread = time.perf_counter() - self.first
            self._peeks = False
        else:
            begun = []
        data, told, _, _ = self._socket.recvmsg(CHUNK, _ROOM)
        self.came = self.first if begun and told == begun else _moment(told)
        return data

    async def _readable(self) -> None:
        fd = self._socket.fileno()
        if STAMPED:
            self._lookout = self._lookout or Lookout.of(self._loop)
            await self._lookout.readable(fd)
            return
        waiting: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(fd, _settle, waiting)
        try:
            await waiting
        finally:
            self._loop.remove_reader(fd)


class TlsWire(Wire):
    """The same, encrypted; `secure` comes before all else."""

    def __init__(self, connection: socket.socket, context: ssl.SSLContext, host: str) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=host)
        super().__init__(connection)
        self._peeks = False  # what comes first is TLS's own

    @property
    def session(self) -> ssl.SSLObject:
        """What was agreed on, once it is secure."""
        return self._tls

    @property
    def certificate_end(self) -> str | None:
        """Part of Wire."""
        told = (self._tls.getpeercert() or {}).get("notAfter")
        return told if isinstance(told, str) else None

    async def secure(self) -> float:
        """Shake hands; return the seconds for which parts of it lay unread.

        Raises ssl.SSLError, and ProbeError if the peer leaves meanwhile.
        """
        unread: float = 0.0
        while not await self._shake():
            data = await super().receive()
            if not data:
                raise ProbeError("tls", "connection closed during TLS")
            unread += time.perf_counter() - self.came
            self._in.write(data)
        return unread

    async def _shake(self) -> bool:
        """Go on as far as what came allows; return whether that was all."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        finally:
            with contextlib.suppress(ConnectionError):
                await self._flush()  # even the alert that says why not
        return True

    async def send(self, data: bytes) -> None:
        """Part of Wire."""
        self._tls.write(data)
        await self._flush()

    async def receive(self) -> bytes:
        """Part of Wire. An end without TLS's own farewell, which many leave out, is an end."""
        while True:
            try:
                data = self._tls.read(CHUNK)
            except ssl.SSLWantReadError:
                await self._flush()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""
            else:
                if not self.first:
                    self.first, self.unread = self.came, time.perf_counter() - self.came
                return data
            if encrypted := await super().receive():
                self._in.write(encrypted)
            else:
                self._in.write_eof()

    async def _flush(self) -> None:
        if out := self._out.read():
            await super().send(out)


def _settle(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)


def _moment(told: list[tuple[int, int, bytes]]) -> float:
    """Return when bytes came, of time.perf_counter; now if the kernel does not tell."""
    for level, kind, data in told:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS) and len(data) >= _STAMP.size:
            seconds, nanoseconds = _STAMP.unpack_from(data)
            now, wall = _clocks()
            return (now - max(0, wall - int(seconds) * _SECOND - int(nanoseconds))) / _SECOND
    return time.perf_counter()


def _clocks() -> tuple[int, int]:
    """Return the same moment on both clocks, in nanoseconds.

    Both are read at every stamp, so that a wall clock that is set spoils one exchange at most.
    """
    for _ in range(_TRIES):
        before, wall, after = time.perf_counter_ns(), time.time_ns(), time.perf_counter_ns()
        if after - before < _BRACKET_NS:  # else another process came in between
            break
    return (before + after) // 2, wall
