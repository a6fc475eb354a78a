"""The open model: requests start when it is their time, answered or not -> true latencies."""

import asyncio
import contextlib
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from readiness.load.client import Client
from readiness.load.request import Endpoint, Request
from readiness.load.result import Ledger, Result
from readiness.load.sentinel import Sentinel
from readiness.load.together import together

_STALL_SECONDS = 0.010
_SPIN_SECONDS = 0.001
"""The resolution of epoll, which would make every request up to so much late."""
_ROUNDS = 3
"""After the first, each makes up for the requests that a stall of our own spoilt in the last."""


@dataclass(frozen=True)
class Schedule:
    """When requests start (seconds from the run's begin), and how many are in flight at most.

    A request whose time has come while all slots are taken waits, and its waiting counts.
    """

    starts: Sequence[float]
    in_flight: int


def poisson(n: int, seconds: float, seed: str) -> tuple[float, ...]:
    """Return the starts of a Poisson process that has `n` arrivals in `seconds`.

    Given their number, the arrivals of a Poisson process are independent and uniform (Ross,
    Introduction to Probability Models, theorem 5.2). The same `seed` gives the same starts.
    """
    source = random.Random(seed)
    return tuple(sorted(source.uniform(0, seconds) for _ in range(n)))


async def run(
    endpoint: Endpoint, request: Request, schedule: Schedule, *, timeout: float, deadline: float
) -> Result:
    """Send `request` on `schedule`; each has `timeout` seconds from its intended start.

    Every connection makes one request before the clock starts. `deadline` (loop time) bounds the
    whole run. Raises ProbeError for what is wrong on our side.
    """
    stream = _Stream(schedule, timeout, deadline)
    with contextlib.ExitStack() as closing:
        clients = [
            closing.enter_context(Client(endpoint, request)) for _ in range(schedule.in_flight)
        ]
        await together(stream.warm_up(client) for client in clients)
        with Sentinel(_STALL_SECONDS) as sentinel:
            begin_ns = time.monotonic_ns()
            await stream.play(clients, sentinel)
            return stream.ledger.close(begin_ns, time.monotonic_ns(), sentinel)


class _Stream:
    """The queue between the clock, which never waits for an answer, and the connections."""

    def __init__(self, schedule: Schedule, timeout: float, deadline: float) -> None:
        self.ledger = Ledger(deadline)
        self._schedule, self._timeout, self._deadline = schedule, timeout, deadline
        self._due: asyncio.Queue[int | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    async def warm_up(self, client: Client) -> None:
        """Make one request that is not timed."""
        now = time.monotonic_ns()
        outcome = await client.ask(min(now / 1e9 + self._timeout, self._deadline))
        self.ledger.add(now, outcome, timed=False)

    async def play(self, clients: Sequence[Client], sentinel: Sentinel) -> None:
        """Send the schedule, then make up for what a stall of our own has spoilt."""
        starts, replaced = self._schedule.starts, 0
        for _ in range(_ROUNDS):
            await together([self._arrive(starts), *(self._send(client) for client in clients)])
            starts = self._schedule.starts[: self.ledger.spoilt(sentinel) - replaced]
            replaced += len(starts)
            if not starts:
                return

    async def _arrive(self, starts: Sequence[float]) -> None:
        """Queue each request at its time from now, then one end mark per connection."""
        begin = self._loop.time()
        for start in starts:
            intended = begin + start
            if intended >= self._deadline:
                break
            await self._until(intended)
            self._due.put_nowait(round(intended * 1e9))
        for _ in range(self._schedule.in_flight):
            self._due.put_nowait(None)

    async def _send(self, client: Client) -> None:
        """Send what is due, as long as more may come."""
        while (intended_ns := await self._due.get()) is not None:
            until = min(intended_ns / 1e9 + self._timeout, self._deadline)
            self.ledger.add(intended_ns, await client.ask(until))

    async def _until(self, moment: float) -> None:
        if (early := moment - self._loop.time() - _SPIN_SECONDS) > 0:
            await asyncio.sleep(early)
        while self._loop.time() < moment:  # noqa: ASYNC110 - a clock sets no event
            await asyncio.sleep(0)
