"""How a Redis or Valkey answers: PING time, memory of its limit, eviction, persistence, role."""

import asyncio
import contextlib
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from redis._parsers.resp2 import _AsyncRESP2Parser
from redis.asyncio.connection import AbstractConnection, SSLConnection, parse_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import InvalidResponse, NoPermissionError, ResponseError

from readiness.failure import ProbeError
from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings, _redis_info
from readiness.probes._connection import dial, within
from readiness.probes._sampling import sample

TIER: Tier = "observe"
KINDS = frozenset({"redis"})
EXCLUSIVE = True
METRICS: Mapping[str, str] = {
    "connected": "true: the service spoke its protocol with us",
    "connect_ms": "ms: TCP connect, TLS and login of one connection",
    "p50_ms": "ms: median of PING on that connection",
    "p95_ms": "ms: 95th percentile of PING",
    "version": "version of the server",
    "server": "redis or valkey",
    "memory_bytes": "bytes: memory in use by the data and the server",
    "maxmemory_bytes": "bytes: the limit of that memory, 0 for none",
    "maxmemory_set": "true or false: there is a limit",
    "memory_ratio": "ratio 0..1: memory_bytes of maxmemory_bytes",
    "eviction_policy": "what happens at the limit (maxmemory-policy)",
    "persistence": "true or false: snapshots or the append-only file are on",
    "last_save_ok": "true or false: the last snapshot and the last append succeeded",
    "role": "master or slave, as the server says it",
}

_MOST_SAMPLES = 200
_LONGEST_REPLY = 1 << 20
_SHOWN = 100
_HEADER = re.compile(rb"[+-].*|:-?\d{1,18}|\$(-1|\d{1,9})|\*(-1|\d)", re.DOTALL)
_MOST_LISTS = 1


class Settings(ProbeSettings):
    """Nothing to set: everything is in the service's URL."""


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Connect once, sample PING, read INFO; sends nothing else but AUTH and CONFIG GET save."""
    connection = _Connection(service.url.get_secret_value(), context)
    try:
        with _explained():
            connect_ms = await _connect(connection, context)
            values: Values = {"connected": True, "connect_ms": connect_ms}
            n = min(context.samples, _MOST_SAMPLES)
            values |= await sample(lambda: _ping(connection), n, context)
        info = await _permitted(connection, context, "INFO")
        snapshots = await _permitted(connection, context, "CONFIG", "GET", "save")
        return values | _redis_info.values(info, snapshots)
    finally:
        await connection.disconnect(nowait=True)


class _Parser(_AsyncRESP2Parser):
    """Reads RESP2 of the few kinds and the size that our commands are answered with.

    The library's own believes a server that announces gigabytes, and nests without end; we ask
    for one list only, that of CONFIG GET.
    """

    _lists = 0

    async def _readline(self) -> bytes:
        try:
            line = await super()._readline()
        except ValueError as error:  # asyncio's limit of a line
            raise InvalidResponse("a line without an end") from error
        if not _HEADER.fullmatch(line):
            raise InvalidResponse("not RESP")
        if line.startswith(b"$") and int(line[1:]) > _LONGEST_REPLY:
            raise InvalidResponse("a reply of more than 1 MiB")
        self._lists += line.startswith(b"*")
        if self._lists > _MOST_LISTS:
            raise InvalidResponse("lists where none was asked for")
        return line


class _Connection(AbstractConnection):
    """One connection, by our own resolver and TLS context, that says and retries nothing itself."""

    def __init__(self, url: str, context: Context) -> None:
        options: dict[str, Any] = dict(parse_url(url))
        self._options, self._context = options, context
        self._host, self._port = options.get("host", "localhost"), options.get("port", 6379)
        self._tls = urlsplit(url).scheme == "rediss"
        super().__init__(
            username=options.get("username"),
            password=options.get("password"),
            socket_timeout=None,
            socket_connect_timeout=None,
            encoding_errors="replace",
            decode_responses=True,
            parser_class=_Parser,
            driver_info=None,  # or it introduces itself with two commands
            protocol=2,
        )

    def repr_pieces(self) -> list[tuple[str, Any]]:
        return []

    def _host_error(self) -> str:
        return "the server"

    async def _connect(self) -> None:
        connection = await dial(await self._context.resolve(self._host, self._port))
        self._reader, self._writer = await asyncio.open_connection(
            sock=connection,
            ssl=self._tls_context() if self._tls else None,
            server_hostname=self._host if self._tls else None,
        )

    def _tls_context(self) -> Any:
        options = {key: value for key, value in self._options.items() if key.startswith("ssl_")}
        return SSLConnection(**options).ssl_context.get() if options else self._context.tls()


async def _connect(connection: _Connection, context: Context) -> float:
    with within(context) as watch:
        watch.begin("connect and login")
        began = time.perf_counter()
        await connection.connect()  # type: ignore[no-untyped-call]
        return (time.perf_counter() - began) * 1000


async def _ping(connection: _Connection) -> None:
    await connection.send_command("PING")
    if (answer := await connection.read_response()) != "PONG":
        raise ProbeError("protocol", f"PING was answered {str(answer)[:_SHOWN]!r}")


async def _permitted(connection: _Connection, context: Context, *command: str) -> Any:
    """Return the answer, or the ResponseError: managed servers withhold commands."""
    with within(context):
        await connection.send_command(*command)
        try:
            return await connection.read_response()
        except ResponseError as error:
            return error


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Name the errors that only the server's text tells apart."""
    try:
        yield
    except NoPermissionError:
        raise
    except ResponseError as error:
        raise ProbeError("protocol", f"the server answered: {str(error)[:_SHOWN]}") from error
    except RedisConnectionError as error:
        if "max number of clients" in str(error):
            raise ProbeError("refused", "the server has no client connection left") from error
        raise
