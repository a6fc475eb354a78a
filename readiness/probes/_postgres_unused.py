"""Scans counted of each index -> the indexes nobody used, where that can be told.

No catalogue says when an index was made, and one made by this release's migration has not been
scanned yet. Its row's transaction tells, beside one noted by a run long enough ago.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from readiness.measurement import Values
from readiness.probes._postgres_part import MOST_NAMED, NOT_TESTED, OWN, Reader, culprits

METRICS: Mapping[str, str] = {
    "mark_xid": "transaction: the next one when scans began to be watched, for later runs",
    "mark_at": "ISO time of that",
    "next_mark_xid": "transaction: the next one when it was noted last",
    "next_mark_at": "ISO time of that",
}

_STATE = """
SELECT pg_is_in_recovery() AS standby, now() AS now, d.stats_reset,
    EXISTS (SELECT FROM pg_stat_replication)
        OR EXISTS (SELECT FROM pg_replication_slots WHERE slot_type = 'physical') AS replicated,
    CASE WHEN NOT pg_is_in_recovery()
         THEN pg_snapshot_xmax(pg_current_snapshot())::text::int8 END AS xid
FROM pg_stat_database d
WHERE d.datname = current_database()
"""

_NEVER_SCANNED = f"""
SELECT n.nspname || '.' || x.relname AS name, age(x.xmin) AS age
FROM pg_index i
JOIN pg_class x ON x.oid = i.indexrelid AND x.relkind = 'i' AND NOT x.relispartition
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE i.indisvalid AND NOT (i.indisunique OR i.indisexclusion OR i.indisreplident)
  AND NOT i.indisclustered
  AND x.relpages::int8 * current_setting('block_size')::int8 >= $1
  AND pg_stat_get_numscans(i.indexrelid) = 0 AND {OWN}
  AND NOT EXISTS (
      SELECT FROM pg_constraint k
      WHERE k.conrelid = i.indrelid AND k.contype = 'f' AND cardinality(k.conkey) <= i.indnkeyatts
        AND (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey)
ORDER BY x.relpages DESC, 1
LIMIT 10 * {MOST_NAMED}
"""
"""What enforces something or serves a foreign key has its use without any scan."""


async def read(reader: Reader, large: int, days: int) -> Values:
    """Return how many indexes nobody used, or why not; and the marks for the runs to come."""
    state = await reader.row(_STATE)
    if state["standby"]:
        return _untold("a standby counts only its own scans: point this at the primary")
    marks = _marks(reader.context.previous, state["now"], state["xid"], days)
    found = await reader.rows(_NEVER_SCANNED, large)
    if not found:
        return marks | {"index_use_known": True, "unused_indexes": 0}
    since = state["now"] - timedelta(days=days)
    seen = f"never scanned here: {culprits(found)}, but "
    if state["replicated"]:
        return marks | _untold(f"{seen}scans by standbys are counted there")
    if state["stats_reset"] and state["stats_reset"] > since:
        return marks | _untold(
            f"{seen}scans are counted only since {state['stats_reset']:%Y-%m-%d}, "
            f"and {days} days are needed"
        )
    if _time(marks["mark_at"]) > since:
        return marks | _untold(
            f"{seen}whether they are older than {days} days is known from an earlier run only, "
            f"and the first that is known of was on {str(marks['mark_at'])[:10]}"
        )
    old = [row for row in found if row["age"] > state["xid"] - int(str(marks["mark_xid"]))]
    values: Values = {"index_use_known": True, "unused_indexes": len(old)}
    return marks | values | ({"unused_indexes_because": culprits(old)} if old else {})


def _untold(why: str) -> Values:
    told = f"{NOT_TESTED}{why}"
    return {"index_use_known": False, "index_use_known_because": told}


def _marks(previous: Values, now: datetime, xid: int, days: int) -> Values:
    """Return the mark that is old enough, or will be, and the one to take its place."""
    here: Values = {"next_mark_xid": str(xid), "next_mark_at": now.isoformat()}
    fresh = {"mark_xid": str(xid), "mark_at": now.isoformat()} | here
    kept = {name: previous[name] for name in METRICS if isinstance(previous.get(name), str)}
    if kept.keys() != METRICS.keys():
        return fresh
    if not all(str(kept[name]).isdecimal() for name in ("mark_xid", "next_mark_xid")):
        return fresh
    if int(str(kept["next_mark_xid"])) > xid:
        return fresh  # another server, or an older copy of this one
    if now - _time(kept["next_mark_at"]) < timedelta(days=days):
        return kept
    return {"mark_xid": kept["next_mark_xid"], "mark_at": kept["next_mark_at"], **here}


def _time(written: object) -> datetime:
    at = datetime.fromisoformat(str(written))
    return at if at.tzinfo else at.replace(tzinfo=UTC)
