"""Measurements and findings of one service -> its row in the availability matrix."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from readiness.estimate import Estimate
from readiness.finding import Finding
from readiness.inventory import Criticality, Inventory, Kind, Service
from readiness.measurement import Measurement, Value, number

Status = Literal["up", "down", "unknown"]
Health = Literal["pass", "warn", "fail", "unknown"]
Readiness = Literal["ready", "ready_with_fixes", "not_ready", "unknown"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Level(_Frozen):
    """What happened at one number of concurrent users."""

    users: int
    requests_per_second: float | None
    success_rate: Estimate | None
    p95_ms: Estimate | None
    errors: str


class ServiceRow(_Frozen):
    """One service as the matrix shows it; milliseconds, rates 0..1."""

    name: str
    kind: Kind
    criticality: Criticality
    port: int | None
    status: Status
    health: Health
    response_ms: float | None
    readiness: Readiness
    p50_ms: Estimate | None
    p95_ms: Estimate | None
    p99_ms: Estimate | None
    success_rate: Estimate | None
    concurrency: tuple[Level, ...]

    @property
    def available(self) -> bool:
        """Whether it counts as available: up, and its health does not fail."""
        return self.status == "up" and self.health != "fail"


def rows(
    inventory: Inventory, measurements: Sequence[Measurement], findings: Sequence[Finding]
) -> tuple[ServiceRow, ...]:
    """Return one row for each service, in the inventory's order."""
    last = {(m.probe, m.service): m for m in sorted(measurements, key=lambda m: m.attempt)}
    mine: dict[str, list[Finding]] = {}
    for f in findings:
        mine.setdefault(f.service, []).append(f)
    return tuple(_row(service, last, mine.get(service.name, ())) for service in inventory.services)


def _row(
    service: Service, last: Mapping[tuple[str, str], Measurement], findings: Sequence[Finding]
) -> ServiceRow:
    vital = last.get((service.health_probe, service.name))
    status, health = _status(vital), _health(service, findings)
    timed = "http_latency" if service.kind in ("http", "web") else service.health_probe
    latency = _values(last.get((timed, service.name)))
    p50 = _estimate(latency.get("p50_ms"))
    return ServiceRow(
        name=service.name,
        kind=service.kind,
        criticality=service.criticality,
        port=service.port,
        status=status,
        health=health,
        response_ms=p50.value if p50 else None,
        readiness=_readiness(status, health, findings),
        p50_ms=p50,
        p95_ms=_estimate(latency.get("p95_ms")),
        p99_ms=_estimate(latency.get("p99_ms")),
        success_rate=_estimate(latency.get("success_rate"), most=1),
        concurrency=_levels(_values(last.get(("http_concurrency", service.name)))),
    )


def _values(measurement: Measurement | None) -> Mapping[str, Value]:
    return measurement.values if measurement and not measurement.failure else {}


def _estimate(value: Value | None, most: float = math.inf) -> Estimate | None:
    """Return `value` if it is an Estimate that can be: its ends in order, within 0..`most`."""
    if not isinstance(value, Estimate):
        return None
    if value.value is None or value.low is None or value.high is None:
        return value
    possible = 0 <= value.low <= value.value <= value.high <= most and value.high < math.inf
    return value if possible else None


def _status(vital: Measurement | None) -> Status:
    if vital is None:
        return "unknown"
    if vital.failure:
        return "down" if vital.failure.blames_target else "unknown"
    return "up"


def _health(service: Service, findings: Sequence[Finding]) -> Health:
    """The worst finding on availability that its health probe gave."""
    outcomes = {f.outcome for f in findings if f.area == "availability" and _vital(service, f)}
    order: tuple[Health, ...] = ("fail", "unknown", "warn", "pass")
    return next((o for o in order if o in outcomes), "unknown")


def _vital(service: Service, finding: Finding) -> bool:
    return finding.probe == service.health_probe


def _readiness(status: Status, health: Health, findings: Sequence[Finding]) -> Readiness:
    failed = [f for f in findings if f.outcome == "fail"]
    if status == "down" or health == "fail" or any(f.blocker and not f.waived for f in failed):
        return "not_ready"
    if failed or any(f.undecided for f in findings):
        return "ready_with_fixes"
    return "unknown" if health == "unknown" else "ready"


def _levels(values: Mapping[str, Value]) -> tuple[Level, ...]:
    users = sorted(
        {int(m[1]) for key in values if (m := re.match(r"users\.([1-9]\d{0,8})\.", key, re.ASCII))}
    )
    return tuple(_level(n, values) for n in users)


def _level(users: int, values: Mapping[str, Value]) -> Level:
    return Level(
        users=users,
        requests_per_second=number(values.get(f"users.{users}.requests_per_second")),
        success_rate=_estimate(values.get(f"users.{users}.success_rate"), most=1),
        p95_ms=_estimate(values.get(f"users.{users}.p95_ms")),
        errors=str(values.get(f"users.{users}.errors", "")),
    )
