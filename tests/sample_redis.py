"""What the probes of a Redis measure on the sample system's, which is well."""

from collections.abc import Mapping
from typing import Any

from readiness.measurement import Values

_MEMORY: Values = {
    "used_memory_bytes": 1_043_000,
    "used_memory_peak_bytes": 1_102_000,
    "window_seconds": 2.0,
    "keeps_data": False,
    "keeps_data_because": "no role is declared",
    "volatile_cache": False,
    "volatile_cache_because": "no role is declared",
    "policy_fits_role_because": "no role is declared",
    "evicted_keys": 0,
    "evicted_keys_per_second": 0.0,
    "expired_keys": 41,
    "expired_keys_per_second": 0.5,
    "oom_errors": 0,
    "hit_ratio_since_start": 0.93,
    "hits_count": False,
    "hits_count_because": "no role is declared",
    "allocator_rss_ratio": 1.0,
    "mem_fragmentation_ratio": 6.1,
    "fragments_count": False,
    "fragments_count_because": "not tested: the allocator libc does not tell",
    "connected_clients": 9,
    "blocked_clients": 0,
    "clients_ratio": 0.0009,
    "rejected_connections": 0,
    "rejected_connections_per_second": 0.0,
    "rejected_ratio": 0.0,
}
_PERSISTENCE: Values = {
    "rdb_changes_since_last_save": 312,
    "rdb_last_save_seconds": 84.0,
    "rdb_saved": False,
    "rdb_saved_because": "snapshots are off and none was taken",
    "rdb_last_save_ok": True,
    "rdb_enabled": False,
    "rdb_scheduled": False,
    "rdb_scheduled_because": "snapshots are off",
    "rdb_on_schedule": True,
    "aof_enabled": True,
    "aof_last_write_ok": True,
    "aof_last_rewrite_ok": True,
    "aof_delayed_fsync": 0,
    "aof_delayed_fsync_per_second": 0.0,
    "aof_fsync_in_time": True,
    "appendfsync": "no",
    "keeps_data": False,
    "keeps_data_because": "no role is declared",
    "persistent": True,
    "writes_stopped": False,
    "loading": False,
}
_REPLICATION: Values = {
    "mode": "standalone",
    "role": "master",
    "is_sentinel": False,
    "is_sentinel_because": "it is no sentinel",
    "is_replica": False,
    "is_replica_because": "it is no replica",
    "linked": False,
    "linked_because": "it is no replica",
    "is_cluster": False,
    "is_cluster_because": "it is no node of a cluster",
    "connected_replicas": 0,
    "online_replicas": 0,
    "demands_replicas": False,
    "demands_replicas_because": "min-replicas-to-write is 0: it takes writes without replicas",
    "has_replicas": False,
    "has_replicas_because": "no replica is online",
}
_SECURITY: Values = {
    "remote": False,
    "remote_because": "our connection stays on this machine",
    "encrypted": False,
    "authentication_required": True,
    "protected_mode": True,
    "networked": False,
    "networked_because": "it listens on loopback alone",
    "dangerous_commands_closed": False,
    "dangerous_commands_closed_because": "default may run FLUSHALL, FLUSHDB, CONFIG SET, KEYS, "
    "SHUTDOWN, 5 more",
}
_SLOWLOG: Values = {
    "has_slowlog": True,
    "looked_back_seconds": 84.0,
    "slower_than_ms": 10.0,
    "slow_commands": 0,
    "slow_commands_whole": True,
    "slowest_ms": 0.0,
    "latency_monitor": False,
    "latency_monitor_because": "not tested: latency-monitor-threshold is 0, so that no event is "
    "recorded",
}
_STREAMS: Values = {
    "streams": 0,
    "scan_whole": True,
    "has_groups": False,
    "has_groups_because": "there are no streams",
}

REDIS: Mapping[str, dict[str, Any]] = {
    "redis_memory": _MEMORY,
    "redis_persistence": _PERSISTENCE,
    "redis_replication": _REPLICATION,
    "redis_security": _SECURITY,
    "redis_slowlog": _SLOWLOG,
    "redis_streams": _STREAMS,
}
