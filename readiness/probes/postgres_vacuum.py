"""Whether vacuum keeps up in a Postgres: age of transaction ids, dead rows, planner statistics."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._postgres_part import MOST_NAMED, NOT_TESTED, USERS, Reader, counted, culprits
from readiness.probes._postgres_session import session

TIER: Tier = "observe"
KINDS = frozenset({"postgres"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "xid_age": "transactions: age of the oldest database's datfrozenxid",
    "xid_wraparound_ratio": "ratio 0..1: xid_age of the 2^31 at which transaction ids wrap around",
    "multixact_age": "multixacts: age of the oldest database's datminmxid",
    "multixact_wraparound_ratio": "ratio 0..1: multixact_age of 2^31",
    "freeze_age_ratio": "ratio: the older of both ages, of the age at which autovacuum must freeze "
    "(autovacuum_freeze_max_age, autovacuum_multixact_freeze_max_age)",
    "autovacuum": "true or false: autovacuum and track_counts are on",
    "primary": "true or false: the server is no standby, so rows are written and counted here",
    "autovacuum_in_force": "true or false: autovacuum works, on a primary",
    "tables_autovacuum_off": "count: tables with autovacuum_enabled=false and no VACUUM by hand "
    "within a week",
    "dead_tuples_ratio": "ratio 0..1: dead of all rows in the worst table, of those with at least "
    "`large_rows` dead ones",
    "tables_vacuum_overdue": "count: tables with twice the dead rows at which autovacuum begins",
    "tables_analyze_overdue": "count: tables with twice the changes at which autoanalyze begins",
    "tables_never_analyzed": "count: tables of at least `large_rows` rows without statistics",
}


class Settings(ProbeSettings):
    """What counts as large."""

    large_rows: Annotated[
        int, Field(ge=0, description="Rows (dead, changed, all) below which no table counts.")
    ] = 10_000


_WRAP = 2**31
_AGES = f"""
SELECT d.datname AS name, age(d.datfrozenxid)::int8 AS xid,
    mxid_age(d.datminmxid)::int8 AS multixact,
    current_setting('autovacuum_freeze_max_age')::int8 AS xid_freeze,
    current_setting('autovacuum_multixact_freeze_max_age')::int8 AS multixact_freeze
FROM pg_database d
ORDER BY greatest(age(d.datfrozenxid), mxid_age(d.datminmxid)) DESC
LIMIT 50 * {MOST_NAMED}
"""

_SETTINGS = """
SELECT current_setting('autovacuum')::bool AS autovacuum,
    current_setting('track_counts')::bool AS track_counts, NOT pg_is_in_recovery() AS primary
"""

_TABLES = f"""
SELECT c.oid, n.nspname || '.' || c.relname AS name, c.reloptions, c.relrowsecurity,
    greatest(c.reltuples, 0)::float8 AS reltuples,
    pg_stat_get_dead_tuples(c.oid) AS dead,
    pg_stat_get_live_tuples(c.oid) AS live,
    pg_stat_get_mod_since_analyze(c.oid) AS changed
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND {USERS}
"""

_FALSE = "^(0|of?f?|no?|fa?l?s?e?)$"
"""A boolean as Postgres reads it: any beginning of the word that is no other's."""

_OFF = f"""
SELECT t.name, count(*) OVER () AS total
FROM ({_TABLES}) t
WHERE EXISTS (SELECT FROM pg_options_to_table(t.reloptions) o
              WHERE o.option_name = 'autovacuum_enabled' AND o.option_value ~* '{_FALSE}')
  AND coalesce(pg_stat_get_last_vacuum_time(t.oid), '-infinity') < now() - interval '7 days'
ORDER BY 1
LIMIT {MOST_NAMED}
"""

_DEAD = f"""
SELECT t.name, t.dead, t.dead::float8 / (t.live + t.dead) AS ratio
FROM ({_TABLES}) t
WHERE t.dead >= greatest($1, 1)
ORDER BY ratio DESC, 1
LIMIT {MOST_NAMED}
"""

_OVERDUE = """
WITH due AS (
    SELECT t.*, coalesce(o.threshold, current_setting('autovacuum_{kind}_threshold')::float8)
        + coalesce(o.scale, current_setting('autovacuum_{kind}_scale_factor')::float8)
          * t.reltuples AS due_at,
        coalesce(nullif(o.most, -1), nullif(
            current_setting('autovacuum_{kind}_max_threshold', true)::float8, -1)) AS most,
        greatest({times}) AS last_time
    FROM ({tables}) t
    LEFT JOIN LATERAL (
        SELECT max(x.option_value) FILTER (WHERE x.option_name = 'autovacuum_enabled') AS enabled,
            max(x.option_value) FILTER (WHERE x.option_name = 'autovacuum_{kind}_threshold'
            )::float8 AS threshold,
            max(x.option_value) FILTER (WHERE x.option_name = 'autovacuum_{kind}_scale_factor'
            )::float8 AS scale,
            max(x.option_value) FILTER (WHERE x.option_name = 'autovacuum_{kind}_max_threshold'
            )::float8 AS most
        FROM pg_options_to_table(t.reloptions) x) o ON t.reloptions IS NOT NULL
    WHERE t.{column} >= greatest($1, 1)
      AND NOT coalesce(o.enabled, 'true') ~* '{false}'
      {further})
SELECT name || ' (' || {column} || {of} || round(least(due_at, most)::numeric) || ', last '
    || coalesce(to_char(last_time, 'YYYY-MM-DD'), 'never') || ')' AS name,
    count(*) OVER () AS total
FROM due d
WHERE {column} > 2 * least(due_at, most)
  AND NOT EXISTS (
      SELECT FROM pg_locks l
      WHERE l.relation = d.oid AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
ORDER BY {column} / nullif(due_at, 0) DESC, 1
LIMIT {most}
"""
"""Beyond the threshold a table waits for autovacuum_naptime at least, so twice of it is overdue.
What is being vacuumed or analyzed now holds its own lock, and is not."""

