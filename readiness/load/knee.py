"""Steps of load at chosen rates -> the knee: the greatest arrival rate that holds the objective.

Double the rate until it breaks, halve the bracket (geometrically) to 4 %, measure again. What
time is left goes to steps around the knee, and a line through the logarithm of their quantiles
reads off where it meets the limit: one step near the knee is worth little, because the queue
that stands when one request comes still stands for hundreds after it. No I/O: a runner plays
each Ask and sends back its Step.
"""

import itertools
import math
import random
import statistics
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from readiness.estimate import Estimate

Cause = Literal["latency", "errors", "backlog", "limited", "our_limit"]
Reason = Literal["latency", "errors", "backlog", "limited", "our_limit", "cap", "time"]

WORDS: Mapping[Reason, str] = {
    "latency": "answers come too late beyond it",
    "errors": "requests fail beyond it",
    "backlog": "work piles up beyond it",
    "limited": "the service refuses more (429, Retry-After)",
    "our_limit": "this machine can put no more on it",
    "cap": "no more was asked for",
    "time": "time was up",
}
"""What ended a search, for a sentence."""

_WIDTH = 1.04
"""The bracket is closed when its ends are within this ratio."""
_SHARES = (0.04, 0.05, 0.07, 0.09)
"""Part of the time for each bisection: the closer to the knee, the slower a queue settles."""
_REFINING = 0.11
"""Part of the time for each step around the knee."""
_AROUND = (0.97, 1.03, 1.0)
_NEAR = 0.15
"""Steps within this part of the knee take part in the line, the nearer the more."""
_LIKE = 3.0
"""Beyond this many times the limit (or below its inverse) a quantile tells nothing of the knee."""
_SLOW, _ERRORS = 5, 25
"""So many late answers, or errors, must be allowed for a few more to be no chance. The line through
several steps evens chance out for answers, and nothing does for errors."""
_COUNTABLE = 100
"""Arrivals from which on it counts how many of them were served."""
_FULL = 0.95
"""Of the arrivals: where fewer are served while they come, the service can do no more."""
_DRAWS = 24
_GAPS = 48_000
"""Gaps drawn for one step at most: where more arrive, chance evens out by itself."""
_LOADS = (0.6, 0.75, 0.85, 0.93)


_NONE = Estimate(value=None, low=None, high=None, n=0)


@dataclass(frozen=True)
class Objective:
    """What the service must hold: quantile `q` of the response time in `limit_ms`, errors 0..1."""

    q: float
    limit_ms: float
    error_rate: float = 0.01


@dataclass(frozen=True)
class Bounds:
    """How far a search may go: rates in 1/s, times in seconds of wall time."""

    start: float = 50.0
    rate: float = 20_000.0
    seconds: float = 45.0
    step: float = 10.0
    kept: float = 0.0
    """Of the seconds, for the rest of a service that was overrun, until a first step breaks."""


@dataclass(frozen=True)
class Ask:
    """A step to play: Poisson arrivals at `rate` for `seconds`.

    Their gaps are `random.Random(seed).expovariate(1.0) / rate`: an ordinary draw, see `draw`.
    """

    rate: float
    seconds: float
    seed: str


@dataclass(frozen=True)
class Step:
    """What one step (or its beginning) saw. Rates are 1/s, response times from intended start."""

    rate: float
    seconds: float
    """The time in which arrivals were measured."""
    took: float
    """Wall time of the whole step: set-up, warm-up and draining too."""
    offered: float
    achieved: float
    quantile: Estimate
    """Of the objective's q, ms, over the successes; to report, so it may be empty."""
    point: float | None
    """The same without an interval, ms: the plain sample quantile, None without successes."""
    over: Estimate
    """Share of the successes over the objective's limit."""
    error_rate: Estimate
    backlog: Sequence[tuple[float, float]] = ()
    """(seconds, requests begun or waiting)"""
    thirds: tuple[float, float] | None = None
    """Median response time of the first and of the last third, ms."""
    limited_by_us: bool = False
    stopped: bool = False
    """Whether it was ended early because its outcome was `clear`."""
    refused: Estimate = _NONE
    """Share of the requests refused for coming too often (429), which are no errors."""
    pleaded: bool = False
    """Whether the service asked for a pause (Retry-After), and was given it."""
    asked: float = 0.0
    """How long a step that was stopped should have been, s: its outcome counts as if it had."""
    rested: float = 0.0
    """Wall time after the step, in which a service that was overrun could come back."""


