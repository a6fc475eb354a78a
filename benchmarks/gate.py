"""How often the gate blocks a good system, and how often it catches a breach, by simulation.

Run: python -m benchmarks.gate good [--services 1,10,40] [--runs 4000] [--confidence 0.95]
     python -m benchmarks.gate breach [--runs 200] [--rates 500,100,25] [--deadline 300]
     python -m benchmarks.gate good --plain     each interval at 95 %, uncorrected, at each look

Services of known distributions are sampled by the tool's own rules (first look, growth, time), and
their measurements judged, scored and gated by the tool's own code. Of a good system every metric of
every service is at a factor of its limit; errors are counted as the share of requests that fail. In
a breach, one metric of one service is at 1.25 x its limit, all others at their targets.
"""

import argparse
import random
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass
from functools import partial
from math import exp
from multiprocessing import get_context
from statistics import NormalDist
from typing import cast

from benchmarks import coverage
from readiness.assessment.model import evaluate
from readiness.checks import Criteria
from readiness.collect import PATIENT_PART
from readiness.criteria import bundled_criteria
from readiness.enough import PLENTY
from readiness.estimate import EVEN, Sides, rate
from readiness.inventory import Service
from readiness.load.recorder import Recorder
from readiness.load.series import Series
from readiness.looks import GROWTH, Looks
from readiness.measurement import Measurement, Values
from readiness.patience import Patience
from readiness.probes._deciding import Deciding
from readiness.probes.http_concurrency import Settings as Crowd
from readiness.probes.http_latency import first_look
from tests.judging import ACCESS, evidence, healthy, inventory, measured, service

SAMPLED = 6
"""Checks of sampled values that an http service has."""
DEADLINE = 300.0
"""Seconds that a run may take unless told otherwise."""
OVERHEAD = 0.7
"""Seconds that each probe takes to find a pace and to end."""
USUAL, WARMING = 10.0, 1.3
"""Seconds for as many samples as are usually enough, and how much longer it is with a warm-up."""
RATES = (500.0, 100.0, 25.0)
"""Requests per second at light load: a single worker of 1, 5 and 20 ms, half busy."""
CROWDED = 500.0
"""Requests per second that 50 users get answered together."""
ASKED = 100
BREACH = 1.25
ERRORS = {"http_latency": 0.05, "http_concurrency": 0.10}
"""Share of requests that the limits of the bundled checks let fail."""
QUANTILES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
CHECKS = {
    ("http_latency", "p50_ms"): "latency-p50",
    ("http_latency", "p95_ms"): "latency-p95",
    ("http_latency", "p99_ms"): "latency-p99",
    ("http_latency", "success_rate"): "success-rate",
    ("http_concurrency", "p95_ms"): "concurrency-p95",
    ("http_concurrency", "success_rate"): "concurrency-success",
}
TARGET = 0.4
"""A target, of its limit, as the bundled checks of latency have it."""
FACTORS = (0.95, 0.9, 0.8, TARGET, 0.1)


@dataclass(frozen=True)
class Times:
    """Response times in order, in ms, and the `q` quantile that they have in the long run."""

    name: str
    sample: Callable[[random.Random, int], list[float]]
    truth: Callable[[float], float]


def lognormal(sigma: float, source: random.Random, n: int) -> list[float]:
    return [source.lognormvariate(0, sigma) for _ in range(n)]


def lognormal_truth(sigma: float, q: float) -> float:
    return exp(sigma * NormalDist().inv_cdf(q))


def pareto(alpha: float, source: random.Random, n: int) -> list[float]:
    return [source.paretovariate(alpha) for _ in range(n)]


def pareto_truth(alpha: float, q: float) -> float:
    return float((1 - q) ** (-1 / alpha))


def of_coverage(name: str, dependence: str = "none") -> Times:
    found = next(s for s in coverage.SERVICES if s.name == name and s.dependence == dependence)
    label = name if dependence == "none" else f"{name} {dependence}"
    return Times(label, found.sample, found.truth)


TIMES = (
    Times("lognormal", partial(lognormal, 0.5), partial(lognormal_truth, 0.5)),
    Times("heavy tail", partial(pareto, 2.5), partial(pareto_truth, 2.5)),
    of_coverage("bimodal"),
    of_coverage("ar1", "rho 0.5"),
    of_coverage("ar1", "rho 0.9"),
    of_coverage("mm1", "load 0.5"),
)


