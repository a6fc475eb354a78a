"""What every Redis probe sends, by the one connection that can send it, and what it leaves."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from readiness import probes
from readiness.failure import ProbeError, classify
from readiness.inventory import Service
from readiness.probes import Context
from readiness.probes._redis_connection import ALLOWED, MOST_COUNT, Session, _vet, session
from tests.conftest import PASSWORD
from tests.piping import Pipe
from tests.redis_servers import KINDS, TIMES, WELL, client, clustered, running, service
from tests.servers import serving
from tests.states import judged, measured, unknown

pytestmark = pytest.mark.anyio
PROBES = tuple(name for name in probes.names() if name.startswith("redis_"))


@pytest.fixture(scope="module", params=KINDS)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server with a password and with something of every kind that probes look at."""
    settings = {"enable-debug-command": "yes", "latency-monitor-threshold": "1", "save": "3600 1"}
    with running(request.param, **WELL, password=PASSWORD, settings=settings) as url:
        url = url.removesuffix("/0") + "/2"
        with client(url) as connected:
            furnish(connected)
        yield url


def furnish(connected: Any) -> None:
    """Write keys of each type, and a group with entries pending and entries to come."""
    connected.set("text", "value")
    connected.set("goes", "value", ex=10_000)
    connected.hset("hash", "field", "value")
    connected.rpush("list", 1, 2, 3)
    for n in range(5):
        connected.xadd("orders", {"order": n})
    connected.xgroup_create("orders", "billing", id="0")
    connected.xreadgroup("billing", "one", {"orders": ">"}, count=2)
    connected.execute_command("DEBUG", "SLEEP", "0.02")


def commands(sent: bytes) -> Iterator[list[str]]:
    """Read back the commands that went over the wire, each an array of bulk strings."""
    rest = sent
    while rest:
        head, _, rest = rest.partition(b"\r\n")
        words = []
        for _ in range(int(head[1:])):
            size, _, rest = rest.partition(b"\r\n")
            words.append(rest[: int(size[1:])].decode())
            rest = rest[int(size[1:]) + 2 :]
        yield words


def listed(words: Sequence[str]) -> tuple[str, str]:
    """Return the command, with its subcommand if it is one that has any."""
    command = words[0].upper()
    return command, words[1].upper() if ALLOWED.get(command) else ""


async def sent_by(url: str, context: Context) -> set[tuple[str, str]]:
    """Point every Redis probe at `url` by way of a proxy; return the commands it saw."""
    async with Pipe(url).open() as pipe:
        through = service(pipe.through())
        for name in PROBES:
            measurement = await measured(through, name, replace(context, samples=2))
            assert measurement.failure is None
    return {listed(words) for words in commands(bytes(pipe.sent))}


async def test_probes_send_what_is_on_the_list_and_nothing_else(url: str, context: Context) -> None:
    """And the list holds nothing that no probe sends."""
    seen = await sent_by(url, context)
    with running(**WELL, settings=clustered()) as cluster:
        seen |= await sent_by(cluster, context)
    with running(**WELL) as served, client(served) as connected:
        connected.xgroup_create("orders", "billing", id="0", mkstream=True)
        connected.xreadgroup("billing", "one", {"orders": ">"})
        seen |= await sent_by(served, context)
    allowed = {(name, sub) for name, subs in ALLOWED.items() for sub in (subs or {""})}
    assert seen == allowed


async def test_every_probe_uses_one_connection(url: str, context: Context) -> None:
    with client(url) as connected:
        for name in PROBES:
            before = connected.info("stats")["total_connections_received"]
            await measured(service(url), name, replace(context, samples=2))
            assert connected.info("stats")["total_connections_received"] == before + 1, name


async def test_data_settings_and_users_are_as_they_were(url: str, context: Context) -> None:
    with client(url) as connected:
        before = state(connected)
        for name in PROBES:
            await measured(service(url), name, context)
        assert state(connected) == before


def state(connected: Any) -> dict[str, object]:
    """Return all that a probe could have changed."""
    groups = connected.xinfo_groups("orders")
    return {
        "data": connected.execute_command("DEBUG", "DIGEST"),
        "settings": connected.config_get("*"),
        "users": connected.acl_list(),
        "groups": groups,
        "pending": connected.xpending("orders", "billing"),
        "keys": sorted(connected.keys("*")),
        "functions": connected.function_list(),
        "changes": connected.info("persistence")["rdb_changes_since_last_save"],
        "evicted": connected.info("stats")["evicted_keys"],
        "slow": connected.slowlog_len(),
    }


