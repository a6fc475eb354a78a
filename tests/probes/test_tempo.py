"""tempo against a real one where READINESS_TEMPO names it, and against a model of it everywhere."""

import contextlib
import dataclasses
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from readiness.finding import Finding
from readiness.inventory import Inventory, Service, System
from readiness.probes import Context, _trace
from readiness.probes._watched import Watched
from tests.background import background
from tests.modelled import Tempo, attribute
from tests.monitoring import backend, post, tempo
from tests.servers import Request, Web, refusing, response, serving
from tests.states import judged, measured, troubled, unknown

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("tempo")]  # servers start once

Export = Callable[[list[Any]], None]
QUICK = {"within": "2s", "settle": "0.1s"}


def span(trace: str, kind: int, parent: str, **attributes: str) -> dict[str, Any]:
    now = str(time.time_ns())
    return {
        **{"traceId": trace, "spanId": secrets.token_hex(8), "parentSpanId": parent},
        **{"name": "a span", "kind": kind, "startTimeUnixNano": now, "endTimeUnixNano": now},
        "attributes": [attribute(k.replace("_", "."), v) for k, v in attributes.items()],
    }


def of(service: str, *spans: Any) -> dict[str, Any]:
    resource = {"attributes": [attribute("service.name", service)]}
    return {"resource": resource, "scopeSpans": [{"scope": {"name": "test"}, "spans": list(spans)}]}


def gateway(export: Export) -> Web:
    """Return an instrumented service: it asks auth, through a proxy, and auth asks its database.

    Only what is below /api is traced, and /api/lost begins a trace of its own.
    """

    def answer(request: Request) -> bytes:
        _, trace, parent, _ = request.headers.get("traceparent", "00---01").split("-")
        if request.target == "/api/lost":
            trace = secrets.token_hex(16)
        if request.target.startswith("/api/") and trace:
            server = span(trace, 2, parent)
            call = span(trace, 3, server["spanId"])
            proxy = span(trace, 2, call["spanId"])
            auth = span(trace, 2, proxy["spanId"])
            query = span(trace, 3, auth["spanId"], db_system="postgresql")
            export([of("api_gateway", server, call), of("envoy", proxy), of("auth", auth, query)])
        return response(200, "{}")

    return Web(answer)


def inventory(subject: Service, port: int, **gateway: Any) -> Inventory:
    def http(name: str, port: int, **more: Any) -> dict[str, Any]:
        return {"name": name, "kind": "http", "url": f"http://127.0.0.1:{port}", **more}

    needs = {"depends_on": ["auth"], "criticality": "critical", **gateway}
    database = {"name": "database", "kind": "postgres", "url": "postgres://db.internal/app"}
    services = (
        http("api-gateway", port, **needs),
        http("auth", 1, depends_on=["database"]),
        http("mailer", 2),
        database,
        subject,
    )
    found = [each if isinstance(each, Service) else Service(**each) for each in services]
    return Inventory(version=1, system=System(name="shop"), services=tuple(found))


@dataclasses.dataclass(frozen=True)
class Chain:
    """A Tempo, and the port of a service that sends it its spans."""

    url: str
    port: int


@contextlib.contextmanager
def modelled(model: Tempo) -> Iterator[Chain]:
    with background(Web(model), gateway(model.export)) as (port, entry):
        yield Chain(f"http://127.0.0.1:{port}", entry)


@pytest.fixture(scope="module", params=["modelled", "real"])
def chain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    if request.param == "modelled":
        with modelled(Tempo()) as found:
            yield found
        return
    with tempo(tmp_path_factory.mktemp("tempo")) as (url, otlp):

        def export(batches: list[Any]) -> None:
            post(f"http://127.0.0.1:{otlp}/v1/traces", {"resourceSpans": batches})

        with background(gateway(export)) as (entry,):
            yield Chain(url, entry)


async def found(
    chain: Chain, context: Context, of: Mapping[str, Any] | None = None, **settings: Any
) -> dict[str, Finding]:
    subject = backend("tempo", chain.url, **{**QUICK, **settings})
    seen = dataclasses.replace(context, inventory=inventory(subject, chain.port, **(of or {})))
    return await judged(subject, seen)


async def test_a_clean_state_has_no_finding(chain: Chain, context: Context) -> None:
    findings = await found(chain, context, path="/api/orders", expect=["auth", "database"])
    assert troubled(findings) == unknown(findings) == set()
    assert {f.outcome for f in findings.values()} == {"pass"}


async def test_which_edges_the_trace_shows(chain: Chain, context: Context) -> None:
    subject = backend("tempo", chain.url, path="/api/orders", **QUICK)
    seen = dataclasses.replace(
        context, inventory=inventory(subject, chain.port, depends_on=["auth", "mailer"])
    )
    values = (await measured(subject, "tempo", seen)).values
    assert values["services_traced"] == "api_gateway, auth, envoy"
    assert values["calls"] == "api-gateway -> auth, auth -> database"
    assert values["depends_on_shown_ratio"] == pytest.approx(2 / 3)
    assert values["depends_on_shown_ratio_because"] == "not shown: api-gateway -> mailer"
    assert values["calls_undeclared"] == 0
    assert values["spans"] == 5


