"""The bundled criteria, each with a measurement that passes and one that fails; added packs."""

import re
from pathlib import Path
from typing import Any

import pytest

from readiness import bundled
from readiness.criteria import bundled_criteria, check_overrides, read_packs, with_packs
from readiness.document import ConfigurationError, parse
from readiness.inventory import Artifact, Health, Journey, Subject
from readiness.judge import judge
from readiness.probes import load, names
from tests import containers
from tests.judging import CRITERIA, NOW, estimate, inventory, measured, service, waiver

HTTP = service(health={"live": "/live"}, url="https://localhost:8443")
ACCESS = service(
    probes={"http_access": {"protected": ["/p"], "public": ["/"], "login": {"path": "/login"}}}
)
MATRIX = service(
    probes={
        "access_matrix": {
            "paths": {"GET /p": {"allow": []}},
            "objects": {"file": {"path": "/f", "owner": "ann", "others": ["nobody"]}},
            "openapi": "/openapi.json",
        }
    }
)
SESSION = service(
    probes={"session": {"journey": "j", "show": "me", "logout": "out", "refresh": "again"}}
)
GUESSED = service(probes={"brute_force": {"identity": "bait"}})
RATE = service(probes={"http_concurrency": {"rate": 100}})
WEB = service(kind="web", probes={"web_page": {"text": "Welcome"}})
MCP = service(
    kind="mcp",
    probes={
        "mcp_handshake": {"tools": ["search"], "headers": {"Authorization": "Bearer k"}},
        "mcp_call": {"tool": "search", "text": "found"},
        "mcp_stdio": {"command": ["serve"], "tools": ["search"]},
    },
)
OPEN = service(
    url="https://localhost:8443",
    probes={
        "http_headers": {},
        "http_cors": {"origins": ["https://app.example.com"]},
        "http_exposure": {},
    },
)
TLS = service(kind="web", url="https://localhost:8443", probes={"tls": {}})
OIDC = service(probes={"oidc_discovery": {}})
JWT = service(probes={"jwt": {"signing_key": "k", "jwks": "/jwks"}})
PROMETHEUS = service(kind="prometheus", url="http://localhost:9090")
ALERTMANAGER = service(
    kind="alertmanager", url="http://localhost:9093", probes={"alertmanager": {"peers": 3}}
)
LOKI = service(kind="loki", url="http://localhost:3100")
TEMPO = service(
    kind="tempo",
    url="http://localhost:3200",
    probes={"tempo": {"path": "/orders", "expect": ["auth"]}},
)
GRAFANA = service(kind="grafana", url="http://localhost:3000")

JOURNEY = Journey.model_validate(
    {"name": "buy", "title": "Buy", "steps": [{"name": "look", "request": "/", "service": "api"}]}
)

JUNIT = Artifact(
    name="tests", kind="junit", files=("*.xml",), probes={"junit_results": {"at_least": 40}}
)
COVERAGE = Artifact(name="coverage", kind="coverage", files=("coverage.xml",))
SARIF = Artifact(name="scan", kind="sarif", files=("*.sarif",))

Case = tuple[Subject, dict[str, Any], dict[str, Any]]

BANNER = service(kind="tcp", probes={"tcp_connect": {"banner": "SSH-"}})
DNS = service(probes={"dns_lookup": {"expect": ["10.0.0.0/8"]}})
GRPC = service(kind="grpc", probes={"grpc_health": {"services": ["shop.v1.Orders"]}})
WEBSOCKET = service(
    kind="websocket",
    probes={"websocket_echo": {"origins": ["https://a.example"], "subprotocols": ["v1"]}},
)
RABBITMQ, NATS = service(kind="rabbitmq"), service(kind="nats")

POSTGRES, TCP = service(kind="postgres"), service(kind="tcp")

REDIS = service(
    kind="redis",
    probes={
        "redis_memory": {"role": "store"},
        "redis_replication": {"replicas": 1},
        "redis_streams": {"streams": ["orders"]},
    },
)


def redis_case(when: str, metric: str, good: Any, bad: Any) -> Case:
    """Return a case of a Redis in a role, where the fact `when` holds."""
    fact = {when: True} if when else {}
    return REDIS, {**fact, metric: good}, {**fact, metric: bad}


REDIS_CASES: dict[str, Case] = {
    "redis-up": redis_case("", "connected", True, False),
    "redis-ping-p95": redis_case("", "p95_ms", estimate(1, 0.2, 5), estimate(60, 26, 90)),
    "redis-ping-p99": redis_case("", "p99_ms", estimate(1, 0.2, 10), estimate(200, 101, 900)),
    "redis-maxmemory": redis_case("holds_data", "maxmemory_set", True, False),
    "redis-memory": redis_case("fills_up", "memory_ratio", 0.75, 0.95),
    "redis-eviction-policy": redis_case("", "policy_fits_role", True, False),
    "redis-evictable-keys": redis_case("volatile_cache", "evictable_ratio", 0.9, 0.49),
    "redis-nothing-evicted": redis_case("keeps_data", "nothing_evicted", True, False),
    "redis-hit-ratio": redis_case(
        "hits_count", "hit_ratio", estimate(0.9, 0.8, 1), estimate(0.3, 0.2, 0.49)
    ),
    "redis-fragmentation": redis_case("fragments_count", "allocator_frag_ratio", 1.1, 2.1),
    "redis-clients": redis_case("", "clients_ratio", 0.7, 0.91),
    "redis-rejected-connections": redis_case("", "rejected_ratio", 0.001, 0.011),
    "redis-last-save": redis_case("rdb_saved", "rdb_last_save_ok", True, False),
    "redis-snapshot-schedule": redis_case("rdb_scheduled", "rdb_on_schedule", True, False),
    "redis-aof-write": redis_case("aof_enabled", "aof_last_write_ok", True, False),
    "redis-aof-rewrite": redis_case("aof_enabled", "aof_last_rewrite_ok", True, False),
    "redis-aof-fsync": redis_case("aof_enabled", "aof_fsync_in_time", True, False),
    "redis-persistence": redis_case("keeps_data", "persistent", True, False),
    "redis-replica-link": redis_case("is_replica", "link_up", True, False),
    "redis-replica-io": redis_case("linked", "last_io_seconds", 15, 61),
    "redis-replica-read-only": redis_case("is_replica", "read_only", True, False),
    "redis-replicas": redis_case("", "enough_replicas", True, False),
    "redis-min-replicas": redis_case("demands_replicas", "min_replicas_met", True, False),
    "redis-replica-lag": redis_case("has_replicas", "replica_lag_ratio", 0.5, 1.1),
    "redis-replica-silence": redis_case("has_replicas", "replica_lag_seconds", 3, 11),
    "redis-cluster": redis_case("is_cluster", "cluster_ok", True, False),
    "redis-sentinel": redis_case("is_sentinel", "primaries_ok", True, False),
    "redis-authentication": redis_case("networked", "authentication_required", True, False),
    "redis-dangerous-commands": redis_case("networked", "dangerous_commands_closed", True, False),
    "redis-tls": redis_case("remote", "encrypted", True, False),
    "redis-slow-commands": redis_case("has_slowlog", "slowest_ms", 100.0, 1001.0),
    "redis-latency-events": redis_case("latency_monitor", "latency_event_ms", 100.0, 1001.0),
    "redis-streams-present": redis_case("", "streams_present", True, False),
    "redis-stream-groups-served": redis_case("has_groups", "groups_served", True, False),
    "redis-stream-lag": redis_case("has_groups", "lag", 1000, 10_001),
    "redis-stream-pending": redis_case("has_groups", "oldest_pending_seconds", 1800, 3601),
}

