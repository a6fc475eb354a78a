"""Assessment -> summary.md: the first screen and the plan, short enough for a comment."""

from readiness.assessment import Assessment
from readiness.report import markdown
from readiness.report.page import Page

FILE = "summary.md"

LONGEST = 60_000
"""GitHub takes comments of up to 65,536 characters."""
_ROWS = (40, 20, 10, 5, 1)
"""Rows of a table that are shown: fewer where the texts in them are long."""


def render(assessment: Assessment) -> str:
    """Return at most LONGEST characters, the verdict first."""
    drafts = (markdown.page("summary.md.j2", Page(assessment, most=rows)) for rows in _ROWS)
    return next(draft for draft in drafts if len(draft) <= LONGEST)
