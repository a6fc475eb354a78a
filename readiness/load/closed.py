"""The closed model: N users, each asking again as soon as answered -> how well N are served."""

import heapq
import time
from dataclasses import dataclass

from readiness.load.channel import Channel
from readiness.load.crew import Crew
from readiness.load.recorder import PAUSE_NS, Enough
from readiness.load.warmth import Warmth
from readiness.looks import GROWTH

_ARRIVAL_NS = 250_000
"""Between the arrivals of two users, lest their handshakes overflow the listen backlog."""
_WINDOW = 5
_NEVER = 1 << 62


@dataclass(frozen=True)
class Level:
    """How many users ask, how often, and for how long.

    Sampling ends after `requests` samples; or after `seconds` if it has `least` samples by then,
    if not, when it has or at `longest` seconds. What is in flight then is waited for. While that
    is not enough, it goes on for up to `patience` seconds more and `most` samples in all. The users
    come one by one over `ramp` seconds. Together they ask at most `per_second` times a second, if
    that is not 0: each then pauses between an answer and the next request. A `trial` only finds a
    pace: it is warm at once when each user has been served, and does not wait behind the last
    answer for what nobody asked for.
    """

    users: int
    requests: int
    seconds: float
    least: int = 1
    longest: float = 0.0
    ramp: float = 0.0
    per_second: float = 0.0
    trial: bool = False
    patience: float = 0.0
    most: int = 0


class Closed:
    """Plays one level; requests are timed once every user has been served and times settle."""

    rests = True

    def __init__(self, level: Level, enough: Enough = lambda _: True) -> None:
        self._level, self._enough = level, enough
        self._requests = level.requests  # so far wanted
        self._paused_at = self.paused = 0
        """Nanoseconds of the window in which nobody asked, for we were thinking."""
        self.lingers = not level.trial
        self._warmth = Warmth(max(_WINDOW, level.users // 2))
        self._budget = max(level.requests, level.users)  # to warm up with
        self._cycle = round(level.users / level.per_second * 1e9) if level.per_second else 0
        self._pausing: list[tuple[int, int, Channel]] = []
        self._pauses = 0
        self._parked: list[tuple[Channel, int]] = []
        self._waiting: list[Channel] = []
        self._began = self._next = 0
        self.opened = self.closed = 0
        """When timing began and ended."""
        self.settled = False

    def begin(self, crew: Crew, now: int) -> None:
        """Part of Model."""
        self._crew, self._began, self._next = crew, now, now
        self._waiting = list(reversed(crew.channels))
        ramp = self._level.ramp * 1e9 / self._level.users
        self._between = max(_ARRIVAL_NS, round(ramp))

    def free(self, channel: Channel, at: int) -> None:
        """Part of Model."""
        if self._level.trial and not self.opened and self._all_served:
            self._open(max(at, channel.freed))
        if self._budget > 0:
            self._budget -= 1
            if self._cycle:
                at = min(at, time.monotonic_ns())  # a wall clock set forward stamps the future
                due = max(at, channel.intended + self._cycle)
                self._pauses += 1
                heapq.heappush(self._pausing, (due, self._pauses, channel))
            else:
                channel.ask(at)
        else:
            self._parked.append((channel, at))
            self._turn()

    def tick(self, now: int) -> int:
        """Part of Model."""
        while self._waiting and self._next <= now:
            self._next += self._between
            self._waiting.pop().ask(now)
        pausing = self._pausing
        while pausing and pausing[0][0] <= now:
            due, _, channel = heapq.heappop(pausing)
            channel.ask(due)
        due = pausing[0][0] if pausing else _NEVER
        return min(self._next, due) if self._waiting else due

    def sweep(self, now: int) -> None:
        """Part of Model."""
        if not self.opened:
            self._warmth.feed(self._crew.recorder.recent())
            if self._is_warm(now):
                self._open(now)
        if not self.opened or self.closed:
            return
        if self._is_over(now):
            self.stop(now)
        elif self._is_due(now):
            self._pause(now)

    def think(self, now: int) -> None:
        """Part of Model: end it if the samples are enough; else let all users ask again."""
        paused_at = self._paused_at
        if not paused_at or self.closed or (self._busy and now < paused_at + PAUSE_NS):
            return
        if self._enough(self._crew.recorder):
            self.stop(now)
            return
        resumed = time.monotonic_ns()
        self.paused += resumed - paused_at
        self._paused_at = 0
        self._crew.recorder.close_window(0)
        wanted = max(round(self._requests * GROWTH), self._requests + self._level.users)
        wanted = min(wanted, self._level.most or wanted)
        self._budget, self._requests = wanted - self._requests, wanted
        self._resume(resumed)

    def stop(self, now: int) -> None:
        """Part of Model."""
        if not self.closed:
            self.opened = self.opened or now
            self.closed = self._paused_at or now
            self._crew.recorder.close_window(self.closed)
        self._budget = 0
        self._waiting.clear()
        self._pausing.clear()

    def abandon(self, now: int) -> int:
        """Part of Model: users who wait have asked for nothing."""
        return 0

    @property
    def over(self) -> bool:
        """Part of Model."""
        return bool(self.closed) and not self._busy

    @property
    def _busy(self) -> bool:
        return any(channel.busy for channel in self._crew.used)

    def _turn(self) -> None:
        """Go on to the next phase: what this one may ask has been asked."""
        now = time.monotonic_ns()
        if not self.opened:
            self._open(now)
        elif not self.closed:
            self._pause(now)

    def _pause(self, now: int) -> None:
        """Let nobody ask until it is clear whether what there is will do."""
        if not self._level.patience or 0 < self._level.most <= self._requests:
            self.stop(now)
        elif not self._paused_at:
            self._paused_at = now
            self._crew.recorder.close_window(now)
            self._requests -= self._budget + len(self._pausing)
            self._budget = 0
            self._parked += [(channel, due) for due, _, channel in self._pausing]
            self._pausing.clear()

    def _resume(self, now: int) -> None:
        parked, self._parked = self._parked, []
        for channel, at in parked:
            self.free(channel, max(at, now))

    def _open(self, now: int) -> None:
        self.opened, self.settled = now, self._warmth.settled
        self._crew.opened(now)
        self._budget = self._requests
        self._resume(now)

    def _is_warm(self, now: int) -> bool:
        if self._level.trial:
            return self._all_served
        if self._time_is_up(now):
            return self._crew.recorder.n > 0  # else the first answer would not be timed
        return self._all_served and (self._warmth.settled or self._warmth.given_up)

    def _time_is_up(self, now: int) -> bool:
        """Whether warming up has taken as long as the level itself may."""
        return (now - self._began) / 1e9 >= self._level.seconds + self._level.ramp

    @property
    def _all_served(self) -> bool:
        return not self._waiting and all(channel.freed for channel in self._crew.channels)

    def _is_over(self, now: int) -> bool:
        level, elapsed = self._level, (now - self.opened) / 1e9
        if elapsed >= max(level.longest, level.seconds) + level.patience:
            return True
        return not self._crew.answered and self._time_is_up(now)

    def _is_due(self, now: int) -> bool:
        """Whether a first look is due, though not as many were asked as might have been."""
        level, elapsed = self._level, (now - self.opened) / 1e9
        if self.paused or elapsed < level.seconds:
            return False
        sampled = self._requests - self._budget
        return sampled >= level.least or elapsed >= level.longest
