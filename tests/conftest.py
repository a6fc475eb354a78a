"""Fixtures of every test."""

import os
from collections.abc import Generator, Iterator
from enum import IntEnum
from pathlib import Path

import pytest

from readiness import demo, ledger
from readiness.demo import postgres, valkey
from readiness.history import where
from tests import debian_postgres
from tests.quiet import alone, beside_light, beside_others
from tests.sample_system import System

PASSWORD = "s3c/ret @word"
LONGEST_ID = 60
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Turn(IntEnum):
    """When a test runs, and with whom: what measures time comes last."""

    CROWD, LIGHT, ALONE = range(3)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run one test process more than there are cores: some tests wait for servers."""
    return 1 + CORES


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name long values by their argument: those made anew differ between test processes."""
    return argname if isinstance(val, bytes | str) and len(val) > LONGEST_ID else None


def pytest_itemcollected(item: pytest.Item) -> None:
    """Leave to the thorough run what asyncio times, and uvloop: they serve where epoll is not."""
    spec = getattr(item, "callspec", None)
    by = spec and spec.params.get("driver")
    if by == "uvloop" or (by == "asyncio" and _turn(item) > Turn.CROWD):
        item.add_marker("thorough")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what measures time in the end: each time that it takes turns, a core is idle."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> Turn:
    if item.get_closest_marker("alone"):
        return Turn.ALONE
    return Turn.LIGHT if item.get_closest_marker("light") else Turn.CROWD


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let no test run beside one that is marked `alone`, and `light` ones one a core at most.

    They measure time. That holds for what a test is given too: a database that starts takes a core.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    base: Path = item.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    room = base.parent if worker else base  # one for all processes
    match _turn(item):
        case Turn.CROWD:
            hold = beside_others(room)
        case Turn.LIGHT:
            hold = beside_light(room, int((worker or "gw0")[2:]) % CORES)
        case Turn.ALONE:
            hold = alone(room)
    with hold:
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def _state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what all runs leave, those of started programs too, out of the user's home.

    Runs are kept nowhere, so that no test meets another's; should one ask for the default place,
    that is in a folder of the tests as well.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ledger.VARIABLE, str(tmp_path_factory.mktemp("state")))
        patch.setenv(where.VARIABLE, where.NOWHERE)
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture
def anyio_backend() -> str:
    """Run `async def` tests marked `anyio` on asyncio, the only loop this tool uses."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a real Postgres, its superuser's password PASSWORD, shared by the tests."""
    with postgres.running(password=PASSWORD) as url:
        yield url


@pytest.fixture(scope="session")
def debian_url() -> Iterator[str]:
    """The URL of Debian's Postgres, its superuser's, shared by the tests; they skip without it."""
    with debian_postgres.running() as url:
        yield url


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """The URL of a real Valkey without password and without a limit, shared by the tests."""
    with valkey.running() as url:
        yield url


@pytest.fixture(scope="session")
def broken() -> Iterator[System]:
    """The sample system as it ships, broken, shared by the tests."""
    with demo.running(fixed=False) as environ:
        yield System(environ)


@pytest.fixture(scope="session")
def fixed() -> Iterator[System]:
    """The sample system repaired, shared by the tests."""
    with demo.running(fixed=True) as environ:
        yield System(environ)


@pytest.fixture(params=["broken", "fixed"])
def either(request: pytest.FixtureRequest) -> System:
    """The one, then the other."""
    running: System = request.getfixturevalue(request.param)
    return running
