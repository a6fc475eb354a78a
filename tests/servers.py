"""Real servers on free ports for the tests: well-behaved ones, and the hostile kinds seen live."""

import asyncio
import contextlib
import gzip
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import pytest

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def _has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


needs_ipv6 = pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")


@contextlib.asynccontextmanager
async def serving(
    handler: Handler, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serve every connection with `handler` on a free port; yield the port."""
    running: set[asyncio.Task[None]] = set()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            pass  # the client went away, or the test is over
        finally:
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()
            running.discard(task)

    server = await asyncio.start_server(connection, host, 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        for listening in server.sockets:
            asyncio.get_running_loop().remove_reader(listening.fileno())
        for _ in range(5):  # who was just accepted has no transport yet, and then no task
            await asyncio.sleep(0)
        server.close()
        for task in list(running):
            task.cancel()
        while running:
            await asyncio.wait(list(running))
        await server.wait_closed()


@contextlib.asynccontextmanager
async def refusing(host: str = "127.0.0.1") -> AsyncIterator[int]:
    """Yield a port on which nothing listens, held so that nobody else takes it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as held:
        held.bind((host, 0))
        yield held.getsockname()[1]


@dataclass(frozen=True)
class Request:
    """What a client sent. `headers` have lower-case names."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


def response(
    status: int = 200,
    body: bytes | str = b"",
    media_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Return a whole HTTP/1.1 response."""
    content = body.encode() if isinstance(body, str) else body
    lines = [
        f"HTTP/1.1 {status} Whatever",
        f"Content-Type: {media_type}",
        f"Content-Length: {len(content)}",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + content


@dataclass
class Web:
    """A keep-alive HTTP/1.1 server: `answer(request)` returns the raw bytes of each response."""

    answer: Callable[[Request], bytes]
    delay: float = 0.0
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until the client leaves or asks to close."""
        self.connections += 1
        while (request := await read_request(reader)) is not None:
            self.requests.append(request)
            if self.delay:
                await asyncio.sleep(self.delay)
            writer.write(self.answer(request))
            await writer.drain()
            if request.headers.get("connection", "").lower() == "close":
                return


def always(raw: bytes) -> Web:
    """Return a server that gives `raw` to every request."""
    return Web(lambda _: raw)


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Read one request, None at the end of the connection."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = (line.split(":", 1) for line in lines)
    headers = {name.strip().lower(): value.strip() for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, target, headers, body)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept, read, never answer."""
    while await reader.read(65536):
        pass


async def slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reset the connection as soon as a request has come."""
    await reader.read(1)
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close the connection in good order without an answer."""
    await reader.readuntil(b"\r\n\r\n")


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with bytes that are no protocol at all."""
    await reader.read(1)
    writer.write(b"\x00\xff\x13\x37 this is not a protocol [/] |\r\n\r\n" * 4)
    await writer.drain()


def repeating(first: bytes, again: bytes, every: float = 0.0) -> Handler:
    """Return a server that sends `first`, then `again` for ever, `every` so many seconds."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(first)
        while True:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(every)

    return handler


header_drip = repeating(b"HTTP/1.1 200 OK\r\n", b"X-Drip: drip\r\n", every=0.02)
interim_flood = repeating(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50)
body_drip = repeating(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b" ", every=0.02)
endless_body = repeating(
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n", b"x" * 65536
)


def bomb(megabytes: int = 8) -> bytes:
    """Return a gzip-encoded response that unpacks to so many megabytes of zeros."""
    packed = gzip.compress(bytes(megabytes << 20))
    return response(200, packed, headers={"Content-Encoding": "gzip"})


@dataclass
class Pool:
    """A keep-alive server with `size` workers, each busy for `seconds` with a request.

    Who is not taken on within `patience` seconds is told 503, so what it can bear is known.
    """

    size: int
    seconds: float
    patience: float
    _workers: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        """Hire the workers."""
        self._workers = asyncio.Semaphore(self.size)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until the client leaves."""
        while await read_request(reader):
            writer.write(await self._answer())
            await writer.drain()

    async def _answer(self) -> bytes:
        try:
            await asyncio.wait_for(self._workers.acquire(), self.patience)
        except TimeoutError:
            return response(503)
        try:
            await asyncio.sleep(self.seconds)
            return response(200, '{"status": "ok"}')
        finally:
            self._workers.release()


def in_turn(*answers: bytes) -> Handler:
    """Return a server that gives each of `answers` to one request, then closes in good order."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            if await read_request(reader) is None:
                return
            writer.write(answer)
            await writer.drain()

    return handler


@contextlib.asynccontextmanager
async def never_accepting(host: str = "127.0.0.1") -> AsyncIterator[int]:
    """Yield a port that takes connections into its backlog and never looks at them."""
    with socket.create_server((host, 0), backlog=512) as listener:
        yield listener.getsockname()[1]
