"""How long one request takes at light load: quantiles from the intended start, and error rate."""

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import Field

from readiness.enough import PLENTY, Limits, settled
from readiness.estimate import Estimate, Sides, rate
from readiness.inventory import Service, Tier
from readiness.load.arrivals import Spacing, Stage
from readiness.load.check import LIMITED
from readiness.load.closed import Level
from readiness.load.crew import Crew
from readiness.load.machine import Machine
from readiness.load.open import Open, Schedule
from readiness.load.result import CPU_LIMIT, LAG_FLOOR_MS, LAG_LIMIT, Result
from readiness.measurement import Values
from readiness.probes import PROBE_SECONDS, Context
from readiness.probes._aimed import Aimed
from readiness.probes._deciding import Deciding
from readiness.probes._load import SPARE_SECONDS, LoadSettings, company, latencies, success
from readiness.probes._pace import ALONE, CROWDS, GENTLE_PACING, PACING, bearable

TIER: Tier = "observe"
KINDS = frozenset({"http", "web"})
EXCLUSIVE = True
METRICS: Mapping[str, str] = {
    "p50_ms": "ms: median time to the last byte of a successful answer, from its intended start",
    "p95_ms": "ms: 95th percentile of the same (72 samples or more)",
    "p99_ms": "ms: 99th percentile of the same (368 samples or more)",
    "max_ms": "ms: the slowest of them",
    "service_p50_ms": "ms: median time from the write of a request to its answer's last byte",
    "service_p99_ms": "ms: 99th percentile of the same",
    "lag_p99_ms": "ms: 99th percentile of how late this tool sent its requests",
    "over_limit": "ratio: successes slower than the limit for p95, where there is one",
    "stable": "true or false: response times settled before they were timed, and then stayed",
    "success_rate": "ratio: requests answered with success, warm-up included",
    "error_rate": "ratio: requests not answered with success, warm-up included",
    "n": "count of requests behind the two rates",
    "looks": "count: how often the samples were looked at, each time to end if they decide",
    "errors": "text: what failed and how often, absent when nothing did",
    "requests_per_second": "1/s: mean rate of arrivals",
    "cpu": "ratio: share of one processor that this tool used, on the whole or while it timed",
    "steal": "ratio: share of all processors that the hypervisor gave to others meanwhile (Linux)",
    "load_average": "count of processes that ran or waited to run on this machine, over a minute",
    "clock": "text: who stamped the answers, `kernel` on Linux, else `process`",
    "distribution": "text: counts of response times by log-linear buckets, in compact form",
    "request": "text: the request that was repeated",
}

_BRISK_SECONDS, _LEISURELY_SECONDS = 0.01, 0.25
"""For opening all connections: at once where as many were served at once, else one by one."""
_LEAST_SLOTS = 8
_SLOTS_PER_REQUEST = 4
"""Connections in all for each request in flight on average that was asked for."""
_DEVIATIONS = 5
"""Connections at hand beyond the mean in flight, in standard deviations of a Poisson process, so
that hardly an arrival waits for one."""
_SPREAD_SECONDS = 0.75
"""A burst shorter than this sees one moment of the service, and asks too much of a fast one."""
_SLOWER = 8.0
"""A load that turned out not to be light is tried once more, so many times lighter."""
_JUDGED = (50, 95, 99)
"""Percentiles."""
_TRIES = 3
"""A run whose times are open, as they may be this machine's own, is made anew so often, while there
is time. One that was late lets nothing fail, so that one at most can."""
_PILE, _PILE_PER_SLOT = 32, 3
"""Requests waiting or in flight, at all and for each connection, that end a run; so do as many that
were refused for coming too often, if they are a tenth."""
_WARMING = 1.3
"""So much longer than the sampling is the whole, since it begins with a warm-up."""
_QUICK_PER_SECOND = 4000.0
"""A service that bears this rate with ease gives so many samples at once."""
_FOR_P50, _PATIENCE = 6, 3
"""A slow service is given so many times as long, if only so it has a median."""
_SECONDS = 10.0
_BRIEFEST_SECONDS = 0.2
"""A service that bears less gives as many as come in this time, or what was asked for."""


@dataclass(frozen=True)
class Bounds:
    """The most that one run may ask of the service."""

    samples: int
    in_flight: int
    per_second: float
    mean: float
    """Requests in flight on average."""


GENTLE = Bounds(samples=400, in_flight=4, per_second=50.0, mean=ALONE)
"""Without the load tier: what no service in production should notice."""


def slots(mean: float) -> int:
    """Return the connections to have at hand for so many requests in flight on average.

    How many are in flight varies as a Poisson variable does (M/G/infinity).
    """
    return max(_LEAST_SLOTS, math.ceil(mean + _DEVIATIONS * math.sqrt(mean)))


