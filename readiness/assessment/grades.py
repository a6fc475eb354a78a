"""Model -> the letters of performance: response time, throughput and errors."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from readiness.assessment.model import Model
from readiness.finding import Finding
from readiness.score import Grade, grade, partial

ERROR_CHECK = "success-rate"
"""The check on errors at light load; it counts for availability."""


class GradeRow(BaseModel):
    """A group's score (0..100) and letter; both null where no check applies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    score: int | None
    letter: Grade | None
    because: str


def grades(model: Model) -> tuple[GradeRow, ...]:
    """Grade response time and throughput by their areas, errors by their own checks."""
    scores = {area.id: area.score for area in model.card.areas}
    errors = [f for f in model.findings if f.check == ERROR_CHECK]
    score = partial(errors, model.evidence.inventory, model.criteria.areas) if errors else None
    return (
        _row("Response time", scores.get("performance"), _of(model, "performance")),
        _row("Throughput", scores.get("capacity"), _of(model, "capacity")),
        _row("Errors at light load", score, errors),
    )


def _of(model: Model, area: str) -> list[Finding]:
    return [f for f in model.findings if f.area == area and f.outcome != "not_applicable"]


def _row(title: str, score: int | None, findings: Sequence[Finding]) -> GradeRow:
    passed = sum(f.outcome == "pass" for f in findings)
    return GradeRow(
        title=title,
        score=score,
        letter=None if score is None else grade(score),
        because=f"{passed} of {len(findings)} checks pass" if findings else "no check applies",
    )
