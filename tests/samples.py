"""Evidence as `readiness run` would collect it from the sample system, built without any of it."""

import functools
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from readiness import bundled
from readiness import inventory as inventories
from readiness.estimate import Estimate, quantile, rate
from readiness.evidence import Evidence, Previous, Tool
from readiness.failure import Failure
from readiness.histogram import Histogram
from readiness.inventory import Inventory, Policy, Subject, Waiver
from readiness.measurement import Measurement, Value, Values
from tests import sample_platform, sample_security

STARTED = datetime(2026, 11, 23, 10, 37, tzinfo=UTC)
SECONDS = 24.6
SAMPLES = 400
USERS = (1, 10, 50)
END_OF_LIFE = date(2030, 11, 14)
LOGIN = "POST /auth/login answered 422: body.username: field required"
API_KEY = (
    "with the credential, GET /api/v1/bases answered 403: "
    "the key differs from the one this gateway was configured with"
)
UNFORGED = "the credential was not accepted, so that a forged one proves nothing"
DELAYS: Mapping[str, float] = {
    "api-gateway": 53,
    "auth": 17,
    "airtable-gateway": 16,
    "file-service": 23,
    "saga-service": 12,
    "workflow-service": 13,
    "frontend": 12,
    "notification-service": 14,
    "user-service": 15,
    "postgres": 0.4,
    "redis": 0.2,
    "mcp-server": 9,
}
"""Milliseconds."""
DOWN = ("notification-service", "user-service")


@functools.cache
def inventory() -> Inventory:
    """The inventory that comes with the tool, as if no variable were set."""
    return inventories.load(bundled.SERVICES, {})


def broken(**changes: Any) -> Evidence:
    """Two services down, login and API key refused, the gateway too small for 50 users."""
    previous = Previous(value=30, started_at=STARTED - timedelta(days=7))
    run: dict[str, Any] = {"run_id": "5f3c0a7d9b1e4c62", "previous": previous}
    run["residue"] = (f"{sample_security.LEFT} of session",)
    return _evidence(_system(fixed=False), **run | changes)


def fixed(**changes: Any) -> Evidence:
    """The repaired system, a day later."""
    later = STARTED + timedelta(days=1)
    previous = Previous(value=59, started_at=STARTED)
    run: dict[str, Any] = {"run_id": "c81d4e2fa6074b39", "previous": previous, "started_at": later}
    return _evidence(_system(fixed=True), **run | changes)


def partial(**changes: Any) -> Evidence:
    """A run cut short, with few samples, waivers, a loosened target and the gate disabled."""
    services = tuple(_loosened(s) if s.name == "frontend" else s for s in inventory().services)
    waivers = (
        _waiver("redis-maxmemory", "redis", date(2026, 12, 31), "the host kills nothing else"),
        _waiver("login-accepted", "auth", date(2026, 11, 30), "the new login ships next week"),
        _waiver("credential-accepted", "airtable-gateway", date(2026, 10, 31), "key in rotation"),
        _waiver("latency-p95", None, date(2026, 11, 30), "profiling is under way"),
    )
    measured = [m for m in _system(fixed=False, samples=40) if m.probe != "http_concurrency"]
    measured = [m for m in measured if m.service not in ("saga-service", "mcp-server", "postgres")]
    denied = Failure(kind="denied", detail="Postgres refused the login (SQLSTATE 28P01)")
    flaky = _measured("file-service", "http_health", _health("file-service"), attempt=2)
    timeout = Failure(kind="timeout", detail="no answer in time")
    measured = [m for m in measured if (m.service, m.probe) != ("file-service", "http_health")]
    measured += [
        _measured("postgres", "postgres_health", {}, failure=denied),
        _measured("file-service", "http_health", {}, failure=timeout),
        flaky,
    ]
    run: dict[str, Any] = {
        "run_id": "a0b1c2d3e4f50617",
        "inventory": inventory().model_copy(update={"services": services, "waivers": waivers}),
        "interrupted": "SIGINT",
        "policy": Policy(stage="report"),
        "environment": "staging",
        "allowed": ("observe",),
    }
    return _evidence(measured, **run | changes)


def _waiver(check: str, service: str | None, until: date, reason: str) -> Waiver:
    return Waiver(check=check, service=service, until=until, reason=reason, owner="@dana")


def _loosened(service: Any) -> Any:
    return service.model_copy(
        update={"checks": {"latency-p95": {"target": "400ms", "limit": "900ms"}}}
    )


def _evidence(measurements: Sequence[Measurement], /, **changes: Any) -> Evidence:
    started = changes.pop("started_at", STARTED)
    run: dict[str, Any] = {
        "tool": Tool(version="0.1.0"),
        "inventory": inventory(),
        "environment": "local",
        "allowed": ("observe", "load", "write"),
        "started_at": started,
        "finished_at": started + timedelta(seconds=SECONDS),
        "measurements": tuple(measurements),
    }
    return Evidence(**run | changes)


