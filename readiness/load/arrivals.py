"""Rates over time -> the moments at which requests are meant to start."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Spacing = Literal["poisson", "constant"]
"""Random, as users come who know nothing of each other; or evenly, which misses what repeats."""


@dataclass(frozen=True)
class Stage:
    """A rate held for some seconds, or changing evenly towards another. Rates are 1/s."""

    rate: float
    seconds: float
    to: float | None = None

    def __post_init__(self) -> None:
        rates = (self.rate, self.rate if self.to is None else self.to)
        if not all(0 <= rate < math.inf for rate in rates) or not 0 < self.seconds < math.inf:
            raise ValueError("a stage has finite rates from 0 on, and lasts")

    @property
    def slope(self) -> float:
        """Change of the rate, 1/s^2."""
        return 0.0 if self.to is None else (self.to - self.rate) / self.seconds

    @property
    def arrivals(self) -> float:
        """The expected number of arrivals."""
        return (self.rate + (self.rate if self.to is None else self.to)) / 2 * self.seconds


def arrivals(
    stages: Sequence[Stage], spacing: Spacing, seed: str, phase: float = 0.0
) -> Iterator[int]:
    """Yield nanoseconds from the begin, ascending, until the last stage ends.

    A Poisson process whose rate changes is one of rate 1 seen through the inverse of the
    expected number of arrivals (Cinlar, Introduction to Stochastic Processes, theorem 7.4).
    `phase` (0..1) shifts evenly spaced arrivals, for one of several that share a rate. The same
    `seed` gives the same moments.
    """
    # no secret depends on it, and the same run must be had again
    source = random.Random(seed)

    def step() -> float:
        return source.expovariate(1.0) if spacing == "poisson" else 1.0

    began, area = 0.0, step() if spacing == "poisson" else phase
    for stage in stages:
        rate, slope, whole = stage.rate, stage.slope, stage.arrivals
        while area < whole:
            if slope:  # the root of rate*t + slope*t^2/2 = area
                root = math.sqrt(max(0.0, rate * rate + 2 * slope * area))
                at = 2 * area / (rate + root) if area else 0.0
            else:
                at = area / rate
            yield round((began + at) * 1e9)
            area += step()
        area -= whole
        began += stage.seconds
