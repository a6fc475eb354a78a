"""What a run needs: an endpoint on this machine, and time."""

import asyncio
import socket
from typing import Any

from readiness.load.closed import Level
from readiness.load.engine import run
from readiness.load.open import Schedule
from readiness.load.request import Endpoint, preformat
from readiness.load.result import Result

GET = preformat("GET", "/", {"host": "localhost"})


def at(port: int) -> Endpoint:
    """Return the endpoint of a local server."""
    return Endpoint(socket.AF_INET, "127.0.0.1", port)


def soon(seconds: float = 5.0) -> float:
    """Return the loop time so many seconds from now."""
    return asyncio.get_running_loop().time() + seconds


async def closed(port: int, level: Level, **how: Any) -> Result:
    """Put `level` on a local server; `how` replaces timeout, deadline (seconds), request..."""
    endpoint, request = how.pop("endpoint", at(port)), how.pop("request", GET)
    how = {"timeout": 5.0, **how, "deadline": soon(how.get("deadline", 30.0))}
    return await run(endpoint, request, level, **how)


async def opened(port: int, schedule: Schedule, **how: Any) -> Result:
    """Play `schedule` on a local server; `how` as in `closed`."""
    endpoint, request = how.pop("endpoint", at(port)), how.pop("request", GET)
    how = {"timeout": 5.0, **how, "deadline": soon(how.get("deadline", 30.0))}
    return await run(endpoint, request, schedule, **how)
