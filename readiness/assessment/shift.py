"""Two estimates -> how far the quantity has moved, and how surely it has moved at all."""

import functools
import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

from readiness.estimate import CONFIDENCE, EVEN, Estimate

ALPHA = 1 - CONFIDENCE
"""The chance, over all that is compared, of seeing any difference where there is none."""

_NORMAL = NormalDist()
_LEAST, _SUREST = 0.5, 1 - 1e-12
"""No run asks for less; more is not told apart from 1."""
_Z = _NORMAL.inv_cdf(1 - ALPHA / 2)


class Shift(NamedTuple):
    """The difference now - before with its interval, in the metric's unit."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether there is a difference at all, as far as the samples tell."""
        return self.low > 0 or self.high < 0


def shift(now: Estimate, before: Estimate, level: float = ALPHA) -> Shift:
    """Return the difference of two independent estimates with its interval at 1 - `level`.

    By MOVER, which recovers the variances from the margins of the two 95 % intervals (Zou and
    Donner 2008, Statist. Med. 27:1693, equation 4), so that a quantile's or rate's skewness is
    kept. At other levels the margins are scaled like a normal variable's. ValueError where an
    estimate is empty.
    """
    value, down, up = _margins(now, before)
    scale = _NORMAL.inv_cdf(1 - level / 2) / _Z
    return Shift(value, value - scale * down, value + scale * up)


def chance(now: Estimate, before: Estimate) -> float:
    """Return the p-value of no difference: the level at which the interval reaches zero."""
    value, down, up = _margins(now, before)
    margin = down if value > 0 else up
    if value == 0:
        return 1.0
    if margin == 0:
        return 0.0
    return 2 * _NORMAL.cdf(-_Z * abs(value) / margin)


def levels(chances: Sequence[float], alpha: float = ALPHA) -> tuple[float, ...]:
    """Return the level at which each of several differences is tested.

    Holm's (1979, Scand. J. Statist. 6:65): the k-th smallest of m p-values at alpha / (m - k + 1)
    until one is not significant; that level holds for the rest. With it the chance of any false
    difference is at most alpha, whatever depends on what; Bonferroni's, alpha / m for all, never
    finds more.
    """
    found, level, holds = [0.0] * len(chances), alpha, True
    for k, i in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        if holds:
            level = alpha / (len(chances) - k)
            holds = chances[i] < level
        found[i] = level
    return tuple(found)


def _margins(now: Estimate, before: Estimate) -> tuple[float, float, float]:
    """Return the difference, and how far its 95 % interval reaches below and above it."""
    if now.value is None or now.low is None or now.high is None:
        raise ValueError("an empty estimate has no difference from anything")
    if before.value is None or before.low is None or before.high is None:
        raise ValueError("nothing differs from an empty estimate")
    below, above = _of_95(now, now.value - now.low, now.high - now.value)
    less, more = _of_95(before, before.value - before.low, before.high - before.value)
    return now.value - before.value, math.hypot(below, more), math.hypot(above, less)


def _of_95(of: Estimate, low: float, high: float) -> tuple[float, float]:
    """Return how far the ends are from the value at 95 %, as a normal variable's would be."""
    sides = of.sides or EVEN
    return low * _Z / _z(sides.low), high * _Z / _z(sides.high)


@functools.lru_cache(maxsize=256)
def _z(confidence: float) -> float:
    return _NORMAL.inv_cdf((1 + min(max(confidence, _LEAST), _SUREST)) / 2)
