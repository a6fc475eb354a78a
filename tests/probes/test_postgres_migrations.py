"""Tables as the tools leave them, in each bad state, compared with folders as they are written."""

import contextlib
import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from readiness.finding import Finding
from readiness.inventory import Service
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes._migration_tables import flyway_version
from readiness.probes.postgres_migrations import METRICS, Settings, measure
from tests import states
from tests.debian_postgres import as_role, connected, kept_database

pytestmark = pytest.mark.anyio

ALEMBIC = "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)"
DJANGO = "CREATE TABLE django_migrations (id serial, app text, name text, applied timestamptz)"
FLYWAY = """CREATE TABLE flyway_schema_history (installed_rank int PRIMARY KEY, version text,
    description text, type text, script text, checksum int, installed_by text,
    installed_on timestamp DEFAULT now(), execution_time int, success bool)"""
PRISMA = """CREATE TABLE _prisma_migrations (id text, checksum text, finished_at timestamptz,
    migration_name text, logs text, rolled_back_at timestamptz, started_at timestamptz)"""
KNEX = """CREATE TABLE knex_migrations (id serial, name text, batch int, migration_time date);
    CREATE TABLE knex_migrations_lock (index serial, is_locked int);
    INSERT INTO knex_migrations_lock (is_locked) VALUES (0)"""
GOLANG = "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean)"
RAILS = "CREATE TABLE schema_migrations (version varchar PRIMARY KEY)"


@pytest.fixture(scope="module")
def shop(postgres_url: str) -> Iterator[str]:
    with kept_database(postgres_url) as url:
        yield url


@contextlib.asynccontextmanager
async def holding(url: str, *statements: str) -> AsyncIterator[None]:
    """Keep what a tool leaves behind in its database, for a while."""
    async with connected(url) as owner:
        await owner.execute("CREATE SCHEMA public2; SET search_path = public2")
        for statement in statements:
            await owner.execute(statement)
        try:
            yield
        finally:
            await owner.execute("DROP SCHEMA public2 CASCADE")


def put(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())


def subject(url: str, **settings: Any) -> Service:
    probes = {"postgres_migrations": settings}
    return Service(name="db", kind="postgres", url=SecretStr(url), probes=probes)


async def found(url: str, context: Context, **settings: Any) -> Mapping[str, Finding]:
    return await states.judged(subject(url, **settings), context, ["postgres_migrations"])


async def probe(url: str, context: Context, **settings: Any) -> Values:
    return await measure(subject(url), Settings.model_validate(settings), context)


def flyway(rank: int, version: str | None, script: str, sum_: str, **more: Any) -> str:
    row = {"type": "SQL", "success": True, "description": script} | more
    number = f"'{version}'" if version else "NULL"
    return (
        "INSERT INTO flyway_schema_history (installed_rank, version, description, type, script, "
        f"checksum, success) VALUES ({rank}, {number}, '{row['description']}', '{row['type']}', "
        f"'{script}', {sum_}, {row['success']})"
    )


def prisma(name: str, sum_: str, finished: str = "now()", more: str = "NULL, NULL") -> str:
    return (
        "INSERT INTO _prisma_migrations (id, migration_name, checksum, finished_at, logs, "
        f"rolled_back_at) VALUES ('{name}', '{name}', '{sum_}', {finished}, {more})"
    )


SQL = "CREATE TABLE carts (id int);\n"
SUM = hashlib.sha256(SQL.encode()).hexdigest()

