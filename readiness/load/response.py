"""The bytes of one HTTP/1.x answer, in whatever pieces they come -> its status and its end."""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from readiness.failure import ProbeError

HEAD_LIMIT = 64 << 10
"""Bytes of headers, interim answers and trailers together; more is a protocol error."""
BODY_LIMIT = 1 << 20
"""Bytes of body after which an answer counts as received and its connection is given up."""

_CHUNK_LINE_LIMIT = 1 << 10
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_LINE_END = re.compile(rb"\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\r\n\0]*)?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\r\n\0]*)")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
_PREFIX = b"HTTP/1."

Framing = Literal["length", "chunked", "close"]
Fields = Mapping[bytes, Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class Head:
    """What a status line and its headers say about the answer's end and what comes after."""

    status: int
    framing: Framing
    length: int
    persistent: bool
    """Whether the connection may be used again, once the answer's end is known."""
    retry_after: bool = False
    """Whether the server asks to be left alone for a while."""
    confused: bool = False
    """Whether it may not, only since two headers contradict each other about the answer's end."""


@functools.lru_cache(maxsize=16)
def parse_head(raw: bytes) -> Head:
    """Return what `raw`, a head without its final empty line, says; ProbeError if malformed.

    Cached, because a server under load repeats its head word for word for a second.
    """
    first, *rest = _LINE_END.split(raw, maxsplit=1)
    lines = _LINE_END.split(_FOLD.sub(b" ", rest[0])) if rest else []
    status_line = _STATUS_LINE.fullmatch(first)
    if not status_line:
        raise ProbeError("protocol", "the answer is not HTTP/1.1")
    status, modern, fields = int(status_line[2]), status_line[1] == b"1", _fields(lines)
    framing, length = _framing(status, modern, fields)
    options = _tokens(fields, b"connection")
    persistent = b"close" not in options and (modern or b"keep-alive" in options)
    # who sends both is confused: the chunks are believed, the connection no more (RFC 9112, 6.3)
    confused = b"transfer-encoding" in fields and b"content-length" in fields
    retry_after = b"retry-after" in fields
    keeps = persistent and not confused
    return Head(status, framing, length, keeps, retry_after, persistent and confused)


def _fields(lines: Sequence[bytes]) -> Fields:
    fields: dict[bytes, list[bytes]] = {}
    for line in lines:
        found = _FIELD.fullmatch(line)
        if not found:
            raise ProbeError("protocol", "the answer has a malformed header")
        fields.setdefault(found[1].lower(), []).append(found[2])
    return fields


def _tokens(fields: Fields, name: bytes) -> list[bytes]:
    joined = b",".join(fields.get(name, ())).lower()
    return [token for part in joined.split(b",") if (token := part.strip(b" \t"))]


def _framing(status: int, modern: bool, fields: Fields) -> tuple[Framing, int]:
    """Say how the body ends, by the rules of RFC 9112, section 6.3, and how long it is if known."""
    if status < 200 or status in (204, 304):
        return "length", 0
    if b"transfer-encoding" in fields:
        if not modern:
            raise ProbeError("protocol", "an HTTP/1.0 answer has a Transfer-Encoding")
        codings = _tokens(fields, b"transfer-encoding")
        return ("chunked" if codings and codings[-1] == b"chunked" else "close"), 0
    if b"content-length" not in fields:
        return "close", 0
    lengths = set(_tokens(fields, b"content-length"))
    if len(lengths) != 1 or not _LENGTH.fullmatch(length := lengths.pop()):
        raise ProbeError("protocol", "the answer has a malformed Content-Length")
    return "length", int(length)


@functools.lru_cache(maxsize=1024)
def _chunk_size(line: bytes) -> int:
    """Return how many bytes a chunk has; cached, since most have one of few sizes."""
    found = _CHUNK_LINE.fullmatch(line)
    if not found:
        raise ProbeError("protocol", "the answer has a malformed chunk")
    return int(found[1], 16)


class Parser:
    """Reads one final answer, skipping interim ones; make a new one for each request.

    `feed` and `end` raise ProbeError for what is not HTTP/1.x, for too large a head, and for
    bytes after the answer's end: whoever sends those is out of step with its requests.
    """

    def __init__(self, *, head: bool = False, keep: bool = False) -> None:
        self.status = 0
        self.keep_alive = False
        self.retry_after = False
        self.cut = False
        """Whether the body was given up at BODY_LIMIT."""
        self.excess = False
        """Whether bytes came after the answer's end."""
        self.confused = False
        """Whether the server would go on, but told the answer's end in two ways."""
        self.started = False
        """Whether a single byte has come."""
        self._bodiless, self._keep = head, keep
        self._buffer = bytearray()
        self._scanned = 0
        self._head_bytes = 0
        self._body_bytes = 0
        self._head: Head | None = None
        self._kept = bytearray()
        self._left = 0  # bytes to come: of the body, or of the current chunk and its line end
        self._in_trailers = False

    @property
    def body(self) -> bytes:
        """What came of the body, if it was asked to `keep` it."""
        return bytes(self._kept)

    def feed(self, data: bytes) -> bool:
        """Take what came; return whether the answer is complete."""
        self.started = True
        self._buffer += data
        if self._head is None and not self._take_head():
            return False
        complete = self._take_body()
        if self._body_bytes >= BODY_LIMIT and not (complete and not self._buffer):
            self.keep_alive, self.cut = False, True
            return True
        if complete and self._buffer:
            self.excess = True
            raise ProbeError("protocol", "bytes after the end of the answer")
        return complete

    def end(self) -> None:
        """Take the end of the connection; ProbeError unless that is how the answer ends."""
        if not self.started:
            raise ProbeError("reset", "connection closed without an answer")
        if self._head is None or self._head.framing != "close":
            raise ProbeError("reset", "connection closed in the middle of an answer")

    def _take_head(self) -> bool:
        while True:
            if self._buffer[: len(_PREFIX)] != _PREFIX[: len(self._buffer)]:
                raise ProbeError("protocol", "the answer is not HTTP/1.1")
            found = _HEAD_END.search(self._buffer, self._scanned)
            size = found.end() if found else len(self._buffer)
            self._count_head(size)
            if not found:
                self._scanned, self._head_bytes = max(0, size - 3), self._head_bytes - size
                return False
            head = parse_head(bytes(self._buffer[: found.start()]))
            del self._buffer[:size]
            self._scanned = 0
            if head.status >= 200:
                self._begin(head)
                return True
            if head.status == 101:
                raise ProbeError("protocol", "the answer switches protocols, unasked")

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > HEAD_LIMIT:
            raise ProbeError("protocol", "more than 64 KiB of headers")

    def _begin(self, head: Head) -> None:
        self._head = replace(head, framing="length", length=0) if self._bodiless else head
        self.status, self._left = head.status, self._head.length
        self.retry_after, self.confused = head.retry_after, head.confused
        self.keep_alive = head.persistent and self._head.framing != "close"

    def _take_body(self) -> bool:
        assert self._head is not None
        if self._head.framing == "chunked":
            return self._take_chunks()
        if self._head.framing == "close":
            self._take(len(self._buffer))
            return False
        taken = min(self._left, len(self._buffer))
        self._left -= taken
        self._take(taken)
        return self._left == 0

    def _take(self, size: int) -> None:
        """Move `size` bytes from the buffer to the body."""
        if self._keep:
            self._kept += self._buffer[:size]
        self._body_bytes += size
        del self._buffer[:size]

    def _take_chunks(self) -> bool:
        if not self._in_trailers and (self._left == 0 or self._take_chunk()):
            self._take_whole_chunks()
        return self._in_trailers and self._take_trailers()

    def _take_whole_chunks(self) -> None:
        """Take chunk by chunk, and what has come of the one after them.

        There may be thousands of a few bytes: what is taken leaves the buffer only at the end.
        """
        data, at = bytes(self._buffer), 0
        while not self._in_trailers:
            end = data.find(b"\r\n", at, at + _CHUNK_LINE_LIMIT)
            if end < 0:
                if len(data) - at >= _CHUNK_LINE_LIMIT:
                    raise ProbeError("protocol", "the answer has a malformed chunk")
                break
            size = _chunk_size(data[at:end])
            at, after = end + 2, end + 2 + size
            if size == 0:
                self._in_trailers = True
            elif after + 2 > len(data):
                self._left = size + 2
                break
            elif data[after : after + 2] != b"\r\n":
                raise ProbeError("protocol", "the answer has a malformed chunk")
            else:
                if self._keep:
                    self._kept += data[at:after]
                self._body_bytes += size
                at = after + 2
        del self._buffer[:at]
        if self._left:
            self._take_chunk()

    def _take_chunk(self) -> bool:
        """Take the chunk's data and the line end behind it."""
        data = min(max(self._left - 2, 0), len(self._buffer))
        self._left -= data
        self._take(data)
        if self._left > 2 or len(self._buffer) < 2:
            return False
        if self._buffer[:2] != b"\r\n":
            raise ProbeError("protocol", "the answer has a malformed chunk")
        del self._buffer[:2]
        self._left = 0
        return True

    def _take_trailers(self) -> bool:
        while (line := self._take_line(HEAD_LIMIT)) is not None:
            if not line:
                return True
            if not _FIELD.fullmatch(line):
                raise ProbeError("protocol", "the answer has a malformed trailer")
            self._count_head(len(line) + 2)
        return False

    def _take_line(self, limit: int) -> bytes | None:
        end = self._buffer.find(b"\r\n", 0, limit)
        if end < 0:
            if len(self._buffer) >= limit:
                raise ProbeError("protocol", "the answer has a malformed chunk")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line
