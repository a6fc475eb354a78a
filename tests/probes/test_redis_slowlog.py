import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes.redis_slowlog import METRICS, Settings, _entry, _event, measure
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


@pytest.fixture(scope="module", params=MOSTLY_VALKEY)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server whose commands may sleep."""
    with running(request.param, **WELL, settings={"enable-debug-command": "yes"}) as url:
        yield url


async def probe(url: str, context: Context) -> Values:
    return await measure(service(url), Settings(), context)


async def test_no_slow_command_is_no_finding(url: str, context: Context) -> None:
    with configured(url):
        assert await found(url, context) == set()
        values = await probe(url, context)
        assert values["slowest_ms"] == values["slow_commands"] == 0
        assert values["slower_than_ms"] == 10
        assert {name.removesuffix("_because") for name in values} <= set(METRICS)


async def test_a_command_that_holds_up_everyone(url: str, context: Context) -> None:
    with configured(url) as connected:
        connected.execute_command("DEBUG", "SLEEP", "0.12")
        findings = await judged(service(url), context)
        assert caught(findings) == {"redis-slow-commands"}
        assert findings["redis-slow-commands"].outcome == "warn"
        assert "slow commands logged: 1 (DEBUG)" in findings["redis-slow-commands"].because


async def test_arguments_which_may_be_secret_are_in_no_value(url: str, context: Context) -> None:
    with configured(url, slowlog_log_slower_than=0) as connected:
        connected.set("hunter2", "hunter2")
        values = await probe(url, context)
        assert "hunter2" not in str(values)
        assert "SET" in str(values["slowest_ms_because"])


async def test_a_command_that_takes_more_than_a_second(url: str, context: Context) -> None:
    with configured(url) as connected:
        connected.execute_command("DEBUG", "SLEEP", "1.05")
        findings = await judged(service(url), context)
        assert caught(findings) == {"redis-slow-commands"}
        assert findings["redis-slow-commands"].outcome == "fail"


async def test_what_was_slow_before_the_window_is_forgotten(url: str, context: Context) -> None:
    with configured(url) as connected:
        connected.execute_command("DEBUG", "SLEEP", "0.02")
        brief = Settings.model_construct(window=0.05)
        while (values := await measure(service(url), brief, context))["slow_commands"]:
            assert context.deadline > time.monotonic() + 50, "it is not forgotten"
        assert values["slowest_ms"] == 0
        assert (await probe(url, context))["slow_commands"] == 1


@pytest.mark.parametrize(
    ("threshold", "because"),
    [
        (-1, "not tested: the slow log is off; set slowlog-log-slower-than to 10000"),
        (5_000_000, "not tested: only commands of 5000 ms and more are logged"),
    ],
)
async def test_a_log_that_would_not_show_them_is_not_tested(
    threshold: int, because: str, url: str, context: Context
) -> None:
    with configured(url, slowlog_log_slower_than=threshold):
        finding = (await judged(service(url), context))["redis-slow-commands"]
        assert (finding.outcome, finding.because) == ("unknown", because)
        patient = replace(context, limits={"slowest_ms": (6000.0, 9000.0)})
        values = await probe(url, patient)
        assert ("slowest_ms" in values) is (threshold > 0)


async def test_a_slow_command_is_no_latency_event_besides(url: str, context: Context) -> None:
    with configured(url, latency_monitor_threshold=1) as connected:
        connected.execute_command("DEBUG", "SLEEP", "0.11")
        assert await found(url, context) == {"redis-slow-commands"}
        assert (await probe(url, context))["latency_event_ms"] == 0


async def test_an_eviction_that_holds_up_everyone(url: str, context: Context) -> None:
    """One key of 300,000 members is freed at once; here that may take 2 ms, and not 100."""
    settings = {"maxmemory_policy": "allkeys-lru", "lazyfree_lazy_eviction": "no"}
    with configured(url, **settings, latency_monitor_threshold=1) as connected:
        connected.eval("for n = 1, 300000 do redis.call('SADD', 'large', n .. 'x') end", 0)
        connected.slowlog_reset()
        connected.config_set("maxmemory", "3mb")
        until(lambda: connected.info("stats")["evicted_keys"])
        connected.config_set("maxmemory", "64mb")
        bounds = {"redis-latency-events": {"target": "1ms", "limit": "2ms"}}
        strict = service(url).model_copy(update={"checks": bounds})
        findings = await judged(strict, context)
        assert caught(findings) == {"redis-latency-events"}
        assert "eviction" in findings["redis-latency-events"].because
        connected.execute_command("LATENCY RESET")


async def test_a_fork_is_a_latency_event(context: Context) -> None:
    """Copying the page table of 200 MB takes milliseconds, whatever the machine."""
    with (
        running("redis", maxmemory="1gb", settings={"enable-debug-command": "yes"}) as url,
        client(url) as connected,
    ):
        connected.execute_command("DEBUG", "POPULATE", "200000", "key", "1000")
        connected.config_set("latency-monitor-threshold", 1)
        connected.bgsave()
        values = await probe(url, context)
        if values["latency_event_ms"] == 0:
            pytest.skip("this machine forks within a millisecond")
        assert values["latency_event"] == "fork"


async def test_withheld_commands_are_explained(url: str, context: Context) -> None:
    with client(url) as connected:
        rules = ["reset", "on", ">x", "+ping", "+info", "+config|get"]
        connected.execute_command("ACL", "SETUSER", "watch", *rules)
    values = await probe(url.replace("//", "//watch:x@"), context)
    told = "not tested: SLOWLOG GET is not permitted to us; grant +slowlog|get"
    assert values["slowest_ms_because"] == told


@pytest.mark.parametrize(
    "entry", [None, [], [1, 2], ["1", "2", "3", "4"], [1, 2, "x", ["GET"]], [1, None, 3, []]]
)
def test_an_odd_entry_is_left_out(entry: object) -> None:
    assert _entry(entry) is None
    assert _event(entry) is None  # type: ignore[arg-type]


def test_events_are_read() -> None:
    assert _event(["aof-write", 1700000000, 250, 900]) == (250.0, "aof-write", 1700000000.0)
    assert _event(["command", 1700000000, 250, 900]) is None
    assert _entry([7, 1700000000, 20_000, ["GET\n", "k"]]) == (1700000000.0, 20.0, "?")
