"""Assessment -> what code hosts show of it: each finding that is not good, with its level."""

import hashlib
import posixpath
import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

from readiness.assessment import Assessment
from readiness.checks import Severity
from readiness.escape import line
from readiness.evidence import Source
from readiness.finding import Finding, Outcome

Level = Literal["error", "warning", "note"]

SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")
"""The severest first."""

_LEVELS: Mapping[Outcome, Level] = {"fail": "error", "warn": "warning", "unknown": "note"}


_DESCRIBING = ("compose_file", "kubernetes_manifests")
"""Probes that begin a reason with the place they read it at, from the inventory's folder."""
_PLACE = re.compile(r"(?:not tested: )?(?P<file>[^\s:]+):(?P<line>[1-9]\d{0,8}) ")


class Place(NamedTuple):
    """A line of a file, whose path begins at the top of the repository."""

    path: str
    line: int


class Problem(NamedTuple):
    """A finding that fails, warns, is unknown or has regressed; a waived one is but a note."""

    finding: Finding
    level: Level
    place: Place
    """Where it can be mended: the service in the inventory, or the file that describes it."""
    regressed: str = ""
    """How far it is from the baseline, where it has regressed."""

    @property
    def text(self) -> str:
        """What is wrong with which service, and what to do about it, in one printable line."""
        f = self.finding
        waived = f"waived by {f.waiver.owner} until {f.waiver.until}: " if f.waiver else ""
        because = line(f.because).rstrip(".")
        because += f"; regressed: {self.regressed}" if self.regressed else ""
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
    checks, source = assessment.model.criteria.checks, assessment.evidence.source
    comparison = assessment.model.comparison
    worse = {change.key: change.because for change in comparison.regressed} if comparison else {}
    found = [
        Problem(
            f,
            "note" if f.waived else _LEVELS.get(f.outcome, "warning"),
            _place(f, checks[f.check].probe, source),
            worse.get((f.check, f.service), ""),
        )
        for f in assessment.model.findings
        if (f.outcome in _LEVELS and (f.check, f.service) not in folded)
        or (f.check, f.service) in worse
    ]
    return tuple(sorted(found, key=_rank))


def _place(finding: Finding, probe: str, source: Source) -> Place:
    told = _PLACE.match(finding.because) if probe in _DESCRIBING else None
    if told:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source.path), told["file"]))
        if not path.startswith(("../", "/")):
            return Place(line(path), int(told["line"]))
    return Place(line(source.path), source.lines.get(finding.service, 1))


def _rank(problem: Problem) -> tuple[int, bool, int]:
    f = problem.finding
    level = ("error", "warning", "note").index(problem.level)
    return level, not f.blocker, SEVERITIES.index(f.severity)
