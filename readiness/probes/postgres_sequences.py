"""How far the sequences of a Postgres are from the last value that they, or their columns, hold."""

from collections.abc import Mapping, Sequence
from typing import Any

from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._postgres_part import MOST_NAMED, NOT_TESTED, USERS, Reader, culprits, shown
from readiness.probes._postgres_session import session

TIER: Tier = "observe"
KINDS = frozenset({"postgres"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "sequences": "count: sequences in the database, those that begin again at their end included",
    "finite": "true or false: at least one of them has an end",
    "used_ratio": "ratio 0..1: how much of its range the fullest one has given out",
}


class Settings(ProbeSettings):
    """Nothing to set: everything is in the service's URL."""


_SEQUENCES = f"""
WITH feeds AS (
    SELECT d.objid AS sequence, d.refobjid AS relation, d.refobjsubid AS number
    FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
      AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
    UNION
    SELECT d.refobjid, v.adrelid, v.adnum
    FROM pg_depend d JOIN pg_attrdef v ON v.oid = d.objid
    WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass),
typed AS (
    SELECT f.sequence, t.relname || '.' || a.attname AS name,
        coalesce(nullif(y.typbasetype, 0), y.oid)::regtype::text AS type
    FROM feeds f
    JOIN pg_class t ON t.oid = f.relation
    JOIN pg_attribute a ON a.attrelid = f.relation AND a.attnum = f.number AND NOT a.attisdropped
    JOIN pg_type y ON y.oid = a.atttypid),
ranges AS (
    SELECT c.oid, n.nspname || '.' || c.relname AS name, t.name AS held_by, t.type, s.*,
        CASE t.type WHEN 'smallint' THEN 32767 WHEN 'integer' THEN 2147483647
             ELSE 9223372036854775807 END::numeric AS most,
        CASE t.type WHEN 'smallint' THEN -32768 WHEN 'integer' THEN -2147483648
             ELSE -9223372036854775808 END::numeric AS least
    FROM pg_sequence s
    JOIN pg_class c ON c.oid = s.seqrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN typed t ON t.sequence = s.seqrelid
    WHERE {USERS} AND c.relpersistence = 'p'),
read AS MATERIALIZED (
    SELECT r.*, has_sequence_privilege(r.oid, 'SELECT,USAGE') AS readable,
        NOT (r.seqcycle AND r.seqmax <= r.most AND r.seqmin >= r.least) AS finite,
        least(r.seqmax, r.most) >= 1e15 AND r.seqmin > -1e15 AND r.seqstart < 1e14
            AND r.seqincrement BETWEEN 1 AND 1e5 AS vast,
        CASE WHEN r.seqincrement > 0 THEN least(r.seqmax, r.most)
             ELSE greatest(r.seqmin, r.least) END AS ends_at,
        CASE WHEN r.seqincrement > 0 THEN greatest(r.seqmin, least(r.seqstart, 1))
             ELSE least(r.seqmax, greatest(r.seqstart, -1)) END::numeric AS begins_at,
        CASE WHEN has_sequence_privilege(r.oid, 'SELECT,USAGE')
             THEN coalesce(pg_sequence_last_value(r.oid), r.seqstart - r.seqincrement)
        END::numeric AS last
    FROM ranges r),
used AS (
    SELECT DISTINCT ON (oid) name, held_by, type, last, ends_at, readable,
        finite AND (readable OR NOT vast) AS finite, finite AND vast AND NOT readable AS hidden,
        CASE WHEN last IS NOT NULL THEN least(1, greatest(0,
            (last - begins_at) / coalesce(nullif(ends_at - begins_at, 0), 1)))::float8 END AS ratio
    FROM read
    ORDER BY oid, ratio DESC NULLS LAST)
SELECT name || CASE WHEN held_by IS NULL THEN '' ELSE ' (' || type || ' ' || held_by || ')' END
       AS name, readable, finite, ratio,
    last::text AS last, ends_at::text AS ends_at, count(*) OVER () AS total,
    count(*) FILTER (WHERE finite) OVER () AS finite_total,
    count(*) FILTER (WHERE finite AND NOT readable) OVER () AS unread_total,
    count(*) FILTER (WHERE hidden) OVER () AS hidden_total
FROM used
ORDER BY finite DESC, ratio DESC NULLS LAST, name
LIMIT {MOST_NAMED}
"""
"""A sequence of bigint that feeds a column of integer ends where the column does. Whoever fills a
column by its default feeds it as well as the sequence that it owns. A range counts from 1, or from
where it begins below. What may not be read and is of bigint cannot be near its end by counting."""


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Read the state of every sequence of the URL's database in one statement."""
    async with session(service.url.get_secret_value(), context) as (connection, _):
        reader = Reader(connection, context)
        return await reader.part(list(METRICS), lambda: _read(reader))


async def _read(reader: Reader) -> Values:
    found = await reader.rows(_SEQUENCES)
    if not found:
        return {"sequences": 0, "finite": False}
    first = found[0]
    values: Values = {"sequences": first["total"], "finite": first["finite_total"] > 0}
    if not first["finite_total"]:
        why = f"{NOT_TESTED}no permission to read {first['hidden_total']} sequences of bigint"
        told = why if first["hidden_total"] else "every sequence begins again at its end"
        return values | {"finite_because": told}
    return values | _fullest(found, reader.context)


def _fullest(found: Sequence[Any], context: Context) -> Values:
    """Return the fullest one; if some may not be read, only where it is beyond the limit alone."""
    read = [row for row in found if row["finite"] and row["ratio"] is not None]
    unread = int(found[0]["unread_total"])
    told = "; ".join(
        f"{shown(row['name'])} is at {row['last']} of {row['ends_at']}" for row in read[:3]
    )
    _, limit = context.limits.get("used_ratio", (0.0, 1.0))
    if unread and not (read and read[0]["ratio"] > limit):
        denied = culprits([row for row in found if not row["readable"]], unread)
        why = f"{NOT_TESTED}no permission to read {denied}: GRANT SELECT ON ALL SEQUENCES"
        return {"used_ratio_because": f"{why}; of the others {told}" if told else why}
    return {"used_ratio": read[0]["ratio"], "used_ratio_because": told}
