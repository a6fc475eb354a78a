"""The knee search against simulated services whose knee is known exactly."""

import heapq
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal, localcontext
from itertools import accumulate
from statistics import fmean, median

import pytest

from readiness.estimate import Estimate, quantile, rate
from readiness.load.arrivals import Stage, arrivals
from readiness.load.knee import (
    Ask,
    Bounds,
    Knee,
    Objective,
    Step,
    cause,
    clear,
    conclude,
    draw,
    gaps,
    growing,
    recovery,
    search,
)

BOUNDS = Bounds()
EMPTY = Estimate(value=None, low=None, high=None, n=0)
Answer = tuple[float, bool]
"""(seconds from the intended start, success)"""
Service = Callable[[Sequence[float], random.Random], list[Answer]]
"""Arrivals (seconds, ascending) -> their answers; each step meets an idle service."""


def workers(count: int, seconds: Callable[[random.Random], float]) -> Service:
    """A queue before so many workers: Lindley's recursion, Kiefer and Wolfowitz's for several."""

    def serve(starts: Sequence[float], chance: random.Random) -> list[Answer]:
        free = [0.0] * count
        answers = []
        for start in starts:
            done = max(start, free[0]) + seconds(chance)
            heapq.heapreplace(free, done)
            answers.append((done - start, True))
        return answers

    return serve


def serial(seconds: float) -> Service:
    return workers(1, lambda _: seconds)


def play(ask: Ask, service: Service, objective: Objective, chance: random.Random) -> Step:
    """Play one step as the engine does: a window that opens after a warm-up, early stops."""
    starts, at = [], 0.0
    for gap in gaps(ask.seed, math.ceil(2 * ask.rate * ask.seconds) + 50):
        at += gap / ask.rate
        if at > ask.seconds:
            break
        starts.append(at)
    answers = service(starts, chance)
    for share in (0.1, 0.2, 0.4, 0.6, 0.8):  # what the runner sees while it plays
        so_far = seen(ask, starts, answers, objective, share * ask.seconds)
        if clear(so_far, objective):
            return so_far
    return seen(ask, starts, answers, objective, None)


def seen(
    ask: Ask,
    starts: Sequence[float],
    answers: Sequence[Answer],
    objective: Objective,
    until: float | None,
) -> Step:
    seconds = until or ask.seconds
    warm = min(0.05 * ask.seconds, 0.2)
    timed = [
        (start, *answer)
        for start, answer in zip(starts, answers, strict=True)
        if warm <= start <= seconds and (until is None or start + answer[0] <= until)
    ]
    ends = [(start, *answer) for start, answer in zip(starts, answers, strict=True)]
    ms = [took * 1000 for _, took, ok in timed if ok]
    size = len(ms) // 3
    last = max((s + a[0] for s, a in zip(starts, answers, strict=True) if s <= seconds), default=0)
    return Step(
        rate=ask.rate,
        seconds=seconds - warm,
        took=max(seconds, last) + 0.1,
        offered=sum(warm <= start <= seconds for start in starts) / (seconds - warm),
        achieved=sum(ok and warm <= start + took <= seconds for start, took, ok in ends)
        / (seconds - warm),
        quantile=quantile(ms, objective.q),
        point=sorted(ms)[math.ceil(len(ms) * objective.q - 1e-9) - 1] if ms else None,
        over=rate(sum(m > objective.limit_ms for m in ms), len(ms)),
        error_rate=rate(sum(not ok for _, _, ok in timed), len(timed)),
        backlog=standing(starts, answers, seconds),
        thirds=(median(ms[:size]), median(ms[-size:])) if size else None,
        stopped=until is not None,
    )


def standing(
    starts: Sequence[float], answers: Sequence[Answer], seconds: float
) -> list[tuple[float, float]]:
    """How many requests are under way, 100 times in the step."""
    ends = sorted(start + answer[0] for start, answer in zip(starts, answers, strict=True))
    counts, begun, ended = [], 0, 0
    for i in range(1, 101):
        now = seconds * i / 100
        while begun < len(starts) and starts[begun] <= now:
            begun += 1
        while ended < len(ends) and ends[ended] <= now:
            ended += 1
        counts.append((now, float(begun - ended)))
    return counts


