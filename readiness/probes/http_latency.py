"""How long one request takes at light load: quantiles from the intended start, and error rate."""

import statistics
from collections.abc import Mapping

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


class Settings(LoadSettings):
    """What to ask, how often, and how gently."""

    samples: int | None = Field(
        None, ge=1, le=100_000, description="answers to time; `defaults.samples` if not given"
    )
    seconds: float = Field(
        2.5, gt=0, le=300, description="time to take them in; a slow service gives fewer"
    )
    in_flight: int = Field(
        8, ge=1, le=64, description="requests in flight at most; a quarter of it on average"
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
        **latencies(result.response_ms(settings.is_success), 50, 95, 99),
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
    if not pace.statuses:
        # one silence is no verdict: every slot asks once more, all at the same time
        again = Level(users=settings.in_flight, requests=settings.in_flight, seconds=0)
        pace = reached(await run_closed(endpoint, request, again, **bounds))
    if not pace.statuses:
        return pace
    n, seconds = plan(pace, settings, settings.samples or context.samples)
    starts = poisson(n, seconds, seed=f"{context.run_id} {service.name}")
    schedule = Schedule(starts, settings.in_flight)
    return reached(await run_open(endpoint, request, schedule, **bounds))


def plan(pace: Result, settings: Settings, wanted: int) -> tuple[int, float]:
    """Return how many requests to send in how many seconds, so that few are in flight at once.

    By Little's law the mean number in flight is the rate times the service time that `pace` saw.
    """
    answers_ms = pace.service_ms(lambda status: True) or [settings.seconds * 1000]
    gentle = settings.in_flight * _UTILISATION / (statistics.median(answers_ms) / 1000)
    per_second = min(gentle, wanted / _SPREAD_SECONDS)
    n = min(wanted, max(settings.in_flight, int(per_second * settings.seconds)))
    return n, min(n / per_second, settings.seconds)
