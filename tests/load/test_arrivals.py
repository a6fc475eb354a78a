import heapq
import math
import statistics
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.load.arrivals import Spacing, Stage, arrivals
from tests.load.test_response import PROPERTY

STAGES = st.builds(
    Stage,
    st.sampled_from([0.0, 0.5, 7.0, 40.0, 99.9]),
    st.sampled_from([0.1, 1.0, 2.5, 7.0]),
    st.sampled_from([None, 0.0, 3.0, 40.0, 75.5]),
)
SCHEDULES = st.lists(STAGES, min_size=1, max_size=4)
SPACINGS: list[Spacing] = ["poisson", "constant"]
PHASES = st.floats(0, 1, exclude_max=True)


def expected(stages: Sequence[Stage], seconds: float) -> float:
    """How many arrivals are to be expected in so many seconds: the area below the rates."""
    area = 0.0
    for stage in stages:
        took = min(max(seconds, 0.0), stage.seconds)
        area += stage.rate * took
        if stage.to is not None:
            area += (stage.to - stage.rate) * took**2 / stage.seconds / 2
        seconds -= stage.seconds
    return area


def length(stages: Sequence[Stage]) -> float:
    return sum(stage.seconds for stage in stages)


def seconds(moments: Sequence[int]) -> list[float]:
    return [moment / 1e9 for moment in moments]


def assert_exponential(gaps: Sequence[float], mean: float = 1.0) -> None:
    """Kolmogorov-Smirnov: chance alone exceeds 1.95 / sqrt(n) once in a thousand times."""
    n = len(gaps)
    assert n > 1000
    shares = [1 - math.exp(-gap / mean) for gap in sorted(gaps)]
    distance = max(max(share - k / n, (k + 1) / n - share) for k, share in enumerate(shares))
    assert distance < 1.95 / math.sqrt(n)


@pytest.mark.parametrize("seed", ["a", "b", "c"])
def test_gaps_are_exponential_and_know_nothing_of_each_other(seed: str) -> None:
    moments = seconds(list(arrivals([Stage(200, 50)], "poisson", seed)))
    gaps = [b - a for a, b in pairwise([0.0, *moments])]
    assert_exponential(gaps, mean=1 / 200)
    assert abs(statistics.correlation(gaps[:-1], gaps[1:])) < 3.3 / math.sqrt(len(gaps))


def test_the_rate_is_right() -> None:
    counts = [len(list(arrivals([Stage(50, 4)], "poisson", str(seed)))) for seed in range(200)]
    assert statistics.mean(counts) == pytest.approx(200, abs=4 * math.sqrt(200 / 200))
    # as many as expected, give or take: the variance of a Poisson variable is its mean
    assert statistics.variance(counts) == pytest.approx(200, rel=4 * math.sqrt(2 / 200))


@pytest.mark.parametrize(
    "stages",
    [
        [Stage(0, 20, 300)],
        [Stage(300, 20, 0)],
        [Stage(50, 5), Stage(50, 10, 400), Stage(400, 3), Stage(0, 2), Stage(20, 10)],
    ],
)
def test_random_arrivals_follow_the_rate_wherever_it_goes(stages: list[Stage]) -> None:
    moments = seconds(list(arrivals(stages, "poisson", "follow")))
    # seen through the expected number of arrivals, any such process is one of rate 1
    areas = [expected(stages, moment) for moment in moments]
    assert_exponential([b - a for a, b in pairwise([0.0, *areas])])


@given(SCHEDULES, PHASES)
@PROPERTY
def test_even_arrivals_follow_the_rate_exactly(stages: list[Stage], phase: float) -> None:
    moments = seconds(list(arrivals(stages, "constant", "", phase)))
    for place, moment in enumerate(moments):
        # a nanosecond, at the steepest; near a rate of 0 less is known of when than of how many
        assert expected(stages, moment) == pytest.approx(place + phase, abs=1e-6)
    whole = expected(stages, length(stages))
    assert whole - phase - 1e-6 <= len(moments) <= whole - phase + 1 + 1e-6


@given(SCHEDULES, st.sampled_from(SPACINGS), st.text(max_size=5), PHASES)
@PROPERTY
def test_moments_ascend_and_none_is_beyond_the_end(
    stages: list[Stage], spacing: Spacing, seed: str, phase: float
) -> None:
    moments = list(arrivals(stages, spacing, seed, phase))
    assert moments == sorted(moments)
    assert all(0 <= moment <= length(stages) * 1e9 for moment in moments)
    assert moments == list(arrivals(stages, spacing, seed, phase))


