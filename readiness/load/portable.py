"""Sockets on a loop of asyncio or uvloop -> calls of the channels, for every system."""

import asyncio
import select
import time
from typing import Any, cast

from readiness.failure import ProbeError
from readiness.load.channel import Channel, Wire
from readiness.load.crew import Served
from readiness.load.request import Endpoint

_SPIN_NS = 1_000_000
"""The resolution of the loop's own timers, which would make every request up to so much late."""
_IDLE_NS = 5_000_000


class Portable:
    """Stamps answers when this process reads them, so that its own stalls void them."""

    clock = "process"
    stall_ns = 10_000_000

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.idle_ns = 0
        self.served = False
        """Whether anything came since the last look."""

    def connect(self, endpoint: Endpoint, channel: Channel) -> Wire | None:
        """Part of Driver."""
        return _Wire(self, self._loop, endpoint, channel)

    def run(self, crew: Served) -> None:
        """Part of Driver."""
        try:
            self._loop.run_until_complete(self._serve(crew))
        finally:
            crew.close()
            self._loop.run_until_complete(_settle())
            self._loop.close()

    async def _serve(self, crew: Served) -> None:
        now_ns = time.monotonic_ns
        crew.begin(now_ns())
        while True:
            now = now_ns()
            wake = crew.tick(now)
            if crew.over:
                await asyncio.sleep(0)  # what nobody asked for may follow the last answer
                return
            crew.spare(now, wake)
            spin = wake - now < _SPIN_NS
            crew.polled_ns = now
            self.served, slept = False, now_ns()
            await asyncio.sleep(0 if spin else min(wake - _SPIN_NS - now, _IDLE_NS) / 1e9)
            if spin and not self.served:
                self.idle_ns += now_ns() - slept


class _Wire(asyncio.Protocol):
    """One connection of one channel."""

    def __init__(
        self,
        driver: Portable,
        loop: asyncio.AbstractEventLoop,
        endpoint: Endpoint,
        channel: Channel,
    ) -> None:
        self._driver, self._channel = driver, channel
        self._transport: asyncio.Transport | None = None
        self._unread = select.poll()
        self._task = loop.create_task(self._connect(loop, endpoint))

    async def _connect(self, loop: asyncio.AbstractEventLoop, endpoint: Endpoint) -> None:
        try:
            await loop.create_connection(
                lambda: self, endpoint.host, endpoint.port, family=endpoint.family
            )
        except (OSError, ProbeError) as error:
            self._channel.broke(error, time.monotonic_ns())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio.Protocol."""
        self._driver.served = True
        self._transport = cast(asyncio.Transport, transport)
        self._unread.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        self._channel.connected(time.monotonic_ns())

    def data_received(self, data: bytes) -> None:
        """Part of asyncio.Protocol."""
        self._driver.served = True
        if self._transport is not None:
            self._channel.received(data, time.monotonic_ns())

    def eof_received(self) -> None:
        """Part of asyncio.Protocol."""
        if self._transport is not None:
            self._channel.ended(time.monotonic_ns())

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio.Protocol."""
        if self._transport is None:
            return
        if exc is not None:
            self._channel.broke(exc, time.monotonic_ns())
        else:
            self._channel.ended(time.monotonic_ns())

    def send(self, data: bytes) -> None:
        """Part of Wire."""
        if self._transport is not None:
            self._transport.write(data)

    def unread(self) -> bool:
        """Part of Wire."""
        return bool(self._unread.poll(0))

    def close(self) -> None:
        """Part of Wire."""
        self._task.cancel()
        if self._transport is not None:
            self._transport.abort()
            self._transport = None


async def _settle() -> None:
    """Let closed transports close, and cancelled connects end."""
    this = asyncio.current_task()
    others: set[asyncio.Task[Any]] = {task for task in asyncio.all_tasks() if task is not this}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=1.0)
    await asyncio.sleep(0)