MCP_HOLDS: tuple[tuple[dict[str, Any], dict[str, str]], ...] = (
    (
        {"has_tools": True},
        {
            "mcp-list-ends": "list_ends",
            "mcp-tool-schemas": "schemas_valid",
            "mcp-tool-references": "references_local",
            "mcp-tool-names": "names_valid",
            "mcp-tool-names-unique": "names_unique",
            "mcp-tools-described": "described",
            "mcp-tool-hints": "hints_consistent",
            "mcp-tool-secrets": "secrets_absent",
            "mcp-tool-text-visible": "text_visible",
            "mcp-stdio-schemas": "schemas_valid",
            "mcp-stdio-list-ends": "list_ends",
            "mcp-stdio-references": "references_local",
            "mcp-stdio-names": "names_valid",
            "mcp-stdio-names-unique": "names_unique",
            "mcp-stdio-described": "described",
            "mcp-stdio-hints": "hints_consistent",
            "mcp-stdio-secrets": "secrets_absent",
            "mcp-stdio-text-visible": "text_visible",
        },
    ),
    ({"compared": True}, {"mcp-tools-kept": "tools_kept", "mcp-stdio-tools-kept": "tools_kept"}),
    ({"rebindable": True}, {"mcp-origin": "origin_refused"}),
    ({"rebindable": False}, {"mcp-origin-tls": "origin_refused"}),
    (
        {"credentials_declared": True},
        {"mcp-stranger": "stranger_refused", "mcp-forged": "forged_refused"},
    ),
    (
        {},
        {
            "mcp-unknown-method": "unknown_method_refused",
            "mcp-malformed": "malformed_refused",
            "mcp-get": "get_answered",
            "mcp-call-listed": "tool_listed",
            "mcp-stdio-answers": "connected",
            "mcp-stdio-expected-tools": "expected_tools_present",
            "mcp-stdio-clean": "stdout_clean",
            "mcp-stdio-unknown-method": "unknown_method_refused",
            "mcp-stdio-ends": "ends_with_stdin",
        },
    ),
    ({"has_version_header": True}, {"mcp-version-refused": "version_refused"}),
    ({"modern": True}, {"mcp-header-mismatch": "mismatch_refused"}),
    (
        {"sessions": True},
        {
            "mcp-session-names": "session_names_unguessable",
            "mcp-session-lost": "lost_session_told",
        },
    ),
    ({"sessions_end": True}, {"mcp-session-ended": "ended_session_refused"}),
    (
        {"tool_listed": True},
        {"mcp-call-succeeds": "succeeded", "mcp-call-expected": "as_expected"},
    ),
    ({"has_output_schema": True}, {"mcp-call-output": "output_valid"}),
)

DECLARING = service(
    kind="postgres",
    probes={"postgres_queries": {"queries": {"q": {}}}, "postgres_migrations": {"folder": "db"}},
)

PAIRED = service(probes={"http_paired": {"reference": True}})


def _paired(metric: str, good: Any, bad: Any) -> Case:
    return PAIRED, {"has_reference": True, metric: good}, {"has_reference": True, metric: bad}


