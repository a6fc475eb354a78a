"""What a run is about to create -> a file that outlives it, so that it can be taken away again.

Each line is on disk before the request that it tells of is sent. The file is locked while its
run goes on, holds what clean-up needs to know, is for its owner's eyes alone, and is deleted once
nothing is left.
"""

import contextlib
import importlib
import importlib.util
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

VARIABLE = "READINESS_STATE"
"""The variable that names another folder for ledgers."""


@dataclass(frozen=True)
class Entry:
    """One object that a round of a journey may have left behind."""

    journey: str
    round: str
    step: str
    what: str
    """What it is called, as in `file readiness-5f3c0a7d-1`."""


@dataclass
class Book:
    """What the lines of a ledger add up to."""

    entries: dict[tuple[str, str, str], Entry] = field(default_factory=dict)
    variables: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    """(journey, round) -> what its steps captured that clean-up needs. Full of secrets."""

    def take(self, line: Mapping[str, Any]) -> None:
        """Add one line, as `Ledger` writes it."""
        key = (line["journey"], line["round"], line.get("step", ""))
        if line["is"] == "creates":
            self.entries[key] = Entry(*key, what=line["what"])
        elif line["is"] == "gone":
            self.entries.pop(key, None)
        else:
            self.variables.setdefault(key[:2], {}).update(line["values"])

    @property
    def left(self) -> tuple[Entry, ...]:
        """What may still be there."""
        return tuple(self.entries.values())


Fact = Literal["creates", "knows", "gone"]


class Ledger:
    """The open file of one run; made on disk with the first entry."""

    def __init__(self, path: Path | None, system: str, book: Book | None = None) -> None:
        """Write to `path`, nowhere if that is None; `system` names what the run assesses.

        `book` is what the file holds already.
        """
        self._path, self._system = path, system
        self._file: IO[str] | None = None
        self.book = book or Book()

    def prepare(self) -> None:
        """Make sure that lines can be kept; OSError if they cannot."""
        if self._path is not None and self._file is None:
            self._open(self._path)

    def creates(self, entry: Entry) -> None:
        """Note that `entry` is about to be created; OSError if that cannot be kept."""
        self._write("creates", entry.journey, entry.round, step=entry.step, what=entry.what)

    def knows(self, journey: str, round_: str, values: Mapping[str, Any]) -> None:
        """Note what clean-up of a round will need."""
        self._write("knows", journey, round_, values=dict(values))

    def gone(self, entry: Entry) -> None:
        """Note that `entry` was removed, or never came to be."""
        self._write("gone", entry.journey, entry.round, step=entry.step)

    def close(self) -> None:
        """Give the file back; delete it if nothing is left."""
        if self._path is not None and not self.book.left:
            self._path.unlink(missing_ok=True)
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, fact: Fact, journey: str, round_: str, **more: Any) -> None:
        line = {"is": fact, "journey": journey, "round": round_, **more}
        if self._path is not None:
            file = self._file or self._open(self._path)
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.book.take(line)

    def _open(self, path: Path) -> IO[str]:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._file = os.fdopen(descriptor, "a", encoding="utf-8")
        _lock(descriptor)
        if not os.fstat(descriptor).st_size:
            self._file.write(json.dumps({"is": "ledger", "system": self._system}) + "\n")
        return self._file


@dataclass(frozen=True)
class Leftover:
    """The ledger of a run that ended before it had cleaned up."""

    run_id: str
    system: str
    book: Book
    path: Path


def folder(environ: Mapping[str, str]) -> Path:
    """Return where ledgers are kept: $READINESS_STATE, else below the user's state folder."""
    if named := environ.get(VARIABLE):
        return Path(named)
    home = Path(environ.get("HOME") or "~").expanduser()
    return Path(environ.get("XDG_STATE_HOME") or home / ".local/state") / "readiness"


def file_of(run_id: str, environ: Mapping[str, str]) -> Path:
    """Return the path of a run's ledger."""
    return folder(environ) / f"{run_id}.ledger"


def leftovers(environ: Mapping[str, str]) -> Iterator[Leftover]:
    """Yield what runs left that are not going on any more, the oldest first."""
    found = folder(environ).glob("*.ledger")
    for path in sorted(found, key=lambda p: (p.stat().st_mtime, p.name)):
        with path.open(encoding="utf-8") as file:
            if _lock(file.fileno()):
                yield _read(path, file)


def _lock(descriptor: int) -> bool:
    """Lock a file for as long as it is open; return whether nobody else has it."""
    if importlib.util.find_spec("fcntl") is None:
        return True  # on Windows, which lets nobody delete an open file
    fcntl = importlib.import_module("fcntl")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(path: Path, file: IO[str]) -> Leftover:
    """Read a ledger; its last line may have been cut by the end of its run."""
    book, system = Book(), ""
    for text in file:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            line = json.loads(text)
            if line["is"] == "ledger":
                system = line["system"]
            else:
                book.take(line)
    return Leftover(path.stem, system, book, path)
