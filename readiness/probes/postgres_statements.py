"""Which statements of a Postgres database take its time, as pg_stat_statements counts them."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._connection import within
from readiness.probes._few import few
from readiness.probes._postgres_access import GRANT, sees_all
from readiness.probes._postgres_session import Connection, apart, session
from readiness.probes._postgres_text import name, statement

TIER: Tier = "observe"
KINDS = frozenset({"postgres"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "collected": "true or false: pg_stat_statements counts statements, and this database shows it",
    "judged": "true or false: there are statements called often enough to judge",
    "statements": "count: different statements of this database that it knows",
    "slowest_mean_ms": "ms: mean execution time of the slowest of the costliest statements",
    "slowest_max_ms": "ms: longest execution of that statement",
    "costliest": "the statements that took the most time in all, without their values",
    "costliest_share": "ratio 0..1: of all execution time, the costliest statement's",
}

_COSTLIEST = 20
_FEWEST_CALLS = 10
_LONGEST = 80
_OBJECT_NOT_READY = asyncpg.ObjectNotInPrerequisiteStateError

_INSTALLED = """
SELECT quote_ident(n.nspname) || '.pg_stat_statements' AS view,
       EXISTS (SELECT FROM pg_attribute
               WHERE attrelid = c.oid AND attname = 'mean_exec_time') AS exec,
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable
FROM pg_extension AS e
JOIN pg_namespace AS n ON n.oid = e.extnamespace
LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = 'pg_stat_statements'
WHERE e.extname = 'pg_stat_statements'
"""

_STATEMENTS = """
SELECT queryid, left(query, 2000) AS query, calls, {mean} AS mean_ms, {max} AS max_ms,
       {total} AS total_ms, sum({total}) OVER () AS all_ms, count(*) OVER () AS n
FROM {view}
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND calls >= $1
ORDER BY total_ms DESC, queryid
LIMIT $2
"""

Row = Mapping[str, Any]


class Settings(ProbeSettings):
    """Nothing to set: everything is in the service's URL."""


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Read the costliest statements of the database that the URL names."""
    async with session(service.url.get_secret_value(), context) as (connection, _):
        with within(context):
            installed = await connection.fetchrow(_INSTALLED)
        if installed is None:
            return _missing("pg_stat_statements is not installed in this database")
        if not installed["readable"]:
            view = name(installed["view"], _LONGEST)
            return _untold(f"not tested: GRANT SELECT ON {view} and USAGE on its schema")
        try:
            async with apart(connection, context):
                rows = await _statements(connection, dict(installed), context)
        except _OBJECT_NOT_READY:
            return _missing("pg_stat_statements is not in shared_preload_libraries")
        shown = await sees_all(connection, context)
    return _values(rows, shown)


async def _statements(connection: Connection, installed: Row, context: Context) -> Sequence[Row]:
    kind = "_exec" if installed["exec"] else ""  # since version 1.8, Postgres 13
    sql = _STATEMENTS.format(
        view=installed["view"],
        **{of: f"{of}{kind}_time" for of in ("mean", "max", "total")},
    )
    with within(context):
        return [dict(row) for row in await connection.fetch(sql, _FEWEST_CALLS, _COSTLIEST)]


def _values(rows: Sequence[Row], shown: bool) -> Values:
    values: Values = {"collected": True, "judged": bool(rows)}
    if not rows:
        because = f"no statement was called {_FEWEST_CALLS} times yet"
        return values | {"statements": 0, "judged_because": because}
    slowest = max(rows, key=lambda row: (row["mean_ms"], row["queryid"] or 0))
    values |= {
        "statements": rows[0]["n"],
        "slowest_mean_ms": slowest["mean_ms"],
        "slowest_mean_ms_because": _told(slowest),
        "slowest_max_ms": slowest["max_ms"],
        "costliest": few(map(_told, rows)),
    }
    if not shown:
        values["costliest_because"] = f"other roles' statements are without text; {GRANT}"
    if rows[0]["all_ms"]:
        values["costliest_share"] = rows[0]["total_ms"] / rows[0]["all_ms"]
    return values


def _told(row: Row) -> str:
    if row["queryid"] is None:
        text = "a statement of another role"
    else:
        text = f"{statement(row['query'] or '')} (queryid {row['queryid']})"
    return (
        f"{text}: {row['calls']} calls of {row['mean_ms']:.1f} ms, {row['max_ms']:.0f} ms at most"
    )


def _missing(because: str) -> Values:
    return {
        "collected": False,
        "collected_because": because,
        "judged": False,
        "judged_because": f"not tested: {because}",
    }


def _untold(because: str) -> Values:
    return {"collected_because": because, "judged_because": because}