_VACUUM = {
    "kind": "vacuum",
    "column": "dead",
    "of": "' dead, due at '",
    "times": "pg_stat_get_last_vacuum_time(t.oid), pg_stat_get_last_autovacuum_time(t.oid)",
    "further": "",
}
_ANALYZED = "pg_stat_get_last_analyze_time(t.oid), pg_stat_get_last_autoanalyze_time(t.oid)"
_ANALYZE = {
    "kind": "analyze",
    "column": "changed",
    "of": "' changes, due at '",
    "times": _ANALYZED,
    "further": f"AND coalesce({_ANALYZED}) IS NOT NULL",
}

_NEVER = f"""
SELECT t.name, has_table_privilege(t.oid, 'SELECT') AND NOT t.relrowsecurity AS readable,
    count(*) OVER () AS total
FROM ({_TABLES}) t
WHERE greatest(t.reltuples, t.live) >= greatest($1, 1)
  AND coalesce({_ANALYZED}) IS NULL
  AND NOT EXISTS (SELECT FROM pg_stats s
                  WHERE s.schemaname || '.' || s.tablename = t.name
                    AND s.schemaname = split_part(t.name, '.', 1))
ORDER BY readable DESC, greatest(t.reltuples, t.live) DESC, 1
LIMIT {MOST_NAMED}
"""
"""Counters start anew after a failover or a crash, statistics of columns do not; these are shown
to whoever may read the table."""


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Read ages, settings and counters in at most seven statements."""
    async with session(service.url.get_secret_value(), context) as (connection, _):
        reader, large = Reader(connection, context), settings.large_rows
        values = await reader.part(list(METRICS)[:5], lambda: _ages(reader))
        state = await reader.row(_SETTINGS)
        works = state["autovacuum"] and state["track_counts"]
        values |= {
            "autovacuum": works,
            "primary": state["primary"],
            "autovacuum_in_force": works and state["primary"],
        }
        if not works:
            off = "autovacuum" if not state["autovacuum"] else "track_counts"
            values["autovacuum_because"] = f"{off} is off"
        if not state["primary"]:
            return values
        values |= await reader.part(["tables_autovacuum_off"], lambda: _off(reader))
        if not state["track_counts"]:
            why = f"{NOT_TESTED}track_counts is off, so nobody counts rows"
            return values | {f"{metric}_because": why for metric in list(METRICS)[-4:]}
        values |= await reader.part(["dead_tuples_ratio"], lambda: _dead(reader, large))
        for metric, words in (
            ("tables_vacuum_overdue", _VACUUM),
            ("tables_analyze_overdue", _ANALYZE),
        ):
            statement = _OVERDUE.format(tables=_TABLES, most=MOST_NAMED, false=_FALSE, **words)
            values |= await _overdue(reader, metric, statement, large)
        never = lambda: _never(reader, large)  # noqa: E731
        return values | await reader.part(["tables_never_analyzed"], never)


async def _ages(reader: Reader) -> Values:
    found = await reader.rows(_AGES)
    values: Values = {}
    freeze: list[tuple[float, str]] = []
    for kind in ("xid", "multixact"):
        worst = max(found, key=lambda row: int(row[kind]))
        age, at = int(worst[kind]), int(worst[f"{kind}_freeze"])
        because = f"{kind} age of database {worst['name'][:63]} is {age:,}"
        values |= {
            f"{kind}_age": age,
            f"{kind}_wraparound_ratio": age / _WRAP,
            f"{kind}_wraparound_ratio_because": because,
        }
        freeze.append((age / at, f"{because}, and autovacuum must freeze at {at:,}"))
    ratio, because = max(freeze)
    return values | {"freeze_age_ratio": ratio, "freeze_age_ratio_because": because}


async def _off(reader: Reader) -> Values:
    return counted("tables_autovacuum_off", await reader.rows(_OFF))


async def _dead(reader: Reader, large: int) -> Values:
    found = await reader.rows(_DEAD, large)
    if not found:
        return {"dead_tuples_ratio": 0.0}
    named = [{"name": f"{row['name']} ({row['dead']:,} dead)"} for row in found]
    return {"dead_tuples_ratio": found[0]["ratio"], "dead_tuples_ratio_because": culprits(named)}


async def _overdue(reader: Reader, metric: str, statement: str, large: int) -> Values:
    async def read() -> Values:
        return counted(metric, await reader.rows(statement, large))

    return await reader.part([metric], read)


async def _never(reader: Reader, large: int) -> Values:
    metric = "tables_never_analyzed"
    found = await reader.rows(_NEVER, large)
    if found and not found[-1]["readable"] and not found[0]["readable"]:
        told = culprits(found, found[0]["total"])
        why = f"no permission to see whether {told} have statistics: GRANT pg_read_all_data"
        return {f"{metric}_because": f"{NOT_TESTED}{why}"}
    return counted(metric, found)
