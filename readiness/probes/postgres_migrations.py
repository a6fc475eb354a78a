"""Whether a Postgres is where its migrations lead: none failed, missing, or applied unknown."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import Field

from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._few import few
from readiness.probes._migration_files import Drift, drift, recognised
from readiness.probes._migration_tables import Kept, Tool, kept
from readiness.probes._postgres_session import session
from readiness.probes._postgres_text import name

TIER: Tier = "observe"
KINDS = frozenset({"postgres"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "found": "true or false: the database holds the table of a known migration tool",
    "tools": "the tools whose tables it holds, and where",
    "clean": "true or false: no migration failed, none is unfinished, no lock is held",
    "unfinished": "count: migrations that failed or never ended, and locks held",
    "up_to_date": "true or false: every migration of the folder was applied",
    "pending": "count: migrations of the folder that were not applied",
    "traceable": "true or false: all that was applied is in the folder, unchanged",
    "unknown": "count: migrations applied that the folder lacks or has changed since",
}


_LONGEST = 80


class Settings(ProbeSettings):
    """Where the migrations are that this database should have."""

    folder: str | None = Field(
        None, min_length=1, description="folder of the migrations, relative to the inventory's"
    )
    tool: Tool | None = Field(
        None, description="whose they are, where the folder or the database holds several tools'"
    )


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Read the tables of migration tools, then compare them with the folder, if there is one."""
    async with session(service.url.get_secret_value(), context) as (connection, _):
        tables = await kept(connection, context)
    values = _state(tables)
    if settings.folder is None:
        return values
    folder = context.folder / settings.folder
    return values | await asyncio.to_thread(_compared, tables, folder, settings)


def _state(tables: Sequence[Kept]) -> Values:
    if not tables:
        because = "no table of alembic, Django, Flyway, Prisma, knex, golang-migrate or Rails"
        return {"found": False, "found_because": because}
    values: Values = {"found": True, "tools": few((f"{t.tool} ({t.table})" for t in tables), 5)}
    unfinished = [f"{t.table}: {fault}" for t in tables for fault in t.unfinished]
    hidden = [table.table for table in tables if table.hidden]
    if unfinished:
        values |= {"clean": False, "clean_because": few(unfinished)}
    elif hidden:
        values["clean_because"] = _hidden(hidden)
    else:
        values["clean"] = True
    return values | {"unfinished": len(unfinished)}


def _compared(tables: Sequence[Kept], folder: Path, settings: Settings) -> Values:
    if not folder.is_dir():
        return _untold(f"there is no folder {settings.folder}")
    files = recognised(folder)
    if settings.tool:
        files = {tool: mine for tool, mine in files.items() if tool == settings.tool}
    if not files:
        return _untold(f"no migrations were recognised in {settings.folder}")
    theirs = [table for table in tables if table.tool in files and not _is_lock(table)]
    if hidden := [table.table for table in theirs if table.hidden]:
        return _untold(_hidden(hidden).removeprefix("not tested: "))
    tools = {table.tool for table in theirs} or set(list(files)[:1])
    if len(tools) > 1:
        return _untold(f"{' and '.join(sorted(tools))} recognise it; name the tool in `tool:`")
    tool = next(iter(tools))
    theirs = theirs or [Kept(tool, "no table", {})]
    return _drifted([(table, drift(table, files[tool])) for table in theirs])


def _is_lock(table: Kept) -> bool:
    return table.table.endswith("_lock")


def _drifted(found: Iterable[tuple[Kept, Drift]]) -> Values:
    """Return what differs; a tool that keeps several schemas has to agree in each."""
    drifts = list(found)
    several = len(drifts) > 1

    def told(table: Kept, names: Iterable[str]) -> list[str]:
        return [
            f"{table.table}: {name(n, _LONGEST)}" if several else name(n, _LONGEST) for n in names
        ]

    pending = [text for table, one in drifts for text in told(table, one.pending)]
    unknown = [text for table, one in drifts for text in told(table, one.unknown)]
    values: Values = {
        "up_to_date": not pending,
        "pending": len(pending),
        "traceable": not unknown,
        "unknown": len(unknown),
    }
    if pending:
        values["up_to_date_because"] = f"not applied: {few(pending)}"
    if unknown:
        values["traceable_because"] = f"applied, and not so in the folder: {few(unknown)}"
    return values


def _hidden(tables: Iterable[str]) -> str:
    return f"not tested: GRANT SELECT ON {few(tables, between=', ')} to the role"


def _untold(because: str) -> Values:
    because = f"not tested: {because}"
    return {"up_to_date_because": because, "traceable_because": because}
