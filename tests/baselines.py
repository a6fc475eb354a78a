"""Runs to compare with, built in one call."""

from typing import Any

from readiness.baseline import Baseline, Reading
from readiness.measurement import Value
from tests.judging import CRITERIA, NOW

P95 = "latency-p95"


def reading(check: str, value: Value, on: str = "api", **changes: Any) -> Reading:
    rule = CRITERIA.checks[check]
    body = {"check": check, "service": on, "metric": f"{rule.probe}.{rule.metric}", "value": value}
    return Reading.model_validate(body | changes)


def baseline(*readings: Reading, **changes: Any) -> Baseline:
    body: dict[str, Any] = {
        "asked": "main",
        "run_id": "4f1d2c3b9a8e7d60",
        "started_at": NOW,
        "value": 97,
        "services": ("api",),
        "readings": readings,
    }
    return Baseline.model_validate(body | changes)
