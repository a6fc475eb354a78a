"""What a run is about to create -> a file that outlives it, so that it can be taken away again.

Each line is on disk before the request that it tells of is sent. The file is locked while its
run goes on, holds what clean-up needs to know, is for its owner's eyes alone, and is deleted once
nothing is left.
"""

import contextlib
import errno
import importlib
import importlib.util
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import IO, Any, Literal

VARIABLE = "READINESS_STATE"
"""The variable that names another folder for ledgers."""

_LOCK_SECONDS = 1.0
"""How long to wait for a lock; whoever only looks at a ledger holds it for milliseconds."""


@dataclass(frozen=True)
class Entry:
    """One object that a round of a journey may have left behind."""

    journey: str
    round: str
    step: str
    what: str
    """What it is called, as in `file readiness-5f3c0a7d-1`."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from others."""
        return self.journey, self.round, self.step


@dataclass
class Book:
    """What the lines of a ledger add up to."""

    entries: dict[tuple[str, str, str], Entry] = field(default_factory=dict)
    variables: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    """(journey, round) -> what its steps captured that clean-up needs. Full of secrets."""
    ends: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """What became of entries that are not left."""

    def take(self, line: Mapping[str, Any]) -> None:
        """Add one line, as `Ledger` writes it."""
        key = (line["journey"], line["round"], line.get("step", ""))
        if line["is"] == "creates":
            self.entries[key] = Entry(*key, what=line["what"])
        elif line["is"] == "gone":
            self.entries.pop(key, None)
            self.ends[key] = str(line.get("how", "removed"))
        else:
            self.variables.setdefault(key[:2], {}).update(line["values"])

    @property
    def left(self) -> tuple[Entry, ...]:
        """What may still be there."""
        return tuple(self.entries.values())


Fact = Literal["creates", "knows", "gone"]


class Ledger:
    """The open file of one run; made on disk with the first entry."""

    def __init__(
        self,
        path: Path | None,
        system: str,
        book: Book | None = None,
        addresses: Mapping[str, str] | None = None,
    ) -> None:
        """Write to `path`, nowhere if that is None; `system` names what the run assesses.

        `book` is what the file holds already, `addresses` where each service was found.
        """
        self._path, self._system, self._addresses = path, system, dict(addresses or {})
        self._file: FileIO | None = None
        self.book = book or Book()

    def prepare(self) -> None:
        """Make sure that lines can be kept; OSError if they cannot, or another keeps them."""
        if self._path is not None and self._file is None:
            self._file = self._open(self._path)

    def creates(self, entry: Entry) -> None:
        """Note that `entry` is about to be created; OSError if that cannot be kept."""
        self._write("creates", entry.journey, entry.round, step=entry.step, what=entry.what)

    def knows(self, journey: str, round_: str, values: Mapping[str, Any]) -> None:
        """Note what clean-up of a round will need."""
        self._write("knows", journey, round_, values=dict(values))

    def gone(self, entry: Entry, how: str = "removed") -> None:
        """Note that nothing is owed for `entry` any more; `how` says so in a word or two."""
        self._write("gone", entry.journey, entry.round, step=entry.step, how=how)

    def close(self) -> None:
        """Give the file back; delete it if nothing is left."""
        if self._file is None or self._path is None:
            return
        if not self.book.left:
            with contextlib.suppress(OSError):
                self._path.unlink()
        self._file.close()
        self._file = None

    def _write(self, fact: Fact, journey: str, round_: str, **more: Any) -> None:
        line = {"is": fact, "journey": journey, "round": round_, **more}
        self.prepare()
        if self._file is not None:
            _append(self._file, line)
        self.book.take(line)

    def _open(self, path: Path) -> FileIO:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = _locked(path)
        try:
            if not os.fstat(file.fileno()).st_size:
                head = {"is": "ledger", "system": self._system, "services": self._addresses}
                _append(file, head)
                _sync_folder(path.parent)
        except OSError:
            file.close()
            raise
        return file


@dataclass(frozen=True)
class Leftover:
    """The ledger of a run that ended before it had cleaned up."""

    run_id: str
    system: str
    book: Book
    path: Path
    addresses: Mapping[str, str] = field(default_factory=dict)
    """Service -> where it was found; what is left is there and nowhere else."""


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
    """Yield what runs left that are not going on any more, the oldest first.

    Ledgers of which nothing is left are deleted; those of other users are left alone.
    """
    found: list[tuple[float, Leftover]] = []
    for path in folder(environ).glob("*.ledger"):
        with contextlib.suppress(OSError), path.open(encoding="utf-8", errors="replace") as file:
            if not _lock(file.fileno()):
                continue
            one = _read(path, file)
            if one.book.left:
                found.append((os.fstat(file.fileno()).st_mtime, one))
            else:
                path.unlink()
    yield from (one for _, one in sorted(found, key=lambda pair: (pair[0], pair[1].run_id)))


def _locked(path: Path) -> FileIO:
    """Open and lock the file at `path`; BlockingIOError if another program keeps it."""
    until = time.monotonic() + _LOCK_SECONDS
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        file = FileIO(descriptor, "a")
        if _lock(descriptor) and _is_at(path, descriptor):
            return file
        file.close()
        if time.monotonic() > until:
            raise BlockingIOError(errno.EWOULDBLOCK, "another program keeps this ledger")
        time.sleep(0.01)


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the open file was not deleted meanwhile by one who saw nothing in it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _append(file: FileIO, line: Mapping[str, Any]) -> None:
    """Bring a line to the disk. It begins with its break: one that was cut spoils no other."""
    data = f"\n{json.dumps(line)}".encode()
    if file.write(data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    """Have a new file's name outlive a loss of power, where folders can be told to."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


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
    """Read a ledger; a line may have been cut by the end of its run."""
    book, head = Book(), dict[str, Any]()
    for text in file:
        with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
            line = json.loads(text)
            if line["is"] == "ledger":
                head = {"system": str(line["system"]), "addresses": dict(line["services"])}
            else:
                book.take(line)
    return Leftover(path.stem, head.get("system", ""), book, path, head.get("addresses", {}))
