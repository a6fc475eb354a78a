import threading
from collections.abc import Iterator
from typing import Any

import pytest

from readiness.measurement import Values
from readiness.probes import Context, _redis_streams
from readiness.probes.redis_streams import METRICS, Settings, measure
from tests.redis_servers import (
    MOSTLY_VALKEY,
    WELL,
    caught,
    client,
    configured,
    found,
    running,
    service,
    until,
)
from tests.states import judged

pytestmark = pytest.mark.anyio
ORDERS = {"redis_streams": {"streams": ["orders"]}}


@pytest.fixture(scope="module", params=MOSTLY_VALKEY)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty server."""
    with running(request.param, **WELL) as url:
        yield url


@pytest.fixture
def connected(url: str) -> Iterator[Any]:
    """A client of the server, which is empty again afterwards."""
    with configured(url) as connected:
        yield connected


async def probe(url: str, context: Context, **settings: object) -> Values:
    return await measure(
        service(url), Settings.model_validate({"window": "20ms", **settings}), context
    )


def add(connected: Any, n: int, stream: str = "orders") -> None:
    """Add `n` entries."""
    script = "for n = 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', 'order', n) end"
    connected.eval(script, 1, stream, n)
    connected.slowlog_reset()


def group(connected: Any, stream: str = "orders") -> None:
    """Make the group billing, from the stream's beginning."""
    connected.xgroup_create(stream, "billing", id="0", mkstream=True)


def read(connected: Any, n: int, consumer: str = "one") -> list[str]:
    """Read `n` entries as a consumer of the group; return their ids."""
    answer = connected.xreadgroup("billing", consumer, {"orders": ">"}, count=n)
    return [name for _, entries in answer for name, _ in entries]


async def test_without_streams_there_is_nothing_to_judge(
    url: str, connected: Any, context: Context
) -> None:
    connected.set("key", "value")
    findings = await judged(service(url), context, only=["redis_streams"])
    assert {f.outcome for f in findings.values()} == {"not_applicable"}
    assert findings["redis-stream-lag"].because == "there are no streams"
    connected.xadd("log", {"line": "x"})
    values = await probe(url, context)
    assert values["has_groups_because"] == "no stream has a consumer group"


@pytest.mark.parametrize("settings", [{}, ORDERS])
async def test_a_group_that_keeps_up_has_no_finding(
    settings: dict[str, dict[str, object]],
    url: str,
    connected: Any,
    context: Context,
) -> None:
    group(connected)
    add(connected, 20)
    connected.xack("orders", "billing", *read(connected, 15))
    assert await found(url, context, **settings) == set()
    values = await probe(url, context)
    assert (values["streams"], values["groups"], values["lag"]) == (1, 1, 5)
    assert values["pending"] == values["oldest_pending_seconds"] == 0
    assert {name.removesuffix("_because") for name in values} <= set(METRICS)


async def test_a_group_that_nobody_reads(url: str, connected: Any, context: Context) -> None:
    group(connected)
    add(connected, 12)
    findings = await judged(service(url), context)
    assert caught(findings) == {"redis-stream-groups-served"}
    told = "orders/billing: 12 entries wait, no consumer"
    assert findings["redis-stream-groups-served"].because == told


async def test_a_group_whose_consumer_is_gone(url: str, connected: Any, context: Context) -> None:
    group(connected)
    add(connected, 12)
    connected.xack("orders", "billing", *read(connected, 2))
    until(lambda: connected.xinfo_consumers("orders", "billing")[0]["idle"] > 100)
    findings = await judged(service(url, redis_streams={"idle": "0.1s"}), context)
    assert caught(findings) == {"redis-stream-groups-served"}
    assert "10 entries wait, consumers silent" in findings["redis-stream-groups-served"].because
    assert await found(url, context) == set()


async def test_entries_that_a_dead_consumer_holds(
    url: str, connected: Any, context: Context
) -> None:
    """The entry was delivered an hour and a half ago, as XCLAIM with IDLE makes it."""
    group(connected)
    add(connected, 3)
    taken = read(connected, 3)
    connected.xclaim("orders", "billing", "one", 0, taken[:1], idle=5_400_000)
    findings = await judged(service(url), context)
    assert caught(findings) == {"redis-stream-pending"}
    assert findings["redis-stream-pending"].because.endswith("orders/billing")
    assert (await probe(url, context))["pending"] == 3


