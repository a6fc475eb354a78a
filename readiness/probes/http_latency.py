"""How long one request takes at light load: quantiles from the intended start, and error rate."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import Field

from readiness.estimate import rate
from readiness.inventory import Service, Tier
from readiness.load.closed import Level
from readiness.load.closed import run as run_closed
from readiness.load.open import Schedule, poisson
from readiness.load.open import run as run_open
from readiness.load.request import Endpoint, Request
from readiness.load.result import Result
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes._load import LoadSettings, aim, because, errors, latencies, reached

TIER: Tier = "observe"
KINDS = frozenset({"http", "web"})
EXCLUSIVE = True
METRICS: Mapping[str, str] = {
    "p50_ms": "ms: median time to the last byte of a successful answer, from its intended start",
    "p95_ms": "ms: 95th percentile of the same (72 samples or more)",
    "p99_ms": "ms: 99th percentile of the same (368 samples or more)",
    "success_rate": "ratio: requests answered with success, warm-up included",
    "error_rate": "ratio: requests not answered with success, warm-up included",
    "n": "count of requests behind the two rates",
    "errors": "text: what failed and how often, absent when nothing did",
    "request": "text: the request that was repeated",
}

_PACING = Level(users=1, requests=5, seconds=0.3)
_UTILISATION = 0.25
"""Mean share of the slots in use: with four times as many at hand, hardly a request waits."""
_SPREAD_SECONDS = 0.75
"""A burst shorter than this sees one moment of the service, and asks too much of a fast one."""


@dataclass(frozen=True)
class Bounds:
    """The most that one run may ask of the service."""

    samples: int
    in_flight: int
    per_second: float


GENTLE = Bounds(samples=400, in_flight=4, per_second=50.0)
"""Without the load tier: what no service in production should notice."""


class Settings(LoadSettings):
    """What to ask, how often, and how gently."""

    samples: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="answers to time; `defaults.samples` if not given; "
        f"at most {GENTLE.samples} without the load tier",
    )
    seconds: float = Field(
        10.0, gt=0, le=300, description="time to take them in; a slow service gives fewer"
    )
    in_flight: int = Field(
        8,
        ge=1,
        le=64,
        description="requests in flight at most; a quarter of it on average; "
        f"at most {GENTLE.in_flight}, and {GENTLE.per_second:g} requests/s, without the load tier",
    )


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Find the service's pace, then send at random moments, four times slower than it could take.

    Requests that time out or break are errors, not exceptions; a service that accepts no
    connection raises.
    """
    endpoint, request = await aim(service, settings, context)
    result = await _sample(endpoint, request, service, settings, context)
    successes = result.successes(settings.is_success)
    values: Values = {
        "request": settings.shown(service),
        "n": result.n,
        "success_rate": rate(successes, result.n),
        "error_rate": rate(result.n - successes, result.n),
        **_explained(latencies(result.response_ms(settings.is_success), 50, 95, 99), context),
    }
    if successes < result.n:
        values["errors"] = errors(result, settings)
        values["success_rate_because"] = because(result, settings)
    return values


async def _sample(
    endpoint: Endpoint, request: Request, service: Service, settings: Settings, context: Context
) -> Result:
    bounds = {"timeout": context.timeout, "deadline": context.deadline}
    pace = reached(await run_closed(endpoint, request, _PACING, **bounds))
    most = bounds_for(settings, context)
    if not pace.statuses:
        # one silence is no verdict: every slot asks once more, all at the same time
        again = Level(users=most.in_flight, requests=most.in_flight, seconds=0)
        pace = reached(await run_closed(endpoint, request, again, **bounds))
    if not pace.statuses:
        return pace
    n, seconds = plan(pace, settings.seconds, most)
    starts = poisson(n, seconds, seed=f"{context.run_id} {service.name}")
    schedule = Schedule(starts, most.in_flight)
    return reached(await run_open(endpoint, request, schedule, **bounds))


def bounds_for(settings: Settings, context: Context) -> Bounds:
    """Return what is asked for, and no more than GENTLE where load is not allowed."""
    wanted = settings.samples or context.samples
    if "load" in context.allowed:
        return Bounds(wanted, settings.in_flight, wanted / _SPREAD_SECONDS)
    return Bounds(
        samples=min(wanted, GENTLE.samples),
        in_flight=min(settings.in_flight, GENTLE.in_flight),
        per_second=min(wanted / _SPREAD_SECONDS, GENTLE.per_second),
    )


def plan(pace: Result, seconds: float, most: Bounds) -> tuple[int, float]:
    """Return how many requests to send in how many seconds, so that few are in flight at once.

    By Little's law the mean number in flight is the rate times the service time that `pace` saw.
    """
    answers_ms = pace.service_ms(lambda status: True) or [seconds * 1000]
    gentle = most.in_flight * _UTILISATION / (statistics.median(answers_ms) / 1000)
    per_second = min(gentle, most.per_second)
    n = min(most.samples, max(most.in_flight, int(per_second * seconds)))
    return n, min(n / per_second, max(seconds, n / most.per_second))


def _explained(values: Values, context: Context) -> Values:
    """Add to why a quantile is unknown that the run was held back, where it was."""
    if "load" in context.allowed:
        return values
    held = (
        f"; without the load tier at most {GENTLE.samples} requests are sent, "
        f"{GENTLE.per_second:g} a second, {GENTLE.in_flight} at once"
    )
    return {k: f"{v}{held}" if k.endswith("_because") else v for k, v in values.items()}
