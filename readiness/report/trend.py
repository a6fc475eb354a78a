"""Earlier runs and this one -> the points of the trend."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from readiness.assessment import Assessment
from readiness.gate import Verdict
from readiness.report.words import SIGNS, Sign


@dataclass(frozen=True)
class Point:
    """One run."""

    at: datetime
    value: int
    verdict: Verdict

    @property
    def sign(self) -> Sign:
        """The sign of its verdict."""
        return SIGNS[self.verdict]


def trend(a: Assessment, most: int) -> tuple[Point, ...]:
    """Return the last `most` runs, this one at the end; empty if the history had none before."""
    past = a.evidence.trend
    if not past:
        return ()
    decision = a.model.decision
    now = Point(a.evidence.started_at, decision.value, decision.verdict)
    return (*(Point(p.started_at, p.value, p.verdict) for p in past), now)[-most:]


def days(points: Sequence[Point]) -> tuple[str, ...]:
    """Return the day of each point, numbered from the second of a day on: no two are alike."""
    seen: dict[str, int] = {}
    names = []
    for point in points:
        day = f"{point.at:%m-%d}"
        seen[day] = seen.get(day, 0) + 1
        names.append(day if seen[day] == 1 else f"{day} ({seen[day]})")
    return tuple(names)
