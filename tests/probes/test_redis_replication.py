import os
import signal
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis

from readiness.measurement import Values
from readiness.probes import Context, redis_replication
from readiness.probes.redis_replication import METRICS, Settings, measure
from tests.redis_servers import (
    KINDS,
    TIMES,
    WELL,
    caught,
    client,
    clustered,
    configured,
    found,
    running,
    service,
    until,
)
from tests.servers import refusing
from tests.states import judged, unknown

pytestmark = pytest.mark.anyio
SMALL = {"repl-backlog-size": "1mb", "repl-diskless-sync-delay": "0"}


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A primary, and a replica that copies it."""
    with running(request.param, **WELL, settings=SMALL) as primary:
        to = f"127.0.0.1 {urlsplit(primary).port}"
        with running(request.param, **WELL, settings={**SMALL, "replicaof": to}) as replica:
            with client(replica) as connected:
                until(lambda: connected.info("replication")["master_link_status"] == "up")
            with client(primary) as connected:
                until(lambda: connected.info("replication").get("slave0", {}).get("lag") in (0, 1))
            yield primary, replica


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server without replicas."""
    with running(**WELL) as url:
        yield url


async def probe(url: str, context: Context) -> Values:
    return await measure(service(url), Settings.model_validate({"window": "20ms"}), context)


async def test_a_primary_with_its_replica_has_no_finding(
    pair: tuple[str, str], context: Context
) -> None:
    primary, replica = pair
    expected = {"redis_replication": {"replicas": 1}}
    assert await found(primary, context, **expected) == set()
    assert await found(replica, context) == set()
    values = await probe(primary, context)
    assert values["role"] == "master"
    assert values["connected_replicas"] == values["online_replicas"] == 1
    assert float(str(values["replica_lag_ratio"])) < 0.01  # it acknowledges once a second
    values = await probe(replica, context)
    assert values["role"] == "slave"
    assert values["link_up"] is values["read_only"] is True
    assert {name.removesuffix("_because") for name in values} <= set(METRICS)


async def test_a_server_by_itself_has_nothing_to_replicate(url: str, context: Context) -> None:
    findings = await judged(service(url), context)
    mine = {name: f for name, f in findings.items() if f.probe == "redis_replication"}
    assert {f.outcome for f in mine.values()} == {"not_applicable"}
    assert mine["redis-replica-link"].because == "it is no replica"


async def test_a_replica_without_its_primary(url: str, context: Context) -> None:
    async with refusing() as port:
        with client(url) as connected:
            connected.replicaof("127.0.0.1", port)
            try:
                findings = await judged(service(url), context)
                assert caught(findings) == {"redis-replica-link"}
                assert "the link to the primary is down" in findings["redis-replica-link"].because
            finally:
                connected.replicaof("NO", "ONE")


async def test_a_replica_that_takes_writes(pair: tuple[str, str], context: Context) -> None:
    with client(pair[1]) as connected:
        connected.config_set("replica-read-only", "no")
        try:
            assert await found(pair[1], context) == {"redis-replica-read-only"}
        finally:
            connected.config_set("replica-read-only", "yes")


async def test_a_replica_that_lags(pair: tuple[str, str], context: Context) -> None:
    primary, replica = pair
    with client(primary) as writing, client(replica) as stopped:
        process = int(stopped.info("server")["process_id"])
        os.kill(process, signal.SIGSTOP)
        try:
            for n in range(30):
                writing.set(f"key:{n}", "x" * 100_000)
            findings = await judged(service(primary), context, only=["redis_replication"])
            assert findings["redis-replica-lag"].outcome == "fail"
            assert await found(primary, context) == {"redis-replica-lag"}
        finally:
            os.kill(process, signal.SIGCONT)
        writing.flushall()
        writing.slowlog_reset()
        until(lambda: behind(writing) == 0)
    assert await found(primary, context) == set()


def behind(primary: Any) -> int:
    told = primary.info("replication")
    return int(told["master_repl_offset"]) - int(told.get("slave0", {}).get("offset", 0))


async def test_a_replica_that_is_missing(url: str, context: Context) -> None:
    expected = {"redis_replication": {"replicas": 2}}
    findings = await judged(service(url, **expected), context)
    assert caught(findings) == {"redis-replicas"}
    assert findings["redis-replicas"].because == "0 of 2 replicas are online"


async def test_writes_that_are_refused_without_replicas(url: str, context: Context) -> None:
    with configured(url, min_replicas_to_write=1) as connected:
        with pytest.raises(redis.ResponseError, match="NOREPLICAS"):
            connected.set("key", "value")
        assert await found(url, context) == {"redis-min-replicas"}
        connected.config_set("min-replicas-to-write", 0)  # or the test cannot tidy up


async def test_a_cluster_with_slots_that_nobody_serves(context: Context) -> None:
    with running(**WELL, settings=clustered()) as url, client(url) as connected:
        findings = await judged(service(url), context)
        assert caught(findings) == {"redis-cluster"}
        because = "cluster_state is fail, 0 of 16384 slots assigned, 0 failed"
        assert findings["redis-cluster"].because == because
        connected.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
        until(lambda: "cluster_state:ok" in raw_cluster(connected))
        assert await found(url, context) == set()


def raw_cluster(connected: Any) -> str:
    connected.response_callbacks.pop("CLUSTER INFO", None)
    return str(connected.execute_command("CLUSTER INFO"))


@pytest.fixture(scope="module")
def sentinel(url: str) -> Iterator[str]:
    """A sentinel of Redis that watches a server."""
    settings = {"sentinel": f"monitor watched 127.0.0.1 {urlsplit(url).port} 1"}
    with running("redis", settings=settings, arguments=["--sentinel"]) as sentinel:
        yield sentinel


async def test_a_sentinel_is_recognised(sentinel: str, url: str, context: Context) -> None:
    findings = await judged(service(sentinel), context)
    assert findings["redis-up"].outcome == findings["redis-sentinel"].outcome == "pass"
    assert caught(findings) == set()
    withheld = {"redis-authentication", "redis-dangerous-commands"}
    assert unknown(findings) - TIMES == withheld  # a sentinel has no CONFIG


@pytest.mark.parametrize(
    ("masters", "because"),
    [
        ({}, "it watches no primary"),
        ({"master0": "name=shop,status=odown,slaves=1"}, "shop is odown"),
        ({"master0": "name=shop,status=ok", "master1": "name=b,status=sdown"}, "b is sdown"),
    ],
)
def test_a_primary_that_its_sentinel_lost(masters: dict[str, str], because: str) -> None:
    values = redis_replication._sentinel({"sentinel_masters": "1", **masters})
    assert values["primaries_ok"] is False
    assert values["primaries_ok_because"] == because
