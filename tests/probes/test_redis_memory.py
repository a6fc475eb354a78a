import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis.exceptions import OutOfMemoryError

from readiness.measurement import Values
from readiness.probes import Context, redis_memory
from readiness.probes._redis_window import Looks
from readiness.probes.redis_memory import METRICS, Settings, measure
from tests.redis_servers import (
    MOSTLY_VALKEY,
    TIMES,
    WELL,
    caught,
    client,
    configured,
    found,
    running,
    service,
    until,
)
from tests.states import judged, unknown

pytestmark = pytest.mark.anyio
CACHE = {"redis_memory": {"role": "cache"}}
QUEUE = {"redis_memory": {"role": "queue"}}


@pytest.fixture(scope="module", params=MOSTLY_VALKEY)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server with a limit of 8 MB and an append-only file."""
    settings = {**WELL, "maxmemory": "8mb", "appendonly": True}
    with running(request.param, **settings) as url:
        yield url


async def probe(url: str, context: Context, role: str | None = None) -> Values:
    return await measure(
        service(url), Settings.model_validate({"role": role, "window": "20ms"}), context
    )


def fill(connected: Any) -> bool:
    """Write more than fits; return whether writes were refused."""
    with connected.pipeline(transaction=False) as pipe:
        for n in range(1000):
            pipe.set(f"filling:{n}", "x" * 10_000)
        answers = pipe.execute(raise_on_error=False)
    return any(isinstance(one, OutOfMemoryError) for one in answers)


# Without findings


@pytest.mark.parametrize("role", [None, "cache", "queue", "store"])
async def test_a_server_that_fits_its_role_has_no_finding(
    role: str | None, url: str, context: Context
) -> None:
    policy = "allkeys-lru" if role == "cache" else "noeviction"
    settings = {"redis_memory": {"role": role}} if role else {}
    with configured(url, maxmemory_policy=policy) as connected:
        connected.set("key", "value")
        findings = await judged(service(url, **settings), context)
        assert caught(findings) == set()
        assert unknown(findings) - TIMES == set()


async def test_every_metric_is_told_or_explained(url: str, context: Context) -> None:
    values = await probe(url, context, "cache")
    told = {name.removesuffix("_because") for name in values}
    assert told >= set(METRICS) - {
        "hit_ratio_since_start",
        "evictable_ratio",
        "hit_ratio",
        "nothing_evicted",
    }
    assert told <= set(METRICS)


async def test_a_full_cache_that_evicts_is_as_it_should_be(url: str, context: Context) -> None:
    with configured(url, maxmemory_policy="allkeys-lru") as connected:
        fill(connected)
        assert connected.info("stats")["evicted_keys"]
        assert await found(url, context, **CACHE) == set()
        assert await found(url, context) == set()
        values = await probe(url, context, "cache")
        assert int(str(values["evicted_keys"])) > 0
        assert values["evicted_keys_per_second"] == 0


# Each bad state, by its check and no other


async def test_a_full_server_that_refuses_writes(url: str, context: Context) -> None:
    with configured(url) as connected:
        assert fill(connected)
        findings = await judged(service(url), context)
        assert caught(findings) == {"redis-memory"}
        assert "refused for it (OOM)" in findings["redis-memory"].because
        assert int(str((await probe(url, context))["oom_errors"])) > 0


async def test_a_full_cache_without_eviction(url: str, context: Context) -> None:
    with configured(url) as connected:
        fill(connected)
        assert await found(url, context, **CACHE) == {"redis-memory", "redis-eviction-policy"}


async def test_a_cache_without_eviction(url: str, context: Context) -> None:
    with configured(url):
        assert await found(url, context, **CACHE) == {"redis-eviction-policy"}


async def test_a_cache_without_a_limit(url: str, context: Context) -> None:
    with configured(url, maxmemory="0", maxmemory_policy="allkeys-lfu"):
        assert await found(url, context, **CACHE) == {"redis-eviction-policy", "redis-maxmemory"}


@pytest.mark.parametrize("role", ["queue", "store"])
async def test_data_that_may_be_evicted(role: str, url: str, context: Context) -> None:
    with configured(url, maxmemory_policy="volatile-ttl"):
        settings = {"redis_memory": {"role": role}}
        assert await found(url, context, **settings) == {"redis-eviction-policy"}


async def test_data_that_were_evicted(url: str, context: Context) -> None:
    with configured(url, maxmemory_policy="allkeys-random") as connected:
        fill(connected)
        connected.flushall()
        connected.config_set("maxmemory-policy", "noeviction")
        assert await found(url, context, **QUEUE) == {"redis-nothing-evicted"}


async def test_a_cache_of_keys_that_never_go(url: str, context: Context) -> None:
    with configured(url, maxmemory_policy="volatile-lru") as connected:
        connected.mset({f"stays:{n}": "x" for n in range(9)})
        connected.set("goes", "x", ex=100)
        findings = await judged(service(url, **CACHE), context)
        assert caught(findings) == {"redis-evictable-keys"}
        assert "9 of 10 keys" in findings["redis-evictable-keys"].because
        for n in range(9):
            connected.expire(f"stays:{n}", 100)
        assert await found(url, context, **CACHE) == set()


async def test_a_cache_that_is_asked_for_what_it_lacks(url: str, context: Context) -> None:
    with configured(url, maxmemory_policy="allkeys-lru"):
        over = threading.Event()

        def ask() -> None:
            with client(url) as other:
                while not over.is_set():
                    other.mget([f"missing:{n}" for n in range(100)])

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            with client(url) as connected:
                until(lambda: connected.info("stats")["keyspace_misses"] > 100)
            assert await found(url, context, **CACHE) == {"redis-hit-ratio"}
            assert await found(url, context) == set()
        finally:
            over.set()
            asking.join()


async def test_too_few_look_ups_are_no_hit_ratio(url: str, context: Context) -> None:
    values = await probe(url, context, "cache")
    assert values["hits_count"] is False
    assert "not tested: 0 look-ups" in str(values["hits_count_because"])


async def test_nearly_as_many_clients_as_are_allowed(url: str, context: Context) -> None:
    with configured(url, maxclients=5), client(url) as a, client(url) as b, client(url) as c:
        for other in (a, b, c):
            other.ping()
        findings = await judged(service(url), context)
        assert caught(findings) == {"redis-clients"}
        assert findings["redis-clients"].because.endswith("5 of 5 are connected")


async def test_connections_that_were_rejected(url: str, context: Context) -> None:
    with configured(url, maxclients=2), client(url) as other:
        other.ping()
        for _ in range(3):
            with client(url) as late, pytest.raises(redis.ConnectionError, match="max number"):
                late.ping()
        other.config_set("maxclients", 100)
        assert await found(url, context) == {"redis-rejected-connections"}


async def test_memory_lost_to_fragments(context: Context) -> None:
    settings = {"enable-debug-command": "yes", "activedefrag": "no"}
    with running("redis", settings=settings, maxmemory="1gb") as url, client(url) as connected:
        connected.execute_command("DEBUG", "POPULATE", "180000", "key", "1000")
        connected.eval(
            "for n = 0, 179999 do if n % 4 > 0 then redis.call('DEL', 'key:' .. n) end end", 0
        )
        connected.slowlog_reset()
        findings = await judged(service(url), context)
        assert caught(findings) == {"redis-fragmentation"}
        assert "fragments hold" in findings["redis-fragmentation"].because


async def test_an_allocator_that_does_not_tell_is_not_tested(
    valkey_url: str, context: Context
) -> None:
    with client(valkey_url) as connected:
        if connected.info("memory")["mem_allocator"] != "libc":
            pytest.skip("this wheel's allocator tells")
    finding = (await judged(service(valkey_url), context))["redis-fragmentation"]
    assert finding.outcome == "not_applicable"
    assert finding.because == "not tested: the allocator libc does not tell"


async def test_info_that_is_withheld_is_explained(url: str, context: Context) -> None:
    with client(url) as connected:
        connected.execute_command("ACL", "SETUSER", "blind", "reset", "on", ">x", "+ping")
    values = await probe(url.replace("//", "//blind:x@"), context)
    assert {name.removesuffix("_because") for name in values} == set(METRICS)
    assert values["clients_ratio_because"] == "not tested: INFO is not permitted to us; grant +info"


@pytest.mark.parametrize("info", ["", "maxmemory:many\r\ndb0:keys=x", "evicted_keys:-5\r\n:::"])
async def test_an_odd_info_leaves_metrics_absent(info: str) -> None:
    fields = Looks({}, dict([info.partition(":")[::2]]), 1.0)
    values = redis_memory._eviction(fields, "cache") | redis_memory._clients(fields, None)
    assert "clients_ratio" not in values
    assert "evicted_keys" not in values
