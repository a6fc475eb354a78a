"""What pg_stat_statements tells, where it is, where it is missing, and what is never shown."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from pydantic import SecretStr

from readiness.finding import Finding
from readiness.inventory import Service
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes._postgres_text import name, statement
from readiness.probes.postgres_statements import METRICS, Settings, measure
from tests import states
from tests.debian_postgres import SECRET, connected, database, in_database, running

pytestmark = pytest.mark.anyio

CANARY = "c4nary-of-a-customer"


@pytest.fixture
async def shop(debian_url: str) -> AsyncIterator[str]:
    async with database(debian_url) as url:
        async with connected(in_database(debian_url, url)) as owner:
            await owner.execute("CREATE SCHEMA tools; GRANT USAGE ON SCHEMA tools TO PUBLIC")
            await owner.execute("CREATE EXTENSION pg_stat_statements SCHEMA tools")
        yield url


async def found(url: str, context: Context, **checks: Any) -> Mapping[str, Finding]:
    service = Service(name="db", kind="postgres", url=SecretStr(url), checks=checks)
    return await states.judged(service, context, ["postgres_statements"])


async def probe(url: str, context: Context) -> Values:
    service = Service(name="db", kind="postgres", url=SecretStr(url))
    return await measure(service, Settings(), context)


async def run(url: str, sql: str, times: int = 12) -> None:
    async with connected(url) as client:
        for _ in range(times):
            await client.execute(sql)


async def test_quick_statements_have_no_finding(shop: str, context: Context) -> None:
    await run(shop, f"SELECT length('{CANARY}')")
    values = await probe(shop, context)
    findings = await found(shop, context)
    assert set(values) - {"slowest_mean_ms_because"} == set(METRICS)
    assert not states.troubled(findings) and not states.unknown(findings)
    assert findings["postgres-slow-statements"].outcome == "pass"
    assert "SELECT length($1) (queryid " in str(values["costliest"])
    assert CANARY not in str(values)


async def test_a_slow_statement(shop: str, context: Context) -> None:
    await run(shop, f"SELECT pg_sleep(0.03), '{CANARY}' AS who /* {CANARY} */")
    limits = {"target": "5ms", "limit": "10ms"}
    findings = await found(shop, context, **{"postgres-slow-statements": limits})
    assert states.troubled(findings) == {"postgres-slow-statements"}
    because = findings["postgres-slow-statements"].because
    assert "SELECT pg_sleep($1), $2 AS who (queryid " in because
    assert "12 calls of 3" in because
    assert CANARY not in because


async def test_a_password_in_a_statement_is_never_shown(
    debian_url: str, shop: str, context: Context
) -> None:
    """The server itself keeps it: it replaces values only in what it plans."""
    role = shop.rpartition("/")[2]
    await run(in_database(debian_url, shop), f"ALTER ROLE {role} PASSWORD '{SECRET}'")
    async with connected(in_database(debian_url, shop)) as owner:
        query = "SELECT string_agg(query, ' ') FROM tools.pg_stat_statements"
        kept = str(await owner.fetchval(query))
    values = await probe(in_database(debian_url, shop), context)
    assert "ALTER ROLE (queryid " in str(values["costliest"])
    assert SECRET not in str(values)
    if SECRET not in kept:
        pytest.skip("this server replaces values there too")


async def test_few_calls_are_not_judged(shop: str, context: Context) -> None:
    await run(shop, "SELECT pg_sleep(0.02)", times=2)
    findings = await found(shop, context)
    assert not states.troubled(findings)
    assert findings["postgres-slow-statements"].outcome == "not_applicable"
    assert "no statement was called 10 times" in findings["postgres-slow-statements"].because


async def test_other_roles_statements_have_no_text(debian_url: str, context: Context) -> None:
    async with database(debian_url, monitor=False) as url:
        async with connected(in_database(debian_url, url)) as owner:
            await owner.execute("CREATE EXTENSION pg_stat_statements")
            for _ in range(12):
                await owner.execute("SELECT pg_sleep(0.01)")
        values = await probe(url, context)
    assert "a statement of another role: 12 calls of 1" in str(values["slowest_mean_ms_because"])
    assert "GRANT pg_monitor" in str(values["costliest_because"])


async def missing(url: str, because: str, context: Context) -> None:
    findings = await found(url, context)
    assert states.troubled(findings) == {"postgres-statements-collected"}
    assert findings["postgres-statements-collected"].because == because
    slow = findings["postgres-slow-statements"]
    assert (slow.outcome, slow.because) == ("not_applicable", f"not tested: {because}")


async def test_an_extension_that_is_missing(postgres_url: str, context: Context) -> None:
    async with database(postgres_url) as url:
        await missing(url, "pg_stat_statements is not installed in this database", context)


async def test_a_library_that_was_not_loaded(context: Context) -> None:
    with running({"shared_preload_libraries": ""}) as url:
        async with connected(url) as owner:
            await owner.execute("CREATE EXTENSION pg_stat_statements")
        await missing(url, "pg_stat_statements is not in shared_preload_libraries", context)


@pytest.mark.parametrize("revoked", ["SELECT ON tools.pg_stat_statements", "USAGE ON SCHEMA tools"])
async def test_a_view_that_our_role_may_not_read(
    revoked: str, debian_url: str, shop: str, context: Context
) -> None:
    async with connected(in_database(debian_url, shop)) as owner:
        await owner.execute(f"REVOKE {revoked} FROM PUBLIC")
        await owner.execute("REVOKE pg_monitor FROM " + shop.rpartition("/")[2])
    findings = await found(shop, context)
    unread = {"postgres-statements-collected", "postgres-slow-statements"}
    assert states.unknown(findings) == unread
    told = "not tested: GRANT SELECT ON tools.pg_stat_statements and USAGE on its schema"
    assert {f.because for f in findings.values()} == {told}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT 1", "SELECT ?"),
        (
            "select *\n from  t where a = 'it''s' or b = -2.5e3",
            "select * from t where a = ? or b = -?",
        ),
        ("SELECT $1, t1.c2 FROM t1", "SELECT $1, t1.c2 FROM t1"),
        ("SELECT E'a\\'b', $tag$secret$tag$, $$x$$", "SELECT ?, ,"),
        ("SELECT 'unclosed secret", "SELECT ?"),
        ("SELECT /* who='me' */ 1 -- secret", "SELECT ?"),
        ("SELECT /* unclosed secret", "SELECT"),
        ("ALTER ROLE app PASSWORD 'x'", "ALTER ROLE"),
        ("SET my.token TO abc", "SET my.token"),
        ("SELECT \x1b[31m 'a'", "SELECT [? ?"),
        ("WITH x AS (SELECT " + "a, " * 60, "WITH x AS (SELECT " + "a, " * 20 + "a…"),
        ("", ""),
    ],
)
def test_statements_are_shown_without_values(text: str, expected: str) -> None:
    assert statement(text) == expected


def test_names_are_cut() -> None:
    assert name("shop\x07\n" + "x" * 99) == "shop" + "x" * 26
    assert name(None) == ""