def test_another_seed_gives_other_moments() -> None:
    firsts = {next(arrivals([Stage(10, 9)], "poisson", str(seed))) for seed in range(50)}
    assert len(firsts) == 50


def test_even_arrivals_need_no_seed() -> None:
    moments = [list(arrivals([Stage(4, 1)], "constant", seed)) for seed in ("a", "b")]
    assert moments == [[0, 250_000_000, 500_000_000, 750_000_000]] * 2


def test_the_phase_shifts_even_arrivals() -> None:
    moments = list(arrivals([Stage(4, 1)], "constant", "", phase=0.5))
    assert moments == [125_000_000, 375_000_000, 625_000_000, 875_000_000]


def test_a_stage_without_arrivals_only_takes_time() -> None:
    stages = [Stage(2, 1), Stage(0, 10), Stage(2, 1)]
    assert seconds(list(arrivals(stages, "constant", ""))) == [0.0, 0.5, 11.0, 11.5]
    quiet = seconds(list(arrivals([Stage(900, 1), Stage(0, 10), Stage(900, 1)], "poisson", "x")))
    assert not [moment for moment in quiet if 1 < moment < 11]
    assert [moment for moment in quiet if moment > 11]


@pytest.mark.parametrize("stages", [[], [Stage(0, 5)], [Stage(0, 5), Stage(0, 5, 0)]])
def test_without_a_rate_nothing_arrives(stages: list[Stage]) -> None:
    assert not list(arrivals(stages, "poisson", ""))
    assert not list(arrivals(stages, "constant", ""))


def test_a_ramp_from_nothing_takes_its_time() -> None:
    moments = seconds(list(arrivals([Stage(0, 10, 2)], "constant", "")))
    assert moments == pytest.approx([math.sqrt(10 * k) for k in range(10)], abs=1e-9)


def test_what_is_due_when_the_rate_changes_is_carried_over() -> None:
    stages = [Stage(1, 0.5), Stage(10, 0.5)]
    # half an arrival was due in the first stage, the other half takes a twentieth of a second
    assert seconds(list(arrivals(stages, "constant", ""))) == pytest.approx(
        [0.0, *(0.55 + k / 10 for k in range(5))]
    )


@given(SCHEDULES, st.integers(1, 7))
@PROPERTY
def test_even_shares_interleave_to_the_whole(stages: list[Stage], workers: int) -> None:
    shares = [
        Stage(s.rate / workers, s.seconds, None if s.to is None else s.to / workers) for s in stages
    ]
    each = (arrivals(shares, "constant", "", worker / workers) for worker in range(workers))
    merged, whole = list(heapq.merge(*each)), list(arrivals(stages, "constant", ""))
    # the very last one may fall on either side of the end
    assert abs(len(merged) - len(whole)) <= 1
    at = [expected(stages, moment) for moment in seconds(merged)]
    assert at == pytest.approx(range(len(merged)), abs=1e-5)


def test_random_shares_add_up_to_the_whole() -> None:
    each = [arrivals([Stage(25, 100)], "poisson", f"seed {worker}") for worker in range(4)]
    merged = seconds(list(heapq.merge(*each)))
    assert len(merged) == pytest.approx(10_000, abs=400)
    assert_exponential([b - a for a, b in pairwise([0.0, *merged])], mean=1 / 100)


def test_moments_are_made_as_they_are_needed() -> None:
    endless = arrivals([Stage(1e6, 1e9)], "poisson", "")
    assert next(endless) < next(endless)


@pytest.mark.parametrize(
    ("stage", "slope", "arrived"),
    [
        (Stage(10, 4), 0, 40),
        (Stage(10, 4, 30), 5, 80),
        (Stage(10, 4, 0), -2.5, 20),
        (Stage(0, 4, 10), 2.5, 20),
    ],
)
def test_a_stage_knows_its_slope_and_area(stage: Stage, slope: float, arrived: float) -> None:
    assert (stage.slope, stage.arrivals) == (slope, arrived)


def test_a_ramp_to_nothing_survives_rounding() -> None:
    assert len(list(arrivals([Stage(86.6, 0.16166281755196307, 0.0)], "constant", ""))) in (7, 8)
