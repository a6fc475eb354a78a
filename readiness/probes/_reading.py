"""A wire on which a request was sent -> the head and body of its one answer, strictly read."""

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import h11

from readiness.failure import ProbeError
from readiness.probes import _plain_answer
from readiness.probes._answer import BODY_LIMIT
from readiness.probes._connection import Stopwatch
from readiness.probes._plain_answer import Head
from readiness.probes._wire import Wire

_HEAD_LIMIT = 64 << 10
_PLAIN_FIRST = re.compile(r"[A-Z]+ [\x21-\x7e]+ HTTP/1\.1\r\n")
_PLAIN_LINE = re.compile(r"[a-z0-9-]+: [\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?\r\n")
"""Lines in which h11 would change nothing and refuse nothing."""


@dataclass(frozen=True)
class Request:
    """What is asked. Names of fields are in lower case; `host` comes first."""

    method: str
    path: str = field(repr=False)
    fields: dict[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def raw(self) -> bytes:
        """The bytes to send; raises h11.LocalProtocolError for what HTTP cannot say."""
        first, lines = f"{self.method} {self.path} HTTP/1.1\r\n", [*map(_line, self.fields.items())]
        if _PLAIN_FIRST.fullmatch(first) and all(lines) and _framed(self.fields, self.body):
            return f"{first}{''.join(lines)}\r\n".encode() + self.body
        return b"".join(self._machine()[1])

    def machine(self) -> h11.Connection:
        """Return the state of one who has sent it and waits for the answer."""
        return self._machine()[0]

    def _machine(self) -> tuple[h11.Connection, list[bytes]]:
        encoded = [(name.encode(), value.encode()) for name, value in self.fields.items()]
        request = h11.Request(method=self.method, target=self.path, headers=encoded)
        machine = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_LIMIT)
        events = (request, h11.Data(data=self.body), h11.EndOfMessage())
        return machine, [machine.send(event) or b"" for event in events]


@functools.lru_cache(maxsize=512)
def _line(field: tuple[str, str]) -> str:
    """Return a field's line, nothing if it is not plain; cached, since requests are much alike."""
    line = f"{field[0]}: {field[1]}\r\n"
    return line if _PLAIN_LINE.fullmatch(line) else ""


def _framed(fields: Mapping[str, str], body: bytes) -> bool:
    """Whether the body, if there is one, is announced by nothing but its length."""
    length = fields.get("content-length")
    return "transfer-encoding" not in fields and (length == str(len(body)) if body else not length)


Read = tuple[Head, bytes, bool]
"""The head, the body, and whether the body was read to its end."""

Enough = Callable[[Head, bytes], bool]
"""Whether what was read of an answer will do, where it may be a stream that is held open."""


async def read(
    wire: Wire, request: Request, watch: Stopwatch, enough: Enough | None = None
) -> Read:
    """Read the answer; its transfer begins with its first byte and ends with the last.

    Raises ProbeError for what is no answer, or more than 64 KiB of headers.
    """
    data = bytearray(await wire.receive())
    if not data:
        raise ProbeError("reset", "connection closed without an answer")
    watch.begin("transfer", wire.first)
    head = _plain_answer.read(data) if request.method != "HEAD" else None
    while head and len(data) < head.end:
        more = await wire.receive()
        if not more:
            head = None  # and let h11 say what that means
        data += more
    if head:
        return head, bytes(data[head.begin : head.end]), True
    return await _closely(wire, request.machine(), bytes(data), enough)


async def _closely(wire: Wire, machine: h11.Connection, data: bytes, enough: Enough | None) -> Read:
    head: Head | None = None
    content, received = bytearray(), len(data)
    machine.receive_data(data)
    while True:
        event = _next_event(machine, head)
        if isinstance(event, h11.Response):
            head = _head(event)
        elif isinstance(event, h11.Data):
            content += event.data
        elif event is h11.NEED_DATA:
            if head is None and received > _HEAD_LIMIT:
                raise ProbeError("protocol", "more than 64 KiB of headers and no answer")
            if head is not None and received > BODY_LIMIT:
                return head, bytes(content), False
            if head is not None and enough and enough(head, bytes(content)):
                return head, bytes(content), False
            data = await wire.receive()
            received += len(data)
            machine.receive_data(data)
        elif not isinstance(event, h11.InformationalResponse):
            assert head is not None, "a message ends after it began"
            return head, bytes(content), True


def _next_event(
    machine: h11.Connection, head: Head | None
) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
    try:
        return machine.next_event()
    except h11.RemoteProtocolError as error:
        broken = (
            "the answer is not HTTP/1.1" if head is None else "the body is malformed or ends early"
        )
        raise ProbeError("protocol", broken) from error


def _head(event: h11.Response) -> Head:
    headers, cookies = _plain_answer.joined(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers
    )
    protocol = "HTTP/" + event.http_version.decode("ascii")
    return Head(event.status_code, protocol, headers, cookies)