async def test_an_edge_that_is_not_shown(chain: Chain, context: Context) -> None:
    needs = {"depends_on": ["auth", "mailer"]}
    findings = await found(chain, context, needs, path="/api/orders")
    assert troubled(findings) == {"tempo-dependencies-shown"}
    assert findings["tempo-dependencies-shown"].outcome == "warn"
    assert "api-gateway -> mailer" in findings["tempo-dependencies-shown"].because


async def test_a_call_that_is_not_declared(chain: Chain, context: Context) -> None:
    subject = backend("tempo", chain.url, path="/api/orders", **QUICK)
    seen = dataclasses.replace(context, inventory=inventory(subject, chain.port, depends_on=[]))
    values = (await measured(subject, "tempo", seen)).values
    assert values["calls_undeclared_because"] == "api-gateway -> auth"
    assert values["has_dependencies"] is False


async def test_a_service_that_should_be_in_the_trace(chain: Chain, context: Context) -> None:
    findings = await found(
        chain, context, path="/api/orders", expect=["auth", "mailer"], within="1s"
    )
    assert troubled(findings) == {"tempo-services-traced"}
    assert "not in the trace: mailer" in findings["tempo-services-traced"].because


async def test_a_service_that_drops_our_traceparent(chain: Chain, context: Context) -> None:
    findings = await found(chain, context, path="/api/lost", within="1s")
    assert troubled(findings) == {"tempo-trace-found"}
    because = findings["tempo-trace-found"].because
    assert because == "no trace of GET /api/lost of api-gateway within 1 s"


async def test_a_health_path_that_is_not_traced_proves_nothing(
    chain: Chain, context: Context
) -> None:
    findings = await found(chain, context, within="1s")
    assert troubled(findings) == set()
    assert unknown(findings) == {"tempo-trace-found"}
    assert "declare `path`" in findings["tempo-trace-found"].because


async def test_a_health_path_that_is_traced_does(chain: Chain, context: Context) -> None:
    findings = await found(chain, context, {"health": {"ready": "/api/health"}})
    assert findings["tempo-trace-found"].outcome == "pass"


async def test_a_trace_that_takes_its_time(context: Context) -> None:
    with modelled(Tempo(patience=3)) as chain:
        findings = await found(chain, context, path="/api/orders")
    assert troubled(findings) == set()


async def test_one_that_is_down_is_told_from_one_that_finds_nothing(context: Context) -> None:
    async with refusing() as closed:
        with modelled(Tempo()) as chain:
            down = Chain(f"http://127.0.0.1:{closed}", chain.port)
            findings = await found(down, context, path="/api/orders")
    assert findings["tempo-up"].outcome == "fail"
    assert findings["tempo-trace-found"].because == "connection refused"


async def test_an_entry_that_is_down_is_not_tempo_s_fault(context: Context) -> None:
    async with refusing() as closed:
        with modelled(Tempo()) as chain:
            broken = Chain(chain.url, closed)
            findings = await found(broken, context, path="/api/orders")
    assert troubled(findings) == set()
    assert "refused" in findings["tempo-trace-found"].because


async def test_a_system_without_http_has_nothing_to_trace(context: Context) -> None:
    async with serving(Web(Tempo())) as port:
        findings = await judged(backend("tempo", f"http://127.0.0.1:{port}"), context)
    assert troubled(findings) == unknown(findings) == set()
    assert findings["tempo-trace-found"].outcome == "not_applicable"


async def test_our_traceparent_is_valid_and_its_credential_is_sent(context: Context) -> None:
    model = Tempo()
    entry = gateway(model.export)
    async with serving(Web(model)) as port, serving(entry) as at:
        chain = Chain(f"http://127.0.0.1:{port}", at)
        credential = {"headers": {"X-Token": "s3cret-token"}}
        await found(chain, context, path="/api/orders", credential=credential)
    (request,) = entry.requests
    version, trace, parent, flags = request.headers["traceparent"].split("-")
    assert (version, len(trace), len(parent), flags) == ("00", 32, 16, "01")
    assert request.headers["x-token"] == "s3cret-token"
    assert request.method == "GET"


async def test_older_and_newer_spellings_of_a_trace() -> None:
    old = {"resource": {"attributes": [attribute("service.name", "auth")]}}
    old["instrumentationLibrarySpans"] = [{"spans": [{"spanId": "a"}]}]  # type: ignore[assignment]
    assert [s.service for s in _trace.spans({"batches": [old]})] == ["auth"]
    assert [s.service for s in _trace.spans({"resourceSpans": [of("auth", {})]})] == ["auth"]
    assert [s.service for s in _trace.spans({"trace": {"resourceSpans": [of("a", {})]}})] == ["a"]


@pytest.mark.parametrize("odd", [None, [], {}, {"batches": [3, {"scopeSpans": [[]]}]}, "x"])
async def test_an_odd_trace_has_no_spans(odd: Any) -> None:
    assert _trace.spans(odd) == ()


async def test_a_circle_of_parents_ends() -> None:
    circle = [
        _trace.Span("a", "b", "x", False, {}),
        _trace.Span("b", "a", "y", False, {}),
    ]
    (service,) = [Service(name="x", kind="http", url="http://x")]
    assert _trace.shown(circle, [Watched(service, {})]) == set()
