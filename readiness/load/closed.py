"""The closed model: N users, each asking again as soon as answered -> how well N are served."""

import asyncio
import contextlib
import time
from dataclasses import dataclass

from readiness.load.client import Client
from readiness.load.request import Endpoint, Request
from readiness.load.result import Ledger, Result
from readiness.load.sentinel import Sentinel
from readiness.load.together import together

_ARRIVAL_SECONDS = 0.0005
"""Between the arrivals of two users, lest their handshakes overflow the listen backlog."""
_STALL_SECONDS = 0.025


@dataclass(frozen=True)
class Level:
    """How many users ask, how often, and for how long.

    Sampling ends after `requests` samples; or after `seconds` if it has `least` samples by then,
    if not, when it has or at `longest` seconds. What is in flight then is waited for.
    """

    users: int
    requests: int
    seconds: float
    least: int = 1
    longest: float = 0.0


async def run(
    endpoint: Endpoint, request: Request, level: Level, *, timeout: float, deadline: float
) -> Result:
    """Put `level` on the endpoint; `timeout` seconds bound a request, `deadline` (loop time) all.

    Requests are timed once every user has had a first outcome, and after `level.seconds` whoever
    still waits; if nobody has been answered by then, it ends there. Raises ProbeError for what is
    wrong on our side.
    """
    crowd = _Crowd(level, timeout, deadline)
    with contextlib.ExitStack() as closing, Sentinel(_STALL_SECONDS) as sentinel:
        clients = [closing.enter_context(Client(endpoint, request)) for _ in range(level.users)]
        await together(crowd.user(client, place) for place, client in enumerate(clients))
    return crowd.ledger.close(crowd.opened_ns, crowd.closed_ns, sentinel)


class _Crowd:
    """What the users of one level share: when timing begins and ends, and what they saw."""

    def __init__(self, level: Level, timeout: float, deadline: float) -> None:
        self.ledger = Ledger(deadline)
        self.opened_ns = 0
        self.closed_ns = 0
        self._level, self._timeout, self._deadline = level, timeout, deadline
        self._began_ns = time.monotonic_ns()
        self._cold = level.users
        self._warm_ups = 0
        self._answered = False
        self._sampled = 0

    async def user(self, client: Client, place: int) -> None:
        """Arrive in turn, then ask until the window closes."""
        await asyncio.sleep(place * _ARRIVAL_SECONDS)
        await self._ask(client, time.monotonic_ns())
        self._cold -= 1
        while self._goes_on(now := time.monotonic_ns()):
            await self._ask(client, now)

    async def _ask(self, client: Client, now_ns: int) -> None:
        timed = self.opened_ns > 0
        self._sampled += timed
        self._warm_ups += not timed
        outcome = await client.ask(min(now_ns / 1e9 + self._timeout, self._deadline))
        self._answered |= outcome.status is not None
        self.ledger.add(now_ns, outcome, timed=timed)

    def _goes_on(self, now_ns: int) -> bool:
        if not self.opened_ns and self._is_warm(now_ns):
            self.opened_ns = now_ns
        if self.opened_ns and not self.closed_ns and self._is_over(now_ns):
            self.closed_ns = now_ns
        return not self.closed_ns

    def _is_warm(self, now_ns: int) -> bool:
        waited = (now_ns - self._began_ns) / 1e9
        enough = self._warm_ups >= max(self._level.requests, self._level.users)
        return self._cold == 0 or enough or waited >= self._level.seconds

    def _is_over(self, now_ns: int) -> bool:
        level, elapsed = self._level, (now_ns - self.opened_ns) / 1e9
        if not self._answered and (now_ns - self._began_ns) / 1e9 >= level.seconds:
            return True
        if now_ns / 1e9 >= self._deadline or elapsed >= max(level.longest, level.seconds):
            return True
        wanted = level.least if elapsed >= level.seconds else level.requests
        return self._sampled >= min(wanted, level.requests)
