"""Whether WAL of a Postgres is kept elsewhere, so that it can be restored to a point in time."""

import re
from collections.abc import Mapping
from typing import Any

from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._postgres_part import NOT_TESTED, Reader
from readiness.probes._postgres_platform import SELF_MANAGED, platform
from readiness.probes._postgres_session import session

TIER: Tier = "observe"
KINDS = frozenset({"postgres"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "managed": "true or false: a provider runs the server",
    "data_kept": "true or false: the environment is none whose data can be made again",
    "crash_safe": "true or false: fsync and full_page_writes are on",
    "wal_archived_expected": "true or false: a primary of one's own, of a system whose data counts",
    "wal_archived": "true or false: WAL is archived, or streamed to whoever keeps it",
    "backup_tool": "name of the backup tool that archives or receives WAL, where one is known",
    "archiving": "true or false: a primary with archive_mode on",
    "archiver_working": "true or false: there is a command, and the last segment was archived",
    "archive_delay_ms": "ms: since the last segment was archived while others wait, 0 if none does",
    "archive_timeout_ms": "ms: after which a segment is archived though not full, 0 for never",
    "base_backup_running": "true or false: a base backup is being taken now",
}

_TOOLS = {
    "pgbackrest": "pgBackRest",
    "wal-g": "WAL-G",
    "walg": "WAL-G",
    "wal-e": "WAL-E",
    "barman": "Barman",
    "pg_probackup": "pg_probackup",
    "pghoard": "PGHoard",
    "pg_receivewal": "pg_receivewal",
}
"""Word in a command or in a receiver's name -> the tool."""

_DISPOSABLE = ("local", "development", "test")
_DISCARDS = re.compile(r"\s*(?:(?:/usr)?/bin/true|true|:|exit\s+0|cd\s+\.|echo\b[^>|]*)\s*;?\s*")
"""Commands that say that a segment is archived, and keep nothing."""
_UNTRIED = f"{NOT_TESTED}no segment was archived since the counters began"
_STANDBY = "this is a standby: its primary archives"


class Settings(ProbeSettings):
    """Nothing to set: everything is in the service's URL."""


_STATE = """
SELECT pg_is_in_recovery() AS standby, current_setting('archive_mode') AS mode,
    (SELECT setting FROM pg_settings WHERE name = 'archive_command') AS command,
    (SELECT setting FROM pg_settings WHERE name = 'archive_library') AS library,
    (SELECT setting::float8 * 1000 FROM pg_settings WHERE name = 'archive_timeout') AS timeout_ms,
    pg_has_role('pg_read_all_settings', 'USAGE') AS sees_settings,
    pg_has_role('pg_read_all_stats', 'USAGE') AS sees_sessions,
    EXISTS (SELECT FROM pg_stat_progress_basebackup) AS base_backup,
    array(SELECT name FROM pg_settings
        WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name) AS unsafe
"""

_RECEIVERS = """
SELECT coalesce(r.application_name, '') || ' ' || coalesce(s.slot_name, '') AS name
FROM pg_stat_replication r
LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid
WHERE r.state = 'streaming' AND r.replay_lsn IS NULL
LIMIT 20
"""
"""Whoever receives WAL and replays none keeps it."""

_ARCHIVER = """
SELECT a.last_archived_wal, a.last_failed_wal, a.last_archived_time IS NOT NULL AS archived,
    coalesce(a.last_failed_time > coalesce(a.last_archived_time, '-infinity'), false) AS failing,
    (extract(epoch FROM clock_timestamp() - a.last_archived_time) * 1000)::float8 AS ms,
    div(pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0'), w.size)::int8 AS segment,
    (4294967296 / w.size)::int8 AS per_file
FROM pg_stat_archiver a,
    (SELECT pg_size_bytes(current_setting('wal_segment_size')) AS size) AS w
"""


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Read the settings and counters of archiving in at most four statements."""
    async with session(service.url.get_secret_value(), context) as (connection, _):
        reader = Reader(connection, context)
        where = str((await platform(connection, context))["platform"])
        whose = None if where == SELF_MANAGED else where
        state = await reader.row(_STATE)
        archiving = state["mode"] in ("on", "always") and not state["standby"] and not whose
        values: Values = {
            "managed": whose is not None,
            "archiving": archiving,
            "archive_timeout_ms": state["timeout_ms"],
            "base_backup_running": state["base_backup"],
            **_expected(whose, state, context.inventory.system.environment),
            **_crash_safe(state, context.inventory.system.environment),
        }
        if whose:
            return values | {"managed_because": whose, "archiving_because": _outside(whose)}
        if state["standby"]:
            return values | {"archiving_because": _STANDBY}
        values |= await reader.part(["wal_archived"], lambda: _kept(reader, state))
        if archiving:
            metrics = ("archiver_working", "archive_delay_ms")
            values |= await reader.part(metrics, lambda: _archiver(reader, state))
        return values


def _outside(whose: str) -> str:
    return f"{NOT_TESTED}backups by {whose} are out of SQL's sight: look at its console"


def _expected(whose: str | None, state: Any, environment: str) -> Values:
    """Say whether the absence of an archive would be a loss to anybody."""
    why = None
    if whose:
        why = _outside(whose)
    elif state["standby"]:
        why = _STANDBY
    else:
        why = _disposable(environment)
    values: Values = {"wal_archived_expected": why is None}
    return values | ({"wal_archived_expected_because": why} if why else {})


def _disposable(environment: str) -> str | None:
    """Say why nothing is lost with the data there; None where something is."""
    if environment not in _DISPOSABLE:
        return None
    return f"the data of a system in the environment {environment} can be made again"


def _crash_safe(state: Any, environment: str) -> Values:
    """Say whether the data outlive a power cut, and whether they must."""
    why = _disposable(environment)
    values: Values = {"data_kept": why is None, "crash_safe": not state["unsafe"]}
    if why:
        values["data_kept_because"] = why
    if state["unsafe"]:
        values["crash_safe_because"] = f"{' and '.join(state['unsafe'])} off"
    return values


async def _kept(reader: Reader, state: Any) -> Values:
    """Tell whether anybody keeps the WAL: the archiver, or a receiver that replays none."""
    receivers = [row["name"] for row in await reader.rows(_RECEIVERS)]
    if receivers:
        return {"wal_archived": True, **_tool(" ".join(receivers))}
    if state["mode"] == "off":
        if not state["sees_sessions"]:
            why = "archive_mode is off, and who receives WAL is not shown: GRANT pg_monitor"
            return {"wal_archived_because": f"{NOT_TESTED}{why}"}
        why = "archive_mode is off, and nobody receives WAL to keep it"
        return {"wal_archived": False, "wal_archived_because": why}
    if not state["sees_settings"]:
        why = "no permission to see archive_command: GRANT pg_monitor"
        return {"wal_archived_because": f"{NOT_TESTED}{why}"}
    command = str(state["command"] or "")
    if state["library"]:
        return {"wal_archived": True, **_tool(str(state["library"]))}
    if not command.strip():
        return {"wal_archived": False, "wal_archived_because": "archive_command is empty"}
    if _DISCARDS.fullmatch(command):
        why = "archive_command keeps nothing: it only says that it did"
        return {"wal_archived": False, "wal_archived_because": why}
    return {"wal_archived": True, **_tool(command)}


def _tool(words: str) -> Values:
    """Name the tool of a command, which itself may hold secrets and is never shown."""
    found = next((name for word, name in _TOOLS.items() if word in words.lower()), None)
    return {"backup_tool": found} if found else {}


async def _archiver(reader: Reader, state: Any) -> Values:
    row = await reader.row(_ARCHIVER)
    nothing = state["sees_settings"] and not (state["library"] or (state["command"] or "").strip())
    values: Values = {"archiver_working": not (row["failing"] or nothing)}
    if nothing:
        why = "archive_mode is on without a command or library: WAL piles up"
        values["archiver_working_because"] = why
    elif not (row["archived"] or row["failing"]):
        values = {"archiver_working_because": _UNTRIED}  # or its first attempt hangs
    elif row["failing"]:
        since = "nothing was archived yet" if not row["archived"] else "the last attempt failed"
        failed = str(row["last_failed_wal"])[:40]
        values["archiver_working_because"] = f"segment {failed} is not archived: {since}"
    return values | _delay(row)


def _delay(row: Any) -> Values:
    """Return how long nothing was archived while whole segments wait, by their numbers."""
    name = re.match(r"[0-9A-F]{8}([0-9A-F]{8})([0-9A-F]{8})", str(row["last_archived_wal"]))
    if not name:
        return {"archive_delay_ms_because": _UNTRIED}
    waiting = row["segment"] - 1 - (int(name[1], 16) * row["per_file"] + int(name[2], 16))
    if waiting <= 0:
        return {"archive_delay_ms": 0.0}
    return {
        "archive_delay_ms": row["ms"],
        "archive_delay_ms_because": f"{waiting} segments wait to be archived",
    }