def _system(*, fixed: bool, samples: int = SAMPLES) -> list[Measurement]:
    found: list[Measurement] = []
    inhabitants: list[Subject] = [*inventory().services, *inventory().artifacts]
    for service in inhabitants:
        for probe in service.expected_probes:
            if service.name in DOWN and not fixed and probe != "compose_file":
                found.append(_refused(service.name, probe))
            else:
                values = _values(service.name, probe, fixed, samples)
                found.append(_measured(service.name, probe, values))
    found += [
        _measured(one.name, "journey", sample_security.journey(one, fixed))
        for one in inventory().journeys
    ]
    return found


def _refused(service: str, probe: str) -> Measurement:
    refused = Failure(kind="refused", detail="connection refused")
    return _measured(service, probe, {}, attempt=2, failure=refused)


def _measured(
    service: str, probe: str, values: Values, attempt: int = 1, failure: Failure | None = None
) -> Measurement:
    return Measurement(
        probe=probe,
        service=service,
        attempt=attempt,
        started_at=STARTED,
        seconds=0.5,
        values=values,
        failure=failure,
    )


def _values(service: str, probe: str, fixed: bool, samples: int) -> Values:
    if sample_platform.is_kept(probe):
        return sample_platform.values(service, probe, fixed)
    if probe == "http_concurrency":
        return _concurrency(service, fixed)
    if probe == "http_access":
        return _access(service, fixed)
    if probe == "http_headers":
        return sample_security.headers(service == "frontend", fixed)
    delay = DELAYS[service]
    plain: Mapping[str, Values] = {
        "http_health": _health(service),
        "http_cors": sample_security.cors(),
        "jwt": sample_security.jwt(fixed),
        "session": sample_security.session(fixed),
        "access_matrix": sample_security.matrix(service, fixed),
        "http_exposure": sample_security.exposure(),
        "http_latency": _latency(delay, samples),
        "web_page": _page(delay),
        "postgres_health": _postgres(delay, samples),
        "redis_health": _redis(delay, samples),
        "mcp_handshake": _mcp(delay, samples),
    }
    return plain[probe]


def _spread(delay: float, samples: int) -> list[float]:
    """Times from `delay` upwards, most of them close to it, in a fixed disorder."""
    return [round(delay * (1 + 0.12 * (i * 37 % 100 / 100) ** 6), 3) for i in range(samples)]


def _times(delay: float, samples: int, *percentiles: int) -> Values:
    return {f"p{p}_ms": _quantile(delay, samples, p) for p in percentiles}


@functools.cache
def _quantile(delay: float, samples: int, percentile: int) -> Estimate:
    return quantile(_spread(delay, samples), percentile / 100)


@functools.cache
def _drawn(delay: float, samples: int) -> Values:
    spread = [round(1e6 * ms) for ms in _spread(delay, samples)]
    drawn = Histogram.of(spread).encode()
    return {"distribution": drawn, "max_ms": max(spread) / 1e6, "stable": True, "clock": "kernel"}


def _exchange() -> Values:
    return {"resolve_ms": 0.1, "connect_ms": 0.2, "first_byte_ms": 17.4, "transfer_ms": 0.1}


def _health(service: str) -> Values:
    return {
        "status": 200,
        "healthy": True,
        "contradiction": False,
        "state": "pass",
        "structured": True,
        "media_type": "application/health+json",
        "protocol": "HTTP/1.1",
        "live_status": 200,
        "live_healthy": True,
        "response_bytes": 52 + len(service),
        **_exchange(),
    }


def _latency(delay: float, samples: int) -> Values:
    return {
        **_times(delay, samples, 50, 95, 99),
        **_drawn(delay, samples),
        "success_rate": rate(samples, samples),
        "error_rate": rate(0, samples),
        "n": samples,
        "request": "GET /health",
    }


def _concurrency(service: str, fixed: bool) -> Values:
    found: Values = {"request": "GET /health", "users_max": USERS[-1]}
    for users in USERS:
        level = _level(service, users, fixed)
        found |= {f"users.{users}.{name}": value for name, value in level.items()}
    last = f"users.{USERS[-1]}."
    if service == "file-service":
        found[f"{last}closed_by_server"] = 12
    for name in ("success_rate", "p95_ms", "requests_per_second"):
        found[name] = found[last + name]
    if f"{last}errors" in found:
        found["success_rate_because"] = found[f"{last}errors"]
    return found


def _level(service: str, users: int, fixed: bool) -> Mapping[str, Value]:
    delay, n = DELAYS[service] * (1 + users / 200), 500
    if service == "api-gateway" and users == USERS[-1] and not fixed:
        times: Values = _times(265, n, 50, 95)
        return {
            **times,
            "success_rate": rate(250, n),
            "requests_per_second": 188.7,
            "errors": "HTTP 503: 250",
            "n": n,
        }
    times = _times(delay, n, 50, 95)
    return {
        **times,
        "success_rate": rate(n, n),
        "requests_per_second": round(1000 * users / delay, 1),
        "n": n,
    }


