"""One request -> one bounded answer, on a connection of its own, with the time of each step."""

import asyncio
import base64
import contextlib
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

import h11

from readiness import __version__
from readiness.failure import Failure, ProbeError, classify
from readiness.inventory import Service
from readiness.probes import Context
from readiness.probes._answer import BODY_LIMIT, Answer
from readiness.probes._connection import Stopwatch, dial, within

_HEAD_LIMIT = 64 << 10
_CHUNK = 64 << 10
_PATH = "/%:@!$&'()*+,;=~-._?"


@dataclass(frozen=True)
class Target:
    """Where a request goes: one origin, one path, and what the URL itself carries of secrets."""

    tls: bool
    host: str
    port: int
    path: str = field(repr=False)
    authorization: str | None = field(default=None, repr=False)

    @property
    def authority(self) -> str:
        """The Host header: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


def target(service: Service, path: str, *, anonymous: bool = False) -> Target:
    """Return where `path`, below the service's URL, is found.

    The URL's user, password and query count as credentials: `anonymous` leaves them out.
    """
    url = urlsplit(service.url.get_secret_value())
    tls, whole = url.scheme == "https", url.path.rstrip("/") + "/" + path.lstrip("/")
    authorization = None
    if url.query and not anonymous:
        whole += ("&" if "?" in whole else "?") + url.query
    if (url.username or url.password) and not anonymous:
        pair = f"{unquote(url.username or '')}:{unquote(url.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode()
    return Target(
        tls=tls,
        host=_ascii(url.hostname or ""),
        port=url.port or (443 if tls else 80),
        path=quote(whole, safe=_PATH),
        authorization=authorization,
    )


def public_path(path: str) -> str:
    """Return `path` without its query, which may be secret: fit to be shown."""
    return path.partition("?")[0]


async def exchange(
    context: Context,
    to: Target,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Answer:
    """Send one request on a fresh connection and read its answer, never a second one.

    Follows no redirect, asks no proxy, unpacks nothing. Bounded by `within` in time and by
    BODY_LIMIT in size. Raises ProbeError and OSError (of which TLS and name errors are).
    """
    async with within(context) as watch:
        watch.begin("resolve")
        addresses = await context.resolve(to.host, to.port)
        watch.begin("connect")
        connection = await dial(addresses)
        if to.tls:
            watch.begin("tls")
        reader, writer = await _open(connection, context.tls() if to.tls else None, to.host)
        try:
            watch.begin("first_byte")
            request = _request(context, to, method, headers or {}, len(body))
            return await _converse(reader, writer, request, body, watch)
        finally:
            writer.transport.abort()  # closing TLS in good order may hang; the answer is in
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def attempt(
    context: Context,
    to: Target,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> Answer | Failure:
    """Return what `exchange` does, or the failure if the target is at fault; ours are raised.

    For a probe that measures which of several requests get an answer.
    """
    try:
        return await exchange(context, to, method=method, headers=headers, body=body)
    except (OSError, ProbeError, ExceptionGroup) as error:
        failure = classify(error)
        if not failure.blames_target:
            raise
        return failure


def _ascii(host: str) -> str:
    return host if host.isascii() else host.encode("idna").decode("ascii")


async def _open(
    connection: socket.socket, tls: ssl.SSLContext | None, host: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    name = host if tls else None
    return await asyncio.open_connection(
        sock=connection, ssl=tls, server_hostname=name, limit=_CHUNK
    )


def _request(
    context: Context, to: Target, method: str, headers: Mapping[str, str], length: int
) -> h11.Request:
    fields = {
        "host": to.authority,
        "user-agent": f"readiness/{__version__}",
        "readiness-run": context.run_id,
        "accept": "*/*",
        "accept-encoding": "identity",
        "connection": "close",
    }
    if to.authorization:
        fields["authorization"] = to.authorization
    if method not in ("GET", "HEAD"):
        fields["content-length"] = str(length)
    fields |= {name.lower(): value for name, value in headers.items()}
    encoded = [(name.encode(), value.encode()) for name, value in fields.items()]
    return h11.Request(method=method, target=to.path, headers=encoded)


async def _converse(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    request: h11.Request,
    body: bytes,
    watch: Stopwatch,
) -> Answer:
    machine = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_LIMIT)
    for event in (request, h11.Data(data=body), h11.EndOfMessage()):
        writer.write(machine.send(event) or b"")
    await writer.drain()
    head, content, complete = await _receive(reader, machine, watch)
    watch.end()
    headers: dict[str, str] = {}
    for raw_name, raw_value in head.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return Answer(
        status=head.status_code,
        protocol="HTTP/" + head.http_version.decode("ascii"),
        headers=headers,
        body=content[:BODY_LIMIT],
        complete=complete,
        ms=watch.ms,
        certificate_days=_certificate_days(writer),
    )


async def _receive(
    reader: asyncio.StreamReader, machine: h11.Connection, watch: Stopwatch
) -> tuple[h11.Response, bytes, bool]:
    """Return the head, the body, and whether the body was read to its end."""
    head: h11.Response | None = None
    content, received = bytearray(), 0
    while True:
        event = _next_event(machine, head)
        if isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            content += event.data
        elif event is h11.NEED_DATA:
            if head is None and received > _HEAD_LIMIT:
                raise ProbeError("protocol", "more than 64 KiB of headers and no answer")
            if head is not None and received > BODY_LIMIT:
                return head, bytes(content), False
            data = await reader.read(_CHUNK)
            if not received:
                _first_byte(data, watch)
            received += len(data)
            machine.receive_data(data)
        elif not isinstance(event, h11.InformationalResponse):
            assert head is not None, "a message ends after it began"
            return head, bytes(content), True


def _first_byte(data: bytes, watch: Stopwatch) -> None:
    if not data:
        raise ProbeError("reset", "connection closed without an answer")
    watch.begin("transfer")


def _next_event(
    machine: h11.Connection, head: h11.Response | None
) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
    try:
        return machine.next_event()
    except h11.RemoteProtocolError as error:
        broken = (
            "the answer is not HTTP/1.1" if head is None else "the body is malformed or ends early"
        )
        raise ProbeError("protocol", broken) from error


def _certificate_days(writer: asyncio.StreamWriter) -> int | None:
    certificate = writer.get_extra_info("peercert")
    if not certificate:
        return None
    return int((ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) // 86400)