def documented() -> list[str]:
    """Return the rules of the user that the documentation recommends."""
    page = (Path(__file__).parents[2] / "docs" / "redis.md").read_text("utf-8")
    told = re.search(r"ACL SETUSER readiness on >\.\.\. (.*?)\n```", page, re.DOTALL)
    assert told
    return told[1].split()


def test_the_documented_user_may_do_what_is_on_the_list_and_nothing_else() -> None:
    listed = {
        "|".join(filter(None, (name, sub))).lower()
        for name, subs in ALLOWED.items()
        for sub in (subs or {""})
    }
    assert {rule[1:] for rule in documented() if rule.startswith("+")} == listed - {"auth"}


async def test_the_documented_user_is_enough(url: str, context: Context) -> None:
    with client(url) as connected:
        rules = ["reset", "on", ">watch", *documented()]
        connected.execute_command("ACL", "SETUSER", "readiness", *rules)
    place = url.rpartition("@")[2]
    findings = await judged(service(f"redis://readiness:watch@{place}"), context)
    assert unknown(findings) - TIMES == set()


@pytest.mark.parametrize(
    "command",
    [
        "SET key value",
        "GET key",
        "KEYS *",
        "FLUSHALL",
        "DEBUG SLEEP 1",
        "EVAL x 0",
        "CONFIG",
        "CONFIG SET maxmemory 0",
        "config rewrite",
        "ACL SETUSER x",
        "ACL LIST",
        "CLUSTER RESET",
        "SLOWLOG RESET",
        "LATENCY RESET",
        "XINFO STREAM orders FULL",
        "XREADGROUP GROUP billing one STREAMS orders >",
        "XACK orders billing 1-1",
        "SCAN 0",
        "SCAN 0 COUNT 10",
        f"SCAN 0 TYPE stream COUNT {MOST_COUNT + 1}",
        "SCAN 0 TYPE string COUNT 10",
        "SLOWLOG GET -1",
        "XPENDING orders billing - + 5000",
        "MONITOR",
        "SHUTDOWN",
        "HELLO 3",
        "CLIENT SETNAME x",
    ],
)
async def test_whatever_else_is_refused_before_it_is_sent(
    command: str, valkey_url: str, context: Context
) -> None:
    async with Pipe(valkey_url).open() as pipe, session(pipe.through(), context) as connection:
        await connection.ask("PING")
        with pytest.raises(ProbeError) as raised:
            await connection.ask(*command.split())
        assert raised.value.failure.kind == "probe_bug"
    assert list(commands(bytes(pipe.sent))) == [["PING"]]


def test_commands_are_known_by_any_case() -> None:
    _vet(("ping",))
    _vet(("config", "get", "save"))


# Hostile servers


@contextlib.asynccontextmanager
async def answering(*answers: bytes, context: Context) -> AsyncIterator[Session]:
    """Yield a connection to a server that gives each of `answers` to one command."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.read(1024)
            writer.write(answer)
            await writer.drain()
        await reader.read(1024)

    async with (
        serving(handler) as port,
        session(f"redis://127.0.0.1:{port}", context) as connection,
    ):
        yield connection


NESTED = b"*2\r\n*2\r\n:1\r\n*2\r\n*1\r\n+deep\r\n$-1\r\n*0\r\n"


async def test_nested_replies_are_read_whole(context: Context) -> None:
    async with answering(NESTED, b"+PONG\r\n", context=context) as connection:
        assert await connection.ask("INFO") == [[1, [["deep"], None]], []]
        assert await connection.ask("PING") == "PONG"


@pytest.mark.parametrize(
    "answer",
    [
        b"*1\r\n" * 5,
        b"*2\r\n" * 5,
        b"*2\r\n:1\r\n" * 5,
        b"*100001\r\n",
        b"*999999999\r\n:1\r\n",
        b"*2\r\n*60000\r\n" + b":1\r\n" * 60_000 + b"*60000\r\n",
        b"*30\r\n" + (b"$40000\r\n" + b"x" * 40_000 + b"\r\n") * 30,
        b"$1048577\r\n",
        b"*2\r\n:1\r\n%1\r\n",
    ],
)
async def test_replies_beyond_all_bounds_are_a_broken_protocol(
    answer: bytes, context: Context
) -> None:
    impatient = replace(context, timeout=2.0)
    async with answering(answer, context=impatient) as connection:
        with pytest.raises(Exception) as raised:
            await connection.ask("INFO")
        found = classify(raised.value)
        assert (found.kind, found.detail) == ("protocol", "the answer breaks the protocol")


async def test_a_server_without_users_is_logged_into_by_password_alone(context: Context) -> None:
    """As Redis before 6 is, which knows no AUTH with a name."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(1024)
        assert b"*3" in first
        writer.write(b"-ERR wrong number of arguments for 'auth' command\r\n")
        assert b"*2" in await reader.read(1024)
        writer.write(b"+OK\r\n")
        await reader.read(1024)
        writer.write(b"+PONG\r\n")
        await reader.read(1024)

    async with serving(handler) as port:
        place = f"redis://someone:secret@127.0.0.1:{port}"
        async with session(place, context) as connection:
            assert await connection.ask("PING") == "PONG"


