"""A proxy between a probe and a real server, where a test cuts in."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.servers import serving

Opening = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bytes | None]]
"""Speaks with the client first; returns bytes to pass on, or None to hang up."""


async def nothing_first(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> bytes | None:
    """Pipe from the first byte."""
    return b""


@dataclass
class Pipe:
    """A proxy to the server that `url` names. What clients send is kept in `sent`.

    From the moment that `mute` (if any) has been sent, nothing goes to the server any more.
    Whatever clients send is passed on `delay` seconds later.
    """

    url: str
    opening: Opening = nothing_first
    tls: ssl.SSLContext | None = None
    mute: bytes | None = None
    delay: float = 0.0
    port: int = 0
    sent: bytearray = field(default_factory=bytearray)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    muted: asyncio.Event = field(default_factory=asyncio.Event)

    def through(self, host: str = "127.0.0.1") -> str:
        """Return `url` by way of this proxy."""
        parts = urlsplit(self.url)
        user = parts.netloc.rpartition("@")[0]
        return parts._replace(netloc=f"{user}@{host}:{self.port}".lstrip("@")).geturl()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["Pipe"]:
        """Serve on a free port."""
        async with serving(self._connection, tls=self.tls) as port:
            self.port = port
            yield self

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await self.opening(reader, writer)
        if first is None:
            return
        there = urlsplit(self.url)
        back, on = await asyncio.open_connection(there.hostname, there.port)
        on.write(first)
        answers = asyncio.create_task(_copy(back, writer))
        try:
            while data := await reader.read(65536):
                self.sent += data
                if self.mute and self.mute in self.sent:
                    self.muted.set()
                else:
                    await asyncio.sleep(self.delay)
                    on.write(data)
        finally:
            self.closed.set()
            answers.cancel()
            on.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()
