"""What counts as a success: a status, and where asked for a text or a JSON field of the body."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

BODY_FAILED = 1000
"""Added to the status of an answer whose body is not what was wanted."""
LIMITED = 429
"""The service refuses because we ask too often, which is neither success nor failure."""

_MISSING = object()
_DIGITS = 10


@dataclass(frozen=True)
class Check:
    """The wanted answer. Without `statuses` any 2xx will do; without the rest, any body."""

    statuses: frozenset[int] | None = None
    text: bytes | None = None
    """Must occur in the body."""
    fields: tuple[tuple[tuple[str, ...], Any], ...] = ()
    """Ways into the JSON body (names of members, or places in arrays), and what must be there."""

    @property
    def reads_body(self) -> bool:
        """Whether a body must be kept to be looked at."""
        return self.text is not None or bool(self.fields)

    def code(self, status: int, body: bytes) -> int:
        """Return the outcome of one answer: its status, plus BODY_FAILED if only its body fails."""
        if not self.reads_body or not self._wants(status):
            return status
        found = (self.text is None or self.text in body) and (not self.fields or self._agrees(body))
        return status if found else status + BODY_FAILED

    def succeeded(self, code: int) -> bool:
        """Whether an outcome of `code` is a success."""
        return code < BODY_FAILED and self._wants(code)

    def _wants(self, status: int) -> bool:
        return 200 <= status < 300 if self.statuses is None else status in self.statuses

    def _agrees(self, body: bytes) -> bool:
        try:
            value = json.loads(body, parse_constant=_no_number)
            return all(_equal(_look_up(value, way), wanted) for way, wanted in self.fields)
        except (ValueError, RecursionError):
            return False


def _equal(found: Any, wanted: Any) -> bool:
    """Compare as JSON does, where true is not 1."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        same = found.keys() == wanted.keys()
        return same and all(_equal(found[name], wanted[name]) for name in found)
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(_equal, found, wanted))
    return bool(found == wanted) and isinstance(found, bool) == isinstance(wanted, bool)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _look_up(value: Any, way: Sequence[str]) -> Any:
    for name in way:
        if isinstance(value, dict):
            value = value.get(name, _MISSING)
        elif (
            isinstance(value, list)
            and name.isdecimal()
            and len(name) < _DIGITS
            and int(name) < len(value)
        ):
            value = value[int(name)]
        else:
            return _MISSING
    return value
