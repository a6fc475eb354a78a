"""What a run needs: an endpoint on this machine, and time."""

import asyncio
import socket

from readiness.load.request import Endpoint, preformat

GET = preformat("GET", "/", {"host": "localhost"})


def at(port: int) -> Endpoint:
    """Return the endpoint of a local server."""
    return Endpoint(socket.AF_INET, "127.0.0.1", port)


def soon(seconds: float = 5.0) -> float:
    """Return the loop time so many seconds from now."""
    return asyncio.get_running_loop().time() + seconds
