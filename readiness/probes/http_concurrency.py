"""How a service holds up as users are added: success, throughput and latency at each number."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import AfterValidator, Field

from readiness.failure import ProbeError
from readiness.inventory import Service, Tier
from readiness.load.arrivals import Stage
from readiness.load.caps import most_slots
from readiness.load.ceiling import Ceiling, ceiling
from readiness.load.closed import Level
from readiness.load.knee import WORDS, Objective, rising
from readiness.load.machine import Machine
from readiness.load.open import Schedule
from readiness.load.result import CPU_LIMIT, Result, late
from readiness.load.scalability import Scalability, fit
from readiness.measurement import Values
from readiness.probes import PROBE_SECONDS, Context
from readiness.probes._aimed import Aimed
from readiness.probes._deciding import Deciding
from readiness.probes._load import SPARE_SECONDS, LoadSettings, company, latencies, success

TIER: Tier = "load"
KINDS = frozenset({"http", "web"})
EXCLUSIVE = True
METRICS: Mapping[str, str] = {
    "users_max": "count: the highest number of users tried",
    "success_rate": "ratio: requests answered with success at users_max",
    "p95_ms": "ms: 95th percentile of the time to a successful answer at users_max",
    "requests_per_second": "1/s: successful answers per second at users_max",
    "looks": "count: how often the samples at users_max were looked at, to end if they decide",
    "users.*.success_rate": "ratio: requests answered with success at so many users",
    "users.*.requests_per_second": "1/s: successful answers per second at so many users",
    "users.*.p50_ms": "ms: median time to a successful answer at so many users",
    "users.*.p95_ms": "ms: 95th percentile of the same",
    "users.*.n": "count of requests at so many users",
    "users.*.errors": "text: what failed and how often, absent when nothing did",
    "users.*.rate_limited": "count of requests refused with 429, absent when none was",
    "users.*.closed_by_server": "count of connections that the service closed, absent if none",
    "target_rate": "1/s: the declared rate of arrivals, where there is one",
    "at_rate.looks": "count: how often the samples at the declared rate were looked at",
    "at_rate.sustained": "true or false: no queue grew while requests came at the declared rate",
    "at_rate.success_rate": "ratio: requests answered with success at the declared rate",
    "at_rate.requests_per_second": "1/s: successful answers per second at the declared rate",
    "at_rate.p50_ms": "ms: median time to a successful answer, from its intended start",
    "at_rate.p95_ms": "ms: 95th percentile of the same",
    "at_rate.n": "count of requests at the declared rate",
    "at_rate.errors": "text: what failed and how often, absent when nothing did",
    "at_rate.rate_limited": "count of requests refused with 429, absent when none was",
    "at_rate.closed_by_server": "count of connections that the service closed, absent if none",
    "knee_requests_per_second": "1/s: the greatest rate that holds the limit of p95, if searched",
    "recovered_seconds": "s: until that held again after the service had been overrun, if it was",
    "scalability": "text: the Universal Scalability Law fitted to six numbers of users or more",
    "ceiling_requests_per_second": "1/s: what this tool could send at most from this machine",
    "own_lag_p99_ms": "ms: how late it sends, 99th percentile, at 4,000/s to a server of its own",
    "steal": "ratio: share of all processors that the hypervisor gave to others meanwhile (Linux)",
    "load_average": "count of processes that ran or waited to run on this machine, over a minute",
    "request": "text: the request that was repeated",
}

_SHARED = ("success_rate", "p95_ms", "requests_per_second")
_SECONDS = 0.4
_LEAST_PER_USER = 4
_MOST_PER_USER = 5
_FOR_P95, _MANY = 76, 10
"""Samples with which a level has a p95, and users from which on they come in a few turns each."""
_BELOW = 1 / 6
"""Part of the time for each level below the highest."""
_MOST = 200
_MOST_PER_SECOND = 20_000.0
"""A service quicker than this is held back, lest it is our own processor that is measured."""
_CEILING_SHARE = 0.5
"""So is one that takes more than this part of what we can send."""
_RATE_SECONDS, _MOST_RATE_SECONDS = 2.0, 60.0
_HELD_BACK_SHARE = 0.8
"""A level with more of the throughput that it may have shows what it may have."""
_KNEE_SECONDS = 40.0
_KNEE_SPARE = 5.0
_KNEE_LIMIT_MS = 500.0
_LEAST_SLOTS = 16
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
        description="requests to time at each number of users at most; if not given "
        f"{_MOST_PER_USER} a user and no fewer than {_MOST} at the highest, more while an interval "
        "straddles a limit, and below it "
        f"{_LEAST_PER_USER} a user and no fewer than {_FOR_P95}",
    )
    seconds: float | None = Field(
        None,
        gt=0,
        le=300,
        description=f"time at each number of users, {_SECONDS:g} if not given, below the highest a "
        f"sixth of it; up to {_PATIENCE} times as long if a user has had fewer than "
        f"{_LEAST_PER_USER} answers, if there were fewer than {_MOST} at the highest, "
        f"or if {_MANY} users or more had too few for a p95; if not given, longer at the highest "
        "while an interval straddles a limit, within the run's deadline",
    )

    rate: float | None = Field(
        None,
        gt=0,
        le=10_000,
        description="requests per second that the service must bear, tried after the users: "
        "they come at random, whether or not earlier ones are answered",
    )

    knee: bool = Field(
        False,
        description="whether to search the greatest rate that holds the limit of p95 "
        f"({_KNEE_LIMIT_MS:g} ms if no check sets one): up to {_KNEE_SECONDS:g} s more",
    )

    @property
    def at_most_seconds(self) -> float:
        """Part of ProbeSettings."""
        levels = 2 * _PATIENCE * self.usual_seconds * len(self.users)
        knee = _KNEE_SECONDS + _KNEE_SPARE if self.knee else 0.0
        rate = _MOST_RATE_SECONDS if self.rate else 0.0
        return max(PROBE_SECONDS, levels + rate + knee + SPARE_SECONDS)

    @property
    def usual_seconds(self) -> float:
        """The time at the highest number of users that is usually enough."""
        return self.seconds or _SECONDS

    @property
    def fixed(self) -> bool:
        """Whether it was said how much to ask, so that no more is asked."""
        return bool(self.seconds or self.requests)

    def level(self, users: int) -> Level:
        """Return what to put on the service for so many users."""
        highest = users == self.users[-1]
        per_user, fewest = (_MOST_PER_USER, _MOST) if highest else (_LEAST_PER_USER, _FOR_P95)
        least = max(users * _LEAST_PER_USER, _MOST if highest else 0)
        return Level(
            users=users,
            requests=self.requests or max(fewest, users * per_user),
            seconds=self.usual_seconds * (1 if highest else _BELOW),
            least=max(least, _FOR_P95) if users >= _MANY else least,
            longest=self.usual_seconds * _PATIENCE,
            trial=not highest,
        )


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Try each number of users in turn, the lowest first, then the declared rate.

    Requests that time out or break are errors, not exceptions; a service that accepts no
    connection raises. A service that asks for a pause is given it: no more users are tried.
    """
    aimed = await Aimed.at(service, settings, context)
    own, before = await ceiling(), Machine.now()
    climb = await _climb(aimed, settings, own, context)
    values: Values = {
        "request": settings.shown(service),
        "users_max": settings.users[-1],
        "ceiling_requests_per_second": round(own.requests_per_second, 1),
        "own_lag_p99_ms": round(own.lag_p99_ms, 3),
        **climb.values,
        **company(before),
    }
    if law := fit(climb.points):
        values["scalability"] = _described(law)
    if climb.ended:
        return values | _unmeasured(settings, climb.ended, values)
    if settings.rate:
        at_rate = _rate(aimed, settings.rate, climb.last, context, settings.fixed)
        values |= await _or_why("at_rate.success_rate", at_rate)
    if settings.knee:
        knee = _knee(aimed, service, context)
        values |= await _or_why("knee_requests_per_second", knee)
    return values


