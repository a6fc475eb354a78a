"""What one check read now and in the baseline -> whether that is a change, and a sure one."""

import math
from statistics import NormalDist
from typing import Literal

from pydantic import BaseModel, ConfigDict

from readiness.assessment.shift import shift
from readiness.baseline import FEWEST_RUNS, Reading
from readiness.checks import Check
from readiness.estimate import Estimate, student
from readiness.finding import Finding, Key
from readiness.quantity import Unit, amount

Course = Literal["regressed", "changed", "not_comparable", "improved", "unchanged"]
"""`changed` is what has moved too far to overlook, and cannot be called a regression."""

_UNKNOWN = f"and fewer than {FEWEST_RUNS} runs tell how much it varies"
_NEAR = 1 + 1e-9
"""0.999 - 0.994 exceeds 0.005 in floats."""


class Change(BaseModel):
    """One metric then and now. Numbers are in the metric's unit, `low` to `high` is now - then."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str
    service: str
    title: str
    unit: Unit
    course: Course
    before: float | None = None
    now: float | None = None
    low: float | None = None
    high: float | None = None
    tolerance: float | None = None
    noise: float | None = None
    because: str

    @property
    def key(self) -> Key:
        """The finding it is about."""
        return self.check, self.service

    @property
    def what(self) -> str:
        """Name the metric and its service."""
        return f"{self.title} on {self.service}"

    @property
    def excess(self) -> float:
        """How many times what is allowed the shift is."""
        if self.now is None or self.before is None:
            return 0.0
        allowed = max(self.tolerance or 0.0, self.noise or 0.0)
        moved = abs(self.now - self.before)
        return moved / allowed if allowed else math.inf if moved else 0.0


_MAD_EFFICIENCY = 0.37
"""A median absolute deviation of n tells as much as a standard deviation of 0.37 n (Rousseeuw and
Croux 1993, JASA 88:1273)."""
_LEAST_FREEDOM = 2.5
"""That of 8 runs: with fewer, no spread is known."""


def noise(then: Reading, level: float) -> float | None:
    """Return the shift that two runs of an unchanged system exceed with a chance of `level`.

    Their difference varies sqrt(2) times as much as one of them; at the level at which the
    interval is made too, so that neither kind of chance is seen more often than the other. That
    the spread is itself learned from a few runs is paid for as in Student's t.
    """
    if then.spread is None:
        return None
    freedom = max(_LEAST_FREEDOM, _MAD_EFFICIENCY * (then.runs - 1))
    return math.sqrt(2) * student(freedom, NormalDist().inv_cdf(1 - level / 2)) * then.spread


def _assumed(tolerance: float, level: float) -> float:
    """Return the same where the noise is not known: runs are taken to vary by the tolerance."""
    return math.sqrt(2) * NormalDist().inv_cdf(1 - level / 2) * tolerance


def incomparable(finding: Finding, because: str) -> Change:
    """Return the row of what was read in one of the runs only, or otherwise."""
    return _row(finding, "not_comparable", because)


def of_estimates(
    finding: Finding, check: Check, now: Reading, then: Reading, tolerance: float, level: float
) -> Change:
    """Compare two estimates: a difference that is sure, beyond the tolerance and the noise."""
    assert isinstance(now.value, Estimate) and isinstance(then.value, Estimate)
    moved = shift(now.value, then.value, level)
    floor = noise(then, level)
    course, why = _course(finding, check, moved.value, tolerance, floor)
    if not moved.excludes_zero:
        course, why = "unchanged", "which may be chance"
    elif floor is None and course in ("regressed", "improved"):
        least = _assumed(tolerance, level)
        if abs(moved.value) <= least:
            course = "changed"
            why = f"{_UNKNOWN}: without, only {_span(least, check.unit)} and more is sure"
    ends = (_plus(moved.low, check.unit), _plus(moved.high, check.unit))
    numbers = {"low": moved.low, "high": moved.high, "tolerance": tolerance, "noise": floor}
    values = {"before": then.value.value, "now": now.value.value}
    words = f"{_moved(check, **values)} ({ends[0]} to {ends[1]}), {why}"
    return _row(finding, course, words, **numbers, **values)


def of_numbers(
    finding: Finding, check: Check, now: Reading, then: Reading, tolerance: float, level: float
) -> Change:
    """Compare two numbers without intervals, which only the noise of many runs can tell apart."""
    assert not isinstance(now.value, Estimate) and not isinstance(then.value, Estimate)
    floor = noise(then, level)
    course, why = _course(finding, check, now.value - then.value, tolerance, floor)
    if course in ("regressed", "improved") and floor is None:
        why = _UNKNOWN
        course = "changed"
    elif course == "regressed" and check.unit == "days":
        course, why = "changed", "as days pass by themselves"
    elif course == "regressed" and finding.outcome == "pass":
        course, why = "changed", "and still within its target"
    values = {"before": then.value, "now": now.value}
    words = f"{_moved(check, **values)}, {why}" if now.value != then.value else why
    return _row(finding, course, words, tolerance=tolerance, noise=floor, **values)


def _course(
    finding: Finding, check: Check, moved: float, tolerance: float, floor: float | None
) -> tuple[Course, str]:
    """Return what a shift is, were it not by chance, and why."""
    allowed = f"the tolerance of {_span(tolerance, check.unit)}"
    if moved == 0:
        return "unchanged", "as it was"
    if abs(moved) <= tolerance * _NEAR:
        return "unchanged", f"within {allowed}"
    if floor is not None and abs(moved) <= floor:
        return "unchanged", f"no more than runs differ anyway ({_span(floor, check.unit)})"
    known = f"the noise of {_span(floor, check.unit)}" if floor is not None else ""
    why = f"beyond {allowed}" + (f" and {known}" if known else "; the noise is not known yet")
    return "regressed" if (moved > 0) == (check.better == "lower") else "improved", why


def _moved(check: Check, before: float | None, now: float | None) -> str:
    before, now = before or 0.0, now or 0.0
    return (
        f"{amount(now, check.unit)}, was {amount(before, check.unit)}: "
        f"{_plus(now - before, check.unit)}"
    )


def _span(value: float, unit: Unit) -> str:
    """Write a difference; of two shares it is in points, which are no per cent of either."""
    if unit == "ratio":
        points = amount(value * 100, "")
        return f"{points} point{'' if points == '1' else 's'}"
    return amount(value, unit)


def _plus(value: float, unit: Unit) -> str:
    return f"{'+' if value >= 0 else '-'}{_span(abs(value), unit)}"


def _row(finding: Finding, course: Course, because: str, **numbers: float | None) -> Change:
    """Return a change; a number too large for JSON is left out."""
    finite = {name: n for name, n in numbers.items() if n is not None and math.isfinite(n)}
    return Change(
        check=finding.check,
        service=finding.service,
        title=finding.title,
        unit=finding.unit,
        course=course,
        because=because,
        **finite,
    )
