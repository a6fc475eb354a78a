"""A damaged file -> the same file under another name beside it, moved by one process alone."""

import contextlib
import importlib
import importlib.util
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

_COMPANIONS = ("-journal", "-wal", "-shm")
"""What SQLite keeps beside a database; left where it is, it would spoil the next one."""


def set_aside(path: Path, damaged: os.stat_result) -> Path | None:
    """Rename the `damaged` file at `path`, with what belongs to it; return its new path.

    None if another process was faster: what is at `path` now is not the damaged file any more.
    To be called once nobody writes in it. Raises OSError.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with _held(descriptor):
        if not _is_at(path, damaged):
            return None
        aside = path.with_name(f"{path.name}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
        for companion in _COMPANIONS:
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + companion).rename(f"{aside}{companion}")
        path.rename(aside)
        return aside


@contextlib.contextmanager
def _held(descriptor: int) -> Iterator[None]:
    """Lock the file itself, whatever its name, against others who want to set it aside."""
    try:
        if importlib.util.find_spec("fcntl") is not None:  # on Windows nobody renames an open file
            fcntl = importlib.import_module("fcntl")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_at(path: Path, file: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), file)
    except FileNotFoundError:
        return False
