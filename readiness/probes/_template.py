"""Text with `{{name}}` in it and the values of variables -> the text that is sent."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from readiness.inventory import REFERENCE

_DOTS = ("", ".", "..")
_ORIGIN = re.compile(r"(https?:)?//[^/?#]*", re.IGNORECASE)
_SAFE = "/%:@!$&'()*+,;=~-._?"

Variables = Mapping[str, Any]
"""Name -> what a step captured: a text, a number or a truth value."""


def filled(text: str, variables: Variables) -> str:
    """Return `text` with each reference replaced by its value."""
    return REFERENCE.sub(lambda found: spelt(variables[found[1]]), text)


def filled_path(path: str, variables: Variables) -> str | None:
    """Return the same for a path: values are percent-encoded, but for one that begins it.

    None where a value would change the path around it, as `..` does.
    """
    first = REFERENCE.match(path)
    begun = spelt(variables[first[1]]) if first else ""
    rest = path[first.end() :] if first else path
    if any(spelt(variables[name]) in _DOTS for name in REFERENCE.findall(rest)):
        return None
    return begun + REFERENCE.sub(lambda found: quote(spelt(variables[found[1]]), safe=""), rest)


def own_path(url: str) -> str:
    """Return path and query of what a server called a URL, nothing if it has no path.

    The origin it names is left out: whatever it says, the service itself is asked.
    """
    path = _ORIGIN.sub("", url, count=1).partition("#")[0]
    path = f"/{path}" if path.startswith("?") or path == "" != url else path
    return quote(path, safe=_SAFE) if path.startswith("/") else ""


def filled_data(data: Any, variables: Variables) -> Any:
    """Return JSON data with its texts filled; one that is a reference alone becomes its value."""
    if isinstance(data, Mapping):
        return {filled(k, variables): filled_data(v, variables) for k, v in data.items()}
    if isinstance(data, list | tuple):
        return [filled_data(value, variables) for value in data]
    if not isinstance(data, str):
        return data
    whole = REFERENCE.fullmatch(data)
    return variables[whole[1]] if whole else filled(data, variables)


def spelt(value: Any) -> str:
    """Return a value as JSON writes it, text without its quotes."""
    return str(value).lower() if isinstance(value, bool) else str(value)
