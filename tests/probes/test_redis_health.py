import asyncio
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
import redis
from pydantic import SecretStr

from readiness.demo import valkey
from readiness.estimate import Estimate
from readiness.failure import Failure, classify
from readiness.inventory import Service
from readiness.measurement import Values
from readiness.probes import Context, _redis_info
from readiness.probes.redis_health import METRICS, Settings, measure
from tests.certificates import Authority
from tests.conftest import PASSWORD
from tests.piping import Pipe
from tests.servers import Handler, garbage, refusing, serving, silent, slam

pytestmark = pytest.mark.anyio


async def probe(url: str, context: Context) -> Values:
    service = Service(name="cache", kind="redis", url=SecretStr(url))
    return await measure(service, Settings(), context)


async def failure(url: str, context: Context) -> Failure:
    with pytest.raises(Exception) as raised:
        await probe(url, context)
    found = classify(raised.value)
    assert PASSWORD not in found.detail
    return found


@pytest.fixture(scope="module")
def limited() -> Iterator[str]:
    """A Valkey with everything set that a production one should have."""
    with valkey.running(
        password=PASSWORD, maxmemory="64mb", eviction_policy="allkeys-lru", appendonly=True
    ) as url:
        yield url


# Healthy servers


async def test_everything_is_measured(limited: str, context: Context) -> None:
    values = await probe(limited, replace(context, samples=100))
    assert set(values) - {"fills_up_because"} == set(METRICS)
    assert values["fills_up"] is False
    assert str(values["version"]).startswith("9.")
    assert values["server"] == "valkey"
    assert values["maxmemory_bytes"] == 64 << 20
    assert values["maxmemory_set"] is True
    memory, ratio = values["memory_bytes"], values["memory_ratio"]
    assert isinstance(memory, int) and isinstance(ratio, float)
    assert 0 < ratio < 1
    assert ratio == pytest.approx(memory / (64 << 20))
    assert values["eviction_policy"] == "allkeys-lru"
    assert values["persistence"] is True
    assert values["last_save_ok"] is True
    assert values["role"] == "master"
    p50, p95, p99 = (values[f"p{p}_ms"] for p in (50, 95, 99))
    assert isinstance(p50, Estimate) and isinstance(p95, Estimate) and isinstance(p99, Estimate)
    assert p50.value and p95.value and p99.value and 0 < p50.value <= p95.value <= p99.value
    assert 400 <= p50.n <= 500
    assert isinstance(values["connect_ms"], float)


async def test_what_is_not_set_is_explained(valkey_url: str, context: Context) -> None:
    values = await probe(valkey_url, context)
    assert values["maxmemory_bytes"] == 0
    assert values["maxmemory_set"] is False
    assert "memory_ratio" not in values
    assert str(values["memory_ratio_because"]).startswith("maxmemory is 0")
    assert values["persistence"] is False
    assert "neither snapshots (save) nor" in str(values["persistence_because"])


async def test_samples_that_take_too_long_are_too_few(valkey_url: str, context: Context) -> None:
    async with Pipe(valkey_url, delay=0.02).open() as pipe:
        values = await probe(pipe.through(), replace(context, deadline=time.monotonic() + 1.5))
    assert re.match(
        r"\d\d samples, a p95 needs 72; they took 0.\d s", str(values["p95_ms_because"])
    )
    assert re.match(r"\d\d samples, a p99 needs 368", str(values["p99_ms_because"]))


async def test_snapshots_alone_are_persistence(context: Context) -> None:
    with valkey.running(settings={"save": "3600 1"}) as url:
        assert (await probe(url, context))["persistence"] is True


async def test_samples_are_bounded(valkey_url: str, context: Context) -> None:
    p50 = (await probe(valkey_url, replace(context, samples=100_000)))["p50_ms"]
    assert isinstance(p50, Estimate)
    assert p50.n == 2000


async def test_only_harmless_commands_are_sent(limited: str, context: Context) -> None:
    async with Pipe(limited).open() as pipe:
        await probe(pipe.through(), replace(context, samples=3))
    words = [word for word in bytes(pipe.sent).split(b"\r\n") if word.isalpha()]
    assert set(words) == {b"AUTH", b"PING", b"INFO", b"CONFIG", b"GET", b"save"}


async def test_our_connection_is_closed(valkey_url: str, context: Context) -> None:
    async with Pipe(valkey_url).open() as pipe:
        await probe(pipe.through(), context)
        await asyncio.wait_for(pipe.closed.wait(), 5)


async def test_our_connection_is_closed_when_cancelled(valkey_url: str, context: Context) -> None:
    async with Pipe(valkey_url, mute=b"INFO").open() as pipe:
        task = asyncio.create_task(probe(pipe.through(), context))
        await pipe.muted.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(pipe.closed.wait(), 5)