def _access(service: str, fixed: bool) -> Values:
    found: Values = {"protected_paths": 1, "public_paths": 1, "anonymous_refused": True}
    found |= {"public_answered": True, "credential_accepted": True, "forged_refused": True}
    if service == "auth":
        found["login_accepted"] = fixed
        if not fixed:
            found["login_accepted_because"] = LOGIN
            found["credential_accepted_because"] = "the login was refused"
            found["forged_refused_because"] = "the login was refused"
            del found["credential_accepted"], found["forged_refused"]
    if service == "airtable-gateway" and not fixed:
        found |= {"credential_accepted": False, "credential_accepted_because": API_KEY}
        found["forged_refused_because"] = UNFORGED
        del found["forged_refused"]
    return found


def _page(delay: float) -> Values:
    return {
        "status": 200,
        "ok": True,
        "text_found": True,
        "title": "PyAirtable",
        "has_title": True,
        "html": True,
        "response_bytes": 1840,
        **_times(delay, 30, 50, 95),
        **_exchange(),
    }


def _postgres(delay: float, samples: int) -> Values:
    return {
        "connected": True,
        "connect_ms": Estimate(value=6.2, low=5.9, high=6.6, n=72),
        "connect_p95_ms": Estimate(value=8.1, low=7.2, high=9.9, n=72),
        **_times(delay, samples, 50, 95),
        "version": "18.1",
        "major": 18,
        "end_of_life": END_OF_LIFE.isoformat(),
        "days_to_end_of_life": (END_OF_LIFE - STARTED.date()).days,
        "connections_used": 14,
        "connections_max": 100,
        "connections_ratio": 0.14,
        "connections_active": 2,
        "connections_idle": 12,
        "connections_idle_in_transaction": 0,
        "connections_aborted": 0,
        "pooler": "none",
        "platform": "self-managed",
        "tls": False,
        "read_only": True,
        "in_recovery": False,
    }


def _redis(delay: float, samples: int) -> Values:
    return {
        "connected": True,
        "connect_ms": 0.6,
        **_times(delay, samples, 50, 95, 99),
        "version": "9.1.0",
        "server": "valkey",
        "holds_data": True,
        "memory_bytes": 1_043_000,
        "maxmemory_bytes": 67_108_864,
        "maxmemory_set": True,
        "memory_ratio": 0.0155,
        "fills_up": True,
        "eviction_policy": "volatile-lru",
        "persistence": True,
        "last_save_ok": True,
        "role": "master",
    }


def _mcp(delay: float, samples: int) -> Values:
    return {
        "connected": True,
        "protocol_version": "2026-07-28",
        "era": "discover",
        "server_name": "PyAirtable",
        "handshake_ms": 21.5,
        "discoverable": True,
        **{f"discover_{name}": p for name, p in _times(delay, samples, 50, 95).items()},
        "tools": 2,
        "tool_names": "list_tables, list_records",
        "expected_tools_present": True,
        **_times(delay, samples, 50, 95),
    }


def with_value(evidence: Evidence, service: str, probe: str, **values: Value) -> Evidence:
    """Return `evidence` with `values` put into what `probe` measured of `service`."""
    return _changed(evidence, service, probe, lambda old: {**old, **values})


def without_value(evidence: Evidence, service: str, probe: str, name: str) -> Evidence:
    """Return `evidence` without the value `name` of what `probe` measured of `service`."""
    return _changed(
        evidence, service, probe, lambda old: {k: v for k, v in old.items() if k != name}
    )


def _changed(
    evidence: Evidence,
    service: str,
    probe: str,
    change: Callable[[Mapping[str, Value]], Mapping[str, Value]],
) -> Evidence:
    measurements = tuple(
        m.model_copy(update={"values": change(m.values)})
        if (m.service, m.probe) == (service, probe)
        else m
        for m in evidence.measurements
    )
    return evidence.model_copy(update={"measurements": measurements})


def keeping(evidence: Evidence, *services: str) -> Evidence:
    """Return `evidence` as if its system had `services` alone, and no capabilities."""
    inventory = evidence.inventory.model_copy(
        update={
            "services": tuple(s for s in evidence.inventory.services if s.name in services),
            "journeys": (),
            "artifacts": (),
            "capabilities": {},
        }
    )
    kept = tuple(m for m in evidence.measurements if m.service in services)
    return evidence.model_copy(update={"inventory": inventory, "measurements": kept})


def many(n: int, detail: str = "connection refused") -> Evidence:
    """A system of `n` critical services that are all down."""
    auth = inventory().service("auth").model_copy(update={"depends_on": ()})
    services = tuple(auth.model_copy(update={"name": f"auth-{i}"}) for i in range(n))
    refused = Failure(kind="refused", detail=detail)
    measurements = tuple(
        _measured(service.name, probe, {}, attempt=2, failure=refused)
        for service in services
        for probe in service.expected_probes
    )
    update = {"services": services, "journeys": (), "capabilities": {}}
    system = inventory().model_copy(update=update)
    return broken(inventory=system, measurements=measurements)
