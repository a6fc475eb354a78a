"""Failed services and their dependencies -> root causes, each with what it explains."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from readiness.finding import Finding
from readiness.inventory import Inventory

JOURNEY = "journey"
"""The probe that walks what users do."""


class RootCause(BaseModel):
    """A service that is out for no reason upstream, and the dependents that its outage explains."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: str
    because: str
    explains: tuple[str, ...]


def root_causes(inventory: Inventory, findings: Sequence[Finding]) -> tuple[RootCause, ...]:
    """Name each outage once. This orders the report and never changes a score."""
    outages = _outages(findings)
    stuck = {f.service for f in findings if f.probe == JOURNEY and f.outcome == "fail"}
    suffering = [s.name for s in inventory.subjects if s.name in outages or s.name in stuck]
    blamed = {name: _upstream(name, inventory) & outages.keys() for name in suffering}
    explained_by: dict[str, list[str]] = {}
    for name, causes in blamed.items():
        for cause in causes:
            explained_by.setdefault(cause, []).append(name)
    return tuple(
        RootCause(service=name, because=because, explains=tuple(explained_by.get(name, ())))
        for name, because in outages.items()
        if not blamed.get(name)
    )


def down(inventory: Inventory, findings: Sequence[Finding]) -> frozenset[str]:
    """Return the names of the services whose health probe met their own fault."""
    vital = {s.name: s.health_probe for s in inventory.services}
    return frozenset(
        f.service
        for f in findings
        if f.probe == vital.get(f.service) and f.failure is not None and f.failure.blames_target
    )


def explained(causes: Sequence[RootCause]) -> frozenset[str]:
    """Return the names of all services whose outage has its cause in another."""
    return frozenset(name for cause in causes for name in cause.explains)


def _outages(findings: Sequence[Finding]) -> Mapping[str, str]:
    """Service -> why it is out, for every service with a failed blocker of availability."""
    found: dict[str, str] = {}
    for f in findings:
        if f.area == "availability" and f.outcome == "fail" and f.severity == "critical":
            found.setdefault(f.service, f.because)
    return found


def _upstream(name: str, inventory: Inventory) -> frozenset[str]:
    """Everything that `name` depends on, directly or not."""
    edges = {s.name: s.depends_on for s in inventory.subjects}
    seen: set[str] = set()
    waiting = list(edges[name])
    while waiting:
        current = waiting.pop()
        if current not in seen:
            seen.add(current)
            waiting.extend(edges.get(current, ()))
    return frozenset(seen)
