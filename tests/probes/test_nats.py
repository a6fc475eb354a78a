"""nats against a real nats-server in each state it can be brought into, and models of others."""

import contextlib
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from readiness.failure import classify
from readiness.inventory import Service
from readiness.probes import Context
from readiness.probes.nats import METRICS, Settings, measure
from tests import nats_server, servers
from tests.certificates import Authority
from tests.nats_server import Nats, needs_nats
from tests.states import judged, measured, troubled, unknown

pytestmark = pytest.mark.anyio

JETSTREAM = "jetstream { store_dir: %s, max_mem: 1MB, max_file: 1MB }\nmax_connections: 20"


def service(url: str) -> Service:
    return Service.model_validate({"name": "bus", "kind": "nats", "url": url})


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nats]:
    folder = tmp_path_factory.mktemp("nats")
    with nats_server.running(folder, JETSTREAM % json.dumps(str(folder))) as server:
        yield server


@contextlib.contextmanager
def stream(server: Nats, name: str, **config: Any) -> Iterator[nats_server.Client]:
    """Lend a client beside a stream of its own, which is gone afterwards."""
    client = server.client()
    subjects = {"name": name, "subjects": [name], "retention": "limits", **config}
    client.asked(f"STREAM.CREATE.{name}", {"storage": "file", "num_replicas": 1, **subjects})
    try:
        yield client
    finally:
        client.close()
        again = server.client()
        again.asked(f"STREAM.DELETE.{name}", {})
        again.close()


@needs_nats
async def test_a_clean_default_has_no_finding(nats: Nats, context: Context) -> None:
    values = await measure(service(nats.url), Settings(), context)
    assert {name.removesuffix("_because") for name in values} <= set(METRICS)
    assert values["connected"] is values["healthy"] is values["jetstream"] is True
    assert str(values["version"]).startswith("2.")
    findings = await judged(service(nats.url), context)
    assert not troubled(findings) and not unknown(findings)
    assert findings["nats-authentication"].outcome == "not_applicable"
    assert findings["nats-consumer-lag"].because == "no stream of JetStream has consumers"


@needs_nats
async def test_without_jetstream_nothing_of_it_applies(tmp_path: Path, context: Context) -> None:
    with nats_server.running(tmp_path) as server:
        findings = await judged(service(server.url), context)
    assert not troubled(findings) and not unknown(findings)
    for check in ("nats-storage", "nats-memory", "nats-consumer-lag"):
        assert findings[check].outcome == "not_applicable"
        assert findings[check].because == "JetStream is off"


@needs_nats
async def test_the_last_connections(nats: Nats, context: Context) -> None:
    clients = [nats.client() for _ in range(19)]
    findings = await judged(service(nats.url), context)
    for client in clients:
        client.close()
    assert troubled(findings) == {"nats-connections"}
    assert findings["nats-connections"].because.endswith("19 of max_connections 20")


@needs_nats
@pytest.mark.parametrize(
    ("storage", "check"), [("file", "nats-storage"), ("memory", "nats-memory")]
)
async def test_a_store_that_is_nearly_full(
    storage: str, check: str, nats: Nats, context: Context
) -> None:
    with stream(nats, "full", storage=storage) as client:
        client.publish("full", 98, 10_000)
        findings = await judged(service(nats.url), context)
    assert troubled(findings) == {check}
    assert findings[check].outcome == "fail"


@needs_nats
async def test_a_consumer_that_lags_is_named(nats: Nats, context: Context) -> None:
    durable = {"durable_name": "billing", "ack_policy": "explicit"}
    with stream(nats, "lag", max_msgs=20_000) as client:
        client.asked(
            "CONSUMER.DURABLE.CREATE.lag.billing", {"stream_name": "lag"} | {"config": durable}
        )
        healthy = await judged(service(nats.url), context)
        client.publish("lag", 10_001)
        findings = await judged(service(nats.url), context)
    assert not troubled(healthy) and healthy["nats-consumer-lag"].outcome == "pass"
    assert troubled(findings) == {"nats-consumer-lag"}
    assert "lag/billing is the last of 1" in findings["nats-consumer-lag"].because


@needs_nats
async def test_slow_consumers_count_until_a_run_has_told_them(
    tmp_path: Path, context: Context
) -> None:
    with nats_server.running(tmp_path, "max_payload: 65536\nmax_pending: 65536") as server:
        slow, quick = server.client(), server.client()
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.send(b"SUB news 1\r\nPING\r\n")
        slow.ponged()

        async def cut() -> bool:
            quick.publish("news", 20, 60_000)
            return (await measure(service(server.url), Settings(), context))["slow_consumers"] == 1

        assert any([await cut() for _ in range(20)])
        first = await measured(service(server.url), "nats", context)
        findings = await judged(service(server.url), context)
        again = replace(context, previous=dict(first.values))
        later = await judged(service(server.url), again)
        slow.close()
        quick.close()
    assert troubled(findings) == {"nats-slow-consumers"}
    assert "1 slow consumers since the server started" in findings["nats-slow-consumers"].because
    assert not troubled(later)


