"""What Cobertura and LCOV reports say of the code: the share of lines and branches tests ran."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from readiness.inventory import Artifact, Tier
from readiness.measurement import Values
from readiness.probes import Context, _cobertura, _lcov
from readiness.probes._line_hits import LineHits
from readiness.probes._provenance import METRICS as ORIGIN_METRICS
from readiness.probes._provenance import AgedSettings, Origin, aged, withheld
from readiness.probes._report_files import Check, Report, UnreadableReport, aside, find

TIER: Tier = "observe"
KINDS = frozenset({"coverage"})
EXCLUSIVE = False
_COUNTED: Mapping[str, str] = {
    "line_rate": "ratio 0..1: lines_covered of lines_valid, over all reports",
    "branch_rate": "ratio 0..1: branches_covered of branches_valid",
    "lines_valid": "count: lines that could be run",
    "lines_covered": "count: lines that a test ran",
    "branches_valid": "count: branches that could be taken",
    "branches_covered": "count: branches that a test took",
    "sources": "count: source files that the reports tell of",
}
METRICS: Mapping[str, str] = {
    **_COUNTED,
    "format": "Cobertura, LCOV or both",
    **ORIGIN_METRICS,
}
_HEAD = 4096
_MOST_NAMED = 3


class Settings(AgedSettings):
    """How old the reports may be; the target is set by `checks: {coverage-lines: ...}`."""


async def measure(artifact: Artifact, settings: Settings, context: Context) -> Values:
    """Read every file and add up its lines; a line that one report ran counts as run."""
    return await aside(lambda check: _measured(artifact, settings, context.folder, check), context)


def _measured(artifact: Artifact, settings: Settings, folder: Path, check: Check) -> Values:
    reports, missing = find(folder, artifact.files, check)
    gaps, origins, formats, hits = list(missing), list[Origin](), set[str](), LineHits(folder)
    for report in reports:
        try:
            kind = _format(report)
            reader = _lcov if kind == "LCOV" else _cobertura
            origins.append(reader.read_into(hits, report, check))
            formats.add(kind)
        except UnreadableReport as error:
            gaps.append(str(error))
    values, late = aged(origins, settings, datetime.now(UTC))
    gaps += late
    if formats:
        values["format"] = " and ".join(sorted(formats))
    return values | (withheld(_COUNTED, gaps) if gaps else _counted(hits))


def _format(report: Report) -> str:
    """Tell the format by the file's first characters; UnreadableReport if it is neither."""
    try:
        with report.path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise UnreadableReport(f"{report.name} cannot be read: {error.strerror}") from error
    if _lcov.is_lcov(head.decode("utf-8-sig", "replace")):
        return "LCOV"
    if head.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").startswith(b"<"):
        return "Cobertura"
    raise UnreadableReport(f"{report.name} is {'neither Cobertura nor LCOV' if head else 'empty'}")


def _counted(hits: LineHits) -> Values:
    covered, valid = hits.lines()
    values: Values = {"lines_valid": valid, "lines_covered": covered, "sources": hits.files}
    if valid:
        values["line_rate"] = covered / valid
        lowest = ", ".join(islice(hits.lowest(), _MOST_NAMED))
        values["line_rate_because"] = f"{covered} of {valid} lines" + (
            f"; lowest: {lowest} lines" if lowest else ""
        )
    else:
        values |= withheld(("line_rate",), ["the reports name no line that could be run"])
    taken, branches = hits.branches()
    if not branches:
        told = withheld(("branch_rate",), ["the reports tell of no branches"])
        return values | told | withheld(("branches_valid", "branches_covered"), ["none told"])
    values |= {"branches_valid": branches, "branches_covered": taken}
    return values | {"branch_rate": taken / branches}
