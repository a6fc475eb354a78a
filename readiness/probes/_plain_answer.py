"""The first bytes of an HTTP/1.x answer -> its head, if it is so plain that one look is enough.

Plain is a whole head of unambiguous lines, a final status that has a body, and one length. What
is not is left to h11, at eight times the price; what is, h11 would read alike.
"""

import functools
import re
from collections.abc import Iterable, Mapping
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
    cookies: tuple[str, ...] = ()
    """Each Set-Cookie by itself: their dates hold commas."""
    begin: int = 0
    """Where the body begins in the bytes that were read, if the answer is plain."""
    end: int = 0


def read(data: bytes | bytearray) -> Head | None:
    """Return the head at the start of `data`; None if it takes a closer look, or more bytes."""
    size = data.find(b"\r\n\r\n", 0, _HEAD_LIMIT)
    if size < 0:
        return None
    first, *lines = bytes(data[:size]).split(b"\r\n")
    status_line, fields = _STATUS_LINE.fullmatch(first), [_field(line) for line in lines]
    if not status_line or None in fields:
        return None
    headers, cookies = joined(field for field in fields if field)
    if "transfer-encoding" in headers:
        return None
    status, length = int(status_line[2]), headers.get("content-length", "")
    if status in _BODILESS or not _LENGTH.fullmatch(length) or int(length) > BODY_LIMIT:
        return None
    begin = size + 4
    protocol = f"HTTP/{status_line[1].decode()}"
    return Head(status, protocol, headers, cookies, begin, begin + int(length))


def joined(fields: Iterable[tuple[str, str]]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return names in lower case -> values, repeated ones joined, and each Set-Cookie by itself."""
    headers: dict[str, str] = {}
    cookies: tuple[str, ...] = ()
    for name, value in fields:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
        if name == "set-cookie":
            cookies = (*cookies, value)
    return headers, cookies


@functools.lru_cache(maxsize=512)
def _field(line: bytes) -> tuple[str, str] | None:
    """Return name and value; cached, since servers are much alike."""
    found = _FIELD.fullmatch(line)
    return (found[1].decode().lower(), (found[2] or b"").decode()) if found else None