@dataclass
class Seen:
    """What a recorder shows of a load so far; sent on time, every one."""

    response: Series
    successes: int = 0
    asked: int = 0
    limited: int = 0

    def preview(self) -> "Seen":
        return self

    @property
    def codes(self) -> Mapping[int, int]:
        return {200: self.successes, 503: self.asked - self.successes}

    @property
    def lag(self) -> Series:
        return Series()


class Plain(Looks):
    """Every look at the samples as if it were the only one of the only check."""

    def sides(
        self, look: int, bounds: tuple[float, float] | None = None, *, last: bool = False
    ) -> Sides:
        return EVEN


@dataclass(frozen=True)
class Rule:
    """How sure each interval is, and how many services share the run."""

    services: int
    confidence: float = 0.95
    plain: bool = False
    deadline: float = DEADLINE

    @property
    def looks(self) -> Looks:
        kind = Plain if self.plain else Looks
        return kind(self.confidence, SAMPLED * self.services)


@dataclass(frozen=True)
class Case:
    """Where the metrics of a service lie, each as a factor of its limit."""

    times: int
    """The place in TIMES."""
    factor: float
    """Of all but the breach; at the least, `TARGET`, errors are at their target too."""
    breach: tuple[str, str] | None = None
    """Which metric of which probe is at BREACH x its limit."""
    rate: float | None = None
    """Requests per second at light load; one of RATES by chance if there is none."""

    def at(self, probe: str, metric: str) -> float:
        if self.breach == (probe, metric):
            return BREACH
        at_target = metric == "success_rate" and self.factor == TARGET
        return TARGET / 2 if at_target else self.factor

    def limits(self, probe: str) -> dict[str, tuple[float, float]]:
        """Return metric -> (target, limit) by which the service is as this says."""
        most = ERRORS[probe]
        found = {"success_rate": (1 - most / 5, 1 - most)}
        for metric, q in QUANTILES.items():
            if (probe, metric) in CHECKS:
                limit = TIMES[self.times].truth(q) / self.at(probe, metric)
                found[metric] = (TARGET * limit, limit)
        return found

    def service(self, name: str) -> Service:
        overrides = {
            CHECKS[probe, metric]: {"target": target, "limit": limit}
            for probe in ERRORS
            for metric, (target, limit) in self.limits(probe).items()
        }
        return service(name, criticality="critical", checks=overrides, probes=ACCESS)


def sampled(
    case: Case, probe: str, rule: Rule, source: random.Random, first: int, most: int
) -> tuple[Values, int]:
    """Sample until it is enough or `most` were asked; return the estimates, and how many were."""
    limits = case.limits(probe)
    names = [metric for metric in QUANTILES if metric in limits]
    looked = Deciding(limits, rule.looks, [round(100 * QUANTILES[name]) for name in names])
    failing = ERRORS[probe] * case.at(probe, "success_rate")
    drawn = TIMES[case.times].sample(source, most)  # at once, as what is before tells of what comes
    seen, wanted = Seen(Series()), min(first, most)
    while True:
        good = [ms for ms in drawn[seen.asked : wanted] if source.random() >= failing]
        seen.response.add(array("q", [round(ms * 1e6) for ms in good]))
        seen.successes += len(good)
        seen.asked = wanted
        if looked.enough(cast(Recorder, seen)) or wanted >= most:
            break
        wanted = min(most, round(wanted * GROWTH))
    found: Values = {"success_rate": rate(seen.successes, seen.asked, looked.sides("success_rate"))}
    for name in names:
        found[name] = seen.response.quantile(QUANTILES[name], looked.sides(name))
    return found, seen.asked


