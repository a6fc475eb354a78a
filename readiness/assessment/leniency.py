"""Model -> what people have excused: waivers, targets made looser, a policy made easier."""

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict

from readiness import policy
from readiness.assessment.model import Model
from readiness.finding import Finding
from readiness.inventory import Waiver
from readiness.quantity import Unit

State = Literal["in_force", "expiring", "expired", "not_needed", "not_accepted"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WaiverRow(_Frozen):
    """A waiver, how it stands on the day of the run, and how many findings it excuses.

    `expiring` is in force and near its end; `not_accepted` is one that the policy refuses.
    `days_left` are those after the run's own, negative once it has expired.
    """

    waiver: Waiver
    state: State
    days_left: int
    excuses: int


class Loosened(_Frozen):
    """A service's own target and limit, of which one asks for less than the check's."""

    check: str
    title: str
    service: str
    unit: Unit
    target: float
    limit: float
    usual_target: float
    usual_limit: float


def eased(model: Model) -> tuple[policy.Eased, ...]:
    """Return what the policy makes easier than its preset and production do."""
    return policy.eased(model.evidence.policy, model.criteria)


def waivers(model: Model) -> tuple[WaiverRow, ...]:
    """Return every waiver of the inventory; one that excuses nothing is not needed."""
    day = model.evidence.finished_at.date()
    return tuple(_waiver(waiver, day, model) for waiver in model.evidence.inventory.waivers)


def announced(model: Model) -> tuple[WaiverRow, ...]:
    """Return the waivers that someone has to look at: all but those that simply hold."""
    return tuple(row for row in waivers(model) if row.state != "in_force")


def _waiver(waiver: Waiver, day: date, model: Model) -> WaiverRow:
    needing = [f for f in model.findings if f.outcome in ("warn", "fail", "unknown")]
    excuses = sum(f.waiver == waiver for f in needing)
    left = (waiver.until - day).days
    state: State = "expired"
    if left >= 0 and excuses:
        state = "expiring" if left <= model.evidence.policy.waivers.announce else "in_force"
    elif left >= 0:
        refused = any(_refused(waiver, f, day, model) for f in needing)
        state = "not_accepted" if refused else "not_needed"
    return WaiverRow(waiver=waiver, state=state, days_left=left, excuses=excuses)


def _refused(waiver: Waiver, finding: Finding, day: date, model: Model) -> bool:
    meant = waiver.check == finding.check and waiver.service in (None, finding.service)
    return meant and bool(policy.refusal(model.evidence.policy, waiver, finding.blocker, day))


def loosened(model: Model) -> tuple[Loosened, ...]:
    """Return every override that is easier to meet than the criteria it overrides."""
    found = []
    for f in model.findings:
        usual = model.criteria.checks[f.check]
        if f.target is None or f.limit is None or usual.target is None or usual.limit is None:
            continue
        worse = 1 if usual.better == "lower" else -1
        if worse * (f.target - usual.target) <= 0 and worse * (f.limit - usual.limit) <= 0:
            continue
        found.append(
            Loosened(
                check=f.check,
                title=f.title,
                service=f.service,
                unit=f.unit,
                target=f.target,
                limit=f.limit,
                usual_target=usual.target,
                usual_limit=usual.limit,
            )
        )
    return tuple(found)