def find(
    service: Service,
    objective: Objective,
    seed: int,
    bounds: Bounds = BOUNDS,
    us: float = math.inf,
) -> Knee:
    """Search; from rate `us` on, our own client is what is slow."""
    steps = search(objective, bounds, str(seed))
    chance = random.Random(seed)
    ask = next(steps)
    while True:
        step = play(ask, service, objective, chance)
        if ask.rate >= us:
            step = replace(step, limited_by_us=True)
        try:
            ask = steps.send(step)
        except StopIteration as end:
            assert isinstance(end.value, Knee)
            return end.value


def within(arrivals: float, service: float, limit: float) -> float:
    """P(time in the system <= limit) of M/D/1, times in seconds.

    P(wait <= t) = (1 - rho) sum over k <= t/D of x^k / k! exp(-x), x = lambda (k D - t) (Erlang
    1909; Franx, Operations Research Letters 29, 2001). The terms alternate and grow, hence
    the decimals.
    """
    wait = limit - service
    if wait < 0 or arrivals * service >= 1:
        return 0.0
    with localcontext(prec=80):
        a, d, t = Decimal(arrivals), Decimal(service), Decimal(wait)
        total, factorial = Decimal(0), Decimal(1)
        for k in range(int(t / d) + 1):
            factorial *= k or 1
            x = a * (k * d - t)
            total += (x**k if k else Decimal(1)) / factorial * (-x).exp()
        return float((1 - a * d) * total)


def true_knee(service: float, objective: Objective) -> float:
    low, high = 0.0, 1 / service
    for _ in range(40):
        middle = (low + high) / 2
        held = within(middle, service, objective.limit_ms / 1000) >= objective.q
        low, high = (middle, high) if held else (low, middle)
    return low


def holds(service: Service, arrival_rate: float, objective: Objective) -> bool:
    """Whether 150 s at one rate, measured as one step, hold the objective."""
    starts, at = [], 0.0
    for gap in gaps("truth", round(150 * arrival_rate)):
        at += gap / arrival_rate
        starts.append(at)
    answers = service(starts, random.Random(0))
    late = sum(ok and took * 1000 > objective.limit_ms for took, ok in answers)
    failed = sum(not ok for _, ok in answers)
    return late <= (1 - objective.q) * (
        len(answers) - failed
    ) and failed <= objective.error_rate * len(answers)


P99, P95 = Objective(0.99, 20), Objective(0.95, 20)


@pytest.mark.parametrize(
    ("service_ms", "objective", "seeds"),
    [
        (2, P99, 4),
        pytest.param(2, P99, 10, marks=pytest.mark.thorough),
        pytest.param(2, P95, 3, marks=pytest.mark.thorough),
        pytest.param(1, P99, 3, marks=pytest.mark.thorough),
    ],
    ids=["2ms-p99", "2ms-p99-more", "2ms-p95", "1ms-p99"],
)
def test_the_knee_of_a_known_queue_is_within_5_percent_for_every_seed(
    service_ms: int, objective: Objective, seeds: int
) -> None:
    service = service_ms / 1000
    truth = true_knee(service, objective)
    for seed in range(seeds):
        found = find(serial(service), objective, seed)
        assert found.rate == pytest.approx(truth, rel=0.05), seed
        assert found.reason == "latency"
        assert sum(step.took for step in found.steps) <= 45


def test_the_truth_agrees_with_a_long_simulation() -> None:
    answers = serial(0.002)(starts_at(400.0, 400_000), random.Random(0))
    seen_share = sum(took <= 0.020 for took, _ in answers) / len(answers)
    assert within(400.0, 0.002, 0.020) == pytest.approx(seen_share, abs=0.002)


def starts_at(arrival_rate: float, count: int) -> list[float]:
    starts, at = [], 0.0
    for gap in gaps("long", count):
        at += gap / arrival_rate
        starts.append(at)
    return starts


@pytest.mark.parametrize(
    ("service", "objective"),
    [
        (workers(4, lambda _: 0.008), P99),
        (workers(1, lambda chance: chance.lognormvariate(math.log(0.002), 0.5)), P95),
        pytest.param(
            *(workers(3, lambda chance: chance.expovariate(1 / 0.004)), Objective(0.95, 30)),
            marks=pytest.mark.thorough,
        ),
    ],
    ids=["four workers", "noisy", "three noisy workers"],
)
def test_other_queues_hold_just_below_the_knee_and_not_just_above(
    service: Service, objective: Objective
) -> None:
    for seed in range(3):
        found = find(service, objective, seed)
        assert found.rate is not None
        assert holds(service, 0.93 * found.rate, objective)
        assert not holds(service, 1.07 * found.rate, objective)


