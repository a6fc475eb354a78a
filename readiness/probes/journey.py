"""Whether users get through a journey: each step's outcome and time, and what is left behind."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from pydantic import Field

from readiness.enough import decided
from readiness.estimate import Sides, rate
from readiness.failure import Failure, ProbeError, classify
from readiness.inventory import Journey, Tier
from readiness.ledger import Entry
from readiness.looks import GROWTH
from readiness.measurement import Value, Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._expectation import described
from readiness.probes._taken import Taken
from readiness.probes._visit import (
    clean_up,
    demand_time,
    stopped_at,
    take,
    visitor_of,
    walk_until,
)

TIER: Tier = "write"
KINDS = frozenset({"journey"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "succeeded": "true or false: every round passed every step",
    "success_rate": "0..1: rounds that passed every step",
    "rounds": "count of rounds walked, more than `repeat` while a check of their rate is open",
    "looks": "count: how often the rounds were looked at, to end if they decide",
    "round_ms": "ms: the median round that succeeded, from its first request to its last answer",
    "steps_passed": "0..1: share of the steps that passed, mean over the rounds",
    "left_nothing": "true or false: all that was created was taken away again",
    "stays": "count of objects that stay by intention",
    "steps.*.name": "name of the step, in the first round that failed, else in the last",
    "steps.*.request": "method and path of the step, without values",
    "steps.*.service": "the service it asks",
    "steps.*.outcome": "passed, failed, unknown or not reached",
    "steps.*.answered": "status, media type and size of the answer",
    "steps.*.expected": "what the answer must be",
    "steps.*.ms": "ms: from connecting to the end of the answer",
}


_SPARE = 2
"""So many times the longest round must be left for one more that nobody asked for."""


class Settings(ProbeSettings):
    """A journey is described under `journeys:`; this is what of it the collector must know."""

    seconds: float = Field(60.0, description="what all rounds may take: the journey's `deadline`")

    @property
    def at_most_seconds(self) -> float:
        """Part of ProbeSettings."""
        return self.seconds


@dataclass(frozen=True)
class Round:
    """One walk from the first step to the last."""

    steps: tuple[Taken, ...]
    failure: Failure | None = None
    """Why nobody knows how it would have gone on, if that is our own doing."""

    @property
    def passed(self) -> bool:
        """Whether every step passed."""
        return self.failure is None and all(taken.outcome == "passed" for taken in self.steps)

    @property
    def stopped(self) -> Taken | None:
        """The first step that did not pass."""
        return next((taken for taken in self.steps if taken.outcome != "passed"), None)

    @property
    def ms(self) -> float:
        """Milliseconds of all exchanges."""
        return sum(taken.ms or 0.0 for taken in self.steps)


async def measure(journey: Journey, settings: Settings, context: Context) -> Values:
    """Walk all rounds, one after another; each takes away what it created."""
    now = asyncio.get_running_loop().time()
    ends = min(context.deadline, now + journey.deadline)
    walking = replace(context, deadline=walk_until(ends))
    stays = any(step.stays for step in journey.steps)  # each round more would leave something
    fixed = journey.repeat == 1 or stays or "load" not in context.allowed
    looks, bounds = context.looks.once(fixed), context.limits.get("success_rate")
    rounds: list[Round] = []
    wanted, look = journey.repeat, 1
    while await _walked(journey, walking, ends, rounds, wanted):
        found = _success(journey, rounds, looks.sides(look, bounds))
        if looks.planned or decided(found, context.limits):
            break
        wanted, look = max(wanted + 1, round(wanted * GROWTH)), look + 1
    else:
        found = _success(journey, rounds, looks.sides(look, bounds, last=True))
    return {
        "looks": look,
        **found,
        **_steps(journey, rounds),
        **_left(journey, rounds, context),
    }


async def _walked(
    journey: Journey, walking: Context, ends: float, rounds: list[Round], wanted: int
) -> bool:
    """Walk up to `wanted` rounds; return whether that many told something.

    Those beyond what was asked for are walked only if there is time for them.
    """
    clock = asyncio.get_running_loop().time
    longest = max((one.ms for one in rounds), default=0.0) / 1000
    while len(rounds) < wanted:
        began = clock()
        if len(rounds) >= journey.repeat and not _time_for(journey, walking, began, longest):
            return False
        rounds.append(await walk(journey, walking, ends, str(len(rounds) + 1)))
        if rounds[-1].failure:
            return False
        longest = max(longest, clock() - began)
    return True


def _time_for(journey: Journey, walking: Context, now: float, longest: float) -> bool:
    """Whether a round more can begin, and end though it takes somewhat longer than the longest."""
    try:
        demand_time(journey, walking)
    except ProbeError:
        return False
    return now + _SPARE * longest <= walking.deadline


async def walk(journey: Journey, context: Context, ends: float, round_: str) -> Round:
    """Take each step until one fails, then those alone that clean up, by loop time `ends`."""
    try:
        demand_time(journey, context)
    except ProbeError as error:
        return _not_begun(journey, error.failure)
    visitor = visitor_of(journey, context, round_)
    taken: list[Taken] = []
    failure: Failure | None = None
    try:
        for step in journey.steps:
            taken.append(await take(journey, step, visitor))
            if taken[-1].outcome != "passed":
                break
    except (OSError, ProbeError, ExceptionGroup) as error:
        failure = classify(error)  # ours, as what is the target's is a step's outcome
    finally:
        rest = await clean_up(journey, visitor, len(taken), ends)  # though cancelled
    if failure:  # though clean-up may have got further with the same step
        rest[0] = Taken(journey.steps[len(taken)], "unknown", failure.detail)
    return Round((*taken, *rest), failure)


def _not_begun(journey: Journey, failure: Failure) -> Round:
    first, *others = journey.steps
    rest = (Taken(step, "not reached") for step in others)
    return Round((Taken(first, "unknown", failure.detail), *rest), failure)


async def clean(journey: Journey, context: Context, ends: float, round_: str) -> None:
    """Take the steps of a round that clean up, with what its ledger knows."""
    visitor = visitor_of(journey, context, round_)
    book = context.ledger.book
    visitor.variables |= book.variables.get((journey.name, round_), {})
    await clean_up(journey, visitor, 0, ends)
    for step in journey.steps:
        entry = book.entries.get((journey.name, round_, step.name))
        if step.stays and entry:
            context.ledger.gone(entry, "stays")


def _success(journey: Journey, rounds: Sequence[Round], sides: Sides) -> Values:
    walked = [one for one in rounds if one.failure is None]
    passed = [one for one in walked if one.passed]
    failed = [one for one in walked if not one.passed]
    values: Values = {"rounds": len(rounds)}
    if walked:
        values["success_rate"] = rate(len(passed), len(walked), sides)
    if passed:
        values["round_ms"] = round(median(one.ms for one in passed), 3)
    if failed:
        more = f" (in {len(failed)} of {len(walked)} rounds)" if len(walked) > 1 else ""
        values |= {"succeeded": False, "succeeded_because": _why(failed[0], journey) + more}
    elif broken := next((one for one in rounds if one.failure), None):
        values["succeeded_because"] = _why(broken, journey)
    else:
        values["succeeded"] = True
    shares = [sum(t.outcome == "passed" for t in one.steps) / len(one.steps) for one in rounds]
    return values | {"steps_passed": round(sum(shares) / len(shares), 6)}


def _why(one: Round, journey: Journey) -> str:
    taken = one.stopped
    assert taken is not None, "a round that failed stopped somewhere"
    return stopped_at(taken, journey)


def _steps(journey: Journey, rounds: Sequence[Round]) -> Values:
    """Tell of each step in the first round that failed, else in the last."""
    shown = next((one for one in rounds if not one.passed), rounds[-1])
    values: Values = {}
    for n, taken in enumerate(shown.steps, 1):
        told: dict[str, Value | None] = {
            "name": taken.step.name,
            "request": taken.step.shown,
            "service": taken.step.service or journey.service,
            "outcome": taken.outcome,
            "outcome_because": taken.why or None,
            "answered": taken.answered or None,
            "expected": described(taken.step.expect),
            "ms": None if taken.ms is None else round(taken.ms, 3),
        }
        values |= {f"steps.{n}.{key}": value for key, value in told.items() if value is not None}
    return values


def _left(journey: Journey, rounds: Sequence[Round], context: Context) -> Values:
    left = [
        entry
        for entry in context.ledger.book.left
        if entry.journey == journey.name and entry.round.isdecimal()  # others visit it meanwhile
    ]
    sure = [entry for entry in left if _is_there(entry, rounds)]
    values: Values = {}
    if sure or not left:
        values["left_nothing"] = not left
    if left:
        word = "left behind" if sure else "nobody knows whether it is there"
        values["left_nothing_because"] = f"{word}: {_named(sure or left)}"
    stays = [
        taken.step.stays
        for one in rounds
        for taken in one.steps
        if taken.step.stays and taken.outcome != "not reached" and not taken.refused
    ]
    values["stays"] = len(stays)
    if stays:
        values["stays_because"] = "; ".join(dict.fromkeys(stays))
    return values


def _is_there(entry: Entry, rounds: Sequence[Round]) -> bool:
    """Whether it was created, and nothing of ours kept it from being taken away."""
    steps = rounds[int(entry.round) - 1].steps
    made = any(t.step.name == entry.step and t.outcome == "passed" for t in steps)
    kept = any(t.step.removes == entry.step and t.outcome == "unknown" for t in steps)
    return made and not kept


def _named(entries: Sequence[Entry]) -> str:
    named = ", ".join(dict.fromkeys(entry.what for entry in entries[:5]))
    return named + (f" and {len(entries) - 5} more" if len(entries) > 5 else "")
