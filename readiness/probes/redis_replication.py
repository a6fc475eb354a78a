"""Whether the copies of a Redis or Valkey keep up: replication link, lag, cluster, sentinel."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field

from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._few import few
from readiness.probes._redis_connection import SHOWN, Session, not_tested, session
from readiness.probes._redis_info import (
    SENTINEL,
    fact,
    mode,
    number,
    pairs,
    parsed,
    plain,
    unexplained,
)
from readiness.probes._redis_window import Looks, Window, looked

TIER: Tier = "observe"
KINDS = frozenset({"redis"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "role": "master or slave, as the server says it; sentinel for one",
    "mode": "standalone, cluster or sentinel",
    "is_replica": "true or false: it copies another server",
    "link_up": "true or false: a replica's link to its primary is up (master_link_status)",
    "linked": "true or false: it is a replica whose link is up",
    "last_io_seconds": "s: since a replica last heard of its primary (master_last_io_seconds_ago)",
    "sync_in_progress": "true or false: a replica is taking its first copy",
    "read_only": "true or false: a replica refuses writes of clients",
    "has_replicas": "true or false: replicas are connected to it",
    "connected_replicas": "count: replicas connected to it (connected_slaves)",
    "online_replicas": "count: of these, those whose first copy is done",
    "enough_replicas": "true or false: as many replicas are online as the inventory declares",
    "demands_replicas": "true or false: it refuses writes without replicas (min-replicas-to-write)",
    "min_replicas_met": "true or false: as many good replicas as min-replicas-to-write demands",
    "replica_lag_seconds": "s: since the slowest online replica last acknowledged",
    "replica_lag_bytes": "bytes: of what was written before the window, not acknowledged after it",
    "replica_lag_ratio": "ratio: replica_lag_bytes of the backlog (repl-backlog-size)",
    "is_cluster": "true or false: it is a node of a cluster",
    "cluster_ok": "true or false: the cluster serves all slots (cluster_state, cluster_slots_fail)",
    "is_sentinel": "true or false: it is a sentinel",
    "primaries_ok": "true or false: a sentinel sees every primary that it watches",
}

_NOT_WITH_SENTINEL = ("is_replica", "linked", "has_replicas", "demands_replicas", "is_cluster")


class Settings(ProbeSettings):
    """How many replicas there should be, and how long to watch."""

    replicas: Annotated[int, Field(ge=1, le=100)] | None = Field(
        None, description="Replicas that should be online at this primary."
    )
    window: Window = 2.0


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Read INFO, and where there are replicas once more, the window later."""
    async with session(service.url.get_secret_value(), context) as connection:
        info = await connection.ask("INFO")
        if not isinstance(info, str):
            return unexplained(METRICS, not_tested(info, "INFO"))
        fields = parsed(info)
        kind = mode(fields)
        found: Values = {"mode": kind, "role": fields.get("role", kind)[:SHOWN]}
        if kind == "sentinel":
            return found | _sentinel(fields)
        found |= fact("is_sentinel", False, "it is no sentinel")
        found |= _replica(fields) | await _cluster(fields, connection)
        return found | await _primary(fields, connection, settings, context)


def _sentinel(fields: Mapping[str, str]) -> Values:
    watched = [pairs(text) for name, text in fields.items() if name.startswith("master")]
    watched = [one for one in watched if "status" in one]
    lost = [f"{one.get('name', '?')[:40]} is {one['status'][:20]}" for one in watched]
    lost = [text for text in lost if not text.endswith(" is ok")]
    because = few(lost) if watched else "it watches no primary"
    found: Values = {"is_sentinel": True}
    for name in _NOT_WITH_SENTINEL:
        found |= fact(name, False, SENTINEL)
    return found | fact("primaries_ok", bool(watched) and not lost, because)


