"""A journey walked up to one of its steps, held there, and what it created taken away again."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace

from readiness.failure import Failure, ProbeError, classify
from readiness.inventory import GIVEN, Inventory, Journey, Step
from readiness.ledger import Entry
from readiness.probes import Context
from readiness.probes._cookies import Cookies
from readiness.probes._taken import Taken
from readiness.probes._template import filled
from readiness.probes._visitor import Visitor

CLEANUP_SECONDS = 10.0
"""What taking away again may take, kept back from the time of a walk."""
_KEPT_BACK = 0.25
_BEGIN_SECONDS = 2.0
"""Time to walk with which a round may begin in any case."""
_TO_TELL_SECONDS = 0.05
"""What is left of the time in which to say what became of it all."""
_GONE = (404, 410)


class NotReached(Exception):
    """The step that was to be reached was not; a probe that cannot do without says so.

    `because` is fit to be shown; `failure` is the target's, where it gave no answer.
    """

    def __init__(self, because: str, failure: Failure | None = None) -> None:
        super().__init__(because)
        self.because, self.failure = because, failure


@contextlib.asynccontextmanager
async def visit(
    journey: Journey, step: str, context: Context, cookies: Cookies | None = None
) -> AsyncIterator[Visitor]:
    """Walk to the step called `step`, lend whoever walked, then take the steps that clean up.

    The step was taken and passed, `visitor.asked[step]` is its request. Whatever is sent within
    goes by `visitor.context`, whose deadline leaves time to clean up, which is done however the
    block ends. Who takes the step brings `cookies`, also to their login. Raises NotReached; what
    is our own fault (ProbeError, OSError) flies.
    """
    wanted = step_called(step, journey)
    if journey.tier not in context.allowed:
        raise ProbeError("not_allowed", f"the journey {journey.name} needs the write tier")
    ends = context.deadline
    walking = replace(context, deadline=walk_until(ends))
    demand_time(journey, walking)
    visitor = visitor_of(journey, walking, f"v{secrets.token_hex(3)}")
    if cookies:
        visitor.bring(wanted, cookies)
    taken: list[Taken] = []
    try:
        async with asyncio.timeout_at(walking.deadline) as bound:
            await _walk_to(step, journey, visitor, taken)
            yield visitor
    except TimeoutError as error:
        if not bound.expired():
            raise
        raise ProbeError("deadline", "no time was left beside cleaning up") from error
    finally:
        await clean_up(journey, visitor, len(taken), ends)  # though cancelled


def journey_called(name: str, inventory: Inventory) -> Journey:
    """Return the journey of that name; NotReached if there is none."""
    for journey in inventory.journeys:
        if journey.name == name:
            return journey
    raise NotReached(f"the inventory has no journey called {name}")


def step_called(name: str, journey: Journey) -> Step:
    """Return the step of that name; NotReached if there is none."""
    for step in journey.steps:
        if step.name == name:
            return step
    raise NotReached(f"the journey {journey.name} has no step called {name}")


def walk_until(ends: float) -> float:
    """Return the loop time by which to turn back in order to be clean by loop time `ends`."""
    left = ends - asyncio.get_running_loop().time()
    return ends - min(CLEANUP_SECONDS, _KEPT_BACK * left)


def demand_time(journey: Journey, walking: Context) -> None:
    """Raise ProbeError (deadline) if too little time is left to begin to create something.

    Where that is asked for just before the end of the walk, nobody hears what it is called.
    """
    enough = min(walking.timeout, _BEGIN_SECONDS, journey.deadline / 4)
    left = walking.deadline - asyncio.get_running_loop().time()
    if left < enough and any(step.creates for step in journey.steps):
        raise ProbeError("deadline", "too little time was left to begin, beside cleaning up")


def visitor_of(journey: Journey, context: Context, round_: str) -> Visitor:
    """Return who walks a round of `journey`."""
    return Visitor(context, context.inventory, journey.service, journey.identity, round_)


async def take(journey: Journey, step: Step, visitor: Visitor) -> Taken:
    """Take a step; the ledger knows of what it creates before it does."""
    ledger, round_ = visitor.context.ledger, visitor.round
    entry = Entry(journey.name, round_, step.name, filled(step.creates or "", visitor.variables))
    owed = ledger.book.entries

    def announce() -> None:
        if step.creates:
            _book(journey, visitor, entry)

    taken = await visitor.take(step, announce)
    if (taken.refused or step.stays) and entry.key in owed:
        ledger.gone(entry, "stays" if step.stays and not taken.refused else "not created")
    learned = _needed(journey) & step.capture.keys() & visitor.variables.keys()
    if learned and any(one[:2] == entry.key[:2] for one in owed):
        ledger.knows(journey.name, round_, {n: visitor.variables[n] for n in sorted(learned)})
    removed = owed.get((journey.name, round_, step.removes or ""))
    if removed and (taken.outcome == "passed" or taken.status in _GONE):
        ledger.gone(removed, f"not found ({taken.status})" if taken.status in _GONE else "removed")
    return taken


def _book(journey: Journey, visitor: Visitor, entry: Entry) -> None:
    """Note what is about to be created and what its removal needs; ProbeError if that fails."""
    ledger = visitor.context.ledger
    known = sorted(_needed(journey) & visitor.variables.keys() - set(GIVEN))
    try:
        ledger.creates(entry)
        if known:
            ledger.knows(entry.journey, entry.round, {n: visitor.variables[n] for n in known})
    except OSError as error:
        detail = f"the ledger cannot be written: {error.strerror}"
        raise ProbeError("local_limit", detail) from error


async def clean_up(journey: Journey, visitor: Visitor, begin: int, ends: float) -> list[Taken]:
    """Take those of the steps from `begin` that clean up, as far as what they need is known.

    A cancellation meanwhile (Ctrl-C, a deadline) is raised when that is done, within its time.
    """
    task = asyncio.create_task(_clean_up(journey, visitor, begin, ends))
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])  # which leaves it alone when this is cancelled
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled:
        raise cancelled from task.exception()
    return task.result()


async def _clean_up(journey: Journey, visitor: Visitor, begin: int, ends: float) -> list[Taken]:
    rest: list[Taken] = []
    loop = asyncio.get_running_loop()
    until = min(ends - _TO_TELL_SECONDS, loop.time() + CLEANUP_SECONDS)
    visitor.context = replace(visitor.context, deadline=until)
    for step in journey.steps[begin:]:
        known = step.references <= visitor.variables.keys()
        creation = (journey.name, visitor.round, step.removes or "")
        due = step.always and (not step.removes or creation in visitor.context.ledger.book.entries)
        if due and known and loop.time() < until:
            try:
                rest.append(await take(journey, step, visitor))
            except (OSError, ProbeError, ExceptionGroup) as error:  # the others still can
                rest.append(Taken(step, "unknown", classify(error).detail))
        else:
            rest.append(Taken(step, "not reached"))
    return rest


def stopped_at(taken: Taken, journey: Journey) -> str:
    """Return where in `journey` a step did not pass and why, without secrets."""
    n = journey.steps.index(taken.step) + 1
    service = taken.step.service or journey.service
    named = f"{taken.step.name} on {service}: {taken.step.shown}"
    where = f"step {n} of {len(journey.steps)}, {named}"
    return f"{where} {taken.told}" if taken.status else f"{where}: {taken.told}"


async def _walk_to(last: str, journey: Journey, visitor: Visitor, taken: list[Taken]) -> None:
    """Append each step taken to `taken`; NotReached at the first that does not pass."""
    for step in journey.steps:
        taken.append(await take(journey, step, visitor))
        if taken[-1].outcome != "passed":
            why = f"{journey.name}, {stopped_at(taken[-1], journey)}"
            raise NotReached(why, taken[-1].failure)
        if step.name == last:
            return


def _needed(journey: Journey) -> frozenset[str]:
    """Return the variables without which clean-up cannot be done."""
    return frozenset(name for step in journey.steps if step.always for name in step.references)
