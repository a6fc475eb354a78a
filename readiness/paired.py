"""Pairs of times taken at the same moments -> how much slower the one is than the other.

Wilcoxon's signed-rank test asks whether the differences lie about zero; Hodges and Lehmann's
estimate says how far they do not, of the times or of their logarithms; Vargha and Delaney's A says
how often that shows. All three hold whatever the times' distribution, with ties. Neighbours that
are alike, as in a queue, tell less than their number: each interval is made for the effective size
(see `estimate.effective`).
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import groupby
from statistics import NormalDist

from readiness.estimate import EVEN, Estimate, Sides, effective, proportion

FEWEST = 20
"""Pairs below which nothing is said: the test rests on the normal approximation."""
_BRIEFEST = 1e-6  # of what a clock of nanoseconds tells in milliseconds
_FEWEST_EFFECTIVE = 2.5  # up to 5 no p is below 5 %
_COUNTABLE = 10  # pairs of unlike outcome; fewer tell nothing of whether they come in bunches

_NEAR = 1e-13  # of the greatest difference: nearer means are taken for one


def p_value(differences: Sequence[float]) -> float | None:
    """Return the two-sided p of Wilcoxon's signed-rank test (1945, Biometrics Bulletin 1:80).

    `differences` are in order of time. Those of zero are ranked and count for neither side (Pratt
    1959, JASA 54:655). None if they are too few, or too much alike.
    """
    scores = _signed_ranks(differences)
    spread = math.sqrt(math.fsum(score * score for score in scores))
    if not _suffice(scores):
        return None
    if not spread:
        return 1.0
    z = math.fsum(scores) / spread * math.sqrt(effective(scores) / len(scores))
    return math.erfc(abs(z) / math.sqrt(2))


def shift(differences: Sequence[float], sides: Sides = EVEN) -> Estimate:
    """Estimate what the differences, in order of time, lie about (Hodges and Lehmann 1963).

    It is the median of the means of all two of them (and of each with itself), in their unit; the
    interval is what the signed-rank test does not reject (Hollander and Wolfe, Nonparametric
    Statistical Methods, 3.3). Where that rejects nothing, it reaches beyond what was seen, in
    proportion to what is lacking.
    """
    n, ordered = len(differences), sorted(differences)
    empty = Estimate(value=None, low=None, high=None, n=n)
    if n < FEWEST:
        return empty
    means = n * (n + 1) // 2
    middle = (_mean(ordered, (means + 1) // 2) + _mean(ordered, means // 2 + 1)) / 2
    scores = _signed_ranks([difference - middle for difference in differences])
    if not _suffice(scores):
        return empty
    low = _end(ordered, middle, _half(scores, sides.low))
    high = -_end([-one for one in reversed(ordered)], -middle, _half(scores, sides.high))
    return Estimate(value=middle, low=min(low, middle), high=max(high, middle), n=n)


def _half(scores: Sequence[float], confidence: float) -> float:
    """Return by how many of all means of two the interval reaches to either side."""
    n, z = len(scores), -NormalDist().inv_cdf((1 - confidence) / 2)
    return z * math.sqrt(n * (n + 1) * (2 * n + 1) / 24 * n / effective(scores, confidence))


def _end(ordered: Sequence[float], middle: float, half: float) -> float:
    """Return the lower end of an interval that is `half` of the means wide below its middle."""
    means = len(ordered) * (len(ordered) + 1) // 2
    lacking = half / (means / 2)
    if lacking > 1:
        return middle - (middle - ordered[0]) * lacking
    return _mean(ordered, max(1, math.floor(means / 2 - half)))


def ratio(candidate: Sequence[float], reference: Sequence[float], sides: Sides = EVEN) -> Estimate:
    """Estimate how many times as long the candidate takes, by pairs, in order of time.

    That is the `shift` of the logarithms: what both feel, as a host that gets slower, cancels
    out, and so does the unit. Of a candidate that takes k times as long it is k, whatever the
    distribution: the differences of the logarithms are symmetric about that of k.
    """
    logs = (
        math.log(max(one, _BRIEFEST) / max(other, _BRIEFEST))
        for one, other in zip(candidate, reference, strict=True)
    )
    found = shift(list(logs), sides)
    if found.value is None or found.low is None or found.high is None:
        return found
    value, low, high = map(math.exp, (found.value, found.low, found.high))
    return Estimate(value=value, low=low, high=high, n=found.n)


def slower(candidate: Sequence[float], reference: Sequence[float]) -> Estimate:
    """Estimate the probability that an answer of the candidate takes longer than one of the other.

    That is A of Vargha and Delaney (2000, J. Educ. Behav. Stat. 25:101), ties halved: 0.5 where
    both are alike, `2 * A - 1` is Cliff's delta. Its variance is that of paired placements (DeLong
    and others 1988, Biometrics 44:837), its interval a proportion's of the size with this variance.
    """
    n = len(candidate)
    ours, theirs = sorted(candidate), sorted(reference)
    above = [_placement(theirs, one) for one in candidate]
    below = [1 - _placement(ours, one) for one in reference]
    parts = [a + b for a, b in zip(above, below, strict=True)]
    if n < FEWEST or not _suffice(parts):
        return Estimate(value=None, low=None, high=None, n=n)
    value = min(1.0, math.fsum(above) / n)
    mean = math.fsum(parts) / n
    variance = math.fsum((part - mean) ** 2 for part in parts) / (n - 1) / effective(parts)
    size = value * (1 - value) / variance if variance else float(n)
    return proportion(value * n, n, max(1.0, size))


def excess(
    only_first: Sequence[bool], only_second: Sequence[bool], both: int, sides: Sides = EVEN
) -> Estimate:
    """Estimate by how much (-1..1) the share of failures of the first exceeds the second's.

    Of each pair, in order of time, it is told whether only the first or only the second failed;
    `both` did in so many. The interval is made of those of the two shares and their correlation
    (Newcombe 1998, Statistics in Medicine 17:2635, method 10).
    """
    n = len(only_first)
    if not n:
        return Estimate(value=None, low=None, high=None, n=0)
    b, c = sum(only_first), sum(only_second)
    size = float(n)
    if b + c >= _COUNTABLE:
        size = effective([x - y for x, y in zip(only_first, only_second, strict=True)])
    first = proportion(b + both, n, size, sides)
    second = proportion(c + both, n, size, Sides(sides.high, sides.low))
    alike = _phi(both, b, c, n - both - b - c)
    (p, low, high), (q, below, above) = _ends(first), _ends(second)
    down = _distance(p - low, above - q, alike)
    up = _distance(high - p, q - below, alike)
    value = (b - c) / n
    return Estimate(value=value, low=max(-1.0, value - down), high=min(1.0, value + up), n=n)


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the two-sided p of McNemar's exact test: that both fail as often (sign test)."""
    n, fewer = only_first + only_second, min(only_first, only_second)
    if only_first == only_second:
        return 1.0
    log_half = n * math.log(2)
    all_ways = math.lgamma(n + 1)
    ways = (all_ways - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in range(fewer + 1))
    return min(1.0, 2 * math.fsum(math.exp(way - log_half) for way in ways))


