"""How a service compares with a reference that is asked at the same moments."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic import Field, model_validator

from readiness import paired
from readiness.failure import Failure, ProbeError, classify
from readiness.inventory import Service, Tier
from readiness.inventory.service import Line
from readiness.load.arrivals import Stage
from readiness.load.closed import Level
from readiness.load.open import Schedule
from readiness.load.result import Result
from readiness.load.twins import Duel
from readiness.measurement import Values
from readiness.probes import PROBE_SECONDS, Context
from readiness.probes._aimed import Aimed, reached
from readiness.probes._comparison import told, unknown
from readiness.probes._load import SPARE_SECONDS, LoadSettings
from readiness.probes._pace import ALONE, GENTLE_PACING, PACING, bearable
from readiness.probes._reference import Reference, only_read
from readiness.probes.http_latency import GENTLE, Bounds, Lookout, plan, slots

TIER: Tier = "observe"
KINDS = frozenset({"http", "web"})
EXCLUSIVE = True
METRICS: Mapping[str, str] = {
    "has_reference": "true or false: there is something to compare the service with",
    "reference": "text: system, version and environment of the reference",
    "request": "text: the request that was repeated",
    "reference_request": "text: the one that the reference was asked with",
    "time_ratio": "ratio: how many times as long the service takes as the reference, pair by pair "
    "(Hodges-Lehmann of the logarithms): 105 % is 5 % slower",
    "shift_ms": "ms: how much later its answers come (Hodges-Lehmann), below zero if sooner",
    "slower_probability": "ratio: that an answer of the service takes longer than one of the "
    "reference (Vargha and Delaney's A), 50 % where both are alike",
    "p_value": "ratio: chance of differences as great between two that are alike (signed-rank "
    "test, two-sided)",
    "pairs": "count of pairs compared: warm, both answered with success",
    "p50_ms": "ms: median time of the service in these pairs",
    "p95_ms": "ms: 95th percentile of the same",
    "reference_p50_ms": "ms: median time of the reference in these pairs",
    "reference_p95_ms": "ms: 95th percentile of the same",
    "failure_excess": "ratio: how much more of its requests failed than of the reference's, 0 if "
    "no more",
    "success_p_value": "ratio: chance of failures as unlike between two that are alike (McNemar's "
    "exact test)",
    "success_rate": "ratio: pairs in which the service succeeded, warm-up included",
    "reference_success_rate": "ratio: pairs in which the reference did",
    "n": "count of pairs behind the two rates",
    "errors": "text: what failed of the service's and how often, absent when nothing did",
    "reference_errors": "text: the same of the reference's",
    "requests_per_second": "1/s: mean rate of pairs",
    "clock": "text: who stamped the answers, `kernel` on Linux, else `process`",
    "cpu": "ratio: share of one processor that this tool used",
}

_PAIRS = 1500
_TELLING = 200
"""Pairs without a failure that show, with a confidence of 95 %, less than 2 % more of them."""
_SPREAD_SECONDS = 3.0
"""Pairs taken in less time see one moment of both, and keep our own processor busy."""
_SLOWER = 8.0
"""A load that turned out not to be light is tried once more, so many times lighter."""
_WARMING = 1.3
_PATIENCE = 3


class Settings(LoadSettings):
    """What to ask, of what else, and how often."""

    reference: Reference | None = Field(
        None, description="what to compare with; `run --against FILE` fills it in"
    )
    alone: Line | None = Field(None, description="why there is none, where there is none")
    pairs: int | None = Field(
        None,
        ge=paired.FEWEST,
        le=100_000,
        description=f"pairs to compare; if not given {_PAIRS}, or as many as come in `seconds`; "
        f"at most {GENTLE.samples} without the load tier, or of a reference in production",
    )
    seconds: float = Field(
        10.0,
        gt=0,
        le=300,
        description="time to take them in, three times as "
        f"long where that gives fewer than {_TELLING}",
    )

    @property
    def at_most_seconds(self) -> float:
        """Part of ProbeSettings: twice the sampling, if the first try is not light enough."""
        return max(PROBE_SECONDS, 2 * _WARMING * _PATIENCE * self.seconds + 2 * SPARE_SECONDS)

    _read = model_validator(mode="after")(only_read)


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Ask the service and its reference in pairs, both at the same random moments.

    Raises what names the service's fault. What is wrong with the reference leaves the comparison
    unknown: it is not the service's fault.
    """
    if settings.reference is None:
        because = settings.alone or "no reference is declared"
        return {"has_reference": False, "has_reference_because": because}
    reference = settings.reference.asked_like(settings, service)
    where = Service(name=service.name, kind="http", url=reference.url, health=service.health)
    values: Values = {
        "has_reference": True,
        "reference": reference.called,
        "request": settings.shown(service),
        "reference_request": reference.shown(where),
    }
    freely = _freely(reference, context)
    level = PACING if freely else GENTLE_PACING
    own = await Aimed.at(service, settings, context)
    pace = _answered(await own.closed(level))
    theirs = await _looked_at(where, reference, context, level)
    if isinstance(theirs, Failure):
        return values | unknown(f"the reference could not be asked: {theirs.detail}")
    other, their_pace = theirs
    rivals = _Rivals(own, other, (pace, their_pace))
    found = await _sample(rivals, service, settings, context, freely=freely)
    if isinstance(found, str):
        return values | unknown(found)
    reached(found.first)
    return values | told(found, context.sides)


