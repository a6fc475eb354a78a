"""The short way through an answer is the long way's, where it is taken; requests are h11's."""

from collections.abc import Callable

import h11
from hypothesis import given
from hypothesis import strategies as st

from readiness.probes import _plain_answer
from readiness.probes._reading import Request
from tests.strategies import PROPERTY

LINES = (
    "Content-Length: 5",
    "content-length:  5  ",
    "Content-Length: 0",
    "Content-Length: 5, 5",
    "Content-Length: +5",
    "Content-Length: 05",
    "Transfer-Encoding: chunked",
    "Content-Type: application/json",
    "Content-Type:",
    "X-Tab: a\tb",
    "X-Latin: \xfc",
    "X-Bell: \a",
    " folded",
    "Bad Name: x",
    "NoColon",
    "Connection: close",
    "Set-Cookie: a=1",
)
STATUS_LINES = (
    *("HTTP/1.1 200 OK", "HTTP/1.0 503 Service Unavailable", "HTTP/1.1 200", "HTTP/1.1 404 "),
    *("HTTP/1.1 204 No Content", "HTTP/1.1 304 Not Modified", "HTTP/1.1 103 Early Hints"),
    *("HTTP/2 200 OK", "HTTP/1.1 2000 OK", "HTTP/1.1 20", "http/1.1 200 OK", "HTTP/1.1  200 OK"),
)
ANSWERS = st.builds(
    lambda first, lines, end, body: end.join([first, *lines, "", body]).encode("latin-1"),
    st.sampled_from(STATUS_LINES),
    st.lists(st.sampled_from(LINES), max_size=4),
    st.sampled_from(["\r\n", "\r\n", "\r\n", "\n"]),
    st.sampled_from(["hello", "hello world", "hell", "", "5\r\nhello\r\n0\r\n\r\n"]),
)
ASKED = {"host": "it.test", "connection": "close"}


def by_h11(data: bytes) -> tuple[int, bytes, dict[str, str], bytes]:
    machine = Request("GET", "/", ASKED).machine()
    machine.receive_data(data)
    head = machine.next_event()
    assert isinstance(head, h11.Response)
    body, event = b"", machine.next_event()
    while isinstance(event, h11.Data):
        body += event.data
        event = machine.next_event()
    assert isinstance(event, h11.EndOfMessage)
    headers: dict[str, str] = {}
    for raw_name, raw_value in head.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return head.status_code, head.http_version, headers, body


@PROPERTY
@given(ANSWERS)
def test_what_is_plain_reads_as_h11_reads_it(data: bytes) -> None:
    head = _plain_answer.read(data)
    if head is None or len(data) < head.end:
        return
    body = data[head.begin : head.end]
    version = head.protocol.removeprefix("HTTP/").encode()
    assert (head.status, version, head.headers, body) == by_h11(data)


def test_an_everyday_answer_is_plain() -> None:
    data = b"HTTP/1.1 200 OK\r\nDate: today\r\nA: 1\r\nContent-Length: 5\r\nA: 2\r\n\r\nhello more"
    head = _plain_answer.read(data)
    assert head is not None
    assert data[head.begin : head.end] == b"hello"
    assert head.headers == {"date": "today", "a": "1, 2", "content-length": "5"}


TOKEN = st.text(st.sampled_from("abz09-"), min_size=1, max_size=9)
VALUE = st.text(st.sampled_from('az09 "=;:/*\t\xfc\r\n'), max_size=12)


@PROPERTY
@given(
    st.sampled_from(["GET", "HEAD", "POST"]),
    st.dictionaries(TOKEN, VALUE, max_size=4),
    st.sampled_from([b"", b"hello"]),
)
def test_a_request_is_written_as_h11_writes_it(
    method: str, more: dict[str, str], body: bytes
) -> None:
    fields = {**ASKED, **({"content-length": str(len(body))} if body else {}), **more}
    request = Request(method, "/x?y=1", fields, body)
    assert written(lambda: request.raw) == written(lambda: long_way(request))


def long_way(request: Request) -> bytes:
    machine = h11.Connection(h11.CLIENT)
    encoded = [(name.encode(), value.encode()) for name, value in request.fields.items()]
    head = h11.Request(method=request.method, target=request.path, headers=encoded)
    events = (head, h11.Data(data=request.body), h11.EndOfMessage())
    return b"".join(machine.send(event) or b"" for event in events)


def written(write: Callable[[], bytes]) -> bytes | str:
    try:
        return write()
    except h11.LocalProtocolError as error:
        return str(error)
