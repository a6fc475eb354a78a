"""A number with its interval and sample size: what every sampled metric is reported as."""

import functools
import math
from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

CONFIDENCE = 0.95
"""Two-sided coverage of every interval in this tool."""

_TAIL = (1 - CONFIDENCE) / 2
_Z = 1.959963984540054  # the standard normal quantile at 1 - _TAIL


class Estimate(BaseModel):
    """A point estimate with its two-sided 95 % interval.

    `value`, `low` and `high` carry the metric's own unit and are all null when `n` samples
    cannot bound the quantity: a guess is never printed as a measurement.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    value: float | None
    low: float | None
    high: float | None
    n: Annotated[int, Field(ge=0, le=2**53)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        parts = (self.low, self.value, self.high)
        if any(part is None for part in parts) and any(part is not None for part in parts):
            raise ValueError("value, low and high are given together or not at all")
        return self


def quantile(samples: Sequence[float], q: float) -> Estimate:
    """Estimate the `q` quantile of `samples` with a distribution-free interval.

    The interval's ends are order statistics whose ranks are binomial quantiles (Conover,
    Practical Nonparametric Statistics, 3.2); a p50 needs n >= 6, a p95 n >= 72, a p99
    n >= 368, below which the estimate is empty. Units are those of the samples.
    """
    n = len(samples)
    ranks = _ranks(n, q)
    if ranks is None:
        return Estimate(value=None, low=None, high=None, n=n)
    ordered = sorted(samples)
    low, high = ranks
    value = ordered[min(n, max(1, math.ceil(n * q - 1e-9))) - 1]  # 0.07 * 100 exceeds 7
    return Estimate(value=value, low=ordered[low - 1], high=ordered[high - 1], n=n)


def needed(q: float) -> int:
    """Return the fewest samples that bound the `q` quantile: 6 for p50, 72 for p95, 368 for p99."""
    return math.ceil(math.log(_TAIL) / math.log(max(q, 1 - q)))


@functools.lru_cache(maxsize=256)
def _ranks(n: int, q: float) -> tuple[int, int] | None:
    """Return 1-based ranks (l, u) with P(X(l) <= quantile <= X(u)) >= 95 %, or None.

    Sums the binomial's mass from 12 standard deviations below its mean, where what is left out
    is under 1e-9 for every n that passes the guard, and the mass has not underflowed.
    """
    if n < 1 or not 0 < q < 1 or q**n > _TAIL or (1 - q) ** n > _TAIL:
        return None
    start = max(0, math.floor(n * q - 12 * math.sqrt(n * q * (1 - q))))
    log_mass, log_odds = _log_mass(start, n, q), math.log(q) - math.log1p(-q)
    low, high, below = start, n, 0.0  # below = P(Binomial(n, q) < k)
    for k in range(start, n):
        if below <= _TAIL:
            low = k
        if below >= 1 - _TAIL:
            high = k
            break
        below += math.exp(log_mass)
        log_mass += log_odds + math.log((n - k) / (k + 1))
    return max(1, low), high


def _log_mass(k: int, n: int, q: float) -> float:
    """Return log P(Binomial(n, q) = k)."""
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return ways + k * math.log(q) + (n - k) * math.log1p(-q)


def rate(successes: int, n: int) -> Estimate:
    """Estimate a proportion (0..1) with Wilson's score interval (Wilson 1927, JASA 22:209)."""
    if n < 1:
        return Estimate(value=None, low=None, high=None, n=0)
    p, z2 = successes / n, _Z * _Z
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Estimate(value=p, low=low, high=high, n=n)
