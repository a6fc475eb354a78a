"""Text with `{{name}}` in it and the values of variables -> the text that is sent."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from readiness.inventory import REFERENCE

Variables = Mapping[str, Any]
"""Name -> what a step captured: a text, a number or a truth value."""


def filled(text: str, variables: Variables) -> str:
    """Return `text` with each reference replaced by its value."""
    return REFERENCE.sub(lambda found: spelt(variables[found[1]]), text)


def filled_path(path: str, variables: Variables) -> str:
    """Return the same for a path: values are percent-encoded, but for one that begins it."""
    first = REFERENCE.match(path)
    begun = spelt(variables[first[1]]) if first else ""
    rest = path[first.end() :] if first else path
    return begun + REFERENCE.sub(lambda found: quote(spelt(variables[found[1]]), safe=""), rest)


def filled_data(data: Any, variables: Variables) -> Any:
    """Return JSON data with its texts filled; one that is a reference alone becomes its value."""
    if isinstance(data, Mapping):
        return {key: filled_data(value, variables) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [filled_data(value, variables) for value in data]
    if not isinstance(data, str):
        return data
    whole = REFERENCE.fullmatch(data)
    return variables[whole[1]] if whole else filled(data, variables)


def spelt(value: Any) -> str:
    """Return a value as JSON writes it, text without its quotes."""
    return str(value).lower() if isinstance(value, bool) else str(value)
