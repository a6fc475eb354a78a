"""What a Postgres database does in a short window: cache hits, rollbacks, deadlocks, spills."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field

from readiness.inventory import Service, Tier
from readiness.inventory.duration import Duration
from readiness.measurement import Values
from readiness.probes import PROBE_SECONDS, Context, ProbeSettings
from readiness.probes._connection import within
from readiness.probes._postgres_session import Connection, session

TIER: Tier = "observe"
KINDS = frozenset({"postgres"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "window_seconds": "seconds between the two readings",
    "transactions_per_second": "1/s: transactions ended in the window",
    "blocks_read_enough": "true or false: enough blocks were asked for in the window to judge",
    "cache_hit_ratio": "ratio 0..1: of the blocks asked for in the window, found in shared_buffers",
    "lifetime_cache_hit_ratio": "ratio 0..1: the same since the statistics began",
    "transactions_enough": "true or false: enough transactions ended in the window to judge",
    "rollback_ratio": "ratio 0..1: of the transactions that ended in the window, rolled back",
    "lifetime_rollback_ratio": "ratio 0..1: the same since the statistics began",
    "deadlocks": "count: deadlocks in the window",
    "deadlocks_total": "count: deadlocks since the statistics began",
    "deadlocks_per_day": "1/day: the same, over a day at least",
    "temp_files": "count: files that queries spilled to in the window",
    "temp_bytes": "bytes: spilled in the window",
    "temp_bytes_per_second": "bytes/s: the same",
    "statistics_since": "ISO time since which the server counts, where it tells",
}

_FEWEST_BLOCKS = 5000
_FEWEST_TRANSACTIONS = 200
_DAY = timedelta(days=1)
_COUNTERS = (
    *("xact_commit", "xact_rollback", "blks_read", "blks_hit"),
    *("temp_files", "temp_bytes", "deadlocks"),
)

_READING = f"""
SELECT {", ".join(f"{counter}::bigint" for counter in _COUNTERS)}, stats_reset,
       clock_timestamp() AS at, pg_postmaster_start_time() AS started,
       current_setting('track_counts') = 'on' AS counted
FROM pg_stat_database WHERE datname = current_database()
"""

Reading = Mapping[str, Any]


class Settings(ProbeSettings):
    """How long to watch."""

    window: Annotated[
        Duration, Field(gt=0, le=60, description="time between the two readings, as in 10s")
    ] = 2.0

    @property
    def at_most_seconds(self) -> float:
        """The window comes on top of what the readings take."""
        return PROBE_SECONDS + self.window


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Read the counters of the database that the URL names, wait, and read them again.

    A session's own counts are not told before its first transaction has ended, and then once a
    second; so one reading more comes first, and what connecting cost is not in the window.
    """
    async with session(service.url.get_secret_value(), context) as (connection, _):
        await _read(connection, context)
        before = await _read(connection, context)
        await _wait(settings.window, connection, context)
        after = await _read(connection, context)
    if not before["counted"]:
        return _untold("not tested: the server counts nothing; set track_counts = on")
    grown = {counter: after[counter] - before[counter] for counter in _COUNTERS}
    if min(grown.values()) < 0 or before["stats_reset"] != after["stats_reset"]:
        return _untold("not tested: the statistics were reset meanwhile")
    seconds = max((after["at"] - before["at"]).total_seconds(), 1e-3)
    return {
        "window_seconds": seconds,
        **_cache(grown, after),
        **_transactions(grown, after, seconds),
        **_deadlocks(grown, after),
        "temp_files": grown["temp_files"],
        "temp_bytes": grown["temp_bytes"],
        "temp_bytes_per_second": grown["temp_bytes"] / seconds,
    }


async def _read(connection: Connection, context: Context) -> Reading:
    """Read anew: within a transaction, the server shows what it showed first."""
    with within(context):
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        reading = await connection.fetchrow(_READING)
    assert reading is not None, "the database that we are connected to exists"
    return dict(reading)


async def _wait(seconds: float, connection: Connection, context: Context) -> None:
    """Let the window pass, and in a transaction say something in time not to be thrown out."""
    loop = asyncio.get_running_loop()
    ends = min(loop.time() + seconds, context.deadline - context.timeout)
    while (left := ends - loop.time()) > 0:
        await asyncio.sleep(min(left, context.timeout / 2))
        if connection.pooled:
            with within(context):
                await connection.execute("SELECT 1")


def _cache(grown: Reading, total: Reading) -> Values:
    asked = grown["blks_hit"] + grown["blks_read"]
    values: Values = {"blocks_read_enough": asked >= _FEWEST_BLOCKS}
    if asked >= _FEWEST_BLOCKS:
        values["cache_hit_ratio"] = grown["blks_hit"] / asked
        values["cache_hit_ratio_because"] = f"{grown['blks_read']} of {asked} blocks were read"
    else:
        because = f"{asked} blocks were asked for while we watched, {_FEWEST_BLOCKS} say something"
        values["blocks_read_enough_because"] = because
    if since := total["blks_hit"] + total["blks_read"]:
        values["lifetime_cache_hit_ratio"] = total["blks_hit"] / since
    return values


def _transactions(grown: Reading, total: Reading, seconds: float) -> Values:
    ended = grown["xact_commit"] + grown["xact_rollback"]
    values: Values = {
        "transactions_per_second": ended / seconds,
        "transactions_enough": ended >= _FEWEST_TRANSACTIONS,
    }
    if ended >= _FEWEST_TRANSACTIONS:
        values["rollback_ratio"] = grown["xact_rollback"] / ended
        because = f"{grown['xact_rollback']} of {ended} transactions were rolled back"
        values["rollback_ratio_because"] = because
    else:
        because = f"{ended} transactions ended while we watched, {_FEWEST_TRANSACTIONS} are needed"
        values["transactions_enough_because"] = because
    if since := total["xact_commit"] + total["xact_rollback"]:
        values["lifetime_rollback_ratio"] = total["xact_rollback"] / since
    return values


def _deadlocks(grown: Reading, total: Reading) -> Values:
    """Return deadlocks now and per day.

    Since Postgres 15 counting has no beginning until it is reset. The server's start stands in
    for it, which may be later, so that the rate is rather too high than too low.
    """
    n, reset = total["deadlocks"], total["stats_reset"]
    since: datetime = reset or total["started"]
    days = max(total["at"] - since, _DAY) / _DAY
    values: Values = {
        "deadlocks": grown["deadlocks"],
        "deadlocks_total": n,
        "deadlocks_per_day": n / days,
    }
    if reset:
        values["statistics_since"] = reset.isoformat(timespec="seconds")
    if n:
        since_when = "since the last reset" if reset else "so far, taken for those since the start"
        values["deadlocks_per_day_because"] = f"{n} deadlocks in {days:.1f} days ({since_when})"
    if grown["deadlocks"]:
        values["deadlocks_because"] = f"{grown['deadlocks']} while we watched"
    return values


def _untold(because: str) -> Values:
    told = ("cache_hit_ratio", "rollback_ratio", "deadlocks", "deadlocks_per_day")
    flags = ("blocks_read_enough", "transactions_enough")
    return {f"{metric}_because": because for metric in (*told, *flags)}
