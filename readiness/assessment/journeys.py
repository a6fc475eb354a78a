"""Measurements of journeys -> what became of each, step by step."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from readiness.estimate import Estimate
from readiness.finding import Finding, Outcome
from readiness.inventory import Inventory, Journey
from readiness.measurement import Measurement, Value, number

StepOutcome = Literal["passed", "failed", "unknown", "not reached"]
_OUTCOMES: Mapping[str, StepOutcome] = {
    "passed": "passed",
    "failed": "failed",
    "unknown": "unknown",
    "not reached": "not reached",
}

SUCCESS = "journey-succeeds"
"""The check that says whether users get through."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StepRow(_Frozen):
    """One step: what was asked, what was expected, what came, in milliseconds."""

    name: str
    service: str
    request: str
    outcome: StepOutcome
    expected: str
    answered: str
    because: str
    ms: float | None


class JourneyRow(_Frozen):
    """One journey; `steps_passed` (0..1) is the mean over its rounds, null if never walked."""

    name: str
    title: str
    outcome: Outcome
    because: str
    rounds: int
    success_rate: Estimate | None
    steps_passed: float | None
    ms: float | None
    left: str
    stays: str
    steps: tuple[StepRow, ...]

    @property
    def passed(self) -> int:
        """The number of rounds that passed every step."""
        e = self.success_rate
        return round(e.value * e.n) if e and e.value is not None else 0


def journeys(
    inventory: Inventory, measurements: Sequence[Measurement], findings: Sequence[Finding]
) -> tuple[JourneyRow, ...]:
    """Return one row for each journey, in the inventory's order."""
    last = {m.service: m.values for m in measurements if m.probe == "journey"}
    verdicts = {f.service: f for f in findings if f.check == SUCCESS}
    return tuple(
        _row(journey, last.get(journey.name, {}), verdicts.get(journey.name))
        for journey in inventory.journeys
    )


def _row(journey: Journey, values: Mapping[str, Value], verdict: Finding | None) -> JourneyRow:
    return JourneyRow(
        name=journey.name,
        title=journey.title,
        outcome=verdict.outcome if verdict else "unknown",
        because=verdict.because if verdict else "no check judges it",
        rounds=int(number(values.get("rounds")) or 0),
        success_rate=_rate(values.get("success_rate")),
        steps_passed=_share(number(values.get("steps_passed"))),
        ms=number(values.get("round_ms")),
        left=str(values.get("left_nothing_because", "")),
        stays=str(values.get("stays_because", "")),
        steps=_steps(journey, values),
    )


def _rate(value: Value | None) -> Estimate | None:
    """Return a success rate that can be: all of it within 0..1."""
    if not isinstance(value, Estimate):
        return None
    ends = (value.value, value.low, value.high)
    return value if all(_share(end) is not None for end in ends) else None


def _share(value: float | None) -> float | None:
    """Return a share that can be: one of 0..1."""
    return value if value is not None and 0 <= value <= 1 else None


def _steps(journey: Journey, values: Mapping[str, Value]) -> tuple[StepRow, ...]:
    """Return the steps that were told of; of a journey never walked, each as not reached."""
    told = {int(m[1]) for key in values if (m := re.match(r"steps\.([1-9]\d{0,2})\.", key))}
    if not told:
        return tuple(
            StepRow(
                name=step.name,
                service=step.service or journey.service or "",
                request=step.shown,
                outcome="not reached",
                expected="",
                answered="",
                because="",
                ms=None,
            )
            for step in journey.steps
        )
    return tuple(_step(n, values) for n in sorted(told))


def _step(n: int, values: Mapping[str, Value]) -> StepRow:
    def text(key: str) -> str:
        return str(values.get(f"steps.{n}.{key}", ""))

    return StepRow(
        name=text("name"),
        service=text("service"),
        request=text("request"),
        outcome=_OUTCOMES.get(text("outcome"), "unknown"),
        expected=text("expected"),
        answered=text("answered"),
        because=text("outcome_because"),
        ms=number(values.get(f"steps.{n}.ms")),
    )
