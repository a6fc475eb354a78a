"""Findings on the services behind each capability -> how ready that capability is."""

from collections.abc import Collection, Sequence
from fractions import Fraction
from typing import Literal

from pydantic import BaseModel, ConfigDict

from readiness.assessment.blame import down
from readiness.assessment.journeys import JourneyRow
from readiness.assessment.model import Model
from readiness.finding import Finding
from readiness.gate import CAP_BLOCKED, capping
from readiness.inventory import Capability
from readiness.score import SEVERITY_WEIGHTS, partial, percent

Label = Literal["ready", "ready with fixes", "partial", "not ready", "not measured"]


class CapabilityRow(BaseModel):
    """A capability's score (0..100), its label, and the issues that keep it from 100."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    title: str
    score: int
    label: Label
    issues: tuple[str, ...]


def capabilities(model: Model, walked: Sequence[JourneyRow]) -> tuple[CapabilityRow, ...]:
    """Return one row for each capability of the inventory."""
    declared = model.evidence.inventory.capabilities
    return tuple(_row(name, capability, model, walked) for name, capability in declared.items())


def label(score: int) -> Label:
    """Return the label of a capability's score (0..100)."""
    steps: tuple[tuple[int, Label], ...] = (
        (90, "ready"),
        (70, "ready with fixes"),
        (50, "partial"),
    )
    return next((name for least, name in steps if score >= least), "not ready")


def _row(
    name: str, capability: Capability, model: Model, walked: Sequence[JourneyRow]
) -> CapabilityRow:
    mine = {*capability.services, *capability.journeys}
    findings = [f for f in model.findings if f.service in mine]
    out = down(model.evidence.inventory, findings)
    points = _points(capability, findings, model, walked)
    if any(not f.waived for f in capping(findings)):
        points = min(points, CAP_BLOCKED)
    return CapabilityRow(
        id=name,
        title=capability.title,
        score=points,
        label=label(points) if _tried(capability, walked) else "not measured",
        issues=_issues(findings, out),
    )


def _tried(capability: Capability, walked: Sequence[JourneyRow]) -> bool:
    """Whether any of its journeys was walked, if it has some: else nobody knows."""
    mine = [row for row in walked if row.name in capability.journeys]
    return not mine or any(row.steps_passed is not None for row in mine)


def _points(
    capability: Capability,
    findings: Sequence[Finding],
    model: Model,
    walked: Sequence[JourneyRow],
) -> int:
    """Return the score (0..100): that of its services, or the share of steps if that is less.

    Services in the best of health are worth no more than what users reach with them.
    """
    inventory, areas = model.evidence.inventory, model.criteria.areas
    reached = [row.steps_passed or 0.0 for row in walked if row.name in capability.journeys]
    ends = [percent(sum(map(Fraction, reached), Fraction(0)) / len(reached))] if reached else []
    if capability.services:
        parts = [f for f in findings if f.service in capability.services]
        ends.append(partial(parts, inventory, areas))
    return min(ends)


def _issues(findings: Sequence[Finding], out: Collection[str]) -> tuple[str, ...]:
    issues: dict[str, None] = {}

    def outage(f: Finding) -> bool:
        return f.failure is not None and f.outcome == "fail" and f.service in out

    def urgency(f: Finding) -> tuple[bool, bool, bool, Fraction]:
        return f.outcome != "fail", not f.blocker, not outage(f), -SEVERITY_WEIGHTS[f.severity]

    for f in sorted(findings, key=urgency):
        if outage(f):
            issues[f"{f.service} is down: {f.because}"] = None
        elif f.outcome in ("fail", "unknown") or f.undecided or f.flaky:
            issues[f"{f.title}, {f.service}: {f.because}"] = None
    return tuple(issues)
