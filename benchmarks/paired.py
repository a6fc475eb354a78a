"""How often the paired comparison errs: on simulated services, and on two real servers.

Run: python -m benchmarks.paired [simulated] [judged] [real] [--runs 1000] [--rounds 100] [--seed 1]

`simulated` asks for the errors of the test, at p < 0.05, and takes some five minutes; `judged` for
those of the verdict that `paired-time` gives by the interval, target and limit as they ship, if
named: with `--runs 100` ten minutes. `real` takes half an hour. All end by themselves. `real` wants
Linux and two cores; the server processes and the hogs are its own.
"""

import argparse
import asyncio
import contextlib
import math
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import accumulate
from multiprocessing import get_context
from typing import NamedTuple

from benchmarks.coverage import markov_queue
from readiness import paired
from readiness.criteria import bundled_criteria
from readiness.estimate import Estimate, effective, quantile
from readiness.finding import Outcome
from readiness.inventory import Service
from readiness.judge import judge
from readiness.load.arrivals import Stage
from readiness.load.check import Check
from readiness.load.crew import Crew
from readiness.load.engine import run
from readiness.load.open import Schedule
from readiness.load.request import Endpoint, preformat
from readiness.load.tally import LATE_NS
from readiness.load.twins import Target, duel
from readiness.looks import Looks
from readiness.measurement import Measurement

Times = list[float]
Both = tuple[Times, Times]

SIZES = (100, 400, 1500)
SLOWER = (1.0, 1.05, 1.1, 1.25)
ALARM = 0.05
JUDGED, CHECKS = bundled_criteria().checks["paired-time"], 20
"""The check that judges, and how many of sampled values its run has."""
SERVICE = Service(
    name="api", kind="http", url="http://localhost", probes={JUDGED.probe: {"reference": True}}
)
LIMITS = bundled_criteria().limits(SERVICE, JUDGED.probe)[JUDGED.metric]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_COMPARED = 1.1
"""So much slower is what is shown to the other ways as well."""


def lognormal(source: random.Random, n: int) -> Times:
    return [10 * source.lognormvariate(0, 0.3) for _ in range(n)]


def autoregressive(rho: float, source: random.Random, n: int) -> Times:
    """Return log-normal times whose logarithms are a Gaussian AR(1)."""
    scale = math.sqrt(1 - rho * rho)
    steps = (source.gauss(0, scale) for _ in range(n - 1))
    normal = accumulate(steps, lambda last, step: rho * last + step, initial=source.gauss(0, 1))
    return [10 * math.exp(0.3 * z) for z in normal]


def bimodal(source: random.Random, n: int) -> Times:
    """Answer from a cache, and every fifth time from behind it."""
    return [
        source.gauss(50, 5) if source.random() < 0.2 else source.gauss(5, 0.5) for _ in range(n)
    ]


def apart(times: Callable[[random.Random, int], Times], source: random.Random, n: int) -> Both:
    """Return times of two services that have nothing in common, not even a host."""
    return times(source, n), times(source, n)


def together(source: random.Random, n: int) -> Both:
    """Return times of two services on a host whose speed wanders, which both feel."""
    host = autoregressive(0.98, source, n)
    return tuple(
        [h * t / 10 for h, t in zip(host, lognormal(source, n), strict=True)] for _ in "ab"
    )  # type: ignore[return-value]


SERVICES: dict[str, Callable[[random.Random, int], Both]] = {
    "independent, log-normal": partial(apart, lognormal),
    "AR(1) 0.5, log-normal": partial(apart, partial(autoregressive, 0.5)),
    "AR(1) 0.9, log-normal": partial(apart, partial(autoregressive, 0.9)),
    "queue at 50 % load": partial(apart, partial(markov_queue, 0.5)),
    "queue at 80 % load": partial(apart, partial(markov_queue, 0.8)),
    "bimodal": partial(apart, bimodal),
    "one host that wanders": together,
}


