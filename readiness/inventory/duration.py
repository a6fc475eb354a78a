"""A duration as people write it (`5s`, `200ms`, `1m30s`) -> seconds."""

import math
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = r"(\d{1,9}(?:\.\d{1,9})?)(us|ms|s|m|h)"
_PATTERN = r"^\d{1,9}(\.\d{1,9})?((us|ms|s|m|h)(\d{1,9}(\.\d{1,9})?(us|ms|s|m|h))*)?$"


def seconds(written: Any) -> float:
    """Return the seconds in `written`: a number is seconds, text carries its unit.

    ValueError if it is neither, is negative, or is not finite.
    """
    value = _seconds(written)
    if value is None or not math.isfinite(value) or value < 0:
        raise ValueError("must be a duration. Write it as in 5s, 200ms or 1m")
    return value


def _seconds(written: Any) -> float | None:
    if isinstance(written, bool) or not isinstance(written, int | float | str):
        return None
    if not isinstance(written, str):
        return float(written)
    if not re.fullmatch(_PATTERN, written, re.ASCII):
        return None
    parts = re.findall(_PART, written, re.ASCII)
    return sum(float(n) * _SECONDS[unit] for n, unit in parts) if parts else float(written)


Duration = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema(
        {
            "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": _PATTERN}],
            "examples": ["5s", "200ms", "1m"],
        }
    ),
]
"""A field of seconds, written `5s`, `200ms`, `1m` or as a plain number of seconds."""
