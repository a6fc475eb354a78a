"""Requests under load, looked at as they grow -> whether they settle the checks that read them."""

from collections.abc import Sequence

from readiness.enough import PLENTY, Limits, settled
from readiness.estimate import Estimate, Sides, needed, rate
from readiness.load.recorder import Recorder
from readiness.load.result import late
from readiness.looks import Looks

SUCCESS = "success_rate"
_HOPELESS = 20
"""Requests after which, if none succeeded, no more are sent for a time of their answers."""


class Deciding:
    """Counts the looks of one load, each at wider intervals, and knows those of the last.

    Metrics are `success_rate` and `p<N>_ms`, as `limits` have them. Where nothing succeeds there is
    nothing to time, however many more are sent. Where a percentile that is judged has too few
    samples to be known at all, no look is spent on the others. A `punctual` load is not looked at
    while one in a hundred was sent late: more may show that it was a moment's trouble of ours.
    """

    def __init__(
        self,
        limits: Limits,
        looks: Looks,
        percentiles: Sequence[int] = (50, 95, 99),
        punctual: bool = True,
    ) -> None:
        self._limits, self._looks = limits, looks
        self._quantiles = {f"p{p}_ms": p / 100 for p in percentiles}
        judged = [q for metric, q in self._quantiles.items() if metric in limits]
        self._fewest = max(map(needed, judged), default=1)
        self._punctual = punctual
        self._decisive = False
        self._made = 0

    def enough(self, recorder: Recorder) -> bool:
        """Called by the engine when as many samples are there as were wanted."""
        if self._looks.planned:
            return True
        seen = recorder.preview()
        asked = sum(seen.codes.values())
        if asked >= _HOPELESS and not seen.successes:
            return True
        if self._punctual and asked < PLENTY and late(seen.lag, seen.response, 0.99):
            return False
        if seen.response.n < self._fewest:
            return False
        self._made += 1
        self._decisive = all(
            settled(self._estimate(metric, seen, asked - seen.limited), *bounds)
            for metric, bounds in self._limits.items()
            if metric in (SUCCESS, *self._quantiles)  # one that is open is enough to go on
        )
        return self._decisive

    def _estimate(self, metric: str, seen: Recorder, counted: int) -> Estimate:
        sides = self._looks.sides(self._made, self._limits.get(metric))
        if metric == SUCCESS:
            return rate(seen.successes, counted, sides)
        return seen.response.quantile(self._quantiles[metric], sides)

    @property
    def made(self) -> int:
        """How many looks there were; what was taken after one that left it open is one more."""
        return self._made if self._decisive else self._made + 1

    def sides(self, metric: str) -> Sides:
        """Return how sure the interval of a metric is at the last of them."""
        return self._looks.sides(self.made, self._limits.get(metric), last=not self._decisive)
