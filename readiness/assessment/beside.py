"""Comparisons with a reference -> a row for each service: how much slower, how surely, how far."""

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from readiness.estimate import Estimate
from readiness.finding import Finding
from readiness.measurement import Measurement, Value, number

PROBE, CHECK = "http_paired", "paired-time"

Standing = Literal["quicker", "as quick", "slower", "too close to call", "not known"]


class BesideRow(BaseModel):
    """One service beside its reference; times in ms, of pairs asked at the same moments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: str
    reference: str
    """System, version and environment."""
    standing: Standing
    outcome: Literal["pass", "warn", "fail", "unknown"]
    because: str
    """Why it is not known; empty if it is."""
    p50_ms: Estimate | None
    p95_ms: Estimate | None
    reference_p50_ms: Estimate | None
    reference_p95_ms: Estimate | None
    shift_ms: Estimate | None
    time_ratio: Estimate | None
    slower_probability: Estimate | None
    p_value: float | None
    pairs: int
    success_rate: Estimate | None
    reference_success_rate: Estimate | None


def beside(
    measurements: Sequence[Measurement], findings: Sequence[Finding]
) -> tuple[BesideRow, ...]:
    """Return a row for each service that has a reference to be compared with."""
    judged = {f.service: f for f in findings if f.check == CHECK}
    found = sorted((m for m in measurements if m.probe == PROBE), key=lambda m: m.attempt)
    last = {m.service: m for m in found}
    return tuple(
        _row(judged[name], m)
        for name, m in last.items()
        if name in judged and judged[name].outcome != "not_applicable"
    )


def alone(findings: Sequence[Finding]) -> Mapping[str, str]:
    """Return the services without a reference, each with the reason."""
    return {
        f.service: f.because for f in findings if f.check == CHECK and f.outcome == "not_applicable"
    }


def _row(finding: Finding, measurement: Measurement) -> BesideRow:
    values = measurement.values
    names = ("p50_ms", "p95_ms", "shift_ms", "time_ratio", "slower_probability", "success_rate")
    theirs = ("reference_p50_ms", "reference_p95_ms", "reference_success_rate")
    standing = _standing(finding)
    return BesideRow(
        service=finding.service,
        reference=str(values.get("reference", "")),
        standing=standing,
        outcome=finding.outcome,
        because=finding.because if standing == "not known" else "",
        p_value=number(values.get("p_value")),
        pairs=int(number(values.get("pairs")) or 0),
        **{name: _estimate(values.get(name)) for name in (*names, *theirs)},
    )


def _standing(finding: Finding) -> Standing:
    ratio = finding.measured
    if not isinstance(ratio, Estimate) or ratio.low is None or ratio.high is None:
        return "not known"
    if ratio.high < 1:
        return "quicker"
    if finding.outcome == "pass":
        return "as quick"
    return "slower" if finding.outcome == "fail" or ratio.low > 1 else "too close to call"


def _estimate(value: Value | None) -> Estimate | None:
    return value if isinstance(value, Estimate) else None
