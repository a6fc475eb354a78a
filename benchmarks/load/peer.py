"""One load on one client, run alone on the client's core -> the figures it reports."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.load import cores

_GRACE = 40
"""Seconds beyond the asked that a client may take to start, drain and report."""


@dataclass(frozen=True)
class Load:
    """What to play: closed with `users` at a time, or open at `rate` with so many in flight."""

    url: str
    users: int = 50
    seconds: float = 2
    rate: int | None = None
    certificate: Path | None = None
    """What to trust, for a client that insists on it."""

    @property
    def whole_seconds(self) -> int:
        return max(1, round(self.seconds))


@dataclass(frozen=True)
class Figures:
    """What a client says of its own run; None for what it does not tell."""

    requests_per_second: float
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    failures: int = 0
    cpu: float = 0.0
    """The share of its core that it used, its start and end included."""


class Broken(Exception):
    """A client ran and gave no figures; why, in one line."""


@dataclass(frozen=True)
class Peer:
    """A load tester: its program, the command that plays a load, the reading of what it prints.

    Command and reading get the same scratch folder, for the tool's script and its reports.
    """

    name: str
    program: str
    command: Callable[[str, Load, Path], list[str]]
    read: Callable[[str, Path], Figures]
    module: str = ""
    """What `program`, a Python, must be able to import."""
    install: str = ""

    @property
    def located(self) -> str | None:
        """Where it is: in the folder that PEERS names, in PATH, or nowhere."""
        found = shutil.which(self.program, path=os.environ.get("PEERS", "/nowhere"))
        found = found or (sys.executable if self.module else shutil.which(self.program))
        if found and self.module:
            tried = subprocess.run([found, "-c", f"import {self.module}"], capture_output=True)
            return None if tried.returncode else found
        return found

    def run(self, load: Load) -> Figures:
        """Play `load` and return the figures; Broken if there are none."""
        with tempfile.TemporaryDirectory() as folder:
            command = self.command(self.located or self.program, load, Path(folder))
            out, cpu = pinned(command, load.seconds + _GRACE)
            try:
                return replace(self.read(out, Path(folder)), cpu=cpu)
            except (LookupError, ValueError, TypeError, OSError) as error:
                last = (out.strip().splitlines() or ["nothing"])[-1]
                raise Broken(f"{self.name}: {error!r}, it said: {last[:100]}") from None


def pinned(command: list[str], seconds: float) -> tuple[str, float]:
    """Run `command` on the client's core -> what it printed, and its share of that core."""
    began = time.perf_counter()
    before = os.times()
    process = subprocess.Popen(
        cores.on(cores.CLIENT, command),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, said = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise Broken(f"{command[0]}: not done after {seconds:.0f} s") from None
    after = os.times()
    used = after.children_user + after.children_system
    used -= before.children_user + before.children_system
    return out or said, used / (time.perf_counter() - began)
