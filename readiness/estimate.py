"""A number with its interval and sample size: what every sampled metric is reported as."""

import math
from collections.abc import Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

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
    n: int

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
    value = ordered[min(n, max(1, math.ceil(n * q))) - 1]
    return Estimate(value=value, low=ordered[low - 1], high=ordered[high - 1], n=n)


def _ranks(n: int, q: float) -> tuple[int, int] | None:
    """Return 1-based ranks (l, u) with P(X(l) <= quantile <= X(u)) >= 95 %, or None."""
    if n < 1 or not 0 < q < 1 or q**n > _TAIL or (1 - q) ** n > _TAIL:
        return None
    low, high, below = 0, n, 0.0  # below = P(Binomial(n, q) < k)
    log_odds, log_p = math.log(q) - math.log1p(-q), n * math.log1p(-q)
    for k in range(n + 1):
        if below <= _TAIL:
            low = k
        if below >= 1 - _TAIL:
            high = k
            break
        below += math.exp(log_p)
        log_p += log_odds + math.log((n - k) / (k + 1)) if k < n else 0.0
    return max(1, low), min(n, high)


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
