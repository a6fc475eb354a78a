"""A JSONPath and JSON data -> what it finds there, within bounds that no answer can stretch."""

from collections.abc import Sequence
from typing import Any

from readiness.failure import ProbeError

_MOST_STEPS = 100_000
"""What a search may look at: a quarter of a second, for which nothing else is measured."""


class Absent:
    """What is found where nothing is."""


class Found(list[Any]):
    """Every value that a path finds which may find several."""


def found(path: str, data: Any) -> Any:
    """Return the value at `path` (RFC 9535), Found where there may be several, or Absent.

    Raises ProbeError if the search would take too long, or the data is nested too deeply.
    """
    import jsonpath_rfc9535  # a thirtieth of a second that only journeys pay

    if data is Absent:
        return Absent
    query = jsonpath_rfc9535.compile(path)
    single = query.singular_query()
    if not single and _steps(data, path.count("..")) > _MOST_STEPS:
        raise ProbeError("local_limit", f"the JSON is too large to be searched for {path}")
    try:
        values = [node.value for node in query.finditer(data)]
    except (jsonpath_rfc9535.JSONPathError, RecursionError):
        detail = f"the JSON is nested too deeply to be searched for {path}"
        raise ProbeError("local_limit", detail) from None
    if single:
        return values[0] if values else Absent
    return Found(values)


def first(path: str, data: Any) -> Any:
    """Return the first value that the path finds, or Absent."""
    value = found(path, data)
    if isinstance(value, Found):
        return value[0] if value else Absent
    return value


def _steps(data: Any, descents: int) -> int:
    """Return an upper bound for what a search looks at that goes down so many times by `..`.

    Each value is met once on the way down, and again from each of the values around it.
    """
    seen, depth, level = 0, 0, [data]
    while level and seen <= _MOST_STEPS:
        seen += len(level)
        depth += 1
        level = [inner for value in level for inner in _inside(value)]
    return seen * int(depth ** max(0, descents - 1))


def _inside(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else ()
