"""How much worse a metric may get before that counts as a regression."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from readiness.inventory.service import Frozen, Name

_WRITTEN = r"^\d{1,9}(\.\d{1,9})?%?$"


def _share(written: Any) -> Any:
    """Read `10%` as 0.1."""
    if isinstance(written, bool) or not isinstance(written, int | float | str):
        raise ValueError("must be a share. Write it as in 10% or 0.1")
    if not isinstance(written, str):
        return written
    if not re.fullmatch(_WRITTEN, written, re.ASCII):
        raise ValueError("must be a share. Write it as in 10% or 0.1")
    per_cent = written.endswith("%")
    return float(Decimal(written.removesuffix("%")) * (Decimal("0.01") if per_cent else 1))


Share = Annotated[
    float,
    BeforeValidator(_share),
    Field(ge=0, le=10, allow_inf_nan=False),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": 10},
                {"type": "string", "pattern": _WRITTEN},
            ],
            "examples": ["10%", 0.1],
        }
    ),
]


_LEAST_MS = 0.1
"""A time that changes by less than this is nobody's concern, whatever share it is."""


class Regression(Frozen):
    """What may change without being a regression, against the run of `--baseline`."""

    tolerance: Share = Field(
        0.10, description="Of times, sizes and counts: a share of what they were."
    )
    rate_tolerance: Share = Field(
        0.005, description="Of rates: 0.5% lets 99.9 % fall to 99.4 %, whatever it was."
    )
    checks: Mapping[Name, Share] = Field(
        default_factory=dict, description="The tolerance of single checks, by their ids."
    )

    def tolerated(self, check: str, unit: str, before: float) -> float:
        """Return the shift, in the metric's unit, that `check` may make from `before`."""
        if unit == "ratio":
            return self.checks.get(check, self.rate_tolerance)
        share = self.checks.get(check, self.tolerance) * abs(before)
        return max(share, _LEAST_MS) if unit == "ms" and check not in self.checks else share