CASES: dict[str, Case] = {
    "paired-time": _paired("time_ratio", estimate(1.0, 0.99, 1.01), estimate(1.25, 1.2, 1.3)),
    "paired-success": _paired("failure_excess", estimate(0, 0, 0.01), estimate(0.2, 0.15, 0.25)),
    "health-ready": (HTTP, {"healthy": True}, {"healthy": False}),
    "health-live": (HTTP, {"live_healthy": True}, {"live_healthy": False}),
    "health-honest": (HTTP, {"contradiction": False}, {"contradiction": True}),
    "health-structured": (HTTP, {"structured": True}, {"structured": False}),
    "resolve-time": (HTTP, {"resolve_ms": 4.2}, {"resolve_ms": 501.0}),
    "connect-time": (HTTP, {"connect_ms": 50}, {"connect_ms": 251}),
    "certificate-expiry": (HTTP, {"certificate_days": 21}, {"certificate_days": 6}),
    "success-rate": (
        HTTP,
        {"success_rate": estimate(1, 0.995, 1)},
        {"success_rate": estimate(0.9, 0.85, 0.94)},
    ),
    "latency-p50": (HTTP, {"p50_ms": estimate(60, 50, 99)}, {"p50_ms": estimate(400, 301, 500)}),
    "latency-p95": (HTTP, {"p95_ms": estimate(150, 90, 200)}, {"p95_ms": estimate(600, 501, 900)}),
    "latency-p99": (
        HTTP,
        {"p99_ms": estimate(400, 300, 500)},
        {"p99_ms": estimate(2000, 1501, 9e3)},
    ),
    "concurrency-success": (
        HTTP,
        {"success_rate": estimate(1, 0.985, 1)},
        {"success_rate": estimate(0.5, 0.46, 0.54)},
    ),
    "concurrency-p95": (
        HTTP,
        {"p95_ms": estimate(300, 250, 400)},
        {"p95_ms": estimate(3e3, 2001, 4e3)},
    ),
    "rate-success": (
        RATE,
        {"at_rate.success_rate": estimate(1, 0.995, 1)},
        {"at_rate.success_rate": estimate(0.9, 0.85, 0.94)},
    ),
    "rate-sustained": (RATE, {"at_rate.sustained": True}, {"at_rate.sustained": False}),
    "rate-p95": (
        RATE,
        {"at_rate.p95_ms": estimate(300, 250, 400)},
        {"at_rate.p95_ms": estimate(3e3, 2001, 4e3)},
    ),
    "anonymous-refused": (ACCESS, {"anonymous_refused": True}, {"anonymous_refused": False}),
    "login-accepted": (ACCESS, {"login_accepted": True}, {"login_accepted": False}),
    "credential-accepted": (ACCESS, {"credential_accepted": True}, {"credential_accepted": False}),
    "forged-refused": (ACCESS, {"forged_refused": True}, {"forged_refused": False}),
    "public-answers": (ACCESS, {"public_answered": True}, {"public_answered": False}),
    "matrix-anonymous-refused": (
        MATRIX,
        {"for_strangers": True, "anonymous_refused": True},
        {"for_strangers": True, "anonymous_refused": False},
    ),
    "matrix-roles-refused": (
        MATRIX,
        {"for_roles": True, "roles_refused": True},
        {"for_roles": True, "roles_refused": False},
    ),
    "matrix-roles-allowed": (
        MATRIX,
        {"for_someone": True, "roles_allowed": True},
        {"for_someone": True, "roles_allowed": False},
    ),
    "objects-isolated": (MATRIX, {"objects_isolated": True}, {"objects_isolated": False}),
    "openapi-security-kept": (
        MATRIX,
        {"openapi_secures": True, "openapi_kept": True},
        {"openapi_secures": True, "openapi_kept": False},
    ),
    "session-logout": (SESSION, {"logout_invalidates": True}, {"logout_invalidates": False}),
    "session-refresh-rotates": (SESSION, {"refresh_rotates": True}, {"refresh_rotates": False}),
    "session-refresh-reuse": (
        SESSION,
        {"refresh_rotates": True, "refresh_reuse_refused": True},
        {"refresh_rotates": True, "refresh_reuse_refused": False},
    ),
    "session-fixation": (
        SESSION,
        {"session_id_cookie": True, "login_renews": True},
        {"session_id_cookie": True, "login_renews": False},
    ),
    "session-cookie": (
        SESSION,
        {"cookie_session": True, "cookie_flagged": True},
        {"cookie_session": True, "cookie_flagged": False},
    ),
    "session-cookie-lifetime": (
        SESSION,
        {"cookie_session": True, "cookie_short_lived": True},
        {"cookie_session": True, "cookie_short_lived": False},
    ),
    "login-wrong-refused": (GUESSED, {"wrong_refused": True}, {"wrong_refused": False}),
    "brute-force-limited": (GUESSED, {"limited": True}, {"limited": False}),
    "brute-force-retry-after": (
        GUESSED,
        {"answered_429": True, "retry_after": True},
        {"answered_429": True, "retry_after": False},
    ),
    "login-no-enumeration": (GUESSED, {"accounts_hidden": True}, {"accounts_hidden": False}),
    "page-answers": (WEB, {"ok": True}, {"ok": False}),
    "page-text": (WEB, {"text_found": True}, {"text_found": False}),
    "page-title": (WEB, {"has_title": True}, {"has_title": False}),
    "page-size": (WEB, {"response_bytes": 20_000}, {"response_bytes": 1_000_001}),
    "port-open": (TCP, {"connected": True}, {"connected": False}),
    "tcp-connect-p95": (TCP, {"p95_ms": estimate(2, 1, 50)}, {"p95_ms": estimate(400, 251, 900)}),
    "postgres-up": (POSTGRES, {"connected": True}, {"connected": False}),
    "postgres-query-p95": (
        POSTGRES,
        {"p95_ms": estimate(1, 0.5, 20)},
        {"p95_ms": estimate(300, 101, 900)},
    ),
    "postgres-connections": (POSTGRES, {"connections_ratio": 0.7}, {"connections_ratio": 0.91}),
    "postgres-supported": (POSTGRES, {"days_to_end_of_life": 180}, {"days_to_end_of_life": -400}),
    "mcp-answers": (MCP, {"connected": True}, {"connected": False}),
    "mcp-tools": (MCP, {"tools": 1}, {"tools": 0}),
    "mcp-expected-tools": (
        MCP,
        {"expected_tools_present": True},
        {"expected_tools_present": False},
    ),
    "mcp-tools-p95": (MCP, {"p95_ms": estimate(90, 80, 300)}, {"p95_ms": estimate(2e3, 1001, 3e3)}),
    "mcp-era": (MCP, {"era": "discover"}, {"era": "initialize"}),
    "jwt-required": (JWT, {"is_jwt": True, "required": True}, {"is_jwt": True, "required": False}),
    "jwt-malformed-refused": (
        JWT,
        {"token_demanded": True, "malformed_refused": True},
        {"token_demanded": True, "malformed_refused": False},
    ),
    "jwt-payload-protected": (
        JWT,
        {"token_read": True, "payload_protected": True},
        {"token_read": True, "payload_protected": False},
    ),
    "jwt-signature-required": (
        JWT,
        {"claims_sealed": True, "signature_required": True},
        {"claims_sealed": True, "signature_required": False},
    ),
    "jwt-none-refused": (
        JWT,
        {"signature_demanded": True, "none_refused": True},
        {"signature_demanded": True, "none_refused": False},
    ),
    "jwt-key-verified": (
        JWT,
        {"signature_demanded": True, "key_verified": True},
        {"signature_demanded": True, "key_verified": False},
    ),
    "jwt-header-keys-ignored": (
        JWT,
        {"key_checked": True, "header_keys_ignored": True},
        {"key_checked": True, "header_keys_ignored": False},
    ),
    "jwt-confusion-refused": (
        JWT,
        {"confusable": True, "confusion_refused": True},
        {"confusable": True, "confusion_refused": False},
    ),
    "jwt-expiry-enforced": (
        JWT,
        {"forgeable": True, "expiry_enforced": True},
        {"forgeable": True, "expiry_enforced": False},
    ),
    "jwt-not-before-enforced": (
        JWT,
        {"forgeable": True, "not_before_enforced": True},
        {"forgeable": True, "not_before_enforced": False},
    ),
    "jwt-audience-enforced": (
        JWT,
        {"audience_named": True, "audience_enforced": True},
        {"audience_named": True, "audience_enforced": False},
    ),
    "jwt-issuer-enforced": (
        JWT,
        {"issuer_named": True, "issuer_enforced": True},
        {"issuer_named": True, "issuer_enforced": False},
    ),
    "jwt-crit-refused": (
        JWT,
        {"forgeable": True, "crit_refused": True},
        {"forgeable": True, "crit_refused": False},
    ),
    "jwt-no-server-error": (
        JWT,
        {"is_jwt": True, "no_server_error": True},
        {"is_jwt": True, "no_server_error": False},
    ),
    "jwt-algorithm": (
        JWT,
        {"is_jwt": True, "algorithm": "EdDSA"},
        {"is_jwt": True, "algorithm": "none"},
    ),
    "jwt-strong-secret": (
        JWT,
        {"symmetric": True, "strong_secret": True},
        {"symmetric": True, "strong_secret": False},
    ),
    "jwt-expires": (JWT, {"is_jwt": True, "expires": True}, {"is_jwt": True, "expires": False}),
    "jwt-lifetime": (
        JWT,
        {"expires": True, "lifetime_ms": 900_000},
        {"expires": True, "lifetime_ms": 90_000_000},
    ),
    "jwt-no-secrets-in-payload": (
        JWT,
        {"is_jwt": True, "no_secrets_in_payload": True},
        {"is_jwt": True, "no_secrets_in_payload": False},
    ),
    "tls-modern": (TLS, {"modern_version_offered": True}, {"modern_version_offered": False}),
    "tls-old-versions": (TLS, {"old_versions_refused": True}, {"old_versions_refused": False}),
    "tls-13": (TLS, {"tls13_offered": True}, {"tls13_offered": False}),
    "tls-forward-secrecy": (TLS, {"forward_secret": True}, {"forward_secret": False}),
    "tls-aead": (TLS, {"aead": True}, {"aead": False}),
    "tls-hostname": (TLS, {"hostname_matches": True}, {"hostname_matches": False}),
    "tls-chain-complete": (TLS, {"chain_complete": True}, {"chain_complete": False}),
    "tls-trusted": (TLS, {"chain_trusted": True}, {"chain_trusted": False}),
    "tls-leaf-expiry": (TLS, {"leaf_days": 21}, {"leaf_days": 6}),
    "tls-chain-expiry": (
        TLS,
        {"issuers_seen": True, "chain_days": 21},
        {"issuers_seen": True, "chain_days": 6},
    ),
    "tls-key": (TLS, {"strong_key": True}, {"strong_key": False}),
    "tls-signature": (TLS, {"strong_signature": True}, {"strong_signature": False}),
    "tls-ocsp": (
        TLS,
        {"ocsp_seen": True, "ocsp_good": True},
        {"ocsp_seen": True, "ocsp_good": False},
    ),
    "tls-must-staple": (
        TLS,
        {"must_staple": True, "ocsp_stapled": True},
        {"must_staple": True, "ocsp_stapled": False},
    ),
    "oidc-discovery": (OIDC, {"discovered": True}, {"discovered": False}),
    "oidc-issuer": (OIDC, {"issuer_matches": True}, {"issuer_matches": False}),
    "oidc-metadata": (OIDC, {"metadata_complete": True}, {"metadata_complete": False}),
    "oidc-https": (
        OIDC,
        {"tls_expected": True, "endpoints_tls": True},
        {"tls_expected": True, "endpoints_tls": False},
    ),
    "oidc-pkce": (
        OIDC,
        {"code_flow": True, "pkce_s256": True},
        {"code_flow": True, "pkce_s256": False},
    ),
    "oidc-unsigned": (OIDC, {"unsigned_refused": True}, {"unsigned_refused": False}),
    "oidc-implicit": (OIDC, {"implicit_absent": True}, {"implicit_absent": False}),
    "oidc-keys": (
        OIDC,
        {"keys_published": True, "keys_answered": True},
        {"keys_published": True, "keys_answered": False},
    ),
    "oidc-signing-key": (
        OIDC,
        {"keys_published": True, "signing_key": True},
        {"keys_published": True, "signing_key": False},
    ),
    "oidc-private-keys": (
        OIDC,
        {"keys_published": True, "private_keys_absent": True},
        {"keys_published": True, "private_keys_absent": False},
    ),
    "oidc-key-size": (
        OIDC,
        {"keys_published": True, "keys_strong": True},
        {"keys_published": True, "keys_strong": False},
    ),
    "oidc-key-ids": (
        OIDC,
        {"keys_published": True, "key_ids_unique": True},
        {"keys_published": True, "key_ids_unique": False},
    ),
    "header-content-type-options": (OPEN, {"nosniff": True}, {"nosniff": False}),
    "header-content-type": (
        OPEN,
        {"has_body": True, "content_type_right": True},
        {"has_body": True, "content_type_right": False},
    ),
    "header-csp": (
        OPEN,
        {"page": True, "scripts_restricted": True},
        {"page": True, "scripts_restricted": False},
    ),
    "header-framing": (
        OPEN,
        {"page": True, "frames_restricted": True},
        {"page": True, "frames_restricted": False},
    ),
    "header-referrer-policy": (
        OPEN,
        {"page": True, "referrer_kept": True},
        {"page": True, "referrer_kept": False},
    ),
    "header-sri": (
        OPEN,
        {"foreign_scripts": True, "foreign_scripts_pinned": True},
        {"foreign_scripts": True, "foreign_scripts_pinned": False},
    ),
    "header-hsts": (
        OPEN,
        {"hsts_heeded": True, "hsts": True},
        {"hsts_heeded": True, "hsts": False},
    ),
    "cookie-secure": (
        OPEN,
        {"sets_cookies": True, "cookies_secure": True},
        {"sets_cookies": True, "cookies_secure": False},
    ),
    "cookie-http-only": (
        OPEN,
        {"sets_session_cookies": True, "session_cookies_http_only": True},
        {"sets_session_cookies": True, "session_cookies_http_only": False},
    ),
    "cookie-same-site": (
        OPEN,
        {"sets_session_cookies": True, "session_cookies_same_site": True},
        {"sets_session_cookies": True, "session_cookies_same_site": False},
    ),
    "cookie-kept": (
        OPEN,
        {"sets_cookies": True, "cookies_kept": True},
        {"sets_cookies": True, "cookies_kept": False},
    ),
    "version-banner": (OPEN, {"version_hidden": True}, {"version_hidden": False}),
    "cors-credentials": (OPEN, {"strangers_refused": True}, {"strangers_refused": False}),
    "cors-vary": (
        OPEN,
        {"reflects_origin": True, "vary_origin": True},
        {"reflects_origin": True, "vary_origin": False},
    ),
    "cors-allowed-origins": (
        OPEN,
        {"allowed_origins_accepted": True},
        {"allowed_origins_accepted": False},
    ),
    "secrets-exposed": (OPEN, {"secrets_hidden": True}, {"secrets_hidden": False}),
    "operations-exposed": (OPEN, {"operations_hidden": True}, {"operations_hidden": False}),
    "docs-exposed": (OPEN, {"docs_hidden": True}, {"docs_hidden": False}),
    "error-pages-quiet": (OPEN, {"error_pages_quiet": True}, {"error_pages_quiet": False}),
    "journey-succeeds": (JOURNEY, {"succeeded": True}, {"succeeded": False}),
    "journey-leaves-nothing": (JOURNEY, {"left_nothing": True}, {"left_nothing": False}),
    "prometheus-up": (PROMETHEUS, {"answers": True}, {"answers": False}),
    "prometheus-services-scraped": (
        PROMETHEUS,
        {"has_critical_services": True, "services_scraped_ratio": 1.0},
        {"has_critical_services": True, "services_scraped_ratio": 0.95},
    ),
    "prometheus-targets-up": (
        PROMETHEUS,
        {"has_critical_services": True, "targets_up_ratio": 1.0},
        {"has_critical_services": True, "targets_up_ratio": 0.4},
    ),
    "prometheus-scrape-fresh": (
        PROMETHEUS,
        {"has_critical_services": True, "oldest_scrape_ms": 60_000.0},
        {"has_critical_services": True, "oldest_scrape_ms": 250_000.0},
    ),
    "prometheus-alert-rules": (
        PROMETHEUS,
        {"has_critical_services": True, "services_alerted_ratio": 1.0},
        {"has_critical_services": True, "services_alerted_ratio": 0.95},
    ),
    "prometheus-rules-evaluate": (
        PROMETHEUS,
        {"has_rules": True, "rules_evaluate": True},
        {"has_rules": True, "rules_evaluate": False},
    ),
    "prometheus-rules-recent": (
        PROMETHEUS,
        {"has_rules": True, "rules_recent": True},
        {"has_rules": True, "rules_recent": False},
    ),
    "prometheus-watchdog": (PROMETHEUS, {"watchdog_firing": True}, {"watchdog_firing": False}),
    "prometheus-alertmanager": (
        PROMETHEUS,
        {"lists_alertmanagers": True, "alertmanager_connected": True},
        {"lists_alertmanagers": True, "alertmanager_connected": False},
    ),
    "prometheus-notifications": (
        PROMETHEUS,
        {"notifies": True, "notification_errors_ratio": 0.0},
        {"notifies": True, "notification_errors_ratio": 0.04},
    ),
    "prometheus-deliveries": (
        PROMETHEUS,
        {"notifies": True, "deliveries_failed_ratio": 0.0},
        {"notifies": True, "deliveries_failed_ratio": 0.02},
    ),
    "prometheus-config": (
        PROMETHEUS,
        {"is_prometheus": True, "config_loaded": True},
        {"is_prometheus": True, "config_loaded": False},
    ),
    "alertmanager-up": (ALERTMANAGER, {"answers": True}, {"answers": False}),
    "alertmanager-receiver": (ALERTMANAGER, {"has_receiver": True}, {"has_receiver": False}),
    "alertmanager-default-receiver": (
        ALERTMANAGER,
        {"has_receiver": True, "default_receiver_connected": True},
        {"has_receiver": True, "default_receiver_connected": False},
    ),
    "alertmanager-watchdog": (
        ALERTMANAGER,
        {"watchdog_arrived": True},
        {"watchdog_arrived": False},
    ),
    "alertmanager-watchdog-leaves": (
        ALERTMANAGER,
        {"watchdog_leavable": True, "watchdog_routed": True},
        {"watchdog_leavable": True, "watchdog_routed": False},
    ),
    "alertmanager-not-muted": (ALERTMANAGER, {"not_muted": True}, {"not_muted": False}),
    "alertmanager-silences-end": (
        ALERTMANAGER,
        {"has_silences": True, "longest_silence_days": 0.0},
        {"has_silences": True, "longest_silence_days": 91.0},
    ),
    "alertmanager-peers": (ALERTMANAGER, {"peers_complete": True}, {"peers_complete": False}),
    "loki-up": (LOKI, {"answers": True}, {"answers": False}),
    "loki-ready": (LOKI, {"ready": True}, {"ready": False}),
    "loki-services-logging": (
        LOKI,
        {"has_critical_services": True, "services_logging_ratio": 1.0},
        {"has_critical_services": True, "services_logging_ratio": 0.95},
    ),
    "loki-lines-fresh": (
        LOKI,
        {"has_critical_services": True, "oldest_line_ms": 1000.0},
        {"has_critical_services": True, "oldest_line_ms": 1_000_000.0},
    ),
    "loki-lines-refused": (
        LOKI,
        {"counts_lines": True, "lines_refused_ratio": 0.0},
        {"counts_lines": True, "lines_refused_ratio": 0.02},
    ),
    "tempo-up": (TEMPO, {"answers": True}, {"answers": False}),
    "tempo-trace-found": (
        TEMPO,
        {"has_entry": True, "trace_found": True},
        {"has_entry": True, "trace_found": False},
    ),
    "tempo-services-traced": (
        TEMPO,
        {"has_entry": True, "expected_ratio": 1.0},
        {"has_entry": True, "expected_ratio": 0.9},
    ),
    "tempo-dependencies-shown": (
        TEMPO,
        {"has_dependencies": True, "depends_on_shown_ratio": 1.0},
        {"has_dependencies": True, "depends_on_shown_ratio": 0.3},
    ),
    "grafana-up": (GRAFANA, {"answers": True}, {"answers": False}),
    "grafana-database": (GRAFANA, {"database_ok": True}, {"database_ok": False}),
    "grafana-datasources": (
        GRAFANA,
        {"has_datasources": True, "datasources_healthy_ratio": 1.0},
        {"has_datasources": True, "datasources_healthy_ratio": 0.9},
    ),
    "grafana-dashboards": (
        GRAFANA,
        {"has_critical_services": True, "services_shown_ratio": 1.0},
        {"has_critical_services": True, "services_shown_ratio": 0.9},
    ),
    "trace-refused": (OPEN, {"trace_refused": True}, {"trace_refused": False}),
    "tests-passed": (JUNIT, {"passed_ratio": 1.0}, {"passed_ratio": 15 / 42}),
    "tests-flaky": (JUNIT, {"flaky_ratio": 0.001}, {"flaky_ratio": 1 / 42}),
    "tests-skipped": (JUNIT, {"skipped_ratio": 0.1}, {"skipped_ratio": 0.31}),
    "tests-not-vanished": (JUNIT, {"enough_cases": True}, {"enough_cases": False}),
    "tests-commit": (
        JUNIT,
        {"commit_declared": True, "commit_matches": True},
        {"commit_declared": True, "commit_matches": False},
    ),
    "coverage-lines": (COVERAGE, {"line_rate": 0.75}, {"line_rate": 0.59}),
    "scan-critical": (SARIF, {"critical_free": True}, {"critical_free": False}),
    "scan-high": (SARIF, {"high_free": True}, {"high_free": False}),
    "scan-errors": (SARIF, {"errors_free": True}, {"errors_free": False}),
    **containers.CASES,
    "tcp-banner": (BANNER, {"greets": True}, {"greets": False}),
    "dns-resolves": (
        DNS,
        {"is_name": True, "resolved": True},
        {"is_name": True, "resolved": False},
    ),
    "dns-lookup-p95": (
        DNS,
        {"is_name": True, "p95_ms": estimate(9, 5, 130)},
        {"is_name": True, "p95_ms": estimate(900, 401, 2e3)},
    ),
    "dns-expected": (
        DNS,
        {"is_name": True, "as_expected": True},
        {"is_name": True, "as_expected": False},
    ),
    "dns-every-address": (
        DNS,
        {"dialled": True, "accepting": True},
        {"dialled": True, "accepting": False},
    ),
    "grpc-up": (GRPC, {"connected": True}, {"connected": False}),
    "grpc-serving": (
        GRPC,
        {"overall_told": True, "serving": True},
        {"overall_told": True, "serving": False},
    ),
    "grpc-services": (
        GRPC,
        {"services_serving": True},
        {"services_serving": False},
    ),
    "grpc-health-implemented": (
        GRPC,
        {"health_implemented": True},
        {"health_implemented": False},
    ),
    "grpc-health-p95": (
        GRPC,
        {"health_implemented": True, "p95_ms": estimate(9, 5, 100)},
        {"health_implemented": True, "p95_ms": estimate(2e3, 1001, 3e3)},
    ),
    "websocket-up": (WEBSOCKET, {"connected": True}, {"connected": False}),
    "websocket-answers": (WEBSOCKET, {"answered": True}, {"answered": False}),
    "websocket-subprotocol": (
        WEBSOCKET,
        {"subprotocol_agreed": True},
        {"subprotocol_agreed": False},
    ),
    "websocket-close": (WEBSOCKET, {"closed_in_order": True}, {"closed_in_order": False}),
    "websocket-handshake-p95": (
        WEBSOCKET,
        {"handshake.p95_ms": estimate(90, 50, 300)},
        {"handshake.p95_ms": estimate(2e3, 1001, 3e3)},
    ),
    "websocket-p95": (
        WEBSOCKET,
        {"answered": True, "p95_ms": estimate(9, 5, 100)},
        {"answered": True, "p95_ms": estimate(2e3, 1001, 3e3)},
    ),
    "websocket-origin": (
        WEBSOCKET,
        {"foreign_origin_refused": True},
        {"foreign_origin_refused": False},
    ),
    "websocket-own-origins": (WEBSOCKET, {"origins_accepted": True}, {"origins_accepted": False}),
    "rabbitmq-up": (RABBITMQ, {"connected": True}, {"connected": False}),
    "rabbitmq-alarms": (RABBITMQ, {"unalarmed": True}, {"unalarmed": False}),
    "rabbitmq-nodes": (
        RABBITMQ,
        {"clustered": True, "nodes_running": True},
        {"clustered": True, "nodes_running": False},
    ),
    "rabbitmq-partitions": (
        RABBITMQ,
        {"clustered": True, "united": True},
        {"clustered": True, "united": False},
    ),
    "rabbitmq-memory": (RABBITMQ, {"memory_ratio": 0.8}, {"memory_ratio": 0.91}),
    "rabbitmq-disk": (RABBITMQ, {"disk_ratio": 0.5}, {"disk_ratio": 0.81}),
    "rabbitmq-descriptors": (
        RABBITMQ,
        {"descriptors_known": True, "descriptors_ratio": 0.8},
        {"descriptors_known": True, "descriptors_ratio": 0.91},
    ),
    "rabbitmq-unattended": (
        RABBITMQ,
        {"emptied": True, "attended": True},
        {"emptied": True, "attended": False},
    ),
    "rabbitmq-queue-depth": (
        RABBITMQ,
        {"emptied": True, "deepest_queue": 1000},
        {"emptied": True, "deepest_queue": 10_001},
    ),
    "rabbitmq-unacknowledged": (
        RABBITMQ,
        {"queued": True, "unacknowledged": 1000},
        {"queued": True, "unacknowledged": 10_001},
    ),
    "rabbitmq-supported": (
        RABBITMQ,
        {"support_known": True, "supported": True},
        {"support_known": True, "supported": False},
    ),
    "nats-up": (NATS, {"connected": True}, {"connected": False}),
    "nats-healthy": (NATS, {"healthy": True}, {"healthy": False}),
    "nats-slow-consumers": (NATS, {"consumers_keep_up": True}, {"consumers_keep_up": False}),
    "nats-connections": (
        NATS,
        {"connections_limited": True, "connections_ratio": 0.7},
        {"connections_limited": True, "connections_ratio": 0.91},
    ),
    "nats-storage": (
        NATS,
        {"storage_limited": True, "storage_ratio": 0.8},
        {"storage_limited": True, "storage_ratio": 0.91},
    ),
    "nats-memory": (
        NATS,
        {"memory_limited": True, "memory_ratio": 0.8},
        {"memory_limited": True, "memory_ratio": 0.91},
    ),
    "nats-consumer-lag": (
        NATS,
        {"consumed": True, "consumer_lag": 1000},
        {"consumed": True, "consumer_lag": 10_001},
    ),
    "nats-authentication": (
        NATS,
        {"exposed": True, "authenticated": True},
        {"exposed": True, "authenticated": False},
    ),
    "nats-encryption": (
        NATS,
        {"exposed": True, "encrypted": True},
        {"exposed": True, "encrypted": False},
    ),
    **REDIS_CASES,
    "mcp-discover-p95": (
        MCP,
        {"discoverable": True, "discover_p95_ms": estimate(90, 80, 300)},
        {"discoverable": True, "discover_p95_ms": estimate(2e3, 1001, 3e3)},
    ),
    "mcp-tools-changed": (
        MCP,
        {"compared": True, "tools_changed": 0},
        {"compared": True, "tools_changed": 5000},
    ),
    "mcp-stdio-tools-changed": (
        MCP,
        {"compared": True, "tools_changed": 0},
        {"compared": True, "tools_changed": 5000},
    ),
    "mcp-call-p50": (
        MCP,
        {"read_only": True, "p50_ms": estimate(90, 80, 1000)},
        {"read_only": True, "p50_ms": estimate(2e4, 10_001, 3e4)},
    ),
    "mcp-stdio-tools-p95": (
        MCP,
        {"has_tools": True, "p95_ms": estimate(90, 80, 300)},
        {"has_tools": True, "p95_ms": estimate(2e3, 1001, 3e3)},
    ),
    **{
        name: (MCP, {**fact, metric: True}, {**fact, metric: False})
        for fact, holds in MCP_HOLDS
        for name, metric in holds.items()
    },
    "postgres-connect": (
        POSTGRES,
        {"connect_ms": estimate(5, 4, 50)},
        {"connect_ms": estimate(300, 251, 900)},
    ),
    **{
        f"postgres-{check}": (POSTGRES, {metric: good}, {metric: bad})
        for check, metric, good, bad in (
            ("idle-in-transaction", "idle_in_transaction_ms", 1.8e6, 3.7e6),
            ("long-query", "longest_query_ms", 1.8e6, 3.7e6),
            ("long-transaction", "longest_transaction_ms", 3.6e6, 7.3e6),
            ("blocked", "longest_blocked_ms", 1000, 60_001),
            ("deadlocks-now", "deadlocks", 0, 2),
            ("deadlocks", "deadlocks_per_day", 1, 25),
            ("statements-collected", "collected", True, False),
            ("not-superuser", "superuser", False, True),
            ("scram", "scram", True, False),
            ("public-schema", "public_create", False, True),
        )
    },
    **{
        f"postgres-{check}": (POSTGRES, {fact: holds, metric: good}, {fact: holds, metric: bad})
        for check, fact, holds, metric, good, bad in (
            ("prepared-transactions", "prepared_enabled", True, "longest_prepared_ms", 0, 4e6),
            ("cache-hits", "blocks_read_enough", True, "cache_hit_ratio", 0.99, 0.89),
            ("rollbacks", "transactions_enough", True, "rollback_ratio", 0.02, 0.11),
            ("slow-statements", "judged", True, "slowest_mean_ms", 500, 1001),
            ("least-privilege", "superuser", False, "excess_privileges", False, True),
            ("tls", "remote", True, "encrypted", True, False),
            ("login", "login_seen", True, "login_asked", True, False),
            ("trust-rules", "rules_read", True, "remote_trust", False, True),
            ("migrations-clean", "found", True, "clean", True, False),
        )
    },
    "postgres-queries-answered": (DECLARING, {"answered": True}, {"answered": False}),
    "postgres-queries-p95": (
        DECLARING,
        {"targets_declared": True, "slowest_of_target": estimate(0.5, 0.2, 1)},
        {"targets_declared": True, "slowest_of_target": estimate(3, 2.1, 9)},
    ),
    "postgres-migrations-applied": (DECLARING, {"up_to_date": True}, {"up_to_date": False}),
    "postgres-migrations-known": (DECLARING, {"traceable": True}, {"traceable": False}),
}


