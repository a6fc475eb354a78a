"""A word of the command line -> what it stands for, or the error that says what may stand there."""

from typing import Any, get_args

from readiness.document import ConfigurationError
from readiness.document.complaint import suggest
from readiness.inventory.duration import seconds


def member(written: str, of: Any, option: str) -> Any:
    """Return `written`, one of the Literal `of`; ConfigurationError names `option` and the near."""
    if written not in get_args(of):
        raise ConfigurationError(
            f"{option} does not know '{written}'.", fix=suggest(written, get_args(of))
        )
    return written


def above_zero(written: str, option: str) -> float:
    """Return the seconds in `written`; ConfigurationError if it is no time above zero."""
    try:
        value = seconds(written)
    except ValueError:
        value = 0.0
    if value <= 0:
        raise ConfigurationError(f"{option} must be a time above 0.", fix="Write 90s or 5m.")
    return value