@needs_nats
async def test_open_to_others_without_login_and_tls(tmp_path: Path, context: Context) -> None:
    with nats_server.running(tmp_path / "open", host="0.0.0.0") as server:
        findings = await judged(service(server.url), context)
    assert troubled(findings) == {"nats-authentication", "nats-encryption"}
    Authority(tmp_path).server("localhost")
    tls = "tls { cert_file: %s, key_file: %s }" % (
        (json.dumps(str(tmp_path / "localhost5.pem")),) * 2
    )
    settings = f"authorization {{ user: app, password: s3cret }}\n{tls}"
    with nats_server.running(tmp_path / "shut", settings, host="0.0.0.0") as server:
        findings = await judged(service(server.url), context)
    assert not troubled(findings) and findings["nats-encryption"].outcome == "pass"


VARZ = {"server_id": "N1", "version": "2.10.0", "host": "127.0.0.1", "connections": 1}
VARZ |= {"max_connections": 65536, "slow_consumers": 0, "start": "2026-01-01T00:00:00Z"}


def model(**answers: tuple[int, Any]) -> servers.Web:
    """Answer as a NATS server does, path by path; `/healthz` says ok unless told otherwise."""
    told = {"varz": (200, VARZ), "healthz": (200, {"status": "ok"})} | answers

    def answer(request: servers.Request) -> bytes:
        status, body = told.get(request.target[1:].partition("?")[0], (404, {}))
        return servers.response(status, body if isinstance(body, str) else json.dumps(body))

    return servers.Web(answer)


async def test_a_server_that_calls_itself_unhealthy(context: Context) -> None:
    """A model of what a server answers whose stream is not current, which takes a cluster."""
    said = {"status": "unavailable", "error": "JetStream stream 'ORDERS' is not current"}
    async with servers.serving(model(healthz=(503, said))) as port:
        findings = await judged(service(f"http://127.0.0.1:{port}"), context)
    assert troubled(findings) == {"nats-healthy"}
    assert "ORDERS" in findings["nats-healthy"].because


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_what_a_server_does_not_tell_us_is_not_tested(status: int, context: Context) -> None:
    async with servers.serving(model(healthz=(status, "nothing for you"))) as port:
        findings = await judged(service(f"http://127.0.0.1:{port}"), context)
    assert not troubled(findings)
    assert unknown(findings) == {"nats-healthy"}
    assert findings["nats-healthy"].because.startswith("not tested: ")


@pytest.mark.parametrize(("limit", "outcome"), [(-1, "not_applicable"), (None, "unknown")])
async def test_connections_without_a_limit(limit: Any, outcome: str, context: Context) -> None:
    varz = VARZ | {"max_connections": limit}
    async with servers.serving(model(varz=(200, varz))) as port:
        findings = await judged(service(f"http://127.0.0.1:{port}"), context)
    assert findings["nats-connections"].outcome == outcome


async def test_more_streams_than_are_read_are_not_tested(context: Context) -> None:
    on = VARZ | {
        "jetstream": {"config": {"max_storage": -1, "max_memory": 100}, "stats": {"memory": 1}}
    }
    cases = [(200, "x" * (1 << 20) + "x"), (500, "")]
    for jsz in cases:
        async with servers.serving(model(varz=(200, on), jsz=jsz)) as port:
            findings = await judged(service(f"http://127.0.0.1:{port}"), context)
        assert not troubled(findings)
        assert unknown(findings) == {"nats-consumer-lag"}
        assert findings["nats-consumer-lag"].because.startswith("not tested: GET /jsz answered")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, "<html>", "protocol"),
        (200, {"status": "ok"}, "protocol"),
        (200, [1], "protocol"),
        (200, "[" * 100_000, "protocol"),
        (500, {}, "protocol"),
        (401, {}, "denied"),
    ],
)
async def test_what_is_no_nats(status: int, body: Any, kind: str, context: Context) -> None:
    async with servers.serving(model(varz=(status, body))) as port:
        with pytest.raises(Exception) as caught:
            await measure(service(f"http://127.0.0.1:{port}"), Settings(), context)
    assert classify(caught.value).kind == kind


async def test_odd_values_are_never_numbers(context: Context) -> None:
    odd = VARZ | {"max_connections": True, "connections": -1, "slow_consumers": 1e400, "mem": "1"}
    odd |= {"jetstream": [1], "server_name": "\x1b[31m" + "n" * 500, "host": 7}
    async with servers.serving(model(varz=(200, odd))) as port:
        values = await measure(service(f"http://127.0.0.1:{port}"), Settings(), context)
    assert not {"connections", "connections_ratio", "slow_consumers", "memory_bytes"} & set(values)
    assert len(str(values["server"])) <= 60 and "\x1b" not in str(values["server"])


async def test_a_closed_port(context: Context) -> None:
    async with servers.refusing() as port:
        findings = await judged(service(f"http://127.0.0.1:{port}"), context)
    assert findings["nats-up"].outcome == "fail"
