"""A path -> a connection to the history in the file there: made, examined, brought up to date.

What is another program's or of a newer version is refused and not touched. What is damaged is set
aside. A file that is locked, may not be read or lies on a full disk is not damaged.
"""

import os
import sqlite3
import stat
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from readiness.history import shape
from readiness.history.aside import Share, set_aside
from readiness.history.database import Tell
from readiness.history.run import HistoryError
from readiness.history.schema import MIGRATIONS, VERSION

APPLICATION_ID = 0x52444E53
"""What marks the file as a history (`RDNS` in its header)."""
WAIT_SECONDS = 30.0
"""How long one waits for others who write."""

_SECONDS = 60.0
"""What one piece of work may take."""
_STEPS = 100_000
"""Of SQLite's machine, between two looks at the clock."""
_TRIES = 3
_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_VERSION_AT, _APPLICATION_AT = slice(60, 64), slice(68, 72)
"""Places in the header (SQLite's documentation, "Database File Format", 1.3)."""
_SUFFIXES = ("", ".db", ".sqlite", ".sqlite3")
"""Of files that may be damaged histories. What is called otherwise was named by mistake."""
_SETTINGS = ("synchronous = EXTRA", "trusted_schema = OFF", "cell_size_check = ON")
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_REASONS = {
    sqlite3.SQLITE_ERROR: shape.OTHER,
    sqlite3.SQLITE_BUSY: f"others have kept it locked for {WAIT_SECONDS:g} s",
    sqlite3.SQLITE_LOCKED: "another keeps it locked",
    sqlite3.SQLITE_FULL: "no space is left on its disk",
    sqlite3.SQLITE_READONLY: "it may not be written to",
    sqlite3.SQLITE_CANTOPEN: "it may not be opened, or its folder not be written to",
    sqlite3.SQLITE_PERM: "permission denied",
    sqlite3.SQLITE_INTERRUPT: "what was asked of it takes too long",
    sqlite3.SQLITE_IOERR: "its disk is full or does not work",
}


class Connection(sqlite3.Connection):
    """A connection that knows which file it is to, and keeps that at its place."""

    file: os.stat_result
    share: Share

    def close(self) -> None:
        """Part of sqlite3.Connection."""
        super().close()
        self.share.close()


def opened(path: Path, tell: Tell) -> Connection:
    """Return a connection to the history at `path`, of the newest schema; HistoryError if none."""
    for _ in range(_TRIES):
        connection = _connected(path)
        bound(connection)
        try:
            _examine(path, connection)
            return connection
        except sqlite3.Error as error:
            if not is_damage(error):
                connection.close()
                raise refusal(path, error) from None
            replace(path, connection, tell)
        except HistoryError:
            connection.close()
            raise
    raise unusable(path, "it is damaged again and again")


def bound(connection: Connection) -> None:
    """Let what is asked from now on end: whose the file is may have put work without end in it."""
    ends = time.monotonic() + _SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > ends, _STEPS)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file is damaged, and not only out of reach."""
    return _code(error) in _DAMAGED


def refusal(path: Path, error: sqlite3.Error) -> HistoryError:
    """Return what `error` means for the user; raises what neither SQLite nor the file caused."""
    if not _code(error) and isinstance(error, sqlite3.OperationalError):  # Python's own, of a cell
        return unusable(path, "a text in it is damaged, which is not UTF-8")
    if not _code(error):
        raise error
    return unusable(path, _REASONS.get(_code(error), f"SQLite says {error.sqlite_errorname}"))


def unusable(path: Path, why: str) -> HistoryError:
    """Return the error that the history at `path` cannot be used."""
    return HistoryError(
        f"the history cannot be used: {why}.",
        file=str(path),
        fix="Mend that, or name another with --history.",
    )


def replace(path: Path, connection: Connection, tell: Tell) -> None:
    """Close `connection` to the damaged file at `path` and set that aside, unless another has."""
    sqlite3.Connection.close(connection)
    try:
        aside = set_aside(path, connection.file, connection.share)
    except TimeoutError:
        raise unusable(path, "it is damaged, and others use it") from None
    except OSError as error:
        why = f"it is damaged and cannot be set aside ({error.strerror})"
        raise unusable(path, why) from None
    finally:
        connection.share.close()
    if aside is not None:
        tell(
            f"the history in {path} is damaged: it was set aside as {aside.name}, and a new one "
            "begins. See docs/history.md for what can be saved of it."
        )


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary code of `error`; 0 if it is not SQLite's."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _refuse_others(path: Path) -> None:
    """Refuse what is no file of ours by its first bytes, before SQLite touches it."""
    if not path.exists():
        return
    if not stat.S_ISREG(path.stat().st_mode):
        raise unusable(path, "it is a folder" if path.is_dir() else "it is no file")
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    whole = len(head) == _HEADER_BYTES and head.startswith(_MAGIC)
    if whole and int.from_bytes(head[_APPLICATION_AT]) == APPLICATION_ID:
        _refuse_newer(path, int.from_bytes(head[_VERSION_AT]))
    if head and not whole and path.suffix.lower() not in _SUFFIXES:
        raise unusable(path, "it is no history, by its content and its name")


def _refuse_newer(path: Path, version: int) -> None:
    if version > VERSION:
        raise HistoryError(
            f"this history is of schema {version}, and this version of readiness knows {VERSION}. "
            "Nothing in it was changed.",
            file=str(path),
            fix="Upgrade readiness, or name another with --history.",
        )


def _connected(path: Path) -> Connection:
    """Connect to the file at `path`, made for its owner's eyes alone where there is none."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with ExitStack() as stack:
            share = Share(path.parent, WAIT_SECONDS)
            stack.callback(share.close)
            _refuse_others(path)
            if not path.exists():
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            connection = sqlite3.connect(
                f"{path.as_uri()}?mode=rw",
                uri=True,
                timeout=WAIT_SECONDS,
                isolation_level=None,
                factory=Connection,
            )
            connection.file, connection.share = path.stat(), share
            stack.pop_all()
            return connection
    except TimeoutError:
        raise unusable(path, "another process keeps its folder locked") from None
    except FileExistsError:
        raise unusable(path, "its folder is a file") from None
    except OSError as error:
        raise unusable(path, error.strerror or type(error).__name__) from None
    except sqlite3.Error as error:
        raise refusal(path, error) from None


def _examine(path: Path, connection: Connection) -> None:
    """Make sure that this is a whole history, and of the newest schema."""
    for setting in _SETTINGS:
        connection.execute(f"PRAGMA {setting}")
    connection.execute("BEGIN")
    version = _pragma(connection, "user_version")
    found = shape.parts(connection)
    ours = _pragma(connection, "application_id") == APPLICATION_ID
    connection.execute("COMMIT")
    if (found or version) and not ours:
        raise unusable(path, "it is the database of another program")
    _refuse_newer(path, version)
    if why := shape.foreign(found, version):  # before anything of it is run
        raise unusable(path, why)
    if (check := _pragma(connection, "quick_check(1)")) != "ok":
        raise _damage(check)
    if version < VERSION:
        _migrate(path, connection)


def _pragma(connection: Connection, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def _damage(found: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(found)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _migrate(path: Path, connection: Connection) -> None:
    """Take the schema to the newest version in one step; others may do so at the same time."""
    connection.execute("PRAGMA auto_vacuum = FULL")  # of effect before the first table only
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _pragma(connection, "user_version")
        _refuse_newer(path, version)
        for statement in (s for step in MIGRATIONS[version:] for s in step):
            connection.execute(statement.format(**shape.TYPES))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
