"""One request -> one bounded answer, on a connection of its own, with the time of each step."""

import base64
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from readiness import __version__
from readiness.failure import Failure, ProbeError, classify
from readiness.inventory import Service
from readiness.inventory.url import split
from readiness.probes import Address, Context
from readiness.probes._answer import BODY_LIMIT, Answer
from readiness.probes._connection import Addresses, Stopwatch, dial, handshake_ms, within
from readiness.probes._reading import Enough, Request, read
from readiness.probes._wire import TlsWire, Wire

_BUSY_SECONDS = 0.005
"""A tenth of what a good time to connect is."""
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
    url = split(service.url.get_secret_value())
    tls, whole = url.scheme == "https", url.path.rstrip("/") + path
    authorization = None
    if url.query and not anonymous:
        whole += ("&" if "?" in whole else "?") + url.query
    if "@" in url.netloc and (url.username or url.password) and not anonymous:
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
    enough: Enough | None = None,
) -> Answer:
    """Send one request on a fresh connection and read its answer, never a second one.

    Of a stream that is held open no more is read than is `enough`. Follows no redirect, asks no
    proxy, unpacks nothing. Bounded by `within` in time and by BODY_LIMIT in size. Raises
    ProbeError and OSError (of which TLS and name errors are).
    """
    fields = _fields(context, to, method, headers or {}, len(body))
    request = Request(method, to.path, fields, body)
    raw = request.raw
    with within(context) as watch:
        watch.begin("resolve")
        addresses = await context.resolve(to.host, to.port)
        watch.begin("connect")
        connection = await dial(addresses)
        watch.begin("tls" if to.tls else "")
        exact = _correct(watch, addresses, connection)
        wire = TlsWire(connection, context.tls(), to.host) if to.tls else Wire(connection)
        try:
            if isinstance(wire, TlsWire):
                watch.excuse(await wire.secure())
            watch.begin("first_byte")
            await wire.send(raw)
            head, content, complete = await read(wire, request, watch, enough)
            watch.end(wire.came)
        finally:
            wire.close()  # at once: closing TLS in good order may hang
        return Answer(
            status=head.status,
            protocol=head.protocol,
            headers=head.headers,
            body=content[:BODY_LIMIT],
            complete=complete and len(content) <= BODY_LIMIT,
            ms=watch.ms,
            certificate_days=_days_until(wire.certificate_end),
            untimed={} if exact else _forget(watch, wire),
            cookies=head.cookies,
        )


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


def _correct(watch: Stopwatch, addresses: Sequence[Address], connection: socket.socket) -> bool:
    """Take queues of our own out of the times to resolve and to connect; return whether they are.

    Where an address before the one that accepted failed, they may be in the time to connect.
    """
    if isinstance(addresses, Addresses):
        watch.ms["resolve"] = addresses.ms
    if len(addresses) > 1 and connection.getpeername()[0] != addresses[0][1]:
        return False
    handshake = handshake_ms(connection)
    if handshake is not None:
        watch.ms["connect"] = min(handshake, watch.ms["connect"])
    return True


def _forget(watch: Stopwatch, wire: Wire) -> Mapping[str, str]:
    """Forget the time to connect if this process was busy; return why."""
    if wire.unread < _BUSY_SECONDS:
        return {}
    del watch.ms["connect"]
    because = "another address failed first, while this program was busy with other probes"
    return {"connect": because}


def _fields(
    context: Context, to: Target, method: str, headers: Mapping[str, str], length: int
) -> dict[str, str]:
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
    return fields | {name.lower(): value for name, value in headers.items()}


def _days_until(end: str | None) -> int | None:
    return int((ssl.cert_time_to_seconds(end) - time.time()) // 86400) if end else None
