"""The run that this one is compared with, as far as it takes to compare them."""

from collections.abc import Sequence
from statistics import fmean, median
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from readiness.estimate import Estimate

RECENT_RUNS, FEWEST_RUNS = 40, 8
"""Of so many runs at most, and at least, it is learned how much a metric varies."""

_MAD_TO_DEVIATION, _MEAN_TO_DEVIATION = 1.4826, 1.2533

_Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Reading(_Frozen):
    """What one check judged on one service, in the metric's unit."""

    check: str
    service: str
    metric: str
    """Which one, with its probe: `http_latency.p95_ms`."""
    value: Estimate | _Finite
    under: str = ""
    """The load it was measured under, where that is a matter of settings: `50 users`."""
    spread: Annotated[_Finite, Field(ge=0)] | None = None
    """How much it varies from run to run (see `spread`); None where that is not known."""
    runs: Annotated[int, Field(ge=0)] = 0
    """How many runs that was learned from."""
    run_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,64}$")] = ""
    """The run it is of, where that is not the baseline itself but one before it."""


class Baseline(_Frozen):
    """An earlier run of the same system, environment, criteria and class of machine."""

    asked: str
    """By what word it was asked for: `main`, `last`, `pinned`, a run or a file."""
    run_id: str
    started_at: AwareDatetime
    commit: str | None = None
    branch: str | None = None
    value: Annotated[int, Field(ge=0, le=100)]
    """The score it had, after caps."""
    services: tuple[str, ...]
    """Everything it judged, by name."""
    readings: tuple[Reading, ...]
    recent: Annotated[int, Field(ge=0)] = 0
    """How many runs that serve the spreads were learned from."""
    passed_over: tuple[str, ...] = ()
    """Newer runs that do not serve, since they had regressed."""

    @property
    def earlier(self) -> tuple[str, ...]:
        """The runs before it that some of the readings are of, the newest first."""
        return tuple(dict.fromkeys(r.run_id[:8] for r in self.readings if r.run_id))


def spread(values: Sequence[float]) -> float | None:
    """Return the standard deviation of a metric from run to run, None of fewer than FEWEST_RUNS.

    1.4826 times the median absolute deviation: unlike the standard deviation itself it is not
    moved by a run or two that went wrong (Rousseeuw and Croux 1993, JASA 88:1273). Where most runs
    agree to the last digit, as shares of few failures do, it would be 0 whatever the others say:
    then it is 1.2533 times the mean absolute deviation.
    """
    if len(values) < FEWEST_RUNS:
        return None
    middle = median(values)
    apart = [abs(value - middle) for value in values]
    return _MAD_TO_DEVIATION * median(apart) or _MEAN_TO_DEVIATION * fmean(apart)
