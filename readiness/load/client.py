"""One simulated user: a connection opened again whenever it is gone -> one outcome per request."""

import asyncio
import time
from typing import NamedTuple, Self

from readiness.failure import Failure, ProbeError, classify
from readiness.load.connection import Connection, StaleConnection
from readiness.load.request import Endpoint, Request


class Outcome(NamedTuple):
    """What became of one request: a status, or the target's fault. Moments as in Answer."""

    sent_ns: int
    done_ns: int
    status: int | None = None
    fault: Failure | None = None


class Client:
    """Asks for one thing, over one connection at a time; closed by leaving its context."""

    def __init__(self, endpoint: Endpoint, request: Request) -> None:
        self._endpoint, self._request = endpoint, request
        self._connection: Connection | None = None
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._drop()

    async def ask(self, until: float) -> Outcome:
        """Make one request, connecting first if need be, and wait for its answer.

        What the target does wrong, `until` (loop time) passing included, is an outcome. Raises
        ProbeError for what is wrong on our side: no descriptor or port left, no permission.
        """
        began = time.monotonic_ns()
        if self._loop.time() >= until:
            return Outcome(began, began, fault=Failure(kind="timeout", detail="no turn in time"))
        try:
            async with asyncio.timeout_at(until):
                return await self._ask()
        except (OSError, ProbeError) as error:
            now, failure = time.monotonic_ns(), classify(error)
            self._drop()
            if not failure.blames_target:
                raise ProbeError(failure.kind, failure.detail) from error
            return Outcome(began, now, fault=failure)

    async def _ask(self) -> Outcome:
        if self._connection is not None and self._connection.usable:
            try:
                answer = await self._connection.exchange(self._request)
                return Outcome(answer.sent_ns, answer.done_ns, answer.status)
            except StaleConnection:
                pass  # it idled out as we wrote: every client asks again (RFC 9110, 9.2.2)
        self._drop()
        self._connection = await Connection.open(self._endpoint)
        answer = await self._connection.exchange(self._request)
        return Outcome(answer.sent_ns, answer.done_ns, answer.status)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.abort()