class Run:
    """The time of one run, which its probes share as in the tool, one after another."""

    def __init__(self, rule: Rule, source: random.Random) -> None:
        self.rule, self.source, self.now, self.asked = rule, source, 0.0, 0
        self._patience = Patience(rule.deadline, 2 * rule.services, PATIENT_PART * rule.deadline)

    def measure(self, case: Case) -> dict[str, Values]:
        """Return what both probes measure of one service."""
        per_second = case.rate or self.source.choice(RATES)
        first, level = first_look(per_second, USUAL, PLENTY, ASKED), Crowd().level(50)
        least = max(first / per_second, min(USUAL, self._mine)) * WARMING
        return {
            "http_latency": self._probe(case, "http_latency", first, per_second, least),
            "http_concurrency": self._probe(
                case, "http_concurrency", level.requests, CROWDED, level.longest
            ),
        }

    @property
    def _mine(self) -> float:
        """Seconds until the probe whose turn it is must leave the time to others."""
        return self._patience.until(self.now) - self.now

    def _probe(
        self, case: Case, probe: str, first: int, per_second: float, seconds: float
    ) -> Values:
        left = self.rule.deadline - self.now
        if left <= OVERHEAD + first / per_second:
            return {}  # nothing is known of what the end of the run left unmeasured
        longest = min(left, max(seconds, self._mine))
        most = max(first, round(per_second * longest))
        found, asked = sampled(case, probe, self.rule, self.source, first, most)
        took = OVERHEAD + asked / per_second
        self.now += took
        self._patience.done(took)
        self.asked += asked
        return found