@dataclass(frozen=True)
class Knee:
    """The greatest rate that holds, 1/s, or None if even the start rate does not.

    `low` to `high` is the range that the steps leave it: two errors of the line, else the
    bracket; it is no 95 % interval (of M/D/1 it held the truth in 90 % of searches). Without a
    `broke` of the service it is the least that it holds (`at_least`).
    """

    rate: float | None
    low: float | None
    high: float | None
    quantile: Estimate | None
    """Response time at `held`, ms."""
    held: Step | None
    broke: Step | None
    reason: Reason
    steps: Sequence[Step]

    @property
    def at_least(self) -> bool:
        """Whether the search ended for a reason that is not what the service can do."""
        return self.rate is not None and self.reason in ("limited", "our_limit", "cap", "time")


Search = Generator[Ask, Step, Knee]


def search(objective: Objective, bounds: Bounds = Bounds(), seed: str = "") -> Search:
    """Yield each step to play, be sent what it saw, return the knee.

    The sum of `Step.took` and `Step.rested` stays within `bounds.seconds` if no step takes longer
    than asked for by more than those before it did, and no rest longer than what is left.
    """
    steps: list[Step] = []
    while True:
        rate, share = _next(_awake(steps, objective), objective, bounds)
        wanted = min(share * bounds.seconds, bounds.step)
        seconds = min(wanted, _left(steps, objective, bounds))
        pleaded = any(step.pleaded for step in steps)
        if steps and (pleaded or not rate or seconds < 0.4 * wanted):
            return conclude(steps, objective, bounds)
        steps.append((yield Ask(rate, seconds, draw(rate * seconds, objective.q, seed, steps))))


def cause(step: Step, objective: Objective) -> Cause | None:
    """Return what broke the objective in `step`, None if it held. Our own limit comes first."""
    if step.limited_by_us:
        return "our_limit"
    if step.pleaded or _exceeds(step.refused, objective.error_rate):
        return "limited"
    if _exceeds(step.error_rate, objective.error_rate, _ERRORS):
        return "errors"
    if growing(step):
        return "backlog"
    return "latency" if _exceeds(step.over, 1 - objective.q) else None


def _exceeds(share: Estimate, allowed: float, expected: int = _SLOW) -> bool:
    # with few samples one slow answer is no verdict: the interval must speak
    seen = share.value if share.n * allowed >= expected else share.low
    return (seen or 0.0) > allowed


def clear(so_far: Step, objective: Objective) -> bool:
    """Return whether the step may end at once: the service is far beyond the knee.

    Most answers must be too late, or errors over twice what is allowed, by the interval's lower
    end. Nearer the knee a burst would end the step at its worst moment and bias what it saw.
    """
    errors, over = so_far.error_rate.low or 0.0, so_far.over.low or 0.0
    return max(errors, so_far.refused.low or 0.0) > 2 * objective.error_rate or over > 0.5


def growing(step: Step) -> bool:
    """Return whether the backlog grew without end.

    It does if its slope over the step (least squares through ten means, which are less
    autocorrelated than samples) is over three standard errors and over 2 % of the arrivals, its
    median rose from third to third (a stall at the end is no growth), and the median response
    time rose by a quarter from the first third to the last.
    """
    if step.thirds is None:
        return False
    first, last = step.thirds
    return last > 1.25 * first and rising(step.backlog, step.offered)


def rising(backlog: Sequence[tuple[float, float]], offered: float) -> bool:
    """Return whether a backlog (seconds, requests) rises as in `growing`, of `offered` arrivals/s.

    False where it was looked at less than twenty times.
    """
    if len(backlog) < 20:
        return False
    size = len(backlog) / 10
    parts = [backlog[round(i * size) : round((i + 1) * size)] for i in range(10)]
    means = [(statistics.fmean(t for t, _ in p), statistics.fmean(w for _, w in p)) for p in parts]
    line = _line([(t, w, 1.0) for t, w in means])
    third = len(backlog) // 3
    early, middle, late = (
        statistics.median(waiting for _, waiting in part)
        for part in (backlog[:third], backlog[third:-third], backlog[-third:])
    )
    significant = line.slope > 3 * line.error and line.slope > 0.02 * offered
    return significant and early < middle < late


