"""The patterns of an artifact -> its files -> trees, or a failure that names file and line."""

import glob
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from readiness.document.composer import Mistake
from readiness.document.file import read_bytes, why
from readiness.document.tree import MAX_BYTES, Node, trees

MOST_FILES = 500


class Unreadable(Exception):
    """A file that cannot be made sense of: where, what is wrong with it, and how to mend it."""

    def __init__(self, file: str, line: int, what: str, fix: str = "") -> None:
        super().__init__(f"{file}:{line}: {what}" + (f"; {fix[:1].lower()}{fix[1:]}" if fix else ""))


class Absent(Exception):
    """A file that is not there, or that may not be read."""


def found(folder: Path, patterns: Sequence[str]) -> list[str]:
    """Return the files that `patterns` match, by their order and then by name; raise Absent."""
    names: dict[str, None] = {}
    for pattern in patterns:
        if not glob.has_magic(pattern):
            names[pattern] = None
            continue
        matched = sorted(glob.iglob(pattern, root_dir=folder, recursive=True))
        files = [name for name in matched if (folder / name).is_file()]
        if not files:
            raise Absent(f"no file matches {pattern}")
        names.update(dict.fromkeys(files))
    if len(names) > MOST_FILES:
        raise Absent(f"the patterns match {len(names)} files; name at most {MOST_FILES}")
    return list(names)


def read(folder: Path, name: str, tags: Collection[str] = ()) -> tuple[Node, ...]:
    """Return the documents in the file `name`; raise Absent or Unreadable."""
    try:
        raw = read_bytes(folder / name, MAX_BYTES)
    except FileNotFoundError:
        raise Absent(f"there is no file {name}") from None
    except (OSError, ValueError) as error:
        raise Absent(f"{name} cannot be read: {why(error)}") from None
    try:
        return trees(raw, name, tags)
    except Mistake as error:
        raise Unreadable(name, error.line, error.what, error.fix.rstrip(".")) from None


def signature(folder: Path, names: Sequence[str]) -> tuple[tuple[str, int, int], ...]:
    """Return what changes when one of the files does."""
    return tuple((name, *_changed(folder / name)) for name in names)


def _changed(path: Path) -> tuple[int, int]:
    try:
        told = os.stat(path)
    except (OSError, ValueError):
        return 0, 0
    return told.st_mtime_ns, told.st_size
