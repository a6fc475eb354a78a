"""`history export` and `import`: kept runs -> JSON lines, and back, all or none."""

import contextlib
import json
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import IO

from readiness import __version__, evidence
from readiness.assessment import assess
from readiness.cli.assess import judged_by
from readiness.cli.keeper import tell
from readiness.cli.say import say
from readiness.document import ConfigurationError
from readiness.document.file import MAX_DATA_BYTES, why
from readiness.escape import ci_log
from readiness.history import History, HistoryError, open_history
from readiness.history.choose import chosen
from readiness.history.line import check_times, from_line, to_line
from readiness.history.packed import pack
from readiness.history.run import Packed, kept
from readiness.report.words import plural

STDIO = Path("-")


def export(where: str | None, words: Sequence[str]) -> None:
    """Write the runs that `words` name, or all, the oldest first, to the file named last."""
    *before, last = words or [""]
    is_file = last == str(STDIO) or any(mark in last for mark in "./\\")
    target = Path(last) if is_file else STDIO
    history = open_history(where, os.environ, tell, create=False)
    try:
        wanted = _wanted(history, before if is_file else words)
        lines = (to_line(history.get(run)) for run in wanted)
        if target == STDIO:
            _print(lines)
        else:
            _save(lines, target)
    finally:
        history.close()
    say(ci_log(f"{plural(len(wanted), 'run')} of {history.where} exported."), err=True)


def _wanted(history: History, words: Sequence[str]) -> Sequence[str]:
    """Return the ids of the runs that `words` name, or of all."""
    if not words:
        return [run.run_id for run in history.runs()][::-1]
    return list(dict.fromkeys(chosen(history, word).run_id for word in words))


def _print(lines: Iterator[str]) -> None:
    for line in lines:
        if error := say(line, raw=True):
            raise ConfigurationError(f"the export cannot be written ({error.strerror}).")


def _save(lines: Iterator[str], target: Path) -> None:
    """Put the lines into the file `target`: all of them, or it stays as it was."""
    try:
        with ExitStack() as stack:
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
            stack.callback(Path(name).unlink, missing_ok=True)
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.writelines(f"{line}\n" for line in lines)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(target)
    except OSError as error:
        raise ConfigurationError(
            f"the export cannot be written ({error.strerror}).",
            file=str(target),
            fix="Name another file.",
        ) from None


def import_(where: str | None, files: Sequence[Path]) -> None:
    """Add the runs of `files`; ConfigurationError names every line that is none, and none is."""
    found: list[Packed] = []
    errors: list[ConfigurationError] = []
    for file in files:
        for one in _read(file):
            if isinstance(one, Packed):
                found.append(one)
            else:
                errors.append(one)
    if errors:
        first = errors[0]
        raise ConfigurationError(
            first.message, file=first.file, line=first.line, fix=first.fix, errors=errors
        )
    history = open_history(where, os.environ, tell)
    try:
        new = history.take(found)
    finally:
        history.close()
    there = f", {len(found) - new} were there already" if new < len(found) else ""
    say(ci_log(f"{plural(new, 'run')} added to {history.where}{there}."))
    if others := sum(one.run.tool != __version__ for one in found):
        told = f"{plural(others, 'run')} judged by another version of readiness: taken at its word."
        say(f"readiness: {told}", err=True)


def _read(path: Path) -> Iterator[Packed | ConfigurationError]:
    """Yield each run of the file at `path`, or what is wrong with its line."""
    name = "stdin" if path == STDIO else str(path)
    try:
        with _opened(path) as file:
            first = file.readline(MAX_DATA_BYTES)
            if _begins_evidence(first):
                yield _evidence(first + file.read(MAX_DATA_BYTES), name)
                return
            if not first:
                yield ConfigurationError("this file is empty.", file=name)
            lines = chain([first], iter(lambda: file.readline(MAX_DATA_BYTES), b""))
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _run(line, name, number)
    except OSError as error:
        yield ConfigurationError(
            f"this file cannot be read ({why(error)}).",
            file=name,
            fix="Name what `readiness history export` wrote, or an evidence.json.",
        )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a regular file, for others can block or never end."""
    if path == STDIO:
        yield sys.stdin.buffer
        return
    with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(0, "it is no regular file")
        yield file


def _begins_evidence(line: bytes) -> bool:
    """Whether `line` begins evidence, be it written on one line or on many."""
    if line.strip() == b"{":
        return True
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(data, dict) and data.get("schema") == evidence.SCHEMA


def _evidence(raw: bytes, name: str) -> Packed | ConfigurationError:
    """Return a run of today's judgement, by the criteria and packs of its evidence."""
    try:
        found = evidence.from_json(raw.decode("utf-8"), name)
        one = kept(assess(found, judged_by(found.packs)))
        check_times(one.run)
        return pack(one)
    except HistoryError as error:
        return ConfigurationError(error.message, file=name, fix="Name another evidence.json.")
    except ConfigurationError as error:
        return error
    except UnicodeDecodeError:
        return ConfigurationError("this is not UTF-8.", file=name, fix="Name an evidence.json.")


def _run(raw: bytes, name: str, number: int) -> Packed | ConfigurationError:
    try:
        return from_line(raw.decode("utf-8"))
    except UnicodeDecodeError:
        wrong = HistoryError("this is not UTF-8.", fix="Export it anew.")
    except HistoryError as error:
        wrong = error
    return ConfigurationError(wrong.message, file=name, line=number, fix=wrong.fix)
