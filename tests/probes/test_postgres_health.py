import asyncio
import contextlib
import struct
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

import asyncpg
import pytest
from pydantic import SecretStr

from readiness.demo import postgres
from readiness.estimate import Estimate
from readiness.failure import Failure, classify
from readiness.inventory import Service
from readiness.measurement import Values
from readiness.probes import Context, _postgres_session, postgres_health
from readiness.probes.postgres_health import METRICS, Settings, measure
from tests import states
from tests.certificates import Authority
from tests.conftest import PASSWORD
from tests.debian_postgres import bouncer
from tests.debian_postgres import database as database_of
from tests.piping import Pipe
from tests.servers import Handler, garbage, refusing, serving, silent, slam

pytestmark = pytest.mark.anyio

_SSL_REQUEST = 80877103


def database(url: str) -> Service:
    return Service(name="db", kind="postgres", url=SecretStr(url))


async def probe(url: str, context: Context) -> Values:
    return await measure(database(url), Settings(), context)


async def failure(url: str, context: Context) -> Failure:
    with pytest.raises(Exception) as raised:
        await probe(url, context)
    found = classify(raised.value)
    assert PASSWORD not in found.detail
    return found


async def troubled(url: str, context: Context) -> set[str]:
    """Return the checks that fail or warn, but for those of time, which a busy machine decides."""
    findings = await states.judged(database(url), context, ["postgres_health"])
    return states.troubled(findings) - {"postgres-query-p95", "postgres-connect"}


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def until_ours_are_gone(watcher: asyncpg.Connection) -> None:
    async with asyncio.timeout(10):
        while await watcher.fetchval(  # noqa: ASYNC110 (the server tells nobody)
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'readiness'"
        ):
            await asyncio.sleep(0.01)


# A healthy server


async def test_everything_is_measured(postgres_url: str, context: Context) -> None:
    values = await probe(postgres_url, replace(context, samples=100))
    assert set(values) == set(METRICS)
    assert values["major"] == 18
    assert str(values["version"]).startswith("18.")
    assert values["end_of_life"] == "2030-11-14"
    ends = datetime(2030, 11, 14, tzinfo=UTC).date()
    assert values["days_to_end_of_life"] == (ends - datetime.now(UTC).date()).days
    assert values["connections_max"] == 97  # of 100, three are the superusers'
    assert values["tls"] is False
    assert values["read_only"] is True
    assert values["in_recovery"] is False
    p50, p95 = values["p50_ms"], values["p95_ms"]
    assert isinstance(p50, Estimate) and isinstance(p95, Estimate)
    assert p50.value and p95.value and 0 < p50.value <= p95.value
    assert p50.n == 100
    connect, connect_p95 = values["connect_ms"], values["connect_p95_ms"]
    assert isinstance(connect, Estimate) and isinstance(connect_p95, Estimate)
    assert connect.n == connect_p95.n == 72
    assert connect.value and connect_p95.value and p50.value < connect.value <= connect_p95.value
    assert (values["pooler"], values["platform"]) == ("none", "self-managed")


async def test_few_samples_give_no_p95_and_say_so(postgres_url: str, context: Context) -> None:
    values = await probe(postgres_url, context)
    assert values["p95_ms"] == Estimate(value=None, low=None, high=None, n=20)
    assert values["p95_ms_because"] == "20 samples, a p95 needs 72"


async def test_samples_are_bounded(postgres_url: str, context: Context) -> None:
    p50 = (await probe(postgres_url, replace(context, samples=100_000)))["p50_ms"]
    assert isinstance(p50, Estimate)
    assert p50.n == 200


async def test_sampling_leaves_time_before_the_deadline(
    postgres_url: str, context: Context
) -> None:
    soon = replace(context, deadline=time.monotonic() + 1.0, samples=200)
    async with Pipe(postgres_url, delay=0.04).open() as pipe:
        values = await probe(pipe.through(), soon)
    p50 = values["p50_ms"]
    assert isinstance(p50, Estimate)
    assert 1 <= p50.n < 20
    assert "a p95 needs 72" in str(values["p95_ms_because"])
    assert "they took" in str(values["p95_ms_because"])
    assert values["read_only"] is True
    assert "connections, a p50 needs 6" in str(values["connect_ms_because"])


