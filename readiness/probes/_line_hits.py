"""Lines of source files and whether tests ran them -> the sums, over several reports at once."""

import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from readiness.escape import line
from readiness.probes._report_files import UnreadableReport

MOST_LINE = 5_000_000
_MOST_KEPT = 1 << 28
_VALID, _COVERED = 1, 2
_LONGEST_PATH = 1000


@dataclass
class _Source:
    lines: bytearray = field(default_factory=bytearray)
    branches: dict[int, tuple[int, int]] = field(default_factory=dict)


class LineHits:
    """Which lines exist and which were run, by source file; what one report ran is run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute().as_posix()
        self._sources: dict[str, _Source] = {}
        self._kept = 0

    def path(self, name: str, root: str = "") -> str:
        """Return one spelling of a source file's path, from the inventory's folder if it can be."""
        name = name[:_LONGEST_PATH].replace("\\", "/")
        joined = posixpath.normpath(posixpath.join(root.replace("\\", "/"), name))
        if joined.startswith("/"):
            below = os.path.relpath(joined, self._folder)
            return below if not below.startswith("..") else joined
        return joined

    def line(self, path: str, number: int, hits: int) -> None:
        """Note a line that could be run, and whether it was."""
        if number > MOST_LINE:
            raise UnreadableReport(f"{line(path, 80)} is told to have a line {number}")
        lines = self._source(path).lines
        if number >= len(lines):
            more = number + 1 - len(lines)
            self._spend(more)
            lines.extend(bytes(more))
        lines[number] = max(lines[number], _COVERED if hits > 0 else _VALID)

    def branch(self, path: str, number: int, covered: int, valid: int) -> None:
        """Note the branches of a line; of two reports the better one counts, for each line."""
        branches = self._source(path).branches
        if number not in branches:
            self._spend(100)
        known = branches.get(number, (0, 0))
        branches[number] = (max(known[0], min(covered, valid)), max(known[1], valid))

    def _source(self, path: str) -> _Source:
        source = self._sources.get(path)
        if source is None:
            self._spend(300)
            source = self._sources[path] = _Source()
        return source

    def _spend(self, kept: int) -> None:
        self._kept += kept
        if self._kept > _MOST_KEPT:
            raise UnreadableReport("the reports tell of more lines than can be added up")

    @property
    def files(self) -> int:
        """How many source files have lines that could be run."""
        return sum(any(source.lines) for source in self._sources.values())

    def lines(self) -> tuple[int, int]:
        """Return (lines that were run, lines that could be)."""
        pairs = [_lines(source) for source in self._sources.values()]
        return sum(covered for covered, _ in pairs), sum(valid for _, valid in pairs)

    def branches(self) -> tuple[int, int]:
        """Return (branches that were taken, branches that could be)."""
        pairs = [pair for source in self._sources.values() for pair in source.branches.values()]
        return sum(covered for covered, _ in pairs), sum(valid for _, valid in pairs)

    def lowest(self) -> Iterator[str]:
        """Yield folders from the least covered on; of equal ones the larger comes first."""
        folders: dict[str, tuple[int, int]] = {}
        for path, source in self._sources.items():
            covered, valid = _lines(source)
            known = folders.get(posixpath.dirname(path), (0, 0))
            folders[posixpath.dirname(path)] = (known[0] + covered, known[1] + valid)
        measured = [(c / v, -v, folder) for folder, (c, v) in folders.items() if v]
        for rate, valid, folder in sorted(measured):
            if rate < 1:
                yield f"{line(folder, 80) or '.'} {rate:.1%} of {-valid}".replace("%", " %")


def _lines(source: _Source) -> tuple[int, int]:
    covered = source.lines.count(_COVERED)
    return covered, covered + source.lines.count(_VALID)
