"""The search for the knee, played on a real service -> the rate it bears, and how it recovers."""

import asyncio
import statistics
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from readiness.estimate import rate as share
from readiness.failure import ProbeError
from readiness.load.arrivals import Stage
from readiness.load.caps import most_slots
from readiness.load.check import BODY_FAILED, LIMITED, Check
from readiness.load.crew import Crew
from readiness.load.engine import run
from readiness.load.knee import (
    Ask,
    Bounds,
    Knee,
    Objective,
    Reason,
    Step,
    cause,
    clear,
    conclude,
    recovery,
    search,
)
from readiness.load.open import Open, Schedule
from readiness.load.request import Endpoint, Request
from readiness.load.result import CPU_LIMIT, Result
from readiness.load.series import Series
from readiness.load.tally import VOID

_LEAST_SLOTS = 8
_SLOTS_PER_WAITING = 4
"""Connections at hand, in terms of the requests in flight if each took as long as allowed."""
_LOOK_NS = 250_000_000
_RECOVERY_SECONDS = 5.0
_WATCHED = 2.0
"""How long the service must have been well, s, for how fast it came back to be believed."""
_RESTED = 0.5
"""The same where it came back before, and shall only be ready for the next step."""
_FEWEST, _LEAST_WELL = 50, 10
"""Answers that must have been well: those of a second, but no more and no fewer than that."""
_PAUSE_SECONDS = 0.25
"""How long a service is left alone that fails nearly all requests while it recovers."""
_LAG_SHARE = 0.25
"""Of the objective's limit: requests that leave later than this are no Poisson arrivals."""
_TRIES = 2
_SICK = 2.0
"""Times the limit: where answers took longer, the service is given time to come back."""
_LIGHT = 0.5
"""Part of the greatest rate held at which a service that was overrun should be well again."""

_OVERRUN = ("latency", "errors", "backlog")
"""What breaks a service that has more than it can do."""

_State = Literal["well", "ill", "limited"]
"""How a service is that was overrun, and then asked for little."""

Progress = Callable[[Step], None]


@dataclass(frozen=True)
class Capacity:
    """The knee, and how the service came back from the load that broke it."""

    knee: Knee
    recovered_seconds: float | None
    """From the end of the load, the longest of several; None if it was never overrun, or was not
    well again within _RECOVERY_SECONDS."""
    overrun: bool
    failed: Result | None = None
    """The last step in which requests failed, for how they did."""


