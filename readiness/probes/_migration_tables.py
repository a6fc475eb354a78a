"""A Postgres session -> what migration tools noted there: applied, failed, unfinished."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from readiness.probes import Context
from readiness.probes._connection import within
from readiness.probes._postgres_session import Connection
from readiness.probes._postgres_text import name as shown

Tool = Literal["alembic", "django", "flyway", "prisma", "knex", "golang-migrate", "rails"]

_MOST_TABLES = 50
_MOST_ROWS = 10_000
_LONGEST = 300


@dataclass(frozen=True)
class Kept:
    """What one table of one tool says.

    `applied` names what was applied, as the tool's files are named (Flyway: by version, or by
    description where it is repeatable), with its checksum where the tool keeps one. `upto` is
    the version at or below which all counts as applied. `unfinished` says what failed or never
    ended, `begun` names that as `applied` does, `hidden` says that our role may not read it.
    """

    tool: Tool
    table: str
    applied: Mapping[str, str | None]
    unfinished: tuple[str, ...] = ()
    begun: frozenset[str] = frozenset()
    upto: str | None = None
    hidden: bool = False


Row = Mapping[str, Any]


def _names(column: str) -> Callable[[Sequence[Row]], dict[str, Any]]:
    return lambda rows: {"applied": {str(row[column]): None for row in rows}}


def _django(rows: Sequence[Row]) -> dict[str, Any]:
    return {"applied": {f"{row['app']}.{row['name']}": None for row in rows}}


def _flyway(rows: Sequence[Row]) -> dict[str, Any]:
    """Follow the history in its order: what was undone or deleted is not applied any more."""
    applied: dict[str, str | None] = {}
    failed: list[str] = []
    upto = None
    for row in rows:
        key = flyway_version(row["version"]) if row["version"] else f"R {row['description']}"
        kind = str(row["type"]).upper()
        if not row["success"]:
            failed.append(key)
        elif kind in ("BASELINE", "SQL_BASELINE"):
            upto = key
        elif kind.startswith("UNDO") or kind == "DELETE":
            applied.pop(key, None)
        elif kind != "SCHEMA":
            applied[key] = None if row["checksum"] is None else str(row["checksum"])
    return {
        "applied": applied,
        "unfinished": tuple(f"{shown(key)} failed" for key in failed),
        "begun": frozenset(failed),
        "upto": upto,
    }


def _prisma(rows: Sequence[Row]) -> dict[str, Any]:
    standing = [row for row in rows if not row["rolled_back"]]
    return {
        "applied": {row["migration_name"]: row["checksum"] for row in standing if row["finished"]},
        "unfinished": tuple(
            f"{shown(row['migration_name'])} {'failed' if row['logged'] else 'never finished'}"
            for row in standing
            if not row["finished"]
        ),
        "begun": frozenset(row["migration_name"] for row in standing if not row["finished"]),
    }


def _golang(rows: Sequence[Row]) -> dict[str, Any]:
    upto = str(rows[0]["version"]) if rows else None
    return {
        "applied": {upto: None} if upto else {},
        "unfinished": tuple(f"version {row['version']} is dirty" for row in rows if row["dirty"]),
        "upto": upto,
    }


def _knex_lock(rows: Sequence[Row]) -> dict[str, Any]:
    locked = any(row["is_locked"] for row in rows)
    return {"applied": {}, "unfinished": ("the lock is held",) if locked else ()}


@dataclass(frozen=True)
class _Table:
    tool: Tool
    columns: frozenset[str]
    select: str
    read: Callable[[Sequence[Row]], dict[str, Any]]


def _table(tool: Tool, columns: str, read: Callable[..., Any], select: str = "") -> _Table:
    return _Table(tool, frozenset(columns.split()), select or ", ".join(columns.split()), read)


_FLYWAY = _table(
    "flyway",
    "installed_rank version description type checksum success",
    _flyway,
    f"installed_rank, version, left(description, {_LONGEST}) AS description, type, checksum, "
    "success",
)
TABLES: Mapping[str, tuple[_Table, ...]] = {
    "alembic_version": (_table("alembic", "version_num", _names("version_num")),),
    "django_migrations": (_table("django", "app name", _django),),
    "flyway_schema_history": (_FLYWAY,),
    "schema_version": (_FLYWAY,),
    "_prisma_migrations": (
        _table(
            "prisma",
            "migration_name checksum finished_at rolled_back_at logs",
            _prisma,
            "migration_name, checksum, finished_at IS NOT NULL AS finished, "
            "rolled_back_at IS NOT NULL AS rolled_back, coalesce(logs, '') <> '' AS logged",
        ),
    ),
    "knex_migrations": (_table("knex", "name", _names("name")),),
    "knex_migrations_lock": (_table("knex", "is_locked", _knex_lock),),
    "schema_migrations": (
        _table("golang-migrate", "version dirty", _golang),
        _table("rails", "version", _names("version"), "version::text"),
    ),
}
"""Table -> whose it is, told by its columns, the more columns first."""

_FIND = f"""
SELECT n.nspname AS schema, c.relname AS relation, quote_ident(n.nspname) AS quoted_schema,
       array_agg(a.attname::text) AS columns,
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND c.relname = ANY ($1::text[])
  AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
GROUP BY n.oid, n.nspname, c.oid, c.relname
ORDER BY n.nspname, c.relname
LIMIT {_MOST_TABLES}
"""


async def kept(connection: Connection, context: Context) -> list[Kept]:
    """Read every table of a known migration tool in the database, whatever its schema."""
    with within(context):
        found = [dict(row) for row in await connection.fetch(_FIND, list(TABLES))]
    tables = [(row, table) for row in found if (table := _whose(row))]
    return [await _read(row, table, connection, context) for row, table in tables]


def _whose(row: Row) -> _Table | None:
    columns = set(row["columns"])
    return next((table for table in TABLES[row["relation"]] if table.columns <= columns), None)


async def _read(row: Row, table: _Table, connection: Connection, context: Context) -> Kept:
    relation = row["relation"]
    where = f"{shown(row['schema'])}.{relation}"
    if not row["readable"]:
        return Kept(table.tool, where, {}, hidden=True)
    order = " ORDER BY installed_rank" if table is _FLYWAY else ""
    sql = f"SELECT {table.select} FROM {row['quoted_schema']}.{relation}{order} LIMIT {_MOST_ROWS}"
    with within(context):
        rows = [dict(row) for row in await connection.fetch(sql)]
    return Kept(table.tool, where, **table.read(rows))


def flyway_version(written: str) -> str:
    """Return a version as Flyway compares it: `1_2` is `1.2`, `01` is `1`, `1.0` is `1`."""
    parts = [part.lstrip("0") or "0" for part in written.replace("_", ".").split(".")]
    while len(parts) > 1 and parts[-1] == "0":
        parts.pop()
    return ".".join(parts)