def rejecting(most: float, burst: float) -> Service:
    """Answer in 2 ms, and refuse at once what exceeds a token bucket."""

    def serve(starts: Sequence[float], _: random.Random) -> list[Answer]:
        tokens, before, answers = burst, 0.0, []
        for start in starts:
            tokens = min(burst, tokens + (start - before) * most)
            before = start
            answers.append((0.002, tokens >= 1))
            tokens -= tokens >= 1
        return answers

    return serve


def test_a_service_that_rejects_above_a_rate_breaks_by_errors() -> None:
    for seed in range(3):
        found = find(rejecting(300, 15), P99, seed)
        assert found.rate is not None
        assert holds(rejecting(300, 15), 0.95 * found.rate, P99)
        assert not holds(rejecting(300, 15), 1.07 * found.rate, P99)
        assert found.reason == "errors"
        assert found.broke is not None
        assert (found.broke.error_rate.value or 0) > 0.01


class Stalling:
    """Answers in 1 ms, but for half a second every five seconds not at all."""

    def __init__(self, clock: float) -> None:
        self.clock = clock

    def __call__(self, starts: Sequence[float], _: random.Random) -> list[Answer]:
        moments = [self.clock + start for start in starts]
        self.clock = moments[-1] + 0.2
        return [(max(0.001, 0.5 - moment % 5), True) for moment in moments]


def test_a_service_that_stalls_at_any_rate_has_no_knee() -> None:
    for seed in range(10):
        found = find(Stalling(seed * 0.5), Objective(0.99, 50), seed)
        assert (found.rate, found.reason) == (None, "latency"), seed


def collapsing(starts: Sequence[float], _: random.Random) -> list[Answer]:
    """One worker of 2 ms, which slows down as requests wait: goodput falls under overload."""
    ends: list[float] = []
    answers, gone = [], 0
    for start in starts:
        while gone < len(ends) and ends[gone] <= start:
            gone += 1
        waiting = len(ends) - gone
        ends.append(max(start, ends[-1] if ends else 0.0) + 0.002 * (1 + min(waiting, 500) / 50))
        answers.append((ends[-1] - start, True))
    return answers


def test_a_service_that_collapses_is_found_and_not_hammered() -> None:
    for seed in range(3):
        found = find(collapsing, P99, seed, Bounds(start=60))
        assert found.rate is not None
        assert holds(collapsing, 0.93 * found.rate, P99)
        assert not holds(collapsing, 1.07 * found.rate, P99)
        far = [step for step in found.steps if step.rate > 1.2 * found.rate]
        assert far
        assert all(step.stopped and step.seconds < 0.7 for step in far)


@pytest.mark.parametrize(("size", "seconds", "limit"), [(40, 0.2, 600), (300, 1.5, 5000)])
def test_a_pool_bears_no_more_than_it_serves(size: int, seconds: float, limit: float) -> None:
    capacity = size / seconds
    for seed in range(4):
        found = find(workers(size, lambda _: seconds), Objective(0.95, limit), seed)
        assert found.rate is not None
        assert 0.45 * capacity < found.rate < 1.04 * capacity


def test_a_first_step_that_a_cold_service_broke_is_forgotten() -> None:
    starts = iter(range(100))

    def cold(starting: Sequence[float], chance: random.Random) -> list[Answer]:
        slow = next(starts) < 1
        return [(1.0, True) for _ in starting] if slow else serial(0.004)(starting, chance)

    found = find(cold, Objective(0.95, 100), 0)
    assert found.rate is not None
    assert 200 < found.rate < 260


def test_a_service_that_never_breaks_is_known_up_to_the_cap_only() -> None:
    found = find(workers(1000, lambda _: 0.001), P99, 0, Bounds(rate=2000))
    assert (found.rate, found.reason, found.at_least) == (2000, "cap", True)
    assert found.broke is None
    assert max(step.rate for step in found.steps) == 2000


def test_a_service_too_slow_at_the_start_rate_has_no_knee() -> None:
    found = find(workers(1000, lambda _: 0.030), P99, 0)
    assert (found.rate, found.reason, found.at_least) == (None, "latency", False)
    assert found.held is None
    assert max(step.rate for step in found.steps) == Bounds().start


