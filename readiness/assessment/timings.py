"""Measurements of response times under load -> what a reviewer asks for beyond the percentiles."""

from collections.abc import Iterator, Mapping, Sequence

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


class CrowdRow(_Frozen):
    """What a load of users showed beyond success, throughput and times, in sentences."""

    service: str
    notes: tuple[str, ...]


def latest(measurements: Sequence[Measurement], probe: str) -> Mapping[str, Values]:
    """Return service -> what the last attempt of `probe` measured."""
    found = sorted((m for m in measurements if m.probe == probe), key=lambda m: m.attempt)
    return {m.service: m.values for m in found}


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
        for name, values in latest(measurements, "http_latency").items()
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
        for name, values in latest(measurements, "http_concurrency").items()
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
        for name, values in latest(measurements, "http_concurrency").items()
        if "knee_requests_per_second_because" in values
    )


def crowds(measurements: Sequence[Measurement]) -> tuple[CrowdRow, ...]:
    """Return a row for each service of which there is something to note."""
    rows = (
        CrowdRow(service=name, notes=tuple(_notes(values)))
        for name, values in latest(measurements, "http_concurrency").items()
    )
    return tuple(row for row in rows if row.notes)


def _notes(values: Values) -> Iterator[str]:
    """Tell connections that were closed, refusals for asking too often, and the shape of it all."""
    users = number(values.get("users_max"))
    at = f"users.{users:.0f}." if users is not None else ""
    n = number(values.get(f"{at}n")) or 0
    closed = number(values.get(f"{at}closed_by_server")) or 0
    limited = number(values.get(f"{at}rate_limited")) or 0
    if closed:
        kept = "does not keep connections alive" if closed > n / 2 else "closes connections"
        yield f"{kept}: {closed:.0f} closed in {n:.0f} requests at {users:.0f} users"
    if limited:
        yield (
            f"{limited:.0f} of {n:.0f} requests at {users:.0f} users were refused with 429: "
            "a limiter, no failure"
        )
    if "scalability" in values:
        yield f"Universal Scalability Law: {values['scalability']}"


def _estimate(value: Value | None) -> Estimate | None:
    return value if isinstance(value, Estimate) else None


def _bars(text: Value | None) -> tuple[int, ...]:
    try:
        return tuple(Histogram.decode(str(text)).bars(COLUMNS)) if text is not None else ()
    except ValueError:  # evidence may come from anywhere
        return ()
