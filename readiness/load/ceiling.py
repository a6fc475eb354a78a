"""A responder on this machine that costs nothing -> how much load we could put on anything."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from readiness.failure import ProbeError
from readiness.load.arrivals import Stage
from readiness.load.closed import Level
from readiness.load.engine import run
from readiness.load.open import Schedule
from readiness.load.request import Endpoint, preformat

_USERS = 50
_SECONDS = 0.08
_RATE = 4000.0
_TIMEOUT = 2.0
_REQUEST = preformat("GET", "/", {"host": "localhost"})


@dataclass(frozen=True)
class Ceiling:
    """What this client can do at best on this machine, at this moment."""

    requests_per_second: float
    lag_p99_ms: float
    """How late it sends at a rate of 4,000/s that it has no trouble with."""


_known: list[Ceiling] = []


async def ceiling() -> Ceiling:
    """Return what `measure_ceiling` found first in this process."""
    if not _known:
        _known.append(await measure_ceiling())
    return _known[0]


async def measure_ceiling() -> Ceiling:
    """Put load on a responder of our own for a fifth of a second.

    Raises ProbeError `local_limit` if not even that can be done.
    """
    deadline = asyncio.get_running_loop().time() + 10 * _TIMEOUT
    async with _responder() as endpoint:
        crowd = Level(users=_USERS, requests=10**6, seconds=_SECONDS)
        busy = await run(endpoint, _REQUEST, crowd, timeout=_TIMEOUT, deadline=deadline)
        pace = Schedule((Stage(_RATE, _SECONDS),), in_flight=8, seed="ceiling")
        calm = await run(endpoint, _REQUEST, pace, timeout=_TIMEOUT, deadline=deadline)
    if not busy.in_window:
        raise ProbeError("local_limit", "this machine could not put load on itself")
    return Ceiling(busy.throughput, calm.lag.point(0.99))


@contextlib.asynccontextmanager
async def _responder() -> AsyncIterator[Endpoint]:
    script = Path(__file__).with_name("responder.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-I", "-S", str(script)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        line = await process.stdout.readline()
        if not line.strip().isdigit():
            raise ProbeError("local_limit", "this machine could not start a server of our own")
        yield Endpoint(socket.AF_INET, "127.0.0.1", int(line))
    finally:
        process.stdin.close()
        await process.wait()
