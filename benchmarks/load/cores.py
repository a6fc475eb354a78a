"""Who runs where: the server on one core, the client and whatever disturbs it on another."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path


def _cores() -> tuple[int, int]:
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(usable) < 2:
        sys.exit("these benchmarks pin processes: they need Linux and two cores")
    return usable[0], usable[1]


SERVER, CLIENT = _cores()


def on(core: int, command: list[str]) -> list[str]:
    """Return the command that runs `command` on `core` alone, its children too."""
    pin = f"import os,sys;os.sched_setaffinity(0,{{{core}}});os.execvp(sys.argv[1],sys.argv[1:])"
    return [sys.executable, "-c", pin, *command]


@contextlib.contextmanager
def hog() -> Iterator[None]:
    """Burn the client's core with another process of equal priority."""
    command = on(CLIENT, [sys.executable, "-c", "while True: pass"])
    burn = subprocess.Popen(command, start_new_session=True)
    try:
        yield
    finally:
        burn.kill()
        burn.wait()


def busy(seconds: float = 0.5) -> float:
    """Return the share of the two cores that other work takes now."""
    before = _ticks()
    time.sleep(seconds)
    spent = [after - earlier for after, earlier in zip(_ticks(), before, strict=True)]
    idle = spent[3] + spent[4]  # and waiting for a disk
    return 1 - idle / max(sum(spent), 1)


def _ticks() -> list[int]:
    lines = Path("/proc/stat").read_text().splitlines()
    mine = [line.split() for line in lines if line.split()[0] in (f"cpu{SERVER}", f"cpu{CLIENT}")]
    return [sum(map(int, column)) for column in zip(*(line[1:] for line in mine), strict=True)]