TOOLS: dict[str, tuple[list[str], dict[str, str]]] = {
    "alembic": (
        [ALEMBIC, "INSERT INTO alembic_version VALUES ('c3')"],
        {
            "env.py": "from alembic import context",
            "versions/a1.py": "revision = 'a1'\ndown_revision = None\n",
            "versions/b2.py": "revision: str = 'b2'\ndown_revision: str | None = 'a1'\n",
            "versions/b9.py": "revision = 'b9'\ndown_revision = 'a1'\n",
            "versions/c3.py": "revision = 'c3'\ndown_revision = ('b2', 'b9')\ndepends_on = 'z1'\n",
            "versions/z1.py": "revision = 'z1'\ndown_revision = None\n",
        },
    ),
    "django": (
        [
            DJANGO,
            "INSERT INTO django_migrations (app, name) VALUES ('auth', '0001_initial'), "
            "('shop', '0001_initial'), ('shop', '0002_price')",
        ],
        {
            "shop/migrations/__init__.py": "",
            "shop/migrations/0001_initial.py": "class Migration(migrations.Migration): ...\n",
            "shop/migrations/0002_price.py": "class Migration(migrations.Migration): ...\n",
            "shop/migrations/0001_squashed_0002.py": "class Migration(migrations.Migration):\n"
            "    replaces = [('shop', '0001_initial'), ('shop', '0002_price')]\n",
        },
    ),
    "flyway": (
        [
            FLYWAY,
            flyway(1, "1", "<< Flyway Baseline >>", "NULL", type="BASELINE"),
            flyway(2, "1.1", "V1_1__carts.sql", "-754808843"),
            flyway(3, None, "R__views.sql", "-1665099012", description="views"),
        ],
        {
            "sql/V1__old.sql": "SELECT 0;",
            "sql/V1_1__carts.sql": SQL,
            "sql/R__views.sql": "SELECT 1;\r\nSELECT 2;\r\n",
            "sql/U1_1__carts.sql": "DROP TABLE carts;",
        },
    ),
    "prisma": (
        [
            PRISMA,
            prisma("20260101_carts", SUM),
            prisma("20260102_undone", SUM, "NULL", "'it failed', now()"),
        ],
        {"20260101_carts/migration.sql": SQL, "migration_lock.toml": "provider = 'postgresql'"},
    ),
    "knex": (
        [KNEX, "INSERT INTO knex_migrations (name) VALUES ('20260101_carts.js')"],
        {"20260101_carts.ts": "exports.up = ...", "20260101_carts.d.ts": ""},
    ),
    "golang-migrate": (
        [GOLANG, "INSERT INTO schema_migrations VALUES (2, false)"],
        {
            "000001_carts.up.sql": SQL,
            "000001_carts.down.sql": "DROP TABLE carts",
            "000002_price.up.sql": SQL,
        },
    ),
    "rails": (
        [RAILS, "INSERT INTO schema_migrations VALUES ('20260101000000')"],
        {"20260101000000_create_carts.rb": "class CreateCarts"},
    ),
}
"""Tool -> what it leaves in a database that is where the files lead, and the files."""

WORSE: dict[str, tuple[list[str], dict[str, str], str, str]] = {
    "alembic": (
        ["UPDATE alembic_version SET version_num = 'b2'"],
        {},
        "postgres-migrations-applied",
        "not applied: b9; c3; z1",
    ),
    "alembic-unknown": (
        ["INSERT INTO alembic_version VALUES ('f00')"],
        {},
        "postgres-migrations-known",
        "f00",
    ),
    "django": (
        [],
        {"shop/migrations/0003_tax.py": "class Migration(migrations.Migration): ...\n"},
        "postgres-migrations-applied",
        "not applied: shop.0003_tax",
    ),
    "django-unknown": (
        ["INSERT INTO django_migrations (app, name) VALUES ('shop', '0003_gone')"],
        {},
        "postgres-migrations-known",
        "shop.0003_gone",
    ),
    "flyway": (
        [flyway(4, "2", "V2__price.sql", "7", success=False)],
        {"sql/V2__price.sql": SQL},
        "postgres-migrations-clean",
        "public2.flyway_schema_history: 2 failed",
    ),
    "flyway-pending": (
        [],
        {"sql/V2__price.sql": SQL},
        "postgres-migrations-applied",
        "not applied: V2__price.sql",
    ),
    "flyway-changed": (
        [],
        {"sql/V1_1__carts.sql": SQL + "-- and more"},
        "postgres-migrations-known",
        "V1_1__carts.sql (changed since)",
    ),
    "flyway-repeatable": (
        [],
        {"sql/R__views.sql": "SELECT 3;"},
        "postgres-migrations-applied",
        "R__views.sql (changed since)",
    ),
    "flyway-unknown": (
        [flyway(4, "1.5", "V1_5__gone.sql", "7")],
        {},
        "postgres-migrations-known",
        "1.5",
    ),
    "flyway-undone": (
        [flyway(4, "1.1", "U1_1__carts.sql", "7", type="UNDO_SQL")],
        {},
        "postgres-migrations-applied",
        "not applied: V1_1__carts.sql",
    ),
    "prisma": (
        [prisma("20260103_price", SUM, "NULL", "'ERROR: c4nary', NULL")],
        {"20260103_price/migration.sql": SQL},
        "postgres-migrations-clean",
        "public2._prisma_migrations: 20260103_price failed",
    ),
    "prisma-unfinished": (
        [prisma("20260101_carts", SUM, "NULL")],
        {},
        "postgres-migrations-clean",
        "20260101_carts never finished",
    ),
    "prisma-changed": (
        [],
        {"20260101_carts/migration.sql": SQL + "--"},
        "postgres-migrations-known",
        "20260101_carts (changed since)",
    ),
    "knex": (
        [],
        {"20260102_price.ts": "exports.up = ..."},
        "postgres-migrations-applied",
        "not applied: 20260102_price.ts",
    ),
    "knex-locked": (
        ["UPDATE knex_migrations_lock SET is_locked = 1"],
        {},
        "postgres-migrations-clean",
        "public2.knex_migrations_lock: the lock is held",
    ),
    "knex-unknown": (
        ["INSERT INTO knex_migrations (name) VALUES ('20260105_gone.js')"],
        {},
        "postgres-migrations-known",
        "20260105_gone",
    ),
    "golang-migrate": (
        ["UPDATE schema_migrations SET dirty = true"],
        {},
        "postgres-migrations-clean",
        "public2.schema_migrations: version 2 is dirty",
    ),
    "golang-migrate-pending": (
        ["UPDATE schema_migrations SET version = 1"],
        {},
        "postgres-migrations-applied",
        "not applied: 000002_price.up.sql",
    ),
    "golang-migrate-unknown": (
        ["UPDATE schema_migrations SET version = 9"],
        {},
        "postgres-migrations-known",
        "9",
    ),
    "rails": (
        [],
        {"20260201000000_add_price.rb": "class AddPrice"},
        "postgres-migrations-applied",
        "not applied: 20260201000000_add_price.rb",
    ),
    "rails-unknown": (
        ["INSERT INTO schema_migrations VALUES ('20260301000000')"],
        {},
        "postgres-migrations-known",
        "20260301000000",
    ),
}
"""Tool and state -> what makes it, the check that finds it, and how its because ends."""