async def test_a_version_past_its_end_of_life(
    postgres_url: str, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await troubled(postgres_url, context) == set()
    monkeypatch.setattr(postgres_health, "END_OF_LIFE", {18: date(2026, 1, 1)})
    assert await troubled(postgres_url, context) == {"postgres-supported"}


async def test_an_unknown_major_has_no_end_of_life(
    postgres_url: str, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_health, "END_OF_LIFE", {})
    values = await probe(postgres_url, context)
    assert "end_of_life" not in values
    assert "days_to_end_of_life" not in values
    assert values["end_of_life_because"] == "the end of life of Postgres 18 is not known"
    assert values["days_to_end_of_life_because"] == values["end_of_life_because"]


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.replace("postgresql://", "postgres://"),
        lambda url: url + "?sslmode=disable",
        lambda url: url + "?sslmode=prefer&connect_timeout=3&schema=public&pool_max_conns=9",
        lambda url: url + "?options=-c%20default_transaction_read_only%3Doff",
    ],
)
async def test_urls_as_applications_write_them(
    change: Callable[[str], str], postgres_url: str, context: Context
) -> None:
    assert (await probe(change(postgres_url), context))["read_only"] is True


# Our session can do no harm


async def test_a_write_is_refused_in_our_session(postgres_url: str, context: Context) -> None:
    async with _postgres_session.session(postgres_url, context) as (connection, _):
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("CREATE TABLE harm (id int)")
        for limit in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            assert await connection.fetchval(f"SHOW {limit}") == "5s"
        assert await connection.fetchval("SHOW application_name") == "readiness"


async def test_our_connection_is_closed(postgres_url: str, context: Context) -> None:
    async with connected(postgres_url) as watcher:
        await probe(postgres_url, context)
        await until_ours_are_gone(watcher)


async def test_our_connection_is_closed_when_cancelled(postgres_url: str, context: Context) -> None:
    async with connected(postgres_url) as watcher:
        async with Pipe(postgres_url, mute=b"SELECT 1").open() as pipe:
            task = asyncio.create_task(probe(pipe.through(), context))
            await pipe.muted.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(pipe.closed.wait(), 5)
        await until_ours_are_gone(watcher)


async def test_a_server_that_stops_answering_times_out(postgres_url: str, context: Context) -> None:
    async with Pipe(postgres_url, mute=b"SELECT 1").open() as pipe:
        began = time.monotonic()
        found = await failure(pipe.through(), replace(context, timeout=0.3))
        assert found.kind == "timeout"
        assert time.monotonic() - began < 3
        await asyncio.wait_for(pipe.closed.wait(), 5)


# Connections left


async def test_connections_are_counted_and_their_end_is_refused(context: Context) -> None:
    """By a role without privileges, which sees little of the others' sessions."""
    with postgres.running(password=PASSWORD, max_connections=8) as url:
        place = urlsplit(url).netloc.rpartition("@")[2]
        user = f"postgresql://app:{quote(PASSWORD, safe='')}@{place}/postgres"
        async with connected(url) as owner:
            await owner.execute(f"CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'")
            async with contextlib.AsyncExitStack() as stack:
                for _ in range(2):
                    await stack.enter_async_context(connected(user))
                values = await probe(user, context)
                assert values["connections_used"] == 3
                assert values["connections_max"] == 5
                assert values["connections_ratio"] == pytest.approx(0.6)
                await until_ours_are_gone(owner)
                await stack.enter_async_context(connected(user))
                assert await troubled(user, context) == {"postgres-connections"}  # 4 of 5
                await until_ours_are_gone(owner)
                await stack.enter_async_context(connected(user))
                found = await failure(user, context)
                assert found.kind == "refused"
                assert "53300" in found.detail