async def test_an_encrypted_connection(limited: str, context: Context, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with Pipe(limited, tls=authority.server("127.0.0.1")).open() as pipe:
        url = pipe.through().replace("redis://", "rediss://")
        trusting = replace(context, tls=authority.client)
        assert (await probe(url, trusting))["server"] == "valkey"
        assert (await probe(f"{url}?ssl_cert_reqs=none", context))["server"] == "valkey"
        assert (await failure(url, context)).kind == "tls"


# Servers that withhold something


@pytest.mark.parametrize(
    ("rules", "absent", "because"),
    [
        ("+ping +info", "persistence", "appendonly is off, and CONFIG GET save was answered: "),
        ("+ping", "memory_bytes", "INFO was answered: "),
    ],
)
async def test_a_withheld_command_leaves_its_metrics_absent(
    rules: str, absent: str, because: str, valkey_url: str, context: Context
) -> None:
    with redis.Redis.from_url(valkey_url) as client:
        client.execute_command("ACL", "SETUSER", "monitor", "reset", "on", ">watch", *rules.split())
    values = await probe(valkey_url.replace("//", "//monitor:watch@"), context)
    assert isinstance(values["p50_ms"], Estimate)
    assert absent not in values
    assert str(values[f"{absent}_because"]).startswith(because)
    assert set(METRICS) <= {name.removesuffix("_because") for name in values}


async def test_ping_that_is_withheld_is_denied(valkey_url: str, context: Context) -> None:
    with redis.Redis.from_url(valkey_url) as client:
        client.execute_command("ACL", "SETUSER", "mute", "reset", "on", ">watch", "+info")
    found = await failure(valkey_url.replace("//", "//mute:watch@"), context)
    assert found.kind == "denied"


@pytest.mark.parametrize("user", ["", f":wrong{quote(PASSWORD, safe='')}@"])
async def test_a_wrong_or_missing_password_is_denied(
    user: str, limited: str, context: Context
) -> None:
    place = limited.rpartition("@")[2]
    assert (await failure(f"redis://{user}{place}", context)).kind == "denied"


async def test_no_connection_left_is_refused(context: Context) -> None:
    with valkey.running(settings={"maxclients": "1"}) as url, redis.Redis.from_url(url) as client:
        client.ping()
        found = await failure(url, context)
        assert found == Failure(kind="refused", detail="the server has no client connection left")


# Servers that are not well


async def test_a_closed_port_is_refused(context: Context) -> None:
    async with refusing() as port:
        assert (await failure(f"redis://127.0.0.1:{port}", context)).kind == "refused"


async def test_a_server_that_stops_answering_times_out(valkey_url: str, context: Context) -> None:
    async with Pipe(valkey_url, mute=b"INFO").open() as pipe:
        began = time.monotonic()
        assert (await failure(pipe.through(), replace(context, timeout=0.3))).kind == "timeout"
        assert time.monotonic() - began < 3
        await asyncio.wait_for(pipe.closed.wait(), 5)


async def leave(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Hear the client, and close the connection in good order."""
    await reader.read(1024)


def sending(first: bytes, again: bytes = b"") -> Handler:
    """Return a server that answers any command with `first`, then `again` for ever."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(first)
        while True:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(0.001)

    return handler


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (silent, "timeout"),
        (garbage, "protocol"),
        (slam, "reset"),
        (leave, "reset"),
        (sending(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "protocol"),
        (sending(b"+PANG [/]\r\n"), "protocol"),
        (sending(b"-ERR unknown command\r\n"), "protocol"),
        (sending(b"-LOADING the data set\r\n"), "refused"),
        (sending(b"$-5\r\n"), "protocol"),
        (sending(b"$x\r\n"), "protocol"),
        (sending(b":99999999999999999999999999\r\n"), "protocol"),
        (sending(b"$999999999\r\n", b"x" * 65536), "protocol"),
        (sending(b"$1000000\r\n", b"x"), "timeout"),
        (sending(b"+", b"x" * 65536), "protocol"),
        (sending(b"", b"*1\r\n" * 1000), "protocol"),
        (sending(b"*9\r\n", b"*9\r\n"), "protocol"),
    ],
)
async def test_hostile_servers(handler: Handler, kind: str, context: Context) -> None:
    async with serving(handler) as port:
        began = time.monotonic()
        found = await failure(f"redis://127.0.0.1:{port}", replace(context, timeout=0.3))
        assert found.kind == kind, found
        assert time.monotonic() - began < 3


# What INFO says


async def test_redis_is_told_from_valkey() -> None:
    values = _redis_info.values("# Server\r\nredis_version:8.2.1\r\nrole:slave\r\n", ["save", ""])
    assert (values["server"], values["version"], values["role"]) == ("redis", "8.2.1", "slave")
    assert values["memory_bytes_because"] == "INFO does not tell"


async def test_a_failed_save_is_named() -> None:
    info = "aof_enabled:1\r\nrdb_last_bgsave_status:err\r\naof_last_write_status:ok\r\n"
    values = _redis_info.values(info, None)
    assert values["last_save_ok"] is False
    assert values["last_save_ok_because"] == "rdb_last_bgsave_status is err"


@pytest.mark.parametrize("info", ["", "no colon", "maxmemory:many\r\nused_memory:-1", ":::\r\n#"])
async def test_an_odd_info_leaves_metrics_absent(info: str) -> None:
    values = _redis_info.values(info, None)
    assert all(name.endswith("_because") for name in values)