def unpaired(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the two-sided p of Brunner and Munzel's test (2000), for the effective sizes."""
    mine, yours = sorted(ours), sorted(theirs)
    first = [paired._placement(yours, one) for one in ours]
    second = [paired._placement(mine, one) for one in theirs]
    spread = statistics.variance(first) / effective(first)
    spread += statistics.variance(second) / effective(second)
    z = (statistics.fmean(first) - 0.5) / math.sqrt(spread) if spread else math.inf
    return math.erfc(abs(z) / math.sqrt(2))


def naive(differences: Sequence[float]) -> float:
    """Return the signed-rank test's p where neighbours are taken for strangers."""
    scores = paired._signed_ranks(differences)
    z = math.fsum(scores) / math.sqrt(math.fsum(s * s for s in scores))
    return math.erfc(abs(z) / math.sqrt(2))


def simulated_once(name: str, n: int, slower: float, seed: int) -> list[bool]:
    """Return whether each way alarms: paired, and of some also naive and unpaired."""
    source = random.Random(f"{name} {n} {seed}")
    ours, theirs = SERVICES[name](source, n)
    ours = [one * slower for one in ours]
    differences = [one - other for one, other in zip(ours, theirs, strict=True)]
    p = paired.p_value(differences)
    alarms = [p is not None and p < ALARM]
    if slower in (1.0, _COMPARED):
        alarms += [naive(differences) < ALARM, unpaired(ours, theirs) < ALARM]
    return alarms


def simulated(runs: int, seed: int) -> None:
    cases = [(name, n, slower) for name in SERVICES for n in SIZES for slower in SLOWER]
    rates: dict[tuple[str, int, float], list[float]] = {}
    with ProcessPoolExecutor(mp_context=get_context("fork")) as pool:
        for case in cases:
            jobs = pool.map(partial(simulated_once, *case), range(seed, seed + runs), chunksize=50)
            rates[case] = [sum(column) / runs for column in zip(*jobs, strict=True)]
    print(f"\n## False alarms of {runs} comparisons of a service with itself, at p < 0.05\n")
    head("service", "n", "paired", "neighbours as strangers", "unpaired")
    for name, n, slower in cases:
        if slower == 1:
            row(name, n, *map(percent, rates[name, n, slower]))
    print(f"\n## Caught, of {runs} that are slower\n")
    head("service", "n", *(f"+{100 * s - 100:.0f} %" for s in SLOWER[1:]), "unpaired, +10 %")
    for name in SERVICES:
        for n in SIZES:
            found = [percent(rates[name, n, slower][0]) for slower in SLOWER[1:]]
            row(name, n, *found, percent(rates[name, n, 1.1][2]))


def judged_once(name: str, n: int, slower: float, seed: int) -> Outcome:
    """Return what `paired-time` says of a service that takes `slower` times as long."""
    source = random.Random(f"{name} {n} {seed}")
    ours, theirs = SERVICES[name](source, n)
    ours = [one * slower for one in ours]
    sides = Looks(checks=CHECKS).once().sides(1, LIMITS)
    found = Measurement(
        probe=JUDGED.probe,
        service=SERVICE.name,
        started_at=NOW,
        seconds=0.0,
        values={"has_reference": True, JUDGED.metric: paired.ratio(ours, theirs, sides)},
    )
    return judge(JUDGED, SERVICE, [found], (), NOW.date()).outcome


def judged(runs: int, seed: int) -> None:
    print(f"\n## What paired-time says, of {runs} runs of {CHECKS} checks each\n")
    fails = [f"fails, {truth}" for truth, _ in _TRUE]
    head("service", "n", *fails, *(f"passes, {truth}" for truth, _ in _TRUE[:2]))
    seeds = range(seed, seed + runs)
    with ProcessPoolExecutor(mp_context=get_context("fork")) as pool:
        for name in SERVICES:
            for n in SIZES:
                once = [partial(judged_once, name, n, slower) for _, slower in _TRUE]
                said = [list(pool.map(one, seeds, chunksize=10)) for one in once]
                counts = [one.count("fail") for one in said]
                counts += [one.count("pass") for one in said[:2]]
                row(name, n, *(percent(count / runs) for count in counts))


_TRUE = (
    *(("alike", 1.0), ("at the limit", 1.15)),
    *(("+25 %", 1.25), ("+50 %", 1.5), ("+100 %", 2.0)),
)
"""What is true, and how much slower that is."""


def head(*names: object) -> None:
    row(*names)
    print("|---|" + "--:|" * (len(names) - 1))


def row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


# two real servers

GET = preformat("GET", "/", {"host": "localhost"})
RATE, N = 200.0, 150
WAIT_SECONDS, WORK_LOOPS = 0.004, 4000
SERVE, HOG = "serve", "hog"


def serve(slower: float) -> None:
    """Answer every request after some work and some waiting, `slower` times as long."""
    loops, wait = round(WORK_LOOPS * slower), WAIT_SECONDS * slower
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                sum(range(loops))
                await asyncio.sleep(wait)
                writer.write(answer)

    async def main() -> None:
        server = await asyncio.start_server(connection, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(main())


def hog(seed: float) -> None:
    """Burn a core for a while, rest for a while, as a neighbour does who builds something."""
    source = random.Random(seed)
    print(0, flush=True)
    while True:
        until = time.monotonic() + source.uniform(0.2, 3)
        while time.monotonic() < until:
            sum(range(1000))
        time.sleep(source.uniform(0.2, 3))


@contextlib.contextmanager
def started(what: str, number: float) -> Iterator[int]:
    """Start this file in that role; yield what it says."""
    command = [sys.executable, "-m", "benchmarks.paired", "--role", what, str(number)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield int(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


class Compared(NamedTuple):
    """One comparison: whether it alarms, and how wide its interval is, of the median."""

    alarm: bool
    width: float
    value: float


_NOTHING = Compared(alarm=False, width=math.inf, value=0.0)


async def side_by_side(first: int, second: int, seed: str) -> Compared:
    sides = (Target(_at(port), GET, Check()) for port in (first, second))
    found = await duel(*sides, _schedule(seed), timeout=5, deadline=_soon())
    timed = [
        (pair.first.ms, pair.second.ms)
        for pair in found.pairs
        if pair.warm and pair.first.ms is not None and pair.second.ms is not None
    ]
    if not timed:
        return _NOTHING
    differences = [one - other for one, other in timed]
    shift, p = paired.shift(differences), paired.p_value(differences)
    middle = statistics.median(other for _, other in timed)
    return Compared(p is not None and p < ALARM, *_shares(shift, middle))


async def one_after_the_other(first: int, second: int, seed: str) -> Compared:
    """Compare two runs of the same length, as those of two days are."""
    ours, theirs = [await _alone(port, f"{seed} {port}") for port in (first, second)]
    one, other = quantile(ours, 0.5), quantile(theirs, 0.5)
    if one.value is None or other.value is None:
        return _NOTHING
    low = math.hypot(*((e.value or 0) - (e.low or 0) for e in (one, other)))
    high = math.hypot(*((e.high or 0) - (e.value or 0) for e in (one, other)))
    value = one.value - other.value
    shift = Estimate(value=value, low=value - low, high=value + high, n=one.n)
    return Compared(unpaired(ours, theirs) < ALARM, *_shares(shift, other.value))


def _shares(shift: Estimate, middle: float) -> tuple[float, float]:
    """Return the width of the interval, infinite where there is none, and the value, as shares."""
    if shift.value is None or shift.low is None or shift.high is None:
        return math.inf, 0.0
    return (shift.high - shift.low) / middle, shift.value / middle


async def _alone(port: int, seed: str) -> Times:
    times: array[float] = array("d")

    def note(crew: Crew) -> None:
        opened = crew.model.opened  # type: ignore[attr-defined]
        for intended, _, done, lag, code, _ in crew.recorder.newest_rows():
            if 0 < opened <= intended and lag <= LATE_NS and code == 200:
                times.append((done - intended - lag) / 1e6)

    await run(_at(port), GET, _schedule(seed), timeout=5, deadline=_soon(), watch=note)
    return list(times)


def _at(port: int) -> Endpoint:
    return Endpoint(socket.AF_INET, "127.0.0.1", port)


def _schedule(seed: str) -> Schedule:
    return Schedule((Stage(RATE, 4 * N / RATE),), 16, N, seed=seed)


def _soon() -> float:
    return asyncio.get_running_loop().time() + 60


_TRUTHS = (("alike", 1.0, 1.0), ("+10 %", 1.1, 0.5), ("+25 %", 1.25, 0.5))
"""How much slower the first is, and in what part of the rounds."""


def real(rounds: int, seed: int) -> None:
    head(
        *("beside", "truth", "runs", "alarms, paired", "alarms, one after the other"),
        *("width, paired", "width, one after the other", "ratio of widths"),
    )
    for beside, hogs in (("no hog", 0), ("two hogs, on and off", 2)):
        for truth, slower, part in _TRUTHS:
            times = round(part * rounds)
            row(beside, truth, times, *_condition(hogs, slower, times, seed))


def _condition(hogs: int, slower: float, times: int, seed: int) -> Iterator[str]:
    """Yield what both ways make of two servers, `hogs` beside them."""
    with contextlib.ExitStack() as stack:
        second = stack.enter_context(started(SERVE, 1.0))
        first = stack.enter_context(started(SERVE, slower))
        for number in range(hogs):
            stack.enter_context(started(HOG, seed + number))
        found = [_round(first, second, f"{seed} {i}") for i in range(times)]
    columns = list(zip(*found, strict=True))
    yield from (percent(sum(c.alarm for c in column) / times) for column in columns)
    widths = [statistics.median(c.width for c in column) for column in columns]
    yield from map(percent, widths)
    yield "none" if math.inf in widths else f"{widths[1] / widths[0]:.1f}"


def _round(first: int, second: int, seed: str) -> tuple[Compared, Compared]:
    return (
        asyncio.run(side_by_side(first, second, seed)),
        asyncio.run(one_after_the_other(first, second, seed)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paired")
    parser.add_argument("parts", nargs="*", choices=["simulated", "judged", "real", []], default=[])
    parser.add_argument("--runs", type=int, default=1000, help="of each simulated case (1000)")
    parser.add_argument("--rounds", type=int, default=100, help="of two alike servers (100)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--role", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.role:
        {SERVE: serve, HOG: hog}[asked.role[0]](float(asked.role[1]))
    if "simulated" in (asked.parts or ["simulated"]):
        simulated(asked.runs, asked.seed)
    if "judged" in asked.parts:
        judged(asked.runs, asked.seed)
    if "real" in (asked.parts or ["real"]):
        print(f"\n## Two servers on this machine of {os.cpu_count()} cores, {N} requests each\n")
        real(asked.rounds, asked.seed)


if __name__ == "__main__":
    main()