def _stored(metric: str, good: Any, bad: Any, **facts: bool) -> Case:
    return POSTGRES, {**facts, metric: good}, {**facts, metric: bad}


CASES |= {
    "postgres-indexes-valid": _stored("indexes_valid", True, False),
    "postgres-constraints-validated": _stored("constraints_validated", True, False),
    "postgres-primary-keys": _stored("tables_without_primary_key", 0, 6),
    "postgres-foreign-keys-indexed": _stored("unindexed_foreign_keys", 0, 6),
    "postgres-indexes-distinct": _stored("duplicate_indexes", 0, 6),
    "postgres-indexes-used": _stored("unused_indexes", 0, 6, index_use_known=True),
    "postgres-sequences": _stored("used_ratio", 0.5, 0.81, finite=True),
    "postgres-xid-wraparound": _stored("xid_wraparound_ratio", 0.47, 0.75),
    "postgres-multixact-wraparound": _stored("multixact_wraparound_ratio", 0.47, 0.75),
    "postgres-freeze-age": _stored("freeze_age_ratio", 1.0, 1.6),
    "postgres-autovacuum": _stored("autovacuum", True, False),
    "postgres-autovacuum-tables": _stored("tables_autovacuum_off", 0, 6, primary=True),
    "postgres-dead-rows": _stored("dead_tuples_ratio", 0.2, 0.51, primary=True),
    "postgres-vacuum-due": _stored("tables_vacuum_overdue", 0, 6, autovacuum_in_force=True),
    "postgres-analyze-due": _stored("tables_analyze_overdue", 0, 6, primary=True),
    "postgres-analyzed": _stored("tables_never_analyzed", 0, 6, primary=True),
    "postgres-standbys": (
        service(kind="postgres", probes={"postgres_replication": {"standbys": 1}}),
        {"standbys_connected": True},
        {"standbys_connected": False},
    ),
    "postgres-replay-lag-bytes": _stored("replay_lag_bytes", 0, 1 << 30, has_standbys=True),
    "postgres-replay-lag": _stored("replay_lag_ms", 0.0, 300_001.0, has_standbys=True),
    "postgres-synchronous": _stored("synchronous_connected", True, False, synchronous=True),
    "postgres-slots-active": _stored("slots_active", True, False, has_slots=True),
    "postgres-slots-kept": _stored("slots_kept", True, False, has_slots=True),
    "postgres-logical-lag": _stored("logical_lag_bytes", 0, 1 << 31, has_logical_consumers=True),
    "postgres-subscriptions": _stored("subscriptions_working", True, False, has_subscriptions=True),
    "postgres-receiver": _stored("receiver_streaming", True, False, receiver_expected=True),
    "postgres-own-lag-bytes": _stored("own_lag_bytes", 0, 1 << 30, own_lag_known=True),
    "postgres-own-lag": _stored("own_lag_ms", 0.0, 300_001.0, own_lag_known=True),
    "postgres-recovery-conflicts": _stored("conflict_ratio", 0.001, 0.011, standby=True),
    "postgres-crash-safe": _stored("crash_safe", True, False, data_kept=True),
    "postgres-wal-archived": _stored("wal_archived", True, False, wal_archived_expected=True),
    "postgres-archiver": _stored("archiver_working", True, False, archiving=True),
    "postgres-archive-delay": _stored("archive_delay_ms", 0.0, 3_600_001.0, archiving=True),
}


