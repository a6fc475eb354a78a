"""Small systems, their measurements and findings, each built in one call."""

from datetime import UTC, datetime
from typing import Any

from readiness.assessment import Assessment, assess
from readiness.checks import Area, Check, Fix
from readiness.criteria import bundled_criteria
from readiness.estimate import Estimate
from readiness.evidence import Evidence, Tool
from readiness.failure import Failure, FailureKind
from readiness.finding import Finding
from readiness.inventory import Inventory, Service, System, Waiver
from readiness.measurement import Measurement

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CRITERIA = bundled_criteria()
FIX = Fix(text="Mend it.", effort_hours=2)
URLS = {
    "http": "http://localhost:8000",
    "web": "http://localhost:3000/",
    "postgres": "postgres://localhost:5432/app",
    "redis": "redis://localhost:6379/0",
    "mcp": "http://localhost:8001/mcp",
    "tcp": "tcp://localhost:9000",
    "grpc": "grpc://localhost:50051",
    "websocket": "ws://localhost:8000/live",
    "rabbitmq": "http://localhost:15672",
    "nats": "http://localhost:8222",
}


def service(name: str = "api", kind: str = "http", **changes: Any) -> Service:
    return Service.model_validate({"name": name, "kind": kind, "url": URLS.get(kind)} | changes)


def inventory(*services: Service, **changes: Any) -> Inventory:
    return Inventory.model_validate(
        {"version": 1, "system": System(name="shop"), "services": services} | changes
    )


def measured(
    probe: str,
    on: str = "api",
    failure: FailureKind | None = None,
    attempt: int = 1,
    **values: Any,
) -> Measurement:
    return Measurement(
        probe=probe,
        service=on,
        attempt=attempt,
        started_at=NOW,
        seconds=0.1,
        values=values,
        failure=Failure(kind=failure, detail=f"{failure} it was") if failure else None,
    )


def evidence(of: Inventory, *measurements: Measurement, **changes: Any) -> Evidence:
    return Evidence.model_validate(
        {
            "tool": Tool(version="0.1.0"),
            "run_id": "r1",
            "inventory": of,
            "environment": "local",
            "allowed": ("observe", "load", "write"),
            "started_at": NOW,
            "finished_at": NOW,
            "measurements": measurements,
        }
        | changes
    )


def judged(of: Inventory, *measurements: Measurement, **changes: Any) -> Assessment:
    return assess(evidence(of, *measurements, **changes), CRITERIA)


def estimate(
    value: float | None, low: float | None = None, high: float | None = None, n: int = 1000
) -> Estimate:
    """An interval of no width unless its ends are given."""
    low, high = (value if low is None else low), (value if high is None else high)
    return Estimate(value=value, low=low, high=high, n=n)


def check(**changes: Any) -> Check:
    body: dict[str, Any] = {
        "id": "speed",
        "title": "Speed",
        "probe": "http_latency",
        "metric": "p95_ms",
        "area": "performance",
        "severity": "high",
        "why": "It matters.",
        "fix": FIX,
    }
    if not {"must_be", "one_of"} & changes.keys():
        body |= {"unit": "ms", "target": 200, "limit": 500}
    return Check.model_validate(body | changes)


def finding(score: float = 1.0, upper: float | None = None, **changes: Any) -> Finding:
    """A finding that passed, or, below 1, failed, unless `changes` say otherwise."""
    body: dict[str, Any] = {
        "check": "speed",
        "probe": "http_latency",
        "service": "api",
        "area": "performance",
        "title": "Speed",
        "severity": "high",
        "blocker": False,
        "outcome": "pass" if score == 1 else "fail",
        "score": score,
        "upper": score if upper is None else upper,
        "because": "so it is",
        "fix": FIX,
    }
    return Finding.model_validate(body | changes)


def unknown(**changes: Any) -> Finding:
    return finding(0.0, 1.0, outcome="unknown", **changes)


def outage(**changes: Any) -> Finding:
    failure = Failure(kind="refused", detail="connection refused")
    return finding(0.0, failure=failure, **changes)


def area(name: str, weight: float = 1, **changes: Any) -> Area:
    return Area.model_validate(
        {"id": name, "title": name.title(), "weight": weight, "kinds": ("http",)} | changes
    )


def waiver(check: str, until: str, **changes: Any) -> Waiver:
    body = {"check": check, "reason": "known", "owner": "dana", "until": until}
    return Waiver.model_validate(body | changes)


def healthy(on: str = "api", **changes: Any) -> tuple[Measurement, ...]:
    """Everything an http service is asked, perfect, but for `changes` of single metrics."""
    fast: dict[str, Any] = {"p50_ms": estimate(10), "p95_ms": estimate(20), "p99_ms": estimate(30)}
    values: dict[str, dict[str, Any]] = {
        "http_health": {
            "status": 200,
            "healthy": True,
            "contradiction": False,
            "structured": True,
            "resolve_ms": 1.0,
            "connect_ms": 1.0,
        },
        "http_latency": {**fast, "success_rate": estimate(1.0), "n": 1000},
        "http_concurrency": {"success_rate": estimate(1.0), "p95_ms": estimate(50)},
        "http_access": {
            "anonymous_refused": True,
            "credential_accepted": True,
            "forged_refused": True,
            "login_accepted": True,
            "public_answered": True,
        },
        "http_headers": {
            **dict.fromkeys(("nosniff", "has_body", "content_type_right", "version_hidden"), True),
            **dict.fromkeys(("page", "hsts_heeded", "foreign_scripts"), False),
            **dict.fromkeys(("sets_cookies", "sets_session_cookies"), False),
        },
        "http_cors": {"strangers_refused": True, "reflects_origin": False},
        "http_exposure": dict.fromkeys(
            (
                *("secrets_hidden", "operations_hidden", "docs_hidden"),
                *("error_pages_quiet", "trace_refused"),
            ),
            True,
        ),
    }
    return tuple(
        measured(probe, on, **{k: changes.get(f"{probe}__{k}", v) for k, v in mine.items()})
        for probe, mine in values.items()
    )


ACCESS = {"http_access": {"protected": ["/private"], "login": {"path": "/login"}}}
"""What an http service declares for every check of `healthy` to apply."""
