"""An estimate, a target and a limit -> whether more samples could still change the verdict."""

import math
from collections.abc import Mapping

from readiness.estimate import Estimate

PLENTY = 3000
"""Samples after which only an interval around a limit asks for more."""

Limits = Mapping[str, tuple[float, float]]
"""Metric -> (target, limit)."""


def settled(estimate: Estimate, target: float, limit: float) -> bool:
    """Whether the interval leaves neither bound open, or with plenty of samples not the limit.

    A limit decides on a release, a target on a few points of the score.
    """
    if estimate.low is None or estimate.high is None:
        return False
    if estimate.low <= limit <= estimate.high:
        return False
    return estimate.n >= PLENTY or not estimate.low <= target <= estimate.high


def decided(found: Mapping[str, object], limits: Limits) -> bool:
    """Whether every estimate in `found` that has limits is settled."""
    return all(
        settled(estimate, *limits[metric])
        for metric, estimate in found.items()
        if metric in limits and isinstance(estimate, Estimate)
    )


def more(estimate: Estimate, bound: float) -> int | None:
    """Return about how many more samples would take the interval off `bound`, if the value stays.

    Its width shrinks with the root of their number. None where no number would do, as the value is
    on the bound, or where there is no interval to go by; 0 where it is off it already.
    """
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return None
    if not estimate.low <= bound <= estimate.high:
        return 0
    end = estimate.high if bound > estimate.value else estimate.low
    apart = abs(bound - estimate.value)
    if not apart:
        return None
    return math.ceil(estimate.n * (((end - estimate.value) / apart) ** 2 - 1)) + 1
