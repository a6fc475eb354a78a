"""Assessment -> summary.md: the first screen and the plan, short enough for a comment."""

import re
from urllib.parse import quote

from readiness.assessment import Assessment
from readiness.report import markdown
from readiness.report.page import Page

FILE = "summary.md"

LONGEST = 60_000
"""GitHub takes comments of up to 65,536 characters."""
_DRAFTS = ((40, 5), (20, 5), (10, 5), (5, 5), (1, 5), (1, 1))
"""Rows of a table that are shown, and things that are named first: fewer where texts are long."""
_REST = "\n\n_Cut: the full report has the rest._\n"

_MARKER = re.compile(r"<!-- readiness:[\w.~%/:-]{1,8000} -->")
_MOMENT = re.compile(r"<!-- measured (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) -->")


def render(assessment: Assessment) -> str:
    """Return at most LONGEST characters: two lines for `readiness comment`, then the verdict."""
    head = f"{_marker(assessment)}\n{_moment(assessment)}\n"
    draft = ""
    for rows, first in _DRAFTS:
        draft = head + markdown.page("summary.md.j2", Page(assessment, rows, first))
        if len(draft) <= LONGEST:
            return draft
    return draft[: draft.rindex("\n", 0, LONGEST - len(_REST))] + _REST


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


def _marker(assessment: Assessment) -> str:
    """Return a comment that is the same for all runs of one inventory, and for no other's.

    The percent signs make it so, and keep out what would end it (`-->`).
    """
    evidence = assessment.evidence
    parts = (evidence.inventory.system.name, evidence.environment, evidence.source.path)
    name = ":".join(quote(part[-200:], safe="").replace("--", "-%2D") for part in parts)
    return f"<!-- readiness:{name} -->"


def _moment(assessment: Assessment) -> str:
    return f"<!-- measured {assessment.evidence.finished_at:%Y-%m-%dT%H:%M:%S.%fZ} -->"
