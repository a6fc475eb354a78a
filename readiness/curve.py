"""One value against its target and limit -> a score from 0 to 1, and the side it falls on."""

import math
from collections.abc import Callable, Mapping
from typing import Literal

Curve = Literal["log", "linear", "nines"]
Better = Literal["lower", "higher"]


def score(value: float, target: float, limit: float, curve: Curve, better: Better) -> float:
    """Return 1 at the target and beyond it, 0.5 at the limit, 0 where the curve reaches it.

    The score falls by equal parts per equal step on the curve's scale: `log` per equal ratio,
    as durations and sizes are felt; `linear` per equal difference; `nines` per nine of a
    success rate, -log10(1 - value). Takes finite values and arguments that passed `fault`;
    ValueError if the value is NaN.
    """
    if math.isnan(value):
        raise ValueError("a score is never NaN: values are checked before they are scored")
    if meets(value, target, better):
        return 1.0
    scale = _SCALES[curve]
    start = scale(target)
    return max(0.0, min(1.0, 1 - 0.5 * ((scale(value) - start) / (scale(limit) - start))))


def meets(value: float, bound: float, better: Better) -> bool:
    """Whether `value` is `bound` or on the good side of it."""
    return value <= bound if better == "lower" else value >= bound


def fault(target: float, limit: float, curve: Curve, better: Better) -> str | None:
    """Return why these arguments make no curve, or None when they do."""
    if not (math.isfinite(target) and math.isfinite(limit)):
        return "target and limit must be finite numbers"
    if target == limit:
        return "target and limit must differ"
    if not meets(target, limit, better):
        return f"target must be better than limit, and {better} is better here"
    if curve == "log" and min(target, limit) <= 0:
        return "target and limit must be above 0 on a log curve"
    if curve == "nines" and max(target, limit) >= 1:
        return "target and limit must be below 1 on a nines curve"
    span = _SCALES[curve](limit) - _SCALES[curve](target)
    if span == 0 or math.isinf(span):
        return "target and limit must differ by an amount that can be computed with"
    return None


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf


def _linear(value: float) -> float:
    return value


def _nines(value: float) -> float:
    """Return the number of nines times ln 10, a factor that cancels; log1p keeps small rates."""
    return -math.log1p(-value) if value < 1 else math.inf


_SCALES: Mapping[Curve, Callable[[float], float]] = {
    "log": _log,
    "linear": _linear,
    "nines": _nines,
}
