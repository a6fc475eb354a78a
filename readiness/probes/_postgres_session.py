"""The URL of a Postgres, or of a pooler in front of one -> a read-only, bounded session."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import cast
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg

from readiness.failure import ProbeError
from readiness.probes import Context
from readiness.probes._connection import within
from readiness.probes._postgres_wire import Wire

_SHOWN = 100
_BEGIN = "BEGIN TRANSACTION READ ONLY"
_PAUSES = (0.05, 0.1, 0.2)
"""Seconds until our own connection before is gone for certain."""
_PGBOUNCER_SAYS = "unsupported startup parameter"

_CONNECTION_KEYS = frozenset(
    {
        *("host", "port", "dbname", "database", "user", "password", "passfile", "options"),
        *("sslmode", "sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl"),
        *("ssl_min_protocol_version", "ssl_max_protocol_version", "sslnegotiation"),
        *("krbsrvname", "gsslib"),
    }
)
"""Of a URL's query, what it takes to connect. The rest (`connect_timeout`, Prisma's `schema`)
tunes the application's driver, and the server would refuse it as an unknown setting."""


_LOGINS = {3: "password", 5: "md5", 7: "gss", 9: "sspi", 10: "scram-sha-256"}
"""Code of an authentication message -> the method of pg_hba.conf (protocol 3.0, message R)."""


class Connection(asyncpg.Connection):
    """A connection that knows how it came about."""

    __slots__ = ("login", "pooled", "pooler", "wire")
    _transport: asyncio.Transport
    wire: Wire
    login: str
    """How the server had us prove who we are: scram-sha-256, md5, password, gss, sspi or none."""
    pooled: bool
    """Whether all is one read-only transaction, since a pooler shares the session with others."""
    pooler: str
    """The pooler by what it says, empty where there is none to be seen."""

    @property
    def encrypted(self) -> bool:
        """Whether TLS protects it."""
        return self._transport.get_extra_info("sslcontext") is not None

    @property
    def peer(self) -> str:
        """The server's numeric address, empty for a Unix socket."""
        peer = self._transport.get_extra_info("peername")
        return str(peer[0]) if isinstance(peer, tuple) else ""


@contextlib.asynccontextmanager
async def session(url: str, context: Context) -> AsyncIterator[tuple[Connection, float]]:
    """Yield a read-only connection and the ms it took; nothing of it outlives the context."""
    guards = _guards(context)
    wire = Wire(context)
    with _vetted(wire):
        try:
            connection, ms = await _admitted(url, guards, wire, context)
            pooler = ""
        except (asyncpg.ProtocolViolationError, asyncpg.FeatureNotSupportedError) as error:
            # A pooler such as PgBouncer takes no session settings, and a SET would stay behind in
            # a session that others use after us: one read-only transaction holds them instead.
            connection, ms = await _admitted(url, {}, wire, context)
            pooler = "PgBouncer" if _PGBOUNCER_SAYS in str(error) else "one that takes no settings"
        try:
            if not pooler and not await _holds(connection, context):
                pooler = "one that ignores settings"
            connection.pooler, connection.pooled = pooler, bool(pooler)
            if connection.pooled:
                await _begin(connection, guards, context)
            yield connection, ms
            await _close(connection, context)
        except asyncpg.InterfaceError as error:  # it went away while nothing was asked of it
            if not connection.is_closed():
                raise
            raise ProbeError("reset", "connection closed while in use") from error
        finally:
            if not connection.is_closed():
                connection.terminate()


async def connect_ms(url: str, context: Context, *, pooled: bool) -> float:
    """Connect and log in once more, with the same settings; return the ms it took."""
    wire = Wire(context)
    with _vetted(wire):
        guards = {} if pooled else _guards(context)
        connection, ms = await _admitted(url, guards, wire, context)
        connection.pooled = False
        try:
            await _close(connection, context)
        finally:
            if not connection.is_closed():
                connection.terminate()
    return ms


@contextlib.asynccontextmanager
async def apart(connection: Connection, context: Context) -> AsyncIterator[None]:
    """Let statements within fail, and set what they like, without a trace in what follows."""
    with within(context):
        await connection.execute("SAVEPOINT apart" if connection.pooled else _BEGIN)
    try:
        yield
    finally:
        if not connection.is_closed():
            undo = "ROLLBACK TO apart" if connection.pooled else "ROLLBACK"
            with within(context):
                await connection.execute(undo)