def spilling(starts: Sequence[float], _: random.Random) -> list[Answer]:
    """Answer in 3 ms up to 300/s, and in 150 ms beyond: a cache that no longer fits."""
    arrival_rate = (len(starts) - 1) / (starts[-1] - starts[0])
    return [(0.003 if arrival_rate <= 300 else 0.150, True) for _ in starts]


def test_a_cliff_of_latency_is_found_to_the_width_of_the_bracket() -> None:
    for seed in range(3):
        found = find(spilling, P99, seed)
        assert found.rate == pytest.approx(300, rel=0.07)  # 4 %, and the chance of arrivals
        assert found.reason == "latency"


def test_our_own_limit_is_never_blamed_on_the_service() -> None:
    found = find(serial(0.0002), P99, 0, us=1000)
    assert found.rate is not None
    assert 1000 / 1.1 <= found.rate < 1000
    assert (found.reason, found.at_least) == ("our_limit", True)
    assert found.broke is not None
    assert found.broke.limited_by_us


def test_too_little_time_gives_at_least_what_held() -> None:
    found = find(serial(0.002), P99, 0, Bounds(seconds=5))
    assert found.rate is not None
    assert sum(step.took for step in found.steps) <= 5
    assert (found.reason, found.at_least) == ("time", True) or found.rate == pytest.approx(
        true_knee(0.002, P99), rel=0.15
    )


def test_a_step_without_any_answer_is_not_taken_for_one_that_broke() -> None:
    steps = search(P99, Bounds(start=500, rate=100))
    ask = next(steps)
    assert ask.rate == 100
    nothing = Step(ask.rate, 0, 1, 0, 0, EMPTY, None, EMPTY, EMPTY)
    with pytest.raises(StopIteration) as end:
        steps.send(nothing)
    assert (end.value.value.rate, end.value.value.reason) == (100, "cap")


def test_no_step_exceeds_the_bounds() -> None:
    bounds = Bounds(start=10, rate=600, seconds=30, step=2)
    found = find(serial(0.002), P99, 0, bounds)
    assert max(step.rate for step in found.steps) <= 600
    assert max(step.seconds for step in found.steps) <= 2


def step(
    *,
    over: Estimate = EMPTY,
    errors: Estimate = EMPTY,
    backlog: Sequence[tuple[float, float]] = (),
    thirds: tuple[float, float] | None = None,
    us: bool = False,
) -> Step:
    return Step(100, 5, 5, 100, 100, EMPTY, None, over, errors, backlog, thirds, us)


def standing_at(slope: float, noise: float = 2.0) -> list[tuple[float, float]]:
    chance = random.Random(1)
    return [(t / 20, max(0.0, 10 + slope * t / 20 + chance.gauss(0, noise))) for t in range(100)]


def test_a_backlog_grows_when_it_rises_clearly_and_answers_slow_down() -> None:
    assert growing(step(backlog=standing_at(10), thirds=(100, 300)))
    assert not growing(step(backlog=standing_at(10), thirds=(100, 110)))  # not slower
    assert not growing(step(backlog=standing_at(0), thirds=(100, 300)))  # not rising
    assert not growing(step(backlog=standing_at(1.9, 0), thirds=(100, 300)))  # under 2 %
    assert not growing(step(backlog=standing_at(4, 30), thirds=(100, 300)))  # in the noise
    stall = [(t / 20, 5.0 if t < 85 else 5.0 + 8 * (t - 85)) for t in range(100)]
    assert not growing(step(backlog=stall, thirds=(5, 50)))  # a stall at the end
    assert not growing(step(backlog=standing_at(10)[:19], thirds=(100, 300)))  # too few


def test_what_broke_first_is_named() -> None:
    assert cause(step(over=rate(1, 1000), errors=rate(1, 1000)), P99) is None
    assert cause(step(over=rate(20, 1000)), P99) == "latency"
    assert cause(step(over=rate(1, 75)), P99) is None  # one slow answer is no verdict
    assert cause(step(over=rate(6, 75)), P99) == "latency"
    assert cause(step(errors=rate(1, 75)), P99) is None
    assert cause(step(errors=rate(1, 75)), Objective(0.99, 20, 0.0)) == "errors"
    assert cause(step(over=rate(20, 1000), errors=rate(20, 1000)), P99) == "errors"
    assert cause(step(backlog=standing_at(10), thirds=(1, 9)), P99) == "backlog"
    assert cause(step(errors=rate(1000, 1000), us=True), P99) == "our_limit"


