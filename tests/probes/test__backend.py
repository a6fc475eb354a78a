"""Only documented reads are asked: GET, of the listed paths, and never what changes a backend."""

import dataclasses
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from readiness.failure import ProbeError
from readiness.inventory import Kind
from readiness.probes import Context, load
from readiness.probes._backend import READS, Backend, Withheld
from readiness.probes._watched import BACKENDS
from tests import modelled
from tests.background import background
from tests.monitoring import alertmanager, backend, prometheus, system
from tests.servers import Request, Web, response, serving
from tests.states import measured

pytestmark = pytest.mark.anyio

CHANGING = (
    *("/-/reload", "/-/quit", "/-/quitquitquit", "/flush", "/shutdown", "/ingester/flush"),
    *("/ingester/shutdown", "/ingester/prepare-shutdown", "/ingester/prepare-downscale"),
    *(
        "/ingester/flush_shutdown",
        "/api/v1/admin/tsdb/delete_series",
        "/api/v1/admin/tsdb/snapshot",
    ),
    *("/api/v1/admin/tsdb/clean_tombstones", "/api/v1/write", "/loki/api/v1/push"),
    *("/loki/api/v1/delete", "/log_level", "/api/overrides", "/logout", "/login"),
    *("/debug/pprof/profile", "/compactor/delete_tenant", "/api/admin/pause-all-alerts"),
)
"""Paths of these programs that change something, cost something or log somebody in."""


def test_nothing_that_changes_a_backend_is_on_the_list() -> None:
    listed = {path for paths in READS.values() for path in paths}
    assert not listed & set(CHANGING)
    words = r"reload|quit|flush|shut|delete|push|write|admin|login|logout|prepare|config$|debug"
    assert not [path for path in listed if re.search(words, path)]
    assert set(READS) == BACKENDS


@pytest.mark.parametrize("kind", sorted(BACKENDS))
@pytest.mark.parametrize("path", [*CHANGING, "/", "/api/v1/targets", "//-/reload"])
async def test_what_is_not_listed_is_never_sent(kind: Kind, path: str, context: Context) -> None:
    web = Web(lambda _: response(200, "{}"))
    async with serving(web) as port:
        one = Backend(backend(kind, f"http://127.0.0.1:{port}"), context)
        with pytest.raises(ValueError, match="none of the documented reads"):
            await one.read(path)
    assert web.requests == []


async def test_a_part_of_a_path_cannot_leave_its_place(context: Context) -> None:
    web = Web(lambda _: response(200, "{}"))
    async with serving(web) as port:
        one = Backend(backend("loki", f"http://127.0.0.1:{port}"), context)
        await one.read("/loki/api/v1/label/{label}/values", label="../../../../flush?x")
    assert web.requests[0].target == ("/loki/api/v1/label/..%2F..%2F..%2F..%2Fflush%3Fx/values")


def forwarding(url: str) -> Web:
    """Return a server that hands every GET on to the real one, and remembers all requests."""

    def answer(request: Request) -> bytes:
        assert request.method == "GET"
        try:
            with urllib.request.urlopen(url + request.target, timeout=5) as found:
                return response(found.status, found.read())
        except urllib.error.HTTPError as error:
            with error:
                return response(error.code, error.read())

    return Web(answer)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Kind, Web]]:
    """Everything that records: real servers behind it, or a model."""
    yield {
        "loki": Web(modelled.Loki([({"job": "api"}, 1)])),
        "tempo": Web(modelled.Tempo()),
        "grafana": Web(modelled.Grafana(token="t", sources={"a": 200})),
        "prometheus": Web(modelled.Prometheus(ups=[({"job": "web"}, 1, 3.0)])),
        "alertmanager": Web(lambda _: response(200, "[]")),
    }


def asked(web: Web, kind: Kind, prefix: str = "") -> set[str]:
    """Return which of READS were asked; fail for any other request."""
    found = set()
    for request in web.requests:
        assert request.method == "GET"
        assert request.body == b""
        path = urlsplit(request.target).path.removeprefix(prefix)
        found |= {one for one in READS[kind] if re.fullmatch(re.sub(r"{\w+}", "[^/]+", one), path)}
        assert found, path
    assert len(web.requests) >= len(found)
    return found


@pytest.mark.parametrize("kind", sorted(BACKENDS))
async def test_every_request_is_a_listed_read(
    kind: Kind, recorded: dict[Kind, Web], context: Context
) -> None:
    web = recorded[kind]
    settings: dict[str, Any] = {}
    if kind == "grafana":
        settings = {"headers": {"Authorization": "Bearer t"}}
    if kind == "tempo":
        settings = {"within": "1s", "settle": "0s"}
    async with serving(web) as port, serving(Web(lambda _: response(200, "{}"))) as entry:
        subject = backend(kind, f"http://127.0.0.1:{port}/under", **settings)
        (api,) = system("api").services
        api = (
            type(api)
            .model_validate({"name": "api", "kind": "http", "url": f"http://127.0.0.1:{entry}"})
            .model_copy(update={"criticality": "critical"})
        )
        seen = dataclasses.replace(context, inventory=system(subject, api))
        await measured(subject, kind, seen)
    assert web.requests
    for request in web.requests:
        assert request.target.startswith("/under/")
    asked(web, kind, "/under")


