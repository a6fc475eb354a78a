"""The first bytes of an HTTP/1.x answer -> its head, if it is so plain that one look is enough.

Plain is a whole head of unambiguous lines, a final status that has a body, and one length. What
is not is left to h11, at eight times the price; what is, h11 would read alike.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass

from readiness.probes._answer import BODY_LIMIT

_HEAD_LIMIT = 16 << 10
_STATUS_LINE = re.compile(rb"HTTP/(1\.[01]) ([2-5][0-9]{2})(?: [\x20-\x7e]*)?")
_FIELD = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ ]*([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?[ ]*"
)
_LENGTH = re.compile(r"[0-9]{1,7}")
_BODILESS = (204, 304)


@dataclass(frozen=True)
class Head:
    """What a status line and its headers say. Names are in lower case, repeated ones joined."""

    status: int
    protocol: str
    headers: Mapping[str, str]
    begin: int = 0
    """Where the body begins in the bytes that were read, if the answer is plain."""
    end: int = 0


def read(data: bytes | bytearray) -> Head | None:
    """Return the head at the start of `data`; None if it takes a closer look, or more bytes."""
    size = data.find(b"\r\n\r\n", 0, _HEAD_LIMIT)
    if size < 0:
        return None
    first, *lines = bytes(data[:size]).split(b"\r\n")
    status_line, headers = _STATUS_LINE.fullmatch(first), _headers(lines)
    if not status_line or headers is None or "transfer-encoding" in headers:
        return None
    status, length = int(status_line[2]), headers.get("content-length", "")
    if status in _BODILESS or not _LENGTH.fullmatch(length) or int(length) > BODY_LIMIT:
        return None
    begin = size + 4
    return Head(status, f"HTTP/{status_line[1].decode()}", headers, begin, begin + int(length))


def _headers(lines: list[bytes]) -> Mapping[str, str] | None:
    """Return names in lower case -> values, repeated ones joined; None if a line is not plain."""
    headers: dict[str, str] = {}
    for line in lines:
        field = _field(line)
        if not field:
            return None
        name, value = field
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


@functools.lru_cache(maxsize=512)
def _field(line: bytes) -> tuple[str, str] | None:
    """Return name and value; cached, since servers are much alike."""
    found = _FIELD.fullmatch(line)
    return (found[1].decode().lower(), (found[2] or b"").decode()) if found else None
