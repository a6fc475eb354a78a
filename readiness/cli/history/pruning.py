"""`history prune`: a rule on the age or number of runs -> those that are forgotten."""

import contextlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from datetime import UTC, datetime, timedelta

from readiness.cli.keeper import tell
from readiness.cli.say import say
from readiness.document import ConfigurationError
from readiness.escape import ci_log
from readiness.history import History, HistoryError, Run, open_history
from readiness.report.words import moment, plural, spoken

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def prune(
    where: str | None,
    keep: int | None,
    older_than: str | None,
    system: str | None,
    environment: str | None,
    dry_run: bool,
) -> None:
    """Forget the runs that no rule keeps; `dry_run` only names them."""
    if keep is None and older_than is None:
        raise ConfigurationError(
            "prune needs to know what may go.", fix="Write --keep 50, --older-than 90d, or both."
        )
    before = datetime.now(UTC) - _age(older_than) if older_than is not None else None
    history = open_history(where, os.environ, tell, create=False)
    try:
        runs = history.runs(system, environment)
        old = list(outdated(runs, keep, before))
        needed = compared_with(history, runs, {run.run_id for run in old})
        old = [run for run in old if run.run_id not in needed]
        gone = 0 if dry_run else history.remove([run.run_id for run in old])
    finally:
        history.close()
    for run in old:
        what = f"{run.system} {run.environment}, {spoken(run.verdict)} {run.value}/100"
        say(ci_log(f"{run.run_id}  {moment(run.started_at)}  {what}"))
    done = f"{plural(len(old), 'run')} would be forgotten" if dry_run else plural(gone, "run")
    say(f"{done}." if dry_run else f"{done} forgotten.")
    if needed:
        ids = ", ".join(sorted(needed))
        say(ci_log(f"Not forgotten, since runs that stay were compared with it: {ids}."))


def outdated(runs: Sequence[Run], keep: int | None, before: datetime | None) -> Iterator[Run]:
    """Yield those of `runs`, the newest first, that nothing keeps.

    That is neither a pin, nor to be among the newest `keep` of its system and environment, nor to
    have begun since `before`. Only complete runs count towards `keep`: others push none out.
    """
    newer: Counter[tuple[str, str]] = Counter()
    for run in runs:
        series = run.system, run.environment
        is_among = keep is not None and newer[series] < keep
        is_young = before is not None and run.started_at >= before
        newer[series] += run.complete
        if not (run.pinned or is_among or is_young):
            yield run


def compared_with(history: History, runs: Sequence[Run], old: Set[str]) -> Set[str]:
    """Return those of the ids `old` that a run of `runs` which stays was compared with.

    Without them the regressed run that stays would be the measure of the next one. A damaged run
    tells nothing.
    """
    needed: set[str] = set()
    for run in runs if old else ():
        if run.run_id not in old:
            with contextlib.suppress(HistoryError):
                baseline = history.get(run.run_id).evidence.baseline
                needed |= {baseline.run_id} & old if baseline else set()
    return needed


def _age(written: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,5})([hdw])", written, re.ASCII)
    if found is None:
        raise ConfigurationError(
            "--older-than must be an age.", fix="Write hours, days or weeks: 36h, 90d, 12w."
        )
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
