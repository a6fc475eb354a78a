"""Result of a load -> what people read when it is over."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from readiness.cli.load.request import Asked
from readiness.cli.load.words import amount_ms, bar, load_words, spread
from readiness.escape import ci_log
from readiness.estimate import Estimate, needed
from readiness.histogram import Histogram
from readiness.load.result import Result
from readiness.load.series import Series
from readiness.quantity import amount

_ROWS = 8
_LEAST_STEP = 0.03
"""Between two rows, as a logarithm: nearer ones would be written alike."""
_BAR_WIDTH = 40
_CELL = 34
_LEAST_DRAWN = 20


def text(asked: Asked, result: Result, facts: Mapping[str, Any]) -> str:
    """Return the lines that say what was asked, what came of it, and what to doubt."""
    lines = [
        "",
        f"{asked.method} {ci_log(asked.url)}",
        f"{load_words(asked)}; {_timed(facts['seconds'])}",
        "",
        *_outcome(result, facts),
        "",
        *_times(result),
        *_drawing(result.response.histogram()),
        "",
        *_client(result, facts),
    ]
    if facts["warnings"]:
        lines += ["", *(f"! {ci_log(warning)}" for warning in facts["warnings"])]
    return "\n".join(lines)


def _seconds(value: float) -> str:
    return f"{value:,.1f} s" if value >= 1 else amount_ms(value * 1000)


def _outcome(result: Result, facts: Mapping[str, Any]) -> Iterator[str]:
    asked = f"{result.n:,}, warm-up included"
    yield _row("requests", asked)
    counted = result.n - result.limited
    share = Estimate(**facts["success_rate"])
    if share.value is not None and share.low is not None and share.high is not None:
        low, high = amount(share.low, "ratio"), amount(share.high, "ratio")
        yield _row(
            "success",
            f"{amount(share.value, 'ratio')} ({low.removesuffix(' %')} to {high}), "
            f"{result.successes:,} of {counted:,}",
        )
    speed = Estimate(**facts["requests_per_second"])
    if speed.value is not None:
        yield _row(
            "throughput",
            f"{_rate(speed.value)} req/s ({_rate(speed.low)} to "
            f"{_rate(speed.high)}) answered with success",
        )
    if failed := _failed(facts["errors"]):
        yield _row("errors", failed)
    if result.limited:
        yield _row("rate limited", f"{result.limited:,} refused with 429, no failures")
    if result.first_fault:
        yield _row("first fault", ci_log(f"{result.first_fault.kind}: {result.first_fault.detail}"))


def _rate(value: float | None) -> str:
    return "?" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _failed(errors: Mapping[str, Mapping[str, int]]) -> str:
    kinds = [f"{kind} {count:,}" for kind, count in errors["kind"].items()]
    statuses = [
        f"HTTP {status} {count:,}" for status, count in errors["status"].items() if status != "429"
    ]
    return ", ".join(kinds + statuses)


def _times(result: Result) -> Iterator[str]:
    if not result.response.n:
        yield "No answer was timed."
        return
    both = (result.response, result.service)
    yield _row("", _columns("response time", "service time"))
    for percent in (50, 95, 99):
        yield _row(f"p{percent}", _columns(*(_percentile(times, percent) for times in both)))
    yield _row("max", _columns(*(amount_ms(times.maximum_ms) for times in both)))
    n, unknown = result.response.n, _unknown(result.response)
    few = [f"p{percent} {needed(percent / 100)}" for percent in unknown if not unknown[percent]]
    if few:
        yield _row("", f"{n:,} answers were timed; needed are, for {', '.join(few)}.")
    if any(unknown.values()):
        yield _row("", "~ without interval: too much alike one after the other. Run longer.")


def _timed(seconds: float) -> str:
    return f"{_seconds(seconds)} timed" if seconds else "ended before it was warm"


def _unknown(times: Series) -> Mapping[int, bool]:
    """Return the percentiles without an interval, and whether there are samples enough for one."""
    asked = {percent: times.quantile(percent / 100) for percent in (50, 95, 99)}
    return {p: times.n >= needed(p / 100) for p, found in asked.items() if found.value is None}


def _percentile(times: Series, percent: int) -> str:
    estimate = times.quantile(percent / 100)
    if estimate.value is None and times.n >= needed(percent / 100):
        return f"~{amount_ms(times.point(percent / 100))}"
    return spread(estimate)


def _columns(response: str, service: str) -> str:
    return f"{response:<{_CELL}}{service}"


def _row(name: str, value: str) -> str:
    return f"{name:<14}  {value}"


def _drawing(found: Histogram) -> Iterator[str]:
    """Yield the distribution of response times, in steps of equal ratio."""
    if found.n < _LEAST_DRAWN or found.minimum is None or found.maximum is None:
        return
    low, ratio = max(1, found.minimum), found.maximum / max(1, found.minimum)
    yield ""
    rows = max(1, min(_ROWS, int(math.log(ratio) / _LEAST_STEP)))
    for row, count in enumerate(found.bars(rows), 1):
        top = amount_ms(low * ratio ** (row / rows) / 1e6)
        drawn = bar(count / found.n, _BAR_WIDTH)
        yield f"  to {top:>10}  {count:>11,}  {drawn}".rstrip()


def _client(result: Result, facts: Mapping[str, Any]) -> Iterator[str]:
    opened = f"{result.connections:,} opened, {result.closed_by_server:,} closed by the server"
    yield _row("connections", opened)
    medians = [
        f"{amount_ms(median)} {what}"
        for key, what in _SETUP.items()
        if (median := facts["setup"][key]) is not None
    ]
    if medians:
        yield _row("", ", ".join(medians) + " (medians)")
    late = facts["lag_p99_ms"]
    lag = "" if late is None else f"requests {amount_ms(late)} late (p99), "
    stamps = "the kernel" if result.clock == "kernel" else "this process"
    used = f"{result.cpu:.0%} of one processor, answers stamped by {stamps}"
    yield _row("this client", lag + used)


_SETUP = {
    "resolve_ms": "to resolve the name",
    "connect_p50_ms": "to connect",
    "tls_p50_ms": "for TLS",
    "first_byte_p50_ms": "to the first byte",
}
