"""Model -> what people have excused: waivers in force or not, and targets made looser."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from readiness.assessment.model import Model
from readiness.inventory import Waiver
from readiness.quantity import Unit


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WaiverRow(_Frozen):
    """A waiver, whether it holds on the day of the run, and how many findings it excuses."""

    waiver: Waiver
    state: Literal["in force", "expired", "not needed"]
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


def waivers(model: Model) -> tuple[WaiverRow, ...]:
    """Return every waiver of the inventory; one that excuses nothing is not needed."""
    day = model.evidence.finished_at.date()
    return tuple(
        _waiver(waiver, waiver.until < day, model) for waiver in model.evidence.inventory.waivers
    )


def _waiver(waiver: Waiver, expired: bool, model: Model) -> WaiverRow:
    excuses = sum(
        f.waiver == waiver and f.outcome in ("warn", "fail", "unknown") for f in model.findings
    )
    needed: Literal["in force", "not needed"] = "in force" if excuses else "not needed"
    return WaiverRow(waiver=waiver, state="expired" if expired else needed, excuses=excuses)


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
