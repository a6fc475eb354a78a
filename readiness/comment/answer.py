"""JSON of a code host -> the parts that are needed, or Unanswered where they are not there."""

from typing import Any

from readiness.comment.exchange import Unanswered


def at(data: Any, *keys: str) -> Any:
    """Return what is below `keys`, None where there is nothing."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def text(data: Any, key: str) -> str:
    """Return the text at `key`, empty where there is none."""
    found = at(data, key)
    return found if isinstance(found, str) else ""


def number(data: Any, key: str) -> int:
    """Return the whole number at `key`."""
    found = at(data, key)
    if type(found) is not int:
        raise Unanswered(f"something without {key}")
    return found