@pytest.mark.parametrize("tool", TOOLS)
async def test_a_database_where_its_files_lead(
    tool: str, shop: str, context: Context, tmp_path: Path
) -> None:
    statements, files = TOOLS[tool]
    put(tmp_path / "db", files)
    async with holding(shop, *statements):
        here = replace(context, folder=tmp_path)
        values = await probe(shop, here, folder="db")
        findings = await found(shop, here, folder="db")
    assert set(METRICS) == set(values)
    assert {f.outcome for f in findings.values()} == {"pass"}, values
    assert str(values["tools"]).startswith(f"{tool} (public2.")


@pytest.mark.parametrize("state", WORSE)
async def test_a_database_that_differs(
    state: str, shop: str, context: Context, tmp_path: Path
) -> None:
    tool = next(tool for tool in TOOLS if state == tool or state.startswith(f"{tool}-"))
    statements, files = TOOLS[tool]
    more, other, check, because = WORSE[state]
    put(tmp_path, {**files, **other})
    async with holding(shop, *statements, *more):
        findings = await found(shop, replace(context, folder=tmp_path), folder=".")
    assert states.troubled(findings) == {check}
    assert not states.unknown(findings)
    told = findings[check].because
    assert told.endswith(because)
    assert "c4nary" not in told


async def test_nothing_found_nothing_declared_is_not_applicable(
    shop: str, context: Context
) -> None:
    findings = await found(shop, context)
    assert {f.outcome for f in findings.values()} == {"not_applicable"}


async def test_a_folder_and_no_table(shop: str, context: Context, tmp_path: Path) -> None:
    put(tmp_path, TOOLS["prisma"][1])
    findings = await found(shop, replace(context, folder=tmp_path), folder=".")
    assert states.troubled(findings) == {"postgres-migrations-applied"}
    because = "not applied: 20260101_carts"
    assert findings["postgres-migrations-applied"].because == because


