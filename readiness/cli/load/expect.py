"""`--expect` and `--data` -> what counts as a success, and the body to send."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from readiness.document import ConfigurationError
from readiness.document.file import read_bytes, why
from readiness.load.check import Check
from readiness.probes._load import READING

_MOST_BODY = 1 << 20
_PATH = re.compile(r"\$((?:\.[A-Za-z0-9_-]+|\[\d{1,4}\])+)=(.*)", re.DOTALL)
_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d{1,4})\]")
_FIX = "Write 200, text:WORD or $.path=value."


def expectation(words: Sequence[str], method: str) -> Check:
    """Return what all of `words` ask of an answer; several statuses are alternatives."""
    statuses: set[int] = set()
    text: bytes | None = None
    fields: list[tuple[tuple[str, ...], Any]] = []
    for word in words:
        if re.fullmatch(r"[2-5]\d\d", word, re.ASCII):
            statuses.add(int(word))
        elif word.startswith("text:") and len(word) > len("text:"):
            if text is not None:
                raise ConfigurationError("--expect text: can be given once.", fix=_FIX)
            text = word.removeprefix("text:").encode("utf-8", "surrogateescape")
        elif found := _PATH.fullmatch(word):
            way = tuple(name or place for name, place in _STEP.findall(found[1]))
            fields.append((way, _scalar(found[2])))
        else:
            raise ConfigurationError("--expect is neither a status, a text nor a path.", fix=_FIX)
    if method == "HEAD" and (text is not None or fields):
        raise ConfigurationError("the answer to HEAD has no body to expect anything of.")
    return Check(frozenset(statuses) or None, text, tuple(fields))


def _scalar(written: str) -> Any:
    """Return the JSON value that is written; what is none is a text: `ok` is `"ok"`."""
    try:
        return json.loads(written)
    except (ValueError, RecursionError):
        return written


def body_from(data: str | None, method: str) -> bytes | None:
    """Return the bytes of `--data`, `@FILE` read; without it none, said as such where it must be.

    A server may wait for the length of a body that POST, PUT or PATCH do not have.
    """
    if data is None:
        return None if method in (*READING, "DELETE") else b""
    if not data.startswith("@"):
        return data.encode("utf-8", "surrogateescape")
    path = Path(data[1:])
    try:
        body = read_bytes(path, _MOST_BODY)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"--data cannot be read ({why(error)}).", file=str(path)) from None
    if len(body) > _MOST_BODY:
        raise ConfigurationError(f"--data is larger than {_MOST_BODY:,} bytes.", file=str(path))
    return body


def media_type(body: bytes) -> str:
    """Return what `body` looks like: JSON, or else what curl calls it, a form."""
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return "application/x-www-form-urlencoded"
    return "application/json"
