"""What held up the one thread of a Redis or Valkey lately: slow commands and latency events."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from readiness.inventory import Service, Tier
from readiness.inventory.duration import Duration
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._few import few
from readiness.probes._redis_connection import Session, not_tested, session
from readiness.probes._redis_info import SENTINEL, fact, mode, number, parsed, unexplained

TIER: Tier = "observe"
KINDS = frozenset({"redis"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "has_slowlog": "true or false: the server logs slow commands; a sentinel does not",
    "slower_than_ms": "ms: from which a command is logged (slowlog-log-slower-than)",
    "looked_back_seconds": "s: how far back the log was read, at most to the server's start",
    "slow_commands": "count: commands in the log within that time",
    "slow_commands_whole": "true or false: the log reaches back as far as was asked",
    "slowest_ms": "ms: the longest of these, 0 if there is none",
    "slowest_command": "name of that command, never its arguments",
    "latency_monitor": "true or false: latency events are recorded (latency-monitor-threshold)",
    "latency_event_ms": "ms: the longest latency event but slow commands within that time, or 0",
    "latency_event": "name of that event, such as fork or aof-write",
}

_ENTRIES = 128
"""slowlog-max-len of redis.conf: as many as there usually are."""
_NAME = 40
_TARGET_MS = 100.0
_OF_COMMANDS = ("command", "fast-command")


class Settings(ProbeSettings):
    """How far to look back."""

    window: Annotated[
        Duration, Field(ge=1, le=604_800, description="How far to look back, 1h by default.")
    ] = 3600.0


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Read the slow log and the latency events, with their thresholds."""
    async with session(service.url.get_secret_value(), context) as connection:
        info = await connection.ask("INFO")
        if not isinstance(info, str):
            return unexplained(METRICS, not_tested(info, "INFO"))
        fields = parsed(info)
        now, up = number(fields, "server_time_usec"), number(fields, "uptime_in_seconds")
        if now is None:
            because = "not tested: INFO does not tell the server's time; Redis 6 or later does"
            return unexplained(METRICS, because)
        if mode(fields) == "sentinel":
            return fact("has_slowlog", False, SENTINEL) | fact("latency_monitor", False, SENTINEL)
        since = now / 1e6 - settings.window
        found: Values = {
            "has_slowlog": True,
            "looked_back_seconds": min(settings.window, float(up or 0)),
        }
        target, _ = context.limits.get("slowest_ms", (_TARGET_MS, _TARGET_MS))
        found |= await _slow(connection, since, now / 1e6, target)
        return found | await _events(connection, since, now / 1e6)


async def _slow(connection: Session, since: float, now: float, target: float) -> Values:
    threshold = await connection.setting("slowlog-log-slower-than")
    entries = await connection.ask("SLOWLOG", "GET", str(_ENTRIES))
    if not isinstance(entries, list):
        return {"slowest_ms_because": not_tested(entries, "SLOWLOG GET")}
    slower = _milliseconds(threshold)
    found: Values = {} if slower is None else {"slower_than_ms": slower}
    read = [entry for one in entries if (entry := _entry(one))]
    recent = sorted((ms, name, at) for at, ms, name in read if at >= since)
    whole = len(entries) < _ENTRIES or len(recent) < len(read)
    found |= {"slow_commands": len(recent), "slow_commands_whole": whole}
    if not recent:
        return found | _none_slow(threshold, slower, target)
    ms, name, at = recent[-1]
    others = few((other for _, other, _ in reversed(recent)), between=", ")
    told = f"{name} {max(0.0, now - at):.0f} s ago; slow commands logged: {len(recent)} ({others})"
    return found | {"slowest_ms": ms, "slowest_command": name, "slowest_ms_because": told}


def _none_slow(threshold: object, slower: float | None, target: float) -> Values:
    """Tell that no command was slow, if the log would have shown those that we ask for."""
    if slower is None:
        reason = not_tested(threshold, "CONFIG GET slowlog-log-slower-than")
    elif slower < 0:
        reason = "not tested: the slow log is off; set slowlog-log-slower-than to 10000"
    elif slower > target:
        reason = f"not tested: only commands of {slower:g} ms and more are logged"
    else:
        return {"slowest_ms": 0.0}
    return {"slowest_ms_because": reason}


def _milliseconds(threshold: object) -> float | None:
    text = str(threshold)
    return int(text) / 1000 if text.lstrip("-").isdecimal() and len(text) < 19 else None


def _entry(entry: Any) -> tuple[float, float, str] | None:
    """Return (Unix time, milliseconds, command) of `[id, time, microseconds, [words], ...]`."""
    if not isinstance(entry, list) or len(entry) < 4:
        return None
    _, at, microseconds, words = entry[:4]
    if not (isinstance(at, int) and isinstance(microseconds, int) and isinstance(words, list)):
        return None
    word = str(words[0]) if words else "?"
    name = word[:_NAME].upper() if word.isascii() and word[:_NAME].isprintable() else "?"
    return float(at), max(0, microseconds) / 1000, name


async def _events(connection: Session, since: float, now: float) -> Values:
    threshold = await connection.setting("latency-monitor-threshold")
    if not isinstance(threshold, str):
        because = not_tested(threshold, "CONFIG GET latency-monitor-threshold")
        return {"latency_monitor_because": because}
    if threshold == "0":
        because = "not tested: latency-monitor-threshold is 0, so that no event is recorded"
        return fact("latency_monitor", False, because)
    found: Values = {"latency_monitor": True}
    reply = await connection.ask("LATENCY", "LATEST")
    if not isinstance(reply, list):
        return found | {"latency_event_ms_because": not_tested(reply, "LATENCY LATEST")}
    recent = [event for one in reply if (event := _event(one)) and event[2] >= since]
    if not recent:
        return found | {"latency_event_ms": 0.0}
    ms, name, at = max(recent)
    told = f"{name} {max(0.0, now - at):.0f} s ago"
    return found | {"latency_event_ms": ms, "latency_event": name, "latency_event_ms_because": told}


def _event(event: Sequence[Any]) -> tuple[float, str, float] | None:
    """Return (milliseconds, name, Unix time) of the latest of an event that is no command."""
    if not isinstance(event, list) or len(event) < 4:
        return None
    name, at, latest = event[:3]
    if not (isinstance(at, int) and isinstance(latest, int)) or name in _OF_COMMANDS:
        return None
    return float(max(0, latest)), str(name)[:_NAME], float(at)
