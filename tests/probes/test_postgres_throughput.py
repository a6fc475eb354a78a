"""What a database does in a window: misses, rollbacks, deadlocks, on real servers under load."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from pydantic import SecretStr

from readiness.failure import ProbeError
from readiness.finding import Finding
from readiness.inventory import Service
from readiness.measurement import Values
from readiness.probes import PROBE_SECONDS, Context
from readiness.probes.postgres_throughput import METRICS, Settings, measure
from tests import states
from tests.debian_postgres import bouncer, connected, database, in_database, until

pytestmark = pytest.mark.anyio

READ = "SELECT FROM pg_class LIMIT 1"
"""A transaction that touches nothing is told by the server only together with one that does."""
FLUSH = "SELECT pg_stat_force_next_flush()"
"""So that a session's counts are told at once, and not after a second."""
WATCHED = """EXISTS (SELECT FROM pg_stat_activity
    WHERE application_name = 'readiness' AND datname = current_database()
      AND query LIKE '%FROM pg_stat_database%' AND state LIKE 'idle%'
      AND clock_timestamp() - state_change > '20 ms')"""


@pytest.fixture
async def shop(postgres_url: str) -> AsyncIterator[str]:
    async with database(postgres_url) as url:
        yield url


def service(url: str, window: str = "0.5s", **changes: Any) -> Service:
    probes = {"postgres_throughput": {"window": window}}
    return Service(name="db", kind="postgres", url=SecretStr(url), probes=probes, **changes)


async def found(url: str, context: Context, **changes: Any) -> Mapping[str, Finding]:
    return await states.judged(service(url, **changes), context, ["postgres_throughput"])


async def probe(url: str, context: Context, window: float = 0.3) -> Values:
    return await measure(service(url), Settings(window=window), context)


@contextlib.asynccontextmanager
async def busy(url: str, *statements: str) -> AsyncIterator[None]:
    """Run the statements over and over, each time telling the server's statistics."""
    async with connected(url) as connection:

        async def work() -> None:
            while True:
                for statement in (*statements, FLUSH):
                    await connection.execute(statement)

        task = asyncio.create_task(work())
        try:
            yield
        finally:
            connection.terminate()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def deadlock(url: str, admin: str) -> None:
    """Let two sessions take two locks crosswise; return when one was the victim."""
    async with connected(url) as one, connected(in_database(admin, url)) as two:
        await two.execute("SET deadlock_timeout = '10ms'; SET lock_timeout = '10s'")
        await one.execute("SELECT pg_advisory_lock(1)")
        await two.execute("SELECT pg_advisory_lock(2)")
        task = asyncio.create_task(one.execute("SELECT pg_advisory_lock(2)"))
        with pytest.raises(asyncpg.DeadlockDetectedError):
            await two.execute("SELECT pg_advisory_lock(1)")
        await two.execute(FLUSH)
        await two.execute("SELECT pg_advisory_unlock_all()")
        await task


async def test_a_quiet_database_has_no_finding(shop: str, context: Context) -> None:
    values = await probe(shop, context)
    findings = await found(shop, context)
    explained = ("cache_hit_ratio", "rollback_ratio", "statistics_since")
    assert set(METRICS) - set(values) == set(explained)
    assert not states.troubled(findings) and not states.unknown(findings)
    for check in ("postgres-cache-hits", "postgres-rollbacks"):
        assert findings[check].outcome == "not_applicable"
    assert "blocks were asked for while we watched" in findings["postgres-cache-hits"].because


async def test_a_busy_database_in_memory_has_no_finding(shop: str, context: Context) -> None:
    async with connected(shop) as owner:
        await owner.execute("CREATE TABLE hot AS SELECT generate_series(1, 20000) AS id")
        await owner.execute("SELECT count(*) FROM hot")
    async with busy(shop, *["SELECT count(*) FROM hot"] * 20, *[READ] * 50):
        findings = await found(shop, context, window="800ms")
    assert not states.troubled(findings) and not states.unknown(findings)
    assert findings["postgres-cache-hits"].outcome == "pass", findings["postgres-cache-hits"]
    assert findings["postgres-rollbacks"].outcome == "pass", findings["postgres-rollbacks"]


async def test_data_larger_than_the_memory(shop: str, context: Context) -> None:
    async with connected(shop) as owner:  # the server has 16 MB of shared_buffers
        wide = "SELECT repeat('x', 1900) AS filler FROM generate_series(1, 10000)"
        await owner.execute(f"CREATE TABLE cold AS {wide}")
    async with busy(shop, "SELECT count(*) FROM cold"):
        findings = await found(shop, context, window="600ms")
    assert states.troubled(findings) == {"postgres-cache-hits"}
    assert "blocks were read" in findings["postgres-cache-hits"].because


