"""How a Postgres answers: connect and query time, version and its end of life, connections left."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from types import MappingProxyType

from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._connection import within
from readiness.probes._postgres_session import Connection, session
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


class Settings(ProbeSettings):
    """Nothing to set: everything is in the service's URL."""


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Connect once with a read-only session, sample `SELECT 1`, read the server's own figures."""
    async with session(service.url.get_secret_value(), context) as (connection, connect_ms):
        values: Values = {"connected": True, "connect_ms": connect_ms, "tls": connection.encrypted}
        n = min(context.samples, _MOST_SAMPLES)
        values |= await sample(lambda: connection.execute("SELECT 1"), n, context)
        values |= _version(connection, datetime.now(UTC).date())
        values |= await _state(connection, context)
        return values


def _version(connection: Connection, today: date) -> Values:
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


async def _state(connection: Connection, context: Context) -> Values:
    with within(context):
        row = await connection.fetchrow(_STATE)
    assert row is not None, "a SELECT without FROM has one row"
    values: Values = dict(row)
    if row["connections_max"] > 0:
        values["connections_ratio"] = row["connections_used"] / row["connections_max"]
    else:
        values["connections_ratio_because"] = "every connection is reserved for superusers"
    return values
