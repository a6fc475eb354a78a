"""Inventory -> plan -> measurements: settings bound before any traffic, then safe, bounded runs."""

import asyncio
import functools
import ssl
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from readiness import probes
from readiness.document import ConfigurationError, Document, bind
from readiness.document.complaint import suggest
from readiness.failure import Failure, classify
from readiness.inventory import Inventory, Service, Tier
from readiness.mask import Masker
from readiness.measurement import Measurement
from readiness.probes import Context, Probe, ProbeSettings
from readiness.resolve import resolve

AT_ONCE = 8
"""Probes under way together; those that measure time under load run alone, after them."""
PROBE_SECONDS = 60.0
"""The longest that one attempt of one probe may take."""
RETRY_PAUSE_SECONDS = 0.5

Limits = Callable[[Service, str], Mapping[str, tuple[float, float]]]
"""(service, probe name) -> metric -> (target, limit)"""


@dataclass(frozen=True)
class Step:
    """One probe to point at one service, or the reason why it must not be."""

    service: Service
    name: str
    probe: Probe
    settings: ProbeSettings
    withheld: Failure | None


@dataclass(frozen=True)
class Plan:
    """Every step of a run, in the inventory's order."""

    inventory: Inventory
    steps: tuple[Step, ...]
    allowed: frozenset[Tier]
    limits: Limits


Progress = Callable[[Step, Measurement], None]
"""Called after each attempt."""


def plan(
    inventory: Inventory,
    document: Document,
    allowed: frozenset[Tier],
    only: Collection[str] = (),
    limits: Limits = lambda _service, _probe: {},
) -> Plan:
    """Bind the settings of every expected probe; ConfigurationError names the line at fault."""
    unknown = sorted(set(only) - {s.name for s in inventory.services})
    if unknown:
        raise ConfigurationError(
            f"--only names the unknown service '{unknown[0]}'.",
            fix=suggest(unknown[0], [s.name for s in inventory.services]),
        )
    steps = tuple(
        _step(service, name, document, allowed, only)
        for service in inventory.services
        for name in service.expected_probes
    )
    return Plan(inventory, steps, allowed, limits)


def _step(
    service: Service,
    name: str,
    document: Document,
    allowed: frozenset[Tier],
    only: Collection[str],
) -> Step:
    place = ("services", service.name, "probes", name)
    where: dict[str, Any] = {"file": document.name, "line": document.line(place)}
    if name not in probes.names():
        raise ConfigurationError(
            f"service '{service.name}' names the unknown probe '{name}'.",
            **where,
            fix=suggest(name, probes.names()),
        )
    probe = probes.load(name)
    if service.kind not in probe.KINDS:
        raise ConfigurationError(
            f"probe '{name}' cannot be pointed at '{service.name}' of kind {service.kind}.",
            **where,
            fix=f"It takes services of kind {', '.join(sorted(probe.KINDS))}.",
        )
    written = service.probes.get(name, {})
    off = written is False
    settings = bind(probe.Settings, {} if off or written is None else written, document, place)
    return Step(service, name, probe, settings, _withheld(service, probe, off, allowed, only))


def _withheld(
    service: Service, probe: Probe, off: bool, allowed: frozenset[Tier], only: Collection[str]
) -> Failure | None:
    if only and service.name not in only:
        return Failure(kind="not_allowed", detail="left out by --only")
    if off:
        return Failure(kind="not_allowed", detail="switched off in the inventory")
    if probe.TIER not in allowed:
        return Failure(
            kind="not_allowed", detail=f"needs the {probe.TIER} tier, which this run is not allowed"
        )
    return None


