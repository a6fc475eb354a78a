"""When reports were made and of which commit -> whether they are evidence of this release."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from pydantic import Field

from readiness.escape import line
from readiness.inventory.duration import Duration
from readiness.measurement import Values
from readiness.probes import ProbeSettings
from readiness.probes._few import few
from readiness.probes._report_files import Report

DAY = 24 * 3600.0
"""Continuous integration runs the tests of the mainline at least once a day."""

METRICS = {
    "files": "count: files read as evidence",
    "age_hours": "hours: age of the oldest file, by the newest time written in it",
    "age_from": "timestamps, file times or both: what the ages of the files rest on",
}
COMMIT_METRICS = {
    "commit": "commit that the files name, shortened",
    "commit_declared": "true or false: the inventory says of which commit they must be",
    "commit_matches": "true or false: every commit that the files name is that one",
}

_SKEW = timedelta(minutes=5)
_MOST = 300
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_LONGEST_NUMBER = 15


class AgedSettings(ProbeSettings):
    """How old evidence may be."""

    max_age: Duration = Field(
        DAY, gt=0, le=10 * 365 * DAY, description="older than this it is unknown, 24h if absent"
    )


class CommitSettings(AgedSettings):
    """How old evidence may be, and of which commit it must be."""

    commit: str | None = Field(
        None,
        pattern=r"^([0-9A-Fa-f]{7,64})?$",
        description="commit under release, such as ${GIT_COMMIT:-}; empty for any",
    )


@dataclass(frozen=True)
class Origin:
    """Where one file's evidence comes from: the newest time and the commits written in it."""

    report: Report
    newest: datetime | None = None
    commits: frozenset[str] = frozenset()


def moment(text: str) -> datetime | None:
    """Read a time as ISO 8601 or, as Mocha does, mail has it; None if it is none.

    A placeholder near 1970 is none either. One without a zone is taken for UTC or for this
    machine's time, whichever is earlier, as reporters write both: so no evidence is taken for
    fresher than it is.
    """
    try:
        text = text.strip()[:40]
        read = parsedate_to_datetime(text) if "," in text else datetime.fromisoformat(text)
        if not 1971 < read.year < 9000:
            return None
        if read.tzinfo is None:
            return min(read.replace(tzinfo=UTC), read.astimezone(UTC))
        return read.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def since_1970(seconds: float) -> datetime | None:
    """Read seconds, or milliseconds where seconds would be after the year 5000."""
    if seconds > 1e11:
        seconds /= 1000
    return datetime.fromtimestamp(seconds, UTC) if 4e7 < seconds < 1e11 else None


def commit_of(text: str) -> str | None:
    """Return a commit's hash in lower case; None if `text` is none, or but a number or a date."""
    hash_ = text.strip().lower()
    if not _COMMIT.fullmatch(hash_) or (hash_.isdigit() and len(hash_) < _LONGEST_NUMBER):
        return None
    return hash_


def aged(
    origins: Sequence[Origin], settings: AgedSettings, now: datetime
) -> tuple[Values, list[str]]:
    """Return the metrics of age, and why files are too old to be evidence, or from the future."""
    values: Values = {"files": len(origins)}
    if not origins:
        return values, []
    times = {o: o.newest or _modified(o.report) for o in origins}
    oldest = min(origins, key=lambda origin: times[origin])
    values["age_hours"] = round(max(0.0, (now - times[oldest]).total_seconds()) / 3600, 2)
    silent = [o.report.name for o in origins if not o.newest]
    values["age_from"] = "timestamps"
    if silent:
        values["age_from"] = "file times" if len(silent) == len(origins) else "both"
        named = few(silent, 2, between=", ")
        values["age_from_because"] = (
            f"{named} tells no time of its own, and a checkout renews that of a file"
        )
    ahead = [o for o in origins if times[o] - now > _SKEW]
    late = [o for o in origins if now - times[o] > timedelta(seconds=settings.max_age)]
    gaps = [
        f"{o.report.name} is dated {_span(times[o] - now)} ahead of this machine's clock"
        for o in ahead
    ]
    late.sort(key=lambda origin: times[origin])
    limit = _span(timedelta(seconds=settings.max_age))
    gaps += [f"stale: {o.report.name} is {_span(now - times[o])} old, over {limit}" for o in late]
    return values, gaps


def of_commit(
    origins: Sequence[Origin], commit: str | None, missing: Sequence[str]
) -> tuple[Values, list[str]]:
    """Return the metrics of the commit, and why files are evidence of another one.

    `missing` says which files could not be asked.
    """
    named = sorted({hash_ for origin in origins for hash_ in origin.commits})
    values: Values = {"commit_declared": bool(commit)}
    if named:
        values["commit"] = few((hash_[:12] for hash_ in named), between=", ")
    if not commit:
        return values, []
    silent = [o.report.name for o in origins if not o.commits]
    others = [o for o in origins if o.commits and not any(_same(h, commit) for h in o.commits)]
    gaps = [
        f"stale: {o.report.name} is of commit {min(o.commits)[:12]}, not {commit.lower()[:12]}"
        for o in others
    ]
    if others:
        values |= {"commit_matches": False, "commit_matches_because": because(gaps)}
    elif missing:
        values["commit_matches_because"] = because(missing)
    elif silent:
        told = f"not tested: {few(silent, 2, between=', ')} names no commit"
        values["commit_matches_because"] = line(told, _MOST)
    elif origins:
        values["commit_matches"] = True
    return values, gaps


def because(gaps: Iterable[str]) -> str:
    """Return why there is no verdict, in one bounded line; staleness is told first."""
    ordered = sorted(gaps, key=lambda gap: not gap.startswith("stale: "))
    told = few(ordered, 2)
    return line(told if told.startswith("stale: ") else f"not tested: {told}", _MOST)


def withheld(metrics: Iterable[str], gaps: Sequence[str], known: str = "") -> Values:
    """Return `metrics` without values: `gaps` are why, `known` is what is bad all the same."""
    told = because(gaps)
    if known:
        told = f"{told}; {line(known, _MOST)}"
    return {f"{metric}_because": told for metric in metrics}


def _modified(report: Report) -> datetime:
    return datetime.fromtimestamp(report.modified, UTC)


def _same(one: str, other: str) -> bool:
    """Whether two hashes, perhaps shortened, are those of one commit."""
    length = min(len(one), len(other))
    return one[:length] == other.lower()[:length]


def _span(time: timedelta) -> str:
    seconds = abs(time.total_seconds())
    for unit, name in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"
