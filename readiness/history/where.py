"""The words of the command line and the environment -> where the history is."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from readiness.history.run import HistoryError

VARIABLE = "READINESS_HISTORY"
"""The variable that names a history, as --history does."""
NOWHERE = "none"
SCHEMES = ("postgres://", "postgresql://")

_MISTYPED = re.compile(
    r"postgres(ql)?:|[\w+.-]{2,}:.*@|.*?[^/\\:]:[^/\\]*@", re.IGNORECASE | re.DOTALL
)
"""What begins or looks like a URL with a password, which no message may show as a path."""


class Place(NamedTuple):
    """Where a history is: the URL of a Postgres, or a path, or neither, which is nowhere."""

    url: str | None
    path: Path | None


def is_asked(option: str | None, environ: Mapping[str, str]) -> bool:
    """Whether the user named a place, so that it is an error if that cannot be used."""
    return option is not None or bool(environ.get(VARIABLE))


def place(option: str | None, environ: Mapping[str, str]) -> Place:
    """Return the place that `option` names, else the variable, else the user's data folder.

    HistoryError if that is no place.
    """
    written = environ.get(VARIABLE) or None if option is None else option
    if written is None:
        return Place(None, _real(default(environ)))
    if written == NOWHERE:
        return Place(None, None)
    if written.lower().startswith(SCHEMES):
        return Place(written, None)
    if not written or "://" in written or _MISTYPED.match(written):
        raise HistoryError(
            f"{VARIABLE if option is None else '--history'} names no history.",
            fix=f"Write a file, {SCHEMES[1]}host/database, or {NOWHERE}.",
        )
    return Place(None, _real(_expanded(written)))


def is_missing(path: Path) -> bool:
    """Whether there surely is nothing at `path`."""
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def default(environ: Mapping[str, str]) -> Path:
    """Return the file of the user's own history, by the custom of the platform."""
    return _data_folder(environ) / "readiness" / "history.db"


def _data_folder(environ: Mapping[str, str]) -> Path:
    named = environ.get("XDG_DATA_HOME", "")
    if Path(named).is_absolute():  # the specification has others ignored
        return Path(named)
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or _home(environ) / "AppData/Local")
    if sys.platform == "darwin":
        return _home(environ) / "Library/Application Support"
    return _home(environ) / ".local/share"


def _home(environ: Mapping[str, str]) -> Path:
    try:
        return Path(environ.get("HOME") or Path.home())
    except RuntimeError:
        raise HistoryError(
            "this user has no home folder for a history.", fix="Name one with --history."
        ) from None


def _expanded(written: str) -> Path:
    try:
        return Path(written).expanduser()
    except RuntimeError:
        raise HistoryError(
            "--history names the home folder of nobody.", fix="Write the whole path."
        ) from None


def _real(path: Path) -> Path:
    """Return the path without links, so that a damaged file stays in its folder."""
    return Path(os.path.realpath(path))
