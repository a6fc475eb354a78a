"""Measurements and findings -> the critical success metrics, current against target."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from readiness.assessment.model import Model
from readiness.assessment.services import ServiceRow
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


Reading = tuple[float | None, str]
"""(current value, what it rests on)"""


def objectives(model: Model, rows: Sequence[ServiceRow]) -> tuple[ObjectiveRow, ...]:
    """Return every objective, with the inventory's targets where it sets them."""
    targets = model.evidence.inventory.objectives
    found = []
    for name, (title, unit, default, higher, read) in _OBJECTIVES.items():
        current, because = read(model.findings, rows)
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


def _availability(_: Sequence[Finding], rows: Sequence[ServiceRow]) -> Reading:
    up = sum(row.available for row in rows)
    unknown = sum(row.status == "unknown" for row in rows)
    if unknown == len(rows):
        return None, "no service's health was measured"
    note = f", {unknown} not measured" if unknown else ""
    return up / len(rows), f"{up} of {len(rows)} services{note}"


def _success_rate(_: Sequence[Finding], rows: Sequence[ServiceRow]) -> Reading:
    """Mean over the services, each at its highest load: fast ones must not outvote the others."""
    at_most = {row.name: row.concurrency[-1].success_rate for row in rows if row.concurrency}
    return _mean(at_most, rows, "success at the highest number of users")


def _error_rate(_: Sequence[Finding], rows: Sequence[ServiceRow]) -> Reading:
    mean, because = _mean({r.name: r.success_rate for r in rows}, rows, "errors at light load")
    return None if mean is None else 1 - mean, because


def _authentication(findings: Sequence[Finding], _: Sequence[ServiceRow]) -> Reading:
    return _passed(
        [f for f in findings if f.check in ("login-accepted", "credential-accepted")],
        "logins and credentials",
    )


def _response_time(_: Sequence[Finding], rows: Sequence[ServiceRow]) -> Reading:
    timed = [(r.p95_ms.value, r.name) for r in rows if r.p95_ms and r.p95_ms.value is not None]
    if not timed:
        return None, "no response time was measured"
    slowest, name = max(timed)
    return slowest, f"p95 of the slowest of {len(timed)} services, {name}"


def _checks(findings: Sequence[Finding], _: Sequence[ServiceRow]) -> Reading:
    return _passed([f for f in findings if f.outcome != "not_applicable"], "checks")


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


_Read = Callable[[Sequence[Finding], Sequence[ServiceRow]], Reading]

_OBJECTIVES: Mapping[str, tuple[str, Unit, float, bool, _Read]] = {
    "checks_passed": ("Checks passed", "ratio", 0.80, True, _checks),
    "availability": ("Service availability", "ratio", 0.95, True, _availability),
    "authentication_success": ("Authentication success", "ratio", 0.95, True, _authentication),
    "success_rate": ("Request success rate", "ratio", 0.80, True, _success_rate),
    "error_rate": ("Error rate", "ratio", 0.01, False, _error_rate),
    "response_time": ("Response time (p95)", "ms", 100.0, False, _response_time),
}
"""Id -> title, unit, target by default, whether higher is better, and its source."""
