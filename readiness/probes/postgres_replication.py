"""How far the standbys and consumers of a Postgres are behind, and slots that nobody uses."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from readiness.inventory import Service, Tier
from readiness.inventory.duration import Duration
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes import _postgres_standby as standby
from readiness.probes._postgres_part import NOT_TESTED, Reader, culprits, shown
from readiness.probes._postgres_session import session

TIER: Tier = "observe"
KINDS = frozenset({"postgres"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "standby": "true or false: the server replays another one's WAL",
    "has_standbys": "true or false: standbys are connected to the server",
    "standbys": "count: standbys connected to it",
    "standbys_connected": "true or false: as many standbys as the inventory expects",
    "replay_lag_bytes": "bytes: WAL that the standby furthest behind has not replayed",
    "replay_lag_ms": "ms: for how long it has not, 0 if it has all",
    "synchronous": "true or false: commits wait for standbys (synchronous_standby_names)",
    "synchronous_connected": "true or false: as many of those are connected as commits wait for",
    "has_slots": "true or false: there are replication slots",
    "slots_active": "true or false: somebody uses every slot that holds back WAL",
    "slots_kept": "true or false: no slot has lost the WAL that its consumer needs",
    "retained_bytes": "bytes: WAL that the unused slot furthest behind holds back",
    "has_logical_consumers": "true or false: somebody reads a logical slot",
    "logical_lag_bytes": "bytes: WAL that the logical consumer furthest behind has not confirmed",
    "has_subscriptions": "true or false: the database subscribes to publications",
    "subscriptions_working": "true or false: every subscription is enabled and has its worker",
    **standby.METRICS,
}

_MOST = 10_000
"""Rows of one list: all there can be, since one that is cut would hide a bad one at its end."""


class Settings(ProbeSettings):
    """What the inventory expects of replication."""

    standbys: Annotated[
        int | None, Field(ge=0, description="Standbys that must be connected to this server.")
    ] = None
    slot_grace: Annotated[
        Duration, Field(description="How long a slot may go unused (known from Postgres 17 on).")
    ] = 600.0


_STATE = """
SELECT pg_is_in_recovery() AS standby,
    coalesce(current_setting('synchronous_standby_names'), '') AS synchronous,
    pg_has_role('pg_read_all_stats', 'USAGE') AS sees_all,
    (SELECT count(*) FROM pg_stat_replication) AS senders
"""

_SENDERS = f"""
SELECT coalesce(nullif(r.application_name, ''), host(r.client_addr), 'pid ' || r.pid) AS name,
    r.state, r.sync_state,
    greatest(0, pg_wal_lsn_diff(
        CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
        r.replay_lsn))::int8 AS bytes,
    (extract(epoch FROM r.replay_lag) * 1000)::float8 AS ms
FROM pg_stat_replication r
WHERE r.replay_lsn IS NOT NULL AND NOT EXISTS (
    SELECT FROM pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = 'logical')
ORDER BY bytes DESC, 1
LIMIT {_MOST}
"""
"""Whoever only receives WAL, as pg_receivewal does, replays none."""

_SLOTS = f"""
SELECT s.slot_name AS name, s.slot_type, s.active, s.wal_status = 'lost' AS lost,
    pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn)::int8 AS retained,
    pg_wal_lsn_diff(pg_current_wal_lsn(), s.confirmed_flush_lsn)::int8 AS unconfirmed,
    coalesce((to_jsonb(s)->>'inactive_since')::timestamptz
             > now() - $1::float8 * interval '1 second', false) AS just_left
FROM pg_replication_slots s
WHERE NOT s.temporary
ORDER BY retained DESC NULLS LAST, 1
LIMIT {_MOST}
"""

_SUBSCRIPTIONS = f"""
SELECT s.subname AS name, s.subenabled AS enabled, EXISTS (
    SELECT FROM pg_stat_subscription w
    WHERE w.subid = s.oid AND w.relid IS NULL AND w.pid IS NOT NULL) AS works
FROM pg_subscription s
WHERE s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY 1
LIMIT {_MOST}
"""

_PRIMARYS: Mapping[str, bool] = dict.fromkeys(
    ("has_slots", "has_logical_consumers", "has_subscriptions"), False
)
"""What is looked for on a primary only: tools keep slots on standbys that wait for a failover."""

_SECOND_LOOK = 0.25


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Read what the server says of those who follow it, and of the one it follows."""
    async with session(service.url.get_secret_value(), context) as (connection, _):
        reader = Reader(connection, context)
        state = await reader.row(_STATE)
        values: Values = {"standby": state["standby"]}
        seen = ("has_standbys", "standbys_connected", "synchronous_connected")
        values |= await reader.part(seen, lambda: _standbys(reader, state, settings.standbys))
        if state["standby"]:
            return {**values, **_PRIMARYS, **await standby.read(reader)}
        values |= {"receiver_expected": False, "own_lag_known": False}
        slots = ("has_slots", "has_logical_consumers")
        values |= await reader.part(slots, lambda: _slots(reader, settings.slot_grace))
        return values | await reader.part(["has_subscriptions"], lambda: _subscriptions(reader))


