"""Measurements of response times under load -> what a reviewer asks for beyond the percentiles."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from readiness.estimate import Estimate
from readiness.histogram import Histogram
from readiness.measurement import Measurement, Value, number

COLUMNS = 16

Values = Mapping[str, Value]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TimingRow(_Frozen):
    """How response times are spread, from the fastest to the slowest in steps of equal ratio."""

    service: str
    bars: tuple[int, ...]
    """Answers in each of COLUMNS steps; empty if that was not kept."""
    max_ms: float | None
    stable: bool | None
    """Whether times had settled and did not drift; None if that is not known."""
    clock: str
    """Who stamped the answers: `kernel` or `process`."""


class RateRow(_Frozen):
    """What happened at the rate that the inventory declares."""

    service: str
    rate: float
    requests_per_second: float | None
    success_rate: Estimate | None
    p95_ms: Estimate | None
    errors: str


class KneeRow(_Frozen):
    """The greatest rate that holds the limit of p95."""

    service: str
    rate: float | None
    because: str
    recovered_seconds: float | None


def timings(measurements: Sequence[Measurement]) -> tuple[TimingRow, ...]:
    """Return a row for each service whose latency was timed."""
    return tuple(
        TimingRow(
            service=name,
            bars=_bars(values.get("distribution")),
            max_ms=number(values.get("max_ms")),
            stable=stable if isinstance(stable := values.get("stable"), bool) else None,
            clock=str(values["clock"]),
        )
        for name, values in _of(measurements, "http_latency").items()
        if "clock" in values
    )


def rates(measurements: Sequence[Measurement]) -> tuple[RateRow, ...]:
    """Return a row for each service with a declared rate that was tried."""
    return tuple(
        RateRow(
            service=name,
            rate=rate,
            requests_per_second=number(values.get("at_rate.requests_per_second")),
            success_rate=_estimate(values.get("at_rate.success_rate")),
            p95_ms=_estimate(values.get("at_rate.p95_ms")),
            errors=str(values.get("at_rate.errors", "")),
        )
        for name, values in _of(measurements, "http_concurrency").items()
        if (rate := number(values.get("target_rate"))) is not None
    )


def knees(measurements: Sequence[Measurement]) -> tuple[KneeRow, ...]:
    """Return a row for each service whose knee was searched."""
    return tuple(
        KneeRow(
            service=name,
            rate=number(values.get("knee_requests_per_second")),
            because=str(values["knee_requests_per_second_because"]),
            recovered_seconds=number(values.get("recovered_seconds")),
        )
        for name, values in _of(measurements, "http_concurrency").items()
        if "knee_requests_per_second_because" in values
    )


def _of(measurements: Sequence[Measurement], probe: str) -> Mapping[str, Values]:
    found = sorted((m for m in measurements if m.probe == probe), key=lambda m: m.attempt)
    return {m.service: m.values for m in found}


def _estimate(value: Value | None) -> Estimate | None:
    return value if isinstance(value, Estimate) else None


def _bars(text: Value | None) -> tuple[int, ...]:
    try:
        return tuple(Histogram.decode(str(text)).bars(COLUMNS)) if text is not None else ()
    except ValueError:  # evidence may come from anywhere
        return ()
