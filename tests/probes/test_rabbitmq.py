"""rabbitmq against a real broker where it can be had in seconds, and models of its answers.

The models are what RabbitMQ 3.10 answers, as documented; states that take a cluster, ten thousand
messages or consumers of AMQP are told by them. The real broker is started by `make thorough`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from readiness.failure import classify
from readiness.finding import Finding
from readiness.inventory import Service
from readiness.probes import Context
from readiness.probes.rabbitmq import METRICS, Settings, measure
from tests import rabbitmq_server, servers
from tests.nats_server import until
from tests.rabbitmq_server import RabbitMQ, needs_rabbitmq
from tests.states import judged, measured, troubled, unknown

pytestmark = pytest.mark.anyio


def service(url: str, **settings: Any) -> Service:
    probes = {"rabbitmq": settings}
    return Service.model_validate(
        {"name": "broker", "kind": "rabbitmq", "url": url, "probes": probes}
    )


# Models of what is documented

NODE = {"name": "rabbit@a", "running": True, "partitions": [], "mem_used": 1e8, "mem_limit": 1e9}
NODE |= {"disk_free": 69103329280, "disk_free_limit": 50000000, "fd_used": 40, "fd_total": 20000}
QUEUE = {"name": "orders", "vhost": "/", "type": "quorum", "consumers": 2}
QUEUE |= {"messages": 0, "messages_ready": 0, "messages_unacknowledged": 0}
OVERVIEW = {"rabbitmq_version": "4.2.1", "object_totals": {"queues": 1}}


def page(*queues: Mapping[str, Any], total: int | None = None) -> dict[str, Any]:
    return {"items": queues, "total_count": len(queues) if total is None else total}


def model(**changed: Any) -> servers.Web:
    """Answer as one healthy node does, but for what is changed: a body or (status, body)."""
    told = {
        "overview": OVERVIEW,
        "alarms": {"status": "ok"},
        "nodes": [NODE],
        "queues": page(QUEUE),
    }
    told |= changed

    def answer(request: servers.Request) -> bytes:
        found = told.get(request.target.partition("?")[0].rpartition("/")[2], (404, {}))
        status, body = found if isinstance(found, tuple) else (200, found)
        return servers.response(status, body if isinstance(body, str) else json.dumps(body))

    return servers.Web(answer)


async def findings_of(context: Context, **changed: Any) -> dict[str, Finding]:
    settings = changed.pop("settings", {})
    async with servers.serving(model(**changed)) as port:
        return await judged(service(f"http://127.0.0.1:{port}", **settings), context)


async def test_a_healthy_broker_has_no_finding(context: Context) -> None:
    findings = await findings_of(context)
    assert not troubled(findings) and not unknown(findings)
    absent = {name for name, found in findings.items() if found.outcome == "not_applicable"}
    assert absent == {"rabbitmq-nodes", "rabbitmq-partitions", "rabbitmq-supported"}
    assert findings["rabbitmq-supported"].because.startswith("not tested: the end of support")


async def test_only_reading_and_with_the_credentials_of_the_url(context: Context) -> None:
    web = model()
    async with servers.serving(web) as port:
        await measure(service(f"http://me:s3cret@127.0.0.1:{port}"), Settings(), context)
    assert {request.method for request in web.requests} == {"GET"}
    assert {request.headers["authorization"] for request in web.requests} == {"Basic bWU6czNjcmV0"}
    paths = [request.target.partition("?")[0] for request in web.requests]
    assert paths == ["/api/overview", "/api/health/checks/alarms", "/api/nodes", "/api/queues"]


OTHER = NODE | {"name": "rabbit@b"}
ALARM = {"status": "failed", "alarms": [{"node": "rabbit@a", "resource": "disk"}]}


@pytest.mark.parametrize(
    ("changed", "check", "told"),
    [
        ({"alarms": (503, ALARM)}, "rabbitmq-alarms", "publishers are blocked: disk on rabbit@a"),
        (
            {"nodes": [NODE, {"name": "rabbit@b", "running": False}]},
            "rabbitmq-nodes",
            "not running: rabbit@b",
        ),
        (
            {"nodes": [NODE, OTHER | {"partitions": ["rabbit@a"]}]},
            "rabbitmq-partitions",
            "parted from others: rabbit@b",
        ),
        ({"nodes": [NODE, OTHER | {"mem_used": 9.1e8}]}, "rabbitmq-memory", "on rabbit@b"),
        ({"nodes": [OTHER | {"disk_free": 60000000}]}, "rabbitmq-disk", "on rabbit@b"),
        ({"nodes": [OTHER | {"fd_used": 19000}]}, "rabbitmq-descriptors", "on rabbit@b"),
        (
            {"queues": page(QUEUE | {"consumers": 0, "messages_ready": 3, "vhost": "shop"})},
            "rabbitmq-unattended",
            "without a consumer: shop/orders (3 ready)",
        ),
        ({"queues": page(QUEUE | {"messages_ready": 10001})}, "rabbitmq-queue-depth", "in orders"),
        (
            {"queues": page(QUEUE | {"messages_unacknowledged": 1001})},
            "rabbitmq-unacknowledged",
            "in orders",
        ),
        (
            {"overview": OVERVIEW | {"rabbitmq_version": "3.13.7"}},
            "rabbitmq-supported",
            "community support of 3.13 ended by 2024-09-17",
        ),
        (
            {"overview": OVERVIEW | {"rabbitmq_version": "3.6.1"}},
            "rabbitmq-supported",
            "community support of 3.6 ended by 2022-07-31",
        ),
    ],
)
async def test_each_bad_state_is_found_by_its_check_alone(
    changed: Any, check: str, told: str, context: Context
) -> None:
    findings = await findings_of(context, **changed)
    assert troubled(findings) == {check} and not unknown(findings)
    assert told in findings[check].because


async def test_queues_meant_to_keep_are_let_be(context: Context) -> None:
    kept = QUEUE | {
        "name": "orders.dlq",
        "consumers": 0,
        "messages": 20000,
        "messages_ready": 20000,
    }
    stream = {**kept, "name": "log", "type": "stream"}
    parking = {"parking": ["*.dlq"]}
    findings = await findings_of(context, queues=page(QUEUE, kept, stream), settings=parking)
    assert not troubled(findings)
    assert findings["rabbitmq-unattended"].outcome == "pass"
    alone = await findings_of(context, queues=page(kept, stream), settings=parking)
    assert not troubled(alone) and not unknown(alone)
    for check in ("rabbitmq-unattended", "rabbitmq-queue-depth"):
        assert alone[check].outcome == "not_applicable", "who parks all earns nothing by it"
        assert alone[check].because == "not tested: every queue is named in parking"


@pytest.mark.parametrize(
    ("queues", "because"),
    [(page(), "no queue"), (page(QUEUE | {"type": "stream"}), "there are streams only")],
)
async def test_without_queues_there_is_nothing_to_judge(
    queues: Any, because: str, context: Context
) -> None:
    overview = OVERVIEW | {"object_totals": {"queues": 0}}
    findings = await findings_of(context, queues=queues, overview=overview)
    assert not troubled(findings) and not unknown(findings)
    assert findings["rabbitmq-queue-depth"].because == because


QUEUES = {"rabbitmq-unattended", "rabbitmq-queue-depth", "rabbitmq-unacknowledged"}
NODES = {"nodes", "partitions", "memory", "disk", "descriptors"}


@pytest.mark.parametrize(
    ("changed", "checks", "because"),
    [
        (
            {"nodes": (401, {"error": "not_authorised"})},
            QUEUES | {f"rabbitmq-{name}" for name in NODES},
            "give",
        ),
        ({"queues": page(total=0)}, QUEUES, "the user sees 0 of 1 queues"),
        ({"queues": page({"name": "new", "vhost": "/"})}, QUEUES, "statistics"),
        ({"queues": (500, "")}, QUEUES, "GET /api/queues answered 500"),
        ({"queues": "[" * 2_000_000}, QUEUES, "more than the 1 MiB"),
        ({"alarms": (404, {})}, {"rabbitmq-alarms"}, "GET /api/health/checks/alarms answered 404"),
        (
            {"queues": page(*[QUEUE | {"messages": 1}] * 3, total=9)},
            {"rabbitmq-unattended"},
            "more than 3 queues hold messages",
        ),
        ({"nodes": [{"name": "x", "running": True}]}, {"rabbitmq-memory", "rabbitmq-disk"}, "tell"),
    ],
)
async def test_what_is_withheld_is_not_tested(
    changed: Any, checks: set[str], because: str, context: Context
) -> None:
    findings = await findings_of(context, **changed)
    assert not troubled(findings)
    assert unknown(findings) == checks
    for check in checks:
        assert findings[check].because.startswith("not tested: ")
        assert because in findings[check].because


async def test_growth_is_told_from_one_run_to_the_next(context: Context) -> None:
    busy = page(QUEUE | {"messages_unacknowledged": 1500})
    async with servers.serving(model(queues=busy)) as port:
        before = replace(context, previous={"messages_unacknowledged": 200})
        found = await measured(service(f"http://127.0.0.1:{port}"), "rabbitmq", before)
    assert found.values["unacknowledged_growth"] == 1300
    told = str(found.values["unacknowledged_because"])
    assert told == "in orders; of all queues 200 in the run before, 1500 now"


@pytest.mark.parametrize(
    ("overview", "kind"),
    [
        ((401, {"error": "not_authorized"}), "denied"),
        ((200, "<html>"), "protocol"),
        ((200, {"status": "ok"}), "protocol"),
        ((200, {"rabbitmq_version": 4}), "protocol"),
        ((503, {}), "protocol"),
        ((200, "[" * 100_000), "protocol"),
    ],
)
async def test_what_is_no_management_api(overview: Any, kind: str, context: Context) -> None:
    async with servers.serving(model(overview=overview)) as port:
        with pytest.raises(Exception) as caught:
            await measure(service(f"http://u:s3cret@127.0.0.1:{port}"), Settings(), context)
    assert classify(caught.value).kind == kind
    assert "s3cret" not in classify(caught.value).detail


async def test_hostile_names_stay_short(context: Context) -> None:
    nasty = QUEUE | {"name": "\x1b[2J" + "q" * 5000, "consumers": 0, "messages_ready": 1}
    findings = await findings_of(
        context, queues=page(*[nasty | {"vhost": str(i)} for i in range(9)])
    )
    because = findings["rabbitmq-unattended"].because
    assert len(because) < 400 and "\x1b" not in because and because.endswith("6 more")


async def test_a_closed_port(context: Context) -> None:
    async with servers.refusing() as port:
        findings = await judged(service(f"http://127.0.0.1:{port}"), context)
    assert findings["rabbitmq-up"].outcome == "fail"


# A real broker


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    with rabbitmq_server.running(tmp_path_factory.mktemp("rabbitmq")) as running:
        yield running


@needs_rabbitmq
@pytest.mark.thorough
async def test_a_real_broker_in_each_state(broker: RabbitMQ, context: Context) -> None:
    """One test, since each state is made from the one before: clean, filled, parked, alarmed."""
    old = {"rabbitmq-supported"}  # Debian's release is past its community support, which is found
    values = await measure(service(broker.url()), Settings(), context)
    assert {name.removesuffix("_because") for name in values} <= set(METRICS)
    clean = await judged(service(broker.url()), context)
    assert troubled(clean) <= old and not unknown(clean)
    assert clean["rabbitmq-unattended"].because == "no queue"

    broker.call("PUT", "queues/%2F/orders", {"durable": True})
    message = {"properties": {}, "routing_key": "orders", "payload": "x"}
    broker.call(
        "POST", "exchanges/%2F/amq.default/publish", message | {"payload_encoding": "string"}
    )
    until(lambda: broker.call("GET", "queues/%2F/orders").get("messages_ready"))
    filled = await judged(service(broker.url()), context)
    assert troubled(filled) - old == {"rabbitmq-unattended"} and not unknown(filled)
    assert "orders (1 ready)" in filled["rabbitmq-unattended"].because
    parked = await judged(service(broker.url(), parking=["ord*"]), context)
    assert troubled(parked) <= old

    broker.call("PUT", "users/clerk", {"password": "pass", "tags": "management"})
    clerk = await judged(service(broker.url("clerk:pass")), context)
    assert unknown(clerk) == QUEUES | {f"rabbitmq-{name}" for name in NODES}
    broker.call("PUT", "users/watch", {"password": "pass", "tags": "monitoring"})
    watch = await judged(service(broker.url("watch:pass")), context)
    assert unknown(watch) == QUEUES and "0 of 1 queues" in watch["rabbitmq-queue-depth"].because
    stranger = await judged(service(broker.url("watch:wrong")), context)
    assert stranger["rabbitmq-up"].outcome == "unknown"

    broker.control("set_vm_memory_high_watermark", "absolute", "1MB")
    until(lambda: broker.call("GET", "nodes")[0]["mem_alarm"])
    alarmed = await judged(service(broker.url(), parking=["*"]), context)
    assert troubled(alarmed) - old == {"rabbitmq-alarms", "rabbitmq-memory"}
    assert "memory on probe@localhost" in alarmed["rabbitmq-alarms"].because
