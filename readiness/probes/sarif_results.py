"""What scanners found, by their SARIF reports: errors, warnings, critical and high severities."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from readiness.inventory import Artifact, Tier
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes._few import few
from readiness.probes._provenance import (
    COMMIT_METRICS,
    CommitSettings,
    Origin,
    aged,
    commit_of,
    moment,
    of_commit,
    withheld,
)
from readiness.probes._provenance import METRICS as ORIGIN_METRICS
from readiness.probes._report_files import Check, Report, UnreadableReport, aside, find
from readiness.probes._sarif_run import LEVELS, Result, ScannerRun, rows, table

TIER: Tier = "observe"
KINDS = frozenset({"sarif"})
EXCLUSIVE = False
_CRITICAL, _HIGH = 9.0, 7.0
_COUNTED: Mapping[str, str] = {
    "results": "count: results that are neither passed, suppressed nor gone",
    "critical": "count: results with a security-severity of 9.0 or more",
    "high": "count: results with a security-severity of 7.0 to 8.9",
    "errors": "count: results of level error, or of any by a scanner for secrets",
    "warnings": "count: results of level warning",
    "notes": "count: results of level note",
    "reviews": "count: results that a person has to look at (kind review or open)",
    "critical_free": "true or false: no result is critical",
    "high_free": "true or false: no result is high",
    "errors_free": "true or false: no error is left that is neither critical nor high",
}
METRICS: Mapping[str, str] = {
    **_COUNTED,
    "runs": "count: runs of scanners that the files tell of",
    "tool": "names and versions of the scanners",
    **ORIGIN_METRICS,
    **COMMIT_METRICS,
}
_LARGEST = 64 << 20


class Settings(CommitSettings):
    """How old the results may be, of which commit, and what counts as an error."""

    error_from: Literal["note", "warning", "error"] = Field(
        "error", description="lowest level that counts as an error"
    )


async def measure(artifact: Artifact, settings: Settings, context: Context) -> Values:
    """Read every file; counts are told only if all are whole, recent and of the commit."""
    return await aside(lambda check: _measured(artifact, settings, context.folder, check), context)


def _measured(artifact: Artifact, settings: Settings, folder: Path, check: Check) -> Values:
    reports, missing = find(folder, artifact.files, check)
    gaps, origins, runs = list(missing), list[Origin](), list[ScannerRun]()
    for report in reports:
        check()
        try:
            written = _runs(report)
            origins.append(_origin(report, written))
            runs += (ScannerRun(run, folder.absolute().as_posix()) for run in written)
        except UnreadableReport as error:
            gaps.append(str(error))
    age, late = aged(origins, settings, datetime.now(UTC))
    commit, others = of_commit(origins, settings.commit, gaps)
    values = {"runs": len(runs), **age, **commit}
    if runs:
        values["tool"] = few((run.tool for run in runs), between=", ")
    gaps += [*late, *others, *(run.fault for run in runs if run.fault)]
    found = _counted(runs, settings)
    if not gaps:
        return values | found
    bad = [str(found[f"{m}_because"]) for m in _COUNTED if found.get(m) is False]
    return values | withheld(_COUNTED, gaps, "" if late or others else "; ".join(bad))


def _runs(report: Report) -> list[Mapping[str, Any]]:
    """Return the runs of a SARIF file, at least one; UnreadableReport says what else it is."""
    text = _text(report)
    try:
        log = json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableReport(
            f"{report.name} is no whole JSON file (line {error.lineno})"
        ) from error
    except RecursionError as error:
        raise UnreadableReport(f"{report.name} nests too deep") from error
    except ValueError as error:
        raise UnreadableReport(f"{report.name} is no JSON file that can be read") from error
    if not isinstance(log, dict) or not isinstance(log.get("runs"), list):
        raise UnreadableReport(f"{report.name} is no SARIF report: it has no runs")
    if log.get("version") != "2.1.0":
        raise UnreadableReport(f"{report.name} is no SARIF report of version 2.1.0")
    runs: list[Mapping[str, Any]] = [run for run in log["runs"] if isinstance(run, dict)]
    if not runs or len(runs) < len(log["runs"]):
        raise UnreadableReport(f"{report.name} tells of no run of a scanner")
    return runs


def _text(report: Report) -> bytes:
    try:
        with report.path.open("rb") as file:
            text = file.read(_LARGEST + 1)
    except OSError as error:
        raise UnreadableReport(f"{report.name} cannot be read: {error.strerror}") from error
    if not text:
        raise UnreadableReport(f"{report.name} is empty")
    if len(text) > _LARGEST:
        raise UnreadableReport(f"{report.name} is larger than {_LARGEST >> 20} MiB")
    return text


def _origin(report: Report, runs: list[Mapping[str, Any]]) -> Origin:
    times, commits = [], set()
    for run in runs:
        for invocation in map(table, rows(run.get("invocations"))):
            told = invocation.get("endTimeUtc") or invocation.get("startTimeUtc")
            times.append(moment(told) if isinstance(told, str) else None)
        for source in map(table, rows(run.get("versionControlProvenance"))):
            commits.add(commit_of(str(source.get("revisionId") or "")[:80]))
    newest = max((time for time in times if time), default=None)
    return Origin(report, newest, frozenset(hash_ for hash_ in commits if hash_))


def _counted(runs: list[ScannerRun], settings: Settings) -> Values:
    graded: dict[str, list[str]] = {name: [] for name in ("critical", "high", "errors")}
    counts: dict[str, int] = dict.fromkeys((*LEVELS, "results", "reviews", "errors"), 0)
    for run in runs:
        lowest = LEVELS.index("none" if run.seeks_secrets else settings.error_from)
        for result in run.results():
            grade = LEVELS.index(result.level)
            is_error = not result.review and grade >= lowest
            counts["errors"] += is_error
            counts["reviews"] += result.review
            counts["results"] += 1
            if not is_error:
                counts[result.level] += 1
            if name := _grade(result, is_error=is_error):
                graded[name].append(result.shown)
    return {
        "results": counts["results"],
        "critical": len(graded["critical"]),
        "high": len(graded["high"]),
        "errors": counts["errors"],
        "warnings": counts["warning"],
        "notes": counts["note"],
        "reviews": counts["reviews"],
        **_free("critical", graded["critical"]),
        **_free("high", graded["high"]),
        **_free("errors", graded["errors"]),
    }


def _grade(result: Result, *, is_error: bool) -> str | None:
    """Return what a result is judged as, one thing alone."""
    if result.severity is not None and result.severity >= _CRITICAL:
        return "critical"
    if result.severity is not None and result.severity >= _HIGH:
        return "high"
    return "errors" if is_error else None


def _free(name: str, shown: list[str]) -> Values:
    if not shown:
        return {f"{name}_free": True}
    grade = "error" if shown[1:] == [] and name == "errors" else name
    places = few(shown, between=", ")
    return {f"{name}_free": False, f"{name}_free_because": f"{len(shown)} {grade}: {places}"}
