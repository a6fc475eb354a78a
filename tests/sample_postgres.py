"""What the probes of a Postgres measured in the sample system, broken and fixed."""

from readiness.estimate import Estimate
from readiness.measurement import Values

_UNTOLD = "not tested: the role may not read pg_hba_file_rules, which only a superuser can grant"


def connects() -> Values:
    return {
        "connect_ms": Estimate(value=6.2, low=5.9, high=6.6, n=72),
        "connect_p95_ms": Estimate(value=8.1, low=7.2, high=9.9, n=72),
        "connections_active": 2,
        "connections_idle": 12,
        "connections_idle_in_transaction": 0,
        "connections_aborted": 0,
        "pooler": "none",
        "platform": "self-managed",
    }


def activity() -> Values:
    return {
        "sessions": 14,
        "sessions_hidden": 0,
        "idle_in_transaction": 0,
        "idle_in_transaction_ms": 0.0,
        "longest_query_ms": 3.1,
        "longest_query_ms_because": "pid 4711 for 0.0 s; pid 4712 for 0.0 s",
        "longest_transaction_ms": 3.1,
        "longest_transaction_ms_because": "pid 4711 for 0.0 s; pid 4712 for 0.0 s",
        "blocked_sessions": 0,
        "longest_blocked_ms": 0.0,
        "blocking_roots": "none",
        "waiting_locks": 0,
        "prepared_enabled": False,
        "prepared_transactions": 0,
        "longest_prepared_ms": 0.0,
    }


def throughput() -> Values:
    return {
        "window_seconds": 2.004,
        "transactions_per_second": 31.4,
        "blocks_read_enough": False,
        "blocks_read_enough_because": "324 blocks were asked for while we watched, "
        "1000 say something",
        "lifetime_cache_hit_ratio": 0.991,
        "transactions_enough": False,
        "transactions_enough_because": "63 transactions ended while we watched, 200 are needed",
        "lifetime_rollback_ratio": 0.001,
        "deadlocks": 0,
        "deadlocks_total": 0,
        "deadlocks_per_day": 0.0,
        "temp_files": 0,
        "temp_bytes": 0,
        "temp_bytes_per_second": 0.0,
    }


def statements(fixed: bool) -> Values:
    if fixed:
        told = (
            "SELECT * FROM tables WHERE id = $1 (queryid 42): 9120 calls of 0.4 ms, 31 ms at most"
        )
        return {
            "collected": True,
            "judged": True,
            "statements": 37,
            "slowest_mean_ms": 0.4,
            "slowest_mean_ms_because": told,
            "slowest_max_ms": 31.0,
            "costliest": told,
            "costliest_share": 0.31,
        }
    because = "pg_stat_statements is not installed in this database"
    return {
        "collected": False,
        "collected_because": because,
        "judged": False,
        "judged_because": f"not tested: {because}",
    }


def security(fixed: bool) -> Values:
    role: Values = {"superuser": False, "excess_privileges": False}
    rules: Values = {"rules_read": False, "rules_read_because": _UNTOLD}
    if not fixed:
        role = {
            "superuser": True,
            "superuser_because": "the role of the URL is a superuser",
            "excess_privileges": True,
            "privileges": "BYPASSRLS, REPLICATION, CREATEROLE",
            "excess_privileges_because": "BYPASSRLS, REPLICATION, CREATEROLE",
        }
        rules = {"rules_read": True, "remote_trust": False}
    return {
        **role,
        "remote": False,
        "remote_because": "the connection does not leave this machine",
        "encrypted": False,
        "server_ssl": False,
        "login": "scram-sha-256",
        "login_seen": True,
        "login_asked": True,
        "scram": True,
        "password_encryption": "scram-sha-256",
        "public_create": False,
        **rules,
    }


def migrations() -> Values:
    because = "no table of alembic, Django, Flyway, Prisma, knex, golang-migrate or Rails"
    return {"found": False, "found_because": because}