@pytest.mark.parametrize("prefix", ["", "/prometheus"])
async def test_every_read_of_prometheus_is_used(prefix: str, context: Context) -> None:
    web = Web(modelled.Prometheus(prefix=prefix, ups=[({"job": "web"}, 1, 3.0)]))
    async with serving(web) as port:
        await measured(
            backend("prometheus", f"http://127.0.0.1:{port}{prefix}"), "prometheus", context
        )
    assert asked(web, "prometheus", prefix) == READS["prometheus"]


async def test_every_read_of_loki_and_grafana_is_used(context: Context) -> None:
    loki = Web(modelled.Loki([({"job": "api"}, 1)]))
    grafana = Web(modelled.Grafana(token="t", sources={"a": 200}))
    async with serving(loki) as one, serving(grafana) as other:
        subject = backend("loki", f"http://127.0.0.1:{one}")
        seen = dataclasses.replace(context, inventory=system(subject, "api"))
        await measured(subject, "loki", seen)
        headers = {"Authorization": "Bearer t"}
        subject = backend("grafana", f"http://127.0.0.1:{other}", headers=headers)
        await measured(subject, "grafana", context)
    assert asked(loki, "loki") == READS["loki"]
    assert asked(grafana, "grafana") == READS["grafana"]


async def test_real_servers_are_only_read(tmp_path: Path, context: Context) -> None:
    with (
        alertmanager(tmp_path / "a", {"receiver": "r"}, [{"name": "r"}]) as notified,
        prometheus(tmp_path / "p", {}) as scraping,
    ):
        servers = {"alertmanager": forwarding(notified), "prometheus": forwarding(scraping)}
        with background(*servers.values()) as ports:
            for (kind, web), port in zip(servers.items(), ports, strict=True):
                subject = backend(kind, f"http://127.0.0.1:{port}")
                found = await measured(subject, kind, context)
                assert found.failure is None
                assert asked(web, kind) == READS[kind]  # type: ignore[index, arg-type]


@pytest.mark.parametrize("kind", sorted(BACKENDS))
@pytest.mark.parametrize(
    ("status", "failure"), [(401, "denied"), (403, "denied"), (500, "protocol"), (302, "protocol")]
)
async def test_what_an_answer_means(
    kind: Kind, status: int, failure: str, context: Context
) -> None:
    async with serving(Web(lambda _: response(status, "no"))) as port:
        found = await measured(backend(kind, f"http://127.0.0.1:{port}"), kind, context)
    assert found.failure
    assert found.failure.kind == failure


@pytest.mark.parametrize("kind", sorted(BACKENDS - {"tempo"}))
@pytest.mark.parametrize("body", ["", "<html>", "[" * 100_000, "nul", b"\xff\xfe"])
async def test_an_answer_without_json_is_broken(
    kind: Kind, body: str | bytes, context: Context
) -> None:
    async with serving(Web(lambda _: response(200, body))) as port:
        found = await measured(backend(kind, f"http://127.0.0.1:{port}"), kind, context)
    assert found.failure
    assert found.failure.kind == "protocol"


@pytest.mark.parametrize("kind", sorted(BACKENDS - {"tempo", "grafana"}))
@pytest.mark.parametrize(
    "body",
    [
        *("null", "3", "[]", "{}", '"x"', "[[]]", '{"data": 3}', '{"data": {"result": [{}]}}'),
        '{"data": {"result": [{"metric": 3, "value": ["x"]}], "groups": [{"rules": [3, {}]}]}}',
        '{"status": "success", "data": {"result": [{"values": [3, [], ["x"]]}]}}',
    ],
)
async def test_json_of_another_shape_is_no_bug_of_ours(
    kind: Kind, body: str, context: Context
) -> None:
    async with serving(Web(lambda _: response(200, body))) as port:
        subject = backend(kind, f"http://127.0.0.1:{port}")
        seen = dataclasses.replace(context, inventory=system(subject, "api"))
        found = await measured(subject, kind, seen)
    assert not found.failure or found.failure.kind != "probe_bug"


async def test_an_answer_that_is_too_long_is_not_judged(context: Context) -> None:
    body = '{"data": "' + "x" * (1 << 20) + '"}'
    async with serving(Web(lambda _: response(200, body))) as port:
        one = Backend(backend("prometheus", f"http://127.0.0.1:{port}"), context)
        found = await one.read("/api/v1/rules")
        assert isinstance(found, Withheld)
        assert "longer than 1 MiB" in found.because
        with pytest.raises(ProbeError) as raised:
            await one.must_read("/api/v1/rules")
    assert raised.value.failure.kind == "local_limit"


async def test_what_is_not_offered_is_not_tested(context: Context) -> None:
    async with serving(Web(lambda _: response(404, "no"))) as port:
        one = Backend(backend("prometheus", f"http://127.0.0.1:{port}"), context)
        found = await one.read("/api/v1/rules")
    assert isinstance(found, Withheld)
    assert found.because.startswith("not tested: GET /api/v1/rules answered 404")


def test_every_backend_has_a_probe_of_its_name() -> None:
    for kind in BACKENDS:
        assert {kind} == load(kind).KINDS
