"""How a Postgres answers: connect and query time, version and its end of life, connections left."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import cast
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg

from readiness.failure import ProbeError
from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._connection import within
from readiness.probes._postgres_wire import Wire
from readiness.probes._sampling import sample

TIER: Tier = "observe"
KINDS = frozenset({"postgres"})
EXCLUSIVE = True
METRICS: Mapping[str, str] = {
    "connected": "true: the service spoke its protocol with us",
    "connect_ms": "ms: TCP connect, TLS and login of one connection",
    "p50_ms": "ms: median of SELECT 1 on that connection",
    "p95_ms": "ms: 95th percentile of SELECT 1",
    "version": "version of the server",
    "major": "major version of the server",
    "end_of_life": "ISO date of the last release of that major version",
    "days_to_end_of_life": "days: until that date, negative after it",
    "connections_used": "count: client connections open, ours not counted",
    "connections_max": "count: connections open to ordinary roles at most",
    "connections_ratio": "ratio 0..1: connections_used of connections_max",
    "tls": "true or false: our connection is encrypted",
    "read_only": "true or false: our session cannot write",
    "in_recovery": "true or false: the server is a standby or still recovering",
}

END_OF_LIFE: Mapping[int, date] = MappingProxyType(
    {
        9: date(2021, 11, 11),
        10: date(2022, 11, 10),
        11: date(2023, 11, 9),
        12: date(2024, 11, 21),
        13: date(2025, 11, 13),
        14: date(2026, 11, 12),
        15: date(2027, 11, 11),
        16: date(2028, 11, 9),
        17: date(2029, 11, 8),
        18: date(2030, 11, 14),
    }
)
"""Major version -> its final release (https://www.postgresql.org/support/versioning/)."""

_MOST_SAMPLES = 200
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

_STATE = """
SELECT current_setting('max_connections')::int
       - current_setting('superuser_reserved_connections')::int
       - coalesce(current_setting('reserved_connections', true)::int, 0) AS connections_max,
       (SELECT count(*) FROM pg_stat_activity
        WHERE pid <> pg_backend_pid()
          AND coalesce(backend_type = 'client backend',
                       datid IS NOT NULL AND usesysid IS NOT NULL)) AS connections_used,
       current_setting('transaction_read_only') = 'on' AS read_only,
       pg_is_in_recovery() AS in_recovery
"""
"""A role without pg_read_all_stats sees no backend_type of others, but whose and where they are."""


class _Connection(asyncpg.Connection):
    __slots__ = ()
    _transport: asyncio.Transport

    @property
    def encrypted(self) -> bool:
        return self._transport.get_extra_info("sslcontext") is not None


class Settings(ProbeSettings):
    """Nothing to set: everything is in the service's URL."""


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Connect once with a read-only session, sample `SELECT 1`, read the server's own figures."""
    async with _session(service.url.get_secret_value(), context) as (connection, connect_ms):
        values: Values = {"connected": True, "connect_ms": connect_ms, "tls": connection.encrypted}
        n = min(context.samples, _MOST_SAMPLES)
        values |= await sample(lambda: connection.execute("SELECT 1"), n, context)
        values |= _version(connection, datetime.now(UTC).date())
        values |= await _state(connection, context)
        return values


@contextlib.asynccontextmanager
async def _session(url: str, context: Context) -> AsyncIterator[tuple[_Connection, float]]:
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


async def _begin(connection: _Connection, guards: Mapping[str, str], context: Context) -> None:
    settings = "; ".join(
        f"SET LOCAL {name} = {value}"
        for name, value in guards.items()
        if name != "default_transaction_read_only"
    )
    with within(context):
        await connection.execute(f"BEGIN TRANSACTION READ ONLY; {settings}")


async def _connect(
    url: str, guards: Mapping[str, str], wire: Wire, context: Context
) -> tuple[_Connection, float]:
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
                connection_class=_Connection,
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


def _version(connection: _Connection, today: date) -> Values:
    major = connection.get_server_version().major
    shown = str(connection.get_settings().server_version)[:_SHOWN]
    values: Values = {"version": shown.partition(" ")[0], "major": major}
    if ends := END_OF_LIFE.get(major):
        return values | {
            "end_of_life": ends.isoformat(),
            "days_to_end_of_life": (ends - today).days,
        }
    because = f"the end of life of Postgres {major} is not known"
    return values | {"end_of_life_because": because, "days_to_end_of_life_because": because}


async def _state(connection: _Connection, context: Context) -> Values:
    with within(context):
        row = await connection.fetchrow(_STATE)
    assert row is not None, "a SELECT without FROM has one row"
    values: Values = dict(row)
    if row["connections_max"] > 0:
        values["connections_ratio"] = row["connections_used"] / row["connections_max"]
    else:
        values["connections_ratio_because"] = "every connection is reserved for superusers"
    return values
