"""Plan -> measurements: a safe, bounded run of every step."""

import asyncio
import contextlib
import functools
import ssl
import time
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from readiness.failure import Failure, ProbeError, classify
from readiness.inventory import (
    Journey,
    Service,
)
from readiness.ledger import Ledger
from readiness.load.caps import Budget, most_connections
from readiness.load.closed import Level
from readiness.load.result import Result
from readiness.loop import GRACE_SECONDS
from readiness.mask import Masker
from readiness.measurement import Measurement
from readiness.patience import Patience
from readiness.probes import Context
from readiness.probes import journey as walked
from readiness.probes._wire import STAMPED
from readiness.resolve import Resolver
from readiness.slots import AT_ONCE, Slots
from readiness.steps import Plan, Step
from readiness.turns import Turns, shared

MANY_AT_ONCE = 64
"""Probes under way together whose times are the kernel's, with no queue of ours in them."""
MOST_AT_ONCE = 512
"""The same, those included that hang."""
PATIENCE_SECONDS = 0.5
"""After which one counts as hanging, so that it holds up nobody else."""
LONG_AT_ONCE = 32
"""Of these probes, those under way together that take many exchanges each."""
RETRY_PAUSE_SECONDS = 0.5
TIDY_SECONDS = 12.0
"""What taking away again may take after a signal, with a little for the way."""
PATIENT_PART = 0.1
"""What one probe may take, at most, whose samples do not decide yet."""
_SHARES = 2
"""A probe that asks for more than samples takes those in half of its time."""
_FOR_ENDING_SECONDS = 3.0
"""For a probe that has gone on as long as it may to end by itself, with all it has measured."""
_SOCKETS_EACH = 2
"""A host of several addresses may be dialed at two of them at once."""
_WORDS = 4096

Mask = Callable[[str], str]

Progress = Callable[[Step, Measurement], None]
"""Called after each attempt."""


