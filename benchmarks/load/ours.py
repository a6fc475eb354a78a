"""`readiness load` as one of the clients: the one file here that knows its options and output."""

import json
import sys
from dataclasses import dataclass, field
from typing import Any

from benchmarks.load.peer import Broken, Figures, Load, pinned

NAME = "readiness"
_GRACE = 40


@dataclass(frozen=True)
class Ours(Figures):
    """Our figures; `p99_ms` counts from the intended start, `service_p99_ms` from the sent one."""

    service_p50_ms: float | None = None
    service_p99_ms: float | None = None
    lag_p99_ms: float | None = None
    ceiling: float | None = None
    success_rate: float | None = None
    n: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    """Errors by their class."""
    local_limit: str = ""
    """Why it would not judge by these figures."""


def measure(load: Load, *options: str) -> Ours:
    """Play `load` and return what it says; Broken if that is no report."""
    said, cpu = _report(load, *options)
    ours = {name: _value(said, name) for name in ("p50_ms", "p95_ms", "p99_ms", "success_rate")}
    service = {f"service_{q}_ms": _value(said, f"service_{q}_ms") for q in ("p50", "p99")}
    errors = said["errors"]
    failures = sum(errors["kind"].values()) + sum(errors["status"].values())
    return Ours(
        requests_per_second=_value(said, "requests_per_second") or 0.0,
        failures=failures,
        cpu=cpu,
        lag_p99_ms=said.get("lag_p99_ms"),
        ceiling=said.get("ceiling_requests_per_second"),
        n=said["n"],
        kinds=errors["kind"],
        local_limit=said.get("local_limit") or "",
        **ours,
        **service,
    )


def _report(load: Load, *options: str) -> tuple[dict[str, Any], float]:
    pace = [] if load.rate is None else ["--rate", str(load.rate)]
    command = [sys.executable, "-m", "readiness", "load", load.url, "-c", str(load.users)]
    command += ["-d", f"{load.seconds:g}", *pace, "--json", *options]
    if load.certificate:  # the way to trust it that every Python program has
        command = ["env", f"SSL_CERT_FILE={load.certificate}", *command]
    out, cpu = pinned(command, load.seconds + _GRACE)
    try:
        return json.loads(out), cpu
    except ValueError:
        last = (out.strip().splitlines() or ["nothing"])[-1]
        raise Broken(f"{NAME}: no JSON, it said: {last[:100]}") from None


def _value(said: dict[str, Any], name: str) -> float | None:
    return (said.get(name) or {}).get("value")


def timeout(seconds: float) -> list[str]:
    """Return the options that give each request no more than `seconds`."""
    return ["--timeout", f"{seconds:g}s"]


def knee(url: str, limit_ms: float) -> float:
    """Search for the greatest rate with p99 <= `limit_ms`, 1/s; arrivals are other ones each time.

    Broken if the search says that it found less than the knee.
    """
    command = [sys.executable, "-m", "readiness", "load", url, "--json"]
    out, _ = pinned([*command, "--knee", f"p99<{limit_ms:g}ms"], 2 * _GRACE)
    try:
        said = json.loads(out)
    except ValueError:
        raise Broken(f"{NAME}: the search for the knee gave no JSON") from None
    found = _value(said, "knee_requests_per_second")
    if found is None or said["at_least"]:
        raise Broken(f"{NAME}: the search for the knee ended for {said['reason']}")
    return found
