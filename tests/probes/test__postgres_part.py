"""What all probes of a Postgres have in common: they read, change nothing, and cost little."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from readiness.demo import postgres
from readiness.measurement import Values
from readiness.probes import Context
from tests.piping import Pipe
from tests.probes.test_postgres_health import pooler
from tests.replicated import PROBES, REALISTIC, connected, fresh, service, serving
from tests.states import judged, measured, troubled, unknown

pytestmark = pytest.mark.anyio

_DEBIAN = Path("/usr/lib/postgresql/15/bin")
_MOVING = (
    "pg_stat_",
    "pg_statio_",
    "pg_locks",
    "pg_cursors",
    "pg_prepared",
    "pg_backend_",
    "pg_shmem",
    "pg_aios",
)
_SOME_OF_ALL = """
CREATE TABLE parent (id serial PRIMARY KEY, a int);
CREATE TABLE child (id int, parent int REFERENCES parent);
INSERT INTO parent SELECT n, n FROM generate_series(1, 20000) n;
INSERT INTO child SELECT n, n FROM generate_series(1, 20000) n;
CREATE INDEX one ON parent (a); CREATE INDEX two ON parent (a);
ALTER TABLE child ADD CHECK (id > 0) NOT VALID; DELETE FROM child WHERE id > 5000;
SELECT setval('parent_id_seq', 2147483000);
"""


async def everything(session: asyncpg.Connection) -> dict[str, object]:
    """Return a digest of every table of the catalogue and of the users', and where WAL is."""
    tables = await session.fetch(
        "SELECT c.oid::regclass::text AS name FROM pg_class c "
        "WHERE c.relkind IN ('r', 'v', 'S') AND c.relnamespace IN "
        "('pg_catalog'::regnamespace, 'public'::regnamespace) ORDER BY 1"
    )
    digests: dict[str, object] = {}
    for (name,) in tables:
        if not name.startswith(_MOVING):
            digests[name] = await session.fetchval(
                f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) "
                f"FROM (SELECT * FROM {name}) t"
            )
    digests["xid"] = await session.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
    return digests


async def all_values(url: str, context: Context) -> dict[str, Values]:
    found = {}
    for probe in PROBES:
        measurement = await measured(service(url), probe, context)
        assert measurement.failure is None
        found[probe] = dict(measurement.values)
    return found


async def test_nothing_is_changed_by_a_run(realistic_postgres: str, context: Context) -> None:
    async with fresh(realistic_postgres) as (url, session):
        await session.execute(_SOME_OF_ALL)
        before = await everything(session)
        await all_values(url, context)
        assert await everything(session) == before
        assert len(before) > 60
        await session.execute("UPDATE parent SET a = 0 WHERE id = 1")
        assert await everything(session) != before, "a change would have been seen"


async def test_behind_a_pooler_the_same_is_read(realistic_postgres: str, context: Context) -> None:
    async with fresh(realistic_postgres) as (url, session):
        await session.execute(_SOME_OF_ALL)
        direct = await all_values(url, context)
        async with Pipe(url, pooler).open() as pipe:
            pooled = await all_values(pipe.through(), context)
    for probe in PROBES:
        moving = {"mark_at", "next_mark_at"}
        assert {k: v for k, v in pooled[probe].items() if k not in moving} == {
            k: v for k, v in direct[probe].items() if k not in moving
        }


async def test_behind_a_pooler_one_part_that_fails_leaves_the_others(
    realistic_postgres: str, context: Context
) -> None:
    """An error ends the transaction that our session is there, but for what began after it."""
    async with fresh(realistic_postgres) as (url, session), connected(url) as holder:
        await session.execute(
            "CREATE TABLE t (id int PRIMARY KEY, a text); CREATE INDEX ON t (lower(a)); "
            "CREATE INDEX ON t (lower(a))"
        )
        await holder.execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        async with Pipe(url, pooler).open() as pipe:
            values = (
                await measured(
                    service(pipe.through()), "postgres_schema", replace(context, timeout=1.0)
                )
            ).values
        await holder.execute("ROLLBACK")
    assert str(values["duplicate_indexes_because"]).startswith("not tested: ")
    assert values["unused_indexes"] == 0


async def test_one_connection_each(realistic_postgres: str, context: Context) -> None:
    counter = "SELECT sessions FROM pg_stat_database WHERE datname = current_database()"
    async with fresh(realistic_postgres) as (url, session):
        before = await session.fetchval(counter)
        await all_values(url, context)
        after = await session.fetchval(counter)
    assert 1 <= after - before <= len(PROBES) + 1, "and the session before ours, told late"


@pytest.fixture
def older() -> Iterator[str]:
    """The URL of a Postgres 15, where Debian's is installed."""
    if not (_DEBIAN / "postgres").exists():
        pytest.skip("there is no Postgres 15 of Debian's on this machine")
    with tempfile.TemporaryDirectory(prefix="readiness-older-") as name:
        folder = Path(name)
        data = postgres._initialise(_DEBIAN, folder, postgres._account(), None, 30)
        with serving(_DEBIAN, data, folder, REALISTIC, 30) as port:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"


async def test_an_older_server_is_read_too(older: str, context: Context) -> None:
    findings = await judged(service(older), context, PROBES)
    assert not troubled(findings) and not unknown(findings)
    async with connected(older) as session:
        await session.execute(_SOME_OF_ALL)
        await session.execute("SELECT pg_create_physical_replication_slot('idle', true)")
        await session.execute("SELECT pg_stat_force_next_flush()")
    findings = await judged(service(older), context, PROBES)
    assert not unknown(findings)
    assert troubled(findings) == {
        *("postgres-constraints-validated", "postgres-primary-keys", "postgres-indexes-distinct"),
        *("postgres-sequences", "postgres-dead-rows", "postgres-vacuum-due", "postgres-analyzed"),
        "postgres-slots-active",
    }


@pytest.mark.thorough
@pytest.mark.light
async def test_ten_thousand_tables_are_read_quickly(context: Context) -> None:
    settings = {**REALISTIC, "max_locks_per_transaction": "1024"}
    with postgres.running(settings=settings) as url:
        async with connected(url) as session:
            for start in range(0, 10_000, 1000):
                await session.execute(f"""
                DO $$ BEGIN FOR n IN {start}..{start + 999} LOOP
                    EXECUTE format('CREATE TABLE t%s (id serial PRIMARY KEY, a int, b text,
                        parent int %s)', n,
                        CASE WHEN n % 2 = 1 THEN format('REFERENCES t%s', n - 1) END);
                    EXECUTE format('CREATE INDEX ON t%s (parent)', n);
                    EXECUTE format('CREATE INDEX ON t%s (a, b)', n);
                END LOOP; END $$
                """)
        context = replace(context, deadline=time.monotonic() + 60)
        took = {}
        for probe in PROBES:
            began = time.perf_counter()
            measurement = await measured(service(url), probe, context)
            took[probe] = time.perf_counter() - began
            assert measurement.failure is None
            assert not [v for v in measurement.values.values() if "not tested" in str(v)]
        assert max(took.values()) < 3.0, took
