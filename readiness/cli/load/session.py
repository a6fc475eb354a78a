"""What was asked for -> a Result, seen live while it is measured."""

import asyncio
import contextlib
import functools
import ipaddress
import ssl
import time
from collections.abc import Sequence
from pathlib import Path

from readiness.cli.load import view
from readiness.cli.load.feed import Feed
from readiness.cli.load.request import Asked
from readiness.failure import Failure, ProbeError, classify
from readiness.inventory import Inventory, System
from readiness.ledger import Ledger
from readiness.load.caps import Budget
from readiness.load.ceiling import measure_ceiling
from readiness.load.crew import Crew
from readiness.load.engine import run
from readiness.load.request import Endpoint, Request
from readiness.load.result import Result
from readiness.load.workers import run_shared
from readiness.probes import Address, Context
from readiness.probes._aimed import aim, reached
from readiness.resolve import resolve
from readiness.safety import Refused

_SPARE_SECONDS = 5.0
_PER_CONNECTION = 0.001
"""Seconds that each connection may take to be opened, one after the other."""


class Session:
    """One load: it ends by itself, or hands in what it has when it is cancelled."""

    def __init__(self, asked: Asked) -> None:
        self.result: Result | None = None
        self.failure: Failure | None = None
        self.resolve_ms: float | None = None
        self.ceiling: float | None = None
        """What this client could do at best just before, 1/s; None if that could not be told."""
        self._asked = asked
        self._feed = Feed(asked.requests)
        self._cut = False
        self._stop = asyncio.Event()
        self._deadline = 0.0

    @property
    def seconds(self) -> float:
        """What it may take at most: warming up and timing, a wait before and one after them."""
        asked = self._asked
        opening = asked.connections * _PER_CONNECTION
        return 2 * asked.seconds + 3 * asked.timeout + opening + _SPARE_SECONDS

    async def run(self) -> None:
        """Measure; afterwards there is a `result`, a `failure`, or nothing if it was cancelled.

        Raises Refused if what is named as this machine is another.
        """
        self._deadline = asyncio.get_running_loop().time() + self.seconds
        try:
            endpoint, request = await aim(
                self._asked.service, self._asked.settings, self._context(), self._asked.body
            )
            if self._asked.here and not ipaddress.ip_address(endpoint.host).is_loopback:
                raise Refused(f"{self._asked.url} is not on this machine: name its --environment.")
            await self.put(endpoint, request)
        except (OSError, ProbeError, ExceptionGroup) as error:
            self.failure = classify(error)
            if self.failure.kind == "probe_bug":
                raise

    async def put(self, endpoint: Endpoint, request: Request) -> None:
        """Put the load on `endpoint`, which is what was asked for."""
        self.result = await self._until_cut(endpoint, request)

    async def _until_cut(self, endpoint: Endpoint, request: Request) -> Result:
        """Measure; if cancelled, return what there is within moments."""
        measuring = asyncio.ensure_future(self._measure(endpoint, request))
        drawing = asyncio.ensure_future(view.show(self._asked, self._feed))
        try:
            await asyncio.wait([measuring])
        except asyncio.CancelledError:
            self._cut = True
            self._stop.set()
            await asyncio.wait([measuring])
        finally:
            drawing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await drawing
        return reached(measuring.result())

    async def _measure(self, endpoint: Endpoint, request: Request) -> Result:
        asked = self._asked
        with contextlib.suppress(ProbeError):  # then there is none to tell
            self.ceiling = (await measure_ceiling()).requests_per_second
        if asked.processes > 1:
            return await run_shared(
                endpoint,
                request,
                asked.load,
                timeout=asked.timeout,
                deadline=self._deadline,
                check=asked.check,
                processes=asked.processes,
                stop=self._stop,
            )
        return await run(
            endpoint,
            request,
            asked.load,
            timeout=asked.timeout,
            deadline=self._deadline,
            check=asked.check,
            watch=self._watch,
        )

    def _watch(self, crew: Crew) -> None:
        """Called by the engine, in its thread, every few milliseconds."""
        now = time.monotonic_ns()
        if self._cut:
            crew.deadline_ns = min(crew.deadline_ns, now)
        else:
            crew.leave_silence(now, self._asked.seconds)
        self._feed.take(crew, now)

    async def _resolve(self, host: str, port: int) -> Sequence[Address]:
        began = time.perf_counter()
        found = await resolve(host, port)
        self.resolve_ms = (time.perf_counter() - began) * 1000
        return found

    def _context(self) -> Context:
        asked = self._asked
        return Context(
            deadline=self._deadline,
            timeout=asked.timeout,
            samples=asked.requests or 1,
            limits={},
            allowed=asked.allowed,
            run_id=asked.run_id,
            tls=functools.cache(ssl.create_default_context),
            resolve=self._resolve,
            trials={},
            budget=Budget(),
            conceal=lambda _: None,
            inventory=Inventory(version=1, system=System(name="load"), services=()),
            ledger=Ledger(None, "load"),
            folder=Path(),
            previous={},
        )
