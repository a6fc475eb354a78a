"""All probes of a Postgres together: nothing said of a clean one, and nothing changed in any."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydantic import SecretStr

from readiness.inventory import Service
from readiness.probes import Context
from tests import states
from tests.debian_postgres import (
    bouncer,
    connected,
    database,
    in_database,
    installed,
    kept_database,
    until,
)

pytestmark = pytest.mark.anyio

MINE = (
    *("postgres_health", "postgres_activity", "postgres_throughput", "postgres_statements"),
    *("postgres_security", "postgres_migrations", "postgres_queries"),
)
_TIMES = {"postgres-query-p95", "postgres-connect", "postgres-queries-p95"}
"""What a busy machine decides."""

_RELATIONS = """
SELECT format('%I.%I', n.nspname, c.relname)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_toast', 'information_schema')
  AND c.relpersistence = 'p'
ORDER BY 1
"""


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> str:
    """Debian's, which has pg_stat_statements, or else the wheel's."""
    url: str = request.getfixturevalue("debian_url" if installed() else "postgres_url")
    return url


@pytest.fixture(scope="module")
def shop(server: str) -> Iterator[str]:
    """A database as it should be: an application's role, statistics, migrations applied."""
    with kept_database(server) as url:
        yield url


def service(url: str) -> Service:
    probes = {
        "postgres_throughput": {"window": "100ms"},
        "postgres_queries": {
            "queries": {
                "count": {"sql": "SELECT count(*) FROM pg_class", "target": "10s"},
                "write": {"sql": "CREATE TABLE harm (id int)"},
                "sequence": {"sql": "SELECT nextval('public.tally')"},
            }
        },
    }
    return Service(name="db", kind="postgres", url=SecretStr(url), probes=probes)


async def contents(url: str) -> dict[str, str]:
    """Return a digest of every table, the catalogue's and the user's, and of the settings."""
    async with connected(url) as owner:
        names = [row[0] for row in await owner.fetch(_RELATIONS)]
        digest = "SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {} AS t"
        found = {name: await owner.fetchval(digest.format(name)) for name in names}
        settings = "SELECT name, setting FROM pg_settings WHERE source <> 'client'"
        found["settings"] = str([tuple(row) for row in await owner.fetch(settings)])
        sequences = "SELECT schemaname, sequencename, last_value FROM pg_sequences"
        found["sequences"] = str([tuple(row) for row in await owner.fetch(sequences)])
    return found


async def test_a_clean_default_has_no_finding(server: str, context: Context) -> None:
    async with database(server) as url:
        async with connected(in_database(server, url)) as owner:
            if installed():
                await owner.execute("CREATE EXTENSION pg_stat_statements")
        plain = Service(name="db", kind="postgres", url=SecretStr(url))
        assert set(MINE[:-1]) <= set(plain.expected_probes)
        findings = await states.judged(plain, replace(context, samples=100), MINE[:-1])
    lacking: set[str] = set() if installed() else {"postgres-statements-collected"}
    assert states.troubled(findings) - _TIMES == lacking
    assert states.unknown(findings) - _TIMES == set()


@pytest.mark.parametrize("role", ["application", "superuser", "pooled"])
async def test_neither_catalogue_nor_data_is_changed(
    role: str, server: str, shop: str, context: Context
) -> None:
    admin = in_database(server, shop)
    async with connected(admin) as owner:
        await owner.execute(
            "DROP TABLE IF EXISTS carts; CREATE TABLE carts AS SELECT generate_series(1, 9) AS id; "
            "DROP SEQUENCE IF EXISTS tally; CREATE SEQUENCE tally; "
            "DROP TABLE IF EXISTS alembic_version; "
            "CREATE TABLE alembic_version AS SELECT 'a1' AS version_num"
        )
        if installed():
            await owner.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        await owner.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC")
        await owner.execute("GRANT ALL ON SEQUENCE tally TO PUBLIC")
    before = await contents(admin)
    began = time.monotonic()
    if role == "pooled":
        with bouncer(shop) as url:
            findings = await states.judged(service(url), context)
    else:
        findings = await states.judged(service(shop if role == "application" else admin), context)
    assert time.monotonic() - began < 30
    assert await contents(admin) == before
    assert not {f.failure for f in findings.values()} - {None}
    assert findings["postgres-queries-answered"].outcome == "unknown"
    assert "public.carts" in before and before["sequences"].count("None") == 1


async def test_one_connection_at_any_time(server: str, shop: str, context: Context) -> None:
    """As the server sees it: a role that may have two finds one left for the application."""
    role = shop.rpartition("/")[2]
    async with connected(server) as owner:
        await owner.execute(f"ALTER ROLE {role} CONNECTION LIMIT 2")
        try:
            async with connected(shop) as application:
                findings = await states.judged(service(shop), replace(context, samples=10))
                assert await application.fetchval("SELECT 1") == 1
            assert findings["postgres-up"].outcome == "pass"
            assert not {f.failure for f in findings.values()} - {None}
        finally:
            await owner.execute(f"ALTER ROLE {role} CONNECTION LIMIT -1")


async def test_a_role_without_grants_is_told_what_to_grant(server: str, context: Context) -> None:
    async with (
        database(server, monitor=False) as url,
        connected(in_database(server, url)) as other,
    ):
        await other.execute("SELECT 1")
        findings = await states.judged(service(url), context)
    untold = {c: f.because for c, f in findings.items() if f.because.startswith("not tested: ")}
    for check in ("idle-in-transaction", "long-query", "long-transaction"):
        assert untold[f"postgres-{check}"].endswith("GRANT pg_monitor to the role")
    assert untold["postgres-slow-statements"].endswith("is not installed in this database")
    assert untold["postgres-trust-rules"].endswith("which only a superuser can grant")


async def test_a_server_that_is_gone_fails_every_probe(context: Context) -> None:
    gone = service("postgresql://u:p@127.0.0.1:1/x")
    for probe in MINE:
        measurement = await states.measured(gone, probe, context)
        assert measurement.failure and measurement.failure.kind == "refused", probe


async def test_no_probe_leaves_a_session(server: str, shop: str, context: Context) -> None:
    await states.judged(service(shop), context)
    async with connected(server) as owner:
        ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'readiness'"
        await until(owner, f"({ours}) = 0")