def _guards(context: Context) -> Mapping[str, str]:
    limit = str(max(1, int(context.timeout * 1000)))
    return {
        "default_transaction_read_only": "on",
        "statement_timeout": limit,
        "lock_timeout": limit,
        "idle_in_transaction_session_timeout": limit,
    }


async def _holds(connection: Connection, context: Context) -> bool:
    """Whether the session's settings are in force: PgBouncer may be told to ignore them."""
    told = getattr(connection.get_settings(), "default_transaction_read_only", None)
    if told is None:  # reported by itself since Postgres 14
        with within(context):
            told = await connection.fetchval("SHOW default_transaction_read_only")
    return bool(told == "on")


async def _close(connection: Connection, context: Context) -> None:
    with within(context):
        if connection.pooled:
            await connection.execute("ROLLBACK")
        await connection.close()


@contextlib.contextmanager
def _vetted(wire: Wire) -> Iterator[None]:
    """Say why the connection ended, where asyncpg only sees that it is gone."""
    try:
        yield
    except (asyncpg.PostgresError, OSError) as error:
        if wire.fault:
            raise wire.fault from error
        if isinstance(error, asyncpg.ConnectionDoesNotExistError):
            raise ProbeError("reset", "connection closed while in use") from error
        raise


async def _begin(connection: Connection, guards: Mapping[str, str], context: Context) -> None:
    settings = "; ".join(
        f"SET LOCAL {name} = {value}"
        for name, value in guards.items()
        if name != "default_transaction_read_only"
    )
    with within(context):
        await connection.execute(f"{_BEGIN}; {settings}")


async def _admitted(
    url: str, guards: Mapping[str, str], wire: Wire, context: Context
) -> tuple[Connection, float]:
    """Connect; where every connection is taken, ask again: one of them may be our last.

    The server lets go of a connection some time after it was closed.
    """
    for pause in _PAUSES:
        try:
            return await _connect(url, guards, wire, context)
        except asyncpg.TooManyConnectionsError:
            await asyncio.sleep(pause)
    return await _connect(url, guards, wire, context)


async def _connect(
    url: str, guards: Mapping[str, str], wire: Wire, context: Context
) -> tuple[Connection, float]:
    with within(context) as watch:
        watch.begin("connect and login")
        began = time.perf_counter()
        wire.asked.clear()
        with _explained(url):
            connection = await asyncpg.connect(
                _dsn(url),
                loop=cast(asyncio.AbstractEventLoop, wire),
                ssl=_tls(url, context),
                timeout=2 * context.timeout,  # never reached: `within` bounds the whole
                statement_cache_size=0,  # poolers hand the next statement to another session
                connection_class=Connection,
                server_settings={"application_name": "readiness", **guards},
            )
        asked = [code for code in wire.asked if code in _LOGINS]
        connection.wire = wire
        connection.login = _LOGINS[asked[-1]] if asked else "none"
        return connection, (time.perf_counter() - began) * 1000


@contextlib.contextmanager
def _explained(url: str) -> Iterator[None]:
    """Name the failures to connect that only asyncpg's text tells apart."""
    try:
        yield
    except asyncpg.ClientConfigurationError as error:
        why = f"the URL cannot be used: {str(error)[:_SHOWN]}"
        raise ProbeError("probe_bug", why) from error
    except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        why = f"the login cannot be understood: {str(error)[:_SHOWN]}"
        raise ProbeError("protocol", why) from error
    except ConnectionError as error:
        if "rejected SSL upgrade" not in str(error):
            raise
        if _query(url).get("sslmode") in ("require", "verify-ca", "verify-full"):
            why = "the server offers no TLS, which its URL demands"
            raise ProbeError("tls", why) from error
        raise ProbeError("protocol", "the answer is not a Postgres server's") from error


def _query(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def _dsn(url: str) -> str:
    """Return `url` with nothing in its query but what it takes to connect."""
    kept = {key: value for key, value in _query(url).items() if key in _CONNECTION_KEYS}
    return urlsplit(url)._replace(query=urlencode(kept)).geturl()


def _tls(url: str, context: Context) -> ssl.SSLContext | None:
    """Return the run's own context where the system's authorities are to vouch for the server.

    That is `sslmode=verify-full` without a file of authorities, or with libpq's `system`; asyncpg
    makes the context for every other mode itself, as libpq does.
    """
    query = _query(url)
    by_system = query.get("sslrootcert", "system") == "system" and "sslcert" not in query
    return context.tls() if query.get("sslmode") == "verify-full" and by_system else None
