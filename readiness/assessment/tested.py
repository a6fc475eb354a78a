"""Measurements of JUnit reports -> passed of executed test cases, over all of them."""

from readiness.evidence import Evidence
from readiness.measurement import Measurement, number

_PROBE = "junit_results"
_COUNTS = ("passed", "executed", "flaky")


def passed_of_executed(evidence: Evidence) -> tuple[float | None, str]:
    """Return (share of the executed cases that passed, what it rests on).

    None if one artifact has no verdict: without its cases nobody knows of how many these are.
    """
    named = [one.name for one in evidence.inventory.artifacts if one.kind == "junit"]
    if not named:
        return None, "no test results: the inventory declares no artifact of kind junit"
    last = {m.service: m for m in evidence.measurements if m.probe == _PROBE}
    total = dict.fromkeys(_COUNTS, 0)
    for name in named:
        counts = _counts(last.get(name))
        if isinstance(counts, str):
            return None, f"{name}: {counts}"
        total = {count: total[count] + counts[count] for count in _COUNTS}
    note = f", {total['flaky']} of them when run again" if total["flaky"] else ""
    told = f"{total['passed']} of {total['executed']} test cases passed{note}"
    return total["passed"] / total["executed"], told


def _counts(measurement: Measurement | None) -> dict[str, int] | str:
    """Return the counts of one artifact, or why it has none."""
    if measurement is None:
        return "not measured"
    if measurement.failure:
        return measurement.failure.detail
    values = measurement.values
    counts = {name: count for name in _COUNTS if type(count := values.get(name)) is int}
    rate = number(values.get("passed_ratio"))
    if rate is None or len(counts) < len(_COUNTS) or not 0 < counts["executed"] >= counts["passed"]:
        return str(values.get("passed_ratio_because") or "the share that passed was not measured")
    return counts
