"""How long one request takes at light load: quantiles from the intended start, and error rate."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import Field

from readiness.estimate import Estimate, rate
from readiness.inventory import Service, Tier
from readiness.load.arrivals import Spacing, Stage
from readiness.load.check import LIMITED
from readiness.load.closed import Level
from readiness.load.crew import Crew
from readiness.load.machine import Machine
from readiness.load.open import Enough, Open, Schedule
from readiness.load.recorder import Recorder
from readiness.load.result import Result, late
from readiness.measurement import Values
from readiness.probes import PROBE_SECONDS, Context
from readiness.probes._aimed import Aimed
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
_PILE, _PILE_PER_SLOT = 32, 3
"""Requests waiting or in flight, at all and for each connection, that end a run; so do as many that
were refused for coming too often, if they are a tenth."""
_WARMING = 1.3
"""So much longer than the sampling is the whole, since it begins with a warm-up."""
_PLENTY = 3000
"""Samples after which only an interval around a limit asks for more."""
_HOPELESS = 20
"""Requests after which, if none succeeded, no more are sent for a time of their answers."""
_QUICK_PER_SECOND = 4000.0
"""A service that bears this rate with ease gives so many samples at once."""
_FOR_P50, _PATIENCE = 6, 3
"""A slow service is given so many times as long, if only so it has a median."""
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
        f"to {_PLENTY}, and more while an interval straddles a limit; "
        f"at most {GENTLE.samples} without the load tier",
    )
    seconds: float = Field(
        10.0, gt=0, le=300, description="time to take them in; a slow service gives fewer"
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
        return max(PROBE_SECONDS, 2 * _WARMING * _PATIENCE * self.seconds + SPARE_SECONDS)

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
    result = await _sample(aimed, service, settings, context)
    values: Values = {
        "request": settings.shown(service),
        "clock": result.clock,
        **(found := success(result)),
        **_error_rate(result, found),
        **_explained(latencies(result, 50, 95, 99), context),
    }
    if not result.response.n:
        return values
    values |= {
        "service_p50_ms": result.service.quantile(0.5),
        "service_p99_ms": result.service.quantile(0.99),
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


def _error_rate(result: Result, found: Values) -> Values:
    """Return `error_rate`, or what leaves it open: the same as of the success rate."""
    if "success_rate" in found:
        return {"error_rate": rate(result.n - result.limited - result.successes, result.n)}
    return {"error_rate_because": found["success_rate_because"]} if result.n else {}


async def _sample(aimed: Aimed, service: Service, settings: Settings, context: Context) -> Result:
    freely = "load" in context.allowed
    pace = await aimed.closed(PACING if freely else GENTLE_PACING)
    most = bounds_for(settings, context)
    if not pace.statuses:
        # one silence is no verdict: every slot asks once more, all at the same time
        again = Level(users=most.in_flight, requests=most.in_flight, seconds=0)
        pace = await aimed.closed(again)
    if not pace.statuses:
        return pace
    if settings.in_flight is None and freely:
        mean = await bearable(aimed, pace, context.timeout)
        most = replace(most, in_flight=slots(mean), mean=mean)
    fixed = settings.samples is not None or not freely
    enough = (lambda _: True) if fixed else decides(context.limits)
    for slower in (1.0, _SLOWER):
        bounds = replace(most, mean=most.mean / slower, per_second=most.per_second / slower)
        n, seconds = plan(pace, settings.seconds, bounds, settings.samples or context.samples)
        schedule = Schedule(
            stages=(Stage(n / seconds, max(settings.seconds, seconds) * _WARMING),),
            in_flight=most.in_flight,
            samples=n,
            spacing=settings.arrivals,
            seed=f"{context.run_id} {service.name}",
            opening=_BRISK_SECONDS if bounds.mean > ALONE else _LEISURELY_SECONDS,
            warm=_opened(_typical(pace, settings.seconds), bounds),
        )
        lookout = Lookout()
        result = await aimed.open(schedule, enough, lookout.look)
        if not lookout.crowded:
            break
    return result


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
        samples = settings.samples or max(_PLENTY, context.samples)
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

    That is `samples`, more of a quick service, and plenty of a very quick one. By Little's law the
    mean number in flight is the rate times the service time that `pace` saw.
    """
    per_second = min(most.mean / max(_typical(pace, seconds), 1e-6), most.per_second)
    quick = per_second >= _QUICK_PER_SECOND
    wanted = max(samples, _PLENTY if quick else int(per_second * _BRIEFEST_SECONDS))
    n = min(wanted, most.samples, max(1, int(per_second * seconds)))
    if n < _FOR_P50 <= per_second * _PATIENCE * seconds:
        n = min(_FOR_P50, wanted, most.samples)
    return n, min(n / per_second, max(_PATIENCE * seconds, n / most.per_second))


def _typical(pace: Result, seconds: float) -> float:
    """Return how long an answer takes (s), a success where there is one; `seconds` if none came."""
    if pace.service.n:
        return pace.service.point(0.5) / 1000
    return pace.seconds / min(pace.n, GENTLE_PACING.requests) if pace.statuses else seconds


def decides(limits: Mapping[str, tuple[float, float]]) -> Enough:
    """Return whether samples so far settle every check that reads them.

    While one in a hundred was sent late, more may show that it was a moment's trouble of ours.
    Where nothing succeeds there is nothing to time, however many more are sent.
    """

    def enough(recorder: Recorder) -> bool:
        seen = recorder.preview()
        asked = sum(seen.codes.values())
        if asked >= _HOPELESS and not seen.successes:
            return True
        found = {f"p{p}_ms": seen.response.quantile(p / 100) for p in (50, 95, 99)}
        found["success_rate"] = rate(seen.successes, asked)
        plenty = asked >= _PLENTY
        if not plenty and late(seen.lag, seen.response, 0.99):
            return False
        return all(_clear(found[m], *limits[m], plenty) for m in found if m in limits)

    return enough


def _clear(estimate: Estimate, target: float, limit: float, plenty: bool) -> bool:
    if estimate.low is None or estimate.high is None:
        return False
    if estimate.low <= limit <= estimate.high:
        return False
    return plenty or not estimate.low <= target <= estimate.high


def _explained(values: Values, context: Context) -> Values:
    """Add to why a quantile is unknown that the run was held back, where it was."""
    if "load" in context.allowed:
        return values
    held = (
        f"; without the load tier at most {GENTLE.samples} answers are timed, "
        f"{GENTLE.per_second:g} a second, {GENTLE.in_flight} at once"
    )
    return {k: f"{v}{held}" if k.endswith("_because") else v for k, v in values.items()}
