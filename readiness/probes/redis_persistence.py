"""Whether a Redis or Valkey keeps its data: snapshots (RDB), append-only file (AOF), errors."""

import re
from collections.abc import Mapping
from typing import Any

from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes._redis_connection import not_tested, session
from readiness.probes._redis_info import SENTINEL, fact, mode, number, plain, unexplained
from readiness.probes._redis_role import Role, RoleSettings, role_of
from readiness.probes._redis_window import Looks, Window, looked

TIER: Tier = "observe"
KINDS = frozenset({"redis"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "rdb_enabled": "true or false: snapshots are taken by rules (save)",
    "rdb_saved": "true or false: snapshots are on, or one was taken or tried",
    "rdb_last_save_ok": "true or false: the last snapshot succeeded (rdb_last_bgsave_status)",
    "rdb_last_save_seconds": "s: age of the last good snapshot, or of the server's start",
    "rdb_changes_since_last_save": "count: changes that no snapshot holds",
    "rdb_on_schedule": "true or false: no save rule was overdue at both of two looks",
    "rdb_scheduled": "true or false: snapshots are on and the last one succeeded",
    "aof_enabled": "true or false: the append-only file is on",
    "aof_last_write_ok": "true or false: the last append succeeded (aof_last_write_status)",
    "aof_last_rewrite_ok": "true or false: the last rewrite of the append-only file succeeded",
    "aof_delayed_fsync": "count: fsyncs that came late since the start",
    "aof_delayed_fsync_per_second": "1/s: fsyncs that came late within the window",
    "aof_fsync_in_time": "true or false: no fsync came late within the window",
    "appendfsync": "when appends are forced to disk: always, everysec or no",
    "keeps_data": "true or false: the declared role (queue, store) may lose no key",
    "persistent": "true or false: snapshots or the append-only file are on",
    "writes_stopped": "true or false: writes are refused because a save failed (MISCONF)",
    "loading": "true or false: it is still loading its data from disk",
}

_GRACE_SECONDS = 10
"""A save that just failed, or another child at work, puts a due snapshot off by seconds."""

_HANGS_SECONDS = 600


class Settings(RoleSettings):
    """What the keys are for, and how long to watch."""

    window: Window = 1.0


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Read INFO twice, the window apart, and the rules with CONFIG GET."""
    async with session(service.url.get_secret_value(), context) as connection:
        rules = await connection.setting("save")
        stops = await connection.setting("stop-writes-on-bgsave-error")
        fsync = await connection.setting("appendfsync")
        looks = await looked(connection, settings.window, context)
    if isinstance(looks, str):
        return unexplained(METRICS, looks)
    if mode(looks.last) == "sentinel":
        named = ("rdb_saved", "rdb_scheduled", "aof_enabled", "keeps_data")
        return {k: v for name in named for k, v in fact(name, False, SENTINEL).items()}
    role = role_of(service, settings)
    found = _snapshots(looks, rules) | _appends(looks) | _role(looks.last, rules, role)
    found |= {"appendfsync": fsync} if isinstance(fsync, str) else {}
    found["loading"] = looks.last.get("loading") == "1"
    return found | _stopped(found, rules, stops)


def _stopped(found: Values, rules: Any, stops: Any) -> Values:
    """Tell whether writes are refused, as the server's writeCommandsDeniedByDiskError decides."""
    if found.get("aof_last_write_ok") is False:
        return {"writes_stopped": True}
    if found.get("rdb_last_save_ok") is not False:
        return {"writes_stopped": False}
    if not isinstance(rules, str) or not isinstance(stops, str):
        return {"writes_stopped_because": not_tested(stops, "CONFIG GET")}
    stopped = bool(rules) and stops == "yes"
    because = f"{found['rdb_last_save_ok_because']}, and writes are refused meanwhile (MISCONF)"
    told: Values = {"rdb_last_save_ok_because": because} if stopped else {}
    return {"writes_stopped": stopped, **told}


def _snapshots(looks: Looks, rules: Any) -> Values:
    fields = looks.last
    found = plain(fields, "rdb_changes_since_last_save")
    if (age := _age(fields)) is not None:
        found["rdb_last_save_seconds"] = age
    status = fields.get("rdb_last_bgsave_status")
    tried = (isinstance(rules, str) and rules != "") or status == "err" or _count(fields) > 0
    never = "snapshots are off and none was taken"
    if not isinstance(rules, str):
        never = f"{not_tested(rules, 'CONFIG GET save')}, and none was taken or tried so far"
    found |= fact("rdb_saved", tried, never)
    if status:
        found |= fact("rdb_last_save_ok", status == "ok", _unsaved(fields, age))
    if not isinstance(rules, str):
        absent = ("rdb_enabled", "rdb_scheduled", "rdb_on_schedule")
        return found | unexplained(absent, not_tested(rules, "CONFIG GET save"))
    found["rdb_enabled"] = rules != ""
    otherwise = "the last snapshot failed" if rules else "snapshots are off"
    found |= fact("rdb_scheduled", rules != "" and status == "ok", otherwise)
    return found | _schedule(looks, rules)


def _count(fields: Mapping[str, str]) -> int:
    return number(fields, "rdb_saves") or 0


def _unsaved(fields: Mapping[str, str], age: float | None) -> str:
    changes = number(fields, "rdb_changes_since_last_save")
    since = f", the last good one is {age:.0f} s old" if age is not None else ""
    return f"rdb_last_bgsave_status is err{since}, {changes} changes since"


def _age(fields: Mapping[str, str]) -> float | None:
    """Return how long ago the last good snapshot was, by the server's own clock."""
    now, last = number(fields, "server_time_usec"), number(fields, "rdb_last_save_time")
    return max(0.0, round(now / 1e6 - last, 1)) if now and last else None


def _schedule(looks: Looks, rules: str) -> Values:
    first, last = _overdue(looks.first, rules), _overdue(looks.last, rules)
    return fact("rdb_on_schedule", not (first and last), last)


def _overdue(fields: Mapping[str, str], rules: str) -> str:
    """Name the first rule (`3600 1 300 100`: seconds and changes) that should have saved."""
    age, changes = _age(fields), number(fields, "rdb_changes_since_last_save")
    if age is None or changes is None:
        return ""
    if fields.get("rdb_bgsave_in_progress") == "1":
        return _hanging(fields)
    if "1" in (fields.get("aof_rewrite_in_progress"), fields.get("loading")):
        return ""
    for seconds, least in re.findall(r"(\d{1,12}) (\d{1,12})", rules):
        if changes >= int(least) and age > int(seconds) + _GRACE_SECONDS:
            return f"{changes} changes in {age:.0f} s, the rule is {least} in {seconds} s"
    return ""


def _hanging(fields: Mapping[str, str]) -> str:
    """Name a save under way that takes ten times as long as the last, and ten minutes at least."""
    taken = number(fields, "rdb_current_bgsave_time_sec") or 0
    usual = number(fields, "rdb_last_bgsave_time_sec") or 0
    if taken < max(10 * usual, _HANGS_SECONDS):
        return ""
    return f"a save has been under way for {taken} s, the last took {usual} s"


def _appends(looks: Looks) -> Values:
    fields = looks.last
    enabled = fields.get("aof_enabled")
    if enabled is None:
        return unexplained(("aof_enabled",), "INFO does not tell")
    found = fact("aof_enabled", enabled == "1", "the append-only file is off")
    if enabled != "1":
        return found
    for metric, name in (
        ("aof_last_write_ok", "aof_last_write_status"),
        ("aof_last_rewrite_ok", "aof_last_bgrewrite_status"),
    ):
        status = fields.get(name, "")
        told = f"{name} is {status[:20]}" if status else "INFO does not tell"
        found |= fact(metric, status == "ok", told) if status else {f"{metric}_because": told}
    late = looks.delta("aof_delayed_fsync")
    found |= looks.counted("aof_delayed_fsync")
    if late is None:
        return found | {"aof_fsync_in_time_because": "INFO does not tell"}
    because = f"{late} fsyncs came late in {looks.seconds:.1f} s"
    return found | fact("aof_fsync_in_time", not late, because)


def _role(fields: Mapping[str, str], rules: Any, role: Role | None) -> Values:
    lossy = "a cache may lose its keys" if role else "no role is declared"
    found = fact("keeps_data", role in ("queue", "store"), lossy)
    if fields.get("aof_enabled") == "1" or (isinstance(rules, str) and rules):
        return found | {"persistent": True}
    if not isinstance(rules, str):
        return found | {"persistent_because": not_tested(rules, "CONFIG GET save")}
    because = "neither snapshots (save) nor the append-only file (appendonly) are on"
    return found | {"persistent": False, "persistent_because": because}