async def test_the_last_connection_is_not_called_refused(context: Context) -> None:
    """The server lets go of a connection some time after it was closed."""
    with postgres.running(password=PASSWORD, max_connections=6) as url:
        place = urlsplit(url).netloc.rpartition("@")[2]
        user = f"postgresql://app:{quote(PASSWORD, safe='')}@{place}/postgres"
        async with connected(url) as owner:
            await owner.execute(f"CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'")
            async with connected(user):
                connect = (await probe(user, context))["connect_ms"]
    assert isinstance(connect, Estimate) and connect.n >= 6


@pytest.mark.parametrize(("full", "kind"), [(3, None), (4, "refused")])
async def test_a_refusal_is_believed_when_it_lasts(
    full: int, kind: str | None, postgres_url: str, context: Context
) -> None:
    times = 0

    async def opening(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes | None:
        nonlocal times
        head = await reader.readexactly(8)
        startup = await reader.readexactly(struct.unpack("!ii", head)[0] - 8)
        times += 1
        if times > full:
            return head + startup
        writer.write(message(b"E", b"SFATAL\0C53300\0Mtoo many connections\0\0"))
        await writer.drain()
        return None

    async with Pipe(postgres_url, opening).open() as pipe:
        url = f"{pipe.through()}?sslmode=disable"
        if kind:
            assert (await failure(url, context)).kind == kind
        else:
            assert (await probe(url, context))["connected"] is True


async def test_connections_are_counted_by_state(postgres_url: str, context: Context) -> None:
    before = await probe(postgres_url, context)
    async with contextlib.AsyncExitStack() as stack:
        idle, waiting, failed, busy = [
            await stack.enter_async_context(connected(postgres_url)) for _ in range(4)
        ]
        await waiting.execute("BEGIN; SELECT 1")
        await failed.execute("BEGIN")
        with pytest.raises(asyncpg.PostgresSyntaxError):
            await failed.execute("SELEC")
        sleeping = asyncio.create_task(busy.execute("SELECT pg_sleep(60)"))
        async with asyncio.timeout(10):
            while not await idle.fetchval(  # noqa: ASYNC110 (the server tells nobody)
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)'"
                " AND state = 'active')"
            ):
                await asyncio.sleep(0.01)
        values = await probe(postgres_url, context)
        busy.terminate()
        await asyncio.gather(sleeping, return_exceptions=True)
    for state in ("active", "idle", "idle_in_transaction", "aborted"):
        name = f"connections_{state}"
        assert int(str(values[name])) - int(str(before[name])) == 1, values
        assert f"{name}_because" not in values


async def test_hidden_states_are_told(postgres_url: str, context: Context) -> None:
    async with database_of(postgres_url, monitor=False) as url, connected(postgres_url):
        values = await probe(url, context)
    assert "hide their state" in str(values["connections_active_because"])


@pytest.mark.parametrize(
    ("role", "service"),
    [
        ("rdsadmin", "Amazon RDS"),
        ("cloudsqlsuperuser", "Google Cloud SQL"),
        ("azure_pg_admin", "Azure Database for PostgreSQL"),
        ("supabase_admin", "Supabase"),
        ("neon_superuser", "Neon"),
        ("tsdbadmin", "Timescale Cloud"),
    ],
)
async def test_managed_services_are_known_by_their_roles(
    role: str, service: str, postgres_url: str, context: Context
) -> None:
    async with connected(postgres_url) as owner:
        await owner.execute(f"CREATE ROLE {role}")
        try:
            values = await probe(postgres_url, replace(context, samples=1))
            assert values["platform"] == service
            assert "keeps superusers, pg_hba.conf" in str(values["platform_because"])
            if role == "rdsadmin":
                await owner.execute(
                    "CREATE FUNCTION aurora_version() RETURNS text LANGUAGE sql AS $$SELECT '1'$$"
                )
                values = await probe(postgres_url, replace(context, samples=1))
                assert values["platform"] == "Amazon Aurora"
                await owner.execute("DROP FUNCTION aurora_version")
        finally:
            await owner.execute(f"DROP ROLE {role}")


