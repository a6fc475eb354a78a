"""Tables and counters of a real Postgres that vacuum has not kept up with."""

import asyncpg
import pytest

from readiness.demo import postgres
from readiness.finding import Finding
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes.postgres_vacuum import METRICS, Settings, measure
from tests.replicated import PROBES, aged, connected, counted, fresh, named, service, until
from tests.states import judged, troubled, unknown

pytestmark = pytest.mark.anyio

FILLED = """
CREATE TABLE t (id int PRIMARY KEY, a int) WITH ({});
INSERT INTO t SELECT n, n FROM generate_series(1, 40000) n;
"""
VACUUMED = "VACUUM ANALYZE t"

STATES = {
    "dead-rows": (
        FILLED.format("autovacuum_vacuum_scale_factor = 2, autovacuum_analyze_scale_factor = 2"),
        "UPDATE t SET a = 0 WHERE id <= 15000",
        "postgres-dead-rows",
        "27.3 % misses the target of 20 %, within the limit of 50 %: public.t (15,000 dead)",
    ),
    "vacuum-overdue": (
        FILLED.format("autovacuum_vacuum_scale_factor = 0.1, autovacuum_analyze_scale_factor = 2")
        + "INSERT INTO t SELECT n, n FROM generate_series(40001, 60000) n",
        "UPDATE t SET a = 0 WHERE id <= 14000",
        "postgres-vacuum-due",
        "public.t (14000 dead, due at 6050, last 20",
    ),
    "vacuum-overdue-by-threshold": (
        FILLED.format("autovacuum_vacuum_max_threshold = 4000, autovacuum_analyze_scale_factor = 2")
        + "INSERT INTO t SELECT n, n FROM generate_series(40001, 60000) n",
        "UPDATE t SET a = 0 WHERE id <= 12000",
        "postgres-vacuum-due",
        "public.t (12000 dead, due at 4000, last 20",
    ),
    "statistics-outdated": (
        FILLED.format("autovacuum_vacuum_scale_factor = 2"),
        "INSERT INTO t SELECT n, n FROM generate_series(40001, 50000) n",
        "postgres-analyze-due",
        "public.t (10000 changes, due at 4050, last 20",
    ),
    "autovacuum-off-for-a-table": (
        FILLED.format("autovacuum_enabled = off"),
        "SELECT pg_stat_reset_single_table_counters('t'::regclass)",
        "postgres-autovacuum-tables",
        "public.t",
    ),
}


async def probe(url: str, context: Context, **settings: int) -> Values:
    return await measure(service(url), Settings.model_validate(settings), context)


async def alone(url: str, context: Context, check: str) -> Finding:
    """Return the finding on `check`, which is the only one there is."""
    findings = await judged(service(url), context, PROBES)
    assert troubled(findings) == {check}
    assert not unknown(findings)
    return findings[check]


async def run(session: asyncpg.Connection, *statements: str) -> None:
    for statement in statements:
        await session.execute(statement)
        await counted(session)


@pytest.mark.parametrize("state", STATES)
async def test_a_bad_state_is_caught_by_its_check_alone(
    state: str, realistic_postgres: str, context: Context
) -> None:
    before, then, check, because = STATES[state]
    async with fresh(realistic_postgres) as (url, session):
        await run(session, before, VACUUMED, then)
        assert because in (await alone(url, context, check)).because


async def test_a_large_table_without_statistics(realistic_postgres: str, context: Context) -> None:
    async with fresh(realistic_postgres) as (url, session):
        await run(session, FILLED.format("fillfactor = 100"))
        finding = await alone(url, context, "postgres-analyzed")
        assert finding.because.endswith("public.t")
        await session.execute("DROP ROLE IF EXISTS stranger; CREATE ROLE stranger LOGIN")
        values = await probe(named(url, url.rpartition("/")[2], "stranger"), context)
        why = "not tested: no permission to see whether public.t have statistics"
        assert str(values["tables_never_analyzed_because"]).startswith(why)
        await run(session, "ANALYZE t", "SELECT pg_stat_reset()")
        values = await probe(url, context)
        assert values["tables_never_analyzed"] == 0, "counters are gone, statistics are there"


async def test_a_table_in_use_that_is_kept_clean_is_no_finding(
    realistic_postgres: str, context: Context
) -> None:
    async with fresh(realistic_postgres) as (url, session):
        await run(
            session,
            FILLED.format("autovacuum_enabled = off"),
            VACUUMED,
            "UPDATE t SET a = 0 WHERE id <= 9999",
            "CREATE TABLE tiny (id int PRIMARY KEY); INSERT INTO tiny VALUES (1), (2)",
            "DELETE FROM tiny",
        )
        findings = await judged(service(url), context, PROBES)
        assert not troubled(findings) and not unknown(findings)
        values = await probe(url, context, large_rows=1)
        assert values["dead_tuples_ratio"] == 1.0, "what is small is left out, not unseen"


