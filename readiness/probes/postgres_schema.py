"""What the schema of a Postgres lacks: valid indexes and constraints, keys, indexes that help."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes import _postgres_indexes as indexes
from readiness.probes import _postgres_unused as unused
from readiness.probes._postgres_part import MOST_NAMED, OWN, USERS, Reader, counted, none_of
from readiness.probes._postgres_session import session

TIER: Tier = "observe"
KINDS = frozenset({"postgres"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "indexes_valid": "true or false: there are no invalid_indexes",
    "invalid_indexes": "count: indexes that no query uses, since their build or removal failed",
    "indexes_being_built": "count: indexes not valid yet that a session is building or dropping",
    "constraints_validated": "true or false: there are no unvalidated_constraints",
    "unvalidated_constraints": "count: CHECK, NOT NULL and FOREIGN KEY constraints NOT VALID",
    "tables_without_primary_key": "count: tables with neither a primary key nor a unique key "
    "over columns that are NOT NULL",
    "unindexed_foreign_keys": "count: foreign keys of large tables whose columns lead no index",
    "small_unindexed_foreign_keys": "count: the same of tables with fewer rows than `large_rows`",
    "duplicate_indexes": "count: indexes that another one of their table makes superfluous",
    "unused_indexes": "count: large indexes never scanned in the time that scans were watched",
    "index_use_known": "true or false: what was scanned, and for how long, can be told from here",
    **unused.METRICS,
}

_BOOKKEEPING = ("databasechangelog", "knex_migrations_lock", "schema_info", "typeorm_metadata")
"""Tables that migration tools (Liquibase, Knex, Sequel, TypeORM) make without a key."""


class Settings(ProbeSettings):
    """What counts as large."""

    large_rows: Annotated[
        int, Field(ge=0, description="Rows from which a foreign key without index counts.")
    ] = 10_000
    large_index_bytes: Annotated[
        int, Field(ge=0, description="Bytes from which an index never scanned counts.")
    ] = 1 << 20
    watched_days: Annotated[
        int, Field(ge=1, description="Days without a scan after which an index is unused.")
    ] = 35


_UNVALIDATED = """
SELECT k.conname || ' on ' || coalesce(n.nspname || '.' || c.relname,
                                       'domain ' || t.typnamespace::regnamespace || '.' || t.typname
       ) AS name, count(*) OVER () AS total
FROM pg_constraint k
LEFT JOIN pg_class c ON c.oid = k.conrelid
LEFT JOIN pg_type t ON t.oid = k.contypid
JOIN pg_namespace n ON n.oid = k.connamespace
WHERE NOT k.convalidated AND k.contype IN ('c', 'f', 'n') AND k.conparentid = 0
  AND {users} {enforced}
ORDER BY 1
LIMIT {most}
"""

_KEYLESS = f"""
SELECT n.nspname || '.' || c.relname AS name, count(*) OVER () AS total
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND NOT c.relispartition
  AND {OWN} AND NOT c.relname = ANY ($1)
  AND NOT EXISTS (
      SELECT FROM pg_index i
      WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid
        AND i.indpred IS NULL AND i.indexprs IS NULL
        AND (i.indisprimary OR i.indimmediate AND NOT EXISTS (
            SELECT FROM pg_attribute a
            WHERE a.attrelid = c.oid AND NOT a.attnotnull
              AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))))
ORDER BY greatest(c.reltuples, 0) DESC, 1
LIMIT {MOST_NAMED}
"""
"""An unlogged or temporary table is no record of anything, a partition has its parent's key."""

_FOREIGN_KEYS = f"""
WITH bare AS (
    SELECT DISTINCT ON (k.conrelid, k.conkey) k.conrelid, k.conkey, n.nspname, c.relispartition,
        greatest(c.reltuples, pg_stat_get_live_tuples(c.oid)) AS n_rows
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid AND c.relkind = 'r'
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE k.contype = 'f' AND {OWN}
      AND NOT EXISTS (
          SELECT FROM pg_index i
          JOIN pg_class x ON x.oid = i.indexrelid
          JOIN pg_am m ON m.oid = x.relam
          WHERE i.indrelid = k.conrelid AND i.indisvalid AND m.amname IN ('btree', 'hash')
            AND cardinality(k.conkey) <= i.indnkeyatts
            AND (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey
            AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) IN (
                SELECT format('(%I IS NOT NULL)', a.attname) FROM pg_attribute a
                WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey))))),
named AS (
    SELECT CASE WHEN b.relispartition THEN pg_partition_root(b.conrelid)::oid
                ELSE b.conrelid END AS root, b.nspname, b.n_rows,
        (SELECT string_agg(a.attname, ', ' ORDER BY u.place)
         FROM unnest(b.conkey) WITH ORDINALITY u(number, place)
         JOIN pg_attribute a ON a.attrelid = b.conrelid AND a.attnum = u.number) AS columns
    FROM bare b),
whole AS (SELECT root, min(nspname) AS nspname, columns, sum(n_rows) AS n_rows
          FROM named GROUP BY root, columns)
SELECT w.nspname || '.' || c.relname || ' (' || w.columns || ')' AS name,
    w.n_rows >= $1 AS large, count(*) OVER (PARTITION BY w.n_rows >= $1) AS total
FROM whole w
JOIN pg_class c ON c.oid = w.root
ORDER BY w.n_rows DESC, 1
LIMIT 2 * {MOST_NAMED}
"""
"""Equality needs its columns in front, in any order. An index WHERE such a column IS NOT NULL
serves the keys' own queries, which never look for a null; any other part of a table does not."""


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Read the catalogue of the URL's database in six statements."""
    async with session(service.url.get_secret_value(), context) as (connection, _):
        reader = Reader(connection, context)
        built = ("indexes_valid", "invalid_indexes", "indexes_being_built")
        valid = ("constraints_validated", "unvalidated_constraints")
        keys = ("unindexed_foreign_keys", "small_unindexed_foreign_keys")
        use = ("unused_indexes", "index_use_known")
        return {
            **await reader.part(built, lambda: indexes.invalid(reader)),
            **await reader.part(valid, lambda: _unvalidated(reader)),
            **await reader.part(["tables_without_primary_key"], lambda: _keyless(reader)),
            **await reader.part(keys, lambda: _foreign_keys(reader, settings.large_rows)),
            **await reader.part(["duplicate_indexes"], lambda: indexes.duplicates(reader)),
            **await reader.part(
                use,
                lambda: unused.read(reader, settings.large_index_bytes, settings.watched_days),
            ),
        }


async def _unvalidated(reader: Reader) -> Values:
    enforced = "AND k.conenforced" if reader.major >= 18 else ""
    statement = _UNVALIDATED.format(users=USERS, enforced=enforced, most=MOST_NAMED)
    found = await reader.rows(statement)
    return none_of("constraints_validated", "unvalidated_constraints", found)


async def _keyless(reader: Reader) -> Values:
    return counted("tables_without_primary_key", await reader.rows(_KEYLESS, list(_BOOKKEEPING)))


async def _foreign_keys(reader: Reader, large: int) -> Values:
    found = await reader.rows(_FOREIGN_KEYS, large)
    return {
        **counted("unindexed_foreign_keys", [row for row in found if row["large"]]),
        **counted("small_unindexed_foreign_keys", [row for row in found if not row["large"]]),
    }
