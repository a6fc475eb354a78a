"""Requests over one TCP or TLS connection, one at a time -> answers with their moments."""

import asyncio
import select
import time
from typing import NamedTuple, Self, cast

from readiness.failure import ProbeError
from readiness.load.request import Endpoint, Request
from readiness.load.response import Parser


class StaleConnection(ProbeError):
    """The server closed a connection that had served before, without a word on this request."""


class Answer(NamedTuple):
    """The status of one answer, when its request was sent and when its last byte came.

    Moments are nanoseconds of `time.monotonic_ns`, the clock of asyncio's loop.
    """

    status: int
    sent_ns: int
    done_ns: int


class Connection(asyncio.Protocol):
    """A connection that reads its answers as they arrive, in the loop's own callback."""

    @classmethod
    async def open(cls, endpoint: Endpoint) -> Self:
        """Connect, with TLS where the endpoint asks for it; raises OSError."""
        _, connection = await asyncio.get_running_loop().create_connection(
            cls,
            endpoint.host,
            endpoint.port,
            family=endpoint.family,
            ssl=endpoint.tls,
            server_hostname=endpoint.server_name if endpoint.tls else None,
        )
        return connection

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = Parser()
        self._pending: asyncio.Future[Answer] | None = None
        self._sent_ns = 0
        self._served = False
        self._unread = select.poll()

    @property
    def usable(self) -> bool:
        """Whether another request may be sent.

        Not if there is something to read before it: the connection's end, or bytes unasked for,
        which would pass for the next answer.
        """
        idle = self._transport is not None and self._pending is None
        return idle and not (self._served and self._unread.poll(0))

    def exchange(self, request: Request) -> asyncio.Future[Answer]:
        """Send `request`; the future fails with OSError or ProbeError. Needs `usable`."""
        assert self._transport is not None and self._pending is None
        self._parser = Parser(head=request.head)
        self._pending = self._loop.create_future()
        self._sent_ns = time.monotonic_ns()
        self._transport.write(request.raw)
        return self._pending

    def abort(self) -> None:
        """Drop the connection at once, whatever is under way on it."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio.Protocol."""
        self._transport = cast(asyncio.Transport, transport)
        self._unread.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Part of asyncio.Protocol."""
        now = time.monotonic_ns()
        if self._pending is None or self._pending.done():
            self.abort()  # it speaks unasked, so its next words would not be our answer
            return
        try:
            if self._parser.feed(data):
                self._finish(now)
        except ProbeError as error:
            self._fail(error)

    def eof_received(self) -> None:
        """Part of asyncio.Protocol."""
        self._ended()

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio.Protocol."""
        if isinstance(exc, OSError):
            self._fail(exc)
        else:
            self._ended()

    def _finish(self, now: int) -> None:
        pending, self._pending, self._served = self._pending, None, True
        if not self._parser.keep_alive:
            self.abort()
        if pending is not None and not pending.done():
            pending.set_result(Answer(self._parser.status, self._sent_ns, now))

    def _ended(self) -> None:
        now = time.monotonic_ns()
        if self._pending is None or self._pending.done():
            self.abort()
            return
        if self._served and not self._parser.started:
            self._fail(StaleConnection("reset", "connection closed without an answer"))
            return
        try:
            self._parser.end()
        except ProbeError as error:
            self._fail(error)
        else:
            self._finish(now)

    def _fail(self, error: OSError | ProbeError) -> None:
        pending, self._pending = self._pending, None
        self.abort()
        if pending is not None and not pending.done():
            pending.set_exception(error)