async def test_what_is_being_vacuumed_now_is_not_overdue(
    realistic_postgres: str, context: Context
) -> None:
    before, then, _, _ = STATES["vacuum-overdue"]
    async with fresh(realistic_postgres) as (url, session), connected(url) as worker:
        await run(session, before, VACUUMED, then)
        await worker.execute("BEGIN; LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE")
        assert (await probe(url, context))["tables_vacuum_overdue"] == 0
        await worker.execute("ROLLBACK")
        assert (await probe(url, context))["tables_vacuum_overdue"] == 1


async def test_autovacuum_that_is_off(postgres_url: str, context: Context) -> None:
    """In a server that is made for speed, as tests like it."""
    async with fresh(postgres_url) as (url, _):
        finding = await alone(url, context, "postgres-autovacuum")
        values = await probe(url, context)
    assert finding.because == "autovacuum is off"
    assert set(METRICS) <= {name.removesuffix("_because") for name in values}


async def test_without_counters_nothing_is_told_of_rows(
    realistic_postgres: str, context: Context
) -> None:
    async with fresh(realistic_postgres) as (url, session):
        database = url.rpartition("/")[2]
        await session.execute(f"ALTER DATABASE {database} SET track_counts = off")
        findings = await judged(service(url), context, PROBES)
        await session.execute(f"ALTER DATABASE {database} RESET track_counts")
    assert troubled(findings) == {"postgres-autovacuum"}
    assert findings["postgres-autovacuum"].because == "track_counts is off"
    assert unknown(findings) == {
        *("postgres-dead-rows", "postgres-analyze-due", "postgres-analyzed"),
    }


async def test_a_role_without_privileges_sees_the_same(
    realistic_postgres: str, context: Context
) -> None:
    before, then, _, _ = STATES["dead-rows"]
    async with fresh(realistic_postgres) as (url, session):
        await run(session, before, VACUUMED, then)
        await session.execute("DROP ROLE IF EXISTS onlooker; CREATE ROLE onlooker LOGIN")
        mine = await probe(url, context)
        theirs = await probe(named(url, url.rpartition("/")[2], "onlooker"), context)
    assert mine == theirs


# Transaction ids


async def test_a_database_that_should_have_been_frozen(context: Context) -> None:
    """Subtransactions use up ids, and the transaction they are part of holds vacuum back."""
    settings = {"autovacuum_freeze_max_age": "100000"}
    burn = """
    DO $$ BEGIN
        FOR n IN 1..130000 LOOP
            BEGIN INSERT INTO t VALUES (n); EXCEPTION WHEN division_by_zero THEN NULL; END;
        END LOOP;
    END $$
    """
    with aged(settings=settings) as url:
        async with connected(url) as session:
            await session.execute("CREATE UNLOGGED TABLE t (a int); BEGIN")
            await session.execute(burn)
            finding = await alone(url, context, "postgres-freeze-age")
            await session.execute("ROLLBACK")
    assert finding.outcome == "warn"
    assert "and autovacuum must freeze at 100,000" in finding.because


@pytest.mark.parametrize(
    ("resets", "setting", "check", "because"),
    [
        (
            ("-x", "1700000000"),
            "autovacuum_freeze_max_age",
            "postgres-xid-wraparound",
            "79.2 % is beyond the limit of 74 %: xid age of database",
        ),
        (
            ("-m", "1700000000,1"),
            "autovacuum_multixact_freeze_max_age",
            "postgres-multixact-wraparound",
            "79.2 % is beyond the limit of 74 %: multixact age of database",
        ),
    ],
    ids=["xid", "multixact"],
)
async def test_ids_near_their_wraparound(
    resets: tuple[str, ...], setting: str, check: str, because: str, context: Context
) -> None:
    with aged(*resets, settings={setting: "2000000000"}) as url:
        finding = await alone(url, context, check)
    assert finding.outcome == "fail"
    assert finding.because.startswith(because)


async def test_a_busy_table_that_autoanalyze_keeps_up_with_is_not_overdue(context: Context) -> None:
    """Seconds after its visit a small table with much traffic is far beyond its threshold again."""
    often = {"autovacuum": "on", "autovacuum_naptime": "3s"}
    visited = "SELECT last_autoanalyze IS NOT NULL FROM pg_stat_all_tables WHERE relname = 'busy'"
    with postgres.running(settings=often) as url:
        async with connected(url) as session:
            await session.execute("CREATE TABLE busy (a int PRIMARY KEY)")
            await session.execute("INSERT INTO busy SELECT generate_series(1, 1000)")
            await until(lambda: session.fetchval(visited))
            await session.execute("INSERT INTO busy SELECT generate_series(1001, 30000)")
            await session.execute("SELECT pg_stat_force_next_flush()")
            values = await measure(service(url), Settings(), context)
    assert values["tables_analyze_overdue"] == 0, values.get("tables_analyze_overdue_because")