async def test_a_group_that_falls_behind(url: str, connected: Any, context: Context) -> None:
    group(connected)
    add(connected, 11_000)
    connected.xack("orders", "billing", *read(connected, 10))
    assert await found(url, context) == {"redis-stream-lag"}
    connected.xack("orders", "billing", *read(connected, 5000))
    findings = await judged(service(url), context)
    assert findings["redis-stream-lag"].outcome == "warn"


async def test_a_lag_that_grows(url: str, connected: Any, context: Context) -> None:
    """Somebody adds more and more, and a consumer that is there cannot keep up."""
    group(connected)
    add(connected, 11_000)
    read(connected, 1)
    over = threading.Event()

    def produce() -> None:
        with client(url) as other:
            while not over.is_set():
                other.xadd("orders", {"order": "one more"})

    producing = threading.Thread(target=produce)
    producing.start()
    try:
        findings = await judged(service(url), context)
        assert caught(findings) == {"redis-stream-lag"}
        values = await probe(url, context, window="0.2s")
        assert float(str(values["lag_per_second"])) > 0
    finally:
        over.set()
        producing.join()


async def test_a_declared_stream_that_is_missing(
    url: str, connected: Any, context: Context
) -> None:
    findings = await judged(service(url, **ORDERS), context)
    assert caught(findings) == {"redis-streams-present"}
    assert findings["redis-streams-present"].because == "no stream orders"


async def test_streams_of_the_database_in_the_url(
    url: str, connected: Any, context: Context
) -> None:
    with client(url.removesuffix("/0") + "/3") as other:
        group(other)
        add(other, 2)
    assert (await probe(url, context))["has_groups"] is False
    assert (await probe(url.removesuffix("/0") + "/3", context))["lag"] == 2
    values = await probe(url.removesuffix("/0") + "/999", context)
    assert str(values["lag_because"]).startswith("not tested: SELECT was answered: ")


async def test_a_search_that_did_not_see_every_key_says_so(
    url: str, connected: Any, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_redis_streams, "_MOST_SCANS", 1)
    connected.mset({f"key:{n}": "x" for n in range(5000)})
    findings = await judged(service(url), context)
    lag = findings["redis-stream-lag"]
    assert lag.outcome == "not_applicable"
    assert lag.because.startswith("not tested: not every key was looked at")
    for n in range(60):
        connected.xgroup_create(f"stream:{n}", "billing", id="0", mkstream=True)
    findings = await judged(service(url), context)
    assert caught(findings) == set()
    assert findings["redis-stream-lag"].outcome in ("unknown", "not_applicable")
    assert findings["redis-stream-lag"].because.startswith("not tested: not every key")
    add(connected, 1, "stream:0")
    declared = {"redis_streams": {"streams": ["stream:0"]}}
    assert await found(url, context, **declared) == {"redis-stream-groups-served"}


async def test_a_lag_that_the_server_cannot_tell(
    url: str, connected: Any, context: Context
) -> None:
    group(connected)
    add(connected, 5)
    ids = read(connected, 2)
    connected.xack("orders", "billing", *ids)
    rest = [name for name, _ in connected.xrange("orders")][3]
    connected.xdel("orders", rest)
    values = await probe(url, context)
    assert "lag" not in values
    told = "not tested: the server does not tell the lag of orders/billing"
    assert values["lag_because"] == told
    assert values["groups_served"] is True, "its consumer has read just now"
    silent = await probe(url, context, idle="0.1s", window="0.2s")
    assert "groups_served" not in silent
    assert str(silent["groups_served_because"]).startswith("not tested: whether entries wait for")


async def test_a_key_of_another_type_is_explained(
    url: str, connected: Any, context: Context
) -> None:
    connected.set("orders", "text")
    values = await probe(url, context, streams=["orders"])
    assert str(values["lag_because"]).startswith("not tested: XINFO GROUPS was answered: WRONGTYPE")