def test_every_bundled_check_has_its_cases() -> None:
    assert set(CASES) == set(CRITERIA.checks)


@pytest.mark.parametrize("name", CASES)
def test_a_good_measurement_passes_and_a_bad_one_fails(name: str) -> None:
    on, good, bad = CASES[name]
    rule = CRITERIA.checks[name]
    assert rule.concerns(on)
    passed = judge(rule, on, [measured(rule.probe, **good)], (), NOW.date())
    failed = judge(rule, on, [measured(rule.probe, **bad)], (), NOW.date())
    assert (passed.outcome, passed.score, passed.upper) == ("pass", 1, 1)
    assert failed.outcome == "fail"
    assert failed.score < 0.5
    assert passed.because and failed.because


def test_a_check_says_why_and_how_to_mend_it_in_one_sentence() -> None:
    for name, rule in CRITERIA.checks.items():
        assert re.fullmatch(r"[A-Z`].{10,}\.", rule.why), name
        assert re.fullmatch(r"[A-Z`].{10,}\.", rule.fix.text), name
        assert not re.search(r"[.;!?] ", rule.fix.text), f"{name}: one sentence"
        assert not rule.title.endswith("."), name


def test_what_services_stand_on_is_judged_by_sources() -> None:
    for rule in CRITERIA.checks.values():
        if not rule.probe.startswith(("http_", *_LOOKED_AT_FROM_OUTSIDE)):
            assert re.search(r"\([^()]{4,}(?:\([^()]*\)[^()]*)*\)\.$", rule.why), rule.id


