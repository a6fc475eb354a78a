"""grafana against a model of it, and against a real one where READINESS_GRAFANA names it."""

import asyncio
import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from readiness.finding import Finding
from readiness.inventory import Service
from readiness.probes import Context
from tests import servers
from tests.background import background
from tests.modelled import Grafana, Prometheus
from tests.monitoring import backend, grafana, post, system
from tests.servers import Web, always, refusing, response, serving
from tests.states import judged, measured, troubled, unknown

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("grafana")]

SHOWN = [
    {"uid": "a1", "title": "API Gateway / Overview"},
    {"uid": "b2", "title": "Everything at once", "tags": ["payments"]},
    {"uid": "c3", "title": "Latency", "folderTitle": "Search"},
]


def model(**changes: Any) -> Grafana:
    sources = {"prometheus": 200, "loki": 200, "cloud-bill": 404}
    return Grafana(**{"dashboards": SHOWN, "sources": sources, **changes})


def subject(port: int, **settings: Any) -> Service:
    headers = {"Authorization": "Bearer glsa_t0ken"}
    return backend("grafana", f"http://127.0.0.1:{port}", **{"headers": headers, **settings})


async def found(
    grafana: Grafana, context: Context, *critical: str, **settings: Any
) -> dict[str, Finding]:
    async with serving(Web(grafana)) as port:
        one = subject(port, **settings)
        return await judged(one, dataclasses.replace(context, inventory=system(one, *critical)))


async def test_a_clean_state_has_no_finding(context: Context) -> None:
    findings = await found(model(), context, "api-gateway", "payments", "search")
    assert troubled(findings) == unknown(findings) == set()
    assert {f.outcome for f in findings.values()} == {"pass"}


async def test_what_is_measured_keeps_no_secret(context: Context) -> None:
    async with serving(Web(model())) as port:
        measurement = await measured(subject(port), "grafana", context)
    assert measurement.values["datasources"] == 3
    assert measurement.values["datasources_unchecked"] == 1
    assert measurement.values["version"] == "10.1.0"
    for secret in ("s3cret", "t0ken"):
        assert secret not in measurement.model_dump_json()


async def test_a_database_that_fails(context: Context) -> None:
    findings = await found(model(database="failing"), context, "api-gateway")
    assert troubled(findings) == {"grafana-database"}
    assert findings["grafana-database"].because == "the database is failing"


@pytest.mark.parametrize("status", [400, 500, 503])
async def test_a_data_source_that_is_not_healthy(status: int, context: Context) -> None:
    findings = await found(model(sources={"a": 200, "tempo": status}), context, "api-gateway")
    assert troubled(findings) == {"grafana-datasources"}
    assert f"not healthy: Tempo ({status})" in findings["grafana-datasources"].because


