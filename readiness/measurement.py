"""What one probe read from one service at one moment."""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from readiness.estimate import Estimate
from readiness.failure import Failure, encodable

Value = bool | int | float | str | Estimate
Values = dict[str, Value]
"""Metric name -> value. Units live in the names (`p95_ms`, `response_bytes`); ratios are 0..1.

`<metric>_because` is text that explains `<metric>`, or says why it is absent.
"""

NOT_FINITE = ("nan", "inf", "-inf")
"""How a number that JSON cannot hold is kept: as text, which no check takes for a number."""


class Measurement(BaseModel):
    """The values one probe returned, or the failure that kept it from returning any.

    A probe that met the target's fault is tried once more: both attempts are kept, numbered.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    probe: str
    service: str
    attempt: Annotated[int, Field(ge=1)] = 1
    started_at: datetime
    seconds: float
    values: Mapping[str, Value]
    failure: Failure | None = None

    @field_validator("values", mode="wrap")
    @classmethod
    def _as_saved(
        cls, values: Mapping[str, Value], check: Callable[[Any], Mapping[str, Value]]
    ) -> Mapping[str, Value]:
        """Keep values as they are read back, so that both are judged alike."""
        if type(values) is dict and all(map(_is_plain, values.values())):
            return values  # what the check would find, at a tenth of its price
        return {name: _as_saved(value) for name, value in check(values).items()}


def _is_plain(value: object) -> bool:
    if type(value) is str:
        return value.isascii()
    if type(value) is float:
        return math.isfinite(value)
    return type(value) in (bool, int)


def _as_saved(value: Value) -> Value:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return encodable(value) if isinstance(value, str) and not value.isascii() else value


def number(value: Value | None) -> float | None:
    """Return a plain number as a finite float; None for anything else, or if it is too large."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
