"""A word of the command line -> one of a closed set, or the error that names the others."""

from typing import Any, get_args

from readiness.document import ConfigurationError
from readiness.document.complaint import suggest


def member(written: str, of: Any, option: str) -> Any:
    """Return `written`, one of the Literal `of`; ConfigurationError names `option` and the near."""
    if written not in get_args(of):
        raise ConfigurationError(
            f"{option} does not know '{written}'.", fix=suggest(written, get_args(of))
        )
    return written
