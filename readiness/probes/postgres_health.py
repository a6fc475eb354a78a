"""How a Postgres answers: connect and query time, version and its end of life, connections left."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime
from types import MappingProxyType

import asyncpg

from readiness.estimate import quantile
from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._connection import within
from readiness.probes._load import too_few
from readiness.probes._postgres_platform import platform
from readiness.probes._postgres_session import Connection, connect_ms, session
from readiness.probes._sampling import sample

TIER: Tier = "observe"
KINDS = frozenset({"postgres"})
EXCLUSIVE = True
METRICS: Mapping[str, str] = {
    "connected": "true: the service spoke its protocol with us",
    "connect_ms": "ms: median of TCP connect, TLS and login, one connection after another",
    "connect_p95_ms": "ms: 95th percentile of the same",
    "p50_ms": "ms: median of SELECT 1 on that connection",
    "p95_ms": "ms: 95th percentile of SELECT 1",
    "looks": "count: how often these samples were looked at, to end if they decide",
    "version": "version of the server",
    "major": "major version of the server",
    "end_of_life": "ISO date of the last release of that major version",
    "days_to_end_of_life": "days: until that date, negative after it",
    "connections_used": "count: client connections open, ours not counted",
    "connections_max": "count: connections open to ordinary roles at most",
    "connections_ratio": "ratio 0..1: connections_used of connections_max",
    "connections_active": "count: of those used, at work on a query",
    "connections_idle": "count: of those used, waiting for their client",
    "connections_idle_in_transaction": "count: of those used, waiting inside a transaction",
    "connections_aborted": "count: of those used, waiting inside a transaction that has failed",
    "tls": "true or false: our connection is encrypted",
    "read_only": "true or false: our session cannot write",
    "in_recovery": "true or false: the server is a standby or still recovering",
    "pooler": "the pooler our connection goes through, none if there is none to be seen",
    "platform": "the managed service that runs it, self-managed if none is recognised",
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
_MOST_CONNECTS = 72
"""What a p95 needs: each costs the server a process."""
_SHARE = 0.25
"""Of the time left to the deadline, the part that connecting again may take."""
_SHOWN = 100

_STATE = """
SELECT current_setting('max_connections')::int
       - current_setting('superuser_reserved_connections')::int
       - coalesce(current_setting('reserved_connections', true)::int, 0) AS connections_max,
       count(pid) AS connections_used,
       count(*) FILTER (WHERE state IN ('active', 'fastpath function call')) AS active,
       count(*) FILTER (WHERE state = 'idle') AS idle,
       count(*) FILTER (WHERE state = 'idle in transaction') AS idle_in_transaction,
       count(*) FILTER (WHERE state = 'idle in transaction (aborted)') AS aborted,
       current_setting('transaction_read_only') = 'on' AS read_only,
       pg_is_in_recovery() AS in_recovery
FROM (SELECT 1) AS always LEFT JOIN pg_stat_activity
  ON pid <> pg_backend_pid()
 AND coalesce(backend_type = 'client backend', datid IS NOT NULL AND usesysid IS NOT NULL)
"""
"""A role without pg_read_all_stats sees no backend_type of others, but whose and where they are."""

_PLAIN = ("connections_max", "connections_used", "read_only", "in_recovery")
_STATES = ("active", "idle", "idle_in_transaction", "aborted")


class Settings(ProbeSettings):
    """Nothing to set: everything is in the service's URL."""


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Sample `SELECT 1` in a read-only session, read the server's own figures, connect again.

    There is one connection at any time.
    """
    url = service.url.get_secret_value()
    async with session(url, context) as (connection, first_ms):
        values: Values = {
            "connected": True,
            "tls": connection.encrypted,
            "pooler": connection.pooler or "none",
        }
        n = min(context.samples, _MOST_SAMPLES)
        values |= await sample(lambda: connection.execute("SELECT 1"), n, context)
        values |= _version(connection, datetime.now(UTC).date())
        values |= await _state(connection, context)
        values |= await platform(connection, context)
        pooled = connection.pooled
    return values | await _connects(url, pooled, first_ms, context)


async def _connects(url: str, pooled: bool, first_ms: float, context: Context) -> Values:
    """Time the connections after the first, which looked up the name and read certificates."""
    clock = asyncio.get_running_loop().time
    began = clock()
    give_up = began + _SHARE * (context.deadline - began)
    samples: list[float] = []
    why = ""
    while len(samples) < min(context.samples, _MOST_CONNECTS) and not why:
        if clock() + max(first_ms, *samples, 0) / 1000 > give_up:
            break
        try:
            samples.append(await connect_ms(url, context, pooled=pooled))
        except asyncpg.TooManyConnectionsError:
            why = "; every connection is taken"
    values: Values = {
        "connect_ms": (p50 := quantile(samples, 0.5, context.sides("connect_ms"))),
        "connect_p95_ms": (p95 := quantile(samples, 0.95, context.sides("connect_p95_ms"))),
    }
    if p50.value is None:
        values["connect_ms_because"] = too_few(len(samples), 50, "connections") + why
    if p95.value is None:
        values["connect_p95_ms_because"] = too_few(len(samples), 95, "connections") + why
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
    assert row is not None, "what is joined to one row has one"
    values: Values = {name: row[name] for name in _PLAIN}
    if row["connections_max"] > 0:
        values["connections_ratio"] = row["connections_used"] / row["connections_max"]
    else:
        values["connections_ratio_because"] = "every connection is reserved for superusers"
    hidden = row["connections_used"] - sum(row[state] for state in _STATES)
    for name in (f"connections_{state}" for state in _STATES):
        values[name] = row[name.removeprefix("connections_")]
        if hidden:
            values[f"{name}_because"] = f"{hidden} of {row['connections_used']} hide their state"
    return values