async def test_managed_services_are_known_by_their_settings(
    postgres_url: str, context: Context
) -> None:
    async with connected(postgres_url) as owner:
        await owner.execute("ALTER ROLE postgres SET azure.extensions = 'x'")
        try:
            values = await probe(postgres_url, replace(context, samples=1))
        finally:
            await owner.execute("ALTER ROLE postgres RESET azure.extensions")
    assert values["platform"] == "Azure Database for PostgreSQL"


# Servers that are not well


async def test_a_wrong_password_is_denied(postgres_url: str, context: Context) -> None:
    found = await failure(postgres_url.replace("s3c", "wrong"), context)
    assert found.kind == "denied"


async def test_a_url_that_cannot_be_used_is_not_the_targets_fault(
    postgres_url: str, context: Context
) -> None:
    found = await failure(f"{postgres_url}?sslmode=perhaps", context)
    assert not found.blames_target
    assert found.detail.startswith("the URL cannot be used: `sslmode` parameter must be one of")


async def test_a_missing_database_is_the_targets_fault(postgres_url: str, context: Context) -> None:
    found = await failure(postgres_url.removesuffix("/postgres") + "/nowhere", context)
    assert found.kind == "refused"


async def test_a_closed_port_is_refused(context: Context) -> None:
    async with refusing() as port:
        assert (await failure(f"postgresql://u:p@127.0.0.1:{port}/x", context)).kind == "refused"


