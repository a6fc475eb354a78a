"""The program as its user starts it: a process in a folder, with an environment."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

COMMAND = (sys.executable, "-m", "readiness")

_PREPARED = multiprocessing.get_context("forkserver")
_PREPARED.set_forkserver_preload(["tests.prepared"])
"""Forks from a process which has imported the program: to get that far takes a second."""


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without variables that change what Python prints."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV_", "COVERAGE"))}
    return {**kept, **(more or {})}


def readiness(
    *words: str, cwd: Path, env: Mapping[str, str] | None = None, seconds: float = 60
) -> "subprocess.CompletedProcess[str]":
    """Run `readiness WORDS` in `cwd` to its end."""
    return exactly(words, cwd, environment(env), seconds)


def exactly(
    words: Sequence[str], cwd: Path, env: Mapping[str, str], seconds: float = 60
) -> "subprocess.CompletedProcess[str]":
    """Run `readiness WORDS` in `cwd` with no other variables than `env`."""
    with tempfile.NamedTemporaryFile("r") as out, tempfile.NamedTemporaryFile("r") as err:
        asked = (words, str(cwd), env, out.name, err.name)
        process = _PREPARED.Process(target=_run, args=asked)
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired([*COMMAND, *words], seconds)
        return subprocess.CompletedProcess(
            [*COMMAND, *words], process.exitcode, out.read(), err.read()
        )


def _run(words: Sequence[str], cwd: str, env: Mapping[str, str], out: str, err: str) -> None:
    """Become the program, in a process that has imported it."""
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    for number, file in enumerate((os.devnull, out, err)):
        os.dup2(os.open(file, os.O_RDWR | os.O_APPEND), number)
    sys.argv = ["readiness", *words]
    from readiness.__main__ import main

    main()


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
