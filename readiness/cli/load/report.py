"""Result of a load -> the one JSON object that `readiness load --json` prints."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from readiness.cli.load.request import Asked
from readiness.cli.load.session import Session
from readiness.cli.load.words import amount_ms
from readiness.estimate import Estimate, needed, rate
from readiness.load.check import BODY_FAILED
from readiness.load.crew import Setup
from readiness.load.open import Schedule
from readiness.load.result import Result
from readiness.load.series import Series
from readiness.load.workers import cores

_Z = 1.959963984540054
_LEAST_SECONDS = 1e-3
_KEPT_UP_SHARE = 0.95
_NEAR_CEILING = 0.8
_SILENT_SECONDS, _MISSED = 0.5, 20
"""A service fell silent that succeeds no more for so long, in which so many were to be expected."""
_OBSERVED = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}


def facts(
    asked: Asked, result: Result, session: Session, interrupted: str | None
) -> dict[str, Any]:
    """Return what was asked and what came of it: plain data, without a secret.

    Estimates are objects {value, low, high, n}, all but n null where n samples tell too little.
    """
    response, service, ceiling = result.response, result.service, session.ceiling
    estimates = {
        "requests_per_second": per_second(_counted(asked, result), result.seconds),
        "p50_ms": response.quantile(0.5),
        "p95_ms": response.quantile(0.95),
        "p99_ms": response.quantile(0.99),
        "service_p50_ms": service.quantile(0.5),
        "service_p99_ms": service.quantile(0.99),
        "success_rate": rate(result.successes, result.n - result.limited),
    }
    return {
        "url": asked.url,
        "method": asked.method,
        **_model(asked),
        **{name: estimate.model_dump() for name, estimate in estimates.items()},
        "observed": _observed(response),
        "max_ms": round(response.maximum_ms, 6) if response.n else None,
        "n": result.n,
        "timed": response.n,
        "seconds": round(result.seconds, 6) if result.seconds >= _LEAST_SECONDS else 0.0,
        "ceiling_requests_per_second": ceiling and round(ceiling, 1),
        "processes": asked.processes,
        "errors": errors(result),
        "rate_limited": result.limited,
        "lag_p99_ms": round(result.lag.point(0.99), 6) if result.lag.n else None,
        "setup": {"resolve_ms": _rounded(session.resolve_ms), **setup(result.setups)},
        "connections_opened": result.connections,
        "closed_by_server": result.closed_by_server,
        "cut_off": result.cut_off,
        "late": result.late,
        "clock": result.clock,
        "cpu": round(result.cpu, 4),
        "settled": result.settled,
        "drifting": result.drifting,
        "local_limit": result.local_limit or None,
        "aborted": result.aborted or None,
        "interrupted": interrupted,
        "warnings": warnings(asked, result, ceiling, interrupted),
    }


def _observed(times: Series) -> dict[str, float | None]:
    """Return the percentiles (ms) of these very samples, which no dependence takes away.

    Null where there are so few that hardly one lies beyond.
    """
    return {
        f"{name}_ms": round(times.point(q), 6) if times.n >= needed(q) else None
        for name, q in _OBSERVED.items()
    }


def _model(asked: Asked) -> dict[str, Any]:
    load = asked.load
    if not isinstance(load, Schedule):
        return {"model": "closed", "connections": load.users, "rate": None, "rate_to": None}
    stage = load.stages[0]
    return {
        "model": "open",
        "connections": load.in_flight,
        "rate": stage.rate,
        "rate_to": stage.to,
        "spacing": load.spacing,
    }


def _counted(asked: Asked, result: Result) -> int:
    """Return the successes to reckon a rate from: one less where the last one ended the time."""
    last = asked.requests is not None and result.offered >= asked.requests
    return max(0, result.in_window - last)


def per_second(count: int, seconds: float) -> Estimate:
    """Estimate a rate from `count` events in `seconds`, taken to come independently (Poisson).

    Score interval of a Poisson mean (Brown, Cai and DasGupta 2003, Statistica Sinica 13:19). It
    says how well the count tells the mean rate of this run, not what another run would give.
    """
    if seconds < _LEAST_SECONDS:
        return Estimate(value=None, low=None, high=None, n=count)
    middle, half = count + _Z * _Z / 2, _Z * math.sqrt(count + _Z * _Z / 4)
    low = max(0.0, middle - half) if count else 0.0
    return Estimate(
        value=count / seconds, low=low / seconds, high=(middle + half) / seconds, n=count
    )


def errors(result: Result) -> Mapping[str, Mapping[str, int]]:
    """Return what was no success: faults by kind, answers by status; most frequent first.

    An answer of a wanted status with another body than wanted is of the kind `body`.
    """
    kinds: dict[str, int] = {str(kind): count for kind, count in result.faults.items()}
    statuses: dict[str, int] = {}
    for code, count in result.codes.items():
        if code >= BODY_FAILED:
            kinds["body"] = kinds.get("body", 0) + count
        elif code > 0 and not result.check.succeeded(code):
            statuses[str(code)] = count
    return {"kind": _ordered(kinds), "status": _ordered(statuses)}


def _ordered(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def setup(setups: Sequence[Setup]) -> dict[str, float | None]:
    """Return the medians (ms) of what connections took to be made; TLS null without it.

    They come in bursts and depend on each other, so there is no interval.
    """
    return {
        "connect_p50_ms": _median([s.connect for s in setups]),
        "tls_p50_ms": _median([s.secure - s.connect for s in setups if s.secure]),
        "first_byte_p50_ms": _median([s.first_byte for s in setups]),
    }


def _median(nanoseconds: Sequence[int]) -> float | None:
    return _rounded(statistics.median(nanoseconds) / 1e6) if nanoseconds else None


def _rounded(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds, 6)


def _answer_ms(result: Result) -> float:
    """Return what an answer takes, ms: the median of those timed, else of the first ones."""
    if result.service.n:
        return result.service.point(0.5)
    first = _median([s.first_byte for s in result.setups])
    return 0.0 if first is None else first


def warnings(
    asked: Asked, result: Result, ceiling: float | None, interrupted: str | None
) -> list[str]:
    """Return why these figures may not be what they seem, the gravest reason first."""
    most = (ceiling or math.inf) * min(asked.processes, len(cores()), asked.connections)
    queued = result.queued / result.offered if result.offered else 0.0
    arrived = result.offered / result.seconds
    took = _answer_ms(result)
    missed = result.silent * result.throughput  # successes, had it gone on as before
    dead = result.silent > _SILENT_SECONDS and missed > _MISSED
    overloaded = result.drifting and result.throughput < _KEPT_UP_SHARE * arrived
    found = {
        f"PARTIAL: interrupted by {interrupted}": interrupted,
        f"given up early: {result.aborted}": result.aborted,
        f"this machine may be what was slow: {result.local_limit}": result.local_limit,
        f"{most:,.0f} requests/s is about what this machine can send at all: the service may "
        "bear more": result.throughput > _NEAR_CEILING * most,
        "timed answers that came over connections which answered what nobody asked: "
        f"{result.untrusted:,}; times and throughput cannot be believed": result.untrusted,
        "answers longer than 1 MiB, given up there and timed until then: "
        f"{result.cut_bodies:,}": result.cut_bodies,
        "requests sent again, on a new connection, since the service had closed theirs without a "
        f"word: {result.retried:,}": result.retried,
        f"requests refused with 429 (too many): {result.limited:,}; what is left does not show "
        "what the service can do": result.limited,
        f"an answer takes {amount_ms(took)}, and timing took {amount_ms(result.seconds * 1000)}: "
        "throughput is not what is served. Use a longer -d": result.successes
        and asked.requests is None
        and not (interrupted or result.aborted)
        and result.seconds * 1000 < 2 * took,
        f"nothing succeeded in the last {result.silent:.1f} s: the service may have died": dead,
        "times had not settled when timing began": result.response.n and not result.settled,
        f"{arrived:,.0f} requests/s were asked for and {result.throughput:,.0f} served: it is "
        "overloaded, and times are the longer the longer this lasts": overloaded,
        "times drifted while they were taken: another run may give others": result.drifting
        and not overloaded,
        f"{queued:.0%} of the requests found all {asked.connections:,} connections busy, which is "
        "in their response time: more --connections tell whether the service or this limit "
        "holds them up": result.crowded,
        f"this process, or the whole machine, stood still: {result.stalled:,} times; what that "
        "touched is not timed": result.stalled,
        "requests without an answer when it ended, which are in no count: "
        f"{result.cut_off:,}": result.cut_off,
        f"answers not timed, since sent too late, or a clock was set: {result.late:,}": result.late,
        "the closed model is blind to stalls: users who wait do not ask, so few of their "
        "requests meet one. Use --rate for latency": not isinstance(asked.load, Schedule),
    }
    return [text for text, holds in found.items() if holds]
