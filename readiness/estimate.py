"""A number with its interval and sample size: what every sampled metric is reported as.

Latencies come in runs: a queue or a stall makes neighbours alike, and a sample of them tells less
than its size. So each interval is made for the *effective* size: the size divided by the design
effect, which is measured on the sample itself by batch means (Flyvbjerg and Petersen 1989,
J. Chem. Phys. 91:461), on the very indicator that the quantile is about.
"""

import functools
import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from operator import add, mul
from statistics import NormalDist
from typing import Annotated, NamedTuple, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from readiness import binomial

CONFIDENCE = 0.95
"""Two-sided coverage of an interval that stands alone."""


class Sides(NamedTuple):
    """How sure each end of an interval is: the confidence (0..1) of one made so on both sides."""

    low: float = CONFIDENCE
    high: float = CONFIDENCE


EVEN = Sides()


def unusual(sides: Sides) -> Sides | None:
    """Return `sides` for an estimate to keep, None for what goes without saying."""
    return None if sides == EVEN else sides


_FEWEST_STRETCHES = 16
_CORRELATED = 2.7  # standard deviations: chance alone makes neighbours so alike in 1 of 300
_COUNTABLE = 10  # with fewer exceedances their bunching says nothing at all
_PLENTY = 30  # with fewer, a level nearer the middle is asked as well
_FREEDOM = 15  # so it is where the variance itself is too uncertain
_MARGIN = 1.5  # times `needed`, where the effective size is an estimate
_ENOUGH_EFFECTIVE = 20
_UNSEEN, _UNSEEN_SAMPLES = 0.6, 240  # of variance, where stretches were too few to see their own
_LEAST_EFFECTIVE = 2.5


