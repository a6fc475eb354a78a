"""The owner's answer and another's -> whether both certainly show the same object."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from readiness.probes._answer import Answer
from readiness.probes._expectation import Absent, read_json

_Path = tuple[str, ...]

_ID = re.compile(r"(^|[_-])(id|uuid|guid|slug|number)$|[a-z](Id|ID|Uuid|UUID|Number)$")
_OF_THE_REQUEST = re.compile(r"request|trace|correlation|span", re.IGNORECASE)
_LONG = 12
"""Characters of a text that two objects hardly share by chance."""
_DEEPEST = 8


def same_object(answer: Answer, owners: Answer) -> bool:
    """Whether two answers are equal, or JSON that agrees on its ids and on most values.

    One shape is not enough: `GET /orders/current` shows everyone an order of their own.
    """
    mine, theirs = (dict(_leaves(read_json(one))) for one in (answer, owners))
    if answer.body == owners.body:
        return bool(answer.body) and (read_json(owners) is Absent or any(theirs.values()))
    equal = {path for path, value in theirs.items() if path in mine and mine[path] == value}
    telling = _ids(theirs) or {path for path in equal if len(str(theirs[path])) >= _LONG}
    return bool(telling) and telling <= equal and 2 * len(equal) > len(theirs)


def _ids(leaves: Mapping[_Path, Any]) -> set[_Path]:
    """Return where the ids are that are the least deep: those below may be of other objects."""
    found = [path for path, value in leaves.items() if value and _is_id(path)]
    depth = min(map(len, found), default=0)
    return {path for path in found if len(path) == depth}


def _is_id(path: _Path) -> bool:
    return bool(_ID.search(path[-1])) and not _OF_THE_REQUEST.search(path[-1])


def _leaves(data: Any, at: _Path = ()) -> Iterator[tuple[_Path, Any]]:
    """Yield the path and the value of whatever holds nothing else."""
    inner: Any = {}
    if len(at) < _DEEPEST:
        if isinstance(data, Mapping):
            inner = data
        elif isinstance(data, list):
            inner = {str(n): value for n, value in enumerate(data)}
    for key, value in inner.items():
        yield from _leaves(value, (*at, key))
    if at and not isinstance(data, Mapping | list):
        yield at, data
