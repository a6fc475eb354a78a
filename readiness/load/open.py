"""The open model: requests start when it is their time, answered or not -> true latencies."""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from readiness.load.arrivals import Spacing, Stage, arrivals
from readiness.load.channel import Channel
from readiness.load.crew import Crew
from readiness.load.recorder import PAUSE_NS, Enough
from readiness.load.warmth import Warmth
from readiness.looks import GROWTH

_ARRIVAL_NS = 250_000
"""Between the openings of two connections at least, lest they overflow the listen backlog."""
_LEAD_NS = 2_000_000
_BACKLOG_NS = 50_000_000
_BACKLOGS = 20_000
_HOPELESS = 0.99
"""Part of its time after which a request that still waits for a connection is given up."""
_WARM_SHARE = 0.25
"""Of the schedule, the part that is given to warming up at most."""
_LEAST_WARMING = 20
"""Requests that may warm up, however few are wanted."""
_NEVER = 1 << 62


@dataclass(frozen=True)
class Schedule:
    """When requests start, and how many are in flight at most.

    A request whose time has come while all connections are busy waits, and its waiting counts.
    It ends with its stages, or after `samples` timed arrivals once they are enough. While they are
    not, it goes on at the last stage's rate for up to `patience` seconds more.
    """

    stages: tuple[Stage, ...]
    in_flight: int
    samples: int | None = None
    spacing: Spacing = "poisson"
    seed: str = ""
    phase: float | None = None
    """The place among processes that share an even rate, 0..1."""
    most: int | None = None
    """Arrivals at most, warming up included, if that is less than the stages would bring."""
    opening: float = 0.25
    """Seconds over which connections are opened, if the rate itself is not quicker."""
    warm: int | None = None
    """Connections opened first at most; the others are when they are needed. If not given, as many
    as there are arrivals in that time: so it is done at the rate asked for."""
    patience: float = 0.0

    @property
    def seconds(self) -> float:
        """Length of all stages."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def longest(self) -> tuple[Stage, ...]:
        """The stages as they are if no number of samples is enough; the last rate does not move."""
        *before, last = self.stages
        return (*before, replace(last, seconds=last.seconds + self.patience))

    @property
    def arrivals(self) -> float:
        """The expected number of arrivals at most."""
        return sum(stage.arrivals for stage in self.longest)


class Open:
    """Plays one schedule: connections first, then arrivals, timed once times settle."""

    rests = False

    lingers = True

    def __init__(self, schedule: Schedule, enough: Enough = lambda _: True) -> None:
        self._schedule, self._enough = schedule, enough
        wanted = schedule.samples or round(sum(stage.arrivals for stage in schedule.stages))
        self._warmth = Warmth(min(100, max(10, wanted // 30)))
        self._wanted = schedule.samples or _NEVER
        self._cold: list[Channel] = []
        self._spare: list[Channel] = []
        self._free: deque[Channel] = deque()
        self._due: deque[tuple[int, int]] = deque()  # (intended, when we noticed)
        self._starts: Iterator[int] = iter(())
        self._next = self._began = self._counted = 0
        self.opened = self.closed = 0
        self.paused = 0
        """Nanoseconds of the window in which nobody came, for we were thinking."""
        self._paused_at = self._awaited = 0  # when that began, and whom it keeps waiting
        self.settled = False
        self.offered = 0
        """Arrivals of the window."""
        self.queued = 0
        """Arrivals that found all connections busy."""
        self.backlog: deque[tuple[float, int]] = deque(maxlen=_BACKLOGS)
        """(seconds from the begin, requests begun or waiting and not yet answered), the newest"""

    def begin(self, crew: Crew, now: int) -> None:
        """Part of Model."""
        self._crew = crew
        first = self._schedule.stages[0].rate
        warm = self._schedule.warm or max(1, round(first * self._schedule.opening))
        self._cold = list(reversed(crew.channels[:warm]))
        self._spare = list(reversed(crew.channels[warm:]))
        self._opening = len(self._cold)
        self._next = now
        # in the time that is meant for it, but no slower than the schedule itself
        gap = 1e9 / max(first, 1e-9)
        self._between = max(
            _ARRIVAL_NS, round(min(gap, self._schedule.opening * 1e9 / len(self._cold)))
        )

    def free(self, channel: Channel, at: int) -> None:
        """Part of Model."""
        due, patience = self._due, self._crew.timeout_ns * _HOPELESS
        if due:
            at = min(at, time.monotonic_ns())  # a wall clock set forward stamps the future
        while due and due[0][1] + patience <= at:
            self._crew.expire(due.popleft()[0])  # to ask now would only waste a connection
        if due:
            intended, noted = self._due.popleft()
            # what we noticed late is our lag, what it waited for a connection is not
            channel.ask(max(at, noted) - (noted - intended), intended)
        else:
            self._free.append(channel)
            if not self._began and len(self._free) == self._opening:
                self._start()

    def tick(self, now: int) -> int:
        """Part of Model."""
        if not self._began:
            return self._tick_cold(now)
        while self._next <= now:
            self._arrive(self._next, now)
            self._next = self._following(now)
        return self._next

    def sweep(self, now: int) -> None:
        """Part of Model."""
        due = self._due
        while due and due[0][1] + self._crew.timeout_ns <= now:
            self._crew.expire(due.popleft()[0])
        if self._began and not self.closed:
            self._count(now)
            if not self.opened:
                self._warm(now)

    def stop(self, now: int) -> None:
        """Part of Model."""
        if not self.closed:
            self.opened = self.opened or now
            self.closed = now
            self._crew.recorder.close_window(now)
        self._paused_at = 0
        self._began = self._began or now
        self._next = _NEVER
        self._cold.clear()

    def abandon(self, now: int) -> int:
        """Part of Model."""
        left = len(self._due)
        self._due.clear()
        return left

    @property
    def over(self) -> bool:
        """Part of Model."""
        return bool(self.closed) and not self._due and not self._busy

    @property
    def _busy(self) -> bool:
        return any(channel.busy for channel in self._crew.used)

    def _tick_cold(self, now: int) -> int:
        while self._cold and self._next <= now:
            self._next += self._between
            self._cold.pop().ask(now)
        return self._next if self._cold else _NEVER

    def _start(self) -> None:
        """Every connection has had an answer, or has failed."""
        self.set_off(time.monotonic_ns())

    def set_off(self, now: int) -> None:
        """Begin the schedule."""
        schedule = self._schedule
        self._began = now + _LEAD_NS
        if schedule.phase is not None and schedule.stages[0].rate:
            # on the grid of the clock, so that processes that share a rate keep their phases
            period = round(1e9 / schedule.stages[0].rate)
            self._began += -self._began % period
        self._starts = islice(self.starts(), schedule.most)
        self._next = self._following(now)

    def starts(self) -> Iterator[int]:
        """Yield when requests are meant to start, in nanoseconds from the begin."""
        schedule = self._schedule
        return arrivals(schedule.longest, schedule.spacing, schedule.seed, schedule.phase or 0.0)

    def _arrive(self, intended: int, now: int) -> None:
        timed = 0 < self.opened <= intended
        self.offered += timed
        if self._free or self._spare:
            channel = self._free.popleft() if self._free else self._spare.pop()
            freed = channel.freed
            channel.ask(freed if freed > intended else intended, intended)
        else:
            self.queued += timed
            self._due.append((intended, now))

    def _following(self, now: int) -> int:
        """Return the next arrival, unless the schedule or the wish for samples is at its end."""
        start = next(self._starts, None)
        if start is None:
            schedule = self._schedule
            planned = self._began + round((schedule.seconds + schedule.patience) * 1e9)
            self.stop(now if self._schedule.most else max(now, planned))
            return _NEVER
        if self.offered >= self._wanted:
            self._paused_at, self._awaited = now, start
            return _NEVER
        return self._began + start

    def think(self, now: int) -> None:
        """Part of Model: end it if the samples are enough; else go on as if without a pause."""
        paused_at = self._paused_at
        if not paused_at or (self._busy and now < paused_at + PAUSE_NS):
            return
        enough = self._enough(self._crew.recorder)
        resumed = time.monotonic_ns()
        self.paused += resumed - paused_at
        if enough:
            self.stop(resumed)
            return
        self._wanted = round(self._wanted * GROWTH)
        self._began += resumed - paused_at
        self._paused_at, self._next = 0, self._began + self._awaited

    def _warm(self, now: int) -> None:
        if self.is_warm(now):
            self.open_window(now)

    def is_warm(self, now: int) -> bool:
        """Look at the newest times; return whether it is no use, or too late, to wait for more."""
        self._warmth.feed(self._crew.recorder.recent())
        self.settled = self._warmth.settled
        share = (now - self._began) / 1e9 / self._schedule.seconds
        asked = self._crew.recorder.n - self._opening
        ends = self._warmth.given_up or self._warmth.unserved(asked) or share >= _WARM_SHARE
        return self.settled or ends or asked >= max(self._wanted, _LEAST_WARMING)

    def open_window(self, now: int) -> None:
        """Time what is asked for from now on."""
        self.opened = now
        self._crew.opened(now)

    def _count(self, now: int) -> None:
        if now >= self._counted + _BACKLOG_NS:
            self._counted = now
            under_way = sum(channel.busy for channel in self._crew.used)
            self.backlog.append(((now - self._began) / 1e9, under_way + len(self._due)))
