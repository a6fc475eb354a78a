"""A timer that should run every few milliseconds -> the stretches in which our own loop stalled."""

import asyncio
import bisect
import time
from typing import Self

_TICK_NS = 2_000_000


class Sentinel:
    """Watches the running loop while its context lasts.

    A moment read during a stall is late by up to the stall's length and tells nothing about the
    target. `tolerance` (seconds) is the lateness that is still put up with.
    """

    def __init__(self, tolerance: float) -> None:
        self._limit_ns = _TICK_NS + round(tolerance * 1e9)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._last_ns = 0
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._recovering = False

    def __enter__(self) -> Self:
        self._last_ns = time.monotonic_ns()
        self._tick()
        return self

    def __exit__(self, *_: object) -> None:
        self._tick()
        if self._timer is not None:
            self._timer.cancel()

    def stalled(self, *moments: int) -> bool:
        """Whether any of `moments` (monotonic nanoseconds) lies within a stall."""
        return any(self._within(moment) for moment in moments)

    def _within(self, moment: int) -> bool:
        stall = bisect.bisect_right(self._starts, moment) - 1
        return stall >= 0 and moment <= self._ends[stall]

    def _tick(self) -> None:
        now = time.monotonic_ns()
        if self._recovering:
            self._ends[-1] = now  # what had piled up was read in between, as late as the rest
        self._recovering = now - self._last_ns > self._limit_ns
        if self._recovering:
            self._starts.append(self._last_ns)
            self._ends.append(now)
        self._last_ns = now
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(_TICK_NS / 1e9, self._tick)
