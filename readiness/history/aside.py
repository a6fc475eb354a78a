"""A damaged file -> the same file under another name beside it, while nobody has it open.

Whoever has a file of a folder open shares a lock on the folder, and who renames one must have that
alone: a connection to a renamed file would take the journal of its successor for its own.
"""

import contextlib
import importlib
import importlib.util
import os
import time
from datetime import UTC, datetime
from pathlib import Path

_COMPANIONS = ("-journal", "-wal", "-shm")
"""What SQLite keeps beside a database; left where it is, it would spoil the next one."""
_PAUSE_SECONDS = 0.01


class Share:
    """A share of the lock on `folder`, from now until it is closed."""

    def __init__(self, folder: Path, seconds: float) -> None:
        """Wait at most `seconds` while somebody renames a file; raises OSError."""
        self._descriptor: int | None = None
        self._seconds = seconds
        with contextlib.suppress(PermissionError):  # who may not look at it cannot rename there
            self._descriptor = os.open(folder, os.O_RDONLY)
        self._lock("LOCK_SH")

    def close(self) -> None:
        """Let go of it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None

    def alone(self) -> None:
        """Have the lock alone from now on; TimeoutError if others do not let go of it."""
        self._lock("LOCK_UN")  # two that waited for each other would do so for ever
        self._lock("LOCK_EX")

    def _lock(self, how: str) -> None:
        if self._descriptor is None or importlib.util.find_spec("fcntl") is None:
            return  # as on Windows, where nobody renames what is open
        fcntl = importlib.import_module("fcntl")
        until = time.monotonic() + self._seconds
        while True:
            try:
                fcntl.flock(self._descriptor, getattr(fcntl, how) | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > until:
                    raise TimeoutError from None
            except OSError:
                return  # a file system without such locks
            time.sleep(_PAUSE_SECONDS)


def set_aside(path: Path, damaged: os.stat_result, share: Share) -> Path | None:
    """Rename the `damaged` file at `path`, with what belongs to it; return its new path.

    None if another process was faster: what is at `path` now is not the damaged file any more.
    Raises OSError, TimeoutError if others do not close it.
    """
    share.alone()
    try:
        if not os.path.samestat(path.stat(), damaged):
            return None
    except FileNotFoundError:
        return None
    aside = path.with_name(f"{path.name}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    for companion in _COMPANIONS:
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + companion).rename(f"{aside}{companion}")
    path.rename(aside)
    return aside
