"""What a Redis or Valkey does with its memory and clients: eviction by role, hits, fragments."""

from collections.abc import Mapping

from readiness.estimate import rate
from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes._redis_connection import not_tested, session
from readiness.probes._redis_info import fact, number, pairs, plain, ratio, unexplained
from readiness.probes._redis_role import Role, RoleSettings, role_of
from readiness.probes._redis_window import Looks, Window, looked

TIER: Tier = "observe"
KINDS = frozenset({"redis"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "used_memory_bytes": "bytes: memory that the allocator gave the server (used_memory)",
    "used_memory_peak_bytes": "bytes: the most of that since the start",
    "window_seconds": "s: time between the two looks that give the rates",
    "policy_fits_role": "true or false: maxmemory-policy is what the declared role needs",
    "volatile_cache": "true or false: a declared cache may evict only keys with a TTL",
    "evictable_ratio": "ratio 0..1: keys with a TTL of all keys, where only those may be evicted",
    "keeps_data": "true or false: the declared role (queue, store) may lose no key",
    "nothing_evicted": "true or false: no key was evicted since the start (evicted_keys)",
    "evicted_keys": "count: keys evicted since the start",
    "evicted_keys_per_second": "1/s: keys evicted within the window",
    "expired_keys": "count: keys whose TTL ran out, since the start",
    "expired_keys_per_second": "1/s: keys whose TTL ran out within the window",
    "oom_errors": "count: commands refused for want of memory since the start (errorstat_OOM)",
    "hits_count": "true or false: a declared cache was asked often enough for a hit ratio",
    "hit_ratio": "ratio 0..1: keyspace_hits of all look-ups within the window",
    "hit_ratio_since_start": "ratio 0..1: the same since the start",
    "fragments_count": "true or false: 100 MiB or more are lost to fragments of the allocator",
    "allocator_frag_ratio": "ratio: allocator_active of allocator_allocated, 1 for no fragments",
    "allocator_frag_bytes": "bytes: lost to fragments of the allocator",
    "allocator_rss_ratio": "ratio: allocator_resident of allocator_active",
    "mem_fragmentation_ratio": "ratio: RSS of used_memory; misleads on a small or swapped server",
    "clients_ratio": "ratio 0..1: connected_clients of maxclients",
    "connected_clients": "count: clients connected at the last look, we among them",
    "blocked_clients": "count: clients that wait in a blocking command such as BLPOP",
    "rejected_connections": "count: connections refused at maxclients since the start",
    "rejected_connections_per_second": "1/s: connections refused within the window",
    "rejected_ratio": "ratio 0..1: rejected_connections of all connections since the start",
}

_FEW_LOOKUPS = 100
"""Fewer look-ups within the window say nothing of how well a cache works."""
_FRAGMENTS = 100 << 20
"""active-defrag-ignore-bytes of redis.conf: below it the server itself does not care."""


class Settings(RoleSettings):
    """What the keys are for, and how long to watch."""

    window: Window = 2.0


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Read INFO twice, the window apart."""
    async with session(service.url.get_secret_value(), context) as connection:
        looks = await looked(connection, settings.window, context)
        if isinstance(looks, str):
            return unexplained(METRICS, looks)
        clients = number(looks.last, "maxclients") or await connection.setting("maxclients")
    role = role_of(service, settings)
    found: Values = {"window_seconds": round(looks.seconds, 3)}
    found |= plain(looks.last, "used_memory_bytes", "used_memory")
    found |= plain(looks.last, "used_memory_peak_bytes", "used_memory_peak")
    found |= _eviction(looks, role) | _hits(looks, role, context) | _fragments(looks.last)
    return found | _clients(looks, clients)


def _eviction(looks: Looks, role: Role | None) -> Values:
    found = looks.counted("evicted_keys") | looks.counted("expired_keys")
    oom = pairs(looks.last.get("errorstat_OOM", "")).get("count", "0")
    found |= {"oom_errors": int(oom)} if oom.isdecimal() and len(oom) < 19 else {}
    if role is None:
        because = "no role is declared"
        found |= fact("keeps_data", False, because) | fact("volatile_cache", False, because)
        return found | {"policy_fits_role_because": because}
    found |= _policy(looks.last, role)
    found |= fact("keeps_data", role != "cache", "a cache may lose its keys")
    if isinstance(evicted := found.get("evicted_keys"), int):
        because = f"{evicted} keys were evicted since the server started"
        found |= fact("nothing_evicted", not evicted, because)
    return found


def _policy(fields: Mapping[str, str], role: Role) -> Values:
    policy, limit = fields.get("maxmemory_policy", "")[:40], number(fields, "maxmemory")
    if not policy or limit is None:
        return unexplained(("policy_fits_role", "volatile_cache"), "INFO does not tell")
    wrong = _misfit(policy, limit, role)
    found = fact("policy_fits_role", not wrong, wrong)
    if role == "cache" and policy.startswith("volatile-") and limit:
        return found | {"volatile_cache": True} | _evictable(fields, policy)
    because = f"under {policy} a TTL does not decide what is evicted from this {role}"
    return found | fact("volatile_cache", False, because)


def _misfit(policy: str, limit: int, role: Role) -> str:
    if role != "cache":
        return "" if policy == "noeviction" else f"a {role} may lose keys by {policy}"
    if not limit:
        return "a cache without maxmemory evicts nothing and grows without end"
    return "a full cache refuses writes by noeviction" if policy == "noeviction" else ""


def _evictable(fields: Mapping[str, str], policy: str) -> Values:
    """Return the share of keys that `volatile-*` may evict; an empty server has none that stay."""
    databases = [pairs(value) for name, value in fields.items() if name[:2] == "db"]
    keys = sum(number(one, "keys") or 0 for one in databases)
    expiring = sum(number(one, "expires") or 0 for one in databases)
    because = f"{policy} can never evict {keys - expiring} of {keys} keys, which have no TTL"
    value = min(1.0, expiring / keys) if keys else 1.0
    return {"evictable_ratio": value, "evictable_ratio_because": because}


def _hits(looks: Looks, role: Role | None, context: Context) -> Values:
    hits, misses = looks.delta("keyspace_hits"), looks.delta("keyspace_misses")
    all_hits = number(looks.last, "keyspace_hits")
    all_misses = number(looks.last, "keyspace_misses")
    found: Values = {}
    if all_hits is not None and all_misses is not None and all_hits + all_misses:
        found["hit_ratio_since_start"] = all_hits / (all_hits + all_misses)
    if role != "cache":
        because = f"its role is {role}, not cache" if role else "no role is declared"
        return found | fact("hits_count", False, because)
    if hits is None or misses is None:
        return found | unexplained(("hits_count", "hit_ratio"), "INFO does not tell")
    if hits + misses < _FEW_LOOKUPS:
        because = (
            f"not tested: {hits + misses} look-ups in {looks.seconds:.1f} s, "
            f"a hit ratio needs {_FEW_LOOKUPS}"
        )
        return found | fact("hits_count", False, because)
    return found | {
        "hits_count": True,
        "hit_ratio": rate(hits, hits + misses, context.sides("hit_ratio")),
    }


def _fragments(fields: Mapping[str, str]) -> Values:
    found: Values = {}
    for name in ("allocator_frag_ratio", "allocator_rss_ratio", "mem_fragmentation_ratio"):
        value = ratio(fields, name)
        found |= {f"{name}_because": "INFO does not tell"} if value is None else {name: value}
    allocator, lost = fields.get("mem_allocator", "")[:40], number(fields, "allocator_frag_bytes")
    if not allocator.startswith("jemalloc") or lost is None:
        found.pop("allocator_frag_ratio", None)
        because = f"not tested: the allocator {allocator or 'of this server'} does not tell"
        absent = unexplained(("allocator_frag_ratio", "allocator_frag_bytes"), because)
        return found | absent | fact("fragments_count", False, because)
    because = f"fragments hold {lost >> 20} MiB"
    found |= {"allocator_frag_bytes": lost, "allocator_frag_ratio_because": because}
    return found | fact("fragments_count", lost >= _FRAGMENTS, f"{because}, under 100 MiB")


def _clients(looks: Looks, most: object) -> Values:
    found = plain(looks.last, "connected_clients")
    found |= plain(looks.last, "blocked_clients")
    found |= looks.counted("rejected_connections")
    used, allowed = number(looks.last, "connected_clients"), str(most)
    if used is None or not allowed.isdecimal() or not int(allowed):
        found["clients_ratio_because"] = not_tested(most, "CONFIG GET maxclients")
    else:
        found["clients_ratio"] = used / int(allowed)
        found["clients_ratio_because"] = f"{used} of {allowed} are connected"
    rejected = number(looks.last, "rejected_connections")
    accepted = number(looks.last, "total_connections_received")
    if rejected is None or accepted is None or not rejected + accepted:
        return found | {"rejected_ratio_because": "INFO does not tell"}
    because = f"{rejected} connections were rejected at maxclients since the server started"
    found["rejected_ratio_because"] = because
    return found | {"rejected_ratio": rejected / (rejected + accepted)}
