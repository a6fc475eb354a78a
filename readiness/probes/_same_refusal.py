"""Two refusals of a login -> whether they can be told apart (user enumeration, never by time)."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from readiness.probes._answer import Answer
from readiness.probes._expectation import Absent, read_json

_VOLATILE = re.compile(r"\d+|[0-9a-f]{8,}|[A-Za-z0-9+/_=-]{20,}", re.IGNORECASE)
"""Numbers, digests and tokens, which differ from one answer to the next in any case."""


def told_apart(
    known: Answer, unknown: Answer, again: Sequence[Answer], names: tuple[str, str]
) -> str | None:
    """Return by what the refusal of an unknown account differs, empty if by nothing.

    `again` are more refusals of the known account: what differs among those says nothing.
    `names` are the known and the unknown account, which may be echoed. None: nobody can tell.
    """
    again = [one for one in again if one.status == known.status]
    if not again:
        return None
    if known.status != unknown.status:
        return f"status {known.status} for an account that exists, {unknown.status} for none"
    if known.media_type != unknown.media_type:
        steady = all(one.media_type == known.media_type for one in again)
        return "the media type" if steady else None
    parts, others = _parts(known, names[0]), _parts(unknown, names[1])
    repeated = [_parts(one, names[0]) for one in again]
    if parts.keys() != others.keys():
        steady = all(one.keys() == parts.keys() for one in repeated)
        return "the fields of the body" if steady else None
    differing = [place for place, text in parts.items() if others[place] != text]
    for place in differing:
        if all(one.get(place) == parts[place] for one in repeated):
            return f"the body at {place}" if place else "the text of the body"
    return None if differing == [""] else ""


def _parts(answer: Answer, name: str) -> Mapping[str, str]:
    """Return place -> text of a body, without numbers, tokens and the account's own name."""
    data = read_json(answer)
    if data is Absent:
        return {"": _plain(answer.text, name)}
    return {place: _plain(text, name) for place, text in _leaves(data, "$", name, 6)}


def _plain(text: str, name: str) -> str:
    text = re.sub(re.escape(name), "", text, flags=re.IGNORECASE) if name else text
    return _VOLATILE.sub("#", " ".join(text.split()))


def _leaves(data: Any, at: str, name: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(data, Mapping) and data and depth:
        for key, value in data.items():
            plain = re.sub(r"[^A-Za-z0-9_#]", "_", _plain(key, name))[:40]
            yield from _leaves(value, f"{at}.{plain}", name, depth - 1)
    elif isinstance(data, list) and data and depth:
        for index, value in enumerate(data[:20]):
            yield from _leaves(value, f"{at}[{index}]", name, depth - 1)
    else:
        yield at, json.dumps(data) if not isinstance(data, str) else data
