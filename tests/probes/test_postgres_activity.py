"""Sessions in each bad state, on real servers, found by their check and by no other."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr

from readiness.finding import Finding
from readiness.inventory import Service
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes.postgres_activity import METRICS, Settings, measure
from tests import states
from tests.debian_postgres import connected, database, in_database, kept_database, until

pytestmark = pytest.mark.anyio

SOON = {"target": "40ms", "limit": "80ms"}
"""What an age of a fifth of a second is far beyond."""
OLD = "0.2 s"


@pytest.fixture(scope="module")
def shop(postgres_url: str) -> Iterator[str]:
    """The URL of an application's role in a database of its own."""
    with kept_database(postgres_url) as url:
        yield url


@pytest.fixture(autouse=True)
async def quiet(shop: str) -> None:
    """Wait until the sessions of the test before are gone."""
    async with connected(shop) as watcher:
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        await until(watcher, f"NOT EXISTS (SELECT FROM pg_stat_activity WHERE {others})")
        await watcher.execute("DROP TABLE IF EXISTS carts")
        await watcher.close()


async def found(url: str, context: Context, **checks: Any) -> Mapping[str, Finding]:
    service = Service(name="db", kind="postgres", url=SecretStr(url), checks=checks)
    return await states.judged(service, context, ["postgres_activity"])


async def probe(url: str, context: Context) -> Values:
    service = Service(name="db", kind="postgres", url=SecretStr(url))
    return await measure(service, Settings(), context)


async def old(watcher: asyncpg.Connection, since: str, *pids: int) -> None:
    condition = f"bool_and(clock_timestamp() - {since} > '{OLD}') FROM pg_stat_activity"
    await until(watcher, f"{condition} WHERE pid = ANY ($1)", list(pids))


@contextlib.asynccontextmanager
async def waiting(url: str, statement: str) -> AsyncIterator[int]:
    """Yield the pid of a session that is at work on a statement which does not end."""
    async with connected(url) as connection:
        pid = await connection.fetchval("SELECT pg_backend_pid()")
        task = asyncio.create_task(connection.execute(statement))
        try:
            yield pid
        finally:
            async with connected(url) as ender:  # at work, it would not notice that we are gone
                await ender.fetchval("SELECT pg_terminate_backend($1)", pid)
            await asyncio.gather(task, return_exceptions=True)


async def test_a_quiet_database_has_no_finding(shop: str, context: Context) -> None:
    async with connected(shop) as client:
        await client.execute("SELECT 1")
        values = await probe(shop, context)
        findings = await found(shop, context)
    assert set(values) == set(METRICS)
    assert (values["sessions"], values["sessions_hidden"], values["blocked_sessions"]) == (1, 0, 0)
    assert not states.troubled(findings) and not states.unknown(findings)
    assert findings["postgres-prepared-transactions"].outcome == "not_applicable"


@pytest.mark.parametrize("aborted", [False, True])
async def test_idle_in_transaction(shop: str, context: Context, aborted: bool) -> None:
    async with connected(shop) as client, connected(shop) as watcher:
        await client.execute("BEGIN; SELECT 1")
        if aborted:
            with pytest.raises(asyncpg.UndefinedTableError):
                await client.execute("SELECT 'hunter2' FROM nowhere")
        pid = client.get_server_pid()
        await old(watcher, "state_change", pid)
        findings = await found(shop, context, **{"postgres-idle-in-transaction": SOON})
        assert states.troubled(findings) == {"postgres-idle-in-transaction"}
        because = findings["postgres-idle-in-transaction"].because
        assert f": pid {pid} (shop, idle in transaction" in because
        assert "hunter2" not in because
        assert (await probe(shop, context))["idle_in_transaction"] == 1


async def test_a_long_query(shop: str, context: Context) -> None:
    async with waiting(shop, "SELECT pg_sleep(60)") as pid, connected(shop) as watcher:
        await old(watcher, "query_start", pid)
        findings = await found(shop, context, **{"postgres-long-query": SOON})
    assert states.troubled(findings) == {"postgres-long-query"}
    assert f": pid {pid} (shop) for 0." in findings["postgres-long-query"].because


async def test_a_long_transaction_of_short_statements(shop: str, context: Context) -> None:
    async with connected(shop) as client, connected(shop) as watcher:
        await client.execute("BEGIN; SELECT 1")
        await old(watcher, "xact_start", client.get_server_pid())
        await client.execute("SELECT 2")
        findings = await found(shop, context, **{"postgres-long-transaction": SOON})
    assert states.troubled(findings) == {"postgres-long-transaction"}


async def test_a_backup_may_take_long(shop: str, context: Context) -> None:
    async with connected(shop) as client, connected(shop) as watcher:
        await client.execute("SET application_name = pg_dump; BEGIN")
        await client.execute("SELECT 1")
        await old(watcher, "xact_start", client.get_server_pid())
        values = await probe(shop, context)
    assert values["longest_transaction_ms"] == 0.0
    assert values["idle_in_transaction"] == 1  # a backup that waits for its client is no excuse


