"""Assessment -> findings.csv, one row for each finding."""

import csv
import io

from readiness.assessment import Assessment
from readiness.escape import spreadsheet
from readiness.estimate import Estimate
from readiness.finding import Finding

FILE = "findings.csv"

COLUMNS = (
    *("check", "service", "area", "severity", "blocker", "outcome", "undecided", "flaky"),
    *("score", "value", "low", "high", "n", "unit", "target", "limit", "because"),
    *("fix", "effort_hours", "projected_score", "waived_by"),
)


def render(assessment: Assessment) -> str:
    """Return RFC 4180 text with a header; numbers are plain, what is absent is empty."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for finding in assessment.model.findings:
        projected = assessment.projections.get((finding.check, finding.service))
        writer.writerow([_cell(value) for value in (*_values(finding, projected),)])
    return out.getvalue()


def _values(f: Finding, projected: int | None) -> tuple[object, ...]:
    e = f.measured if isinstance(f.measured, Estimate) else None
    return (
        *(f.check, f.service, f.area, f.severity, f.blocker, f.outcome, f.undecided, f.flaky),
        *(f.score, e.value if e else f.measured, e and e.low, e and e.high, e and e.n),
        *(f.unit, f.target, f.limit, f.because, f.fix.text, f.fix.effort_hours, projected),
        f.waiver and f.waiver.owner,
    )


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    return spreadsheet(value) if isinstance(value, str) else value