def test_a_step_is_cut_short_only_far_beyond_the_knee() -> None:
    assert not clear(step(over=rate(5, 100), errors=rate(1, 100)), P99)
    assert clear(step(over=rate(80, 100)), P99)
    assert clear(step(errors=rate(10, 100)), P99)
    assert not clear(step(), P99)


def test_recovery_is_the_first_moment_from_which_the_objective_holds() -> None:
    slow = [(t / 100, 500.0, True) for t in range(100)]
    failed = [(1 + t / 100, 5.0, False) for t in range(50)]
    good = [(1.5 + t / 100, 5.0, True) for t in range(200)]
    assert recovery(slow + failed + good, P99) == 1.5
    assert recovery(good, P99) == 1.5
    assert recovery(slow + failed, P99) is None
    assert recovery(slow + good[:10], P99) is None
    assert recovery(good[:49], P99) is None
    hiccup = [(1.5 + t / 1000, 500.0 if 3000 < t < 3005 else 5.0, True) for t in range(3040)]
    assert recovery(slow + failed + hiccup, P99) == 1.5  # as the objective allows it to go on
    relapse = [(4 + t / 100, 500.0, True) for t in range(20)]
    again = [(4.2 + t / 100, 5.0, True) for t in range(100)]
    assert recovery(slow + failed + good + relapse, P99) is None
    assert recovery(slow + failed + good + relapse + again, P99) == 4.2


def test_the_engine_draws_the_gaps_that_were_chosen() -> None:
    starts = [ns / 1e9 for ns in arrivals([Stage(200.0, 5.0)], "poisson", "a/1/2")]
    at, expected = 0.0, []
    for gap in gaps("a/1/2", len(starts)):
        at += gap / 200
        expected.append(at)
    assert starts == pytest.approx(expected, abs=1e-6)


def test_an_ordinary_draw_is_nearer_to_the_truth_than_any_draw() -> None:
    truth = true_p99(0.8)

    def error(seed: str) -> float:
        answers = serial(0.8)(list(accumulate(gaps(seed, 1500))), random.Random(0))
        ordered = sorted(took for took, _ in answers)
        return math.log(ordered[round(0.99 * len(ordered))] / truth) ** 2

    chosen = fmean(error(draw(1500, 0.99, str(i))) for i in range(20))
    any_draw = fmean(error(f"{i}/any") for i in range(20))
    assert chosen < 0.4 * any_draw


def true_p99(load: float) -> float:
    """The p99 of the time in the system of M/D/1 at arrival rate 1."""
    low, high = load, 100 * load
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if within(1.0, load, middle) < 0.99 else (low, middle)
    return low


def test_steps_of_which_none_broke_have_a_knee_though_together_they_seem_unsteady() -> None:
    slow, objective = step(over=rate(2, 65)), Objective(0.99, 20.0)
    assert cause(slow, objective) is None
    found = conclude([slow], objective, Bounds())
    assert (found.rate, found.at_least, found.reason) == (slow.rate, True, "time")


def test_a_limiter_and_a_plea_are_no_errors() -> None:
    refused = replace(step(), refused=rate(200, 1000))
    assert cause(refused, P99) == "limited"
    assert cause(replace(step(), refused=rate(1, 1000)), P99) is None
    assert cause(replace(step(), pleaded=True), P99) == "limited"
    assert clear(refused, P99)


def test_a_limiter_ends_a_search_with_what_held() -> None:
    steps = [replace(step(), rate=50), replace(step(), rate=100, pleaded=True)]
    found = conclude(steps, P99, Bounds())
    assert (found.rate, found.reason, found.at_least) == (50, "limited", True)
    asks = search(P99, Bounds())
    next(asks)
    asks.send(steps[0])
    with pytest.raises(StopIteration):
        asks.send(steps[1])


@pytest.mark.parametrize("seconds", [300, pytest.param(900, marks=pytest.mark.thorough)])
def test_a_long_search_is_no_worse_than_a_short_one(seconds: float) -> None:
    found = find(serial(0.002), P99, 0, Bounds(seconds=seconds))
    assert found.rate == pytest.approx(true_knee(0.002, P99), rel=0.05)
    assert sum(each.took for each in found.steps) > 0.3 * seconds or len(found.steps) > 20


def test_a_start_above_the_bounds_is_not_asked_again() -> None:
    found = find(workers(1000, lambda _: 0.030), P99, 0, Bounds(rate=10))
    assert {each.rate for each in found.steps} == {10}
