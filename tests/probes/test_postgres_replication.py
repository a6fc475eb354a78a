"""A real primary and its real standby, slots, subscriptions: in order, and with one thing wrong."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

import asyncpg
import pytest

from readiness.demo import postgres
from readiness.finding import Finding
from readiness.inventory import Service
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes.postgres_replication import METRICS, Settings, measure
from tests.replicated import (
    PROBES,
    REALISTIC,
    connected,
    counted,
    fresh,
    named,
    service,
    standby,
    until,
)
from tests.states import judged, troubled, unknown

pytestmark = pytest.mark.anyio

ANY_LAG = {"target": "1us", "limit": "2us"}


class Pair(NamedTuple):
    primary: str
    standby: str


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """A primary and a standby that streams from it."""
    settings = {**REALISTIC, "synchronous_commit": "local"}
    with postgres.running(settings=settings) as primary, standby(primary, REALISTIC) as follower:
        yield Pair(primary, follower)


async def probe(url: str, context: Context, **settings: object) -> Values:
    return await measure(service(url), Settings.model_validate(settings), context)


async def alone(subject: Service, context: Context, check: str) -> Finding:
    """Return the finding on `check`, which is the only one there is."""
    findings = await judged(subject, context, PROBES)
    assert troubled(findings) == {check}
    assert not unknown(findings)
    return findings[check]


async def nothing(subject: Service, context: Context) -> dict[str, Finding]:
    findings = await judged(subject, context, PROBES)
    assert not troubled(findings) and not unknown(findings)
    return findings


async def replayed(pair: Pair) -> None:
    """Wait until the standby has replayed all, and its primary knows."""
    async with connected(pair.primary) as session:
        await session.execute("SELECT pg_logical_emit_message(true, 'test', 'all until here')")
        here = await session.fetchval("SELECT pg_current_wal_flush_lsn()")
        query = "SELECT coalesce(bool_and(replay_lsn >= $1), false) FROM pg_stat_replication"

        async def done() -> bool:
            return bool(await session.fetchval(query, here))

        await until(done)


@contextlib.asynccontextmanager
async def paused(pair: Pair) -> AsyncIterator[asyncpg.Connection]:
    """Hold up replay, once it has replayed a transaction; yield a session of the primary."""
    async with connected(pair.primary) as session, connected(pair.standby) as follower:
        await session.execute("SELECT txid_current()")
        await replayed(pair)
        await follower.execute("SELECT pg_wal_replay_pause()")

        async def holds() -> bool:
            state = await follower.fetchval("SELECT pg_get_wal_replay_pause_state()")
            return bool(state == "paused")

        try:
            await session.execute("SELECT txid_current()")  # the pause begins at a next record
            await until(holds)
            yield session
        finally:
            await follower.execute("SELECT pg_wal_replay_resume()")
            await replayed(pair)


@contextlib.asynccontextmanager
async def configured(url: str, name: str, value: str) -> AsyncIterator[asyncpg.Connection]:
    async with connected(url) as session:
        await session.execute("SET synchronous_commit = local")
        before = str(await session.fetchval(f"SHOW {name}")).replace("'", "''")
        await session.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        await session.execute("SELECT pg_reload_conf()")
        try:
            yield session
        finally:
            back = f"SET {name} = '{before}'" if name == "primary_conninfo" else f"RESET {name}"
            await session.execute(f"ALTER SYSTEM {back}")
            await session.execute("SELECT pg_reload_conf()")


async def write(session: asyncpg.Connection, megabytes: int = 2) -> None:
    """Write WAL and change nothing."""
    for _ in range(megabytes):
        await session.execute("SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000000))")


# A pair, and a server by itself


async def test_a_server_by_itself_has_nothing_to_replicate(
    realistic_postgres: str, context: Context
) -> None:
    findings = await nothing(service(realistic_postgres), context)
    outcomes = {f.outcome for f in findings.values() if f.probe == "postgres_replication"}
    assert outcomes == {"not_applicable"}


async def test_a_pair_in_order_has_no_finding(pair: Pair, context: Context) -> None:
    """Nor if the primary is idle, and the last transaction replayed grows old."""
    await replayed(pair)
    findings = await nothing(service(pair.primary), context)
    assert findings["postgres-replay-lag-bytes"].outcome == "pass"
    assert findings["postgres-replay-lag"].outcome == "pass"
    findings = await nothing(service(pair.standby), context)
    assert findings["postgres-receiver"].outcome == "pass"
    others = [f for f in findings.values() if f.probe == "postgres_archiving"]
    assert {f.outcome for f in others} == {"not_applicable"}, "its primary archives"
    exact = service(pair.standby, checks={"postgres-own-lag": ANY_LAG})
    assert (await nothing(exact, context))["postgres-own-lag"].measured == 0
    both = {**await probe(pair.primary, context), **await probe(pair.standby, context)}
    known = {name for name in METRICS if name in both}
    absent = {name for name in METRICS if name not in both}
    assert known | absent == set(METRICS)
    assert absent == {
        *("standbys_connected", "synchronous_connected"),
        *("slots_active", "slots_kept", "retained_bytes"),
        *("logical_lag_bytes", "subscriptions_working"),
    }


async def test_a_standby_that_lags_is_seen_from_its_primary(pair: Pair, context: Context) -> None:
    async with paused(pair) as session:
        await write(session)
        findings = await judged(service(pair.primary), context, PROBES)
    assert troubled(findings) == {"postgres-replay-lag-bytes"}
    assert unknown(findings) <= {"postgres-replay-lag"}, "if it never was late before"
    because = findings["postgres-replay-lag-bytes"].because
    assert because.endswith("standby walreceiver is streaming")


async def test_a_standby_that_lags_says_so_itself(pair: Pair, context: Context) -> None:
    async with paused(pair) as session:
        await write(session)
        await until(lambda: _behind(pair, context, 2_000_000))
        finding = await alone(service(pair.standby), context, "postgres-own-lag-bytes")
    assert finding.because.endswith("replay is paused")


async def _behind(pair: Pair, context: Context, at_least: int) -> bool:
    return int(str((await probe(pair.standby, context))["own_lag_bytes"])) > at_least


async def test_a_standby_that_is_late_says_so_itself(pair: Pair, context: Context) -> None:
    """A little WAL, but old."""
    async with paused(pair) as session:
        await session.execute("CREATE TABLE late_here (a int PRIMARY KEY); DROP TABLE late_here")
        await until(lambda: _behind(pair, context, 0))
        late = service(pair.standby, checks={"postgres-own-lag": ANY_LAG})
        finding = await alone(late, context, "postgres-own-lag")
    assert finding.because.endswith("replay is paused")


async def test_half_a_record_at_the_end_of_a_page_is_no_lag(pair: Pair, context: Context) -> None:
    """What no commit waits for is sent by whole pages, whose last record nobody can replay yet."""
    late = service(pair.standby, checks={"postgres-own-lag": ANY_LAG})
    await replayed(pair)
    async with connected(pair.primary) as session, session.transaction():

        async def cut() -> bool:
            """Whether the WAL sent ends within a record: more is written until it does."""
            await session.execute("SELECT pg_logical_emit_message(false, 't', repeat('x', 5000))")
            values = await probe(pair.standby, context)
            return bool(values["own_lag_bytes"]) and values["own_lag_ms"] == 0

        await until(cut)
        findings = await judged(late, context, PROBES)
    assert not troubled(findings)


async def test_a_standby_that_is_late_is_seen_from_its_primary(
    pair: Pair, context: Context
) -> None:
    late = service(pair.primary, checks={"postgres-replay-lag": ANY_LAG})
    found: list[Finding] = []

    async def told() -> bool:
        """Whether the primary still knows the lag of what was replayed last: it forgets it."""
        async with paused(pair) as session:
            await session.execute("SELECT pg_logical_emit_message(true, 'test', 'not replayed')")
            findings = await judged(late, context, PROBES)
        assert troubled(findings) | unknown(findings) <= {"postgres-replay-lag"}
        found.append(findings["postgres-replay-lag"])
        return found[-1].outcome == "fail"

    await until(told)
    assert found[-1].because.endswith("standby walreceiver")


async def test_a_standby_that_is_missing(pair: Pair, context: Context) -> None:
    wanted = {"postgres_replication": {"standbys": 2}}
    finding = await alone(service(pair.primary, probes=wanted), context, "postgres-standbys")
    assert finding.because == "1 of 2 are connected"
    there = {"postgres_replication": {"standbys": 1}}
    await nothing(service(pair.primary, probes=there), context)


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        ("nobody", True),
        ("FIRST 2 (walreceiver, nobody)", True),
        ("ANY 1 (nobody, walreceiver)", False),
        ("*", False),
    ],
)
async def test_the_standbys_that_commits_wait_for(
    names: str, missing: bool, pair: Pair, context: Context
) -> None:
    async with configured(pair.primary, "synchronous_standby_names", names) as session:
        there = "SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')"

        async def heard() -> bool:
            return bool(
                await session.fetchval("SHOW synchronous_standby_names") == names
                and ("walreceiver" not in names or await session.fetchval(there))
            )

        await until(heard)
        if missing:
            finding = await alone(service(pair.primary), context, "postgres-synchronous")
            assert "standby(s), and " in finding.because
        else:
            await until(lambda: _connected(pair, context))
            await nothing(service(pair.primary), context)


async def _connected(pair: Pair, context: Context) -> object:
    return (await probe(pair.primary, context))["synchronous_connected"]


async def test_a_standby_that_receives_nothing(pair: Pair, context: Context) -> None:
    """Whether it is behind nobody knows there: all that it has it has replayed."""
    async with configured(pair.standby, "primary_conninfo", "host=127.0.0.1 port=1"):

        async def gone() -> bool:
            return (await probe(pair.standby, context)).get("receiver_streaming") is False

        await until(gone)
        findings = await judged(service(pair.standby), context, PROBES)
        assert troubled(findings) == {"postgres-receiver"}
        assert not unknown(findings)
        assert findings["postgres-receiver"].because == "the WAL receiver is not running"
        assert findings["postgres-own-lag"].because.startswith("not tested: not connected")

    async def back() -> bool:
        return (await probe(pair.standby, context)).get("receiver_streaming") is True

    await until(back)


async def test_queries_that_replay_cancelled(pair: Pair, context: Context) -> None:
    async with (
        configured(pair.standby, "max_standby_streaming_delay", "0"),
        fresh(pair.primary) as (url, session),
    ):
        await session.execute("CREATE TABLE t AS SELECT n AS a FROM generate_series(1, 9) n")
        await session.execute("ALTER TABLE t ADD PRIMARY KEY (a)")
        await replayed(pair)
        database = url.rpartition("/")[2]
        async with connected(named(pair.standby, database)) as reader:
            await reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM t")
            await session.execute("DELETE FROM t")
            await session.execute("VACUUM t")
            await replayed(pair)
            with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
                await reader.execute("SELECT * FROM t")

        async def told() -> bool:
            return bool((await probe(pair.standby, context))["conflict_ratio"])

        await until(told)
        findings = await judged(service(pair.standby), context, PROBES)
        assert troubled(findings) == {"postgres-recovery-conflicts"}
        because = findings["postgres-recovery-conflicts"].because
        async with connected(named(pair.standby, database)) as follower:
            await follower.execute("SELECT pg_stat_reset()")
    assert "1 queries cancelled in " in because


# Slots


@contextlib.asynccontextmanager
async def slot(url: str, name: str) -> AsyncIterator[asyncpg.Connection]:
    async with connected(url) as session:
        await session.execute(f"SELECT pg_create_physical_replication_slot('{name}', true)")
        try:
            yield session
        finally:
            await session.execute(f"SELECT pg_drop_replication_slot('{name}')")


async def test_a_slot_that_nobody_uses(realistic_postgres: str, context: Context) -> None:
    at_once = service(realistic_postgres, probes={"postgres_replication": {"slot_grace": "0s"}})
    async with slot(realistic_postgres, "forgotten") as session:
        await write(session, 1)
        finding = await alone(at_once, context, "postgres-slots-active")
        assert finding.because.startswith("unused: forgotten holds ")
        await nothing(service(realistic_postgres), context)  # its reader may be back in a moment


async def test_a_slot_that_holds_nothing_is_no_finding(
    realistic_postgres: str, context: Context
) -> None:
    at_once = service(realistic_postgres, probes={"postgres_replication": {"slot_grace": "0s"}})
    async with connected(realistic_postgres) as session:
        await session.execute("SELECT pg_create_physical_replication_slot('unused')")
        try:
            await nothing(at_once, context)
        finally:
            await session.execute("SELECT pg_drop_replication_slot('unused')")


async def test_a_slot_that_has_lost_its_wal(realistic_postgres: str, context: Context) -> None:
    async with (
        configured(realistic_postgres, "max_slot_wal_keep_size", "1MB"),
        slot(realistic_postgres, "lost") as session,
    ):
        await write(session, 40)
        await session.execute("CHECKPOINT")
        finding = await alone(service(realistic_postgres), context, "postgres-slots-kept")
    assert finding.because == "lost: lost"


# Logical replication, within one server


@contextlib.asynccontextmanager
async def subscribed(url: str) -> AsyncIterator[tuple[str, asyncpg.Connection, asyncpg.Connection]]:
    """Yield a subscriber's URL, a session there and one at the publisher; `t` is replicated."""
    async with fresh(url) as (there, publisher), fresh(url) as (here, subscriber):
        parts = urlsplit(there)
        table = "CREATE TABLE t (a int PRIMARY KEY)"
        await publisher.execute(f"{table}; CREATE PUBLICATION p FOR TABLE t")
        await publisher.execute("SELECT pg_create_logical_replication_slot('s', 'pgoutput')")
        await subscriber.execute(table)
        where = f"host=127.0.0.1 port={parts.port} user=postgres dbname={parts.path[1:]}"
        try:
            await subscriber.execute(
                f"CREATE SUBSCRIPTION s CONNECTION '{where}' PUBLICATION p "
                "WITH (create_slot = false, copy_data = false)"
            )
            yield here, subscriber, publisher
        finally:
            await subscriber.execute("ALTER SUBSCRIPTION s DISABLE")
            await subscriber.execute("ALTER SUBSCRIPTION s SET (slot_name = NONE)")
            await subscriber.execute("DROP SUBSCRIPTION s")
            active = "SELECT active FROM pg_replication_slots WHERE slot_name = 's'"

            async def left() -> bool:
                return not await publisher.fetchval(active)

            await until(left)
            await publisher.execute("SELECT pg_drop_replication_slot('s')")