class Estimate(BaseModel):
    """A point estimate with its two-sided interval.

    `value`, `low` and `high` carry the metric's own unit and are all null when `n` samples
    cannot bound the quantity: a guess is never printed as a measurement.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    value: float | None
    low: float | None
    high: float | None
    n: Annotated[int, Field(ge=0, le=2**53)]
    sides: Sides | None = None
    """How sure its ends are; None where each is of 95 %, or that is not known."""

    @model_serializer(mode="wrap")
    def _without_none(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        found: dict[str, object] = handler(self)
        if self.sides is None:
            del found["sides"]
        return found

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        parts = (self.low, self.value, self.high)
        if any(part is None for part in parts) and any(part is not None for part in parts):
            raise ValueError("value, low and high are given together or not at all")
        if self.sides and not all(0 < side <= 1 for side in self.sides):
            raise ValueError("sides are two confidences between 0 and 1")
        return self


class Ranks(NamedTuple):
    """Which order statistics bound and estimate a quantile: 1-based, of n.

    Where samples are so few, or depend on each other so much, that even the greatest does not bound
    it with the confidence asked for, `lacking` says how many times more information that would
    take, and the interval reaches beyond; `short` is the same of the least.
    """

    low: int
    value: int
    high: int
    lacking: float = 1.0
    short: float = 1.0

    def reach(self, low: float, middle: float, high: float) -> tuple[float, float]:
        """Return the interval's ends, of the values at `low` and `high`, and of the median.

        The tail is taken to grow in proportion to what is lacking, as the heaviest do that have a
        mean (Pareto's with index 1); no duration is below zero.
        """
        below = middle - (middle - low) * self.short if self.short > 1 else low
        beyond = middle + (high - middle) * self.lacking if self.lacking > 1 else high
        return max(0.0, below) if low >= 0 else below, beyond


class Exceedances(NamedTuple):
    """How many samples exceed a threshold, `total` and in consecutive stretches of equal length.

    Where the stretches are not quite equal, `counts` are less what was to be expected of each.
    """

    counts: Sequence[float]
    total: int


Above = Callable[[int], Exceedances]
"""Rank r (1..n) -> how often the samples exceed the r-th smallest, or as good as that."""


class _Effect(NamedTuple):
    factor: float
    """Variance of the share, in terms of what it were if the samples were independent."""
    freedom: float
    """Degrees of freedom of that; infinite where the samples show no dependence."""

    @property
    def dependent(self) -> bool:
        return self.freedom < math.inf


class Tail(NamedTuple):
    """What an interval may miss on each side."""

    mass: float
    z: float
    """The standard normal quantile at 1 - mass."""


@functools.lru_cache(maxsize=256)
def _tail(confidence: float) -> Tail:
    """Return what a two-sided interval of this confidence (0..1) may miss on each side."""
    mass = (1 - confidence) / 2
    return Tail(mass, -NormalDist().inv_cdf(mass))


_PLAIN = _tail(CONFIDENCE)


def quantile(samples: Sequence[float], q: float, sides: Sides = EVEN) -> Estimate:
    """Estimate the `q` quantile of `samples`, in order of time, with a distribution-free interval.

    The interval's ends are order statistics (see `ranks`); a p50 needs n >= 6, a p95 n >= 72, a
    p99 n >= 368, and more if the samples are dependent: below that the estimate is empty. Units
    are those of the samples.
    """
    n = len(samples)
    empty = Estimate(value=None, low=None, high=None, n=n)
    if n < needed(q):
        return empty
    ordered = sorted(samples)
    found = ranks(n, q, lambda rank: exceedances(samples, ordered, rank), sides)
    if found is None:
        return empty
    low, high = found.reach(ordered[found.low - 1], ordered[(n - 1) // 2], ordered[found.high - 1])
    return Estimate(value=ordered[found.value - 1], low=low, high=high, n=n, sides=unusual(sides))


def exceedances(samples: Sequence[float], ordered: Sequence[float], rank: int) -> Exceedances:
    """Tell which samples exceed the `rank`-th of `ordered`, or reach it if ties make that nearer.

    `samples` are in order of time, `ordered` the same by size.
    """
    n, level = len(samples), ordered[rank - 1]
    more, least = n - bisect_right(ordered, level), n - bisect_left(ordered, level)
    if abs(more - (n - rank)) <= abs(least - (n - rank)):
        return Exceedances([sample > level for sample in samples], more)
    return Exceedances([sample >= level for sample in samples], least)


def needed(q: float, confidence: float = CONFIDENCE) -> int:
    """Return the fewest samples that bound the `q` quantile.

    At 95 % they are 6 for p50, 72 for p95, 368 for p99.
    """
    return math.ceil(math.log(_tail(confidence).mass) / math.log(max(q, 1 - q)))


def ranks(n: int, q: float, above: Above, sides: Sides = EVEN) -> Ranks | None:
    """Return the ranks that estimate and bound the `q` quantile of `n` samples, or None.

    They are binomial quantiles (Conover, Practical Nonparametric Statistics, 3.2) for the
    effective size, stretched to `n`. None where `n` is too small for an interval that stands
    alone, or the samples are all but one; for more confidence than such has, it reaches beyond.
    """
    if n < needed(q) or not 0 < q < 1:
        return None
    effect = _worst_effect(n, min(q, 1 - q), functools.partial(_outside, n, q, above))
    if effect.dependent and _discounted(n, effect, _PLAIN.z) < _LEAST_EFFECTIVE:
        return None
    value = _rank_of(q, n)
    low, short = _lowest(n, q, effect, sides.low)
    mirrored, lacking = _lowest(n, 1 - q, effect, sides.high, extreme=True)
    return Ranks(min(low, value), value, max(n + 1 - mirrored, value), lacking, short)


def _lowest(
    n: int, q: float, effect: "_Effect", confidence: float, *, extreme: bool = False
) -> tuple[int, float]:
    """Return the rank below which the quantile is not, and how much it lacks to bound it at 1.

    Of few dependent samples an `extreme` one is taken, where the quantile is on that side.
    """
    beyond, fewest = _tail(confidence), needed(q, confidence)
    size = _discounted(n, effect, beyond.z)
    if not effect.dependent:
        size = max(size, min(n, fewest))  # a suspicion widens the interval, it never empties it
    elif size < (enough := max(_MARGIN * fewest, _ENOUGH_EFFECTIVE)):
        rank = 1 if extreme else _low_rank(size, n, q, beyond.mass)
        return rank, enough / size if rank == 1 else 1.0
    whole = int(size + 1e-6)
    if (1 - q) ** whole > beyond.mass:
        return 1, math.log(beyond.mass) / math.log(1 - q) / whole
    return int((_rank(whole, q, beyond.mass) - 1) * n / whole + 1e-9) + 1, 1.0


def _rank_of(q: float, n: int) -> int:
    return min(n, max(1, math.ceil(n * q - 1e-9)))  # 0.07 * 100 exceeds 7


def _low_rank(size: float, n: int, q: float, tail_mass: float) -> int:
    """Return the rank below which the quantile is not, for a size that bounds it on no other side.

    1 where it does not even bound it there.
    """
    whole, below = int(size), 0.0
    for k in range(whole):
        below += math.exp(_log_mass(k, whole, q))
        if below > tail_mass:
            return max(1, int(max(0, k - 1) * n / whole))
    return 1


def _outside(n: int, q: float, above: Above, mass: float) -> Exceedances:
    """Return the exceedances of the level that leaves `mass` on the side where `q` leaves less."""
    share = mass if q < 0.5 else 1 - mass
    return above(min(n, max(1, math.ceil(n * share - 1e-9))))


def _worst_effect(n: int, mass: float, at: Callable[[float], Exceedances]) -> _Effect:
    """Return the design effect that holds.

    Where a tail holds too few exceedances to judge by, levels nearer the middle are asked too,
    and the greatest effect holds.
    """
    worst = _Effect(1.0, math.inf)
    while True:
        seen = at(mass)
        few = min(seen.total, n - seen.total)
        if few >= _COUNTABLE:
            effect = _effect(n, seen)
            worst = max(worst, effect, key=lambda found: (found.factor, -found.freedom))
            if few >= _PLENTY and effect.freedom >= _FREEDOM:
                break
        if mass >= 0.5:
            break
        mass = min(0.5, 4 * mass)
    return worst


def _discounted(n: int, effect: _Effect, z: float) -> float:
    """Return how many independent samples tell as much.

    The noise of the estimated variance is paid for as in Student's t.
    """
    return min(n, n / effect.factor * (z / student(effect.freedom, z)) ** 2)


def effective(scores: Sequence[float], confidence: float = CONFIDENCE) -> float:
    """Return of how many independent samples the mean were as uncertain as that of `scores`.

    They are in order of time. As many as there are where they show no dependence, never more; of
    an interval of more confidence somewhat fewer, since their dependence is not known exactly.
    """
    n, mean = len(scores), math.fsum(scores) / max(1, len(scores))
    each = math.fsum((score - mean) ** 2 for score in scores) / max(1, n)
    return _discounted(n, _dependence(n, scores, each, few=n < _PLENTY), _tail(confidence).z)


def _effect(n: int, seen: Exceedances) -> _Effect:
    """Measure the design effect of a share."""
    share, few = seen.total / n, min(seen.total, n - seen.total) < _PLENTY
    return _dependence(n, seen.counts, share * (1 - share), few=few)


def _dependence(n: int, counts: Sequence[float], each: float, *, few: bool) -> _Effect:
    """Measure the design effect of a mean of `n`, given sums over stretches; `each` is a variance.

    Stretches are doubled in length until neighbours no longer correlate; the variance between
    them is then that of the mean. What correlation is left is added (Bartlett's first lag).
    """
    length = n / max(1, len(counts))
    levels = [_Stretches.of(part) for part in _doubled(counts)]
    if not each or not levels:
        return _Effect(1.0, math.inf)
    alike = [i for i, level in enumerate(levels) if level.alike]
    if not alike and length == 1:
        return _Effect(1.0 if few else 1 + 2 * max(0.0, levels[0].correlation), math.inf)
    chosen = alike[-1] + 1 if alike else 0
    while alike and chosen < len(levels) and levels[chosen].perhaps_alike:
        chosen += 1
    chosen = min(chosen, len(levels) - 1)
    level = levels[chosen]
    scale = length * 2**chosen * each
    left = level.unbiased if alike else level.correlation
    factor = level.variance / scale * (1 + 2 * max(0.0, left))
    if alike and chosen == len(levels) - 1:
        factor *= 1 + min(_UNSEEN, _UNSEEN_SAMPLES / n)
    if factor <= 1:
        return _Effect(1.0, math.inf)
    return _Effect(factor, level.freedom)


def _doubled(counts: Sequence[float]) -> Iterator[Sequence[float]]:
    """Yield the counts of ever longer stretches; the oldest is dropped where one is left over."""
    while len(counts) >= _FEWEST_STRETCHES:
        yield counts
        odd = len(counts) % 2
        counts = list(map(add, counts[odd::2], counts[odd + 1 :: 2]))


class _Stretches(NamedTuple):
    counts: Sequence[float]
    mean: float
    variance: float
    correlation: float
    """Between neighbours."""

    @classmethod
    def of(cls, counts: Sequence[float]) -> Self:
        size = len(counts)
        mean = sum(counts) / size
        squares = sum(map(mul, counts, counts)) - size * mean * mean
        products = sum(map(mul, counts, counts[1:]))
        # Not about zero: at the ends each count has but one neighbour.
        products += mean * (counts[0] + counts[-1] - (size + 1) * mean)
        return cls(counts, mean, squares / (size - 1), products / squares if squares > 0 else 0.0)

    @property
    def alike(self) -> bool:
        return self.correlation * math.sqrt(len(self.counts)) > _CORRELATED

    @property
    def perhaps_alike(self) -> bool:
        """Whether neighbours seem to correlate, where shorter stretches are known to do so."""
        return self.unbiased * math.sqrt(len(self.counts)) > 1

    @property
    def unbiased(self) -> float:
        """The correlation without what few stretches take from it (Kendall 1954, Biometrika)."""
        return min(1.0, self.correlation + (1 + 4 * self.correlation) / len(self.counts))

    @property
    def freedom(self) -> float:
        """Those of the variance, given how heavy the tails of the counts are."""
        size, second = len(self.counts), self.variance
        fourth = sum((count - self.mean) ** 4 for count in self.counts) / size
        excess = max(0.0, fourth / second**2 - 3)
        return max(3.0, 2 * size / (2 + excess + (4 if self.alike else 0)))


def student(freedom: float, z: float) -> float:
    """Return Student's t where the standard normal is at `z` (Abramowitz and Stegun 26.7.5)."""
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / freedom ** (i + 1) for i, term in enumerate(terms))


@functools.lru_cache(maxsize=256)
def _rank(n: int, q: float, mass: float) -> int:
    """Return the greatest rank k (1-based) with P(quantile < X(k)) <= `mass`.

    Sums the binomial's mass from 12 standard deviations below its mean, where what is left out
    is under 1e-9 for every n whose least sample bounds the quantile, and nothing has underflowed.
    """
    start = max(0, math.floor(n * q - 12 * math.sqrt(n * q * (1 - q))))
    log_mass, log_odds = _log_mass(start, n, q), math.log(q) - math.log1p(-q)
    below = 0.0  # P(Binomial(n, q) < k)
    for k in range(start, n):
        if below > mass:
            return max(1, k - 1)
        below += math.exp(log_mass)
        log_mass += log_odds + math.log((n - k) / (k + 1))
    return n


def _log_mass(k: int, n: int, q: float) -> float:
    """Return log P(Binomial(n, q) = k)."""
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return ways + k * math.log(q) + (n - k) * math.log1p(-q)


def rate(successes: int, n: int, sides: Sides = EVEN) -> Estimate:
    """Estimate a proportion (0..1) of independent trials with its exact interval."""
    return proportion(successes, n, n, sides)


def share(n: int, seen: Exceedances, above: Above) -> Estimate:
    """Estimate which share (0..1) of `n` dependent samples exceeds a threshold.

    The interval is exact for the effective size. Where too few samples exceed it to tell whether
    they come in bunches, what `above` tells of the samples in general is held to be true of them.
    """
    few = min(seen.total, n - seen.total)
    effect = _effect(n, seen) if few >= _COUNTABLE else _Effect(1.0, math.inf)
    size = _discounted(n, effect, _PLAIN.z)
    if n and (few < _PLENTY or effect.freedom < _FREEDOM):
        mass = min(0.5, 4 * max(few, _COUNTABLE) / n)
        worst = _worst_effect(n, mass, functools.partial(_outside, n, 0.5, above))
        size = min(size, _discounted(n, worst, _PLAIN.z))
    return proportion(seen.total, n, size)


def proportion(successes: float, n: int, size: float, sides: Sides = EVEN) -> Estimate:
    """Estimate a proportion of `n` samples that tell as much as `size` independent ones."""
    if n < 1:
        return Estimate(value=None, low=None, high=None, n=0)
    value, (low_tail, high_tail) = successes / n, (_tail(sides.low), _tail(sides.high))
    low = binomial.least(value * size, size, *low_tail)
    high = 1 - binomial.least((1 - value) * size, size, *high_tail)
    return Estimate(
        value=value, low=min(low, value), high=max(high, value), n=n, sides=unusual(sides)
    )