async def leave(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Hear the client, and close the connection in good order."""
    await reader.read(1024)


def message(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("!i", 4 + len(content)) + content


def sending(first: bytes, again: bytes) -> Handler:
    """Return a server that answers the startup message with `first`, then `again` for ever."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(first)
        while True:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(0)

    return handler


@pytest.mark.parametrize(
    "handler",
    [
        sending(b"", b"\0" * 4096),
        sending(message(b"R", bytes(4)), b"\0\0\0\0\0"),
        sending(b"", b"R\xff\xff\xff\xff"),
        sending(b"", b"R\0\0\0\0"),
        sending(b"D\x7f\xff\xff\xff", b"x" * 65536),
        sending(b"", message(b"N", b"SWARNING\0Mflood [/]\0\0") * 1000),
        sending(b"", message(b"R", b"\x7f\xff\xff\xff")),
        sending(b"", message(b"S", b"server_version")),
        sending(message(b"E", b"no fields"), b""),
    ],
    ids=["zeros", "type-0", "negative", "no-length", "huge", "flood", "method", "cut", "error"],
)
async def test_what_only_resembles_postgres_holds_nobody(
    handler: Handler, context: Context
) -> None:
    async with serving(handler) as port:
        began = time.monotonic()
        url = f"postgresql://u:p@127.0.0.1:{port}/x?sslmode=disable"
        found = await failure(url, replace(context, timeout=0.5))
        assert found.blames_target, found
        assert time.monotonic() - began < 3


@pytest.mark.parametrize("mode", ["", "?sslmode=disable", "?sslmode=require"])
@pytest.mark.parametrize(
    ("handler", "kinds"),
    [
        (silent, {"timeout"}),
        (garbage, {"protocol", "tls"}),
        (slam, {"reset"}),
        (leave, {"reset"}),
    ],
)
async def test_hostile_servers(
    handler: Handler, kinds: set[str], mode: str, context: Context
) -> None:
    async with serving(handler) as port:
        began = time.monotonic()
        url = f"postgresql://u:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/x{mode}"
        found = await failure(url, replace(context, timeout=0.3))
        assert found.kind in kinds
        assert time.monotonic() - began < 3


# TLS


async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take up the client's offer of TLS, as Postgres does."""
    length, code = struct.unpack("!ii", await reader.readexactly(8))
    assert (length, code) == (8, _SSL_REQUEST)
    writer.write(b"S")
    await writer.drain()


@pytest.mark.parametrize(
    "mode", ["verify-full", "verify-full&sslrootcert=system", "require", "prefer"]
)
async def test_an_encrypted_connection(
    mode: str, postgres_url: str, context: Context, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    certificate = authority.server("127.0.0.1")

    async def opening(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        await upgrade(reader, writer)
        await writer.start_tls(certificate)
        return b""

    async with Pipe(postgres_url, opening).open() as pipe:
        url = f"{pipe.through()}?sslmode={mode}"
        assert (await probe(url, replace(context, tls=authority.client)))["tls"] is True


async def test_a_connection_encrypted_from_the_start(
    postgres_url: str, context: Context, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    async with Pipe(postgres_url, tls=authority.server("127.0.0.1")).open() as pipe:
        url = f"{pipe.through()}?sslmode=verify-full&sslnegotiation=direct"
        assert (await probe(url, replace(context, tls=authority.client)))["tls"] is True
        assert (await failure(url, context)).kind == "tls"


async def test_tls_that_is_demanded_and_not_offered(postgres_url: str, context: Context) -> None:
    found = await failure(f"{postgres_url}?sslmode=require", context)
    assert found == Failure(kind="tls", detail="the server offers no TLS, which its URL demands")


# Poolers


async def pooler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes | None:
    """Refuse session settings like PgBouncer; else pass the startup message on."""
    while True:
        head = await reader.readexactly(8)
        length, code = struct.unpack("!ii", head)
        if code != _SSL_REQUEST:
            break
        writer.write(b"N")
    startup = await reader.readexactly(length - 8)
    if b"default_transaction_read_only" not in startup:
        return head + startup
    text = b"unsupported startup parameter: default_transaction_read_only"
    fields = b"SFATAL\0C08P01\0M" + text + b"\0\0"
    writer.write(b"E" + struct.pack("!i", 4 + len(fields)) + fields)
    await writer.drain()
    return None


async def test_behind_a_pooler_one_read_only_transaction_is_used(
    postgres_url: str, context: Context
) -> None:
    async with Pipe(postgres_url, pooler).open() as pipe:
        values = await probe(pipe.through(), replace(context, samples=100))
        assert set(values) == set(METRICS)
        assert values["read_only"] is True
        assert b"SET LOCAL statement_timeout = 5000" in pipe.sent
        assert b"ROLLBACK" in pipe.sent
        assert b"SET default_transaction_read_only" not in pipe.sent
        async with _postgres_session.session(pipe.through(), context) as (connection, _):
            with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                await connection.execute("CREATE TABLE harm (id int)")


IGNORING = (
    "ignore_startup_parameters = default_transaction_read_only, statement_timeout, "
    "lock_timeout, idle_in_transaction_session_timeout"
)


@pytest.mark.parametrize(
    ("settings", "pooler"), [("", "PgBouncer"), (IGNORING, "one that ignores settings")]
)
async def test_behind_pgbouncer_itself(
    settings: str, pooler: str, postgres_url: str, context: Context
) -> None:
    async with database_of(postgres_url) as url:
        with bouncer(url, settings) as pooled:
            values = await probe(pooled, replace(context, samples=30))
            connect = values["connect_ms"]
            assert (values["pooler"], values["read_only"]) == (pooler, True)
            assert isinstance(connect, Estimate) and connect.value
            async with _postgres_session.session(pooled, context) as (connection, _):
                assert connection.login == "scram-sha-256"
                assert await connection.fetchval("SHOW statement_timeout") == "5s"
                with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                    await connection.execute("CREATE TABLE harm (id int)")
            async with connected(pooled) as next_client:
                shown = await next_client.fetchval("SHOW statement_timeout")
                assert shown == "0"  # nothing of ours stays behind in the shared session
