"""Real Redis and Valkey servers for the tests: the wheel's, and Debian's where it is installed."""

import contextlib
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import redis
from pydantic import SecretStr

from readiness.demo import valkey
from readiness.finding import Finding
from readiness.inventory import Service
from readiness.probes import Context
from tests.states import judged, troubled

KINDS = ("valkey", "redis")
MOSTLY_VALKEY = ("valkey", pytest.param("redis", marks=pytest.mark.thorough))
"""Where the two differ in nothing that is looked at."""

TIMES = {"redis-ping-p95", "redis-ping-p99"}
"""Checks of times, which a busy machine fails; tests/probes/test_redis_health.py looks at them."""

BRIEF: Mapping[str, Mapping[str, Any]] = {
    probe: {"window": "20ms"}
    for probe in ("redis_memory", "redis_persistence", "redis_replication", "redis_streams")
}
"""Settings with which all probes look for a moment only."""

WELL: Mapping[str, Any] = {"maxmemory": "64mb", "eviction_policy": "noeviction"}
"""What a server needs to be without a finding, if it listens on loopback."""


@contextlib.contextmanager
def running(kind: str = "valkey", **options: Any) -> Iterator[str]:
    """Yield the URL of a fresh server; skip where it is Redis and that is not installed."""
    program = None
    if kind == "redis":
        found = shutil.which("redis-server", path="/usr/bin:/usr/local/bin")
        if found is None:
            pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
        program = Path(found)
    with valkey.running(program=program, **options) as url:
        yield url


def free_port() -> int:
    """Return a port on which nobody listens now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def clustered() -> Mapping[str, str]:
    """Return the settings of a cluster's node; its second port is by default out of range."""
    return {"cluster-enabled": "yes", "cluster-port": str(free_port())}


def service(url: str, **probes: Mapping[str, Any]) -> Service:
    """Return the service at `url`, looked at for a moment, with these settings beside."""
    names = dict.fromkeys([*BRIEF, *probes])
    settings = {name: {**BRIEF.get(name, {}), **probes.get(name, {})} for name in names}
    return Service(name="cache", kind="redis", url=SecretStr(url), probes=settings)


def caught(findings: Mapping[str, Finding]) -> set[str]:
    """Return the checks that fail or warn, but those of times."""
    return troubled(findings) - TIMES


async def found(url: str, context: Context, **probes: Mapping[str, Any]) -> set[str]:
    """Return every check that all probes of a Redis find failing there, or warn of."""
    return caught(await judged(service(url, **probes), context))


@contextlib.contextmanager
def client(url: str) -> Iterator[Any]:
    """Yield a client for a test's own commands."""
    with redis.Redis.from_url(url, decode_responses=True) as connected:
        yield connected


@contextlib.contextmanager
def configured(url: str, **settings: object) -> Iterator[Any]:
    """Change settings (`_` for `-` in their names) of an empty server, then put all back."""
    with client(url) as connected:
        names = {name.replace("_", "-"): value for name, value in settings.items()}
        before = {name: connected.config_get(name)[name] for name in names}
        try:
            for name, value in names.items():
                connected.config_set(name, value)
            yield connected
        finally:
            for name, value in before.items():
                connected.config_set(name, value)
            connected.flushall()
            connected.config_resetstat()
            connected.slowlog_reset()


def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Poll `condition` until it holds; AssertionError after so long."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)