class Collector:
    """One run of a plan: what it has measured so far, and how long it still may."""

    def __init__(
        self,
        plan: Plan,
        run_id: str,
        seconds: float,
        progress: Progress,
        ledger: Ledger | None = None,
        before: Sequence[Measurement] = (),
    ) -> None:
        self._plan, self._run_id, self._seconds, self._progress = plan, run_id, seconds, progress
        self._ledger = ledger or Ledger(None, plan.inventory.system.name)
        self._before = {(m.service, m.probe): m.values for m in before}
        self._done: list[tuple[Mask, Measurement]] = []
        self._learned: set[str] = set()
        self._secrets = plan.inventory.secrets()
        self._known, self._mask = self._secrets, _mask(self._secrets)
        self._tls = functools.cache(ssl.create_default_context)
        self._budget, self._resolve = Budget(), Resolver()
        self._turns = Turns()
        self._trials: dict[Hashable, tuple[Level, Result]] = {}
        self._patience = Patience(0.0, 1)
        self._hung = set[str]()  # services whose last probe but this timed out twice in a row
        self._deadline = 0.0

    async def run(self) -> None:
        """Measure every step; after the deadline or a cancellation, what is left stays undone."""
        self._deadline = asyncio.get_running_loop().time() + self._seconds
        for step in self._plan.steps:
            if step.withheld:
                self._record(step, _failed(step, 1, step.withheld))
        open_ = [s for s in self._plan.steps if not s.withheld]
        company = [s for s in open_ if not s.probe.EXCLUSIVE]
        deeper = {s.service.name for s in company}
        first, rest = list[Step](), list[Step]()
        for step in open_:
            if step.probe.EXCLUSIVE:
                (first if _opens(step) and step.service.name in deeper else rest).append(step)
        most = PATIENT_PART * self._seconds
        self._patience = Patience(self._deadline, len(first) + len(rest), most)
        alone = Slots(0, 1, 1, self._seconds)
        try:
            down = {s.service.name: await self._alone(s, alone) for s in first}
            await self._together(self._still_asked(company, down))
            asked = self._still_asked(rest, down)
            self._patience = Patience(self._deadline, len(asked), most)
            for step in asked:
                await self._alone(step, alone)
        finally:
            self._resolve.close()

    async def _alone(self, step: Step, alone: Slots) -> Failure | None:
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            return await self._measure(step, alone)
        finally:
            self._patience.done(clock() - began)

    def _still_asked(
        self, steps: Sequence[Step], down: Mapping[str, Failure | None]
    ) -> Sequence[Step]:
        """Return the steps whose service is not down; what it failed by, the others fail by."""
        asked = []
        for step in steps:
            outage = down.get(step.service.name)
            if outage and not _asks_nobody(step):
                self._record(step, _failed(step, 1, outage))
            else:
                asked.append(step)
        return asked

    async def clean(self, names: Collection[str]) -> None:
        """Take away what the ledger says is left of the journeys `names`, by their clean-up."""
        loop = asyncio.get_running_loop()
        self._deadline = ends = loop.time() + self._seconds
        left = self._ledger.book.left
        rounds = {(one.journey, one.round) for one in left if one.journey in names}
        try:
            for step in self._plan.steps:
                for journey, round_ in sorted(rounds):
                    if isinstance(step.service, Journey) and step.service.name == journey:
                        context = self._context(step, ends)
                        with contextlib.suppress(ProbeError, OSError):  # what is left is told
                            await walked.clean(step.service, context, ends, round_)
        finally:
            self._resolve.close()

    async def _together(self, steps: Sequence[Step]) -> None:
        """Measure first whether services are up; the rest when only what hangs is left of it.

        Nothing but that is asked of a service which is down, so that it costs its time once.
        """
        many = [s for s in steps if _bears_company(s) and _is_vital(s)]
        more = [s for s in steps if _bears_company(s) and not _is_vital(s)]
        few = [s for s in steps if not _bears_company(s)]
        wide = Slots(len(many), MANY_AT_ONCE, _most_at_once(), PATIENCE_SECONDS)
        middling = Slots(0, LONG_AT_ONCE, LONG_AT_ONCE, self._seconds)
        narrow = Slots(0, AT_ONCE, AT_ONCE, self._seconds)
        async with asyncio.TaskGroup() as group:
            vital = {s.service.name: group.create_task(self._measure(s, wide)) for s in many}
            await wide.settled.wait()
            for step in more:
                after = vital.get(step.service.name)
                group.create_task(self._measure_if_up(step, middling, after))
            for step in few:
                group.create_task(self._measure(step, narrow))

    async def _measure_if_up(
        self, step: Step, slots: Slots, vital: "asyncio.Task[Failure | None] | None"
    ) -> None:
        """Measure a step, unless its service was found down; then that is its failure too."""
        outage = await asyncio.shield(vital) if vital else None
        if outage:
            self._record(step, _failed(step, 1, outage))
        else:
            await self._measure(step, slots)

    @property
    def grace(self) -> float:
        """Seconds it takes at most to put things in order once cancelled."""
        return TIDY_SECONDS if self._ledger.book.left else GRACE_SECONDS

    @property
    def residue(self) -> tuple[str, ...]:
        """What was created and could not be taken away again, without secrets."""
        mask = self._current_mask()
        return tuple(mask(f"{one.what} of {one.journey}") for one in self._ledger.book.left)

    def measurements(self, left: str) -> tuple[Measurement, ...]:
        """Return what was measured in the plan's order; `left` says why the rest was not.

        Secrets of the inventory, and those that probes learned, are masked in every text.
        """
        order = {(s.service.name, s.name): i for i, s in enumerate(self._plan.steps)}
        mask = self._current_mask()  # knows tokens learned after some were recorded
        done = [m if by is mask else _masked(m, mask) for by, m in self._done]
        known = {(m.service, m.probe) for m in done}
        missing = [
            _masked(_failed(step, 1, Failure(kind="deadline", detail=left)), mask)
            for step in self._plan.steps
            if (step.service.name, step.name) not in known
        ]
        done += missing
        return tuple(sorted(done, key=lambda m: (order[m.service, m.probe], m.attempt)))

    async def _measure(self, step: Step, slots: Slots) -> Failure | None:
        """Measure a step, once more if that meets the target's fault; return that fault."""
        names = shared(step.service, step.settings, self._plan.inventory)
        async with self._turns.of(names):
            return await self._measure_now(step, slots)

    async def _measure_now(self, step: Step, slots: Slots) -> Failure | None:
        async with slots.one(step.service):
            first = await self._attempt(step, 1)
        self._record(step, first)
        again = _is_vital(step) or not step.probe.EXCLUSIVE
        if not (again and first.failure and first.failure.blames_target):
            self._hung.discard(step.service.name)
            return None
        if first.failure.kind == "timeout" and step.service.name in self._hung:
            return first.failure
        left = self._deadline - asyncio.get_running_loop().time()
        if left > RETRY_PAUSE_SECONDS:
            await asyncio.sleep(RETRY_PAUSE_SECONDS)
            async with slots.one(step.service):
                second = await self._attempt(step, 2)
            hangs = second.failure is not None and second.failure.kind == "timeout"
            (self._hung.add if hangs else self._hung.discard)(step.service.name)
            if not second.failure or second.failure.blames_target:
                self._record(step, second)  # a retry that we failed to make takes nothing back
                return second.failure
        return first.failure

    def _record(self, step: Step, measurement: Measurement) -> None:
        mask = self._current_mask()
        masked = _masked(measurement, mask)
        self._done.append((mask, masked))
        self._progress(step, masked)

    def _current_mask(self) -> Mask:
        known = self._secrets | self._learned if self._learned else self._secrets
        if known != self._known:
            self._known, self._mask = known, _mask(known)
        return self._mask

    async def _attempt(self, step: Step, attempt: int) -> Measurement:
        loop = asyncio.get_running_loop()
        began, started_at = time.perf_counter(), datetime.now(UTC)
        longest = self._longest(step, loop.time())
        deadline = min(self._deadline, loop.time() + longest)
        if loop.time() >= deadline:
            failure = self._late(loop.time(), longest)
            return _measurement(step, attempt, started_at, began, {}, failure)
        # what bears company bounds each of its exchanges, and thousands of timers cost
        bound = None if _bears_company(step) else asyncio.timeout_at(deadline)
        try:
            async with bound or contextlib.nullcontext():
                context = self._context(step, deadline)
                values = await step.probe.measure(step.service, step.settings, context)
            return _measurement(step, attempt, started_at, began, values, None)
        except Exception as error:
            late = bound is not None and bound.expired()
            failure = self._late(loop.time(), longest) if late else classify(error)
        return _measurement(step, attempt, started_at, began, {}, failure)

    def _longest(self, step: Step, now: float) -> float:
        """Return what one attempt may take: what its settings say, or its patience if longer."""
        usual = step.settings.at_most_seconds
        if not step.probe.EXCLUSIVE:
            return usual
        return max(usual, _SHARES * (self._patience.until(now) - now))

    def _late(self, now: float, longest: float) -> Failure:
        seconds = self._seconds if now >= self._deadline else longest
        whose = "the run" if now >= self._deadline else "one probe"
        return Failure(kind="deadline", detail=f"the {seconds:g} s that {whose} may take were over")

    def _context(self, step: Step, deadline: float) -> Context:
        defaults, service = self._plan.inventory.defaults, step.service
        own = service if isinstance(service, Service) else None
        return Context(
            deadline=deadline,
            timeout=(own and own.timeout) or defaults.timeout,
            samples=(own and own.samples) or defaults.samples,
            limits=self._plan.limits(service, step.name),
            allowed=self._plan.allowed,
            run_id=self._run_id,
            tls=self._tls,
            resolve=self._resolve,
            budget=self._budget,
            trials=self._trials,
            conceal=self._learned.add,
            inventory=self._plan.inventory,
            ledger=self._ledger,
            folder=self._plan.folder,
            previous=dict(self._before.get((service.name, step.name), {})),
            looks=self._plan.looks,
            until=self._until(deadline) if step.probe.EXCLUSIVE else 0.0,
            environment=self._plan.environment,
        )

    def _until(self, deadline: float) -> float:
        """Return when a probe that is measured alone must leave the time to those after it."""
        soft = self._patience.until(asyncio.get_running_loop().time())
        return min(deadline - _FOR_ENDING_SECONDS, soft)


