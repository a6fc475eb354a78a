"""Whether vacuum keeps up in a Postgres: age of transaction ids, dead rows, planner statistics."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes import _postgres_tables as tables
from readiness.probes._postgres_part import MOST_NAMED, NOT_TESTED, Reader, shown
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


_OFF = "tables_autovacuum_off"
_COUNTED = (
    "dead_tuples_ratio",
    "tables_vacuum_overdue",
    "tables_analyze_overdue",
    "tables_never_analyzed",
)
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


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Read ages, settings and counters in at most seven statements."""
    async with session(service.url.get_secret_value(), context) as (connection, _):
        reader = Reader(connection, context)
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
        return values | await _rows(reader, settings.large_rows, counted=state["track_counts"])


async def _rows(reader: Reader, large: int, *, counted: bool) -> Values:
    """Tell what the counters of a primary's tables say, if there are any."""
    values = await reader.part([_OFF], lambda: tables.off(reader))
    if not counted:
        why = f"{NOT_TESTED}track_counts is off, so nobody counts rows"
        return values | {f"{metric}_because": why for metric in _COUNTED}
    dead, vacuum, analyze, never = _COUNTED
    return {
        **values,
        **await reader.part([dead], lambda: tables.dead(reader, large)),
        **await reader.part([vacuum], lambda: tables.overdue(reader, "vacuum", large)),
        **await reader.part([analyze], lambda: tables.overdue(reader, "analyze", large)),
        **await reader.part([never], lambda: tables.never_analyzed(reader, large)),
    }


async def _ages(reader: Reader) -> Values:
    found = await reader.rows(_AGES)
    values: Values = {}
    freeze: list[tuple[float, str]] = []
    for kind in ("xid", "multixact"):
        worst = max(found, key=lambda row: int(row[kind]))
        age, at = int(worst[kind]), int(worst[f"{kind}_freeze"])
        because = f"{kind} age of database {shown(worst['name'])} is {age:,}"
        values |= {
            f"{kind}_age": age,
            f"{kind}_wraparound_ratio": age / _WRAP,
            f"{kind}_wraparound_ratio_because": because,
        }
        freeze.append((age / at, f"{because}, and autovacuum must freeze at {at:,}"))
    ratio, because = max(freeze)
    return values | {"freeze_age_ratio": ratio, "freeze_age_ratio_because": because}