async def test_the_root_of_a_chain_of_blocked_sessions(shop: str, context: Context) -> None:
    async with contextlib.AsyncExitStack() as stack:
        root = await stack.enter_async_context(connected(shop))
        watcher = await stack.enter_async_context(connected(shop))
        await root.execute("CREATE TABLE carts (id int)")
        await root.execute("BEGIN; LOCK carts IN SHARE MODE")
        pids = []
        for mode in ("ACCESS EXCLUSIVE", "ACCESS SHARE"):
            lock = f"BEGIN; LOCK carts IN {mode} MODE"
            pids.append(await stack.enter_async_context(waiting(shop, lock)))
            waits = "bool_or(NOT granted AND clock_timestamp() - waitstart > '0.2 s')"
            await until(watcher, f"{waits} FROM pg_locks WHERE pid = $1", pids[-1])
        who = f"pid {root.get_server_pid()} (shop, idle in transaction)"
        values = await probe(shop, context)
        findings = await found(shop, context, **{"postgres-blocked": SOON})
    assert (values["blocked_sessions"], values["waiting_locks"]) == (2, 2)
    assert values["blocking_roots"] == who
    assert states.troubled(findings) == {"postgres-blocked"}
    because = findings["postgres-blocked"].because
    assert ": 2 blocked, the longest for 0." in because and because.endswith(f"by {who}")


async def test_a_prepared_transaction_that_was_forgotten(debian_url: str, context: Context) -> None:
    async with database(debian_url) as shop, connected(shop) as client:
        await client.execute("CREATE TABLE carts (id int)")
        clean = await found(shop, context, **{"postgres-prepared-transactions": SOON})
        assert not states.troubled(clean)
        assert clean["postgres-prepared-transactions"].outcome == "pass"
        await client.execute("BEGIN; LOCK carts; PREPARE TRANSACTION 'lost'")
        try:
            await until(client, f"clock_timestamp() - prepared > '{OLD}' FROM pg_prepared_xacts")
            findings = await found(shop, context, **{"postgres-prepared-transactions": SOON})
            assert states.troubled(findings) == {"postgres-prepared-transactions"}
            async with waiting(shop, "SELECT FROM carts"):
                waits = "EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
                await until(client, waits)
                values = await probe(shop, context)
            assert values["blocking_roots"] == "a prepared transaction"
        finally:
            await client.execute("ROLLBACK PREPARED 'lost'")


async def test_what_our_role_may_not_see_is_not_tested(postgres_url: str, context: Context) -> None:
    async with database(postgres_url, monitor=False) as shop, connected(shop) as client:
        await client.execute("BEGIN; SELECT 1")
        everything = await probe(shop, context)
        assert everything["idle_in_transaction"] == 1  # sessions of our own role
        async with connected(in_database(postgres_url, shop)) as other:
            await other.execute("BEGIN; SELECT 1")
            values = await probe(shop, context)
            findings = await found(shop, context)
            assert values["sessions_hidden"] == 1
            assert states.unknown(findings) == {
                "postgres-idle-in-transaction",
                "postgres-long-query",
                "postgres-long-transaction",
            }
            assert not states.troubled(findings)
            assert findings["postgres-long-query"].because == (
                "not tested: 1 of 2 sessions hide what they do; GRANT pg_monitor to the role"
            )
            await old(other, "state_change", client.get_server_pid())
            limits = {"idle_in_transaction_ms": (40.0, 80.0)}
            known = await probe(shop, replace(context, limits=limits))
            assert float(str(known["idle_in_transaction_ms"])) > 80  # bad enough as it is


async def test_sessions_that_are_not_tracked_are_not_tested(
    postgres_url: str, shop: str, context: Context
) -> None:
    async with connected(in_database(postgres_url, shop)) as client:
        await client.execute("SET track_activities = off")
        await client.execute("BEGIN; SELECT 1")
        values = await probe(shop, context)
    assert values["longest_query_ms_because"] == (
        "not tested: 1 of 1 sessions hide what they do; set track_activities = on"
    )


async def test_another_database_is_not_judged(
    postgres_url: str, shop: str, context: Context
) -> None:
    async with connected(postgres_url) as other:
        await other.execute("BEGIN; SELECT 1")
        assert (await probe(shop, context))["sessions"] == 0


async def test_what_clients_call_themselves_is_cut(shop: str, context: Context) -> None:
    async with connected(shop) as client:
        await client.execute("SET application_name = '" + "x" * 60 + "'; BEGIN; SELECT 1")
        because = str((await probe(shop, context))["idle_in_transaction_ms_because"])
    assert "x" * 30 in because and "x" * 31 not in because
