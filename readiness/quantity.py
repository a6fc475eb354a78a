"""A number and its unit, read and written as people do: `200ms`, `99%`, `1.4 MB`."""

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Literal

Unit = Literal["ms", "ratio", "bytes", "days", "count", ""]

_FACTORS: Mapping[Unit, Mapping[str, Fraction]] = {
    "ms": {"us": Fraction(1, 1000), "ms": Fraction(1), "s": Fraction(1000), "m": Fraction(60_000)},
    "ratio": {"%": Fraction(1, 100)},
    "bytes": {
        "B": Fraction(1),
        "kB": Fraction(10**3),
        "MB": Fraction(10**6),
        "KiB": Fraction(2**10),
        "MiB": Fraction(2**20),
    },
    "days": {"d": Fraction(1)},
}


def quantity(written: Any, unit: Unit) -> float:
    """Read a target or limit as people write it (`200ms`, `99%`, `1MiB`) in the metric's unit.

    ValueError if it is neither a number nor a number with a unit that fits.
    """
    if isinstance(written, bool) or not isinstance(written, int | float | str):
        raise ValueError(f"must be a number{_example(unit)}")
    try:
        return float(_scaled(written, unit)) if isinstance(written, str) else float(written)
    except OverflowError:
        raise ValueError("is too large a number") from None


def _scaled(written: str, unit: Unit) -> Fraction:
    match = re.fullmatch(r"\s*(-?\d{1,400}(?:\.\d{1,400})?)\s*([a-zA-Z%]*)\s*", written, re.ASCII)
    factors = {"": Fraction(1), **_FACTORS.get(unit, {})}
    if not match or match[2] not in factors:
        raise ValueError(f"must be a number{_example(unit)}")
    return Fraction(match[1]) * factors[match[2]]


def _example(unit: Unit) -> str:
    examples = {
        "ms": " such as 200ms or 1.5s",
        "ratio": " such as 0.99 or 99%",
        "bytes": " such as 500kB or 1MiB",
        "days": " of days such as 30d",
    }
    return examples.get(unit, "")


def amount(value: float, unit: Unit) -> str:
    """Write `value` with its unit, to the digits that matter: `53.2 ms`, `99.1 %`, `1.4 MB`."""
    if unit == "ratio":
        return f"{_nearly_whole(value) or _rounded(value * 100)} %"
    if unit == "bytes":
        scale, name = next((s, n) for s, n in _BYTES if value >= s or s == 1)
        return f"{_rounded(value / scale)} {name}"
    if unit == "ms" and value >= 10_000:
        return f"{_rounded(value / 1000)} s"
    return f"{_rounded(value)} {unit}".replace(" count", "").strip()


def _nearly_whole(ratio: float) -> str:
    """Write with all its nines what rounding would show as the whole: 99.98 % is not 100 %."""
    return f"{min(round(ratio * 100, 4), 99.9999)}" if 0.999 < ratio < 1 else ""


_BYTES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))


def _rounded(value: float) -> str:
    if abs(value) >= 1e15:
        return f"{value:.3g}"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
