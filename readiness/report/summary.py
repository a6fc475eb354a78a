"""Assessment -> summary.md: the first screen and the plan, short enough for a comment."""

import re
from urllib.parse import quote

from readiness.assessment import Assessment
from readiness.evidence import Evidence
from readiness.report import markdown
from readiness.report.page import Page

FILE = "summary.md"

LONGEST = 60_000
"""GitHub takes comments of up to 65,536 characters."""
_DRAFTS = ((40, 5), (20, 5), (10, 5), (5, 5), (1, 1))
"""Rows of a table that are shown, and things that are named first: fewer where texts are long.

Every text is cut to so many characters that the last cannot reach LONGEST.
"""

_MARKER = re.compile(r"<!-- readiness:[\w.~%/:-]{1,8000} -->")
_MOMENT = re.compile(r"<!-- measured (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) -->")


def render(assessment: Assessment) -> str:
    """Return at most LONGEST characters: two lines for `readiness comment`, then the verdict."""
    head, draft = f"{_marker(assessment.evidence)}\n{_moment(assessment.evidence)}\n", ""
    for rows, first in _DRAFTS:
        draft = head + markdown.page("summary.md.j2", Page(assessment, rows, first))
        if len(draft) <= LONGEST:
            break
    return draft


def marker(summary: str) -> str | None:
    """Return the first line of `summary`, by which the comment that holds it is found again.

    None if it is no marker, so that this is no summary.
    """
    first = summary.partition("\n")[0].rstrip()
    return first if _MARKER.fullmatch(first) else None


def measured(summary: str) -> str:
    """Return when the run of `summary` ended, as text that sorts by time; empty if unknown."""
    second = [*summary.split("\n", 2), ""][1].rstrip()
    found = _MOMENT.fullmatch(second)
    return found[1] if found else ""


def _marker(evidence: Evidence) -> str:
    """Return a comment that is the same for all runs of one inventory, and for no other's.

    The percent signs make it so, and keep out what would end it (`-->`).
    """
    parts = (evidence.inventory.system.name, evidence.environment, evidence.source.path)
    name = ":".join(quote(part[-200:], safe="").replace("--", "-%2D") for part in parts)
    return f"<!-- readiness:{name} -->"


def _moment(evidence: Evidence) -> str:
    return f"<!-- measured {evidence.finished_at:%Y-%m-%dT%H:%M:%S.%fZ} -->"
