"""The text of INFO, and the snapshot rules if they may be read -> values that say what they mean.

The fields are documented at https://valkey.io/commands/info/.
"""

from collections.abc import Mapping
from typing import Any

from readiness.measurement import Values

_SHOWN = 100
_DESCRIBED = (
    *("version", "server", "memory_bytes", "maxmemory_bytes", "maxmemory_set", "memory_ratio"),
    *("eviction_policy", "persistence", "last_save_ok", "role"),
)


def values(info: Any, snapshots: Any) -> Values:
    """Return the values in the answer to INFO and to `CONFIG GET save`, errors among them."""
    if not isinstance(info, str):
        because = f"INFO was answered: {str(info)[:_SHOWN]}"
        return {f"{name}_because": because for name in _DESCRIBED}
    fields = _fields(info)
    return {
        **_identity(fields),
        **_memory(fields),
        **_persistence(fields, snapshots),
        **_last_save(fields),
    }


def _fields(info: str) -> Mapping[str, str]:
    pairs = (line.partition(":") for line in info.splitlines() if not line.startswith("#"))
    return {name: value.strip()[:_SHOWN] for name, _, value in pairs}


def _absent(*names: str) -> Values:
    return {f"{name}_because": "INFO does not tell" for name in names}


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _identity(fields: Mapping[str, str]) -> Values:
    found: Values = {}
    if version := fields.get("valkey_version") or fields.get("redis_version"):
        found["version"] = version
        found["server"] = "valkey" if "valkey_version" in fields else "redis"
    else:
        found |= _absent("version", "server")
    return found | ({"role": fields["role"]} if "role" in fields else _absent("role"))


def _memory(fields: Mapping[str, str]) -> Values:
    used, limit = _number(fields.get("used_memory")), _number(fields.get("maxmemory"))
    policy = fields.get("maxmemory_policy")
    found: Values = {"eviction_policy": policy} if policy else _absent("eviction_policy")
    found |= {"memory_bytes": used} if used is not None else _absent("memory_bytes")
    if limit is None:
        return found | _absent("maxmemory_bytes", "maxmemory_set", "memory_ratio")
    found |= {"maxmemory_bytes": limit, "maxmemory_set": limit > 0}
    if not limit:
        because = "maxmemory is 0: it grows until the machine has no memory left"
        return found | {"maxmemory_set_because": because, "memory_ratio_because": because}
    return found | ({"memory_ratio": used / limit} if used is not None else _absent("memory_ratio"))


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
