"""How often an unchanged release is said to have regressed, and a slower one is not.

`python -m benchmarks.regression` simulates releases of a system of 12 services, each with a
median, a p95, a p99 and a success rate, compares them as `--baseline` does, and prints tables.
It takes a minute or two.
"""

import argparse
import math
import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from readiness.assessment.model import evaluate
from readiness.baseline import Baseline, Reading, spread
from readiness.criteria import bundled_criteria
from readiness.estimate import Estimate, quantile, rate
from readiness.evidence import Evidence, Tool
from readiness.inventory import Inventory
from readiness.looks import Looks
from readiness.measurement import Measurement

SERVICES = [f"s{n}" for n in range(12)]
METRICS = ("latency-p50", "latency-p95", "latency-p99", "success-rate")
NAMES = {"latency-p50": "p50_ms", "latency-p95": "p95_ms", "latency-p99": "p99_ms"} | {
    "success-rate": "success_rate"
}
CRITERIA = bundled_criteria()
CRITERIA = CRITERIA.model_copy(update={"checks": {c: CRITERIA.checks[c] for c in METRICS}})
INVENTORY = Inventory.model_validate(
    {
        "version": 1,
        "system": {"name": "simulated"},
        "services": {name: {"kind": "http", "url": "http://localhost:1"} for name in SERVICES},
    }
)
NOW = "2026-01-01T00:00:00Z"
SLOWER = 1.25
MEDIAN_MS, SIGMA = 40.0, 0.4
"""Of the log-normal response times: a p95 of 77 ms and a p99 of 101 ms."""

Values = dict[str, Estimate]


class Rates(NamedTuple):
    """Shares of simulated releases."""

    false_alarm: float
    """At least one metric of an unchanged system is said to have regressed."""
    found: dict[str, float]
    """A metric that is 25 % slower on one service is said so."""


def pool(n: int, size: int, rnd: random.Random) -> list[Values]:
    """Return what `size` measurements of one unchanging service say, of `n` samples each."""
    return [_measured(n, rnd) for _ in range(size)]


def _measured(n: int, rnd: random.Random) -> Values:
    times = [rnd.lognormvariate(math.log(MEDIAN_MS), SIGMA) for _ in range(n)]
    levels = {"latency-p50": 0.5, "latency-p95": 0.95, "latency-p99": 0.99}
    answered = sum(rnd.random() < 0.999 for _ in range(n))
    looks = Looks(checks=len(SERVICES) * len(METRICS))  # as sure as the gate's checks are
    of = {c: looks.sides(1, (one.target, one.limit)) for c, one in CRITERIA.checks.items()}
    return {check: quantile(times, q, of[check]) for check, q in levels.items()} | {
        "success-rate": rate(answered, n, of["success-rate"])
    }


def simulate(
    measured: Sequence[Values], releases: int, noise: float, learned: int, rnd: random.Random
) -> Rates:
    """Compare `releases` with what came before them.

    From run to run each service is faster or slower by `noise` (a standard deviation, as a share),
    of which `learned` earlier runs tell.
    """
    alarms, found = 0, dict.fromkeys(METRICS[:3], 0)
    for _ in range(releases):
        before = {
            name: [_run(measured, noise, rnd) for _ in range(learned + 1)] for name in SERVICES
        }
        now = {name: _run(measured, noise, rnd) for name in SERVICES}
        alarms += bool(_regressed(before, now))
        slow = {**now, "s0": _scaled(now["s0"], SLOWER)}
        worse = _regressed(before, slow)
        for check in found:
            found[check] += (check, "s0") in worse
    return Rates(alarms / releases, {check: n / releases for check, n in found.items()})


def _run(measured: Sequence[Values], noise: float, rnd: random.Random) -> Values:
    return _scaled(rnd.choice(measured), math.exp(rnd.gauss(0, noise)))


def _scaled(values: Values, factor: float) -> Values:
    return {
        check: e if check == "success-rate" or e.value is None else _times(e, factor)
        for check, e in values.items()
    }


def _times(e: Estimate, factor: float) -> Estimate:
    assert e.value is not None and e.low is not None and e.high is not None
    ends = {"value": e.value * factor, "low": e.low * factor, "high": e.high * factor}
    return e.model_copy(update=ends)


def _regressed(
    before: dict[str, list[Values]], now: dict[str, Values]
) -> frozenset[tuple[str, str]]:
    readings = tuple(
        Reading(
            check=check,
            service=name,
            metric=f"http_latency.{NAMES[check]}",
            value=runs[-1][check],
            spread=spread(seen),
            runs=len(seen),
        )
        for name, runs in before.items()
        for check in METRICS
        if runs[-1][check].value is not None
        for seen in [[v for v in (run[check].value for run in runs[:-1]) if v is not None]]
    )
    baseline = Baseline(
        asked="last", run_id="a", started_at=NOW, value=0, services=SERVICES, readings=readings
    )
    found = evaluate(_evidence(now, baseline), CRITERIA).comparison
    return frozenset(change.key for change in found.regressed) if found else frozenset()


def _evidence(now: dict[str, Values], baseline: Baseline) -> Evidence:
    run: dict[str, Any] = {"started_at": NOW, "finished_at": NOW, "environment": "local"}
    measurements = tuple(
        Measurement(
            probe="http_latency",
            service=name,
            started_at=NOW,
            seconds=1,
            values={NAMES[check]: e for check, e in values.items()},
        )
        for name, values in now.items()
    )
    return Evidence(
        tool=Tool(version="0"),
        run_id="b",
        inventory=INVENTORY,
        allowed=(),
        measurements=measurements,
        baseline=baseline,
        **run,
    )


def tables(releases: int, seed: int) -> Iterator[str]:
    """Yield the lines of the report."""
    rnd = random.Random(seed)
    pools = {n: pool(n, 400, rnd) for n in (100, 400, 1000)}
    yield f"{releases} releases of 12 services, 48 metrics; seed {seed}"
    yield ""
    yield "| n | noise | runs learned from | false alarm | +25 % p50 | +25 % p95 | +25 % p99 |"
    yield "|--:|--:|--:|--:|--:|--:|--:|"
    cases = [(n, 0.0, 0) for n in pools]
    cases += [(400, noise, learned) for noise in (0.02, 0.05, 0.1) for learned in (0, 8, 40)]
    for n, noise, learned in cases:
        found = simulate(pools[n], releases, noise, learned, rnd)
        power = " | ".join(f"{share * 100:.0f} %" for share in found.found.values())
        known = learned or "none"
        yield (
            f"| {n} | {noise * 100:.0f} % | {known} | {found.false_alarm * 100:.1f} % | {power} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--releases", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    for line in tables(asked.releases, asked.seed):
        print(line, flush=True)


if __name__ == "__main__":
    main()