async def test_the_lifetime_hides_the_present(shop: str, context: Context) -> None:
    async with connected(shop) as owner:
        await owner.execute("CREATE TABLE hot AS SELECT generate_series(1, 20000) AS id")
        for _ in range(300):
            await owner.execute("SELECT count(*) FROM hot")
        await owner.execute(FLUSH)
        wide = "SELECT repeat('x', 1900) AS filler FROM generate_series(1, 10000)"
        await owner.execute(f"CREATE TABLE cold AS {wide}")
    async with busy(shop, "SELECT count(*) FROM cold"):
        values = await probe(shop, context, 0.4)
    now, ever = values["cache_hit_ratio"], values["lifetime_cache_hit_ratio"]
    assert isinstance(now, float) and isinstance(ever, float)
    assert ever - now > 0.05


async def test_transactions_that_are_rolled_back(shop: str, context: Context) -> None:
    async with busy(shop, *["BEGIN; SELECT 1; ROLLBACK"] * 50, *[READ] * 200):
        findings = await found(shop, context, window="600ms")
    assert states.troubled(findings) == {"postgres-rollbacks"}
    assert "transactions were rolled back" in findings["postgres-rollbacks"].because


async def test_a_deadlock_while_we_watch(postgres_url: str, shop: str, context: Context) -> None:
    async with connected(shop) as watcher:
        watching = asyncio.create_task(found(shop, context, window="800ms"))
        await until(watcher, WATCHED)
        await deadlock(shop, postgres_url)
        findings = await watching
    assert states.troubled(findings) == {"postgres-deadlocks-now"}
    assert findings["postgres-deadlocks-now"].because.endswith("1 while we watched")


async def test_deadlocks_before(postgres_url: str, shop: str, context: Context) -> None:
    for _ in range(2):
        await deadlock(shop, postgres_url)
    findings = await found(shop, context, window="50ms")
    assert states.troubled(findings) == {"postgres-deadlocks"}
    assert findings["postgres-deadlocks"].outcome == "warn"
    assert "2 deadlocks in 1.0 days" in findings["postgres-deadlocks"].because


async def test_a_beginning_of_the_statistics(
    postgres_url: str, shop: str, context: Context
) -> None:
    async with connected(in_database(postgres_url, shop)) as owner:
        await owner.execute("SELECT pg_stat_reset()")
    values = await probe(shop, context)
    assert str(values["statistics_since"]).startswith("20")
    assert values["deadlocks_per_day"] == 0


@pytest.mark.parametrize("much", [0, 300], ids=["and stay", "and grow beyond"])
async def test_statistics_that_are_reset_meanwhile(
    much: int, postgres_url: str, shop: str, context: Context
) -> None:
    async with connected(in_database(postgres_url, shop)) as owner:
        if much:
            await owner.execute("SELECT pg_stat_reset()")
        watching = asyncio.create_task(found(shop, context, window="1s"))
        await until(owner, WATCHED)
        await owner.execute("SELECT pg_stat_reset()")
        for _ in range(much):
            await owner.execute("SELECT count(*) FROM pg_attribute")
        await owner.execute(FLUSH)
        findings = await watching
    assert not states.troubled(findings)
    assert states.unknown(findings) == set(findings)
    assert {f.because for f in findings.values()} == {
        "not tested: the statistics were reset meanwhile"
    }


async def test_nothing_is_counted(postgres_url: str, shop: str, context: Context) -> None:
    async with connected(postgres_url) as owner:
        role = shop.rpartition("/")[2]
        await owner.execute(f"ALTER ROLE {role} SET track_counts = off")
    findings = await found(shop, context, window="50ms")
    assert states.unknown(findings) == set(findings)
    assert "track_counts = on" in findings["postgres-deadlocks"].because


async def test_what_spills_to_disk_is_told(shop: str, context: Context) -> None:
    sort = "SELECT count(*) FROM (SELECT id FROM generate_series(1, 50000) AS id ORDER BY id % 7) s"
    async with busy(shop, "SET work_mem = '64kB'", sort):
        values = await probe(shop, context, 0.5)
    assert int(str(values["temp_files"])) > 0
    assert float(str(values["temp_bytes_per_second"])) > 100_000


async def test_a_window_within_one_transaction_of_a_pooler(
    postgres_url: str, context: Context
) -> None:
    """There the server shows what it showed first, unless it is told to look again."""
    async with database(postgres_url) as shop:
        with bouncer(shop) as pooled:
            async with busy(shop, *[READ] * 20):
                values = await probe(pooled, context, 0.6)
    assert float(str(values["transactions_per_second"])) > 50


def test_a_long_window_is_given_its_time() -> None:
    assert Settings.model_validate({"window": "30s"}).at_most_seconds == PROBE_SECONDS + 30


async def test_a_server_that_goes_away_in_the_window_is_the_servers_fault(
    shop: str, postgres_url: str, context: Context
) -> None:
    name = urlsplit(shop).path.removeprefix("/")
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"
    async with connected(postgres_url) as other:
        measured = asyncio.create_task(probe(shop, context, window=1.0))
        await until(other, WATCHED.replace("current_database()", f"'{name}'"))
        assert await other.fetchval(end, name)
        with pytest.raises(ProbeError, match="closed while in use") as raised:
            await measured
    assert raised.value.failure.kind == "reset"