def _replica(fields: Mapping[str, str]) -> Values:
    if "role" not in fields:
        return unexplained(("is_replica", "linked"), "INFO does not tell")
    if fields["role"] != "slave":
        because = "it is no replica"
        return fact("is_replica", False, because) | fact("linked", False, because)
    syncing = fields.get("master_sync_in_progress") == "1"
    up = fields.get("master_link_status") == "up"
    since = number(fields, "master_link_down_since_seconds")
    what = "the first copy is under way" if syncing else "the link to the primary is down"
    down = f"{what}, for {since} s" if since is not None else what
    found: Values = {"is_replica": True, "sync_in_progress": syncing}
    found |= fact("link_up", up, down) | fact("linked", up, "the link to the primary is down")
    writable = "clients may write to this replica (replica-read-only is no)"
    found |= fact("read_only", fields.get("slave_read_only") == "1", writable)
    return found | plain(fields, "last_io_seconds", "master_last_io_seconds_ago")


async def _cluster(fields: Mapping[str, str], connection: Session) -> Values:
    if fields.get("cluster_enabled") != "1":
        return fact("is_cluster", False, "it is no node of a cluster")
    found: Values = {"is_cluster": True}
    reply = await connection.ask("CLUSTER", "INFO")
    if not isinstance(reply, str):
        return found | {"cluster_ok_because": not_tested(reply, "CLUSTER INFO")}
    told = parsed(reply)
    failed, assigned = number(told, "cluster_slots_fail"), number(told, "cluster_slots_assigned")
    state = told.get("cluster_state", "unknown")[:20]
    because = f"cluster_state is {state}, {assigned} of 16384 slots assigned, {failed} failed"
    return found | fact("cluster_ok", state == "ok" and not failed, because)


async def _primary(
    fields: Mapping[str, str], connection: Session, settings: Settings, context: Context
) -> Values:
    connected = _replicas(fields)
    online = [one for one in connected if one.get("state") == "online"]
    found: Values = {"connected_replicas": len(connected), "online_replicas": len(online)}
    if settings.replicas:
        told = f"{len(online)} of {settings.replicas} replicas are online"
        found |= fact("enough_replicas", len(online) >= settings.replicas, told)
    found |= await _demanded(fields, connection)
    found |= fact("has_replicas", bool(online), "no replica is online")
    if online:
        looks = await looked(connection, settings.window, context)
        if isinstance(looks, str):
            return found | unexplained(("replica_lag_seconds", "replica_lag_ratio"), looks)
        found |= _lag(looks)
    return found


def _replicas(fields: Mapping[str, str]) -> Sequence[Mapping[str, str]]:
    named = (pairs(text) for name, text in fields.items() if name.startswith("slave"))
    return [one for one in named if "state" in one]


async def _demanded(fields: Mapping[str, str], connection: Session) -> Values:
    """Tell whether there are the good replicas without which writes are refused."""
    good = number(fields, "min_slaves_good_slaves")
    if good is None:
        because = "min-replicas-to-write is 0: it takes writes without replicas"
        return fact("demands_replicas", False, because)
    least = await connection.setting("min-replicas-to-write")
    found: Values = {"demands_replicas": True}
    if not isinstance(least, str) or not least.isdecimal():
        because = not_tested(least, "CONFIG GET min-replicas-to-write")
        return found | {"min_replicas_met_because": because}
    told = f"{good} good replicas, min-replicas-to-write is {least}: writes are refused"
    return found | fact("min_replicas_met", good >= int(least), told)


def _lag(looks: Looks) -> Values:
    """Return how far the slowest replica is behind.

    What was written within the window does not count: replicas acknowledge once a second.
    """
    online = [one for one in _replicas(looks.last) if one.get("state") == "online"]
    written = number(looks.first, "master_repl_offset")
    backlog = number(looks.last, "repl_backlog_size")
    reached = [offset for one in online if (offset := number(one, "offset")) is not None]
    heard = [lag for one in online if (lag := number(one, "lag")) is not None]
    found: Values = {"replica_lag_seconds": max(heard)} if heard else {}
    if written is None or not reached or not backlog:
        return found | {"replica_lag_ratio_because": "INFO does not tell"}
    behind = max(0, written - min(reached))
    found["replica_lag_ratio_because"] = f"{behind} bytes of a backlog of {backlog}"
    return found | {"replica_lag_bytes": behind, "replica_lag_ratio": behind / backlog}
