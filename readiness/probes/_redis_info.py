"""The text of INFO, and the snapshot rules if they may be read -> values that say what they mean.

The fields are documented at https://valkey.io/commands/info/.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from readiness.measurement import Values

_SHOWN = 100
_LONGEST_FIELD = 400
SENTINEL = "it is a sentinel, which holds no data"
_DESCRIBED = (
    *(
        "holds_data",
        "version",
        "server",
        "memory_bytes",
        "maxmemory_bytes",
        "maxmemory_set",
        "memory_ratio",
    ),
    *("fills_up", "eviction_policy", "persistence", "last_save_ok", "role"),
)


def values(info: Any, snapshots: Any) -> Values:
    """Return the values in the answer to INFO and to `CONFIG GET save`, errors among them."""
    if not isinstance(info, str):
        because = f"INFO was answered: {str(info)[:_SHOWN]}"
        return {f"{name}_because": because for name in _DESCRIBED}
    fields = parsed(info)
    return {
        **_identity(fields),
        **_data(fields),
        **_memory(fields),
        **_persistence(fields, snapshots),
        **_last_save(fields),
    }


def parsed(info: str) -> Mapping[str, str]:
    """Return the fields of INFO by name."""
    pairs = (line.partition(":") for line in info.splitlines() if not line.startswith("#"))
    return {name: value.strip()[:_LONGEST_FIELD] for name, _, value in pairs}


def mode(fields: Mapping[str, str]) -> str:
    """Return standalone, cluster or sentinel; Valkey and Redis name the field differently."""
    return (fields.get("redis_mode") or fields.get("server_mode") or "unknown")[:_SHOWN]


def number(fields: Mapping[str, str], name: str) -> int | None:
    """Return the whole number, not negative, that the field holds; None if it is none."""
    return _number(fields.get(name))


def ratio(fields: Mapping[str, str], name: str) -> float | None:
    """Return the decimal number that the field holds; None if it is none."""
    found = re.fullmatch(r"\d{1,12}(\.\d{1,6})?", fields.get(name, ""), re.ASCII)
    return float(found[0]) if found else None


def pairs(text: str) -> Mapping[str, str]:
    """Return what a field like `state=online,offset=42` holds, by name."""
    parts = (part.partition("=") for part in text.split(","))
    return {name: value for name, _, value in parts}


def fact(metric: str, holds: bool, otherwise: str) -> Values:
    """Return a true or false value, explained where it is false."""
    return {metric: holds, **({} if holds else {f"{metric}_because": otherwise})}


def plain(fields: Mapping[str, str], metric: str, name: str = "") -> Values:
    """Return the whole number in the field `name`, `metric` by default, or that INFO lacks it."""
    value = number(fields, name or metric)
    return {f"{metric}_because": "INFO does not tell"} if value is None else {metric: value}


def unexplained(metrics: Iterable[str], because: str) -> Values:
    """Return values in which each of `metrics` is absent for the same reason."""
    return {f"{name}_because": because for name in metrics}


def _absent(*names: str) -> Values:
    return {f"{name}_because": "INFO does not tell" for name in names}


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 20 else None


def _identity(fields: Mapping[str, str]) -> Values:
    found: Values = {}
    if version := fields.get("valkey_version") or fields.get("redis_version"):
        found["version"] = version[:_SHOWN]
        found["server"] = "valkey" if "valkey_version" in fields else "redis"
    else:
        found |= _absent("version", "server")
    return found | ({"role": fields["role"][:_SHOWN]} if "role" in fields else _absent("role"))


def _data(fields: Mapping[str, str]) -> Values:
    if (kind := mode(fields)) == "unknown":
        return _absent("holds_data")
    return fact("holds_data", kind != "sentinel", SENTINEL)


def _memory(fields: Mapping[str, str]) -> Values:
    used, limit = _number(fields.get("used_memory")), _number(fields.get("maxmemory"))
    policy = fields.get("maxmemory_policy")
    found: Values = {"eviction_policy": policy[:_SHOWN]} if policy else _absent("eviction_policy")
    found |= {"memory_bytes": used} if used is not None else _absent("memory_bytes")
    if mode(fields) == "sentinel":
        return found | fact("fills_up", False, SENTINEL)
    if limit is None:
        return found | _absent("maxmemory_bytes", "maxmemory_set", "memory_ratio", "fills_up")
    found |= {"maxmemory_bytes": limit, "maxmemory_set": limit > 0}
    if not limit:
        because = "maxmemory is 0: it grows until the machine has no memory left"
        found |= {"maxmemory_set_because": because, "memory_ratio_because": because}
        return found | {"fills_up": False, "fills_up_because": "no memory limit is set"}
    found |= {"memory_ratio": used / limit} if used is not None else _absent("memory_ratio")
    return found | _filling(fields, policy)


def _filling(fields: Mapping[str, str], policy: str | None) -> Values:
    """Tell whether a full memory can refuse writes: a cache that evicts any key is always full."""
    if policy is None:
        return _absent("fills_up")
    if policy.startswith("allkeys-"):
        return {"fills_up": False, "fills_up_because": f"{policy[:_SHOWN]} makes room by itself"}
    refused = pairs(fields.get("errorstat_OOM", "")).get("count", "")
    because = {"memory_ratio_because": f"{refused} commands were refused for it (OOM)"}
    return {"fills_up": True, **(because if _number(refused) else {})}


def _persistence(fields: Mapping[str, str], snapshots: Any) -> Values:
    """Tell whether data survives a restart; `snapshots` is `["save", "3600 1 ..."]` or an error.

    INFO says whether the append-only file is on, but not whether snapshots are.
    """
    appends = fields.get("aof_enabled")
    if appends == "1":
        return {"persistence": True}
    if isinstance(snapshots, list) and len(snapshots) == 2:
        kept = bool(snapshots[1])
        because = "neither snapshots (save) nor the append-only file (appendonly) are on"
        return {"persistence": kept, **({} if kept else {"persistence_because": because})}
    if appends is None:
        return _absent("persistence")
    because = f"appendonly is off, and CONFIG GET save was answered: {str(snapshots)[:_SHOWN]}"
    return {"persistence_because": because}


def _last_save(fields: Mapping[str, str]) -> Values:
    if "rdb_last_bgsave_status" not in fields:
        return _absent("last_save_ok")
    names = ("rdb_last_bgsave_status", "aof_last_bgrewrite_status", "aof_last_write_status")
    failed = [f"{name} is {fields[name]}" for name in names if fields.get(name, "ok") != "ok"]
    because = {"last_save_ok_because": ", ".join(failed)} if failed else {}
    return {"last_save_ok": not failed, **because}
