"""Assessment -> what code hosts show of it: each finding that is not good, with its level."""

import hashlib
from collections.abc import Mapping
from typing import Literal, NamedTuple

from readiness.assessment import Assessment
from readiness.checks import Severity
from readiness.escape import line
from readiness.finding import Finding, Outcome

Level = Literal["error", "warning", "note"]

INVENTORY = "services.yaml"
"""The file that code hosts show a problem at: it is where the service stands."""

SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")
"""The severest first."""

_LEVELS: Mapping[Outcome, Level] = {"fail": "error", "warn": "warning", "unknown": "note"}


class Problem(NamedTuple):
    """A finding that fails, warns or is unknown; what a waiver excuses is no more than a note."""

    finding: Finding
    level: Level

    @property
    def text(self) -> str:
        """What is wrong with which service, and what to do about it, in one printable line."""
        f = self.finding
        waived = f"waived by {f.waiver.owner} until {f.waiver.until}: " if f.waiver else ""
        because = line(f.because).rstrip(".")
        return line(f"{f.service}: {waived}{because}. {f.fix.text}", 1000)

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits that stay the same from run to run."""
        return hashlib.sha256(f"{self.finding.check}\n{self.finding.service}".encode()).hexdigest()


def problems(assessment: Assessment) -> tuple[Problem, ...]:
    """Return every problem, errors before warnings before notes, then the severest first.

    Of all that one unreachable service fails, only the telling one is a problem.
    """
    outages = [w.findings[1:] for w in assessment.work if w.head.failure]
    folded = {(f.check, f.service) for findings in outages for f in findings}
    found = [
        Problem(f, "note" if f.waived else _LEVELS[f.outcome])
        for f in assessment.model.findings
        if f.outcome in _LEVELS and (f.check, f.service) not in folded
    ]
    return tuple(sorted(found, key=_rank))


def _rank(problem: Problem) -> tuple[int, bool, int]:
    f = problem.finding
    level = ("error", "warning", "note").index(problem.level)
    return level, not f.blocker, SEVERITIES.index(f.severity)
