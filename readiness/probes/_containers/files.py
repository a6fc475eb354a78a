"""The patterns of an artifact -> its files -> trees, or a failure that names file and line."""

import glob
from collections.abc import Collection, Iterator, Sequence
from itertools import islice, takewhile
from pathlib import Path, PurePosixPath

from readiness.document.composer import Mistake
from readiness.document.file import read_bytes, why
from readiness.document.tree import MAX_BYTES, Node, trees

MOST_FILES = 500


class Unreadable(Exception):
    """A file that cannot be made sense of: where, what is wrong with it, and how to mend it."""

    def __init__(self, file: str, line: int, what: str, fix: str = "") -> None:
        super().__init__(
            f"{file}:{line}: {what}" + (f"; {fix[:1].lower()}{fix[1:]}" if fix else "")
        )


class Absent(Exception):
    """A file that is not there, or that may not be read."""


def found(folder: Path, patterns: Sequence[str]) -> list[str]:
    """Return the files that `patterns` match, by their order and then by name; raise Absent."""
    names: dict[str, None] = {}
    for pattern in patterns:
        if not glob.has_magic(pattern):
            names[pattern] = None
            continue
        files = sorted(islice(_matching(folder, PurePosixPath(pattern)), MOST_FILES + 1))
        if not files:
            raise Absent(f"no file matches {pattern}")
        names.update(dict.fromkeys(files))
    if len(names) > MOST_FILES:
        raise Absent(f"the patterns match more than {MOST_FILES} files")
    return list(names)


def _matching(folder: Path, pattern: PurePosixPath) -> Iterator[str]:
    """Yield the files that `pattern` matches, named from where it is."""
    plain = list(takewhile(lambda part: not glob.has_magic(part), pattern.parts))
    head, tail = PurePosixPath(*plain), "/".join(pattern.parts[len(plain) :])
    base = folder / head
    for path in base.glob(tail):
        if path.is_file():
            yield str(head / path.relative_to(base).as_posix())


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
        told = path.stat()
    except (OSError, ValueError):
        return 0, 0
    return told.st_mtime_ns, told.st_size