async def _standbys(reader: Reader, state: Any, expected: int | None) -> Values:
    wanted = "" if state["standby"] else str(state["synchronous"]).strip()
    values: Values = {"synchronous": bool(wanted)}
    if state["senders"] and not state["sees_all"]:
        why = f"{NOT_TESTED}no permission to see who is connected: GRANT pg_monitor"
        unseen = ("has_standbys", "standbys_connected", "synchronous_connected")
        return values | {f"{metric}_because": why for metric in unseen}
    found = await reader.rows(_SENDERS)
    if any(row["bytes"] and row["ms"] is None for row in found):
        await asyncio.sleep(_SECOND_LOOK)  # a standby that was idle tells its lag with its answer
        found = await reader.rows(_SENDERS)
    values |= {"has_standbys": bool(found), "standbys": len(found)}
    if found:
        values |= _lag(found)
    if expected is not None:
        values["standbys_connected"] = len(found) >= expected
        values["standbys_connected_because"] = f"{len(found)} of {expected} are connected"
    if wanted:
        values |= _synchronous(found, wanted)
    return values


def _lag(found: Sequence[Any]) -> Values:
    """Return the greatest lag of all standbys; what has replayed all has no lag in time."""
    values: Values = {
        "replay_lag_bytes": found[0]["bytes"],
        "replay_lag_bytes_because": f"standby {shown(found[0]['name'])} is {found[0]['state']}",
    }
    late = [row for row in found if row["bytes"]]
    untold = [row for row in late if row["ms"] is None]
    if untold:
        why = f"{culprits(untold)} has not said since when"
        return values | {"replay_lag_ms_because": f"{NOT_TESTED}{why}"}
    worst = max(late, key=lambda row: float(row["ms"]), default=None)
    if worst is None:
        return values | {"replay_lag_ms": 0.0}
    because = f"standby {shown(worst['name'])}"
    return values | {"replay_lag_ms": float(worst["ms"]), "replay_lag_ms_because": because}


def _synchronous(found: Sequence[Any], wanted: str) -> Values:
    """Compare with the number in `FIRST 2 (a, b)`, `ANY 2 (a, b)` or `2 (a, b)`, or one."""
    number = re.match(r"(?:(?:ANY|FIRST)\s+)?(\d{1,4})\s*\(", wanted, re.IGNORECASE)
    needed = int(number[1]) if number else 1
    there = [row for row in found if row["sync_state"] in ("sync", "quorum")]
    return {
        "synchronous_connected": len(there) >= needed,
        "synchronous_connected_because": f"commits wait for {needed} synchronous standby(s), "
        f"and {len(there)} are connected",
    }


async def _slots(reader: Reader, grace: float) -> Values:
    """Tell of slots that hold WAL for nobody, have lost it, or whose reader is slow."""
    found = await reader.rows(_SLOTS, grace)
    values: Values = {"has_slots": bool(found), "has_logical_consumers": False}
    if not found:
        return values
    lost = [row for row in found if row["lost"]]
    idle = [
        row
        for row in found
        if not (row["active"] or row["lost"] or row["just_left"]) and row["retained"] is not None
    ]
    values |= {
        "slots_kept": not lost,
        "slots_active": not idle,
        "retained_bytes": max((max(0, row["retained"]) for row in idle), default=0),
    }
    if lost:
        values["slots_kept_because"] = f"lost: {culprits(lost)}"
    if idle:
        named = [{"name": f"{row['name']} holds {row['retained']:,} bytes"} for row in idle]
        values["slots_active_because"] = f"unused: {culprits(named)}"
    read = [r for r in found if r["active"] and r["slot_type"] == "logical"]
    if read:
        worst = max(read, key=lambda row: int(row["unconfirmed"] or 0))
        values |= {
            "has_logical_consumers": True,
            "logical_lag_bytes": max(0, worst["unconfirmed"] or 0),
            "logical_lag_bytes_because": f"slot {worst['name']}",
        }
    return values


async def _subscriptions(reader: Reader) -> Values:
    """Tell of subscriptions that apply nothing: a worker that fails is restarted every 5 s."""
    found = await reader.rows(_SUBSCRIPTIONS)
    working: set[str] = set()
    if any(row["works"] for row in found):
        await asyncio.sleep(_SECOND_LOOK)  # a worker that fails lives for a moment each time
        working = {row["name"] for row in found if row["works"]}
        found = await reader.rows(_SUBSCRIPTIONS)
        working &= {row["name"] for row in found if row["works"]}
    values: Values = {"has_subscriptions": bool(found)}
    if not found:
        return values
    off = [row for row in found if not row["enabled"]]
    failing = [row for row in found if row["enabled"] and row["name"] not in working]
    told = [f"disabled: {culprits(off)}"] * bool(off)
    told += [f"without a worker: {culprits(failing)}"] * bool(failing)
    values["subscriptions_working"] = not told
    return values | ({"subscriptions_working_because": "; ".join(told)} if told else {})