@dataclass(frozen=True)
class _Climbed:
    """What the numbers of users showed, the lowest first."""

    values: Values
    points: list[tuple[float, float]]
    """(users, successful answers per second) where nothing of ours held them back"""
    last: Result
    ended: str
    """Why no more may be asked; empty if it may."""


async def _climb(aimed: Aimed, settings: Settings, own: Ceiling, context: Context) -> _Climbed:
    held_back = min(_MOST_PER_SECOND, _CEILING_SHARE * own.requests_per_second)
    values, points, last, ended = Values(), list[tuple[float, float]](), None, ""
    for users in settings.users:
        level = replace(settings.level(users), per_second=held_back)
        planned = level.trial or settings.fixed
        looked = _looking(context, planned)
        patience = 0.0 if planned else _left(context) - level.longest
        try:
            last = await aimed.closed(replace(level, patience=max(0.0, patience)), looked.enough)
        except ProbeError as error:
            if error.failure.blames_target or last is None:
                raise
            ended = f"{error.failure.kind}: {error.failure.detail}"
            break
        seen = _seen(last, looked)
        if last.throughput > _HELD_BACK_SHARE * held_back:
            seen["requests_per_second_because"] = (
                f"held back at {held_back:,.0f} requests/s, lest this machine is measured"
            )
        else:
            points.append((users, last.throughput))
        values |= {f"users.{users}.{metric}": value for metric, value in seen.items()}
        if users == settings.users[-1]:
            values |= {m: v for m, v in seen.items() if m.removesuffix("_because") in _SHARED}
            values["looks"] = looked.made
        if last.asked_to_wait:
            ended = f"the service asked for a pause (Retry-After) at {users} users"
            break
    assert last is not None, "there is at least one number of users"
    return _Climbed(values, points, last, ended)


def _unmeasured(settings: Settings, why: str, values: Values) -> Values:
    """Return why what is not among `values` was not measured."""
    wanted = [*_SHARED]
    wanted += ["at_rate.success_rate"] if settings.rate else []
    wanted += ["knee_requests_per_second"] if settings.knee else []
    because = {f"{metric}_because": why for metric in wanted if metric not in values}
    return {name: why for name, why in because.items() if name not in values}


