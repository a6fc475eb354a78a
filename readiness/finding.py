"""What one check says of one service: its outcome, the bounds of its score, and why."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from readiness import curve
from readiness.checks import Fix, Severity
from readiness.estimate import Estimate
from readiness.failure import Failure
from readiness.inventory import Waiver
from readiness.measurement import Value
from readiness.quantity import Unit

Outcome = Literal["pass", "warn", "fail", "unknown", "not_applicable"]
Key = tuple[str, str]
"""(check id, service name)"""


class Finding(BaseModel):
    """What one check says of one service.

    `score` and `upper` (0..1) are the ends of what the evidence allows: equal for a plain
    value, the interval's ends for an Estimate, 0 and 1 when unknown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    check: str
    probe: str
    service: str
    area: str
    title: str
    severity: Severity
    blocker: bool
    usual_blocker: bool = False
    """Whether the criteria make it one, which caps the score whatever the policy says."""
    outcome: Outcome
    undecided: bool = False
    flaky: bool = False
    score: float
    upper: float
    measured: Value | None = None
    unit: Unit = ""
    target: float | None = None
    limit: float | None = None
    because: str
    fix: Fix
    failure: Failure | None = None
    waiver: Waiver | None = None

    @property
    def waived(self) -> bool:
        """Whether a waiver in force excuses what this finding would otherwise block."""
        return self.waiver is not None

    @property
    def unproven(self) -> bool:
        """Whether the estimate meets its target and only its interval does not, for want of n."""
        e = self.measured
        if not isinstance(e, Estimate) or e.value is None or self.outcome != "warn" or self.flaky:
            return False
        if self.target is None or self.limit is None:
            return False
        return curve.meets(e.value, self.target, "lower" if self.target < self.limit else "higher")

    @property
    def conclusive(self) -> bool:
        """Whether a value was measured and judged.

        An outage fails a check without measuring it. Were it conclusive, breaking a service
        would raise the coverage and with it the score.
        """
        return self.outcome in ("pass", "warn", "fail") and self.failure is None

    def passing(self) -> "Finding":
        """Return this finding as it would be after its fix, for projections."""
        if self.outcome == "not_applicable":
            return self
        return self.model_copy(
            update={
                "outcome": "pass",
                "score": 1.0,
                "upper": 1.0,
                "undecided": False,
                "flaky": False,
                "waiver": None,
                "failure": None,
            }
        )
