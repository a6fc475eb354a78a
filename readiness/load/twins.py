"""Two services asked in step, by one loop in one thread -> pairs of outcomes of the same moment.

What slows this machine or the way to both slows both requests of a pair, and cancels out in their
difference. Requests start when it is their time, answered or not.
"""

import asyncio
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from readiness.load import caps
from readiness.load.check import LIMITED, Check
from readiness.load.crew import Crew, Driver
from readiness.load.engine import DriverName, Watch, driven, in_thread, result_of, serve
from readiness.load.open import Open, Schedule
from readiness.load.request import Endpoint, Request
from readiness.load.result import Result
from readiness.load.tally import LATE_NS, Row

_MS = 1e6


@dataclass(frozen=True)
class Target:
    """One of the two: where it is, what it is asked, and which answer is a success."""

    endpoint: Endpoint
    request: Request
    check: Check


class Outcome(NamedTuple):
    """What one request of a pair came to."""

    ok: bool
    limited: bool = False
    """It was refused for coming too often (429)."""
    ms: float | None = None
    """From its intended start to the last byte, our own lateness taken off; None if not timed."""


class Pair(NamedTuple):
    """What both came to that were asked at one moment."""

    first: Outcome
    second: Outcome
    warm: bool
    """Whether they were asked after warming up."""


@dataclass(frozen=True)
class Duel:
    """What two services showed when they were asked in step."""

    first: Result
    second: Result
    pairs: Sequence[Pair]
    """In order of time; without those that the run's end left without two outcomes."""


async def duel(
    first: Target,
    second: Target,
    schedule: Schedule,
    *,
    timeout: float,
    deadline: float,
    watch: Watch | None = None,
    driver: DriverName | None = None,
) -> Duel:
    """Play `schedule` on both: each arrival is a request to the one and a request to the other.

    Which of the two is sent first is left to chance. The rest is as in `engine.run`, with the
    connections of the schedule for each.
    """
    caps.check(replace(schedule, in_flight=2 * schedule.in_flight))
    drive, loop = driven(driver), asyncio.get_running_loop()
    until = time.monotonic_ns() + round((deadline - loop.time()) * 1e9)
    sides = [_Side(target, schedule, drive, timeout, until, watch) for target in (first, second)]
    one, other = sides
    one.model.twin, other.model.twin = other.model, one.model

    def measure() -> Duel:
        crews = [side.crew for side in sides]
        serve(_Both(crews, schedule.seed), crews, drive)
        first, second = (result_of(side.crew, drive, side.model) for side in sides)
        return Duel(first, second, tuple(_paired(one, other)))

    return await in_thread([side.crew for side in sides], measure)


class _Twin(Open):
    """Plays the schedule on one of two services: it begins, is warm and ends with its twin."""

    twin: "_Twin"
    _ready = _warmed = False

    def _start(self) -> None:
        self._ready = True
        if self.twin._ready:
            now = time.monotonic_ns()
            self.set_off(now)
            self.twin.set_off(now)

    def _warm(self, now: int) -> None:
        self._warmed = self._warmed or self.is_warm(now)
        if self._warmed and self.twin._warmed:
            self.open_window(now)
            self.twin.open_window(now)

    def stop(self, now: int) -> None:
        """Part of Model: what ends the one ends the other."""
        super().stop(now)
        if not self.twin.closed:
            self.twin.stop(now)

    def place(self, moment: int) -> int:
        """Return how long after the begin a moment was (ns), the same for both."""
        return moment - self._began


class _Side:
    """One of the two services, its crew, and every outcome in the order in which they came."""

    def __init__(
        self,
        target: Target,
        schedule: Schedule,
        drive: Driver,
        timeout: float,
        deadline_ns: int,
        watch: Watch | None,
    ) -> None:
        self.model, self._watch = _Twin(schedule), watch
        self.crew = Crew(
            target.endpoint,
            target.request,
            target.check,
            self.model,
            drive,
            timeout=timeout,
            deadline_ns=deadline_ns,
            channels=schedule.in_flight,
            watch=self._note,
        )
        self._rows: list[Row] = []

    def _note(self, crew: Crew) -> None:
        """Take down outcomes before they become part of a distribution."""
        self._rows += crew.recorder.newest_rows()
        if self._watch:
            self._watch(crew)

    def outcomes(self) -> Mapping[int, Outcome]:
        """Return what requests came to, by when they were meant to start (ns from the begin)."""
        found = ((self.model.place(row[0]), self._outcome(row)) for row in self._rows)
        return {place: outcome for place, outcome in found if place >= 0}

    def _outcome(self, row: Row) -> Outcome:
        intended, sent, done, lag, code, line = row
        if code <= 0 or line in self.crew.recorder.desynced:
            return Outcome(ok=False)
        late = lag > LATE_NS
        in_time = late or done - intended <= self.crew.timeout_ns
        if not (in_time and self.crew.check.succeeded(code)):
            return Outcome(ok=False, limited=code == LIMITED)
        timed = not late and done >= sent
        return Outcome(ok=True, ms=(done - intended - lag) / _MS if timed else None)


class _Both:
    """Two crews served as one; which of them comes first is left to chance."""

    def __init__(self, crews: Sequence[Crew], seed: str) -> None:
        self._crews = list(crews)
        self._source = random.Random(seed)  # no secret depends on it

    @property
    def polled_ns(self) -> int:
        """Part of Served."""
        return self._crews[0].polled_ns

    @polled_ns.setter
    def polled_ns(self, moment: int) -> None:
        for crew in self._crews:
            crew.polled_ns = moment

    @property
    def offset_ns(self) -> int:
        """Part of Served."""
        return self._crews[0].offset_ns

    @property
    def over(self) -> bool:
        """Part of Served."""
        over = [crew.over for crew in self._crews]  # each begins to wait for what nobody asked for
        return any(crew.error for crew in self._crews) or all(over)

    def begin(self, now: int) -> None:
        """Part of Served."""
        for crew in self._crews:
            crew.begin(now)

    def tick(self, now: int) -> int:
        """Part of Served."""
        if self._source.random() < 0.5:
            self._crews.reverse()
        return min([crew.tick(now) for crew in self._crews])

    def spare(self, now: int, wake: int) -> None:
        """Part of Served."""
        for crew in self._crews:
            crew.spare(now, wake)

    def close(self) -> None:
        """Part of Served."""
        for crew in self._crews:
            crew.close()


def _paired(one: _Side, other: _Side) -> Iterator[Pair]:
    """Yield the pairs of which both outcomes are known, in order of time."""
    first, second = one.outcomes(), other.outcomes()
    opened = one.model.place(one.model.opened)
    for place in sorted(first.keys() & second.keys()):
        yield Pair(first[place], second[place], warm=place >= opened)
