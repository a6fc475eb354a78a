"""How often the 95 % intervals hold the truth, on simulated services of known quantiles."""

from benchmarks import coverage
from benchmarks.load.table import Bound, at_most, number, show

_RUNS = 1000
_SIZES = (100, 400, 3000)
_MANY = 3000
_CHANCE = 1.1
"""Two standard errors of a share near 97 % over so many runs, %."""


def run(rounds: int, seconds: float) -> list[Bound]:
    # a run shorter than what lies between two stalls knows of none: no interval holds for that
    services = [s.name for s in coverage.SERVICES if s.name != "stall"]
    rows, all_sizes, many = [], [], []
    for (service, n), found in coverage.every(list(_SIZES), _RUNS, seed=1, only=services):
        for (way, q), seen in found.items():
            if seen.stated:
                shares = (number(100 * s, 1) for s in (seen.stated / seen.runs, seen.covered))
                name = [service.name, service.dependence, way, str(n), f"p{q * 100:g}"]
                rows.append([*name, *shares])
                all_sizes.append(100 * seen.covered)
            if n >= _MANY and q < 0.99 and way == "raw":
                many.append(100 * seen.covered)
    head = ["service", "dependence", "kept", "n", "quantile", "stated %", "covered %"]
    show(f"95 % intervals in {_RUNS:,} runs", head, rows)
    return [
        Bound("intervals: least coverage", min(all_sizes), 94, unit=" %"),
        at_most("intervals: greatest, p50 and p95 of 3,000", max(many), 97 + _CHANCE, " %"),
    ]
