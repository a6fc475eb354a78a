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


def moments(points: Sequence[Point]) -> tuple[str, ...]:
    """Return when each point was, so that no two are alike: days, and times of a day met before."""
    names: list[str] = []
    for point in points:
        ways = (f"{point.at:{form}}" for form in ("%m-%d", "%H:%M", "%H:%M:%S", "%m-%d %H:%M:%S"))
        names.append(next((name for name in ways if name not in names), str(len(names) + 1)))
    return tuple(names)
