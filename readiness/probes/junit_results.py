"""What a JUnit report says of the tests: how many passed, were flaky or skipped, how long ago."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field

from readiness.inventory import Artifact, Tier
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes._few import few
from readiness.probes._junit_file import read_into
from readiness.probes._junit_reruns import Census, census
from readiness.probes._junit_suites import Suites
from readiness.probes._provenance import (
    COMMIT_METRICS,
    CommitSettings,
    Origin,
    aged,
    of_commit,
    withheld,
)
from readiness.probes._provenance import METRICS as ORIGIN_METRICS
from readiness.probes._report_files import Check, UnreadableReport, aside, find

TIER: Tier = "observe"
KINDS = frozenset({"junit"})
EXCLUSIVE = False
_COUNTED: Mapping[str, str] = {
    "suites": "count: test suites",
    "cases": "count: test cases, each once however often it was run",
    "executed": "count: cases that were not skipped",
    "passed": "count: cases that passed in the end",
    "failed": "count: cases whose last run failed an assertion",
    "errors": "count: cases whose last run ended in another error",
    "skipped": "count: cases that were not run",
    "flaky": "count: cases that passed after they had failed",
    "seconds": "s: time that the suites say they took, added up",
    "passed_ratio": "ratio 0..1: passed of executed, a census",
    "skipped_ratio": "ratio 0..1: skipped of cases",
    "flaky_ratio": "ratio 0..1: flaky of executed",
    "enough_cases": "true or false: there are at_least so many cases",
}
METRICS: Mapping[str, str] = {**_COUNTED, **ORIGIN_METRICS, **COMMIT_METRICS}


class Settings(CommitSettings):
    """How old the results may be, of which commit, and how many cases there must be."""

    at_least: int | None = Field(
        None, ge=1, le=1_000_000, description="cases there must be, so that none vanish unseen"
    )


async def measure(artifact: Artifact, settings: Settings, context: Context) -> Values:
    """Read every file; counts are told only if all are whole, recent and of the commit."""
    return await aside(lambda check: _measured(artifact, settings, context.folder, check), context)


def _measured(artifact: Artifact, settings: Settings, folder: Path, check: Check) -> Values:
    reports, missing = find(folder, artifact.files, check)
    gaps, origins, suites = list(missing), list[Origin](), Suites()
    for report in reports:
        try:
            origins.append(read_into(suites, report, check))
        except UnreadableReport as error:
            gaps.append(str(error))
    age, late = aged(origins, settings, datetime.now(UTC))
    commit, others = of_commit(origins, settings.commit, gaps)
    values = age | commit
    gaps += [*late, *others, *suites.disagreements]
    if gaps:
        told = "" if late or others else _bad(census(suites))
        return values | withheld(_COUNTED, gaps, told)
    return values | _counted(suites, census(suites), settings)


def _counted(suites: Suites, found: Census, settings: Settings) -> Values:
    outcomes, cases = found.outcomes, found.outcomes.total()
    values: Values = {
        "suites": suites.suites,
        "cases": cases,
        "executed": found.executed,
        "passed": found.passed,
        "failed": outcomes["failed"],
        "errors": outcomes["error"],
        "skipped": outcomes["skipped"],
        "flaky": outcomes["flaky"],
        "seconds": round(suites.seconds, 3),
    }
    values |= _ratios(found, cases)
    if settings.at_least:
        values["enough_cases"] = cases >= settings.at_least
        values["enough_cases_because"] = f"{cases} cases, at least {settings.at_least} expected"
    else:
        values["enough_cases_because"] = "the inventory says of no at_least"
    return values


def _ratios(found: Census, cases: int) -> Values:
    if not cases:
        return withheld(("passed_ratio", "skipped_ratio", "flaky_ratio"), ["there is no case"])
    values: Values = {
        "skipped_ratio": found.outcomes["skipped"] / cases,
        "skipped_ratio_because": f"{found.outcomes['skipped']} of {cases} cases",
    }
    if not found.executed:
        return values | withheld(("passed_ratio", "flaky_ratio"), ["every case was skipped"])
    values["passed_ratio"] = found.passed / found.executed
    values["passed_ratio_because"] = _bad(found) or f"{found.passed} of {found.executed} passed"
    values["flaky_ratio"] = found.outcomes["flaky"] / found.executed
    if found.flaky:
        flaky = found.outcomes["flaky"]
        values["flaky_ratio_because"] = (
            f"{flaky} passed when run again: {_named(found.flaky, flaky)}"
        )
    return values


def _bad(found: Census) -> str:
    """Say how many passed and name some that did not; empty if all did."""
    bad = found.executed - found.passed
    if not bad:
        return ""
    return f"{found.passed} of {found.executed} passed; failed: {_named(found.failed, bad)}"


def _named(names: list[str], all_of_them: int) -> str:
    """Name the first three; how many more there are is counted by cases, not by names."""
    told = few(names[:3], between=", ")
    more = all_of_them - len(set(names[:3]))
    return f"{told} and {more} more" if more > 0 else told
