"""The body of a refused request -> the server's reason in a few words, without our secrets."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from readiness.escape import line
from readiness.mask import Masker
from readiness.probes._answer import Answer

_REASON_KEYS = (
    *("detail", "details", "message", "error_description", "error", "errors", "reason"),
    *("title", "msg", "description"),
)
_LONGEST = 200
_SEARCHED = 4096
_DEEPEST = 4


def reason(answer: Answer, secrets: Iterable[str]) -> str:
    """Return at most 200 characters of why, empty if the body is no text for people.

    Each of `secrets` (what we sent) is masked in whatever encoding the server echoes it.
    """
    if answer.html or not answer.body or "content-encoding" in answer.headers:
        return ""
    return line(mask(line(_said(answer.text), _SEARCHED), secrets), _LONGEST)


def mask(text: str, secrets: Iterable[str]) -> str:
    """Replace each of `secrets` in `text`, however spelt; the short ones where they are words."""
    return Masker(secrets).mask(text)


def _said(text: str) -> str:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(data, str):
        return data
    said = "; ".join(dict.fromkeys(_reasons(data, _DEEPEST)))
    return said or text


def _reasons(data: Any, depth: int) -> Iterator[str]:
    """Yield the texts under the keys that frameworks give a reason under.

    A FastAPI item is `{"loc": ["body", "email"], "msg": "Field required", "input": ...}`; its
    input is what we sent. Rails, Laravel and Django answer `{"errors": {"email": [...]}}`.
    """
    if isinstance(data, Mapping) and isinstance(data.get("msg"), str) and "loc" in data:
        place = data["loc"]
        where = ".".join(str(part) for part in place) if isinstance(place, list) else str(place)
        yield f"{where}: {data['msg']}"
    elif isinstance(data, Mapping) and depth:
        for key in (key for key in _REASON_KEYS if key in data):
            yield from _texts(data[key], depth - 1)
    elif isinstance(data, list) and depth:
        for item in data:
            yield from _texts(item, depth - 1)


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping) and not any(key in value for key in _REASON_KEYS):
        for name, inner in value.items() if depth else ():
            yield from (f"{name}: {text}" for text in _texts(inner, depth - 1))
    else:
        yield from _reasons(value, depth)
