"""Measurements -> what of them can be compared with another run: one reading for each check."""

import math
from collections.abc import Iterable, Iterator, Mapping

from readiness.baseline import Reading
from readiness.checks import Check, Criteria
from readiness.estimate import Estimate
from readiness.finding import Key
from readiness.inventory import Inventory
from readiness.measurement import Measurement, Value, number
from readiness.quantity import amount

_SETTINGS = (("at_rate.", "target_rate", "requests per second"), ("", "users_max", "users"))
"""How metrics begin that hang on a load, the value that tells of it, and its unit."""
_ASKED = (("request", ""), ("reference", "beside "))
"""Values that tell what was asked, and beside whom."""


def readings(
    inventory: Inventory, measurements: Iterable[Measurement], criteria: Criteria
) -> Mapping[Key, Reading]:
    """Return (check, service) -> the number that the check judges there, where one was read."""
    last: dict[tuple[str, str], Measurement] = {}
    for each in sorted(measurements, key=lambda m: m.attempt):
        last[each.probe, each.service] = each
    numeric = [check for check in criteria.checks.values() if check.target is not None]
    found: dict[Key, Reading] = {}
    for service in inventory.subjects:
        for check in numeric:
            m = last.get((check.probe, service.name))
            if m is None or m.failure or not check.concerns(service):
                continue
            value = _comparable(check, m.values.get(check.metric))
            if value is not None:
                found[check.id, service.name] = Reading(
                    check=check.id,
                    service=service.name,
                    metric=f"{check.probe}.{check.metric}",
                    value=value,
                    under=", ".join(_circumstances(check.metric, m.values)),
                )
    return found


def _comparable(check: Check, value: Value | None) -> Estimate | float | None:
    if not isinstance(value, Estimate):
        plain = number(value)
        known = plain is not None and math.isfinite(plain) and not check.sampled
        return plain if known else None
    ends = (value.low, value.value, value.high)
    if any(end is None or not math.isfinite(end) for end in ends) or value.n < 1:
        return None
    low, middle, high = (end or 0.0 for end in ends)
    return value if low <= middle <= high else None


def _circumstances(metric: str, values: Mapping[str, Value]) -> Iterator[str]:
    """Yield what must be the same for two values to be of the same thing."""
    for prefix, name, unit in _SETTINGS:
        if metric.startswith(prefix) and (level := number(values.get(name))) is not None:
            yield f"{amount(level, '')} {unit}"
            break
    for name, words in _ASKED:
        if isinstance(told := values.get(name), str):
            yield f"{words}{told}"
