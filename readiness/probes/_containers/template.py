"""Compose's `${VAR:-default}` -> the text as the file alone gives it, with holes for the rest."""

import re

HOLE = "\ufffc"
"""Stands where only the environment knows what is written: the object replacement character."""

_MOST_NESTED = 8
LONGEST = 16_384
"""Characters of one text that are looked at; no setting is longer."""

_START = re.compile(r"\$(?:(?P<dollar>\$)|(?P<bare>[A-Za-z_]\w*)|\{(?P<name>[A-Za-z_]\w*))")
_MARK = re.compile(r"\$\$|\$\{|\}")


def filled(text: str, depth: int = 0) -> str:
    """Return `text` with defaults put in; a variable without one leaves a HOLE.

    The environment is not asked: what is judged is what the file says by itself.
    """
    text = text[:LONGEST]
    if "$" not in text or depth > _MOST_NESTED:
        return text
    parts, position = [], 0
    while match := _START.search(text, position):
        parts.append(text[position : match.start()])
        position = match.end()
        if match["dollar"]:
            parts.append("$")
        elif match["bare"]:
            parts.append(HOLE)
        else:
            end = _closing(text, position)
            parts.append(_value(text[position:end], depth))
            position = end + 1
    return "".join([*parts, text[position:]])


def _value(operation: str, depth: int) -> str:
    for operator in (":-", "-"):
        if operation.startswith(operator):
            return filled(operation[len(operator) :], depth + 1)
    return HOLE


def _closing(text: str, start: int) -> int:
    depth = 0
    for mark in _MARK.finditer(text, start):
        if mark[0] == "}" and depth == 0:
            return mark.start()
        depth += {"${": 1, "}": -1}.get(mark[0], 0)
    return len(text)