@dataclass
class Counted:
    """What came of systems, and of the services in them."""

    systems: int = 0
    services: int = 0
    blocked: int = 0
    """Systems that end the gate with 1."""
    inconclusive: int = 0
    """Systems that end it with 4."""
    failing: int = 0
    """Services with a check that fails."""
    caught: int = 0
    """Services whose breach fails its check."""
    passed: int = 0
    """Services whose breach passes its check."""
    open: int = 0
    """Checks that are undecided."""
    asked: int = 0
    seconds: float = 0.0

    def __add__(self, other: "Counted") -> "Counted":
        return Counted(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


def job(case: Case, rule: Rule, systems: int, seed: str) -> Counted:
    """Assess so many systems; of one with a breach one service has it, the others are as good."""
    found, rules = Counted(), bundled_criteria()
    source = random.Random(f"{case} {rule} {seed}")
    sound = Case(case.times, case.factor, rate=case.rate)
    for _ in range(systems):
        cases = [case] + [sound] * (0 if case.breach else rule.services - 1)
        found += one_system(cases, rule, rules, source)
    return found


def one_system(
    cases: Sequence[Case], rule: Rule, rules: Criteria, source: random.Random
) -> Counted:
    services = [case.service(f"s{n}") for n, case in enumerate(cases)]
    measurements, time = list[Measurement](), Run(rule, source)
    for case, one in zip(cases, services, strict=True):
        taken = time.measure(case)
        others = [m for m in healthy(one.name) if m.probe not in taken]
        measurements += others + [
            measured(p, one.name).model_copy(update={"values": values})
            for p, values in taken.items()
        ]
    model = evaluate(evidence(inventory(*services), *measurements), rules)
    outcomes = {(f.service, f.check): f for f in model.findings if f.check in CHECKS.values()}
    bad = {name for (name, _), f in outcomes.items() if f.outcome == "fail"}
    breach = outcomes["s0", CHECKS[cases[0].breach]] if cases[0].breach else None
    return Counted(
        systems=1,
        services=len(cases),
        blocked=model.decision.exit_code == 1,
        inconclusive=model.decision.exit_code == 4,
        failing=len(bad),
        caught=breach is not None and breach.outcome == "fail",
        passed=breach is not None and breach.outcome == "pass",
        open=sum(f.undecided for f in outcomes.values()),
        asked=time.asked,
        seconds=time.now,
    )


def split(total: int, parts: int) -> list[int]:
    return [total // parts + (n < total % parts) for n in range(parts) if total > n]


_CHUNKS = 8


def run(cases: Sequence[tuple[Case, Rule, int]], seed: int) -> Iterator[Counted]:
    """Yield what came of each case, in order; the work is shared among the processors."""
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        waiting = [
            [
                pool.submit(job, case, rule, n, f"{seed} {part}")
                for part, n in enumerate(split(systems, _CHUNKS))
            ]
            for case, rule, systems in cases
        ]
        for parts in waiting:
            yield sum((part.result() for part in parts), Counted())


def good(
    rules: Sequence[Rule], runs: int, seed: int, only: str, factors: Sequence[float]
) -> Iterator[str]:
    """Every metric of every service at a factor of its limit: what the gate says of it."""
    yield (
        f"{'services':>8} {'factor':>7}  {'times':14}{'systems':>8}{'exit 1':>8}{'exit 4':>8}"
        f"{'check fails':>12}{'undecided':>10}{'requests':>9}"
    )
    named = [n for n, times in enumerate(TIMES) if only in times.name]
    cases = [
        (Case(times, factor), rule, max(1, runs // rule.services))
        for rule in rules
        for factor in factors
        for times in named
    ]
    sums: dict[tuple[int, float], Counted] = {}
    for (case, rule, _), found in zip(cases, run(cases, seed), strict=True):
        key = (rule.services, case.factor)
        sums[key] = sums.get(key, Counted()) + found
        yield good_row(rule, case.factor, TIMES[case.times].name, found)
        if case.times == named[-1]:
            yield good_row(rule, case.factor, "all", sums[key])


def good_row(rule: Rule, factor: float, name: str, found: Counted) -> str:
    most = rate(found.failing, found.services, Sides(0.9, 0.9)).high or 0.0
    bound = 1 - (1 - most) ** rule.services
    shown = "target" if factor == TARGET else f"{factor:g}"
    return (
        f"{rule.services:8} {shown:>7}  {name:14}{found.systems:8}"
        f"{found.blocked / found.systems:8.1%}{found.inconclusive / found.systems:8.1%}"
        f"{found.failing / found.services:7.2%}<{bound:4.1%}"
        f"{found.open / found.services / SAMPLED:10.1%}{found.asked / found.services:9,.0f}"
    )


def breaches(
    rules: Sequence[Rule], runs: int, seed: int, only: str, rates: Sequence[float]
) -> Iterator[str]:
    """One metric of one service a quarter beyond its limit, the rest at target."""
    yield (
        f"{'services':>8}  {'check':20}{'times':14}{'per s':>6}{'runs':>6}{'caught':>8}"
        f"{'passed':>8}{'exit 1':>8}{'exit 4':>8}{'requests':>9}"
    )
    cases = [
        (Case(times, TARGET, breach, per_second), rule, runs)
        for rule in rules
        for breach in CHECKS
        for times in range(len(TIMES))
        if only in TIMES[times].name
        for per_second in rates
        if breach[0] == "http_latency" or per_second == rates[0]
    ]
    for (case, rule, _), found in zip(cases, run(cases, seed), strict=True):
        assert case.breach
        yield (
            f"{rule.services:8}  {CHECKS[case.breach]:20}{TIMES[case.times].name:14}"
            f"{case.rate:6g}{found.systems:6}{found.caught / found.systems:8.1%}"
            f"{found.passed / found.systems:8.1%}{found.blocked / found.systems:8.1%}"
            f"{found.inconclusive / found.systems:8.1%}{found.asked / found.systems:9,.0f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("good", "breach"))
    parser.add_argument("--services", default="1,10,40", help="services of a system")
    parser.add_argument("--runs", type=int, default=4000, help="services assessed for each row")
    parser.add_argument("--only", default="", help="part of the name of a distribution of times")
    parser.add_argument("--factors", default=",".join(map(str, FACTORS)), help="of the limits")
    parser.add_argument("--confidence", type=float, default=0.95)
    parser.add_argument("--plain", action="store_true", help="95 % at each look, uncorrected")
    parser.add_argument("--deadline", type=float, default=DEADLINE, help="seconds of a run")
    parser.add_argument("--rates", default=",".join(map("{:g}".format, RATES)), help="of breaches")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    sizes = [int(size) for size in chosen.services.split(",")]
    rules = [Rule(size, chosen.confidence, chosen.plain, chosen.deadline) for size in sizes]
    factors = [float(factor) for factor in chosen.factors.split(",")]
    rates = [float(rate) for rate in chosen.rates.split(",")]
    lines = (
        good(rules, chosen.runs, chosen.seed, chosen.only, factors)
        if chosen.what == "good"
        else breaches(rules, chosen.runs, chosen.seed, chosen.only, rates)
    )
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    main()