_LOOKED_AT_FROM_OUTSIDE = (
    *("journey", "jwt", "access_matrix", "session", "brute_force", "oidc_discovery"),
    *("tls", "web_page"),
)


def test_a_check_judges_what_its_probe_measures() -> None:
    for name, rule in CRITERIA.checks.items():
        assert rule.probe in names(), name
        metrics = load(rule.probe).METRICS
        assert rule.metric in metrics, name
        assert rule.when is None or rule.when.metric in metrics, name
        assert rule.area in CRITERIA.areas, name


def test_what_a_check_needs_declared_can_be_declared() -> None:
    for rule in CRITERIA.checks.values():
        for path in rule.declared:
            where, *rest = path.split(".")
            if where == "probes":
                probe, setting = rest
                assert setting in load(probe).Settings.model_fields, rule.id
            elif where == "health":
                assert rest[0] in Health.model_fields, rule.id
            else:
                assert path == "https", rule.id


def test_quantiles_and_rates_are_judged_by_their_interval_alone() -> None:
    for rule in CRITERIA.checks.values():
        sampled = bool(
            re.fullmatch(
                r"(at_rate\.|handshake\.|discover_)?(p\d\d_ms|success_rate|hit_ratio)", rule.metric
            )
        )
        sampled |= rule.id in ("postgres-connect", "postgres-queries-p95")
        sampled |= rule.metric in ("time_ratio", "failure_excess")
        assert rule.sampled is sampled, rule.id