async def test_a_data_source_that_hangs_is_not_grafana_s_silence(context: Context) -> None:
    grafana = model()

    async def hanging(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await servers.read_request(reader)
        assert request
        if "/uid/loki/" in request.target:
            await servers.silent(reader, writer)
        writer.write(grafana(request))
        await writer.drain()

    async with serving(hanging) as port:
        one = subject(port)
        seen = dataclasses.replace(context, timeout=0.3, inventory=system(one, "api-gateway"))
        findings = await judged(one, seen)
    assert troubled(findings) == {"grafana-datasources"}
    assert "not healthy: Loki (no answer)" in findings["grafana-datasources"].because


async def test_more_data_sources_than_are_asked_are_not_all_healthy(context: Context) -> None:
    many = {f"s{n}": 200 for n in range(101)}
    findings = await found(model(sources=many), context, "api-gateway")
    assert unknown(findings) == {"grafana-datasources"}
    findings = await found(model(sources=many | {"s0": 500}), context, "api-gateway")
    assert troubled(findings) == {"grafana-datasources"}, "what is bad stands alone"


async def test_no_data_source_is_not_applicable(context: Context) -> None:
    findings = await found(model(sources={}), context, "api-gateway")
    assert troubled(findings) == set()
    assert findings["grafana-datasources"].outcome == "not_applicable"


async def test_no_data_source_can_tell_its_health(context: Context) -> None:
    findings = await found(model(sources={"cloud-bill": 404}), context, "api-gateway")
    assert unknown(findings) == {"grafana-datasources"}


@pytest.mark.parametrize("name", ["ledger", "api", "gate"])
async def test_a_service_without_a_dashboard(name: str, context: Context) -> None:
    findings = await found(model(), context, "api-gateway", name)
    assert troubled(findings) == {"grafana-dashboards"}
    assert f"{name} has no dashboard" in findings["grafana-dashboards"].because


async def test_a_dashboard_that_is_declared(context: Context) -> None:
    for told in ("Everything at once", "b2", "payments"):
        findings = await found(model(), context, "ledger", dashboards={"ledger": told})
        assert troubled(findings) == set()
    findings = await found(model(), context, "search", dashboards={"search": "Nonesuch"})
    assert troubled(findings) == {"grafana-dashboards"}


async def test_without_a_token_only_its_health_is_known(context: Context) -> None:
    findings = await found(model(), context, "api-gateway", headers={})
    assert troubled(findings) == set()
    assert unknown(findings) == {"grafana-datasources", "grafana-dashboards"}
    for name in unknown(findings):
        assert findings[name].because.startswith("not tested: ")
        assert "answered 401" in findings[name].because


async def test_no_login_is_tried(context: Context) -> None:
    web = Web(model())
    async with serving(web) as port:
        await judged(subject(port, headers={}), context)
    assert all("authorization" not in request.headers for request in web.requests)
    assert not any("login" in request.target for request in web.requests)


async def test_one_that_is_down_fails(context: Context) -> None:
    async with refusing() as port:
        findings = await judged(subject(port), context)
    assert {f.outcome for f in findings.values()} == {"fail"}


async def test_another_program_at_its_address_fails(context: Context) -> None:
    async with serving(always(response(200, "<html>hello</html>", "text/html"))) as port:
        findings = await judged(subject(port), context)
    assert findings["grafana-up"].outcome == "fail"
    assert "without its health" in findings["grafana-up"].because


# A real one


@dataclasses.dataclass(frozen=True)
class Real:
    """A Grafana, the token of a viewer of it, and what makes it whole again."""

    url: str
    token: str
    admin: dict[str, str]

    def source(self, name: str, kind: str, url: str) -> None:
        """Add a data source, which takes an administrator."""
        data = {"name": name, "type": kind, "access": "proxy", "url": url}
        post(f"{self.url}/api/datasources", data, **self.admin)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    """A Grafana with a healthy data source, one that has no check, and a dashboard."""
    admin = {"Authorization": "Basic YWRtaW46YWRtaW4="}
    with (
        background(Web(Prometheus())) as (port,),
        grafana(tmp_path_factory.mktemp("grafana")) as url,
    ):
        viewer = {"name": "readiness", "role": "Viewer"}
        account = post(f"{url}/api/serviceaccounts", viewer, **admin)["id"]
        tokens = f"{url}/api/serviceaccounts/{account}/tokens"
        one = Real(url, post(tokens, {"name": "t"}, **admin)["key"], admin)
        one.source("Metrics", "prometheus", f"http://127.0.0.1:{port}")
        one.source("Samples", "testdata", "")
        dashboard = {"dashboard": {"title": "API Gateway / Overview", "tags": ["payments"]}}
        post(f"{url}/api/dashboards/db", dashboard, **admin)
        yield one


async def of_real(
    real: Real, context: Context, *critical: str, token: str | None = None
) -> dict[str, Finding]:
    headers = {"Authorization": f"Bearer {token or real.token}"} if token != "" else {}
    one = backend("grafana", real.url, headers=headers)
    return await judged(one, dataclasses.replace(context, inventory=system(one, *critical)))


async def test_a_real_one(real: Real, context: Context) -> None:
    findings = await of_real(real, context, "api-gateway", "payments")
    assert {f.outcome for f in findings.values()} == {"pass"}

    findings = await of_real(real, context, "api-gateway", "ledger")
    assert troubled(findings) == {"grafana-dashboards"}

    for token in ("", "glsa_of-somebody-else"):
        findings = await of_real(real, context, "api-gateway", token=token)
        assert troubled(findings) == set()
        assert unknown(findings) == {"grafana-datasources", "grafana-dashboards"}

    async with refusing() as closed:
        real.source("Gone", "prometheus", f"http://127.0.0.1:{closed}")
        findings = await of_real(real, context, "api-gateway")
    assert troubled(findings) == {"grafana-datasources"}
    assert "not healthy: Gone (400)" in findings["grafana-datasources"].because
