"""Schemas of a real Postgres, each with one thing missing, and odd ones that are right."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes.postgres_schema import METRICS, Settings, measure
from tests.replicated import PROBES, connected, counted, fresh, named, service, until
from tests.states import judged, troubled, unknown

pytestmark = pytest.mark.anyio

PARENT = "CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent VALUES (1);"
CHILD = f"{PARENT} CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent);"
MANY = "INSERT INTO child SELECT n, 1 FROM generate_series(1, 10000) n; ANALYZE;"

STATES = {
    "failed-concurrent-build": (
        "CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1), (2, 1)",
        "postgres-indexes-valid",
        "public.t_a_idx",
    ),
    "partition-without-the-index": (
        "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id); "
        "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (9); "
        "ALTER TABLE t ADD a int; CREATE INDEX incomplete ON ONLY t (a)",
        "postgres-indexes-valid",
        "public.incomplete",
    ),
    "check-not-valid": (
        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (-1); "
        "ALTER TABLE t ADD CONSTRAINT positive CHECK (id > 0) NOT VALID",
        "postgres-constraints-validated",
        "positive on public.t",
    ),
    "foreign-key-not-valid": (
        f"{PARENT} CREATE TABLE child (id int PRIMARY KEY); "
        "ALTER TABLE child ADD CONSTRAINT kept FOREIGN KEY (id) REFERENCES parent NOT VALID",
        "postgres-constraints-validated",
        "kept on public.child",
    ),
    "not-null-not-valid": (
        "CREATE TABLE t (id int PRIMARY KEY, a int); "
        "ALTER TABLE t ADD CONSTRAINT given NOT NULL a NOT VALID",
        "postgres-constraints-validated",
        "given on public.t",
    ),
    "domain-not-valid": (
        "CREATE DOMAIN age AS int; ALTER DOMAIN age ADD CONSTRAINT grown CHECK (value > 17) "
        "NOT VALID",
        "postgres-constraints-validated",
        "grown on domain public.age",
    ),
    "no-key": (
        "CREATE TABLE t (id int); CREATE UNIQUE INDEX ON t (id)",
        "postgres-primary-keys",
        "1 misses the target of 0, within the limit of 5: public.t",
    ),
    "no-key-in-parts": (
        "CREATE TABLE t (id int) PARTITION BY RANGE (id); "
        "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (9); "
        "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (9) TO (19)",
        "postgres-primary-keys",
        "1 misses the target of 0, within the limit of 5: public.t",
    ),
    "unique-on-part-of-it": (
        "CREATE TABLE t (id int NOT NULL); CREATE UNIQUE INDEX ON t (id) WHERE id > 0",
        "postgres-primary-keys",
        "public.t",
    ),
    "foreign-key-without-index": (
        f"{CHILD} {MANY}",
        "postgres-foreign-keys-indexed",
        "public.child (parent)",
    ),
    "foreign-key-second-in-index": (
        f"{CHILD} CREATE INDEX ON child (id, parent); {MANY}",
        "postgres-foreign-keys-indexed",
        "public.child (parent)",
    ),
    "foreign-key-indexed-in-part": (
        f"{CHILD} CREATE INDEX ON child (parent) WHERE id > 5000; {MANY}",
        "postgres-foreign-keys-indexed",
        "public.child (parent)",
    ),
    "foreign-key-of-partitions": (
        f"{PARENT} CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent) "
        "PARTITION BY RANGE (id); "
        "CREATE TABLE c1 PARTITION OF child FOR VALUES FROM (0) TO (6000); "
        f"CREATE TABLE c2 PARTITION OF child FOR VALUES FROM (6000) TO (20000); {MANY}",
        "postgres-foreign-keys-indexed",
        "1 misses the target of 0, within the limit of 5: public.child (parent)",
    ),
    "same-index-twice": (
        "CREATE TABLE t (id int PRIMARY KEY, a int, b int); "
        "CREATE INDEX first ON t (a, b); CREATE INDEX second ON t (a, b)",
        "postgres-indexes-distinct",
        "public.second (as first)",
    ),
    "index-beside-the-key": (
        "CREATE TABLE t (id int PRIMARY KEY); CREATE INDEX again ON t (id)",
        "postgres-indexes-distinct",
        "public.again (as t_pkey)",
    ),
    "unique-beside-the-key": (
        "CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t ADD CONSTRAINT again UNIQUE (id)",
        "postgres-indexes-distinct",
        "public.again (as t_pkey)",
    ),
    "same-expression-twice": (
        "CREATE TABLE t (id int PRIMARY KEY, a text); CREATE INDEX one ON t (lower(a)) "
        "WHERE a <> ''; CREATE INDEX  two  ON t (  lower(a)) WHERE a <> ''",
        "postgres-indexes-distinct",
        "public.two (as one)",
    ),
}

RIGHT = f"""
{CHILD} CREATE INDEX ON child (parent, id); {MANY}
CREATE TABLE optional (id int PRIMARY KEY, parent int REFERENCES parent);
CREATE INDEX ON optional (parent) WHERE parent IS NOT NULL;
INSERT INTO optional SELECT n FROM generate_series(1, 10000) n;
CREATE TABLE pair (a int, b int, PRIMARY KEY (a, b));
CREATE TABLE of_pair (id int PRIMARY KEY, a int, b int, c int, FOREIGN KEY (a, b) REFERENCES pair);
CREATE INDEX ON of_pair (b, a, c);
INSERT INTO of_pair SELECT n FROM generate_series(1, 10000) n;
CREATE TABLE unique_instead (id int NOT NULL UNIQUE);
CREATE TABLE parts (id int PRIMARY KEY, parent int REFERENCES parent) PARTITION BY RANGE (id);
CREATE INDEX ON parts (parent);
CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (20000);
INSERT INTO parts SELECT n, 1 FROM generate_series(1, 10000) n;
CREATE UNLOGGED TABLE buffer (id int);
CREATE TEMPORARY TABLE mine (id int);
CREATE TABLE databasechangelog (id text);
CREATE TABLE knex_migrations_lock (is_locked int);
CREATE TABLE small (id int PRIMARY KEY, parent int REFERENCES parent);
CREATE TABLE alike (id int PRIMARY KEY, a int, b text, CONSTRAINT slow UNIQUE (id) DEFERRABLE);
CREATE INDEX ON alike (a); CREATE INDEX ON alike (a DESC); CREATE INDEX ON alike (a, b);
CREATE INDEX ON alike (a) INCLUDE (b); CREATE INDEX ON alike USING hash (a);
CREATE INDEX ON alike (b); CREATE INDEX ON alike (b text_pattern_ops);
CREATE INDEX ON alike (b COLLATE "C"); CREATE INDEX ON alike (a) WHERE a > 0;
CREATE UNIQUE INDEX ON alike (b); CREATE UNIQUE INDEX ON alike (b) NULLS NOT DISTINCT;
DROP INDEX alike_b_idx;
ALTER TABLE alike ADD CONSTRAINT fact CHECK (a > 0) NOT ENFORCED;
ANALYZE
"""
"""What looks like a fault and is none."""

BIG = """
CREATE TABLE big (id int PRIMARY KEY, a int, b int);
INSERT INTO big SELECT n, n, n FROM generate_series(1, 60000) n;
CREATE INDEX unused ON big (a);
ANALYZE
"""


async def probe(url: str, context: Context, **settings: int) -> Values:
    return await measure(service(url), Settings.model_validate(settings), context)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("state", STATES)
async def test_a_bad_state_is_caught_by_its_check_alone(
    state: str, realistic_postgres: str, context: Context
) -> None:
    statements, check, because = STATES[state]
    async with fresh(realistic_postgres) as (url, session):
        await session.execute(statements)
        if state == "failed-concurrent-build":
            with pytest.raises(asyncpg.UniqueViolationError):
                await session.execute("CREATE UNIQUE INDEX CONCURRENTLY ON t (a)")
        findings = await judged(service(url), context, PROBES)
        assert troubled(findings) == {check}
        assert findings[check].because.endswith(because)
        assert not unknown(findings)


async def test_a_clean_database_has_no_finding(realistic_postgres: str, context: Context) -> None:
    async with fresh(realistic_postgres) as (url, _):
        findings = await judged(service(url), context, PROBES)
        assert not troubled(findings) and not unknown(findings)
        values = await probe(url, context)
    assert set(values) == set(METRICS)


async def test_what_is_odd_but_right_has_no_finding(
    realistic_postgres: str, context: Context
) -> None:
    async with fresh(realistic_postgres) as (url, session):
        await session.execute(RIGHT)
        findings = await judged(service(url), context, PROBES)
        assert not troubled(findings) and not unknown(findings)
        values = await probe(url, context)
        assert values["small_unindexed_foreign_keys"] == 1
        assert values["small_unindexed_foreign_keys_because"] == "public.small (parent)"


async def test_many_are_counted_and_few_are_named(
    realistic_postgres: str, context: Context
) -> None:
    async with fresh(realistic_postgres) as (url, session):
        await session.execute("".join(f"CREATE TABLE t{n:02} (a int);" for n in range(50)))
        values = await probe(url, context)
    assert values["tables_without_primary_key"] == 50
    told = "public.t00, public.t01, public.t02 and 47 more"
    assert values["tables_without_primary_key_because"] == told


async def test_a_name_may_hold_anything(realistic_postgres: str, context: Context) -> None:
    async with fresh(realistic_postgres) as (url, session):
        await session.execute('CREATE TABLE "a\n\u001b[31mb\u2028\u00e9{x}" (id int)')
        values = await probe(url, context)
    assert values["tables_without_primary_key_because"] == "public.a??[31mb?\u00e9{x}"


# What is under way


@contextlib.asynccontextmanager
async def under_way(url: str, statement: str) -> AsyncIterator[None]:
    """Keep `statement`, which waits for all older transactions, waiting for ours."""
    async with connected(url) as holder, connected(url) as builder:
        await holder.execute("BEGIN; LOCK TABLE t IN ROW EXCLUSIVE MODE; SELECT txid_current()")
        task = asyncio.create_task(builder.execute(statement))

        async def waiting() -> bool:
            query = "SELECT EXISTS (SELECT FROM pg_index WHERE NOT indisvalid)"
            return bool(await holder.fetchval(query))

        try:
            await until(waiting)
            yield
        finally:
            await holder.execute("ROLLBACK")
            await task


@pytest.mark.parametrize("user", ["", "watcher"])
@pytest.mark.parametrize(
    "statement", ["CREATE INDEX CONCURRENTLY ON t (a)", "DROP INDEX CONCURRENTLY here"]
)
async def test_an_index_being_built_or_dropped_is_no_finding(
    statement: str, user: str, realistic_postgres: str, context: Context
) -> None:
    async with fresh(realistic_postgres) as (url, session):
        await session.execute("CREATE TABLE t (id int PRIMARY KEY, a int, b int)")
        await session.execute("CREATE INDEX here ON t (b)")
        if user:
            await session.execute(f"DROP ROLE IF EXISTS {user}; CREATE ROLE {user} LOGIN")
        seen = named(url, url.rpartition("/")[2], user)
        async with under_way(url, statement):
            values = await probe(seen, context)
        assert (values["indexes_valid"], values["indexes_being_built"]) == (True, 1)
        values = await probe(seen, context)
        assert (values["indexes_valid"], values["indexes_being_built"]) == (True, 0)


# Unused indexes


def long_ago(xid: int, days: int = 40) -> Values:
    at = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    return {"mark_xid": str(xid), "mark_at": at, "next_mark_xid": str(xid), "next_mark_at": at}


async def transaction(session: asyncpg.Connection) -> int:
    return int(await session.fetchval("SELECT txid_current()"))


async def test_an_index_nobody_used_since_long_ago(
    realistic_postgres: str, context: Context
) -> None:
    async with fresh(realistic_postgres) as (url, session):
        await session.execute(BIG)
        earlier = replace(context, previous=long_ago(await transaction(session)))
        findings = await judged(service(url), earlier, PROBES)
        assert troubled(findings) == {"postgres-indexes-used"}
        assert findings["postgres-indexes-used"].because.endswith("5: public.unused")
        await session.execute("SET enable_seqscan = off; SELECT count(*) FROM big WHERE a = 7")
        await counted(session)
        findings = await judged(service(url), earlier, PROBES)
        assert findings["postgres-indexes-used"].outcome == "pass"


async def test_an_index_of_this_release_is_not_unused(
    realistic_postgres: str, context: Context
) -> None:
    """It was made after the mark of the earlier run."""
    async with fresh(realistic_postgres) as (url, session):
        earlier = long_ago(await transaction(session))
        await session.execute(BIG)
        values = await probe(url, replace(context, previous=earlier))
        assert (values["index_use_known"], values["unused_indexes"]) == (True, 0)


async def test_without_an_earlier_run_use_is_not_tested(
    realistic_postgres: str, context: Context
) -> None:
    async with fresh(realistic_postgres) as (url, session):
        await session.execute(BIG)
        findings = await judged(service(url), context, PROBES)
        assert not troubled(findings)
        used = findings["postgres-indexes-used"]
        assert used.outcome == "not_applicable"
        assert used.because.startswith("not tested: never scanned here: public.unused, but whether")
        first = await probe(url, context)
        later = await probe(url, replace(context, previous=first))
        assert later["mark_xid"] == first["mark_xid"], "kept until it is old enough"
        old = long_ago(int(str(first["mark_xid"])), 30)
        values = await probe(url, replace(context, previous=old))
        assert values["mark_at"] == old["mark_at"] and values["index_use_known"] is False
        other = replace(context, previous=long_ago(1 << 40))
        assert (await probe(url, other))["mark_xid"] != str(1 << 40), "another server's mark"


async def test_scans_counted_for_too_short_a_time_or_elsewhere_are_not_tested(
    realistic_postgres: str, context: Context
) -> None:
    async with fresh(realistic_postgres) as (url, session):
        await session.execute(BIG)
        earlier = replace(context, previous=long_ago(await transaction(session)))
        await session.execute("SELECT pg_create_physical_replication_slot('follower')")
        values = await probe(url, earlier)
        await session.execute("SELECT pg_drop_replication_slot('follower')")
        assert str(values["index_use_known_because"]).endswith("by standbys are counted there")
        await session.execute("SELECT pg_stat_reset()")
        values = await probe(url, earlier)
        assert "scans are counted only since" in str(values["index_use_known_because"])
        assert "unused_indexes" not in values


async def test_what_enforces_serves_a_foreign_key_or_is_small_has_its_use(
    realistic_postgres: str, context: Context
) -> None:
    async with fresh(realistic_postgres) as (url, session):
        await session.execute(
            BIG.replace("INDEX unused", "UNIQUE INDEX enforced")
            + "; ALTER TABLE big ADD FOREIGN KEY (b) REFERENCES big; CREATE INDEX ON big (b);"
            "CREATE TABLE small (id int PRIMARY KEY, a int); CREATE INDEX ON small (a); ANALYZE"
        )
        values = await probe(url, context)
        assert (values["index_use_known"], values["unused_indexes"]) == (True, 0)


# What it may not read, and what it leaves as it was


async def test_a_role_without_privileges_sees_the_same(
    realistic_postgres: str, context: Context
) -> None:
    async with fresh(realistic_postgres) as (url, session):
        await session.execute(f"{CHILD} {MANY} CREATE TABLE t (id int)")
        await session.execute("DROP ROLE IF EXISTS looker; CREATE ROLE looker LOGIN")
        mine = await probe(url, context)
        theirs = await probe(named(url, url.rpartition("/")[2], "looker"), context)
    differing = {"mark_xid", "mark_at", "next_mark_xid", "next_mark_at"}
    assert {k: v for k, v in mine.items() if k not in differing} == {
        k: v for k, v in theirs.items() if k not in differing
    }


async def test_a_statement_that_takes_too_long_is_not_tested_and_the_rest_is(
    realistic_postgres: str, context: Context
) -> None:
    """A predicate is written out under a lock on its table, which somebody else holds."""
    async with fresh(realistic_postgres) as (url, session), connected(url) as holder:
        await session.execute(STATES["same-expression-twice"][0])
        await holder.execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        values = await probe(url, replace(context, timeout=0.5))
        await holder.execute("ROLLBACK")
    assert str(values["duplicate_indexes_because"]).startswith("not tested: ")
    assert "duplicate_indexes" not in values
    assert values["tables_without_primary_key"] == 0