def test_the_areas_are_those_of_the_report() -> None:
    weights = {a.id: (a.weight, a.min_checks) for a in CRITERIA.areas.values()}
    assert weights == {
        "availability": (25, 1),
        "security": (20, 2),
        "performance": (15, 1),
        "capacity": (15, 1),
        "data": (15, 2),
        "infrastructure": (10, 2),
        "journeys": (20, 1),
        "hardening": (10, 2),
        "containers": (10, 2),
        "observability": (10, 2),
        "tests": (10, 1),
    }


PACK = """\
checks:
  warm-cache:
    title: Cache is warm
    probe: http_health
    metric: warm
    area: performance
    severity: low
    must_be: true
    why: Cold caches are slow.
    fix: {text: Warm it., effort_hours: 1}
"""


def test_a_pack_adds_checks() -> None:
    found = with_packs(CRITERIA, {"mine.yaml": PACK})
    assert found.added == {"warm-cache"}
    assert list(found.checks)[:-1] == list(CRITERIA.checks)
    assert found.checks["warm-cache"].metric == "warm"
    assert found.areas == CRITERIA.areas


@pytest.mark.parametrize(
    ("pack", "line", "message"),
    [
        (PACK.replace("warm-cache", "latency-p95"), 2, "'latency-p95' exists already"),
        (PACK.replace("title:", "id: latency-p95\n    title:"), 3, "'id' is not a known key"),
        (PACK.replace("area: performance", "area: speed"), 6, "unknown area 'speed'"),
        (PACK.replace("must_be: true", "must_bee: true"), 8, "must_bee"),
        (PACK.replace("must_be: true", "unit: [ms]\n    target: 1\n    limit: 2"), 8, "unit"),
        (PACK + "areas: {}\n", 11, "areas"),
        ("checks: []\n", 1, "checks"),
        ("checks: {x: 1}\n", 1, "checks.x"),
        ("[1, 2]\n", 1, ""),
    ],
)
def test_a_pack_with_a_mistake_is_refused_by_line(pack: str, line: int, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        with_packs(CRITERIA, {"mine.yaml": pack})
    assert str(caught.value).startswith(f"mine.yaml:{line}: ")
    assert message in str(caught.value)


def test_two_packs_cannot_name_one_check() -> None:
    with pytest.raises(ConfigurationError, match=r"^b.yaml:2: check 'warm-cache' exists already"):
        with_packs(CRITERIA, {"a.yaml": PACK, "b.yaml": PACK})


def test_packs_are_read_from_files_and_folders(tmp_path: Path) -> None:
    folder = tmp_path / "packs"
    folder.mkdir()
    for name in ("b.yaml", "a.yaml", "notes.txt"):
        (folder / name).write_text(name, "utf-8")
    one = tmp_path / "one.yml"
    one.write_text("one", "utf-8")
    found = read_packs([one, folder])
    assert found == {
        str(one): "one",
        str(folder / "a.yaml"): "a.yaml",
        str(folder / "b.yaml"): "b.yaml",
    }


def test_packs_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nosuch.yaml: this checks pack cannot be read"):
        read_packs([tmp_path / "nosuch.yaml"])
    (tmp_path / "latin.yaml").write_bytes(b"title: caf\xe9")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_packs([tmp_path / "latin.yaml"])


SERVICES = "services:\n  api:\n    checks:\n      {}: {}\nwaivers:\n  - {{check: {}}}\n"


@pytest.mark.parametrize(
    ("name", "written", "waived", "line", "message"),
    [
        ("latency-p95", {"target": "1s", "limit": "2s"}, "latency-p95", 0, ""),
        ("latency-p59", {"target": 1}, "latency-p95", 4, "unknown check 'latency-p59' of service"),
        ("redis-up", {"target": 1}, "latency-p95", 4, "unknown check 'redis-up' of service 'api'"),
        ("health-ready", {"target": 1}, "latency-p95", 4, "takes no override"),
        ("latency-p95", {"target": "9s"}, "latency-p95", 4, "lower is better"),
        (
            "latency-p95",
            {"limit": "1s"},
            "latency-p59",
            6,
            "unknown check 'latency-p59' in a waiver",
        ),
    ],
)
def test_overrides_and_waivers_must_fit_a_check(
    name: str, written: Any, waived: str, line: int, message: str
) -> None:
    of = inventory(service(checks={name: written}), waivers=[waiver(waived, "2026-12-31")])
    document = parse(SERVICES.format(name, "{}", waived), "services.yaml")
    if not line:
        check_overrides(of, CRITERIA, document)
        return
    with pytest.raises(ConfigurationError) as caught:
        check_overrides(of, CRITERIA, document)
    assert str(caught.value).startswith(f"services.yaml:{line}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("latency-p59", "unknown check 'latency-p59' of a number, under regression. Did you mean"),
        ("health-ready", "unknown check 'health-ready' of a number, under regression."),
    ],
)
def test_a_tolerance_must_fit_a_check_of_a_number(name: str, message: str) -> None:
    text = f"version: 1\nregression:\n  checks:\n    {name}: 20%\n"
    of = inventory(service(), regression={"checks": {name: "20%"}})
    with pytest.raises(ConfigurationError) as caught:
        check_overrides(of, CRITERIA, parse(text, "services.yaml"))
    assert str(caught.value).startswith(f"services.yaml:4: {message}")