@dataclass(frozen=True)
class _Rivals:
    own: Aimed
    other: Aimed
    paces: tuple[Result, Result]


def _freely(reference: Reference, context: Context) -> bool:
    """Whether both may be put under load: one in production by the command line's two words."""
    if reference.environment == "production" and context.environment != "production":
        return False
    return "load" in context.allowed


async def _looked_at(
    where: Service, reference: Reference, context: Context, level: Level
) -> tuple[Aimed, Result] | Failure:
    """Find the pace of the reference; return what stands in the way: not the service to blame."""
    try:
        other = await Aimed.at(where, reference, context)
        return other, _answered(await other.closed(level))
    except (OSError, ProbeError) as error:
        return classify(error)


def _answered(pace: Result) -> Result:
    """Return `pace`, unless nothing was answered: then raise why."""
    if not pace.statuses and pace.first_fault:
        raise ProbeError(pace.first_fault.kind, pace.first_fault.detail)
    return pace


async def _sample(
    rivals: _Rivals, service: Service, settings: Settings, context: Context, *, freely: bool
) -> Duel | str:
    """Ask both at light load, that of the one which bears less; or return why that cannot be."""
    slowest = max(rivals.paces, key=lambda pace: pace.service.point(0.5))
    most = await _bounds(rivals, settings, context, freely=freely)
    for slower in (1.0, _SLOWER):
        bounds = replace(most, mean=most.mean / slower, per_second=most.per_second / slower)
        n, seconds = _planned(slowest, settings.seconds, bounds)
        if n < paired.FEWEST and all(pace.service.n for pace in rivals.paces):
            return f"{n} pairs in {seconds:.0f} s, a comparison needs {paired.FEWEST}"
        schedule = Schedule(
            stages=(Stage(n / seconds, max(settings.seconds, seconds) * _WARMING),),
            in_flight=most.in_flight,
            samples=n,
            seed=f"{context.run_id} {service.name} paired",
        )
        lookout = Lookout()
        found = await rivals.own.beside(rivals.other, schedule, lookout.look)
        if not lookout.crowded:
            break
    return found


def _planned(pace: Result, usual: float, most: Bounds) -> tuple[int, float]:
    """Return how many pairs to ask in how many seconds: longer, if only so that they can tell."""
    n, seconds = plan(pace, usual, most, most.samples)
    if n >= min(_TELLING, most.samples):
        return n, seconds
    longest = _PATIENCE * usual
    some = replace(most, samples=min(_TELLING, most.samples))
    n, seconds = plan(pace, min(longest, _TELLING / n * usual), some, most.samples)
    return (n, seconds) if seconds <= longest else (int(n * longest / seconds), longest)


async def _bounds(rivals: _Rivals, settings: Settings, context: Context, *, freely: bool) -> Bounds:
    mean = ALONE
    if freely:
        sides = zip((rivals.own, rivals.other), rivals.paces, strict=True)
        mean = min([await bearable(one, pace, context.timeout) for one, pace in sides])
    if rivals.own.shares_a_door_with(rivals.other):
        mean /= 2
    pairs = settings.pairs or _PAIRS
    if freely:
        return Bounds(pairs, slots(mean), pairs / _SPREAD_SECONDS, mean)
    pairs = min(pairs, GENTLE.samples)
    per_second = min(pairs / _SPREAD_SECONDS, GENTLE.per_second)
    return Bounds(pairs, GENTLE.in_flight, per_second, mean)
