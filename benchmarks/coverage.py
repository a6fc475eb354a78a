"""How often the 95 % intervals hold the truth, on simulated services of known quantiles.

Run: python benchmarks/coverage.py [--runs 1000] [--sizes 100,400,3000] [--only mm1] [--seed 1]
     python benchmarks/coverage.py --histogram     what counting a sample costs, beside hdrhistogram

`covered` is of the intervals stated, `wrong` of all runs. A run of fewer samples than a quantile
needs states none; one whose samples are dependent states a wider one.
"""

import argparse
import math
import random
import statistics
import sys
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from readiness.estimate import Estimate, quantile
from readiness.histogram import Histogram
from readiness.load.series import Series

QUANTILES = (0.5, 0.95, 0.99)
RAW = 1000
"""Samples that the series of the binned rows keeps: its intervals come from batches alone."""


@dataclass(frozen=True)
class Service:
    """Times in ms, in order; and the `q` quantile that they have in the long run."""

    name: str
    dependence: str
    sample: Callable[[random.Random, int], list[float]]
    truth: Callable[[float], float]


def exponential(source: random.Random, n: int) -> list[float]:
    return [source.expovariate(1) for _ in range(n)]


def lognormal(source: random.Random, n: int) -> list[float]:
    return [source.lognormvariate(0, 1) for _ in range(n)]


def bimodal(source: random.Random, n: int) -> list[float]:
    """Answer from a cache, and 3 % of the time from behind it."""
    return [
        source.gauss(200, 5) if source.random() < 0.03 else source.gauss(5, 0.5) for _ in range(n)
    ]


def autoregressive(rho: float, source: random.Random, n: int) -> list[float]:
    """Return exponentials under the copula of a Gaussian AR(1) (ranks are all that matters)."""
    scale, gauss = math.sqrt(1 - rho * rho), source.gauss
    normal = accumulate(
        (gauss(0, scale) for _ in range(n - 1)),
        lambda last, step: rho * last + step,
        initial=gauss(0, 1),
    )
    return [-math.log(max(1e-300, math.erfc(z / math.sqrt(2)) / 2)) for z in normal]


def markov_queue(load: float, source: random.Random, n: int) -> list[float]:
    """Return the response times of a stationary M/M/1 queue that serves one request per ms."""
    waiting = source.expovariate(1 - load) if source.random() < load else 0.0
    times = []
    for _ in range(n):
        times.append(waiting + source.expovariate(1))
        waiting = max(0.0, times[-1] - source.expovariate(load))
    return times


def constant_queue(load: float, source: random.Random, n: int) -> list[float]:
    """Return the waiting times of an M/D/1 queue that serves each request in 1 ms, run in."""
    waiting, times = 0.0, []
    for _ in range(n + 1000):
        times.append(waiting)
        waiting = max(0.0, waiting + 1 - source.expovariate(load))
    return times[1000:]


def stalling(rate: float, source: random.Random, n: int) -> list[float]:
    """Answer within 1 ms, but stand still for 500 ms every 5 s; Poisson arrivals per second."""
    now, times = source.uniform(0, 5000), []
    for _ in range(n):
        now += source.expovariate(rate / 1000)
        times.append(max(0.0, 500 - now % 5000) + source.random())
    return times


def solved(distribution: Callable[[float], float], q: float) -> float:
    """Return where an increasing distribution function reaches q, by bisection."""
    low, high = 0.0, 500.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if distribution(middle) < q else (low, middle)
    return low


def bimodal_below(x: float) -> float:
    fast, slow = statistics.NormalDist(5, 0.5), statistics.NormalDist(200, 5)
    return 0.97 * fast.cdf(x) + 0.03 * slow.cdf(x)


def stalling_below(x: float) -> float:
    """Return 0.9 uniform(0, 1) + 0.1 (uniform(0, 500) + uniform(0, 1)), up to 500."""
    late = x * x / 2 if x < 1 else x - 0.5
    return 0.9 * min(1.0, x) + 0.1 * late / 500


def waiting_below(load: float, x: float) -> float:
    """Return the stationary M/D/1 waiting time's distribution (Erlang 1909); exact up to 30 ms."""
    terms = (
        (load * (k - x)) ** k / math.factorial(k) * math.exp(-load * (k - x))
        for k in range(int(min(x, 30)) + 1)
    )
    return 1.0 if x > 30 else (1 - load) * math.fsum(terms)


def exponential_truth(scale: float, q: float) -> float:
    return -math.log(1 - q) * scale


SERVICES = (
    Service("exponential", "none", exponential, partial(exponential_truth, 1)),
    Service("lognormal", "none", lognormal, lambda q: math.exp(statistics.NormalDist().inv_cdf(q))),
    Service("bimodal", "none", bimodal, partial(solved, bimodal_below)),
    *(
        Service("ar1", f"rho {rho}", partial(autoregressive, rho), partial(exponential_truth, 1))
        for rho in (0.2, 0.5, 0.9)
    ),
    *(
        Service(
            "mm1",
            f"load {load}",
            partial(markov_queue, load),
            partial(exponential_truth, 1 / (1 - load)),
        )
        for load in (0.5, 0.8)
    ),
    Service(
        "md1",
        "load 0.8",
        partial(constant_queue, 0.8),
        partial(solved, partial(waiting_below, 0.8)),
    ),
    Service("stall", "100 req/s", partial(stalling, 100), partial(solved, stalling_below)),
)


