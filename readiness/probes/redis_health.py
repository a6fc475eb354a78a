"""How a Redis or Valkey answers: PING time, memory of its limit, eviction, persistence, role."""

import time
from collections.abc import Mapping

from redis.exceptions import ResponseError

from readiness.failure import ProbeError
from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings, _redis_info
from readiness.probes._connection import within
from readiness.probes._redis_connection import MISCONF, SHOWN, Session, session
from readiness.probes._sampling import sample

TIER: Tier = "observe"
KINDS = frozenset({"redis"})
EXCLUSIVE = True
METRICS: Mapping[str, str] = {
    "connected": "true: the service spoke its protocol with us",
    "connect_ms": "ms: TCP connect, TLS and login of one connection",
    "p50_ms": "ms: median of PING on that connection",
    "p95_ms": "ms: 95th percentile of PING",
    "p99_ms": "ms: 99th percentile of PING",
    "looks": "count: how often these samples were looked at, to end if they decide",
    "version": "version of the server",
    "server": "redis or valkey",
    "holds_data": "true or false: it keeps keys; false for a sentinel",
    "memory_bytes": "bytes: memory in use by the data and the server",
    "maxmemory_bytes": "bytes: the limit of that memory, 0 for none",
    "maxmemory_set": "true or false: there is a limit",
    "memory_ratio": "ratio 0..1: memory_bytes of maxmemory_bytes",
    "fills_up": "true or false: at maxmemory it refuses writes where it may evict no key",
    "eviction_policy": "what happens at the limit (maxmemory-policy)",
    "persistence": "true or false: snapshots or the append-only file are on",
    "last_save_ok": "true or false: the last snapshot and the last append succeeded",
    "role": "master or slave, as the server says it",
}

_EACH = 5
"""PINGs for each sample asked for, where they are quick: a p99 wants many, and they are cheap."""
_SECONDS = 2.0
"""What those beyond the samples asked for may take."""
_MOST_SAMPLES = 2000


class Settings(ProbeSettings):
    """Nothing to set: everything is in the service's URL."""


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Connect once, sample PING, read INFO; sends nothing else but AUTH and CONFIG GET save."""
    async with session(service.url.get_secret_value(), context) as connection:
        values: Values = {"connected": True, "connect_ms": connection.connect_ms}
        n = await _enough(connection, context)
        values |= await sample(lambda: _ping(connection), n, context, percentiles=(50, 95, 99))
        info = await connection.ask("INFO")
        snapshots = await connection.ask("CONFIG", "GET", "save")
        return values | _redis_info.values(info, snapshots)


async def _enough(connection: Session, context: Context) -> int:
    """Return how many PINGs to sample, by how quick the quickest of a few is."""
    quickest = _SECONDS
    for _ in range(3):
        with within(context):
            began = time.perf_counter()
            await _ping(connection)
            quickest = min(quickest, time.perf_counter() - began)
    quick = max(context.samples, int(_SECONDS / quickest))
    return min(_EACH * context.samples, quick, _MOST_SAMPLES)


async def _ping(connection: Session) -> None:
    try:
        answer = await connection.exchange("PING")
    except ResponseError as error:
        if not str(error).startswith(MISCONF):
            raise
        return  # an answer like any other: it refuses writes, which redis_persistence tells of
    if answer != "PONG":
        raise ProbeError("protocol", f"PING was answered {str(answer)[:SHOWN]!r}")