class Settings(LoadSettings):
    """What to ask, how often, and how gently."""

    samples: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="answers to time; if not given `defaults.samples` or, of a quick service, up "
        f"to {PLENTY}, and more while an interval straddles a limit; "
        f"at most {GENTLE.samples} without the load tier",
    )
    seconds: float | None = Field(
        None,
        gt=0,
        le=300,
        description="time to take them in, a slow service gives fewer; if not given "
        f"{_SECONDS:g}, and more while an interval straddles a limit, within the run's deadline",
    )
    in_flight: int | None = Field(
        None,
        ge=1,
        le=64,
        description="requests in flight at most, a quarter of it on average; if not given "
        f"as many as are served as quickly as one alone, up to {slots(CROWDS[0] / 2)}; at most "
        f"{GENTLE.in_flight}, and {GENTLE.per_second:g} requests/s, without the load tier",
    )

    @property
    def at_most_seconds(self) -> float:
        """Part of ProbeSettings: twice the sampling, if the first try is not light enough."""
        return max(PROBE_SECONDS, 2 * _WARMING * _PATIENCE * self.usual_seconds + SPARE_SECONDS)

    @property
    def usual_seconds(self) -> float:
        """The time for as many samples as are usually enough."""
        return self.seconds or _SECONDS

    arrivals: Spacing = Field(
        "poisson",
        description="`poisson`, as users come; `constant` spacing misses what repeats in step",
    )


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Find the service's pace, then send at random moments, half as often as it takes with ease.

    Requests that time out or break are errors, not exceptions; a service that accepts no
    connection raises.
    """
    aimed = await Aimed.at(service, settings, context)
    before = Machine.now()
    result, looked = await _sample(aimed, service, settings, context)
    sides = looked.sides
    values: Values = {
        "request": settings.shown(service),
        "clock": result.clock,
        "looks": looked.made,
        **(found := success(result, sides("success_rate"))),
        **_error_rate(result, found, sides("success_rate")),
        **_explained(latencies(result, _JUDGED, sides), context),
    }
    if not result.response.n:
        return values
    values |= {
        "service_p50_ms": result.service.quantile(0.5, sides("service_p50_ms")),
        "service_p99_ms": result.service.quantile(0.99, sides("service_p99_ms")),
        "lag_p99_ms": round(result.lag.point(0.99), 3),
        "max_ms": round(result.response.maximum_ms, 3),
        "stable": result.settled and not result.drifting,
        "requests_per_second": round(result.offered / result.seconds, 1),
        "distribution": result.response.histogram().encode(),
        "cpu": round(result.cpu, 3),
        **company(before),
    }
    if "p95_ms" in context.limits:
        values["over_limit"] = result.response.over(context.limits["p95_ms"][1])
    return values


def _error_rate(result: Result, found: Values, successes: Sides) -> Values:
    """Return `error_rate`, or what leaves it open: the same as of the success rate."""
    if "success_rate" in found:
        failed = result.n - result.limited - result.successes
        return {"error_rate": rate(failed, result.n, Sides(successes.high, successes.low))}
    return {"error_rate_because": found["success_rate_because"]} if result.n else {}


async def _sample(
    aimed: Aimed, service: Service, settings: Settings, context: Context
) -> tuple[Result, Deciding]:
    pace, most = await _paced(aimed, settings, context)
    if not pace.statuses:
        return pace, Deciding(context.limits, context.looks.once())
    fixed = settings.samples is not None or "load" not in context.allowed
    kept = fixed or settings.seconds is not None
    usual = settings.usual_seconds
    slower, tries = 1.0, 0
    while True:
        bounds = replace(most, mean=most.mean / slower, per_second=most.per_second / slower)
        n, seconds = plan(pace, usual, bounds, settings.samples or context.samples)
        mine = context.until - asyncio.get_running_loop().time()
        whole = max(usual if kept else min(usual, mine), seconds) * _WARMING
        left = mine - whole
        schedule = Schedule(
            stages=(Stage(n / seconds, whole),),
            in_flight=most.in_flight,
            samples=n,
            spacing=settings.arrivals,
            seed=f"{context.run_id} {service.name}",
            opening=_BRISK_SECONDS if bounds.mean > ALONE else _LEISURELY_SECONDS,
            warm=_opened(_typical(pace, usual), bounds),
            patience=0.0 if kept else max(0.0, left),
        )
        lookout = Lookout()
        looked = Deciding(context.limits, context.looks.once(fixed))
        result = await aimed.open(schedule, looked.enough, lookout.look)
        doubtful = _hindered(result, pace) and not _times_settled(result, looked, context.limits)
        tries += 1
        if lookout.crowded and slower == 1.0:
            slower = _SLOWER
        elif not doubtful or tries >= _TRIES or left < whole:
            return result, looked


async def _paced(aimed: Aimed, settings: Settings, context: Context) -> tuple[Result, Bounds]:
    """Find out how quickly one is answered, and how many may be in flight without waiting."""
    freely = "load" in context.allowed
    pace = await aimed.closed(PACING if freely else GENTLE_PACING)
    most = bounds_for(settings, context)
    if not pace.statuses:
        # one silence is no verdict: every slot asks once more, all at the same time
        again = Level(users=most.in_flight, requests=most.in_flight, seconds=0)
        pace = await aimed.closed(again)
    if pace.statuses and settings.in_flight is None and freely:
        mean = await bearable(aimed, pace, context.timeout)
        most = replace(most, in_flight=slots(mean), mean=mean)
    return pace, most


def _hindered(result: Result, pace: Result) -> bool:
    """Whether we were too late, for a service as quick as `pace`; not by what it answered since.

    Who makes anew the runs that were quick, and keeps those that were slow, finds it slow.
    """
    ours, typical = result.lag.point(0.99), pace.service.point(0.5)
    return result.cpu > CPU_LIMIT or ours > max(LAG_FLOOR_MS, LAG_LIMIT * typical)


def _times_settled(result: Result, looked: Deciding, limits: Limits) -> bool:
    """Whether every time that is judged is settled, however late we were.

    Our lateness makes times longer and their intervals wider: what it lets pass would pass without,
    and it lets nothing fail.
    """
    found = latencies(result, _JUDGED, looked.sides)
    judged = limits.keys() & {f"p{percent}_ms" for percent in _JUDGED}
    return all(
        isinstance(one := found.get(metric), Estimate) and settled(one, *limits[metric])
        for metric in judged
    )


class Lookout:
    """Ends a run that piles up work, or comes too often for the service: it is not light."""

    def __init__(self) -> None:
        self.crowded = False
        self._refused = 0

    def look(self, crew: Crew) -> None:
        """Called by the engine every few milliseconds."""
        model = crew.model
        most = max(_PILE, _PILE_PER_SLOT * len(crew.channels))
        piled = isinstance(model, Open) and model.backlog and model.backlog[-1][1] > most
        self._refused += crew.recorder.newest().count(LIMITED)
        if not self.crowded and (piled or self._refused > max(_PILE, crew.recorder.n / 10)):
            self.crowded = True
            model.stop(time.monotonic_ns())


def _opened(typical: float, most: Bounds) -> int:
    """Return how many connections to open first: all, or what keeps a single worker half busy."""
    if most.mean > ALONE:
        return most.in_flight
    return min(most.in_flight, max(1, int(ALONE * _LEISURELY_SECONDS / max(typical, 1e-6))))


def bounds_for(settings: Settings, context: Context) -> Bounds:
    """Return what is asked for, and no more than GENTLE where load is not allowed."""
    if "load" in context.allowed:
        samples = settings.samples or max(PLENTY, context.samples)
        mean = settings.in_flight / _SLOTS_PER_REQUEST if settings.in_flight else ALONE
        in_flight = settings.in_flight or slots(mean)
        return Bounds(samples, in_flight, samples / _SPREAD_SECONDS, mean)
    samples = settings.samples or context.samples
    return Bounds(
        samples=min(samples, GENTLE.samples),
        in_flight=min(settings.in_flight or _LEAST_SLOTS, GENTLE.in_flight),
        per_second=min(samples / _SPREAD_SECONDS, GENTLE.per_second),
        mean=GENTLE.mean,
    )


def plan(pace: Result, seconds: float, most: Bounds, samples: int) -> tuple[int, float]:
    """Return how many requests to send in how many seconds, so that few are in flight at once.

    By Little's law the mean number in flight is the rate times the service time that `pace` saw.
    """
    per_second = min(most.mean / max(_typical(pace, seconds), 1e-6), most.per_second)
    n = first_look(per_second, seconds, most.samples, samples)
    return n, min(n / per_second, max(_PATIENCE * seconds, n / most.per_second))


def first_look(per_second: float, seconds: float, most: int, samples: int) -> int:
    """Return how many samples to take first, at this rate, of `samples` that were asked for.

    That is more of a quick service, plenty of a very quick one, and fewer of a slow one.
    """
    quick = per_second >= _QUICK_PER_SECOND
    wanted = max(samples, PLENTY if quick else int(per_second * _BRIEFEST_SECONDS))
    n = min(wanted, most, max(1, int(per_second * seconds)))
    if n < _FOR_P50 <= per_second * _PATIENCE * seconds:
        return min(_FOR_P50, wanted, most)
    return n


def _typical(pace: Result, seconds: float) -> float:
    """Return how long an answer takes (s), a success where there is one; `seconds` if none came."""
    if pace.service.n:
        return pace.service.point(0.5) / 1000
    return pace.seconds / min(pace.n, GENTLE_PACING.requests) if pace.statuses else seconds


def _explained(values: Values, context: Context) -> Values:
    """Add to why a quantile is unknown that the run was held back, where it was."""
    if "load" in context.allowed:
        return values
    held = (
        f"; without the load tier at most {GENTLE.samples} answers are timed, "
        f"{GENTLE.per_second:g} a second, {GENTLE.in_flight} at once"
    )
    return {k: f"{v}{held}" if k.endswith("_because") else v for k, v in values.items()}
