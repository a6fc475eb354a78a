"""A trace as Tempo tells it -> whose spans it holds, and which services called which."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from readiness.inventory import Inventory
from readiness.probes._backend import inner, rows
from readiness.probes._watched import Watched

Edge = tuple[str, str]
"""(who called, who was called), by their names in the inventory."""

_CALLS = ("SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER", 3, 4, "3", "4")
_HOSTS = ("server.address", "net.peer.name", "net.sock.peer.name", "network.peer.address")
_PORTS = ("server.port", "net.peer.port", "network.peer.port")
_STORES = {"postgresql": "postgres", "postgres": "postgres", "redis": "redis", "valkey": "redis"}
"""db.system of OpenTelemetry's semantic conventions -> kind of service."""
_MOST_STEPS = 1000


@dataclass(frozen=True)
class Span:
    """One span: its own and its parent's id, its service's name, and whom it says it calls."""

    id: str
    parent: str
    service: str
    calls: bool
    attributes: Mapping[str, str]


def spans(trace: Any) -> tuple[Span, ...]:
    """Return the spans of /api/traces/{id}, in any of the spellings of OTLP that it has had."""
    batches = inner(trace, "batches") or inner(trace, "resourceSpans")
    batches = batches or inner(trace, "trace", "resourceSpans")
    return tuple(span for batch in rows(batches) for span in _batch(batch))


def _batch(batch: Mapping[str, Any]) -> Iterator[Span]:
    service = _attributes(inner(batch, "resource", "attributes")).get("service.name", "")
    scopes = batch.get("scopeSpans") or batch.get("instrumentationLibrarySpans")
    for scope in rows(scopes):
        for span in rows(scope.get("spans")):
            yield Span(
                id=str(span.get("spanId", "")),
                parent=str(span.get("parentSpanId", "")),
                service=service,
                calls=span.get("kind") in _CALLS,
                attributes=_attributes(span.get("attributes")),
            )


def _attributes(listed: Any) -> dict[str, str]:
    """Return attributes as text: `{"key": ..., "value": {"stringValue": ...}}` in OTLP's JSON."""
    found = {}
    for each in rows(listed):
        value = each.get("value")
        if isinstance(value, dict) and value:
            found[str(each.get("key"))] = str(next(iter(value.values())))
    return found


def named(found: Sequence[Span], services: Sequence[Watched]) -> dict[str, str]:
    """Return the inventory's name of each `service.name` in the trace that it knows."""
    return {
        one: service.name
        for one in {span.service for span in found}
        for service in services
        if service.by({"service_name": one})
    }


def present(found: Sequence[Span], services: Sequence[Watched]) -> set[str]:
    """Return the services that the trace passes through: by their spans, or as a call's end."""
    return {*named(found, services).values(), *(other for _, other in shown(found, services))}


def shown(found: Sequence[Span], services: Sequence[Watched]) -> set[Edge]:
    """Return who called whom: by parent and child, or by what a call says of its other end."""
    names, by_id = named(found, services), {span.id: span for span in found}
    edges: set[Edge] = set()
    for span in found:
        mine = names.get(span.service)
        caller = _caller(span, by_id, names)
        if mine and caller and caller != mine:
            edges.add((caller, mine))
        if mine and span.calls:
            edges |= {(mine, other) for other in _called(span, services) if other != mine}
    return edges


def _caller(span: Span, by_id: Mapping[str, Span], names: Mapping[str, str]) -> str | None:
    """Return the nearest service above a span: proxies that the inventory lacks are passed by."""
    above = by_id.get(span.parent)
    for _ in range(_MOST_STEPS):
        if above is None or above.service in names:
            break
        above = by_id.get(above.parent)
    return names.get(above.service) if above else None


def _called(span: Span, services: Sequence[Watched]) -> set[str]:
    told = span.attributes
    host = next((told[key] for key in _HOSTS if key in told), "").lower()
    port = next((told[key] for key in _PORTS if key in told), "")
    store = _STORES.get(told.get("db.system.name", told.get("db.system", "")), "")
    alike = [each for each in services if each.service.kind == store]
    tests: Sequence[Callable[[Watched], bool]] = (
        lambda each: bool(each.by({"service_name": told.get("peer.service", "")})),
        lambda each: bool(host) and each.place == f"{host}:{port or each.service.port}",
        lambda each: len(alike) == 1 and each is alike[0],
    )
    for test in tests:
        if found := {each.name for each in services if test(each)}:
            return found
    return set()


def declared(inventory: Inventory, entry: str) -> set[Edge]:
    """Return every `depends_on` that a request to `entry` may come to use."""
    needs = {service.name: service.depends_on for service in inventory.services}
    edges: set[Edge] = set()
    waiting, seen = [entry], {entry}
    while waiting:
        name = waiting.pop()
        for other in needs.get(name, ()):
            edges.add((name, other))
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return edges
