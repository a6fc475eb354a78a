"""A sample service's process, seen from its parent: start it, await its port, stop it."""

import contextlib
import json
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import IO

from readiness.demo.config import Config
from readiness.demo.store import StartError

STOP_SECONDS = 3.0
TAIL_CHARACTERS = 2000
SERVICE = "readiness.demo.service"
"""The module that a service's process runs."""


class Process:
    """One running service. Its stdin is its lifeline: closed, or this process dead, it stops."""

    def __init__(self, name: str, program: str = SERVICE) -> None:
        self.name = name
        self.stderr: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `stop`)
        self.child = subprocess.Popen(
            [sys.executable, "-m", program, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is ours to handle: children stop in order, after us
        )

    def configure(self, config: Config) -> None:
        """Send `config`, upon which the service starts. It may be dead: `port` will tell."""
        assert self.child.stdin
        line = json.dumps(asdict(replace(config, name=self.name))) + "\n"
        with contextlib.suppress(BrokenPipeError):
            self.child.stdin.write(line.encode())

    def port(self, deadline: float) -> int:
        """Return the port it answers at; raise StartError if it says none by `deadline`."""
        assert self.child.stdout
        seconds = max(0, deadline - time.monotonic())
        answered, _, _ = select.select([self.child.stdout], [], [], seconds)
        line = self.child.stdout.readline() if answered else b""
        if not line:
            ending = "ended at once" if answered else "did not answer in time"
            raise StartError(f"{self.name} {ending}: {self._tail()}")
        return int(line)

    def _tail(self) -> str:
        self.stderr.seek(0)
        return self.stderr.read().decode(errors="replace").strip()[-TAIL_CHARACTERS:]


def stop(processes: Sequence[Process]) -> None:
    """End all `processes`, those that have ended too: by their lifelines, else by force."""
    for process in processes:
        assert process.child.stdin and process.child.stdout
        process.child.stdin.close()
        process.child.stdout.close()
    deadline = time.monotonic() + STOP_SECONDS
    for process in processes:
        try:
            process.child.wait(max(0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.child.kill()
            process.child.wait()
        process.stderr.close()
