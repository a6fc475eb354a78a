"""A histogram of response times -> its percentiles, as far up as its number of answers tells."""

from collections.abc import Sequence

from readiness.assessment.timings import latest
from readiness.histogram import Histogram
from readiness.measurement import Measurement

_STEPS = 28
_LEAST = 8
"""Answers from which on there is a line to draw."""

Point = tuple[float, float]
"""(one in how many answers takes longer, milliseconds): (20, 57.4) is p95 = 57.4 ms."""


def percentiles(
    measurements: Sequence[Measurement], services: Sequence[str]
) -> dict[str, tuple[Point, ...]]:
    """Return the points of each of `services` whose distribution was kept, from the median up.

    The last is the slowest but one in n: of a tail beyond that, n answers tell nothing.
    """
    found = latest(measurements, "http_latency")
    wanted = ((name, found[name].get("distribution")) for name in services if name in found)
    drawn = ((name, _points(str(text))) for name, text in wanted if text is not None)
    return {name: points for name, points in drawn if points}


def _points(text: str) -> tuple[Point, ...]:
    try:
        counted = Histogram.decode(text)
    except ValueError:  # evidence may come from anywhere
        return ()
    n = counted.n
    if n < _LEAST:
        return ()
    odds = (2 * (n / 2) ** (step / (_STEPS - 1)) for step in range(_STEPS))
    return tuple((one_in, counted.quantile(1 - 1 / one_in)[1] / 1e6) for one_in in odds)
