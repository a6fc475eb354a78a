"""A sample service with the breach that the variable BREACH names, if it is that service's.

Run as `readiness.demo.service` is, whose place it takes.
"""

import asyncio
import importlib
import os
import random
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from types import ModuleType
from typing import Any

from benchmarks.verdicts.breaches import BREACHES
from readiness.demo import service
from readiness.demo.catalogue import SERVICES
from readiness.demo.config import Config

VARIABLE = "BREACH"

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Callable[[], Awaitable[Message]], Send], Awaitable[None]]

SLOWER_SECONDS = 0.322
"""On top of 53 ms: a p95 of 375."""
ERRORS = 0.0625

_BROKEN_BY_ITSELF = ("crowd", "stale-key", "login")
"""Breaches that the sample system has when it is not fixed."""


def breach_of(name: str) -> str:
    """Return the breach of the service called `name`, empty if it is to be healthy."""
    wanted = os.environ.get(VARIABLE, "")
    return wanted if wanted in BREACHES and BREACHES[wanted].service == name else ""


def main() -> None:
    breach = breach_of(sys.argv[1])
    if breach:
        module = importlib.import_module(f"readiness.demo.{SERVICES[sys.argv[1]].app}")
        _break(module, breach)
    service.main()


def _break(module: ModuleType, breach: str) -> None:
    build = module.app

    def app(config: Config) -> Any:
        if breach in _BROKEN_BY_ITSELF:
            return build(replace(config, fixed=False))
        built = build(config)
        built.add_middleware(_Breached, breach=breach, config=config)
        return built

    module.app = app  # type: ignore[attr-defined]


class _Breached:
    """Passes requests on as they are, but for what the breach is about."""

    def __init__(self, app: App, breach: str, config: Config) -> None:
        self._app, self._breach, self._config = app, breach, config
        self._chance = random.Random()
        self._asked = False  # the first request is the sample system's own, to see that it is up

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Send
    ) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._asked and (answer := self._instead(scope["path"])):
            await _answer(send, *answer)
        else:
            if self._breach == "slow" and scope["path"] == "/api/health":
                await asyncio.sleep(SLOWER_SECONDS)
            if self._breach == "corrupt" and scope["path"].endswith("/content"):
                send = _corrupted(send)
            self._asked = True
            await self._app({**scope, "headers": self._headers(scope)}, receive, send)

    def _instead(self, path: str) -> tuple[int, bytes] | None:
        """Return the status and body that are answered instead of the service's own, if any."""
        match self._breach:
            case "unhealthy" if path == "/health":
                return 503, b'{"status": "down"}'
            case "errors" if path == "/health" and self._chance.random() < ERRORS:
                return 500, b"{}"
            case "logout" if path == "/auth/logout":
                return 204, b""
        return None

    def _headers(self, scope: Message) -> list[tuple[bytes, bytes]]:
        """Return the request's headers, a key put in where the door is to stand open."""
        sent = list(scope["headers"])
        if self._breach == "open":
            return [*sent, (b"x-api-key", self._config.api_key.encode())]
        others = [pair for pair in sent if pair[0] != b"authorization"]
        if self._breach == "any-key" and len(others) < len(sent):
            return [*others, (b"authorization", f"Bearer {self._config.airtable_key}".encode())]
        return sent


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    if status == 204:
        headers = []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _corrupted(send: Send) -> Send:
    """Return `send` with the first byte of the first part of each body inverted."""

    async def altered(message: Message) -> None:
        if body := message.get("body"):
            message = {**message, "body": bytes([body[0] ^ 0xFF]) + body[1:]}
        await send(message)

    return altered


if __name__ == "__main__":
    main()
