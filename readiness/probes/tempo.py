"""Whether a request that we send with a `traceparent` of our own is found in Tempo as a trace."""

import asyncio
import secrets
from collections.abc import Iterator, Mapping, Sequence

from pydantic import Field, SecretStr

from readiness.escape import line
from readiness.failure import Failure, ProbeError
from readiness.inventory import Duration, HeaderName, Inventory, Service, Tier
from readiness.inventory.service import UrlPath
from readiness.measurement import Values
from readiness.probes import PROBE_SECONDS, Context, Named, ProbeSettings, _trace
from readiness.probes._backend import Backend, Withheld, refusal, told, unreadable
from readiness.probes._few import few
from readiness.probes._http import attempt, public_path, target
from readiness.probes._trace import Edge, Span
from readiness.probes._watched import BACKENDS, LabelledSettings, Watched

TIER: Tier = "observe"
KINDS = frozenset({"tempo"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "answers": "true or false: it answers its echo endpoint",
    "has_entry": "true or false: there is an HTTP service to send the traced request to",
    "trace_found": "true or false: the trace of our request is found in time",
    "trace_ms": "ms from our request's answer until its trace was found",
    "spans": "count of spans in the trace",
    "services_traced": "the services whose spans it holds, by their names there",
    "expected_ratio": "ratio of the services that were declared to be in it which are",
    "has_dependencies": "true or false: the inventory declares what the entry depends on",
    "depends_on_shown_ratio": "ratio of the `depends_on` behind the entry that the trace shows",
    "calls": "which service called which, in the trace",
    "calls_undeclared": "count of calls in the trace that no `depends_on` declares",
}
_POLL_SECONDS = 0.5
_TRACES = "/api/traces/{trace}"


class Credential(ProbeSettings):
    """What the request that is traced must carry."""

    headers: Mapping[HeaderName, SecretStr] = Field(
        min_length=1, description="headers to send with that request"
    )


class Settings(LabelledSettings):
    """Which request is traced, and how long its trace may take."""

    service: str | None = Field(
        None, description="the HTTP service asked, else the critical one that needs most others"
    )
    path: UrlPath | None = Field(
        None, description="a path of it that is traced and changes nothing, else its health path"
    )
    credential: Credential | None = Field(
        None, description="what that request must carry: `{headers: {Authorization: Bearer ...}}`"
    )
    within: Duration = Field(
        30, ge=1, le=300, description="how long after the answer the trace may take to be found"
    )
    settle: Duration = Field(
        6, ge=0, le=60, description="how long a trace that was found may go on to grow"
    )
    expect: tuple[str, ...] = Field(
        (), max_length=50, description="services whose spans the trace must hold"
    )

    @property
    def at_most_seconds(self) -> float:
        """Part of ProbeSettings."""
        return max(PROBE_SECONDS, self.within + self.settle + 30)

    def named(self, inventory: Inventory) -> Iterator[Named]:
        """Part of ProbeSettings."""
        yield from super().named(inventory)
        services = [service.name for service in inventory.services]
        for name in self.expect:
            yield ("expect",), name, services, "service"
        if self.service:
            pages = [s.name for s in inventory.services if s.kind in ("http", "web")]
            yield ("service",), self.service, pages, "service"


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Send one GET that is to be traced, and ask for its trace until it is there or time is up."""
    backend = Backend(service, context, settings.headers)
    echo = await backend.answer("/api/echo")
    if withheld := refusal("/api/echo", echo):
        raise unreadable(withheld)
    if not echo.ok:
        raise ProbeError("protocol", f"GET /api/echo answered {echo.outcome}")
    entry = _entry(context.inventory, settings)
    if not entry:
        because = "the inventory has no HTTP service to send a request to"
        return {
            **{"answers": True, "has_entry": False, "has_entry_because": because},
            **{"has_dependencies": False, "has_dependencies_because": because},
        }
    return {"answers": True, "has_entry": True, **await _traced(backend, entry, settings)}


def _entry(inventory: Inventory, settings: Settings) -> Service | None:
    """Return the service that the request goes to: where most depends on each other."""
    pages = [s for s in inventory.services if s.kind in ("http", "web")]
    if settings.service:
        return next((s for s in pages if s.name == settings.service), None)
    ranks = ("critical", "high", "normal", "low")
    return min(pages, key=lambda s: (ranks.index(s.criticality), -len(s.depends_on)), default=None)


async def _traced(backend: Backend, entry: Service, settings: Settings) -> Values:
    context, trace = backend.context, secrets.token_hex(16)
    path = settings.path or entry.health_path
    credential = settings.credential.headers if settings.credential else {}
    headers = {name: value.get_secret_value() for name, value in credential.items()}
    headers["traceparent"] = f"00-{trace}-{secrets.token_hex(8)}-01"  # 01: sampled
    answer = await attempt(context, target(entry, path), headers=headers)
    request = f"GET {public_path(path)} of {entry.name}"
    if not isinstance(answer, Failure) and not answer.ok:
        request += f" (which answered {answer.outcome})"
    if isinstance(answer, Failure):
        because = f"not tested: {request}: {answer.kind}: {answer.detail}"
        return {"trace_found_because": line(because)}
    services = tuple(
        Watched(each, settings.labels.get(each.name, {}))
        for each in context.inventory.services
        if each.kind not in BACKENDS
    )
    found, seconds = await _poll(backend, trace, settings, services)
    if not found:
        return _absent(f"no trace of {request} within {settings.within:g} s", settings)
    return {
        "trace_found": True,
        "trace_found_because": f"{request} was found after {seconds:.1f} s",
        "trace_ms": seconds * 1000,
        **_told(found, services, entry, context.inventory),
        **_expected(found, services, settings.expect),
    }


def _absent(because: str, settings: Settings) -> Values:
    """Say that there is no trace: of a health path, that proves nothing."""
    unseen: Values = {
        f"{metric}_because": "not tested: there is no trace to look at"
        for metric in ("expected_ratio", "has_dependencies")
    }
    if settings.path:
        return unseen | {"trace_found": False, "trace_found_because": because}
    advice = "health paths are often not traced; declare `path`, one that is"
    return unseen | {"trace_found_because": f"not tested: {because}; {advice}"}


async def _poll(
    backend: Backend, trace: str, settings: Settings, services: Sequence[Watched]
) -> tuple[Sequence[Span], float]:
    """Return the trace once it is there and grows no more, and when it was first seen."""
    loop = asyncio.get_running_loop()
    began = grew = loop.time()
    first, found = 0.0, tuple[Span, ...]()
    while loop.time() - began < settings.within or (found and loop.time() - grew < settings.settle):
        now = await _read(backend, trace)
        if now and not found:
            first = loop.time() - began
        if len(now) > len(found):
            found, grew = now, loop.time()
        present = _trace.present(found, services)
        if found and loop.time() - grew >= settings.settle and present.issuperset(settings.expect):
            break
        await asyncio.sleep(min(_POLL_SECONDS, settings.within / 10))
    return found, first


async def _read(backend: Backend, trace: str) -> tuple[Span, ...]:
    answer = await backend.answer(_TRACES, trace=trace)
    if answer.status == 404:  # not there, or not yet
        return ()
    data = told(_TRACES, answer)
    if isinstance(data, Withheld):
        raise unreadable(data)
    return _trace.spans(data)


def _told(
    found: Sequence[Span], services: Sequence[Watched], entry: Service, inventory: Inventory
) -> Values:
    declared, shown = _trace.declared(inventory, entry.name), _trace.shown(found, services)
    everywhere = {(s.name, other) for s in inventory.services for other in s.depends_on}
    strange = sorted(shown - everywhere)
    values: Values = {
        "spans": len(found),
        "services_traced": line(few(sorted({span.service for span in found}), 20, between=", ")),
        "calls": line(_drawn(sorted(shown))),
        "calls_undeclared": len(strange),
    }
    if strange:
        values["calls_undeclared_because"] = line(_drawn(strange))
    values["has_dependencies"] = bool(declared)
    if declared:
        missing = sorted(declared - shown)
        values["depends_on_shown_ratio"] = len(declared & shown) / len(declared)
        if missing:
            values["depends_on_shown_ratio_because"] = line(f"not shown: {_drawn(missing)}")
    return values


def _drawn(edges: Sequence[Edge]) -> str:
    return few((f"{one} -> {other}" for one, other in edges), 20, between=", ")


def _expected(found: Sequence[Span], services: Sequence[Watched], expect: Sequence[str]) -> Values:
    present = _trace.present(found, services)
    missing = [name for name in expect if name not in present]
    if not expect:
        return {}
    values: Values = {"expected_ratio": 1 - len(missing) / len(expect)}
    if missing:
        values["expected_ratio_because"] = line(f"not in the trace: {few(missing, 10)}")
    return values
