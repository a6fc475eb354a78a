"""Declared queries, answered, slow, wrong and harmful, on a real server."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr, ValidationError

from readiness.estimate import Estimate
from readiness.finding import Finding
from readiness.inventory import Service
from readiness.measurement import Values
from readiness.probes import Context, postgres_queries
from readiness.probes.postgres_queries import Settings, measure
from tests import states
from tests.debian_postgres import bouncer, connected, kept_database

pytestmark = pytest.mark.anyio

CANARY = "c4nary-of-a-customer"


@pytest.fixture(scope="module")
def shop(postgres_url: str) -> Iterator[str]:
    """A database with fifty orders, which nobody may change, and a sequence nobody may ask."""
    with kept_database(postgres_url) as url:
        asyncio.run(fill(url))
        yield url


@pytest.fixture(scope="module")
def pooled(shop: str) -> Iterator[str]:
    """The same by way of a PgBouncer."""
    with bouncer(shop) as url:
        yield url


@pytest.fixture(params=["shop", "pooled"])
def either(request: pytest.FixtureRequest) -> str:
    """The one, then the other."""
    url: str = request.getfixturevalue(request.param)
    return url


async def fill(url: str) -> None:
    async with connected(url) as owner:
        await owner.execute("CREATE TABLE orders AS SELECT generate_series(1, 50) AS id")
        await owner.execute("CREATE SEQUENCE harm")


async def found(url: str, context: Context, **queries: Any) -> Mapping[str, Finding]:
    probes = {"postgres_queries": {"queries": queries}}
    service = Service(name="db", kind="postgres", url=SecretStr(url), probes=probes)
    return await states.judged(service, context, ["postgres_queries"])


async def probe(url: str, context: Context, **queries: Any) -> Values:
    service = Service(name="db", kind="postgres", url=SecretStr(url))
    return await measure(service, Settings.model_validate({"queries": queries}), context)


async def test_queries_that_are_answered_in_time(shop: str, context: Context) -> None:
    queries = {
        "orders": {"sql": "SELECT * FROM orders", "target": "5s"},
        "count": {"sql": "SELECT count(*) FROM orders"},
    }
    values = await probe(shop, replace(context, samples=80), **queries)
    p50, p95 = values["queries.orders.p50_ms"], values["queries.orders.p95_ms"]
    assert isinstance(p50, Estimate) and isinstance(p95, Estimate)
    assert p50.n == p95.n == 80 and p95.value and p50.value and 0 < p50.value <= p95.value
    assert (values["queries.orders.rows"], values["queries.count.rows"]) == (50, 1)
    ratio = values["slowest_of_target"]
    assert isinstance(ratio, Estimate) and ratio.value == pytest.approx(p95.value / 5000)
    findings = await found(shop, replace(context, samples=80), **queries)
    assert {f.outcome for f in findings.values()} == {"pass"}


def test_a_query_that_is_surely_too_slow_is_hidden_by_no_other() -> None:
    settings = Settings.model_validate(
        {"queries": {name: {"sql": "SELECT 1", "target": "1s"} for name in ("sure", "vague")}}
    )
    values: Values = {
        "queries.sure.p95_ms": Estimate(value=2200, low=2100, high=2300, n=100),
        "queries.vague.p95_ms": Estimate(value=1000, low=800, high=2500, n=80),
    }
    found = postgres_queries._of_target(settings, values)
    assert found["slowest_of_target"] == Estimate(value=2.2, low=2.1, high=2.5, n=80)


async def test_a_heavy_query_is_run_as_often_as_it_says(shop: str, context: Context) -> None:
    values = await probe(shop, context, heavy={"sql": "SELECT 1", "samples": 7})
    p50 = values["queries.heavy.p50_ms"]
    assert isinstance(p50, Estimate) and p50.n == 7


async def test_no_target_no_criterion(shop: str, context: Context) -> None:
    findings = await found(shop, context, count={"sql": "SELECT count(*) FROM orders"})
    assert findings["postgres-queries-answered"].outcome == "pass"
    assert findings["postgres-queries-p95"].outcome == "not_applicable"


async def test_a_query_slower_than_its_target(shop: str, context: Context) -> None:
    findings = await found(
        shop,
        replace(context, samples=72),
        quick={"sql": "SELECT 1", "target": "5s"},
        slow={"sql": f"SELECT pg_sleep(0.005), '{CANARY}'", "target": "1ms"},
    )
    assert states.troubled(findings) == {"postgres-queries-p95"}
    slow = findings["postgres-queries-p95"]
    assert slow.outcome == "fail"
    assert "slow: p95 " in slow.because and " ms of 1 ms" in slow.because
    assert "quick" not in slow.because and CANARY not in slow.because


async def test_too_few_samples_for_a_target_are_unknown(shop: str, context: Context) -> None:
    findings = await found(shop, context, quick={"sql": "SELECT 1", "target": "5s"})
    assert states.unknown(findings) == {"postgres-queries-p95"}
    assert "20 samples, a p95 needs 72" in findings["postgres-queries-p95"].because


@pytest.mark.parametrize(
    ("sql", "because"),
    [
        ("SELECT * FROM nowhere", 'bad: relation "nowhere" does not exist (42P01)'),
        ("SELECT nothing FROM orders", 'bad: column "nothing" does not exist (42703)'),
        (f"SELECT '{CANARY}'::int", "bad: InvalidTextRepresentation (22P02)"),
        (f"SELEC '{CANARY}'", "bad: PostgresSyntax (42601)"),
        (f"SELECT 1; SELECT '{CANARY}'", "bad: PostgresSyntax (42601)"),
        ("SELECT 1/(id - 1) FROM orders", "bad: DivisionByZero (22012)"),
    ],
)
async def test_a_query_that_ends_in_an_error(
    sql: str, because: str, shop: str, context: Context
) -> None:
    good = {"sql": "SELECT 1"}
    findings = await found(shop, context, bad={"sql": sql}, good=good)
    assert states.troubled(findings) == {"postgres-queries-answered"}
    assert findings["postgres-queries-answered"].because == because


async def test_a_query_that_does_not_end(shop: str, context: Context) -> None:
    began = time.monotonic()
    quick = replace(context, timeout=0.3)
    findings = await found(shop, quick, bad={"sql": "SELECT pg_sleep(60)"})
    assert time.monotonic() - began < 5
    assert states.troubled(findings) == {"postgres-queries-answered"}
    because = "bad: canceling statement due to statement timeout (57014)"
    assert findings["postgres-queries-answered"].because == because


WRITING = [
    "INSERT INTO orders VALUES (1)",
    "WITH gone AS (DELETE FROM orders RETURNING id) SELECT count(*) FROM gone",
    "CREATE TABLE harm (id int)",
    "SELECT nextval('harm')",
    "TRUNCATE orders",
    "DO $$ BEGIN DELETE FROM orders; END $$",
]


@pytest.mark.parametrize("sql", WRITING)
async def test_a_query_that_writes_is_refused_by_the_server_and_told(
    sql: str, either: str, shop: str, context: Context
) -> None:
    findings = await found(either, context, bad={"sql": sql}, good={"sql": "SELECT 1"})
    assert states.unknown(findings) == {"postgres-queries-answered"}
    assert not states.troubled(findings)
    because = findings["postgres-queries-answered"].because
    assert because.startswith("not tested: bad: cannot execute ")
    assert because.endswith(" in a read-only transaction (25006)")
    async with connected(shop) as owner:
        assert await owner.fetchval("SELECT count(*) FROM orders") == 50
        assert not await owner.fetchval("SELECT is_called FROM harm")


@pytest.mark.parametrize(
    "opening", ["/**/ SET default_transaction_read_only = off", "/**/ COMMIT", "-- \n BEGIN"]
)
async def test_no_query_opens_the_way_for_the_next(
    opening: str, either: str, shop: str, context: Context
) -> None:
    """Comments hide what a statement is from us, and not from the server."""
    queries = {"a": {"sql": opening}, "b": {"sql": "DELETE FROM orders"}}
    values = await probe(either, context, **queries)
    assert values["refused"] is True
    async with connected(shop) as owner:
        assert await owner.fetchval("SELECT count(*) FROM orders") == 50


async def test_what_our_role_may_not_read_is_not_tested(shop: str, context: Context) -> None:
    findings = await found(shop, context, bad={"sql": "SELECT * FROM pg_authid"})
    assert states.unknown(findings) == {"postgres-queries-answered"}
    because = "not tested: bad: permission denied for table pg_authid (42501)"
    assert findings["postgres-queries-answered"].because == because


async def test_large_answers_again_and_again(shop: str, context: Context) -> None:
    sql = "SELECT repeat('x', 1000000) FROM generate_series(1, 3)"
    values = await probe(shop, context, large={"sql": sql})
    assert values["answered"] is True


async def test_many_slow_queries_share_the_time(shop: str, context: Context) -> None:
    soon = replace(context, deadline=time.monotonic() + 2.0, samples=200)
    names = {f"q{n}": {"sql": "SELECT pg_sleep(0.05)"} for n in range(4)}
    values = await probe(shop, soon, **names)
    assert time.monotonic() < soon.deadline
    for name in names:
        p50 = values[f"queries.{name}.p50_ms"]
        assert isinstance(p50, Estimate) and 3 <= p50.n <= 30


@pytest.mark.parametrize(
    "queries",
    [
        {},
        {"a": {"sql": ""}},
        {"a": {"sql": "COMMIT"}},
        {"a": {"sql": " begin; SELECT 1"}},
        {"a": {"sql": "SET work_mem = '1GB'"}},
        {"a b": {"sql": "SELECT 1"}},
        {"a": {"sql": "SELECT 1", "target": "0s"}},
        {"a": {"sql": "SELECT 1", "limit": "1s"}},
    ],
)
def test_settings_that_make_no_sense(queries: Any) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"queries": queries})


def test_the_statement_is_in_no_text() -> None:
    settings = Settings.model_validate({"queries": {"a": {"sql": f"SELECT '{CANARY}'"}}})
    assert CANARY not in repr(settings)


async def test_a_wrong_type_of_error_is_not_swallowed(shop: str, context: Context) -> None:
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await probe(shop + "x", context, a={"sql": "SELECT 1"})