class Collector:
    """One run of a plan: what it has measured so far, and how long it still may."""

    def __init__(self, plan: Plan, run_id: str, seconds: float, progress: Progress) -> None:
        self._plan, self._run_id, self._seconds, self._progress = plan, run_id, seconds, progress
        self._done: list[Measurement] = []
        self._learned: set[str] = set()
        self._secrets = plan.inventory.secrets()
        self._known, self._masker = self._secrets, Masker(self._secrets)
        self._tls = functools.cache(ssl.create_default_context)
        self._deadline = 0.0

    async def run(self) -> None:
        """Measure every step; after the deadline or a cancellation, what is left stays undone."""
        self._deadline = asyncio.get_running_loop().time() + self._seconds
        for step in self._plan.steps:
            if step.withheld:
                self._record(step, _failed(step, 1, step.withheld))
        open_ = [s for s in self._plan.steps if not s.withheld]
        slots = asyncio.Semaphore(AT_ONCE)

        async def shared(step: Step) -> None:
            async with slots:
                await self._measure(step)

        async with asyncio.TaskGroup() as group:
            for step in open_:
                if not step.probe.EXCLUSIVE:
                    group.create_task(shared(step))
        for step in open_:
            if step.probe.EXCLUSIVE:
                await self._measure(step)

    def measurements(self, left: str) -> tuple[Measurement, ...]:
        """Return what was measured in the plan's order; `left` says why the rest was not.

        Secrets of the inventory, and those that probes learned, are masked in every text.
        """
        order = {(s.service.name, s.name): i for i, s in enumerate(self._plan.steps)}
        known = {(m.service, m.probe) for m in self._done}
        missing = [
            _failed(step, 1, Failure(kind="deadline", detail=left))
            for step in self._plan.steps
            if (step.service.name, step.name) not in known
        ]
        found = sorted(
            [*self._done, *missing], key=lambda m: (order[m.service, m.probe], m.attempt)
        )
        masker = self._current_masker()  # knows tokens learned after some were recorded
        return tuple(_masked(m, masker) for m in found)

    async def _measure(self, step: Step) -> None:
        first = await self._attempt(step, 1)
        self._record(step, first)
        vital = step.name == step.service.health_probe
        again = vital or not step.probe.EXCLUSIVE
        if not (again and first.failure and first.failure.blames_target):
            return
        left = self._deadline - asyncio.get_running_loop().time()
        if left > RETRY_PAUSE_SECONDS:
            await asyncio.sleep(RETRY_PAUSE_SECONDS)
            second = await self._attempt(step, 2)
            if not second.failure or second.failure.blames_target:
                self._record(step, second)  # a retry that we failed to make takes nothing back

    def _record(self, step: Step, measurement: Measurement) -> None:
        masked = _masked(measurement, self._current_masker())
        self._done.append(masked)
        self._progress(step, masked)

    def _current_masker(self) -> Masker:
        known = self._secrets | self._learned
        if known != self._known:
            self._known, self._masker = known, Masker(known)
        return self._masker

    async def _attempt(self, step: Step, attempt: int) -> Measurement:
        loop = asyncio.get_running_loop()
        began, started_at = time.perf_counter(), datetime.now(UTC)
        deadline = min(self._deadline, loop.time() + PROBE_SECONDS)
        if loop.time() >= deadline:
            return _measurement(step, attempt, started_at, began, {}, self._late(loop.time()))
        bound = asyncio.timeout_at(deadline)
        try:
            async with bound:
                context = self._context(step, deadline)
                values = await step.probe.measure(step.service, step.settings, context)
            return _measurement(step, attempt, started_at, began, values, None)
        except Exception as error:
            failure = self._late(loop.time()) if bound.expired() else classify(error)
        return _measurement(step, attempt, started_at, began, {}, failure)

    def _late(self, now: float) -> Failure:
        seconds = self._seconds if now >= self._deadline else PROBE_SECONDS
        whose = "the run" if now >= self._deadline else "one probe"
        return Failure(kind="deadline", detail=f"the {seconds:g} s that {whose} may take were over")

    def _context(self, step: Step, deadline: float) -> Context:
        defaults, service = self._plan.inventory.defaults, step.service
        return Context(
            deadline=deadline,
            timeout=service.timeout or defaults.timeout,
            samples=service.samples or defaults.samples,
            limits=self._plan.limits(service, step.name),
            allowed=self._plan.allowed,
            run_id=self._run_id,
            tls=self._tls,
            resolve=resolve,
            conceal=self._learned.add,
        )


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


def _masked(measurement: Measurement, masker: Masker) -> Measurement:
    values = {
        name: masker.mask(value) if isinstance(value, str) else value
        for name, value in measurement.values.items()
    }
    failure = measurement.failure
    if failure:
        failure = Failure(kind=failure.kind, detail=masker.mask(failure.detail))
    return measurement.model_copy(update={"values": values, "failure": failure})
