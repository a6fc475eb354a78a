"""The health endpoints of the sample services: health+json, in the time built into the service."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from readiness.demo.catalogue import SERVICES

OVERHEAD_MS = 1.0
"""What socket, parser and framework add to a handler's own time (measured on loopback)."""


@asynccontextmanager
async def lasting(milliseconds: float) -> AsyncIterator[None]:
    """Make the block last so long that a client sees an answer after `milliseconds`."""
    loop = asyncio.get_running_loop()
    end = loop.time() + (milliseconds - OVERHEAD_MS) / 1000
    yield
    await asyncio.sleep(end - loop.time())


def report(name: str, output: str | None = None) -> Response:
    """Say in the form of health+json that service `name` passes, or fails because of `output`."""
    body = {"status": "fail" if output else "pass", "serviceId": name, "version": "2.0"}
    if output:
        body["output"] = output
    return JSONResponse(body, 503 if output else 200, media_type="application/health+json")


def routes(name: str, *checks: Callable[[], Awaitable[object]]) -> list[Route]:
    """Return `/health`, which runs `checks` on what the service needs, and `/live`."""

    async def ready(_: Request) -> Response:
        async with lasting(SERVICES[name].delay_ms or 0):
            for check in checks:
                await check()
        return report(name)

    return [Route("/health", ready), live(name)]


def live(name: str) -> Route:
    """Return `/live`: the process answers, whatever state the things it needs are in."""

    async def alive(_: Request) -> Response:
        return report(name)

    return Route("/live", alive)