def test_the_bundled_criteria_are_read_from_their_folder() -> None:
    assert (bundled.CHECKS / "areas.yaml").is_file()
    assert bundled_criteria.__wrapped__() == CRITERIA
    assert CRITERIA.added == frozenset()


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("probe: http_health", "probe: http_helth", "Did you mean 'http_health'?"),
        ("metric: response_bytes", "metric: response_byte", "Did you mean 'response_bytes'?"),
    ],
)
def test_a_pack_judges_only_what_a_probe_measures(old: str, new: str, hint: str) -> None:
    pack = """checks:
  tiny:
    title: Answers are tiny
    probe: http_health
    metric: response_bytes
    area: infrastructure
    severity: low
    unit: bytes
    target: 1kB
    limit: 2kB
    why: Our clients are slow.
    fix: {text: Answer less., effort_hours: 1}
"""
    metrics = {name: load(name).METRICS for name in names()}
    assert "tiny" in with_packs(CRITERIA, {"p.yaml": pack}, metrics).added
    with pytest.raises(ConfigurationError, match=re.escape(hint)):
        with_packs(CRITERIA, {"p.yaml": pack.replace(old, new)}, metrics)


def test_a_pack_may_judge_a_metric_of_one_number_of_users() -> None:
    pack = """checks:
  ten-users:
    title: Ten users are served
    probe: http_concurrency
    metric: users.10.success_rate
    area: capacity
    severity: low
    sampled: true
    unit: ratio
    target: 99%
    limit: 95%
    better: higher
    why: Ten is what we have.
    fix: {text: Serve ten., effort_hours: 1}
"""
    metrics = {"http_concurrency": load("http_concurrency").METRICS}
    assert "ten-users" in with_packs(CRITERIA, {"p.yaml": pack}, metrics).added