class Search:
    """One search on one service; `progress` is told each step."""

    def __init__(
        self,
        endpoint: Endpoint,
        request: Request,
        objective: Objective,
        bounds: Bounds,
        *,
        timeout: float,
        deadline: float,
        check: Check | None = None,
        seed: str = "",
        progress: Progress = lambda _: None,
    ) -> None:
        self._endpoint, self._request, self._check = endpoint, request, check or Check()
        self._objective, self._bounds, self._seed = objective, bounds, seed
        self._timeout, self._deadline, self._progress = timeout, deadline, progress
        self._steps: list[Step] = []
        self._failed: Result | None = None
        self._recovered: float | None = None
        self._fell = 0.0  # when the load of the last step ended, monotonic
        self.sent = 0
        """How many requests had an outcome, in all steps and outside of what they timed."""

    async def run(self) -> Capacity:
        """Search; raises ProbeError for what is wrong on our side."""
        bounds, steps = replace(self._bounds, kept=_RECOVERY_SECONDS), self._steps
        end = time.monotonic() + bounds.seconds
        asks = search(self._objective, bounds, self._seed)
        ask, held = next(asks), 0.0
        while True:
            try:
                step = await self._play(ask)
                self._progress(step)
                steps.append(step)
                broke = cause(step, self._objective)
                held = held if broke else max(held, step.rate)
                cold = len(steps) == 1
                if broke in _OVERRUN and (held or cold) and _far(step, self._objective):
                    rest = time.monotonic()
                    state = await self._came_back(held or step.rate, end - rest)
                    step = steps[-1] = replace(step, rested=time.monotonic() - rest)
                    if not held:
                        self._recovered = None  # it never was well before
                    if state == "limited":
                        knee = conclude(steps, self._objective, bounds)
                        return self._found(replace(knee, reason="limited"))
                    if held and state == "ill":
                        knee = _collapsed(steps, self._objective)
                        return Capacity(knee, None, overrun=True, failed=self._failed)
            except ProbeError as error:  # of ours: connections ran out, or the run's time
                if not steps:
                    raise
                reason: Reason = "time" if error.failure.kind == "deadline" else "our_limit"
                knee = conclude(steps, self._objective, bounds)
                return self._found(replace(knee, reason=reason))
            try:
                ask = asks.send(step)
            except StopIteration as end_of_search:
                return self._found(end_of_search.value)

    def so_far(self) -> Capacity | None:
        """Return what a search that was cancelled has found until then; None if nothing."""
        if not self._steps:
            return None
        return self._found(conclude(self._steps, self._objective, self._bounds))

    def _found(self, knee: Knee) -> Capacity:
        """Return the knee of a service that came back, if it was overrun and had the time to."""
        overrun = self._recovered is not None
        return Capacity(knee, self._recovered, overrun, self._failed)

    async def _play(self, ask: Ask) -> Step:
        """Play a step; where we were the limit, which may pass, once more."""
        began = time.monotonic()
        if asyncio.get_running_loop().time() + ask.seconds > self._deadline:
            raise ProbeError("deadline", "no time was left for another step")
        for _ in range(_TRIES):
            seen = _Seen(self._check, self._objective, ask.rate)
            schedule = self._schedule(ask.rate, ask.seconds, ask.seed)
            result = await self._open(schedule, seen.look)
            self._fell = seen.last or time.monotonic()
            step = seen.step(result, ask.seconds, time.monotonic() - began)
            if self._ran_out(schedule, result):
                step = replace(step, limited_by_us=True)
            if result.successes < result.n:
                self._failed = result
            if not step.limited_by_us:
                break
        return step

    async def _came_back(self, held: float, left: float) -> _State:
        """Wait at a light rate until the service is well; it is ill if it had 5 s and is not.

        A service overrun before is not watched beyond the time that is left, and then believed.
        One that refuses even so little (429, Retry-After) is asked no more.
        """
        known = self._recovered
        watched = min(_WATCHED, self._bounds.seconds / 20)
        quiet = watched if known is None else min(watched, _RESTED)
        seconds = _RECOVERY_SECONDS if known is None else min(_RECOVERY_SECONDS, left)
        until = self._deadline - asyncio.get_running_loop().time()
        found = await self._recover(max(_LIGHT * held, 1.0), min(seconds, until), quiet)
        if found == "limited":
            return "limited"
        if found is not None:
            self._recovered = max(found, known or 0.0)
        elif seconds > until:
            raise ProbeError("deadline", "no time was left to see whether it came back")
        return "ill" if found is None and seconds >= _RECOVERY_SECONDS else "well"

    async def _recover(
        self, light: float, seconds: float, quiet: float
    ) -> float | Literal["limited"] | None:
        """Return the seconds from the end of the load until the objective held again."""
        fewest = max(_LEAST_WELL, min(_FEWEST, round(light)))
        seen = _Seen(self._check, self._objective, light, quiet=quiet, fewest=fewest)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > _PAUSE_SECONDS:
            schedule = self._schedule(light, left, f"{self._seed} recovery {left}")
            result = await self._open(schedule, seen.look)
            if result.asked_to_wait or seen.refused:
                return "limited"
            if result.aborted:
                await asyncio.sleep(_PAUSE_SECONDS)
            elif recovery(seen.answers(self._fell), self._objective, fewest) is not None:
                break
        return recovery(seen.answers(self._fell), self._objective, fewest)

    def _schedule(self, rate: float, seconds: float, seed: str) -> Schedule:
        waiting = rate * self._objective.limit_ms / 1000 * _SLOTS_PER_WAITING
        slots = min(max(round(waiting), _LEAST_SLOTS), most_slots())
        return Schedule((Stage(rate, seconds),), slots, seed=seed)

    def _ran_out(self, schedule: Schedule, result: Result) -> bool:
        """Whether answers that came in time by themselves waited for connections of ours."""
        quick = result.service.point(self._objective.q) <= self._objective.limit_ms
        return schedule.in_flight == most_slots() and result.crowded and quick

    async def _open(self, schedule: Schedule, watch: Callable[[Crew], None]) -> Result:
        before = self.sent

        def look(crew: Crew) -> None:
            self.sent = before + crew.recorder.n
            watch(crew)

        longest = 2 * schedule.seconds + 30
        return await run(
            self._endpoint,
            self._request,
            schedule,
            timeout=self._timeout,
            deadline=min(self._deadline, asyncio.get_running_loop().time() + longest),
            check=self._check,
            watch=look,
        )


def _far(step: Step, objective: Objective) -> bool:
    """Whether the service had so much too much that it may not be well at once."""
    late = step.point is not None and step.point > _SICK * objective.limit_ms
    return step.stopped or late or cause(step, objective) == "errors"


def _collapsed(steps: Sequence[Step], objective: Objective) -> Knee:
    """Return that no rate can be named: the service did not come back from the last step."""
    return Knee(
        rate=None,
        low=None,
        high=None,
        quantile=None,
        held=None,
        broke=steps[-1],
        reason=cause(steps[-1], objective) or "errors",
        steps=tuple(steps),
    )


