"""A file -> the database of a history, written by one at a time and mended where it can be.

A rollback journal and `BEGIN IMMEDIATE` lose nothing among many writers. `synchronous=EXTRA` also
syncs the folder once the journal is gone: else a loss of power could undo what was acknowledged.
"""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from readiness.history import file
from readiness.history.database import Fetch, Row, T, Tell
from readiness.history.schema import VERSION

_TRIES = 3


class SQLite:
    """The database in the file at `path`, which is made if there is none."""

    def __init__(self, path: Path, tell: Tell) -> None:
        self._path, self._tell = path, tell
        self._connection: file.Connection | None = file.opened(path, tell)

    @property
    def where(self) -> str:
        """See Database."""
        return str(self._path)

    def prepare(self) -> None:
        """See Database."""
        # What it was before is written, which takes every permission that a run needs.
        self._transaction("IMMEDIATE", lambda fetch: fetch(f"PRAGMA user_version = {VERSION}"))

    def reading(self, work: Callable[[Fetch], T]) -> T:
        """See Database."""
        return self._transaction("DEFERRED", work)

    def writing(self, work: Callable[[Fetch], T]) -> T:
        """See Database."""
        return self._transaction("IMMEDIATE", work)

    def close(self) -> None:
        """See Database."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _transaction(self, kind: str, work: Callable[[Fetch], T]) -> T:
        for _ in range(_TRIES):
            connection = self._connection = self._connection or file.opened(self._path, self._tell)
            file.bound(connection)
            try:
                connection.execute(f"BEGIN {kind}")
                done = work(_fetch_by(connection))
                connection.execute("COMMIT")
                return done
            except sqlite3.Error as error:
                self._recover(connection, error)
            finally:
                self._undo(connection)
        raise file.unusable(self._path, "it is damaged again and again")

    def _recover(self, connection: file.Connection, error: sqlite3.Error) -> None:
        """Make another try possible; HistoryError where that would only meet the same again."""
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY_DBMOVED:
            self.close()  # another process has set the file aside
        elif file.is_damage(error):
            self._connection = None
            file.replace(self._path, connection, self._tell)
        else:
            raise file.refusal(self._path, error) from None

    def _undo(self, connection: file.Connection) -> None:
        """Take back what was begun; where that fails, whoever opens the file next does."""
        try:
            if connection is self._connection and connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            self.close()


def _fetch_by(connection: file.Connection) -> Fetch:
    def fetch(statement: str, *values: Any) -> Sequence[Row]:
        named = {str(n): _written(value) for n, value in enumerate(values, 1)}
        return connection.execute(statement, named).fetchall()

    return fetch


def _written(value: Any) -> Any:
    """Return a time as text, which sorts as it does: always in UTC, to the microsecond."""
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value
