"""Findings and the baseline -> what has surely got worse, and by more than it always varies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from readiness.assessment.beside import PROBE
from readiness.assessment.change import Change, Course, incomparable, of_estimates, of_numbers
from readiness.assessment.readings import readings
from readiness.assessment.shift import ALPHA, chance, levels
from readiness.baseline import Baseline, Reading
from readiness.checks import Criteria
from readiness.estimate import Estimate
from readiness.evidence import Evidence
from readiness.finding import Finding, Key


@dataclass(frozen=True)
class Comparison:
    """This run against an earlier one, metric by metric, the worst first."""

    baseline: Baseline
    changes: tuple[Change, ...]
    added: tuple[str, ...]
    """What the earlier run did not judge, by name."""
    gone: tuple[str, ...]
    """What it judged and this run does not."""

    def of(self, *courses: Course) -> tuple[Change, ...]:
        """Return the changes of these courses."""
        return tuple(c for c in self.changes if c.course in courses)

    @property
    def compared(self) -> tuple[Change, ...]:
        """What was read in both runs, and alike."""
        return tuple(c for c in self.changes if c.course != "not_comparable")

    @property
    def regressed(self) -> tuple[Change, ...]:
        """What READY does not allow."""
        return self.of("regressed")


@dataclass(frozen=True)
class _Pair:
    finding: Finding
    now: Reading
    then: Reading

    @property
    def chance(self) -> float | None:
        """The p-value of no difference, None for numbers without intervals."""
        now, then = self.now.value, self.then.value
        if isinstance(now, Estimate) and isinstance(then, Estimate):
            return chance(now, then)
        return None


def compare(
    evidence: Evidence, criteria: Criteria, findings: Sequence[Finding]
) -> Comparison | None:
    """Compare what `findings` were judged from with the baseline in `evidence`, if it has one."""
    baseline = evidence.baseline
    if baseline is None:
        return None
    names = {service.name: None for service in evidence.inventory.subjects}
    known = frozenset(baseline.services)
    now = readings(evidence.inventory, evidence.measurements, criteria)
    then = _then(baseline, now)
    pairs: list[_Pair] = []
    changes: list[Change] = []
    for f in findings:
        here = now.get((f.check, f.service)) if f.outcome in _JUDGED else None
        there = then.get((f.check, f.service))
        if here and there and _alike(here, there):
            pairs.append(_Pair(f, here, there))
        elif there or (here and f.service in known):
            changes.append(incomparable(f, _why(f, here, there)))
    changes += _compared(pairs, evidence, criteria)
    changes.sort(key=lambda c: (get_args(Course).index(c.course), -c.excess, c.check, c.service))
    return Comparison(
        baseline,
        tuple(changes),
        added=tuple(name for name in names if name not in known),
        gone=tuple(name for name in baseline.services if name not in names),
    )


def worse(comparison: Comparison | None, findings: Sequence[Finding]) -> Mapping[Key, str]:
    """Return what has surely got worse, each by its name: READY allows none of it.

    That is what has regressed since the baseline, and what fails beside a reference that was asked
    at the same moments, unless a waiver excuses that.
    """
    found = {change.key: change.what for change in comparison.regressed} if comparison else {}
    beside = (f for f in findings if f.probe == PROBE and f.outcome == "fail" and not f.waived)
    return {**found, **{(f.check, f.service): f"{f.title} on {f.service}" for f in beside}}


_JUDGED = ("pass", "warn", "fail")


def _then(baseline: Baseline, now: Mapping[Key, Reading]) -> Mapping[Key, Reading]:
    """Return of each check what can be compared with `now`, else what was read last."""
    found: dict[Key, Reading] = {}
    for reading in baseline.readings:  # the newest first
        key = reading.check, reading.service
        here, there = now.get(key), found.get(key)
        if there is None or (here and _alike(here, reading) and not _alike(here, there)):
            found[key] = reading
    return found


def _alike(now: Reading, then: Reading) -> bool:
    if (now.metric, now.under) != (then.metric, then.under):
        return False
    return isinstance(now.value, Estimate) is isinstance(then.value, Estimate)


def _why(finding: Finding, now: Reading | None, then: Reading | None) -> str:
    """Return why two readings cannot be compared."""
    if now is None:
        return f"not measured now: {finding.because}"
    if then is None:
        return "that run has no value of it"
    if now.metric != then.metric:
        return f"it was of {then.metric} then"
    if now.under != then.under:
        return f"measured at {now.under or 'no stated load'}, then at {then.under or 'none stated'}"
    return "it has an interval in one of the runs only"


def _compared(pairs: Sequence[_Pair], evidence: Evidence, criteria: Criteria) -> list[Change]:
    """Judge each pair at its share of the chance of a false alarm.

    Estimates share it by Holm's method. Numbers without intervals are a family of their own, in
    equal parts: a hundred counts that never vary must not hide what latencies show.
    """
    sampled = [(pair, p) for pair in pairs if (p := pair.chance) is not None]
    plain = [pair for pair in pairs if pair.chance is None]
    shares = levels([p for _, p in sampled])
    each = ALPHA / max(1, len(plain))
    tried = [(pair, level) for (pair, _), level in zip(sampled, shares, strict=True)]
    tried += [(pair, each) for pair in plain]
    return [_judged(pair, level, evidence, criteria) for pair, level in tried]


def _judged(pair: _Pair, level: float, evidence: Evidence, criteria: Criteria) -> Change:
    check, then = criteria.checks[pair.finding.check], pair.then.value
    before = then.value if isinstance(then, Estimate) else then
    tolerance = evidence.inventory.regression.tolerated(check.id, check.unit, before or 0.0)
    judge = of_numbers if pair.chance is None else of_estimates
    change = judge(pair.finding, check, pair.now, pair.then, tolerance, level)
    if not pair.then.run_id:
        return change
    return change.model_copy(
        update={"because": f"{change.because}; then is of run {pair.then.run_id[:8]}"}
    )
