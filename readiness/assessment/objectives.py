"""Measurements and findings -> the critical success metrics, current against target."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from readiness.assessment.journeys import JourneyRow
from readiness.assessment.model import Model
from readiness.assessment.services import ServiceRow
from readiness.assessment.tested import passed_of_executed
from readiness.estimate import Estimate
from readiness.finding import Finding
from readiness.quantity import Unit


class ObjectiveRow(BaseModel):
    """One metric against its target; `met` and `current` are null where nothing measured it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    title: str
    current: float | None
    target: float
    unit: Unit
    met: bool | None
    because: str


class _Sources(NamedTuple):
    """What objectives are read from."""

    model: Model
    rows: Sequence[ServiceRow]
    walked: Sequence[JourneyRow]


Reading = tuple[float | None, str]
"""(current value, what it rests on)"""


def objectives(
    model: Model, rows: Sequence[ServiceRow], walked: Sequence[JourneyRow]
) -> tuple[ObjectiveRow, ...]:
    """Return every objective, with the inventory's targets where it sets them."""
    targets = model.evidence.inventory.objectives
    found = []
    for name, (title, unit, default, higher, read) in _OBJECTIVES.items():
        current, because = read(_Sources(model, rows, walked))
        target = targets[name].target if name in targets else default
        met = None if current is None else (current >= target if higher else current <= target)
        found.append(
            ObjectiveRow(
                id=name,
                title=title,
                current=current,
                target=target,
                unit=unit,
                met=met,
                because=because,
            )
        )
    return tuple(found)


def higher_is_better(name: str) -> bool:
    """Whether the objective called `name` is met from its target upwards."""
    return _OBJECTIVES[name][3]


def _availability(of: _Sources) -> Reading:
    rows = of.rows
    up = sum(row.available for row in rows)
    unknown = sum(row.status == "unknown" for row in rows)
    if unknown == len(rows):
        return None, "no service's health was measured"
    note = f", {unknown} not measured" if unknown else ""
    return up / len(rows), f"{up} of {len(rows)} services{note}"


def _success_rate(of: _Sources) -> Reading:
    """Mean over the services, each at its highest load: fast ones must not outvote the others."""
    at_most = {row.name: row.concurrency[-1].success_rate for row in of.rows if row.concurrency}
    return _mean(at_most, of.rows, "success at the highest number of users")


def _error_rate(of: _Sources) -> Reading:
    rates = {r.name: r.success_rate for r in of.rows}
    mean, because = _mean(rates, of.rows, "errors at light load")
    return None if mean is None else 1 - mean, because


def _authentication(of: _Sources) -> Reading:
    """Mean over the journeys that log in, logins and credentials: each by its success."""
    named = {j.name for j in of.model.evidence.inventory.journeys if j.authenticates}
    walked = {
        row.name: row.success_rate.value if row.success_rate else None
        for row in of.walked
        if row.name in named
    }
    checks = [f for f in of.model.findings if f.check in _LOGINS and f.outcome != "not_applicable"]
    tried = [float(f.outcome == "pass") for f in checks if f.outcome != "unknown"]
    rates = [rate for rate in walked.values() if rate is not None]
    if not checks and not walked:
        return None, "no login, credential or journey: the inventory declares none"
    if not tried and not rates:
        why = next((f.because for f in checks), "no journey was walked")
        return None, f"none of {len(checks) + len(walked)} logins and journeys measured: {why}"
    found = [*tried, *rates]
    unknown = len(checks) + len(walked) - len(found)
    return sum(found) / (len(found) + unknown), _rests_on(tried, rates, unknown)


def _rests_on(tried: Sequence[float], rates: Sequence[float], unknown: int) -> str:
    parts = []
    if rates:
        parts.append(f"{sum(rate == 1 for rate in rates)} of {len(rates)} journeys that log in")
    if tried:
        parts.append(f"{sum(map(int, tried))} of {len(tried)} logins and credentials")
    note = f", {unknown} not measured" if unknown else ""
    return f"{' and '.join(parts)} passed{note}"


def _response_time(of: _Sources) -> Reading:
    timed = [(r.p95_ms.value, r.name) for r in of.rows if r.p95_ms and r.p95_ms.value is not None]
    if not timed:
        return None, "no response time was measured"
    slowest, name = max(timed)
    return slowest, f"p95 of the slowest of {len(timed)} services, {name}"


def _checks(of: _Sources) -> Reading:
    return _passed([f for f in of.model.findings if f.outcome != "not_applicable"], "checks")


def _tests(of: _Sources) -> Reading:
    return passed_of_executed(of.model.evidence)


def _mean(rates: Mapping[str, Estimate | None], rows: Sequence[ServiceRow], what: str) -> Reading:
    """Mean of the services' success rates; one that is down counts 0 if nothing was measured."""
    web = [row for row in rows if row.kind in ("http", "web")]
    found = {name: e.value for name, e in rates.items() if e and e.value is not None}
    down = [row.name for row in web if row.status == "down"]
    counted = dict.fromkeys(down, 0.0) | found
    if not counted:
        return None, "no request was answered"
    missing = len(web) - len(counted)
    note = f", {len(down)} down" if down else ""
    note += f", {missing} not measured" if missing else ""
    mean = sum(counted.values()) / len(counted)
    return mean, f"{what}, mean of {len(counted)} services{note}"


def _passed(findings: Sequence[Finding], what: str) -> Reading:
    applied = [f for f in findings if f.outcome != "not_applicable"]
    outcomes = Counter(f.outcome for f in applied)
    passed, unknown = outcomes["pass"], outcomes["unknown"]
    if not applied:
        return None, f"no {what}: the inventory declares none"
    if unknown == len(applied):
        return None, f"none of {unknown} {what} measured: {applied[0].because}"
    note = f", {unknown} not measured" if unknown else ""
    return passed / len(applied), f"{passed} of {len(applied)} {what} passed{note}"


_LOGINS = ("login-accepted", "credential-accepted")

_Read = Callable[[_Sources], Reading]

_OBJECTIVES: Mapping[str, tuple[str, Unit, float, bool, _Read]] = {
    "checks_passed": ("Checks passed", "ratio", 0.80, True, _checks),
    "availability": ("Service availability", "ratio", 0.95, True, _availability),
    "authentication_success": ("Authentication success", "ratio", 0.95, True, _authentication),
    "success_rate": ("Request success rate", "ratio", 0.80, True, _success_rate),
    "error_rate": ("Error rate", "ratio", 0.01, False, _error_rate),
    "response_time": ("Response time (p95)", "ms", 100.0, False, _response_time),
    "tests_passed": ("Tests passed", "ratio", 1.0, True, _tests),
}
"""Id -> title, unit, target by default, whether higher is better, and its source."""
