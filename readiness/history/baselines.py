"""A history and a run about to be made -> the earlier run it is compared with, or why none is."""

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from readiness.assessment.readings import readings
from readiness.baseline import RECENT_RUNS, Baseline
from readiness.evidence import MAIN_BRANCHES, Runner
from readiness.history.run import History, HistoryError, Kept, Run
from readiness.history.serving import Heard, as_baseline, has_regressed, heard, newest, serving
from readiness.inventory import Environment

LAST, PINNED, MAIN = "last", "pinned", "main"
WORDS = (LAST, PINNED, MAIN)

_LOOKED_AT = 100
"""Runs that are looked at for RECENT_RUNS which had not regressed themselves."""
_CLOCKS_DIFFER = timedelta(minutes=5)
"""What the clock of another machine may be ahead."""


class Wanted(NamedTuple):
    """What a run must have been made of, to be compared with."""

    system: str
    environment: Environment
    criteria: str
    """Their digest."""
    runner: str
    """The class of the machine."""


def baseline(
    history: History, word: str, wanted: Wanted, now: datetime | None = None
) -> Baseline | str:
    """Return the run of `history` that `word` names, or a sentence on why it does not serve.

    `last` and `main` are the newest run that is alike, whole, not from the future, and has not
    regressed unless it is pinned: else a slow release would be the measure of the next one.
    HistoryError if `word` is the id of no run.
    """
    if word in (LAST, MAIN):
        return _newest(history, word, wanted, now)
    if word == PINNED:
        pinned = [r for r in history.runs(wanted.system, wanted.environment) if r.pinned]
        if not pinned:
            return f"No run of {_of(wanted)} is pinned in {history.where}."
        run = pinned[0]
    else:
        run = history.find(word)
    because = unlike(run, wanted)
    if because:
        return f"Run {run.run_id[:8]} {because}."
    return made(history, word, history.get(run.run_id), wanted, now)


def newest_of_main(
    history: History, system: str | None = None, environment: str | None = None
) -> Run:
    """Return the newest complete run of the main branch; HistoryError if there is none."""
    found = _of_main(history, system, environment)
    if not found:
        raise HistoryError(
            f"no complete run on {' or '.join(MAIN_BRANCHES)} is kept in {history.where}.",
            fix="`readiness history` lists what is there.",
        )
    return found[0]


def unlike(run: Run, wanted: Wanted) -> str:
    """Return the first thing by which `run` cannot be compared, as a predicate; empty if none."""
    if run.system != wanted.system:
        return f"is of another system, {run.system}"
    if run.environment != wanted.environment:
        return f"is of another environment, {run.environment} and not {wanted.environment}"
    if not run.complete:
        return "was interrupted" if run.interrupted else "measured only a part of the system"
    if run.criteria != wanted.criteria:
        return "was judged by other criteria"
    if run.runner != wanted.runner:
        return f"was made on another class of machine, {_class(run)}, and this is {wanted.runner}"
    return ""


def _class(run: Run) -> str:
    return "which it does not tell" if run.runner in ("", Runner().kind) else run.runner


def made(
    history: History, word: str, kept: Kept, wanted: Wanted, now: datetime | None = None
) -> Baseline:
    """Return `kept` as a baseline, with what the runs of `history` that serve tell of the noise."""
    there = history.runs(wanted.system, wanted.environment, complete=True)
    runs = serving(_heard(history, _past(_alike(there, wanted), now)))
    found = kept.evidence
    own = readings(found.inventory, found.measurements, kept.criteria)
    return as_baseline(word, kept, own.values(), runs)


def _newest(history: History, word: str, wanted: Wanted, now: datetime | None) -> Baseline | str:
    there = _complete(history, word, wanted)
    where = f" on {' or '.join(MAIN_BRANCHES)}" if word == MAIN else ""
    if not there:
        return f"No complete run of {_of(wanted)}{where} is kept in {history.where}."
    alike = _alike(there, wanted)
    if not alike:
        return f"The last run of {_of(wanted)}{where} {unlike(there[0], wanted)}."
    past = _past(alike, now)
    if not past:
        return f"By their dates, all runs of {_of(wanted)}{where} are still to come."
    looked_at = _heard(history, past)
    if not looked_at:
        return f"No run of {_of(wanted)}{where} in {history.where} can be read."
    runs = serving(looked_at)
    newer = looked_at[looked_at.index(runs[-1]) + 1 :]
    return newest(word, runs, [one.run for one in reversed(newer)])


def _heard(history: History, runs: Sequence[Run]) -> Sequence[Heard]:
    """Return those of `runs`, the newest first, that the choice is made from: the oldest first.

    That is the newest RECENT_RUNS and those among them that had regressed by their own baseline:
    else so many tries would push what they are measured by, and its noise, out of sight. Nothing
    before a pinned one counts. A damaged one tells nothing.
    """
    found: list[Heard] = []
    counted = 0
    for run in runs[:_LOOKED_AT]:
        with contextlib.suppress(HistoryError):
            one = heard(history.get(run.run_id))
            found.append(one)
            counted += not has_regressed(one, one.evidence.baseline)
            if run.pinned or counted == RECENT_RUNS:
                break
    return found[::-1]


def _alike(runs: Sequence[Run], wanted: Wanted) -> Sequence[Run]:
    return [run for run in runs if not unlike(run, wanted)]


def _past(runs: Sequence[Run], now: datetime | None) -> Sequence[Run]:
    """Return those that began by `now`: else one by a wrong clock would be the last for ever."""
    latest = (now or datetime.now(UTC)) + _CLOCKS_DIFFER
    return [run for run in runs if run.started_at <= latest]


def _complete(history: History, word: str, wanted: Wanted) -> Sequence[Run]:
    """Return the runs of which `word` is the newest, the newest first."""
    if word == LAST:
        return history.runs(wanted.system, wanted.environment, complete=True)
    return _of_main(history, wanted.system, wanted.environment)


def _of_main(history: History, system: str | None, environment: str | None) -> Sequence[Run]:
    of = (system, environment)
    found = [run for name in MAIN_BRANCHES for run in history.runs(*of, name, complete=True)]
    return sorted(found, key=lambda run: (run.started_at, run.run_id), reverse=True)


def _of(wanted: Wanted) -> str:
    return f"{wanted.system} in {wanted.environment}"
