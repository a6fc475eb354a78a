"""Processes that write runs at once, and are killed: forked from one that has imported it all.

`python -m tests.history.writers NAME ARGUMENTS` prints what came of it as one JSON object.
"""

import dataclasses
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from readiness.assessment import Assessment, assess
from readiness.checks import Criteria
from readiness.history import HistoryError, open_history
from tests.history.runs import run
from tests.judging import area, check

FAILED, NOBODY = 99, 65534
BULK = random.Random(0).randbytes(20_000).hex()
"""Makes a run take several pages of a file, and several writes."""
FEW = Criteria(checks={"speed": check()}, areas={"performance": area("performance")})
MADE = assess(run("a", packs={"bulk": BULK}).evidence, FEW)


def named(name: str) -> Assessment:
    """Return the assessment of a run that differs by its id alone."""
    evidence = MADE.evidence.model_copy(update={"run_id": name})
    return dataclasses.replace(MADE, model=dataclasses.replace(MADE.model, evidence=evidence))


def forked(work: Callable[[], int]) -> int:
    """Do `work` in a process of its own, whose exit code it returns; return its id."""
    child = os.fork()
    if child:
        return child
    code = FAILED
    try:
        code = work()
    finally:
        os._exit(code)


def killed(path: str, kills: int, seed: int) -> dict[str, Any]:
    """Kill a writer `kills` times at any instant of its first few runs.

    Every fifth one begins with a new file, and so is killed also while it makes that.
    """
    instants = random.Random(seed)
    longest = 3 * _seconds_of_one(f"{path}.timed")
    lost = torn = acknowledged = journals = 0
    file, acked = path, set[str]()
    for n in range(kills):
        if n % 5 == 0:
            file, acked = f"{path}.{n}", set()
        told = _one_killed(file, f"w{n}", instants.uniform(0, longest))
        acked, acknowledged = acked | told, acknowledged + len(told)
        journals += Path(f"{file}-journal").exists()
        if n % 5 == 4 or n == kills - 1:
            there, bad = _read(file)
            lost, torn = lost + len(acked - there), torn + bad
    aside = sum("corrupt" in one.name for one in Path(path).parent.iterdir())
    return {"lost": lost, "torn": torn, "acked": acknowledged, "journals": journals, "aside": aside}


def _seconds_of_one(file: str) -> float:
    """Return what a process takes to make a history and to add a run."""
    began = time.monotonic()

    def work() -> int:
        open_history(file, {}).add(named("timed"))
        return 0

    os.waitpid(forked(work), 0)
    return time.monotonic() - began


def _one_killed(file: str, prefix: str, seconds: float) -> set[str]:
    """Return the ids that a writer acknowledged before it was killed."""
    out, into = os.pipe()

    def work() -> int:
        history = open_history(file, {})
        for n in range(1000):
            history.add(named(f"{prefix}-{n}"))
            os.write(into, f"{prefix}-{n}\n".encode())
        return 0

    child = forked(work)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(into)
    with os.fdopen(out) as told:
        return set(told.read().split())


def _read(where: str) -> tuple[set[str], int]:
    """Return the ids of the runs there, and how many things in it are torn."""
    history = open_history(where, {})
    torn, there = 0, {one.run_id for one in history.runs()}
    for one in there:
        try:
            history.get(one)
        except HistoryError:
            torn += 1
    history.close()
    if "://" not in where:
        connection = sqlite3.connect(where)
        torn += connection.execute("PRAGMA integrity_check").fetchone() != ("ok",)
        connection.close()
    return there, torn


def at_once(where: str, writers: int, each: int) -> dict[str, Any]:
    """Let so many writers begin at the same moment, in a history that none has made."""
    gate, opens = os.pipe()

    def work(name: int) -> int:
        os.close(opens)
        os.read(gate, 1)  # the end of the pipe, for all at once
        history = open_history(where, {})
        for n in range(each):
            history.add(named(f"w{name}-{n}"))
        history.close()
        return 0

    children = [forked(lambda name=name: work(name)) for name in range(writers)]  # type: ignore[misc]
    os.close(opens)
    failed = sum(os.waitpid(child, 0)[1] != 0 for child in children)
    there, torn = _read(where)
    return {"runs": len(there), "lost": writers * each - len(there), "torn": torn, "failed": failed}


def full(path: str, offsets: int) -> dict[str, Any]:
    """Let the disk be full after each of so many bytes, evenly up to what one more run takes.

    In the end there is room.
    """
    before, after = f"{path}.before", f"{path}.after"
    history = open_history(before, {})
    for n in range(3):
        history.add(named(f"old{n}"))
    history.close()
    shutil.copy(before, after)
    history = open_history(after, {})
    history.add(named("new"))
    history.close()
    most = Path(after).stat().st_size
    told: list[str] = []
    lost = torn = kept = 0
    for n in range(offsets + 1):
        file = f"{path}.{n}"
        shutil.copy(before, file)
        said = _with_little_room(file, most * n // offsets)
        there, bad = _read(file)
        lost += len({"old0", "old1", "old2"} - there) + (said == "" and "new" not in there)
        torn, kept = torn + bad, kept + (said == "")
        told.append(said)
    aside = sum("corrupt" in one.name for one in Path(path).parent.iterdir())
    return {"lost": lost, "torn": torn, "kept": kept, "aside": aside, "told": sorted(set(told))}


def _with_little_room(file: str, most: int) -> str:
    """Add a run where no file may grow beyond `most` bytes; return what was wrong, if anything."""
    out, into = os.pipe()

    def work() -> int:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        os.write(into, _attempt(file, "new").encode())
        return 0

    os.waitpid(forked(work), 0)
    os.close(into)
    with os.fdopen(out) as told:
        return told.read().replace(file, "FILE")


def _attempt(file: str, name: str) -> str:
    try:
        history = open_history(file, {})
        history.add(named(name))
    except HistoryError as error:
        return str(error)
    return ""


def stranger(path: str) -> dict[str, Any]:
    """Return what one is told who may not read the file."""
    out, into = os.pipe()

    def work() -> int:
        os.setuid(NOBODY)
        os.write(into, _attempt(path, "new").encode())
        return 0

    os.waitpid(forked(work), 0)
    os.close(into)
    with os.fdopen(out) as told:
        return {"told": told.read()}


def aside(path: str, processes: int) -> dict[str, Any]:
    """Let so many find the same damaged file at once, each with a run to keep."""
    open_history(path, {}).close()
    with Path(path).open("r+b") as file:
        file.seek(200)
        file.write(b"\xff" * 3000)
    return at_once(path, processes, 1) | {
        "aside": sum("corrupt" in one.name for one in Path(path).parent.iterdir())
    }


def _words(arguments: list[str]) -> Iterator[str | int]:
    yield from (int(word) if word.isdigit() else word for word in arguments)


if __name__ == "__main__":
    name, *rest = sys.argv[1:]
    print(json.dumps(globals()[name](*_words(rest))))