class _Seen:
    """What one step has seen so far, row by row, in the engine's thread.

    Our own lag is taken off each response time: what is left is the service's, and what waiting
    for a connection adds.
    """

    def __init__(
        self,
        check: Check,
        objective: Objective,
        rate: float,
        *,
        quiet: float = 0.0,
        fewest: int = _FEWEST,
    ) -> None:
        """With `quiet` (s), it does not end where the service is overrun, but once well so long.

        That is, over `fewest` answers at least.
        """
        self._check, self._objective, self._rate = check, objective, rate
        self._quiet, self._fewest = quiet, fewest
        self._looked = self._began = self._opened = self._last = 0
        self._good = self._over = self._refused = self._hanging = 0
        self.stopped = False
        self._rows: list[tuple[int, int, bool]] = []  # (intended, response time, success), ns

    @property
    def last(self) -> float:
        """When the last request left, or was to, s, monotonic; 0 if none came to an end."""
        return self._last / 1e9

    @property
    def refused(self) -> bool:
        """Whether more came too often for the service (429) than the objective lets fail."""
        refused = share(self._refused, len(self._rows) + self._refused)
        return (refused.low or 0.0) > self._objective.error_rate

    def answers(self, since: float) -> list[tuple[float, float, bool]]:
        """(seconds from `since` (monotonic), response time in ms, success), in order of time"""
        return sorted((at / 1e9 - since, took / 1e6, ok) for at, took, ok in self._rows)

    def look(self, crew: Crew) -> None:
        """Take what is new; end the step if its outcome is clear."""
        now = time.monotonic_ns()
        self._began = self._began or now
        if isinstance(crew.model, Open):
            self._opened = crew.model.opened
        limit = self._objective.limit_ms * 1e6
        for intended, _, done, lag, code, _ in crew.recorder.newest_rows():
            self._last = max(self._last, intended)
            good = 0 < code < BODY_FAILED and self._check.succeeded(code)
            if code == LIMITED and not good:
                self._refused += 1
            elif not good or lag < VOID:
                took = max(0, done - intended - lag * good)
                self._rows.append((intended, took, good))
                self._good += good
                self._over += good and took > limit
        if not crew.stopping and now - self._looked >= _LOOK_NS:
            self._looked = now
            self._hanging = sum(c.busy and c.intended + limit < now for c in crew.used)
            if self._well(now) if self._quiet else self._overrun(now):
                self.stopped, self._last = True, now
                crew.model.stop(now)
                crew.stopping = True

    def _overrun(self, now: int) -> bool:
        return clear(self._so_far((now - self._began) / 1e9), self._objective)

    def _well(self, now: int) -> bool:
        """Whether the objective held all the time that shall be quiet, and over enough answers."""
        since = now - self._quiet * 1e9
        recent = [row for row in self._rows if row[0] >= since]
        if len(recent) == len(self._rows):
            return False  # it has not been looked at for long enough
        if len(recent) < self._fewest:
            recent = sorted(self._rows)[-self._fewest :]
        limit = self._objective.limit_ms * 1e6
        bad = self._hanging + sum(not ok or took > limit for _, took, ok in recent)
        allowed = max(1 - self._objective.q, self._objective.error_rate)
        return len(recent) >= self._fewest and bad <= len(recent) * allowed

    def _so_far(self, seconds: float) -> Step:
        """Return the step up to now, without what only its end can tell."""
        n = len(self._rows)
        return Step(
            rate=self._rate,
            seconds=seconds,
            took=seconds,
            offered=(n + self._refused) / seconds if seconds else 0.0,
            achieved=self._good / seconds if seconds else 0.0,
            quantile=share(0, 0),
            point=None,
            over=share(self._over + self._hanging, self._good + self._hanging),
            error_rate=share(n - self._good, n),
            refused=share(self._refused, n + self._refused),
        )

    def step(self, result: Result, asked: float, took: float) -> Step:
        """Return the whole step of the `asked` seconds.

        One that was stopped or given up may not even have begun to be timed; its outcome is as
        clear as if it had gone on.
        """
        limited = self._limited(result)
        # so few as the objective allows to fail are chance, unless the run was given up for them
        few = 0.0 if result.aborted else self._objective.error_rate * result.n
        pleaded = result.asked_to_wait > few
        if self.stopped or result.aborted or not result.response.n:
            so_far = self._so_far(max((self._last - self._began) / 1e9, 1e-3))
            ended = replace(so_far, took=took, limited_by_us=limited, stopped=True)
            return replace(ended, asked=asked, pleaded=pleaded)
        counted = result.n - result.limited
        times = Series()
        times.add(array("q", [t for at, t, ok in self._rows if ok and at >= self._opened > 0]))
        return Step(
            rate=self._rate,
            seconds=result.seconds,
            took=took,
            offered=result.offered / result.seconds,
            achieved=result.throughput,
            quantile=times.quantile(self._objective.q),
            point=times.point(self._objective.q) if times.n else None,
            over=times.over(self._objective.limit_ms),
            error_rate=share(counted - result.successes, counted),
            refused=share(result.limited, result.n),
            backlog=result.backlog,
            thirds=self._thirds(),
            limited_by_us=limited,
            pleaded=pleaded,
        )

    def _limited(self, result: Result) -> bool:
        """Whether our lag is more than can be taken off, or our processor was the limit."""
        late = result.lag.point(self._objective.q) > _LAG_SHARE * self._objective.limit_ms
        return late or result.cpu > CPU_LIMIT

    def _thirds(self) -> tuple[float, float] | None:
        times: Sequence[float] = [took / 1e6 for _, took, ok in self._rows if ok]
        third = len(times) // 3
        if not third:
            return None
        return statistics.median(times[:third]), statistics.median(times[-third:])
