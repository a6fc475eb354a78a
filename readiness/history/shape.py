"""An SQLite file's tables, indexes, triggers and views -> why they are not those of a history.

A trigger, a view or a constraint of somebody else's could lose what is written, and say nothing.
"""

import re
import sqlite3
from contextlib import closing
from functools import cache

from readiness.history.schema import MIGRATIONS

TYPES = {"bytes": "BLOB", "moment": "TEXT"}
"""What SQLite calls the types that databases name differently."""
OTHER = "its tables are not those of a history"

_BESIDE = ("lost_and_found", "sqlite_stat")
"""Tables that SQLite's own tools add (.recover, ANALYZE) and that do no harm."""

Part = tuple[str, str, str]
"""Kind, name, and the statement that made it, without blanks and quotes."""


def parts(connection: sqlite3.Connection) -> frozenset[Part]:
    """Return all that somebody made in the database; raises sqlite3.Error."""
    rows = connection.execute(
        "SELECT CAST(type AS TEXT), CAST(name AS TEXT), CAST(sql AS TEXT)"
        " FROM sqlite_master WHERE sql IS NOT NULL"
    )
    return frozenset((kind, name, re.sub(r'[\s"]', "", sql)) for kind, name, sql in rows)


def foreign(found: frozenset[Part], version: int) -> str | None:
    """Return why `found` is not a history of schema `version`; None if it is one."""
    if any(kind in ("trigger", "view") for kind, _, _ in found):
        return "it has triggers or views, which no history has"
    others = [part for part in found ^ _made(version) if not _is_beside(*part)]
    return OTHER if others else None


def _is_beside(kind: str, name: str, sql: str) -> bool:
    return kind == "table" and name.startswith(_BESIDE) and sql.startswith("CREATETABLE")


@cache
def _made(version: int) -> frozenset[Part]:
    """Return what is in a history of schema `version`."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in (s for step in MIGRATIONS[:version] for s in step):
            connection.execute(statement.format(**TYPES))
        return parts(connection)
