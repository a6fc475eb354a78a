"""Assessment -> workflow commands, which GitHub Actions shows as annotations of the run."""

import re
from collections.abc import Mapping

from readiness.assessment import Assessment
from readiness.escape import ci_log
from readiness.report.problems import Level, Problem, problems

MOST = 10
"""Annotations of one level that GitHub shows of a step."""

_COMMANDS: Mapping[Level, str] = {"error": "error", "warning": "warning", "note": "notice"}


def render(assessment: Assessment) -> str:
    """Return one command a line, at most MOST of each level, the severest; empty if all is well."""
    found = problems(assessment)
    return "".join(
        _command(problem)
        for level in _COMMANDS
        for problem in [p for p in found if p.level == level][:MOST]
    )


def _command(problem: Problem) -> str:
    title = f"{problem.finding.title} ({problem.finding.service})"
    path, line = problem.place
    properties = f"file={_property(path)},line={line},title={_property(title)}"
    return f"::{_COMMANDS[problem.level]} {properties}::{_data(problem.text)}\n"


def _data(text: str) -> str:
    """Escape a message (`escapeData` of GitHub's actions/toolkit)."""
    return _encoded(ci_log(text, 1000), r"[%\r\n]")


def _property(text: str) -> str:
    """Escape the value of a property (`escapeProperty` of GitHub's actions/toolkit)."""
    return _encoded(ci_log(text), r"[%\r\n:,]")


def _encoded(text: str, characters: str) -> str:
    return re.sub(characters, lambda found: f"%{ord(found[0]):02X}", text)
