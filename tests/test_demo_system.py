"""The sample system starts as a whole, says what is wrong, and leaves nothing behind."""

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from readiness import demo
from readiness.demo import system
from readiness.demo.process import Process, stop
from tests.raw_client import listens

RUN = """
import signal, sys
from readiness import bundled, demo
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever starts the tests may ignore it
with demo.running(fixed=False) as environ:
    print(*environ.values(), sep=chr(9), flush=True)
    sys.stdin.read()
"""


def test_nothing_is_left_after_an_exception() -> None:
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(ZeroDivisionError), demo.running(fixed=False) as environ:
        urls = [url for url in environ.values() if "://" in url]
        started = set(psutil.Process().children(recursive=True)) - before
        raise ZeroDivisionError
    assert len(started) >= 10
    assert not any(process.is_running() for process in started)
    assert not any(listens(url) for url in urls)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder for temporary files that Postgres, which runs as nobody, can enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextlib.contextmanager
def parent(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the broken system in a program of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", RUN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(folder)},
    ) as program:
        yield program
        program.kill()


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.thorough), signal.SIGKILL],
)
def test_nothing_is_left_after_a_signal(number: signal.Signals, folder: Path) -> None:
    with parent(folder) as program:
        assert program.stdout
        urls = [url for url in program.stdout.readline().decode().split("\t") if "://" in url]
        started = psutil.Process(program.pid).children(recursive=True)
        assert sum(listens(url) for url in urls) == 10
        program.send_signal(number)
        code = program.wait(20)
    killed = number == signal.SIGKILL
    assert code == (143 if number == signal.SIGTERM else -number)
    _, left = psutil.wait_procs(started, timeout=10 if killed else 0)
    assert not left
    assert not any(listens(url) for url in urls)
    assert killed or not list(folder.iterdir())


def test_ctrl_c_while_starting_leaves_nothing(folder: Path) -> None:
    with parent(folder) as program:
        started = first_children(program.pid)
        program.send_signal(signal.SIGINT)
        program.wait(20)
    _, left = psutil.wait_procs(started, timeout=10)
    assert not left
    assert not list(folder.iterdir())


def test_the_programs_own_sigterm_handler_stays() -> None:
    def own(*_: object) -> None: ...

    previous = signal.signal(signal.SIGTERM, own)
    try:
        with system.terminated_in_order():
            assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, previous)


def test_missing_parts_are_named_with_their_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "uvicorn" else find(name)
    )
    with (
        pytest.raises(demo.StartError, match=r"needs uvicorn: pip install 'readiness\[all\]'"),
        demo.running(fixed=True),
    ):
        pass


def test_a_service_that_ends_at_once_is_named_with_its_last_words() -> None:
    process = Process("no-such-service")
    try:
        with pytest.raises(demo.StartError, match=r"(?s)no-such-service ended at once: .*KeyError"):
            process.port(time.monotonic() + 20)
    finally:
        stop([process])


def test_a_service_that_stays_silent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readiness.demo.process.STOP_SECONDS", 20.0)  # it may be importing still
    process = Process("auth")  # waits for its configuration
    try:
        with pytest.raises(demo.StartError, match="auth did not answer in time"):
            process.port(time.monotonic())
    finally:
        stop([process])
    assert process.child.returncode == 0


def first_children(pid: int) -> list[psutil.Process]:
    """Return the processes that `pid` has started as soon as there are some."""
    while not (children := psutil.Process(pid).children(recursive=True)):
        time.sleep(0.01)
    return list(children)