def _measurement(
    step: Step,
    attempt: int,
    started_at: datetime,
    began: float,
    values: Mapping[str, Any],
    failure: Failure | None,
) -> Measurement:
    return Measurement(
        probe=step.name,
        service=step.service.name,
        attempt=attempt,
        started_at=started_at,
        seconds=round(time.perf_counter() - began, 4),
        values=values,
        failure=failure,
    )


def _failed(step: Step, attempt: int, failure: Failure) -> Measurement:
    return _measurement(step, attempt, datetime.now(UTC), time.perf_counter(), {}, failure)


def _is_vital(step: Step) -> bool:
    """Whether it tells if its service is up."""
    return step.name == step.service.health_probe


def _opens(step: Step) -> bool:
    """Whether it tells, with nothing beside it, if its service is up: asked before what is deeper.

    What is down is then asked nothing more, and costs its time once.
    """
    return _is_vital(step) and step.probe.EXCLUSIVE


def _asks_nobody(step: Step) -> bool:
    """Whether it reads files only, so that what is down is no reason to leave it out."""
    return bool(getattr(step.probe, "ASKS_NOBODY", False))


def _bears_company(step: Step) -> bool:
    """Whether its times stay right among many others: the probe says so, the kernel tells them."""
    return STAMPED and bool(getattr(step.probe, "BEARS_COMPANY", False))


def _mask(secrets: Collection[str]) -> Mask:
    """Return what masks `secrets` in a text; the words of many services are much the same."""
    return functools.lru_cache(maxsize=_WORDS)(Masker(secrets).mask)


def _masked(measurement: Measurement, mask: Mask) -> Measurement:
    values = {
        name: mask(value) if isinstance(value, str) else value
        for name, value in measurement.values.items()
    }
    failure = measurement.failure
    if failure:
        failure = Failure(kind=failure.kind, detail=mask(failure.detail))
    if values == measurement.values and failure == measurement.failure:
        return measurement
    return measurement.model_copy(update={"values": values, "failure": failure})


def _most_at_once() -> int:
    """Return MOST_AT_ONCE, or fewer where the sockets would leave too few descriptors."""
    return max(AT_ONCE, min(MOST_AT_ONCE, most_connections() // _SOCKETS_EACH))
