"""What the sessions of a Postgres database do now: idle in transaction, long at work, blocked."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._connection import within
from readiness.probes._few import few
from readiness.probes._postgres_access import GRANT
from readiness.probes._postgres_session import Connection, session
from readiness.probes._postgres_text import name

TIER: Tier = "observe"
KINDS = frozenset({"postgres"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "sessions": "count: other client sessions of this database",
    "sessions_hidden": "count: of those, whose state our role may not see",
    "idle_in_transaction": "count: sessions that wait for their client inside a transaction",
    "idle_in_transaction_ms": "ms: the longest such wait, 0 if there is none",
    "longest_query_ms": "ms: since the longest query under way began, backups left out",
    "longest_transaction_ms": "ms: since the longest transaction under way began, backups left out",
    "blocked_sessions": "count: sessions that wait for a lock of another",
    "longest_blocked_ms": "ms: the longest such wait, 0 if there is none",
    "waiting_locks": "count: locks asked for and not granted in this database",
    "blocking_roots": "the sessions at which the waiting starts",
    "prepared_enabled": "true or false: the server keeps prepared transactions",
    "prepared_transactions": "count: transactions prepared for two-phase commit in this database",
    "longest_prepared_ms": "ms: since the longest of them was prepared, 0 if there is none",
}

_MOST_ROWS = 2000
_AT_WORK = ("active", "fastpath function call")
_IDLE = ("idle in transaction", "idle in transaction (aborted)")
_BACKUPS = ("pg_dump", "pg_dumpall", "pg_basebackup", "pg_repack", "pgbackrest")

_SESSIONS = f"""
SELECT a.pid, a.state, a.application_name AS application,
       extract(epoch FROM clock_timestamp() - a.query_start) * 1000 AS query_ms,
       extract(epoch FROM clock_timestamp() - a.state_change) * 1000 AS state_ms,
       extract(epoch FROM clock_timestamp() - a.xact_start) * 1000 AS transaction_ms,
       a.state IS NULL OR a.state = 'disabled' AS hidden,
       CASE WHEN w.pid IS NOT NULL THEN pg_blocking_pids(a.pid) END AS blockers,
       {{since}} AS waiting_ms
FROM pg_stat_activity AS a
LEFT JOIN (SELECT pid, {{start}} FROM pg_locks WHERE NOT granted GROUP BY pid) AS w ON w.pid = a.pid
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.usesysid IS NOT NULL
  AND coalesce(a.backend_type, 'client backend') = 'client backend'
ORDER BY a.xact_start NULLS LAST, a.pid
LIMIT {_MOST_ROWS}
"""
"""Another database's transactions hold back nothing of this one but shared catalogs."""

_WAIT_START = ("extract(epoch FROM clock_timestamp() - w.began) * 1000", "min(waitstart) AS began")
_NO_WAIT_START = ("extract(epoch FROM clock_timestamp() - a.query_start) * 1000", "count(*)")
_WAIT_START_SINCE = 14
"""The major version whose pg_locks tells since when a lock is waited for."""

_LOCKS = """
SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE NOT l.granted AND a.datname = current_database()
"""

_PREPARED = """
SELECT current_setting('max_prepared_transactions')::int > 0 AS enabled, count(gid) AS n,
       coalesce(extract(epoch FROM clock_timestamp() - min(prepared)) * 1000, 0) AS longest_ms
FROM (SELECT 1) AS always
LEFT JOIN pg_prepared_xacts ON database = current_database()
"""

Row = Mapping[str, Any]