@dataclass(frozen=True)
class Coverage:
    """What came of many runs at one quantile."""

    runs: int
    stated: int
    held: int
    width: float
    """Mean width of the intervals, as a share of the truth."""

    @property
    def covered(self) -> float:
        """Which part of the intervals held the truth; 1 if there was none to be wrong."""
        return self.held / self.stated if self.stated else 1.0

    @property
    def wrong(self) -> float:
        """Which part of all runs stated an interval without the truth."""
        return (self.stated - self.held) / self.runs


def raw(samples: list[float]) -> Callable[[float], Estimate]:
    return partial(quantile, samples)


def binned(samples: list[float]) -> Callable[[float], Estimate]:
    series = Series(raw=RAW)
    series.add(array("q", [round(sample * 1e6) for sample in samples]))
    return series.quantile


def covered(service: Service, n: int, runs: int, seed: int) -> dict[tuple[str, float], Coverage]:
    """Simulate `runs` runs of `n` requests, and count the intervals that hold the truth.

    The keys are ("raw" or "bins", quantile); of short runs there are no bins.
    """
    source = random.Random(f"{service.name} {service.dependence} {n} {seed}")
    ways = {"raw": raw, "bins": binned} if n > 2 * RAW else {"raw": raw}
    found: dict[tuple[str, float], list[Estimate]] = {(w, q): [] for w in ways for q in QUANTILES}
    for _ in range(runs):
        samples = service.sample(source, n)
        for way, kept in ways.items():
            estimate = kept(samples)
            for q in QUANTILES:
                found[way, q].append(estimate(q))
    return {key: summed(estimates, service.truth(key[1])) for key, estimates in found.items()}


def summed(estimates: list[Estimate], truth: float) -> Coverage:
    ends = [(e.low, e.high) for e in estimates if e.low is not None and e.high is not None]
    return Coverage(
        runs=len(estimates),
        stated=len(ends),
        held=sum(low <= truth <= high for low, high in ends),
        width=statistics.fmean(high - low for low, high in ends) / truth if ends else math.nan,
    )


def job(place: int, n: int, runs: int, seed: int) -> dict[tuple[str, float], Coverage]:
    return covered(SERVICES[place], n, runs, seed)


Found = dict[tuple[str, float], Coverage]


def every(
    sizes: list[int], runs: int, seed: int, only: Sequence[str]
) -> Iterator[tuple[tuple[Service, int], Found]]:
    """Yield (service, size) and what came of its runs, for the services of these names."""
    chosen = [place for place, service in enumerate(SERVICES) if service.name in only]
    cases = [(place, n) for place in chosen for n in sizes]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        results = pool.map(partial(job, runs=runs, seed=seed), *zip(*cases, strict=True))
        for (place, n), found in zip(cases, results, strict=True):
            yield (SERVICES[place], n), found


def table(sizes: list[int], runs: int, seed: int, only: str) -> Iterator[str]:
    yield (
        f"{'service':12}{'dependence':12}{'kept':6}{'n':>6}"
        f"{'':6}{'stated':>8}{'covered':>9}{'wrong':>8}{'width/truth':>13}"
    )
    named = [service.name for service in SERVICES if only in service.name]
    for (service, n), found in every(sizes, runs, seed, named):
        for (way, q), seen in found.items():
            label = f"{service.name:12}{service.dependence:12}{way:6}{n:6}"
            yield f"{label}  p{q * 100:<3g}{numbers(seen)}"


def numbers(seen: Coverage) -> str:
    stated = f"{seen.stated / seen.runs:8.0%}"
    if not seen.stated:
        return f"{stated}{'-':>9}{'-':>8}{'-':>13}"
    return f"{stated}{seen.covered:9.1%}{seen.wrong:8.1%}{seen.width:13.3f}"


def counting(n: int = 1_000_000) -> Iterator[str]:
    """Compare what a million samples cost; the best of five."""
    source = random.Random(1)
    values = array("q", [round(source.lognormvariate(15, 0.7)) for _ in range(n)])
    whole = Histogram.of(values)
    ours = best(lambda: Histogram.of(values), n)
    yield f"{'Histogram.of':28}{ours:9.3f} us a sample, {len(whole.encode()):6} characters"
    try:
        from hdrh.histogram import HdrHistogram  # type: ignore[import-not-found]
    except ImportError:
        yield f"{'hdrhistogram':28}  skipped: not installed (pip install hdrhistogram)"
        return

    def record() -> None:
        theirs = HdrHistogram(1, 3_600_000_000_000, 2)
        for value in values:
            theirs.record_value(value)

    took = best(record, n, rounds=2)
    yield f"{'hdrhistogram, 2 digits':28}{took:9.3f} us a sample, {took / ours:5.1f} x ours"


def best(work: Callable[[], object], n: int, rounds: int = 5) -> float:
    """Return the least time of several, in microseconds per sample."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times) / n * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--sizes", default="100,400,3000", help="samples per run")
    parser.add_argument("--only", default="", help="part of a service's name")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--histogram", action="store_true", help="what counting costs")
    chosen = parser.parse_args()
    sizes = [int(size) for size in chosen.sizes.split(",")]
    lines = table(sizes, chosen.runs, chosen.seed, chosen.only)
    for line in counting() if chosen.histogram else lines:
        print(line, flush=True)


if __name__ == "__main__":
    main()
