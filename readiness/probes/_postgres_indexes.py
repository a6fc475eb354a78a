"""The indexes of a Postgres -> those that no query can use, and those that repeat another."""

from readiness.measurement import Values
from readiness.probes._postgres_part import MOST_NAMED, OWN, USERS, Reader, counted, none_of

_INVALID = f"""
WITH broken AS (
    SELECT i.indexrelid, i.indrelid, n.nspname || '.' || c.relname AS name
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT (i.indisvalid AND i.indisready AND i.indislive)
      AND ({USERS} OR n.nspname = 'pg_toast'))
SELECT name, in_work, count(*) OVER (PARTITION BY in_work) AS total
FROM (
    SELECT name, EXISTS (
            SELECT FROM pg_stat_progress_create_index p
            JOIN pg_locks l ON l.pid = p.pid AND l.database = p.datid
            WHERE p.datname = current_database() AND l.relation = b.indrelid
              AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted
              AND (p.index_relid IS NULL OR p.index_relid IN (0, b.indexrelid)
                   OR p.command LIKE 'REINDEX%'))
        OR EXISTS (
            SELECT FROM pg_locks l
            WHERE l.relation = b.indexrelid AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted
              AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        ) AS in_work
    FROM broken b) AS told
ORDER BY in_work, name
LIMIT 2 * {MOST_NAMED}
"""
"""A role without pg_read_all_stats sees that someone builds, not what: the lock on the table,
which the builder holds throughout, tells. Dropping one concurrently locks the index itself."""

_DUPLICATES = """
WITH usable AS (
    SELECT i.*, n.nspname || '.' || x.relname AS name, x.relam, {nulls} AS nulls,
        i.indisreplident OR i.indisclustered OR EXISTS (
            SELECT FROM pg_constraint f WHERE f.conindid = i.indexrelid AND f.contype = 'f'
        ) AS needed,
        EXISTS (SELECT FROM pg_constraint k
                WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u')) AS of_constraint
    FROM pg_index i
    JOIN pg_class x ON x.oid = i.indexrelid AND NOT x.relispartition
    JOIN pg_class c ON c.oid = i.indrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE i.indisvalid AND i.indisready AND i.indislive AND NOT i.indisexclusion AND {own})
SELECT a.name || ' (as ' || min(split_part(b.name, '.', 2)) || ')' AS name,
    count(*) OVER () AS total
FROM usable a
JOIN usable b ON b.indrelid = a.indrelid AND b.indexrelid <> a.indexrelid
    AND b.relam = a.relam AND b.indnkeyatts = a.indnkeyatts
    AND b.indkey::text = a.indkey::text AND b.indclass::text = a.indclass::text
    AND b.indcollation::text = a.indcollation::text AND b.indoption::text = a.indoption::text
    AND (b.indpred IS NULL) = (a.indpred IS NULL) AND (b.indexprs IS NULL) = (a.indexprs IS NULL)
WHERE NOT a.indisprimary AND NOT a.needed
  AND (NOT a.indisunique OR a.indimmediate = b.indimmediate AND a.nulls = b.nulls)
  AND (NOT b.indisprimary, NOT b.indisunique, NOT b.needed, NOT b.of_constraint, b.indexrelid)
    < (NOT a.indisprimary, NOT a.indisunique, NOT a.needed, NOT a.of_constraint, a.indexrelid)
  AND (a.indpred IS NULL OR pg_get_expr(a.indpred, a.indrelid) = pg_get_expr(b.indpred, b.indrelid))
  AND (a.indexprs IS NULL
       OR pg_get_expr(a.indexprs, a.indrelid) = pg_get_expr(b.indexprs, b.indrelid))
  AND (SELECT array_agg(o.attoptions::text ORDER BY o.attnum) FROM pg_attribute o
       WHERE o.attrelid = a.indexrelid) IS NOT DISTINCT FROM
      (SELECT array_agg(o.attoptions::text ORDER BY o.attnum) FROM pg_attribute o
       WHERE o.attrelid = b.indexrelid)
GROUP BY a.indexrelid, a.name
ORDER BY 1
LIMIT {most}
"""
"""Of two that are alike the one stays that is a key, unique, needed, or older. A unique one is
superfluous only beside one that enforces the same, at the same moment and on nulls alike."""


async def invalid(reader: Reader) -> Values:
    """Return the indexes left invalid, and apart those that a session is at work on."""
    found = await reader.rows(_INVALID)
    broken = [row for row in found if not row["in_work"]]
    return {
        **none_of("indexes_valid", "invalid_indexes", broken),
        **counted("indexes_being_built", [row for row in found if row["in_work"]]),
    }


async def duplicates(reader: Reader) -> Values:
    """Return the indexes that another one of their table makes superfluous."""
    nulls = "i.indnullsnotdistinct" if reader.major >= 15 else "false"
    statement = _DUPLICATES.format(nulls=nulls, own=OWN, most=MOST_NAMED)
    return counted("duplicate_indexes", await reader.rows(statement))
