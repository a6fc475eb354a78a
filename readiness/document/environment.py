"""Text with `${VAR}` in it -> the same text with the values of environment variables put in."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from readiness.document.complaint import Complaint, Place
from readiness.document.scalar import unprintable

_MOST_NESTED = 8
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_REFERENCE = re.compile(rf"\$(?:(?P<dollar>\$)|(?P<bare>{_NAME})|\{{(?P<name>{_NAME}))?")
_OPERATOR = re.compile(r":?[-?+]")
_BRACE = re.compile(r"\$\$|\$\{|\}")


@dataclass(frozen=True)
class Missing:
    """A variable that is needed and not set, and the author's own words about it."""

    name: str
    message: str = ""


class _Malformed(ValueError):
    """Text in which a `${` starts nothing that can be read."""


def substitute(
    data: Any, environ: Mapping[str, str]
) -> tuple[Any, dict[Place, list[Missing]], list[Complaint]]:
    """Return `data` with the variables in its texts filled in, and what stood in the way.

    Compose's rules: `$VAR`, `${VAR}`, `${VAR:-default}`, `${VAR-default}`, `${VAR:?message}`,
    `${VAR?message}`, `${VAR:+instead}`, `${VAR+instead}`, nested where text stands, and `$$` for
    a dollar; but a variable that is not set and has no default is missing, not empty. Text in
    which one is missing is left as it was. A value is text for ever: never read as YAML.
    """
    missing: dict[Place, list[Missing]] = {}
    found: list[Complaint] = []

    def fill(node: Any, place: Place) -> Any:
        if isinstance(node, dict):
            return {key: fill(value, (*place, key)) for key, value in node.items()}
        if isinstance(node, list):
            return [fill(value, (*place, index)) for index, value in enumerate(node)]
        if not isinstance(node, str) or "$" not in node:
            return node
        try:
            text, needed = _fill(node, environ)
        except _Malformed as error:
            found.append(Complaint(place, str(error), "Write $$ for a dollar, or ${NAME}."))
            return node
        if needed:
            missing[place] = needed
            return node
        if unprintable(text) is not None:
            what = "has a control character in the value of its variable"
            found.append(Complaint(place, what, "Set the variable to plain text."))
        return text

    return fill(data, ()), missing, found


def _fill(text: str, environ: Mapping[str, str], depth: int = 0) -> tuple[str, list[Missing]]:
    if depth > _MOST_NESTED:
        raise _Malformed("nests variables too deep")
    filled, missing, position = [], [], 0
    while match := _REFERENCE.search(text, position):
        filled.append(text[position : match.start()])
        position = match.end()
        if match["dollar"]:
            filled.append("$")
            continue
        name, operator, word = match["bare"] or match["name"], "", ""
        if match["name"]:
            operator, word, position = _operation(text, position)
        elif not name:
            if text.startswith("{", position):
                raise _Malformed("has a ${ that cannot be read")
            filled.append("$")  # as in the JSON path $.access_token
            continue
        value, needed = _value(name, operator, word, environ, depth)
        filled.append(value)
        missing += needed
    return "".join([*filled, text[position:]]), list(dict.fromkeys(missing))


def _operation(text: str, start: int) -> tuple[str, str, int]:
    """Return operator and word of the braces open before `start`, and where they are closed."""
    operator = _OPERATOR.match(text, start)
    begin = operator.end() if operator else start
    end = _closing(text, begin)
    if end is None or (operator is None and end != start):
        raise _Malformed("has a ${ that cannot be read")
    return operator[0] if operator else "", text[begin:end], end + 1


def _closing(text: str, start: int) -> int | None:
    """Return where the brace open before `start` is closed, those of inner `${` left out."""
    depth = 0
    for mark in _BRACE.finditer(text, start):
        if mark[0] == "}" and depth == 0:
            return mark.start()
        depth += {"${": 1, "}": -1}.get(mark[0], 0)
    return None


def _value(
    name: str, operator: str, word: str, environ: Mapping[str, str], depth: int
) -> tuple[str, list[Missing]]:
    value = environ.get(name)
    given = bool(value) if operator.startswith(":") else value is not None
    if operator.endswith("+"):
        return _fill(word, environ, depth + 1) if given else ("", [])
    if given:
        return value or "", []
    if operator.endswith("-"):
        return _fill(word, environ, depth + 1)
    return "", [Missing(name, word)]


_ABSENT = object()
_STAND_INS: tuple[Any, ...] = (
    "1",
    "/",
    "2099-12-31",
    *(f"{scheme}://unset.invalid:1" for scheme in ("http", "postgres", "redis", "tcp")),
    _ABSENT,
)


class StandIns:
    """What unset variables might hold: tried in turn, until what hangs on them can be checked."""

    def __init__(self, data: Any) -> None:
        self.data = data
        self._left: dict[Place, list[Any]] = {}

    def advance(self, places: Iterable[Place]) -> bool:
        """Put the next one in at each of `places` of the data; False when none is left."""
        advanced = False
        for place in places:
            left = self._left.setdefault(place, list(_STAND_INS))
            if left:
                self.data = _put(self.data, place, left.pop(0))
                advanced = True
        return advanced


def _put(node: Any, place: Place, value: Any) -> Any:
    """Return a copy of `node` with `value` at `place`, or without what is there."""
    if not place:
        return node if value is _ABSENT else value
    first, rest = place[0], place[1:]
    if isinstance(node, list):
        return [_put(n, rest, value) if i == first else n for i, n in enumerate(node)]
    if not rest and value is _ABSENT:
        return {key: n for key, n in node.items() if key != first}
    return {**node, first: _put(node.get(first), rest, value)}
