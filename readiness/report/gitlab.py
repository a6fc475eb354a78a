"""Assessment -> gl-code-quality.json, GitLab's Code Quality report: what fails or warns."""

import json
from collections.abc import Mapping
from typing import Any

from readiness.assessment import Assessment
from readiness.report.problems import SEVERITIES, Problem, problems

FILE = "gl-code-quality.json"

_SEVERITIES = ("critical", "major", "minor", "info")


def render(assessment: Assessment) -> str:
    """Return a JSON array; what is unknown is left out, for no code quality is known by it."""
    found = [_issue(p) for p in problems(assessment) if p.finding.outcome != "unknown"]
    return json.dumps(found, indent=1) + "\n"


def _issue(problem: Problem) -> Mapping[str, Any]:
    return {
        "description": f"{problem.finding.title}: {problem.text}",
        "check_name": problem.finding.check,
        "fingerprint": problem.fingerprint,
        "severity": _severity(problem),
        "location": {"path": problem.place.path, "lines": {"begin": problem.place.line}},
    }


def _severity(problem: Problem) -> str:
    """Return GitLab's word: a step less severe for a warning, `info` for what is waived."""
    if problem.level == "note":
        return "info"
    if problem.level == "error" and problem.finding.blocker:
        return "blocker"
    step = SEVERITIES.index(problem.finding.severity) + (problem.level == "warning")
    return _SEVERITIES[min(step, len(_SEVERITIES) - 1)]