@pytest.mark.parametrize(
    ("settings", "because"),
    [
        ({"folder": "nowhere"}, "not tested: there is no folder nowhere"),
        ({"folder": "empty"}, "not tested: no migrations were recognised in empty"),
        ({"folder": ".", "tool": "rails"}, "not tested: no migrations were recognised in ."),
        (
            {"folder": "."},
            "not tested: alembic and flyway recognise it; name the tool in `tool:`",
        ),
    ],
)
async def test_what_cannot_be_compared_is_not_tested(
    settings: Any, because: str, shop: str, context: Context, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    put(tmp_path, TOOLS["flyway"][1] | TOOLS["alembic"][1])
    async with holding(shop, *TOOLS["flyway"][0], *TOOLS["alembic"][0]):
        findings = await found(shop, replace(context, folder=tmp_path), **settings)
    assert not states.troubled(findings)
    unknown = {"postgres-migrations-applied", "postgres-migrations-known"}
    assert states.unknown(findings) == unknown
    assert {findings[check].because for check in unknown} == {because}
    assert findings["postgres-migrations-clean"].outcome == "pass"


async def test_several_tools_at_once(shop: str, context: Context, tmp_path: Path) -> None:
    put(tmp_path, TOOLS["flyway"][1] | TOOLS["alembic"][1])
    async with holding(shop, *TOOLS["flyway"][0], *TOOLS["alembic"][0]):
        here = replace(context, folder=tmp_path)
        values = await probe(shop, here, folder=".", tool="alembic")
        assert values["up_to_date"] is True
        put(tmp_path, {"versions/d4.py": "revision = 'd4'\ndown_revision = 'c3'\n"})
        findings = await found(shop, here, folder=".", tool="alembic")
        assert states.troubled(findings) == {"postgres-migrations-applied"}
        findings = await found(shop, here, folder=".", tool="flyway")
        assert not states.troubled(findings)
    assert values["tools"] == (
        "alembic (public2.alembic_version); flyway (public2.flyway_schema_history)"
    )


async def test_each_schema_has_to_be_where_the_files_lead(
    shop: str, context: Context, tmp_path: Path
) -> None:
    put(tmp_path, TOOLS["rails"][1])
    again = [statement.replace("schema_m", "tenant.schema_m") for statement in TOOLS["rails"][0]]
    tenant = (*TOOLS["rails"][0], "CREATE SCHEMA tenant", again[0])
    async with holding(shop, *tenant), connected(shop) as owner:
        try:
            findings = await found(shop, replace(context, folder=tmp_path), folder=".")
        finally:
            await owner.execute("DROP SCHEMA tenant CASCADE")
    assert states.troubled(findings) == {"postgres-migrations-applied"}
    because = findings["postgres-migrations-applied"].because
    assert because.endswith("tenant.schema_migrations: 20260101000000_create_carts.rb")


async def test_a_table_that_our_role_may_not_read(
    postgres_url: str, shop: str, context: Context, tmp_path: Path
) -> None:
    put(tmp_path, TOOLS["rails"][1])
    async with connected(postgres_url) as owner, holding(shop, *TOOLS["rails"][0]):
        await owner.execute("CREATE ROLE stranger LOGIN PASSWORD 'x'")
        try:
            url = as_role(shop, "stranger", "x")
            findings = await found(url, replace(context, folder=tmp_path), folder=".")
        finally:
            await owner.execute("DROP ROLE stranger")
    assert states.unknown(findings) == set(findings)
    because = "not tested: GRANT SELECT ON public2.schema_migrations to the role"
    assert {f.because for f in findings.values()} == {because}


async def test_a_table_of_that_name_which_is_another(shop: str, context: Context) -> None:
    async with holding(shop, "CREATE TABLE schema_migrations (id int)"):
        assert (await probe(shop, context))["found"] is False


async def test_hostile_files_are_passed_over(shop: str, context: Context, tmp_path: Path) -> None:
    statements, files = TOOLS["alembic"]
    put(
        tmp_path,
        files
        | {
            "versions/broken.py": "down_revision = (((",
            "versions/deep.py": "down_revision = " + "(" * 5000,
            "versions/zero.py": "down_revision = '\0'",
            "versions/computed.py": "revision = f()\ndown_revision = None",
            "node_modules/x/d4.py": "revision = 'd4'\ndown_revision = 'c3'\n",
        },
    )
    (tmp_path / "versions" / "latin.py").write_bytes(b"down_revision = '\xff'")
    async with holding(shop, *statements):
        values = await probe(shop, replace(context, folder=tmp_path), folder=".")
    assert (values["up_to_date"], values["traceable"]) == (True, True)


@pytest.mark.parametrize(
    ("written", "expected"),
    [("1", "1"), ("01", "1"), ("1_2", "1.2"), ("1.0", "1"), ("1.10", "1.10"), ("0", "0")],
)
def test_versions_as_flyway_compares_them(written: str, expected: str) -> None:
    assert flyway_version(written) == expected


def test_an_unknown_tool_is_refused() -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"tool": "liquibase"})
