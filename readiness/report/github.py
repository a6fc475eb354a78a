"""Assessment -> workflow commands, which GitHub Actions shows as annotations of the run."""

import re
from collections.abc import Mapping

from readiness.assessment import Assessment
from readiness.escape import ci_log
from readiness.report.page import Page
from readiness.report.problems import Level, Problem, problems
from readiness.report.words import joined

MOST = 10
"""Annotations of one level that GitHub shows of a step."""

_COMMANDS: Mapping[Level, str] = {"error": "error", "warning": "warning", "note": "notice"}


def render(assessment: Assessment) -> str:
    """Return one command a line, at most MOST of each level, the severest; empty if all is well.

    What the gate would block, where the stage keeps it from blocking, comes first.
    """
    page, found = Page(assessment), problems(assessment)
    stage = page.model.evidence.policy.stage
    first: Level = "warning" if stage == "warn" else "note"
    lines = {level: [_command(p) for p in found if p.level == level] for level in _COMMANDS}
    if page.blocking:
        lines[first].insert(0, _staged(page, first))
        lines = {first: lines[first], **lines}
    return "".join(line for level in lines for line in lines[level][:MOST])


def _staged(page: Page, level: Level) -> str:
    title = f"Nothing is blocked (stage {page.model.evidence.policy.stage})"
    text = f"The gate would exit with 1: {joined(page.blocking, MOST)}."
    return f"::{_COMMANDS[level]} title={_property(title)}::{_data(text)}\n"


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
