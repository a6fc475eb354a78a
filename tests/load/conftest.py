"""Each way to drive the engine, for the tests that hold for all."""

import importlib.util
import sys

import pytest

from readiness.load.engine import DriverName

EPOLL = pytest.param(
    "epoll", marks=pytest.mark.skipif(sys.platform != "linux", reason="epoll is Linux's")
)
UVLOOP = pytest.param(
    "uvloop",
    marks=pytest.mark.skipif(
        importlib.util.find_spec("uvloop") is None, reason="uvloop is not for this system"
    ),
)


@pytest.fixture(params=[EPOLL, "asyncio"])
def driver(request: pytest.FixtureRequest) -> DriverName:
    """The name of a driver; uvloop's differs from asyncio's in its loop alone."""
    name: DriverName = request.param
    return name