def _suffice(scores: Sequence[float]) -> bool:
    return len(scores) >= FEWEST and effective(scores) >= _FEWEST_EFFECTIVE


def _signed_ranks(differences: Sequence[float]) -> list[float]:
    """Return the rank of each by its size, ties sharing their mean rank, with its sign."""
    ranks = dict(_mid_ranks(sorted(map(abs, differences))))
    return [math.copysign(ranks[abs(d)], d) if d else 0.0 for d in differences]


def _mid_ranks(ordered: Sequence[float]) -> Iterator[tuple[float, float]]:
    before = 0
    for value, same in groupby(ordered):
        count = sum(1 for _ in same)
        yield value, before + (count + 1) / 2
        before += count


def _mean(ordered: Sequence[float], rank: int) -> float:
    """Return the `rank`-th smallest mean of two, by bisection: there are too many to list."""
    low, high = ordered[0], ordered[-1]
    near = _NEAR * max(abs(low), abs(high))
    if _count(ordered, low) >= rank:
        return low
    while high - low > near:
        middle = low + (high - low) / 2
        if _count(ordered, middle) < rank:
            low = middle
        else:
            high = middle
    return _next(ordered, low)


def _next(ordered: Sequence[float], level: float) -> float:
    """Return the smallest mean of two that is greater than `level`."""
    places = ((x, max(i, bisect_right(ordered, 2 * level - x))) for i, x in enumerate(ordered))
    return min((x + ordered[j]) / 2 for x, j in places if j < len(ordered))


def _count(ordered: Sequence[float], level: float) -> int:
    """Return how many means of two, and of each with itself, are at most `level`."""
    twice = 2 * level
    return sum(max(0, bisect_right(ordered, twice - x) - i) for i, x in enumerate(ordered))


def _placement(ordered: Sequence[float], value: float) -> float:
    """Return the share of `ordered` that is less than `value`, those equal to it halved."""
    return (bisect_left(ordered, value) + bisect_right(ordered, value)) / 2 / len(ordered)


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value or 0.0, estimate.low or 0.0, estimate.high or 0.0


def _phi(both: int, b: int, c: int, neither: int) -> float:
    """Return the correlation of the two outcomes, less what chance adds to it if positive."""
    product = (both + b) * (c + neither) * (both + c) * (b + neither)
    if not product:
        return 0.0
    n, cross = both + b + c + neither, both * neither - b * c
    return (max(0.0, cross - n / 2) if cross > 0 else cross) / math.sqrt(product)


def _distance(x: float, y: float, alike: float) -> float:
    return math.sqrt(max(0.0, x * x - 2 * alike * x * y + y * y))
