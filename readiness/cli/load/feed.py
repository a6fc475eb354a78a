"""Looks at the engine while it works -> the last seconds in numbers."""

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from readiness.load.check import LIMITED
from readiness.load.closed import Closed
from readiness.load.crew import Crew
from readiness.load.open import Open

_BUSY = 300
"""Outcomes between two looks from which on only some looks read the times: they cost."""
_EVERY = 8
_KEPT = 10_000
_MOST_TIMES = 4000
_WINDOW_NS = 2_000_000_000
_LEAST_SPAN = 0.1
_HISTORY = 40


@dataclass(frozen=True)
class Look:
    """What one look at the engine found; `times` (ns) are of successes."""

    at: int
    outcomes: int
    seen: int
    """Of the outcomes, how many were looked at."""
    good: int
    """Of those, how many are successes."""
    times: Sequence[int]
    waiting: int


@dataclass(frozen=True)
class Moment:
    """The last seconds in numbers. Times are response times, in milliseconds."""

    timing: bool
    done: float
    """Share of the whole, 0..1."""
    per_second: float
    success: float | None
    quantiles: Sequence[float]
    """p50, p95 and p99; none without a success."""
    waiting: int
    history: Sequence[float]


class Feed:
    """Takes looks in the engine's thread, and makes moments of them in the one that draws."""

    def __init__(self, requests: int | None) -> None:
        self._requests = requests
        self._looks: deque[Look] = deque(maxlen=_KEPT)
        self._window: deque[Look] = deque()
        self._history: deque[float] = deque(maxlen=_HISTORY)
        self._outcomes = self._turn = 0
        self.began = 0
        self.opened = 0
        """When timing began (monotonic ns); 0 before."""
        self.timed = 0

    def take(self, crew: Crew, now: int) -> None:
        """Look at the crew: called every few milliseconds, so it does little."""
        recorder, model = crew.recorder, crew.model
        came, self._outcomes = recorder.n - self._outcomes, recorder.n
        self.began = self.began or now
        if isinstance(model, Open | Closed) and model.opened:
            self.opened = model.opened
            self.timed += came
        self._turn += 1
        looked = came < _BUSY or self._turn % _EVERY == 0
        times, seen = self._read(crew) if looked else ([], 0)
        waiting = model.backlog[-1][1] if isinstance(model, Open) and model.backlog else 0
        self._looks.append(Look(now, came, seen, len(times), times, waiting))

    def _read(self, crew: Crew) -> tuple[list[int], int]:
        """Return the response times of the newest successes, and how many may be one.

        That is all but what was refused for coming too often: the same as in the end.
        """
        recorder, good = crew.recorder, crew.check.succeeded
        rows = list(zip(recorder.newest_rows(), recorder.newest(), strict=True))
        times = [
            row[2] - row[0]
            for row, code in rows
            if code > 0 and good(code) and row[2] - row[0] <= crew.timeout_ns
        ]
        return times, sum(code != LIMITED or good(code) for _, code in rows)

    def moment(self, seconds: float, *, is_open: bool) -> Moment:
        """Return the last seconds of a load that is to take `seconds`."""
        window, now = self._window, time.monotonic_ns()
        while self._looks:
            window.append(self._looks.popleft())
        while window and window[0].at < now - _WINDOW_NS:
            window.popleft()
        outcomes, seen = sum(look.outcomes for look in window), sum(look.seen for look in window)
        times = [took for look in window for took in look.times]
        success = sum(look.good for look in window) / seen if seen else None
        span = (window[-1].at - window[0].at) / 1e9 if window else 0.0
        per_second = outcomes * (success or 0.0) / span if span > _LEAST_SPAN else 0.0
        self._history.append(per_second)
        return Moment(
            timing=bool(self.opened),
            done=self._done(now, seconds, is_open=is_open),
            per_second=per_second,
            success=success,
            quantiles=_quantiles(times),
            waiting=window[-1].waiting if window else 0,
            history=tuple(self._history),
        )

    def _done(self, now: int, seconds: float, *, is_open: bool) -> float:
        since = self.began if is_open else self.opened
        share = (now - since) / 1e9 / seconds if since else 0.0
        if self._requests:
            share = max(share, self.timed / self._requests)
        return min(share, 1.0)


def _quantiles(times: Sequence[int]) -> Sequence[float]:
    some = sorted(islice(times, 0, None, max(1, len(times) // _MOST_TIMES)))
    return [some[int(q * (len(some) - 1))] / 1e6 for q in (0.5, 0.95, 0.99)] if some else []