async def test_secrets_are_in_no_failure(url: str, context: Context) -> None:
    wrong = url.replace("redis://:", "redis://:not-")
    for name in PROBES:
        subject = Service(name="cache", kind="redis", url=SecretStr(wrong))
        failure = (await measured(subject, name, context)).failure
        assert failure is not None
        assert failure.kind == "denied", name
        assert "not-" not in failure.detail


INFO = b"redis_version:7\r\nrole:master\r\nslave0:x\r\nslave1:state=online,offset=-,lag=x\r\n"
PLAUSIBLE = (
    b"redis_mode:cluster\r\ncluster_enabled:1\r\nserver_time_usec:1795681099357414\r\n"
    b"uptime_in_seconds:9\r\nmin_slaves_good_slaves:1\r\naof_enabled:1\r\n"
    b"rdb_last_bgsave_status:err\r\nmaxmemory:9\r\nmaxmemory_policy:volatile-lru\r\n"
) + INFO
ODD = {
    "ok": b"+OK\r\n",
    "pong": b"+PONG\r\n",
    "one": b":1\r\n",
    "nothing": b"$-1\r\n",
    "no list": b"*-1\r\n",
    "empty list": b"*0\r\n",
    "a pair": b"*2\r\n$1\r\n0\r\n*1\r\n$6\r\norders\r\n",
    "odd pairs": b"*2\r\n*3\r\n$3\r\nlag\r\n$1\r\nx\r\n$7\r\npending\r\n:7\r\n",
    "a group": b"*1\r\n*4\r\n$7\r\npending\r\n:7\r\n$3\r\nlag\r\n:9\r\n",
    "an error": b"-ERR no\r\n",
    "not found": b"-ERR User 'x' not found\r\n",
    "info": b"$%d\r\n%s\r\n" % (len(INFO), INFO),
    "replica": b"$26\r\nrole:slave\r\nredis_mode:x\r\n\r\n",
    "no text": b"$4\r\n\xff\x00\xfe\n\r\n",
}


@pytest.mark.parametrize("plausible", [False, True], ids=["alike", "but PING and INFO"])
@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
async def test_odd_answers_are_never_a_fault_of_ours(
    answer: bytes, plausible: bool, context: Context
) -> None:
    """A server that answers every command alike: probes tell what they can, and why no more."""

    def of(command: bytes) -> bytes:
        if plausible and b"PING" in command:
            return b"+PONG\r\n"
        if plausible and b"$4\r\nINFO" in command and b"CLUSTER" not in command:
            return b"$%d\r\n%s\r\n" % (len(PLAUSIBLE), PLAUSIBLE)
        return answer

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while command := await reader.read(65536):
            writer.write(of(command))
            await writer.drain()

    impatient = replace(context, timeout=0.5, samples=2)
    async with serving(handler) as port:
        odd = service(
            f"redis://127.0.0.1:{port}",
            redis_memory={"role": "cache"},
            redis_streams={"streams": ["orders"]},
        )
        for name in PROBES:
            found = await measured(odd, name, impatient)
            assert found.failure is None or found.failure.blames_target, (name, found.failure)
            assert found.failure is None or not plausible, (name, found.failure)
            metrics = probes.load(name).METRICS
            assert {key.removesuffix("_because") for key in found.values} <= set(metrics)
