import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from readiness.measurement import Values
from readiness.probes import Context, redis_persistence
from readiness.probes._redis_info import parsed
from readiness.probes._redis_window import Looks
from readiness.probes.redis_persistence import METRICS, Settings, measure
from tests.redis_servers import (
    KINDS,
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
STORE = {"redis_persistence": {"role": "store"}}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Which server."""
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a server keeps its data, which it may lose."""
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture(scope="module", params=KINDS)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that keeps nothing by itself."""
    with running(request.param, **WELL) as url:
        yield url


async def probe(url: str, context: Context) -> Values:
    return await measure(service(url), Settings.model_validate({"window": "20ms"}), context)


async def test_a_store_with_snapshots_and_appends_has_no_finding(
    kind: str, context: Context
) -> None:
    with running(kind, **WELL, appendonly=True, settings={"save": "3600 1 300 100"}) as url:
        with client(url) as connected:
            connected.set("key", "value")
            connected.save()
        assert await found(url, context, **STORE) == set()
        values = await probe(url, context)
        assert set(METRICS) == {n.removesuffix("_because") for n in values}
        assert values["rdb_enabled"] is values["aof_enabled"] is values["persistent"] is True
        assert values["rdb_on_schedule"] is values["aof_fsync_in_time"] is True
        assert values["writes_stopped"] is values["loading"] is False
        assert values["appendfsync"] == "no"


async def test_a_cache_needs_no_persistence(url: str, context: Context) -> None:
    with configured(url, maxmemory_policy="allkeys-lru"):
        assert await found(url, context, redis_persistence={"role": "cache"}) == set()
        assert await found(url, context) == set()


@pytest.mark.parametrize("declares", ["redis_memory", "redis_persistence"])
async def test_a_queue_that_a_restart_empties(declares: str, url: str, context: Context) -> None:
    assert await found(url, context, **{declares: {"role": "queue"}}) == {"redis-persistence"}


async def test_a_snapshot_that_fails(kind: str, folder: Path, context: Context) -> None:
    settings = {"dir": str(folder), "save": "3600 1"}
    with running(kind, **WELL, settings=settings) as url, client(url) as connected:
        connected.set("key", "value")
        shutil.rmtree(folder)
        connected.bgsave()
        until(lambda: connected.info("persistence")["rdb_last_bgsave_status"] == "err")
        with pytest.raises(redis.ResponseError, match="MISCONF"):
            connected.set("key", "again")
        findings = await judged(service(url, **STORE), context)
        assert caught(findings) == {"redis-last-save"}
        assert "writes are refused meanwhile (MISCONF)" in findings["redis-last-save"].because
        assert (await probe(url, context))["writes_stopped"] is True
        connected.config_set("save", "")  # or it tries in vain to save at its end


async def test_an_append_that_fails(kind: str, folder: Path, context: Context) -> None:
    """The append-only file, turned on later, ends in a device that is always full."""
    with running(kind, **WELL, settings={"dir": str(folder)}) as url, client(url) as connected:
        (folder / "appendonlydir").mkdir(exist_ok=True)
        (folder / "appendonlydir" / "temp-appendonly.aof.incr").symlink_to("/dev/full")
        connected.config_set("appendfsync", "everysec")
        connected.config_set("appendonly", "yes")
        until(lambda: connected.info("persistence")["aof_rewrite_in_progress"] == 0)
        connected.set("key", "value")
        until(lambda: connected.info("persistence")["aof_last_write_status"] == "err")
        assert await found(url, context, **STORE) == {"redis-aof-write"}
        assert (await probe(url, context))["writes_stopped"] is True


async def test_a_rewrite_that_fails(kind: str, folder: Path, context: Context) -> None:
    settings = {"dir": str(folder)}
    with (
        running(kind, **WELL, appendonly=True, settings=settings) as url,
        client(url) as connected,
    ):
        shutil.rmtree(folder)
        with pytest.raises(redis.ResponseError):
            connected.execute_command("BGREWRITEAOF")
        assert await found(url, context, **STORE) == {"redis-aof-rewrite"}


async def test_settings_that_are_withheld_are_explained(url: str, context: Context) -> None:
    with client(url) as connected:
        connected.execute_command("ACL", "SETUSER", "watch", "reset", "on", ">x", "+ping", "+info")
    values = await probe(url.replace("//", "//watch:x@"), context)
    told = "not tested: CONFIG GET save is not permitted to us; grant +config|get"
    assert values["persistent_because"] == values["rdb_on_schedule_because"] == told
    assert values["rdb_last_save_ok"] is True
    if values["rdb_saved"] is False:
        assert values["rdb_saved_because"] == f"{told}, and none was taken or tried so far"


# What no server can be brought to within a test: a real INFO, in which one thing is another


def schedule(url: str, rules: str, **changes: object) -> Values:
    with client(url) as connected:
        connected.response_callbacks.pop("INFO")
        fields = dict(parsed(connected.execute_command("INFO")))
    fields |= {name: str(value) for name, value in changes.items()}
    return redis_persistence._schedule(Looks(fields, fields, 1.0), rules)


def started(seconds: int, url: str) -> int:
    """Return the time, `seconds` before the server's own."""
    with client(url) as connected:
        return int(connected.time()[0]) - seconds


def test_a_snapshot_that_is_overdue(url: str) -> None:
    late = {"rdb_last_save_time": started(4000, url), "rdb_changes_since_last_save": 7}
    values = schedule(url, "3600 1 300 100", **late)
    assert values["rdb_on_schedule"] is False
    assert "the rule is 1 in 3600 s" in str(values["rdb_on_schedule_because"])
    assert schedule(url, "5000 1 300 100", **late) == {"rdb_on_schedule": True}
    assert schedule(url, "3600 8", **late) == {"rdb_on_schedule": True}
    saving = {**late, "rdb_bgsave_in_progress": 1, "rdb_current_bgsave_time_sec": 20}
    assert schedule(url, "3600 1", **saving) == {"rdb_on_schedule": True}
    assert schedule(url, "3600 1", **late, aof_rewrite_in_progress=1) == {"rdb_on_schedule": True}


def test_a_snapshot_that_hangs(url: str) -> None:
    hanging = {"rdb_bgsave_in_progress": 1, "rdb_current_bgsave_time_sec": 900}
    values = schedule(url, "3600 1", **hanging, rdb_last_bgsave_time_sec=3)
    assert "under way for 900 s" in str(values["rdb_on_schedule_because"])
    slow = schedule(url, "3600 1", **hanging, rdb_last_bgsave_time_sec=100)
    assert slow == {"rdb_on_schedule": True}


def test_an_fsync_that_came_late() -> None:
    first = {"aof_enabled": "1", "aof_delayed_fsync": "2"}
    values = redis_persistence._appends(Looks(first, {**first, "aof_delayed_fsync": "3"}, 1.0))
    assert values["aof_fsync_in_time"] is False
    assert values["aof_fsync_in_time_because"] == "1 fsyncs came late in 1.0 s"
    assert redis_persistence._appends(Looks(first, first, 1.0))["aof_fsync_in_time"] is True
