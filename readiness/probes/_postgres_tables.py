"""The counters of a Postgres' tables -> those that vacuum or analyze has left behind."""

from typing import Literal

from readiness.measurement import Values
from readiness.probes._postgres_part import MOST_NAMED, NOT_TESTED, USERS, Reader, counted, culprits

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
WHERE {column} > 2 * least(due_at, most) {but}
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
    "but": "",
}
_ANALYZED = "pg_stat_get_last_analyze_time(t.oid), pg_stat_get_last_autoanalyze_time(t.oid)"
_ANALYZE = {
    "kind": "analyze",
    "column": "changed",
    "of": "' changes, due at '",
    "times": _ANALYZED,
    "further": f"AND coalesce({_ANALYZED}) IS NOT NULL",
    "but": "AND coalesce(pg_stat_get_last_autoanalyze_time(oid), '-infinity') < now()"
    " - 5 * current_setting('autovacuum_naptime')::interval",
}
"""A small table with much traffic is beyond its threshold again at once: autoanalyze keeps up with
it if it was there a few rounds ago. What vacuum could not remove, though, is still dead."""

_NEVER = f"""
SELECT t.name, t.readable, count(*) OVER (PARTITION BY t.readable) AS total
FROM (SELECT *, has_table_privilege(oid, 'SELECT') AND NOT relrowsecurity AS readable
      FROM ({_TABLES}) a) t
WHERE greatest(t.reltuples, t.live) >= greatest($1, 1)
  AND coalesce({_ANALYZED}) IS NULL
  AND NOT EXISTS (SELECT FROM pg_stats s
                  WHERE s.schemaname || '.' || s.tablename = t.name
                    AND s.schemaname = split_part(t.name, '.', 1))
ORDER BY t.readable DESC, greatest(t.reltuples, t.live) DESC, 1
LIMIT {MOST_NAMED}
"""
"""Counters start anew after a failover or a crash, statistics of columns do not; these are shown
to whoever may read the table."""


async def off(reader: Reader) -> Values:
    """Return the tables that autovacuum leaves out and nobody vacuums."""
    return counted("tables_autovacuum_off", await reader.rows(_OFF))


async def dead(reader: Reader, large: int) -> Values:
    """Return the share of dead rows in the worst table."""
    found = await reader.rows(_DEAD, large)
    if not found:
        return {"dead_tuples_ratio": 0.0}
    named = [{"name": f"{row['name']} ({row['dead']:,} dead)"} for row in found]
    return {"dead_tuples_ratio": found[0]["ratio"], "dead_tuples_ratio_because": culprits(named)}


async def overdue(reader: Reader, kind: Literal["vacuum", "analyze"], large: int) -> Values:
    """Return the tables at which autovacuum, or autoanalyze, should long have been."""
    words = _VACUUM if kind == "vacuum" else _ANALYZE
    statement = _OVERDUE.format(tables=_TABLES, most=MOST_NAMED, false=_FALSE, **words)
    return counted(f"tables_{kind}_overdue", await reader.rows(statement, large))


async def never_analyzed(reader: Reader, large: int) -> Values:
    """Return the tables of which the planner knows nothing."""
    metric = "tables_never_analyzed"
    found = await reader.rows(_NEVER, large)
    known = [row for row in found if row["readable"]]
    if found and not known:
        told = culprits(found, found[0]["total"])
        why = f"no permission to see whether {told} have statistics: GRANT pg_read_all_data"
        return {f"{metric}_because": f"{NOT_TESTED}{why}"}
    return counted(metric, known)
