"""Sockets on Linux's epoll -> calls of the channels, with the kernel's stamp on every answer."""

import contextlib
import ctypes
import errno
import os
import select
import socket
import struct
import time
from collections.abc import Callable

from readiness.load.channel import Channel, Wire
from readiness.load.crew import Served
from readiness.load.request import Endpoint

_SO_TIMESTAMPNS = getattr(socket, "SO_TIMESTAMPNS", 35)
_SCM_SIZE = socket.CMSG_SPACE(struct.calcsize("@ll"))
_unpack = struct.Struct("@ll").unpack
_SECOND = 1_000_000_000
_CHUNK = 1 << 14
_SPIN_NS = 100_000
"""What a timer may be late: the last stretch is waited for with open eyes."""
_BUSY_SPIN_NS = 250_000
"""A longer stretch where arrivals follow each other so closely that to sleep hardly pays."""
_IDLE_NS = 5_000_000
_CLOCK_MONOTONIC = 1
_TFD_TIMER_ABSTIME = 1


class Epoll:
    """Waits for many sockets at once and for the next arrival, to within microseconds."""

    clock = "kernel"
    stall_ns = 200_000_000
    """Stamps are right however late they are read, unless the whole machine stood still."""

    def __init__(self) -> None:
        self._poll, self._look = select.epoll(), select.poll()
        self._timer = Timer()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._broken: list[tuple[Channel, OSError]] = []
        self.idle_ns = 0
        self.offset_ns = 0

    def connect(self, endpoint: Endpoint, channel: Channel) -> Wire | None:
        """Part of Driver."""
        wire = None
        try:
            wire = _Wire(self, endpoint, channel)
        except OSError as error:
            self._broken.append((channel, error))
        return wire

    def run(self, crew: Served) -> None:
        """Part of Driver."""
        self._poll.register(self._timer.fileno(), select.EPOLLIN | select.EPOLLET)
        try:
            self._serve(crew)
        finally:
            crew.close()
            self._timer.close()
            self._poll.close()

    def _serve(self, crew: Served) -> None:
        poll, timer, now_ns = self._poll.poll, self._timer, time.monotonic_ns
        crew.begin(now_ns())
        stretch = _SPIN_NS
        while True:
            now = now_ns()
            wake = crew.tick(now)
            if crew.over:
                self._take(poll(0))  # what nobody asked for may have come behind the last answer
                return
            crew.spare(now, wake)
            spin = self._broken or wake - now < stretch
            stretch = _BUSY_SPIN_NS if wake - now < _BUSY_SPIN_NS else _SPIN_NS
            if not spin:
                timer.arm(min(wake - _SPIN_NS // 2, now + _IDLE_NS))
            polled = now_ns()
            events = poll(0) if spin else poll()
            self.offset_ns = crew.offset_ns
            self._take(events)
            crew.polled_ns = polled
            if self._broken:
                self._report()
            elif spin and not events:
                self.idle_ns += now_ns() - polled  # what came before was work

    def _take(self, events: list[tuple[int, int]]) -> None:
        handlers = self._handlers
        for fd, event in events:
            handler = handlers.get(fd)
            if handler is not None:
                handler(event)

    def _report(self) -> None:
        broken, self._broken = self._broken, []
        for channel, error in broken:
            channel.broke(error, time.monotonic_ns())

    def watch(self, fd: int, events: int, handler: Callable[[int], None]) -> None:
        """Call `handler` with what of `events` happens to a descriptor."""
        if fd in self._handlers:
            self._poll.modify(fd, events)
        else:
            self._poll.register(fd, events)
        self._handlers[fd] = handler

    def readable(self, fd: int) -> bool:
        """Whether there is something to read; to peek would take a reset away."""
        self._look.register(fd, select.POLLIN)
        found = self._look.poll(0)
        self._look.unregister(fd)
        return bool(found)

    def forget(self, fd: int) -> None:
        """Watch a descriptor no longer."""
        if self._handlers.pop(fd, None) is not None:
            with contextlib.suppress(OSError):
                self._poll.unregister(fd)


class _Wire:
    """One socket of one channel."""

    __slots__ = (
        "_driver",
        "_fd",
        "_out",
        "_received",
        "_recvmsg",
        "_send",
        "_socket",
        "channel",
    )

    def __init__(self, driver: Epoll, endpoint: Endpoint, channel: Channel) -> None:
        self.channel, self._driver, self._out = channel, driver, b""
        self._socket = socket.socket(endpoint.family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            code = self._socket.connect_ex((endpoint.host, endpoint.port))
            if code not in (0, errno.EINPROGRESS):
                raise OSError(code, os.strerror(code))
        except OSError:
            self._socket.close()
            raise
        self._fd = self._socket.fileno()
        self._recvmsg, self._send = self._socket.recvmsg, self._socket.send
        self._received = channel.received
        driver.watch(self._fd, select.EPOLLIN | select.EPOLLOUT, self._connected)

    def _connected(self, _event: int) -> None:
        now = time.monotonic_ns()
        if code := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.channel.broke(OSError(code, os.strerror(code)), now)
            return
        self._driver.watch(self._fd, select.EPOLLIN, self._receive)
        self.channel.connected(now)

    def _receive(self, _event: int) -> None:
        try:
            data, notes, _, _ = self._recvmsg(_CHUNK, _SCM_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            self.channel.broke(error, time.monotonic_ns())
            return
        if not data:
            self.channel.ended(time.monotonic_ns())
        elif notes:
            seconds, nanoseconds = _unpack(notes[0][2])
            self._received(data, seconds * _SECOND + nanoseconds - self._driver.offset_ns)
        else:
            self._received(data, time.monotonic_ns())

    def send(self, data: bytes) -> None:
        """Part of Wire."""
        if self._out:
            self._out += data
            return
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            return  # what broke it is there to be read
        if sent < len(data):
            self._out = data[sent:]
            self._driver.watch(self._fd, select.EPOLLIN | select.EPOLLOUT, self._both)

    def _both(self, event: int) -> None:
        """Go on sending what did not fit, and reading meanwhile."""
        if event & select.EPOLLOUT:
            out, self._out = self._out, b""
            self._driver.watch(self._fd, select.EPOLLIN, self._receive)
            self.send(out)
        if event & ~select.EPOLLOUT:
            self._receive(event)

    def unread(self) -> bool:
        """Part of Wire."""
        return self._driver.readable(self._fd)

    def close(self) -> None:
        """Part of Wire."""
        self._driver.forget(self._fd)
        self._socket.close()


class Timer:
    """A timer that wakes epoll at a moment of the monotonic clock (timerfd_create(2))."""

    def __init__(self) -> None:
        # os.timerfd_create is new in Python 3.13
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        self._value = (ctypes.c_long * 4)()
        self._set = self._libc.timerfd_settime
        self._armed = 0

    def fileno(self) -> int:
        """Return what becomes readable when time is up."""
        return int(self._fd)

    def arm(self, moment: int) -> None:
        """Wake at `moment` (nanoseconds), or a little before."""
        if time.monotonic_ns() < self._armed <= moment:
            return
        self._armed = moment
        self._value[2], self._value[3] = divmod(moment, 1_000_000_000)
        self._set(self._fd, _TFD_TIMER_ABSTIME, self._value, None)

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._fd)