async def _or_why(metric: str, measured: Awaitable[Values]) -> Values:
    """Return what was measured, or why it was not where that is no fault of the service's."""
    try:
        return await measured
    except ProbeError as error:
        if error.failure.blames_target:
            raise
        return {f"{metric}_because": f"{error.failure.kind}: {error.failure.detail}"}


async def _rate(aimed: Aimed, rate: float, before: Result, context: Context, fixed: bool) -> Values:
    schedule = _at_rate(rate, before, context, fixed)
    looked = _looking(context, planned=fixed, of="at_rate.")
    result = await aimed.open(schedule, looked.enough)
    seen = _seen(result, looked) | _sustained(result) | {"looks": looked.made}
    few = schedule.in_flight == most_slots() and result.crowded
    if few and result.service.point(0.5) <= 2 * before.service.point(0.5):
        why = f"local_limit: all {schedule.in_flight} connections of this tool were busy"
        judged = ("sustained", "success_rate", "requests_per_second", "p50_ms", "p95_ms")
        seen = {m: v for m, v in seen.items() if m.removesuffix("_because") not in judged}
        seen |= {f"{metric}_because": why for metric in judged}
    return {f"at_rate.{metric}": value for metric, value in seen.items()} | {"target_rate": rate}


def _looking(context: Context, planned: bool, of: str = "") -> Deciding:
    """Return what looks at the samples behind the metrics whose names begin with `of`."""
    mine = {m.removeprefix(of): v for m, v in context.limits.items() if m.startswith(of)}
    looks = context.looks.once(planned)
    return Deciding(mine, looks, percentiles=(50, 95), punctual=False)


def _left(context: Context) -> float:
    return context.until - asyncio.get_running_loop().time()


def _sustained(result: Result) -> Values:
    """Return whether the service kept up with the arrivals; open where our lateness may be why."""
    offered = result.offered / result.seconds
    slowing = result.response.drifts() or not result.response.n or "timeout" in result.faults
    if not (rising(result.backlog, offered) and slowing):
        return {"sustained": True}
    if result.cpu > CPU_LIMIT or late(result.lag, result.response, 0.99):
        return {"sustained_because": f"local_limit: {result.local_limit}"}
    because = (
        f"{result.throughput:,.0f} of {offered:,.0f} requests/s were served, and the queue "
        "grew: times are the longer the longer this lasts"
    )
    return {"sustained": False, "sustained_because": because}


async def _knee(aimed: Aimed, service: Service, context: Context) -> Values:
    limit = context.limits.get("p95_ms", (0.0, _KNEE_LIMIT_MS))[1]
    left = context.deadline - asyncio.get_running_loop().time() - _KNEE_SPARE
    if left < _KNEE_SECONDS / 2:
        return {"knee_requests_per_second_because": "too little time was left to search it"}
    seed = f"{context.run_id} {service.name}"
    found = await aimed.knee(Objective(0.95, limit), min(_KNEE_SECONDS, left), seed)
    knee, values = found.knee, Values()
    why = f"p95 within {limit:g} ms; what ended the search: {WORDS[knee.reason]}"
    if knee.rate is None or (knee.at_least and knee.reason == "our_limit"):
        values["knee_requests_per_second_because"] = why
    else:
        values["knee_requests_per_second"] = round(knee.rate, 1)
        values["knee_requests_per_second_because"] = f"at least, {why}" if knee.at_least else why
    if found.recovered_seconds is not None:
        values["recovered_seconds"] = round(found.recovered_seconds, 2)
    elif found.overrun:
        values["recovered_seconds_because"] = "it was not well again within 5 s"
    return values


def _described(law: Scalability) -> str:
    peak = (
        "no peak"
        if law.peak_users is None
        else f"peak near {law.peak_users:.0f} users"
        + (" (beyond what was measured)" if law.extrapolated else "")
    )
    return (
        f"contention {law.contention:.2%}, coherency {law.coherency:.4%}, {peak}, "
        f"residual {law.residual:.1%}: advice, no measurement"
    )


def _at_rate(rate: float, before: Result, context: Context, fixed: bool) -> Schedule:
    """Return arrivals at `rate`, with connections at hand for four times the mean in flight."""
    seconds = min(max(_RATE_SECONDS, context.samples / rate), _MOST_RATE_SECONDS)
    typical = before.service.point(0.5) / 1000 if before.service.n else context.timeout
    slots = min(most_slots(), max(_LEAST_SLOTS, round(4 * rate * typical)))
    return Schedule(
        (Stage(rate, seconds),),
        in_flight=slots,
        seed=f"{context.run_id} rate",
        samples=round(rate * seconds),
        patience=0.0 if fixed else max(0.0, _left(context) - seconds),
    )


def _seen(result: Result, looked: Deciding) -> Values:
    values: Values = {
        "requests_per_second": result.throughput,
        **success(result, looked.sides("success_rate")),
        **latencies(result, (50, 95), looked.sides),
    }
    if result.limited:
        values["rate_limited"] = result.limited
    if result.closed_by_server:
        values["closed_by_server"] = result.closed_by_server
    return values
