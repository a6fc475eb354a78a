"""A server program from a wheel -> that server on a free port of 127.0.0.1, gone when we are."""

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from readiness.demo import attached

Account = tuple[int, int]
"""(uid, gid) that a server runs as; (-1, -1) is our own."""
OWN_ACCOUNT: Account = (-1, -1)

_ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}
_POLL_SECONDS = 0.01
ANSWER_SECONDS = 0.25
"""How long a server may take to answer one question of `ready`; it is asked again."""
_PORT_ATTEMPTS = 5
_STOP_SECONDS = 5.0


class StartError(Exception):
    """A sample server that did not come up; the message ends with the last lines of its log."""


def wheel(package: str, server: str) -> Path:
    """Return the folder of the installed `package`, without running any of its code.

    Raises ImportError, naming the extra to install, when `server`'s package is missing.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ImportError(
            f"a local {server} needs the package {package}: pip install 'readiness[demo]'",
            name=package,
        )
    return Path(spec.origin).parent


def attach(program: Sequence[str], account: Account = OWN_ACCOUNT) -> list[str]:
    """Return the command line that runs `program` as `account`, bound to our life."""
    identity = (str(number) for number in (os.getpid(), *account))
    return [sys.executable, "-I", "-S", str(attached.__file__), *identity, *program]


def run(program: Sequence[str], folder: Path, account: Account, seconds: float) -> None:
    """Run `program` to its end in `folder`; StartError when it fails or takes too long."""
    try:
        subprocess.run(
            attach(program, account),
            cwd=folder,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=True,
        )
    except subprocess.SubprocessError as error:
        output = (getattr(error, "output", None) or b"").decode(errors="replace")
        raise StartError(f"{Path(program[0]).name} failed: {output[-2000:].strip()}") from None


@contextlib.contextmanager
def serving(
    program: Callable[[int], Sequence[str]],
    ready: Callable[[int, int], bool],
    folder: Path,
    *,
    account: Account = OWN_ACCOUNT,
    seconds: float,
) -> Iterator[int]:
    """Run the server `program(port)` in `folder` and yield its port; stop it at the end.

    `ready(pid, port)` tells whether that very process answers; it may raise OSError for "not yet".
    A port that another process took between our asking and the server's binding is tried anew.
    StartError when the server does not answer within `seconds`.
    """
    process, port = _start(program, ready, folder, account, time.monotonic() + seconds)
    try:
        yield port
    finally:
        _stop(process)


def _start(
    program: Callable[[int], Sequence[str]],
    ready: Callable[[int, int], bool],
    folder: Path,
    account: Account,
    deadline: float,
) -> tuple[subprocess.Popen[bytes], int]:
    log = folder / "log"
    for _ in range(_PORT_ATTEMPTS):
        port = _free_port()
        process = _spawn(attach(program(port), account), folder, log)
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(_stop, process)
            if _await_ready(process, port, ready, deadline):
                on_failure.pop_all()
                return process, port
            died = process.poll() is not None
        output = log.read_text(errors="replace")
        if not (died and "already in use" in output):
            break
    reason = "ended at once" if died else "did not answer in time"
    raise StartError(f"{Path(program(port)[0]).name} {reason}: {output[-2000:].strip()}")


def _spawn(command: Sequence[str], folder: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that Ctrl-C reaches us alone, and we stop it in order
        )


def _await_ready(
    process: subprocess.Popen[bytes],
    port: int,
    ready: Callable[[int, int], bool],
    deadline: float,
) -> bool:
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if ready(process.pid, port):
                return True
        time.sleep(_POLL_SECONDS)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask, then force: nothing of the server's process group is left when this returns."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        _await_end_of_group(process.pid)


def _await_end_of_group(group: int) -> None:
    """Wait a little for processes that are not our children, so that nobody can tell us."""
    deadline = time.monotonic() + _STOP_SECONDS
    with contextlib.suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(_POLL_SECONDS)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