class Settings(ProbeSettings):
    """Nothing to set: everything is in the service's URL."""


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Look once at the sessions of the database that the URL names, ours left out."""
    async with session(service.url.get_secret_value(), context) as (connection, _):
        rows = await _sessions(connection, context)
        with within(context):
            waiting = await connection.fetchval(_LOCKS)
            prepared = await connection.fetchrow(_PREPARED)
    assert prepared is not None, "what is joined to one row has one"
    hidden = [row for row in rows if row["hidden"]]
    values: Values = {
        "sessions": len(rows),
        "sessions_hidden": len(hidden),
        **_blocked(rows),
        "waiting_locks": waiting,
        "prepared_enabled": prepared["enabled"],
        "prepared_transactions": prepared["n"],
        "longest_prepared_ms": max(0.0, float(prepared["longest_ms"])),
    }
    values |= _states(rows)
    return _only_seen(values, hidden, context) if hidden else values


async def _sessions(connection: Connection, context: Context) -> Sequence[Row]:
    known = connection.get_server_version().major >= _WAIT_START_SINCE
    since, start = _WAIT_START if known else _NO_WAIT_START
    with within(context):
        found = await connection.fetch(_SESSIONS.format(since=since, start=start))
    return [dict(row) for row in found]


def _states(rows: Sequence[Row]) -> Values:
    """Return how long sessions are in the states that hold others up, and who they are."""
    idle = [row for row in rows if row["state"] in _IDLE]
    others = [row for row in rows if not _is_backup(row)]
    at_work = [row for row in others if row["state"] in _AT_WORK]
    in_transaction = [row for row in others if row["transaction_ms"] is not None]
    return {
        "idle_in_transaction": len(idle),
        **_longest("idle_in_transaction_ms", idle, "state_ms"),
        **_longest("longest_query_ms", at_work, "query_ms"),
        **_longest("longest_transaction_ms", in_transaction, "transaction_ms"),
    }


def _longest(metric: str, rows: Iterable[Row], age: str) -> Values:
    """Return the greatest age, and in `_because` whose it is and who comes next."""
    oldest = sorted(rows, key=lambda row: -_ms(row, age))
    if not oldest:
        return {metric: 0.0}
    told = few(f"{_who(row)} for {_seconds(_ms(row, age))}" for row in oldest)
    return {metric: _ms(oldest[0], age), f"{metric}_because": told}


def _blocked(rows: Sequence[Row]) -> Values:
    blocked = {row["pid"]: row for row in rows if row["blockers"]}
    if not blocked:
        return {"blocked_sessions": 0, "longest_blocked_ms": 0.0, "blocking_roots": "none"}
    known = {row["pid"]: row for row in rows}
    roots = sorted({pid for row in blocked.values() for pid in row["blockers"]} - blocked.keys())
    told = few(_who(known[pid]) if pid in known else _unseen(pid) for pid in roots)
    values: Values = {"blocked_sessions": len(blocked), "blocking_roots": told or "each other"}
    if any(row["waiting_ms"] is None for row in blocked.values()):
        because = f"not tested: {len(blocked)} blocked, and since when they hide; {GRANT}"
        return values | {"longest_blocked_ms_because": because}
    longest = max(_ms(row, "waiting_ms") for row in blocked.values())
    because = (
        f"{len(blocked)} blocked, the longest for {_seconds(longest)}, by {told or 'a circle'}"
    )
    return values | {"longest_blocked_ms": longest, "longest_blocked_ms_because": because}


def _only_seen(values: Values, hidden: Sequence[Row], context: Context) -> Values:
    """Take out what the hidden sessions decide too, but for what is bad enough without them."""
    untracked = all(row["state"] == "disabled" for row in hidden)
    mend = "set track_activities = on" if untracked else GRANT
    n = f"{len(hidden)} of {values['sessions']}"
    because = f"not tested: {n} sessions hide what they do; {mend}"
    kept = {key: value for key, value in values.items() if key != "idle_in_transaction"}
    for metric in ("idle_in_transaction_ms", "longest_query_ms", "longest_transaction_ms"):
        target, _ = context.limits.get(metric, (float("inf"), 0))
        if cast(float, values[metric]) <= target:
            kept.pop(metric)
            kept[f"{metric}_because"] = because
    return kept


def _ms(row: Row, age: str) -> float:
    return max(0.0, float(row[age] or 0))


def _is_backup(row: Row) -> bool:
    return str(row["application"] or "").lower().startswith(_BACKUPS)


def _who(row: Row) -> str:
    application = name(row["application"])
    state = f", {row['state']}" if row["state"] in (*_IDLE, "idle") else ""
    return f"pid {row['pid']}{f' ({application}{state})' if application or state else ''}"


def _unseen(pid: int) -> str:
    return f"pid {pid}" if pid else "a prepared transaction"


def _seconds(ms: float) -> str:
    return f"{ms / 1000:.1f} s" if ms < 10_000 else f"{ms / 1000:.0f} s"
