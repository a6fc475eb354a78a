"""What a step expects and the answer it got -> what is not as expected, in sentence parts."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from readiness.failure import ProbeError
from readiness.inventory import REFERENCE, Expect, Match
from readiness.probes._answer import Answer
from readiness.probes._json_path import Absent, Found, found
from readiness.probes._template import Variables, filled, filled_data, spelt

__all__ = ["Absent", "demand_whole", "described", "read_json", "unmet"]

_PLAIN = re.compile(r"[A-Za-z][A-Za-z _-]{0,23}")
"""A text like a status or a kind, which tells no secret."""
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
    "null": type(None),
}


def unmet(expect: Expect, answer: Answer, variables: Variables) -> list[str]:
    """Return what of `expect` the answer does not meet, nothing if it meets all.

    A body is looked at if its head is as expected. Raises ProbeError for one that is too large.
    """
    return [*_head(expect, answer, variables)] or [*_body(expect, answer, variables)]


def described(expect: Expect) -> str:
    """Return what is expected in a few words, without values that may be secret."""
    parts = [" or ".join(expect.status)]
    for name, match in [*expect.headers.items(), *expect.values.items()]:
        parts.append(f"{name} {_described(match)}")
    parts += ["a text"] if expect.text is not None else []
    parts += ["the digest of the body"] if expect.sha256 is not None else []
    parts += [f"within {expect.time * 1000:g} ms"] if expect.time is not None else []
    return ", ".join(parts)


def read_json(answer: Answer) -> Any:
    """Return the body as JSON data, Absent where it is none."""
    try:
        return json.loads(answer.text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):
        return Absent


def _head(expect: Expect, answer: Answer, variables: Variables) -> Iterator[str]:
    if not any(_is(answer.status, one) for one in expect.status):
        yield f"expected {' or '.join(expect.status)}"
    for name, match in expect.headers.items():
        value = _as_compared(answer.headers.get(name.lower(), Absent), match)
        yield from _mismatches(f"header {name}", match, value, variables)
    ms = sum(answer.ms.values())
    if expect.time is not None and ms > expect.time * 1000:
        yield f"took {ms:.0f} ms, more than {expect.time * 1000:g} ms"


def _body(expect: Expect, answer: Answer, variables: Variables) -> Iterator[str]:
    if expect.values:
        data = read_json(answer)
        if data is Absent:
            demand_whole(answer)
            yield (
                "the body is packed, which was not asked for"
                if answer.packed
                else ("the body is not JSON")
            )
            return
        for path, match in expect.values.items():
            yield from _mismatches(path, match, found(path, data), variables)
    if expect.text is not None and filled(expect.text, variables) not in answer.text:
        demand_whole(answer)
        yield "the expected text is not in the body"
    if expect.sha256 is not None:
        demand_whole(answer)
        if hashlib.sha256(answer.body).hexdigest() != filled(expect.sha256, variables):
            yield f"the body ({len(answer.body)} bytes) is not the one that was expected"


def demand_whole(answer: Answer) -> None:
    """Raise ProbeError if there is more of the body than was read: nobody knows what it holds."""
    if not answer.complete:
        raise ProbeError("local_limit", "the body is longer than the 1 MiB that are read of it")


def _as_compared(value: Any, match: Match) -> Any:
    """Return a header's text as the number or truth value that it is to be compared with."""
    wanted = (match.equals, match.at_least, match.at_most)
    if value is Absent or not any(isinstance(one, int | float) for one in wanted):
        return value
    if _NUMBER.fullmatch(value):
        return float(value) if "." in value else int(value)
    return {"true": True, "false": False}.get(value.lower(), value)


def _is(status: int, expected: str) -> bool:
    return str(status) == expected or (expected.endswith("xx") and expected[0] == str(status)[0])


def _mismatches(what: str, match: Match, value: Any, variables: Variables) -> Iterator[str]:
    """Yield each condition of `match` that `value` does not meet."""
    if match.exists is not None:
        gone = value is Absent or (isinstance(value, Found) and not value)
        if match.exists is gone:
            yield f"{what} {'is missing' if match.exists else 'is there'}"
        if gone:
            return
    elif value is Absent:
        yield f"{what} is missing"
        return
    if "equals" in match.model_fields_set:
        wanted = filled_data(match.equals, variables)
        if not _same(value, wanted):
            yield f"{what} is {_compared(value, match.equals)}, expected {_shown(match.equals)}"
    if match.contains is not None and not _holds(value, filled(match.contains, variables)):
        yield f"{what} lacks what was expected in it"
    if match.type is not None and not _is_of(value, match.type):
        yield f"{what} is {_shown(value)}, expected {match.type}"
    yield from _measures(what, match, value)


def _measures(what: str, match: Match, value: Any) -> Iterator[str]:
    if match.length is not None:
        size = len(value) if isinstance(value, str | list | dict) else None
        if size != match.length:
            yield f"{what} has the length {size}, expected {match.length}"
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if match.at_least is not None and (number is None or number < match.at_least):
        yield f"{what} is {_shown(value)}, expected at least {match.at_least:g}"
    if match.at_most is not None and (number is None or number > match.at_most):
        yield f"{what} is {_shown(value)}, expected at most {match.at_most:g}"


def _same(value: Any, wanted: Any) -> bool:
    """Whether both are equal as JSON: true is not 1, and a header's value is text."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if isinstance(value, Mapping) and isinstance(wanted, Mapping):
        return value.keys() == wanted.keys() and all(_same(value[k], wanted[k]) for k in value)
    if isinstance(value, list) and isinstance(wanted, list):
        return len(value) == len(wanted) and all(map(_same, value, wanted))
    return bool(value == wanted)


def _holds(value: Any, wanted: str) -> bool:
    if isinstance(value, str):
        return wanted in value
    items: Sequence[Any] = value if isinstance(value, list) else ()
    return any(spelt(item) == wanted for item in items if isinstance(item, str | int | float))


def _is_of(value: Any, name: str) -> bool:
    return isinstance(value, _TYPES[name]) and (name != "number" or not isinstance(value, bool))


def _described(match: Match) -> str:
    words = []
    if "equals" in match.model_fields_set:
        words.append(f"= {_shown(match.equals)}")
    words += ["contains a text"] if match.contains is not None else []
    if match.exists is not None:
        words.append("is there" if match.exists else "is not there")
    words += [f"is {match.type}"] if match.type else []
    words += [f"has length {match.length}"] if match.length is not None else []
    words += [f"≥ {match.at_least:g}"] if match.at_least is not None else []
    words += [f"≤ {match.at_most:g}"] if match.at_most is not None else []
    return " and ".join(words)


def _compared(value: Any, wanted: Any) -> str:
    """Return a value beside what it should be; a number beside a secret may be one as well."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    kept = isinstance(wanted, str) and REFERENCE.search(wanted)
    return "another number" if number and kept else _shown(value)


def _shown(value: Any) -> str:
    """Return a value fit to be shown: a plain word or number as it is, else what kind it is."""
    if value is Absent or value is None or isinstance(value, bool | int | float):
        return "missing" if value is Absent else json.dumps(value)[:24]
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) or REFERENCE.fullmatch(value)
        return value if plain else f"a text of {len(value)} characters"
    return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
