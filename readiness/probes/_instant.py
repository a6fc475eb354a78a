"""An instant PromQL query -> the server's time, and the labels and value of each series."""

import math
from typing import Any

from readiness.failure import ProbeError
from readiness.probes._alert_rules import text_labels
from readiness.probes._backend import Backend, inner, rows

Series = list[tuple[dict[str, str], float]]


async def query(backend: Backend, asked: str) -> tuple[float, Series]:
    """Return the server's time of an instant query, and the labels and value of each series."""
    found = await backend.must_read("/api/v1/query", {"query": asked})
    if inner(found, "status") != "success":
        raise ProbeError("protocol", "GET /api/v1/query answered 200 without a result")
    series, now = [], 0.0
    for each in rows(inner(found, "data", "result")):
        moment, value = _sample(each.get("value"))
        now = max(now, moment)
        series.append((dict(text_labels(each.get("metric"))), value))
    return now, series


def _sample(value: Any) -> tuple[float, float]:
    try:
        moment, number = value
        return float(moment), float(number)
    except (TypeError, ValueError):
        return 0.0, math.nan
