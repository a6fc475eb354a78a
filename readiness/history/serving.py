"""Kept runs that are alike, the oldest first -> those that serve as a measure, and what they tell.

Each is judged by those before it, whatever it was itself compared with: a run that regressed is
neither the measure of the next one nor taken for noise, however often it is made again.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from readiness.assessment.model import findings_of
from readiness.assessment.readings import readings
from readiness.assessment.regression import compare
from readiness.baseline import FEWEST_RUNS, Baseline, Reading, spread
from readiness.checks import Criteria
from readiness.estimate import Estimate
from readiness.evidence import Evidence
from readiness.finding import Finding, Key
from readiness.history.run import Kept, Run

_Metric = tuple[str, str, str, bool]
"""What can be compared: a check, a service, a load, and whether it is an estimate."""


class Heard(NamedTuple):
    """A run with what it found and read."""

    run: Run
    evidence: Evidence
    criteria: Criteria
    findings: Sequence[Finding]
    readings: Mapping[Key, Reading]


def heard(kept: Kept) -> Heard:
    """Judge the evidence of a run."""
    found = kept.evidence
    own = readings(found.inventory, found.measurements, kept.criteria)
    return Heard(*kept, findings_of(found, kept.criteria), own)


def has_regressed(one: Heard, since: Baseline | None) -> bool:
    """Whether anything in a run has regressed since `since`."""
    evidence = one.evidence.model_copy(update={"baseline": since})
    comparison = compare(evidence, one.criteria, one.findings)
    return comparison is not None and bool(comparison.regressed)


def serving(runs: Iterable[Heard]) -> tuple[Heard, ...]:
    """Return those of `runs` that serve: all but those that regressed since the ones before.

    The first serves, for there is nothing to judge it by. So does a pinned one, and nothing before
    that counts any more. Until enough serve to know the noise, what a run was itself compared with
    counts too: that may have known it.
    """
    found: tuple[Heard, ...] = ()
    for one in runs:
        if one.run.pinned:
            found = (one,)
        elif not found or not _is_worse(one, found):
            found += (one,)
    return found


def _is_worse(one: Heard, before: Sequence[Heard]) -> bool:
    if len(before) < FEWEST_RUNS and has_regressed(one, one.evidence.baseline):
        return True
    return has_regressed(one, newest("last", before))


def newest(asked: str, runs: Sequence[Heard], passed_over: Sequence[Run] = ()) -> Baseline:
    """Return the newest of the serving `runs` as a baseline.

    Each metric is of the newest run that has it: one that lost its evidence takes none away.
    """
    last = runs[-1]
    found: dict[_Metric, Reading] = {}
    for one in reversed(runs):
        of = "" if one is last else one.run.run_id
        for reading in one.readings.values():
            if (metric := _metric(reading)) not in found:
                found[metric] = reading.model_copy(update={"run_id": of}) if of else reading
    return as_baseline(asked, Kept(*last[:3]), found.values(), runs, passed_over)


def as_baseline(
    asked: str,
    kept: Kept,
    own: Iterable[Reading],
    runs: Sequence[Heard],
    passed_over: Sequence[Run] = (),
) -> Baseline:
    """Return `kept` with the readings `own`, and what the serving `runs` tell of their noise."""
    values = _values(runs)
    run = kept.run
    return Baseline(
        asked=asked,
        run_id=run.run_id,
        started_at=run.started_at,
        commit=run.commit,
        branch=run.branch,
        value=run.value,
        services=tuple(s.name for s in kept.evidence.inventory.subjects),
        readings=tuple(
            reading.model_copy(update={"spread": spread(seen), "runs": len(seen)})
            for reading in own
            for seen in [values.get(_metric(reading), ())]
        ),
        recent=len(runs),
        passed_over=tuple(r.run_id for r in passed_over),
    )


def _values(runs: Sequence[Heard]) -> Mapping[_Metric, Sequence[float]]:
    found: dict[_Metric, list[float]] = {}
    for one in runs:
        for reading in one.readings.values():
            value = reading.value.value if isinstance(reading.value, Estimate) else reading.value
            if value is not None:
                found.setdefault(_metric(reading), []).append(value)
    return found


def _metric(reading: Reading) -> _Metric:
    is_estimate = isinstance(reading.value, Estimate)
    return reading.check, reading.service, reading.under, is_estimate