async def test_a_subscription_that_works_fails_and_is_disabled(
    realistic_postgres: str, context: Context
) -> None:
    async with subscribed(realistic_postgres) as (url, subscriber, publisher):

        async def is_(working: bool) -> bool:
            return (await probe(url, context)).get("subscriptions_working") is working

        await until(lambda: is_(True))
        await publisher.execute("INSERT INTO t VALUES (1)")

        async def applied() -> object:
            return await subscriber.fetchval("SELECT a FROM t")

        await until(applied)
        await nothing(service(url), context)
        await subscriber.execute("INSERT INTO t VALUES (2)")
        await publisher.execute("INSERT INTO t VALUES (2)")
        await until(lambda: is_(False))
        finding = await alone(service(url), context, "postgres-subscriptions")
        assert finding.because == "without a worker: s"
        await subscriber.execute("ALTER SUBSCRIPTION s DISABLE")
        finding = await alone(service(url), context, "postgres-subscriptions")
        assert finding.because == "disabled: s"


async def test_a_logical_consumer_that_is_slow(realistic_postgres: str, context: Context) -> None:
    slow = {"postgres-logical-lag": {"target": "100kB", "limit": "200kB"}}
    async with subscribed(realistic_postgres) as (url, subscriber, publisher):
        await until(lambda: _consumer(url, context))
        await subscriber.execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        await publisher.execute("INSERT INTO t VALUES (1)")
        waits = (
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 't'::regclass)"
        )

        async def stuck() -> object:
            return await subscriber.fetchval(waits)

        await until(stuck)
        await write(publisher, 1)
        there = service(named(url, "postgres"), checks=slow)
        finding = await alone(there, context, "postgres-logical-lag")
        assert finding.because.endswith("slot s")
        await subscriber.execute("ROLLBACK")


async def _consumer(url: str, context: Context) -> object:
    return (await probe(url, context))["has_logical_consumers"]


# Without privileges


async def test_without_privileges_lag_is_not_tested(pair: Pair, context: Context) -> None:
    async with connected(pair.primary) as session:
        await session.execute("CREATE ROLE passer LOGIN")
        await replayed(pair)
        findings = await judged(
            service(named(pair.primary, "postgres", "passer")), context, ["postgres_replication"]
        )
        lag = findings["postgres-replay-lag"]
        assert lag.outcome == "unknown"
        assert lag.because.startswith("not tested: no permission to see who is connected")
        assert not troubled(findings)
        findings = await judged(
            service(named(pair.standby, "postgres", "passer")), context, ["postgres_replication"]
        )
        assert unknown(findings) == {"postgres-receiver"}
        assert findings["postgres-own-lag-bytes"].outcome == "pass"
        await session.execute("GRANT pg_monitor TO passer")
        await replayed(pair)
        for url in pair:
            await nothing(service(named(url, "postgres", "passer")), context)
        await session.execute("DROP ROLE passer")
        await counted(session)
