"""The paths and patterns of an artifact -> the regular files they name, boundedly many."""

import asyncio
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

from readiness.escape import line
from readiness.failure import ProbeError
from readiness.probes import Context

MOST_FILES = 5_000
MOST_BYTES = 1 << 30
_MOST_ENTRIES = 200_000
_DEEPEST = 64
_SHOWN = 120

Check = Callable[[], None]
"""Called between pieces of work: raises once the work is to end."""

T = TypeVar("T")


class UnreadableReport(Exception):
    """A file is no evidence that can be read; the reason names it."""


@dataclass(frozen=True)
class Report:
    """One file that holds evidence; `name` is how it is shown, `modified` seconds since 1970."""

    path: Path
    name: str
    size: int
    modified: float


async def aside(work: Callable[[Check], T], context: Context) -> T:
    """Do `work` in a thread, so that signals and progress go on; it ends with the deadline."""
    stop = threading.Event()

    def check() -> None:
        if stop.is_set() or time.monotonic() >= context.deadline:
            raise ProbeError("deadline", "no time was left to read all of the files")

    try:
        return await asyncio.to_thread(work, check)
    finally:
        stop.set()


def find(
    folder: Path, patterns: Sequence[str], check: Check
) -> tuple[tuple[Report, ...], tuple[str, ...]]:
    """Return the files that `patterns` name, each once, and why some of them name none.

    `*` and `?` stand for names that do not start with a dot, `**` for any folders below; these
    are not followed through links.
    """
    found: dict[tuple[int, int], Report] = {}
    missing = []
    walk = _Walk(check)
    for pattern in patterns:
        try:
            missing += _add(found, folder, pattern, walk)
        except UnreadableReport as error:
            missing.append(str(error))
    if sum(report.size for report in found.values()) > MOST_BYTES:
        return (), (f"its files are larger than {MOST_BYTES >> 20} MiB together",)
    return tuple(found.values()), tuple(missing)


def _add(
    found: dict[tuple[int, int], Report], folder: Path, pattern: str, walk: "_Walk"
) -> list[str]:
    """Add the files that one pattern names; return what keeps it from naming any."""
    shown, matched = line(pattern, _SHOWN), 0
    parts = _parts(pattern)
    special = ""
    for path in walk.matching(folder, parts):
        status = _status(path)
        if status is None or not stat.S_ISREG(status.st_mode):
            special = special or (status and stat.S_ISDIR(status.st_mode) and "a folder") or ""
            continue
        matched += 1
        absolute = Path(pattern).is_absolute()  # where a machine keeps it is no one's business
        name = line(path.name if absolute else os.path.relpath(path, folder), _SHOWN)
        report = Report(path, name, status.st_size, status.st_mtime)
        found.setdefault((status.st_dev, status.st_ino), report)
        if len(found) > MOST_FILES:
            raise UnreadableReport(f"{shown} names more than {MOST_FILES} files")
    if matched:
        return []
    literal = special and not any(map(_is_pattern, parts))
    return [f"{shown} is a folder: name its files"] if literal else [f"no file matches {shown}"]


def _parts(pattern: str) -> tuple[str, ...]:
    """Split a pattern; what stands for any folders stands there once, and never last."""
    parts: list[str] = []
    for part in Path(pattern).parts:
        if not part == "**" == "".join(parts[-1:]):
            parts.append(part)
    return (*parts, "*") if parts[-1:] == ["**"] else tuple(parts)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UnreadableReport(f"{line(path.name, _SHOWN)}: {error.strerror}") from error


def _is_pattern(part: str) -> bool:
    return any(sign in part for sign in "*?[")


class _Walk:
    """Looks through folders, at no more than so many entries in all."""

    def __init__(self, check: Check) -> None:
        self._check, self._left = check, _MOST_ENTRIES

    def matching(self, base: Path, parts: Sequence[str], depth: int = 0) -> Iterator[Path]:
        """Yield the paths below `base` that match `parts`, sorted within each folder."""
        if not parts:
            yield base
            return
        part, rest = parts[0], parts[1:]
        if not _is_pattern(part):
            yield from self.matching(base / part, rest, depth)
        elif part == "**":
            if depth > _DEEPEST:
                raise UnreadableReport(f"folders are nested deeper than {_DEEPEST}")
            yield from self.matching(base, rest, depth)
            for entry in self._entries(base):
                if entry.is_dir(follow_symlinks=False):
                    yield from self.matching(base / entry.name, parts, depth + 1)
        else:
            for entry in self._entries(base):
                if fnmatchcase(entry.name, part) and (not rest or entry.is_dir()):
                    yield from self.matching(base / entry.name, rest, depth)

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        self._check()
        try:
            with os.scandir(folder) as entries:
                seen = [entry for entry in map(self._counted, entries) if entry.name[0] != "."]
                return sorted(seen, key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise UnreadableReport(
                f"{line(folder.name, _SHOWN)} cannot be looked through: {error.strerror}"
            ) from error

    def _counted(self, entry: os.DirEntry[str]) -> os.DirEntry[str]:
        self._left -= 1
        if self._left < 0:
            raise UnreadableReport(f"more than {_MOST_ENTRIES} names would have to be looked at")
        return entry