def recovery(
    samples: Sequence[tuple[float, float, bool]], objective: Objective, window: int = 50
) -> float | None:
    """Return the seconds until the service holds the objective again, and goes on to hold it.

    `samples` are (seconds since the load fell to a light rate, response time in ms, success) in
    order of time. It has recovered at the first request from which both the next `window` and all
    the rest have no more slow or failed ones than the objective allows (rounded up); None if
    fewer than that are left.
    """
    bad = [not ok or ms > objective.limit_ms for _, ms, ok in samples]
    allowed = max(1 - objective.q, objective.error_rate)
    left = list(itertools.accumulate(reversed(bad), initial=0))[::-1]  # slow or failed from here on
    for start in range(len(bad) - window + 1):
        near, rest = left[start] - left[start + window], left[start]
        share = math.ceil(window * allowed - 1e-9), math.ceil((len(bad) - start) * allowed - 1e-9)
        # a stretch may begin with what is still too slow: recovered is the first good one in it
        if near <= share[0] and rest <= share[1] and not bad[start]:
            return samples[start][0]
    return None


def draw(arrivals: float, q: float, seed: str, steps: Sequence[Step] = ()) -> str:
    """Return the seed of an ordinary draw of so many Poisson gaps, out of several.

    Seconds of random arrivals are by chance burstier or calmer than the average, which alone
    spreads a p99 by a third. So each of the draws is played to queues of a single worker at
    several loads (Lindley's recursion), and the one is taken whose quantiles are closest to
    those of all draws together. At a given rate the draw is then nearly free of that chance
    (variance reduction by stratification: Owen, Monte Carlo, 8.4), whatever the service is.
    """
    count = round(arrivals)
    seeds = [f"{seed}/{len(steps)}/{i}" for i in range(min(_DRAWS, _GAPS // max(1, count)))]
    if len(seeds) < 2 or count < 100:
        return f"{seed}/{len(steps)}/0"
    draws = [gaps(s, count) for s in seeds]
    distance = [0.0] * len(draws)
    for load in _LOADS:
        times = [sorted(_times(d, load)[count // 20 :]) for d in draws]
        ordinary = math.log(_rank(sorted(itertools.chain.from_iterable(times)), q))
        for i, own in enumerate(times):
            distance[i] += (math.log(_rank(own, q)) - ordinary) ** 2
    return seeds[distance.index(min(distance))]


def gaps(seed: str, count: int) -> list[float]:
    """Return the gaps between arrivals at a rate of 1."""
    source = random.Random(seed)
    return [source.expovariate(1.0) for _ in range(count)]


def _times(between: Sequence[float], service: float) -> list[float]:
    """Return the time in the system of each arrival at one worker (Lindley 1952)."""
    wait, times = 0.0, []
    for gap in between:
        wait = wait - gap if wait > gap else 0.0
        wait += service
        times.append(wait)
    return times


def _rank(ordered: Sequence[float], q: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * q))]


def _left(steps: Sequence[Step], objective: Objective, bounds: Bounds) -> float:
    """Return the seconds that the next step may measure, its overhead and draining set aside."""
    spent = sum(step.took + step.rested for step in steps)
    overhead = max((step.took - step.seconds for step in steps), default=0.0)
    kept = 0.0 if any(cause(step, objective) for step in steps) else bounds.kept
    return bounds.seconds - spent - overhead - kept


def _next(steps: Sequence[Step], objective: Objective, bounds: Bounds) -> tuple[float, float]:
    """Return the next rate, 0 if there is no more to learn, and its part of the time."""
    if not steps:
        return min(bounds.start, bounds.rate), 1 / 30
    low, high = _bracket(steps, objective)
    if high is None:
        top = max(step.rate for step in steps)
        broken = any(cause(step, objective) for step in steps)  # and outvoted since
        share = _SHARES[-1] if broken else 1 / 30
        return _beyond(top, _WIDTH if broken else 2.0, bounds), share
    if low is None:
        start = min(bounds.start, bounds.rate)
        again = sum(step.rate <= start for step in steps) < 2
        return (start if again or high.rate > start else 0.0), 1 / 15
    if high.rate / low.rate < 1.25 and _seconds(steps, low.rate) < bounds.seconds / 25:
        return low.rate, _SHARES[-1]  # a glance while doubling may have missed a stall
    if high.rate / low.rate > _WIDTH:
        halved = sum(low.rate / 2 < step.rate < high.rate * 2 for step in steps) - 2
        share = _SHARES[min(max(halved, 0), len(_SHARES) - 1)]
        return math.sqrt(low.rate * high.rate), share
    centre = math.sqrt(low.rate * high.rate)
    if len(_points(steps, centre, objective)) < 2:  # a cliff: no line will ever lead over it
        return _measured_again(steps, low, high, objective), _SHARES[-1]
    root = _root(steps, objective)
    turn = _AROUND[len(steps) % len(_AROUND)]
    return min((root.rate if root else centre) * turn, bounds.rate), _REFINING


def _awake(steps: Sequence[Step], objective: Objective) -> Sequence[Step]:
    """Leave out a first step that broke, if the same rate held after it: the service was cold."""
    if len(steps) < 2 or steps[0].rate != steps[1].rate:
        return steps
    cold = cause(steps[0], objective) and not cause(steps[1], objective)
    return steps[1:] if cold else steps


def _beyond(top: float, factor: float, bounds: Bounds) -> float:
    return 0.0 if top >= bounds.rate else min(factor * top, bounds.rate)


def _seconds(steps: Sequence[Step], rate: float) -> float:
    return sum(_weight(step) for step in steps if step.rate == rate)


def _weight(step: Step) -> float:
    return max(step.seconds, step.asked)


def _measured_again(steps: Sequence[Step], low: Step, high: Step, objective: Objective) -> float:
    """Return the end of the bracket to measure again, or 0: each of them once.

    Where answers are suddenly late, that may have been a stall: what held must go on to hold.
    """
    rates = [step.rate for step in steps]
    once = [end.rate for end in (low, high) if rates.count(end.rate) < 2]
    if not once and cause(high, objective) == "latency":
        return low.rate
    return once[0] if once else 0.0


def _bracket(steps: Sequence[Step], objective: Objective) -> tuple[Step | None, Step | None]:
    """Return the greatest step that held and the least that broke.

    Steps that contradict each other are cut where the fewest measured seconds disagree.
    """
    broken = [(step, cause(step, objective) is not None) for step in steps]

    def against(cut: float) -> float:
        # a step that measured nothing still counts, or there would be no cut
        return sum(_weight(s) + 1e-9 for s, broke in broken if broke == (s.rate <= cut))

    cuts = [0.0, *sorted({step.rate for step in steps})]
    cut = min(cuts, key=against)
    held = [step for step, broke in broken if not broke and step.rate <= cut]
    broke = [step for step, broke in broken if broke and step.rate > cut]
    return (
        max(held, key=lambda step: step.rate, default=None),
        min(broke, key=lambda step: step.rate, default=None),
    )


@dataclass(frozen=True)
class _Root:
    rate: float
    error: float
    """Two-sided 95 % half-width, 1/s."""


@dataclass(frozen=True)
class _Line:
    x: float
    y: float
    slope: float
    error: float
    """Standard error of the slope."""
    spread: float
    """Standard error of the line at its centre (x, y)."""


def _line(points: Sequence[tuple[float, float, float]]) -> _Line:
    """Return the weighted least-squares line through (x, y, weight), at least 3 points."""
    total = sum(w for _, _, w in points)
    x, y = (sum(p[i] * p[2] for p in points) / total for i in (0, 1))
    sxx = sum(w * (a - x) ** 2 for a, _, w in points)
    slope = sum(w * (a - x) * (b - y) for a, b, w in points) / sxx if sxx else 0.0
    rest = sum(w * (b - y - slope * (a - x)) ** 2 for a, b, w in points) / (len(points) - 2)
    return _Line(x, y, slope, math.sqrt(rest / sxx) if sxx else 0.0, math.sqrt(rest / total))


def _points(
    steps: Sequence[Step], centre: float, objective: Objective
) -> list[tuple[float, float, float]]:
    """Return (rate, log(quantile / limit), weight) of the steps that tell of a knee at `centre`.

    Not of those that ended early, failed, or were far from the limit, or hindered by us.
    """
    points = []
    for step in steps:
        excess = math.log((step.point or math.inf) / objective.limit_ms)
        weight = step.seconds * (1 - (math.log(step.rate / centre) / _NEAR) ** 2)
        sound = cause(step, objective) in (None, "latency", "backlog") and not step.stopped
        if sound and weight > 0 and abs(excess) < math.log(_LIKE):
            points.append((step.rate, excess, weight))
    return points


def _root(steps: Sequence[Step], objective: Objective) -> _Root | None:
    """Return where the line through log(quantile) against rate meets the limit.

    None unless at least three steps near the bracket give a line that rises, and that meets the
    limit among them or close by.
    """
    low, high = _bracket(steps, objective)
    if low is None:
        return None
    centre = math.sqrt(low.rate * (high or low).rate)
    points = _points(steps, centre, objective)
    if len(points) < 3 or max(excess for _, excess, _ in points) <= 0:
        return None
    line = _line(points)
    if line.slope <= 0:
        return None
    rate = line.x - line.y / line.slope
    rates = [rate for rate, _, _ in points]
    if not min(rates) / _WIDTH < rate < max(rates) * _WIDTH:
        return None
    t = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31)[min(len(points) - 3, 7)]
    return _Root(rate, t * math.hypot(line.spread, line.error * (rate - line.x)) / line.slope)


def conclude(steps: Sequence[Step], objective: Objective, bounds: Bounds) -> Knee:
    """Return what the steps so far, at least one, tell of the knee."""
    played, steps = tuple(steps), _awake(steps, objective)
    low, high = _bracket(steps, objective)
    root = _root(steps, objective)
    worst = min((s for s in steps if cause(s, objective)), key=lambda s: s.rate, default=None)
    if worst and (low is None or (root is None and _unsteady(steps, low, objective))):
        reason = cause(worst, objective) or "latency"
        return Knee(None, None, worst.rate, None, None, worst, reason, played)
    assert low is not None, "where nothing broke, something held"
    if high is None and root is not None:
        high = _nearest(steps, root.rate, objective)
    most = _most(steps)
    if high is None:
        end: Reason = "cap" if low.rate >= bounds.rate else "time"
        rate = min(low.rate, most)
        return Knee(rate, rate, None, low.quantile, low, None, end, played)
    if root is not None:
        rate, ends = root.rate, (max(0.0, root.rate - root.error), root.rate + root.error)
    else:
        rate, ends = low.rate, (low.rate, high.rate)
    rate, low_end, high_end = (min(found, most) for found in (rate, *ends))
    found = cause(high, objective) or "latency"
    ours = found in ("our_limit", "limited")
    wide = root is None and not ours and high.rate / low.rate > _WIDTH
    why: Reason = "time" if wide else found
    return Knee(rate, low_end, high_end, low.quantile, low, high, why, played)


def _most(steps: Sequence[Step]) -> float:
    """Return what the service served at most, 1/s; infinity if no step asked for more than that.

    No line may lead beyond: over a few seconds a queue hides for how long it will grow.
    """
    whole = [
        step
        for step in steps
        if not (step.stopped or step.limited_by_us) and step.offered * step.seconds > _COUNTABLE
    ]
    full = any(step.achieved < _FULL * step.offered for step in whole)
    return max(step.achieved for step in whole) if full else math.inf


def _nearest(steps: Sequence[Step], rate: float, objective: Objective) -> Step | None:
    """Return the step that broke nearest to `rate`."""
    broken = [step for step in steps if cause(step, objective)]
    return min(broken, key=lambda step: abs(step.rate - rate), default=None)


def _unsteady(steps: Sequence[Step], low: Step, objective: Objective) -> bool:
    """Return whether it is not the rate that breaks the service: it stalls at any.

    It does if the steps said to hold do not, all together, or if more than a twentieth of the
    measured seconds contradicts the bracket, and that from beyond its own width.
    """
    sound = [(step, cause(step, objective)) for step in steps if not step.limited_by_us]
    below = [step for step, _ in sound if step.rate <= low.rate]
    count = sum(step.over.n for step in below)
    over = sum((step.over.value or 0.0) * step.over.n for step in below)
    against = sum(
        _weight(step)
        for step, broke in sound
        if (step.rate * _WIDTH < low.rate and broke in ("latency", "errors"))
        or (step.rate > low.rate * _WIDTH**2 and not broke and not _brief(step, low, sound))
    )
    total = sum(_weight(step) for step, _ in sound)
    return over > 2 * (1 - objective.q) * count or against > total / 20


def _brief(held: Step, low: Step, sound: Sequence[tuple[Step, Cause | None]]) -> bool:
    """Whether all longer looks between `low` and it broke, as queues do (a stall ends)."""
    longer = [
        broke
        for step, broke in sound
        if low.rate * _WIDTH < step.rate <= held.rate and _weight(step) >= 1.5 * held.seconds
    ]
    return len(longer) > 1 and all(longer) and "backlog" in longer
