"""What one probe read from one service at one moment."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from readiness.estimate import Estimate
from readiness.failure import Failure

Value = bool | int | float | str | Estimate
Values = dict[str, Value]
"""Metric name -> value. Units live in the names (`p95_ms`, `response_bytes`); ratios are 0..1.

`<metric>_because` is text that explains `<metric>`, or says why it is absent.
"""


class Measurement(BaseModel):
    """The values one probe returned, or the failure that kept it from returning any.

    A probe that met the target's fault is tried once more: both attempts are kept, numbered.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    probe: str
    service: str
    attempt: int = 1
    started_at: datetime
    seconds: float
    values: Mapping[str, Value]
    failure: Failure | None = None
