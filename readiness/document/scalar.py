"""The text of one YAML scalar -> None, bool, int, float or str, by YAML 1.2's core schema."""

import math
import re

_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MOST_DIGITS = 18


def unprintable(text: str) -> int | None:
    """Return where `text` holds a character that YAML allows in no document, or None."""
    found = _UNPRINTABLE.search(text)
    return found.start() if found else None


def plain(text: str) -> bool | int | float | str | None:
    """Return what a scalar without quotes stands for (YAML 1.2.2, section 10.3.2).

    Unlike in YAML 1.1 `on`, `no`, `22:22` and `2026-12-31` are text. ValueError for a number
    that is not finite or has more digits than fit.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.fullmatch(text):
        if len(text) > _MOST_DIGITS:
            raise ValueError("the number has too many digits")
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if _NOT_FINITE.fullmatch(text):
        raise ValueError("the number is not finite")
    if _FLOAT.fullmatch(text):
        value = float(text)
        if not math.isfinite(value):
            raise ValueError("the number is too large")
        return value
    return text
