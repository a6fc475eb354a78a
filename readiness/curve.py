"""One value against its target and limit -> a score from 0 to 1, and the side it falls on."""

import math
from collections.abc import Callable
from typing import Literal

Curve = Literal["log", "linear", "nines"]
Better = Literal["lower", "higher"]


def score(value: float, target: float, limit: float, curve: Curve, better: Better) -> float:
    """Return 1 at the target and beyond it, 0.5 at the limit, 0 where the curve reaches it.

    `log` falls by equal parts per equal ratio, as durations and sizes are felt; `linear` by
    equal parts per equal difference; `nines` is linear on -log10(1 - value), the number of
    nines of a success rate. All three take finite values and arguments that passed `fault`.
    """
    return _clamp(_CURVES[curve](value, target, limit, better))


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
    return None


def _log(value: float, target: float, limit: float, better: Better) -> float:
    if value <= 0:
        return 1.0 if better == "lower" else 0.0
    return 1 - 0.5 * math.log(value / target) / math.log(limit / target)


def _linear(value: float, target: float, limit: float, better: Better) -> float:
    return 1 - 0.5 * (value - target) / (limit - target)


def _nines(value: float, target: float, limit: float, better: Better) -> float:
    if value >= 1:
        return 1.0 if better == "higher" else 0.0
    nines = [-math.log10(1 - v) for v in (value, target, limit)]
    return _linear(nines[0], nines[1], nines[2], better)


def _clamp(x: float) -> float:
    if math.isnan(x):
        raise ValueError("a score is never NaN: values are checked before they are scored")
    return max(0.0, min(1.0, x))


_CURVES: dict[Curve, Callable[[float, float, float, Better], float]] = {
    "log": _log,
    "linear": _linear,
    "nines": _nines,
}
