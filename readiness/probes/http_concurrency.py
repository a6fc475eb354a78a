"""How a service holds up as users are added: success, throughput and latency at each number."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from readiness.estimate import rate
from readiness.inventory import Service, Tier
from readiness.load.closed import Level, run
from readiness.load.result import Result
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes._load import LoadSettings, aim, because, errors, latencies, reached

TIER: Tier = "load"
KINDS = frozenset({"http", "web"})
EXCLUSIVE = True
METRICS: Mapping[str, str] = {
    "users_max": "count: the highest number of users tried",
    "success_rate": "ratio: requests answered with success at users_max",
    "p95_ms": "ms: 95th percentile of the time to a successful answer at users_max",
    "requests_per_second": "1/s: successful answers per second at users_max",
    "users.*.success_rate": "ratio: requests answered with success at so many users",
    "users.*.requests_per_second": "1/s: successful answers per second at so many users",
    "users.*.p50_ms": "ms: median time to a successful answer at so many users",
    "users.*.p95_ms": "ms: 95th percentile of the same",
    "users.*.n": "count of requests at so many users",
    "users.*.errors": "text: what failed and how often, absent when nothing did",
    "request": "text: the request that was repeated",
}

_LEAST_PER_USER = 6
_MOST_PER_USER = 10
_MOST = 200
_PATIENCE = 6
"""A level that lacks samples goes on for so many times its seconds."""


def _distinct(users: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(users)) != len(users):
        raise ValueError("each number of users can be tried only once")
    return tuple(sorted(users))


Users = Annotated[int, Field(ge=1, le=1000)]


class Settings(LoadSettings):
    """What to ask, by how many users at once, and for how long."""

    users: Annotated[tuple[Users, ...], AfterValidator(_distinct)] = Field(
        (1, 10, 50), min_length=1, max_length=8, description="numbers of users to try"
    )
    requests: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="requests to time at each number of users at most; "
        f"if not given {_MOST_PER_USER} a user, but no fewer than {_MOST}",
    )
    seconds: float = Field(
        0.4,
        gt=0,
        le=300,
        description="time at each number of users; "
        f"up to {_PATIENCE} times as long if a user has had fewer than {_LEAST_PER_USER} answers",
    )

    def level(self, users: int) -> Level:
        """Return what to put on the service for so many users."""
        most = self.requests or max(_MOST, users * _MOST_PER_USER)
        return Level(
            users=users,
            requests=most,
            seconds=self.seconds,
            least=users * _LEAST_PER_USER,
            longest=self.seconds * _PATIENCE,
        )


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Try each number of users in turn, the lowest first.

    Requests that time out or break are errors, not exceptions; a service that accepts no
    connection raises.
    """
    endpoint, request = await aim(service, settings, context)
    values: Values = {"request": settings.shown(service), "users_max": settings.users[-1]}
    for users in settings.users:
        result = await run(
            endpoint,
            request,
            settings.level(users),
            timeout=context.timeout,
            deadline=context.deadline,
        )
        seen = _seen(reached(result), settings)
        values |= {f"users.{users}.{metric}": value for metric, value in seen.items()}
    shared = ("success_rate", "success_rate_because", "p95_ms", "p95_ms_because")
    top = {metric: seen[metric] for metric in (*shared, "requests_per_second") if metric in seen}
    return values | top


def _seen(result: Result, settings: Settings) -> Values:
    ok = settings.is_success
    values: Values = {
        "n": result.n,
        "success_rate": rate(result.successes(ok), result.n),
        "requests_per_second": result.throughput(ok),
        **latencies(result.response_ms(ok), 50, 95),
    }
    if result.successes(ok) < result.n:
        values["errors"] = errors(result, settings)
        values["success_rate_because"] = because(result, settings)
    return values
