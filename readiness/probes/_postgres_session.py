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


class Connection(asyncpg.Connection):
    """A connection that knows whether it is encrypted."""

    __slots__ = ()
    _transport: asyncio.Transport

    @property
    def encrypted(self) -> bool:
        """Whether TLS protects it."""
        return self._transport.get_extra_info("sslcontext") is not None


@contextlib.asynccontextmanager
async def session(url: str, context: Context) -> AsyncIterator[tuple[Connection, float]]:
    """Yield a read-only connection and the ms it took; nothing of it outlives the context."""
    limit = str(max(1, int(context.timeout * 1000)))
    guards = {
        "default_transaction_read_only": "on",
        "statement_timeout": limit,
        "lock_timeout": limit,
        "idle_in_transaction_session_timeout": limit,
    }
    wire = Wire(context)
    with _vetted(wire):
        try:
            connection, ms = await _connect(url, guards, wire, context)
            pooled = False
        except (asyncpg.ProtocolViolationError, asyncpg.FeatureNotSupportedError):
            # A pooler such as PgBouncer takes no session settings, and a SET would stay behind in
            # a session that others use after us: one read-only transaction holds them instead.
            connection, ms = await _connect(url, {}, wire, context)
            pooled = True
        try:
            if pooled:
                await _begin(connection, guards, context)
            yield connection, ms
            with within(context):
                if pooled:
                    await connection.execute("ROLLBACK")
                await connection.close()
        finally:
            if not connection.is_closed():
                connection.terminate()


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
        await connection.execute(f"BEGIN TRANSACTION READ ONLY; {settings}")


async def _connect(
    url: str, guards: Mapping[str, str], wire: Wire, context: Context
) -> tuple[Connection, float]:
    with within(context) as watch:
        watch.begin("connect and login")
        began = time.perf_counter()
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
