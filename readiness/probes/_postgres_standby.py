"""A standby's own figures -> whether it receives, how far its replay is behind, its conflicts."""

import asyncio
from collections.abc import Mapping
from typing import Any

from readiness.measurement import Values
from readiness.probes._postgres_part import NOT_TESTED, Reader

METRICS: Mapping[str, str] = {
    "receiver_expected": "true or false: a standby that streams (primary_conninfo is set)",
    "receiver_streaming": "true or false: the standby's WAL receiver is streaming",
    "own_lag_known": "true or false: a standby that can tell how far it is behind",
    "own_lag_bytes": "bytes: WAL that the standby knows of and has not replayed",
    "own_lag_ms": "ms: age of the last transaction that the standby replayed, less "
    "recovery_min_apply_delay; 0 if it has replayed all that it knows of",
    "conflict_ratio": "ratio 0..1: queries that replay cancelled, of the standby's transactions",
}

_STANDBY = """
SELECT pg_wal_lsn_diff(greatest(pg_last_wal_receive_lsn(), r.latest_end_lsn), '0/0') AS known,
    pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0') AS replayed,
    (extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000)::float8 AS ms,
    (SELECT setting::float8 FROM pg_settings WHERE name = 'recovery_min_apply_delay') AS delay_ms,
    (SELECT setting <> '' FROM pg_settings WHERE name = 'primary_conninfo') AS follows,
    pg_is_wal_replay_paused() AS paused, r.pid IS NOT NULL AS receives, r.status,
    current_setting('wal_block_size')::int8 AS page
FROM (SELECT) AS one LEFT JOIN pg_stat_wal_receiver r ON true
"""
"""A role without pg_read_all_stats sees that there is a receiver, not what it is doing."""

_CONFLICTS = """
SELECT sum(c.confl_tablespace + c.confl_lock + c.confl_snapshot + c.confl_bufferpin
           + c.confl_deadlock)::int8 AS conflicts,
    sum(d.xact_commit + d.xact_rollback)::int8 AS transactions
FROM pg_stat_database_conflicts c JOIN pg_stat_database d ON d.datid = c.datid
"""

_SECOND_LOOK = 0.25
_RECORD_PAGES = 4
"""Of WAL, what one record may well take: those of an index that splits hold pages in full."""


async def read(reader: Reader) -> Values:
    """Return what a standby can tell of itself."""
    seen = ("receiver_expected", "own_lag_known")
    return {
        **await reader.part(seen, lambda: _receiver(reader)),
        **await reader.part(["conflict_ratio"], lambda: _conflicts(reader)),
    }


async def _receiver(reader: Reader) -> Values:
    first = await reader.row(_STANDBY)
    expected = first["follows"] is not False
    values: Values = {"receiver_expected": expected, "own_lag_known": True}
    if expected:
        values |= _streaming(first)
    if not first["receives"]:
        why = "not connected to its primary" if expected else "WAL comes from an archive"
        told = f"{NOT_TESTED}{why}, so how far it is behind is known there only"
        return values | {"own_lag_known": False, "own_lag_known_because": told}
    return values | await _lag(reader, first)


def _streaming(state: Any) -> Values:
    if not state["receives"] and state["follows"] is None:
        why = "no permission to see primary_conninfo: GRANT pg_monitor"
        return {"receiver_streaming_because": f"{NOT_TESTED}{why}"}
    if state["receives"] and state["status"] is None:
        why = "no permission to see what the WAL receiver does: GRANT pg_monitor"
        return {"receiver_streaming_because": f"{NOT_TESTED}{why}"}
    streaming = state["status"] == "streaming"
    doing = str(state["status"])[:20] if state["receives"] else "not running"
    return {
        "receiver_streaming": streaming,
        "receiver_streaming_because": f"the WAL receiver is {doing}",
    }


async def _lag(reader: Reader, first: Any) -> Values:
    """Look twice: what was known a moment ago and is replayed by now is no lag to speak of.

    The age of the last transaction alone would grow for as long as the primary is idle.
    """
    behind = max(0, int(first["known"] or 0) - int(first["replayed"] or 0))
    if not behind:
        return {"own_lag_bytes": 0, "own_lag_ms": 0.0}
    await asyncio.sleep(_SECOND_LOOK)
    state = await reader.row(_STANDBY)
    values: Values = {"own_lag_bytes": max(0, int(state["known"]) - int(state["replayed"]))}
    if state["paused"]:
        values |= {f"own_lag_{unit}_because": "replay is paused" for unit in ("bytes", "ms")}
    if state["replayed"] >= first["known"]:
        return values | {"own_lag_ms": _SECOND_LOOK * 1000}
    if _is_unfinished(first, state):
        because = "what is not replayed is a record whose end the primary has not sent"
        return values | {"own_lag_ms": 0.0, "own_lag_ms_because": because}
    if state["ms"] is None:
        return values | {"own_lag_ms_because": f"{NOT_TESTED}no transaction was replayed yet"}
    return values | {"own_lag_ms": max(0.0, state["ms"] - (state["delay_ms"] or 0))}


def _is_unfinished(first: Any, state: Any) -> bool:
    """Whether all that waits is the beginning of one record, which nobody can replay.

    What no commit waits for, a primary writes and sends by whole pages only, so that the record at
    the end of a page stays cut in two until something else is written.
    """
    still = (first["known"], first["replayed"]) == (state["known"], state["replayed"])
    whole_pages = int(state["known"]) % state["page"] == 0
    short = state["known"] - state["replayed"] < _RECORD_PAGES * state["page"]
    return bool(still and whole_pages and short and not state["paused"])


async def _conflicts(reader: Reader) -> Values:
    """Both counters begin at the same time, so that their ratio needs no duration."""
    row = await reader.row(_CONFLICTS)
    conflicts, transactions = int(row["conflicts"] or 0), int(row["transactions"] or 0)
    ratio = min(1.0, conflicts / max(1, transactions))
    because = f"{conflicts:,} queries cancelled in {transactions:,} transactions"
    return {"conflict_ratio": ratio, "conflict_ratio_because": because}
