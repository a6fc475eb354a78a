"""What the sample system's Postgres, which is local and in order, is measured at."""

from collections.abc import Mapping

from readiness.measurement import Values

VALUES: Mapping[str, Values] = {
    "postgres_schema": {
        "indexes_valid": True,
        "invalid_indexes": 0,
        "indexes_being_built": 0,
        "constraints_validated": True,
        "unvalidated_constraints": 0,
        "tables_without_primary_key": 0,
        "unindexed_foreign_keys": 0,
        "small_unindexed_foreign_keys": 0,
        "duplicate_indexes": 0,
        "mark_xid": "763",
        "mark_at": "2026-03-01T12:00:00+00:00",
        "next_mark_xid": "763",
        "next_mark_at": "2026-03-01T12:00:00+00:00",
        "index_use_known": True,
        "unused_indexes": 0,
    },
    "postgres_sequences": {
        "sequences": 3,
        "finite": True,
        "used_ratio": 0.0,
        "used_ratio_because": "public.files_id_seq (integer files.id) is at 7 of 2147483647",
    },
    "postgres_vacuum": {
        "xid_age": 12,
        "xid_wraparound_ratio": 0.0,
        "multixact_age": 0,
        "multixact_wraparound_ratio": 0.0,
        "freeze_age_ratio": 0.0,
        "autovacuum": True,
        "primary": True,
        "autovacuum_in_force": True,
        "tables_autovacuum_off": 0,
        "dead_tuples_ratio": 0.0,
        "tables_vacuum_overdue": 0,
        "tables_analyze_overdue": 0,
        "tables_never_analyzed": 0,
    },
    "postgres_replication": {
        "standby": False,
        "synchronous": False,
        "has_standbys": False,
        "standbys": 0,
        "receiver_expected": False,
        "own_lag_known": False,
        "has_slots": False,
        "has_logical_consumers": False,
        "has_subscriptions": False,
    },
    "postgres_archiving": {
        "managed": False,
        "archiving": False,
        "archive_timeout_ms": 0.0,
        "base_backup_running": False,
        "wal_archived_expected": False,
        "wal_archived_expected_because": "the data of a system in the environment local can be "
        "made again",
        "wal_archived": False,
        "wal_archived_because": "archive_mode is off, and nobody receives WAL to keep it",
    },
}
