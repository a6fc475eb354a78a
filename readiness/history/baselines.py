"""A history and a run about to be made -> the earlier run it is compared with, or why none is."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from readiness.assessment.model import evaluate
from readiness.assessment.readings import readings
from readiness.baseline import RECENT_RUNS, Baseline, spread
from readiness.estimate import Estimate
from readiness.evidence import MAIN_BRANCHES, Runner
from readiness.finding import Key
from readiness.history.run import History, HistoryError, Kept, Run
from readiness.inventory import Environment

LAST, PINNED, MAIN = "last", "pinned", "main"
WORDS = (LAST, PINNED, MAIN)

_LOOKED_AT = 100
"""Runs that are looked at for one which had not regressed itself."""


class Wanted(NamedTuple):
    """What a run must have been made of, to be compared with."""

    system: str
    environment: Environment
    criteria: str
    """Their digest."""
    runner: str
    """The class of the machine."""


def baseline(history: History, word: str, wanted: Wanted) -> Baseline | str:
    """Return the run of `history` that `word` names, or a sentence on why it does not serve.

    `last` and `main` are the newest run that is alike, whole, and has not itself regressed unless
    it is pinned: else a slow release would be the measure of the next one. HistoryError if `word`
    is the id of no run.
    """
    if word in (LAST, MAIN):
        return _newest(history, word, wanted)
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
    return made(history, word, history.get(run.run_id), wanted)


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
    history: History, word: str, kept: Kept, wanted: Wanted, passed_over: Sequence[Run] = ()
) -> Baseline:
    """Return `kept` as a baseline, with what recent runs of `history` tell of the noise."""
    run, found = kept.run, kept.evidence
    recent = _recent(history, wanted)
    values: dict[Key, list[float]] = {}
    for each in recent:
        for key, value in _values(each):
            values.setdefault(key, []).append(value)
    own = readings(found.inventory, found.measurements, kept.criteria)
    return Baseline(
        asked=word,
        run_id=run.run_id,
        started_at=run.started_at,
        commit=run.commit,
        branch=run.branch,
        value=run.value,
        services=tuple(s.name for s in found.inventory.subjects),
        readings=tuple(
            reading.model_copy(update={"spread": spread(seen), "runs": len(seen)})
            for key, reading in own.items()
            for seen in [values.get(key, ())]
        ),
        recent=len(recent),
        passed_over=tuple(r.run_id for r in passed_over),
    )


def _newest(history: History, word: str, wanted: Wanted) -> Baseline | str:
    there = _complete(history, word, wanted)
    where = f" on {' or '.join(MAIN_BRANCHES)}" if word == MAIN else ""
    if not there:
        return f"No complete run of {_of(wanted)}{where} is kept in {history.where}."
    alike = [run for run in there if not unlike(run, wanted)]
    if not alike:
        return f"The last run of {_of(wanted)}{where} {unlike(there[0], wanted)}."
    passed: list[Run] = []
    for run in alike[:_LOOKED_AT]:
        kept = history.get(run.run_id)
        if run.pinned or not _has_regressed(kept):
            break
        passed.append(run)
    return made(history, word, kept, wanted, [r for r in passed if r != run])


def _complete(history: History, word: str, wanted: Wanted) -> Sequence[Run]:
    """Return the runs of which `word` is the newest, the newest first."""
    if word == LAST:
        return history.runs(wanted.system, wanted.environment, complete=True)
    return _of_main(history, wanted.system, wanted.environment)


def _of_main(history: History, system: str | None, environment: str | None) -> Sequence[Run]:
    of = (system, environment)
    found = [run for name in MAIN_BRANCHES for run in history.runs(*of, name, complete=True)]
    return sorted(found, key=lambda run: (run.started_at, run.run_id), reverse=True)


def _recent(history: History, wanted: Wanted) -> Sequence[Kept]:
    there = history.runs(wanted.system, wanted.environment, complete=True)
    found = []
    for run in [run for run in there if not unlike(run, wanted)][:RECENT_RUNS]:
        with contextlib.suppress(HistoryError):  # a damaged one tells nothing
            found.append(history.get(run.run_id))
    return found


def _has_regressed(kept: Kept) -> bool:
    if kept.evidence.baseline is None:
        return False
    comparison = evaluate(kept.evidence, kept.criteria).comparison
    return comparison is not None and bool(comparison.regressed)


def _values(kept: Kept) -> Iterator[tuple[Key, float]]:
    found = kept.evidence
    for key, reading in readings(found.inventory, found.measurements, kept.criteria).items():
        value = reading.value.value if isinstance(reading.value, Estimate) else reading.value
        if value is not None:
            yield key, value


def _of(wanted: Wanted) -> str:
    return f"{wanted.system} in {wanted.environment}"
