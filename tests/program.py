"""The program as its user starts it: a process in a folder, with an environment."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

COMMAND = (sys.executable, "-m", "readiness")


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without variables that change what Python prints."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV_", "COVERAGE"))}
    return {**kept, **(more or {})}


def readiness(
    *words: str, cwd: Path, env: Mapping[str, str] | None = None, seconds: float = 60
) -> "subprocess.CompletedProcess[str]":
    """Run `readiness WORDS` in `cwd` to its end."""
    return subprocess.run(
        [*COMMAND, *words],
        cwd=cwd,
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def started(
    words: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None
) -> "subprocess.Popen[str]":
    """Start `readiness WORDS` in `cwd`, its output piped."""
    return subprocess.Popen(
        [*COMMAND, *words],
        cwd=cwd,
        env=environment(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a group of its own, which a test may signal as a whole
    )
