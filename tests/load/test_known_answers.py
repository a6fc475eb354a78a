"""The fast path says what the full parser says, and that says what another one, h11, says."""

import socket
import time
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import h11
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from readiness.failure import FailureKind, ProbeError
from readiness.load.channel import Channel
from readiness.load.check import Check
from readiness.load.closed import Closed, Level
from readiness.load.crew import Crew, Model, Served
from readiness.load.request import Endpoint, preformat
from readiness.load.response import Parser
from readiness.load.tally import fault_code
from tests.load.test_response import PROPERTY, answers, chunked, content, fragmented

ENDPOINT = Endpoint(socket.AF_INET, "127.0.0.1", 9)
PLAIN = content(b"fine")
LONG = content(b"x" * 5000)


class Pipe:
    """A wire that keeps what is sent; what comes back is up to the test."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = self.waiting = False

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def unread(self) -> bool:
        return self.waiting

    def close(self) -> None:
        self.closed = True


class Pipes:
    """A driver of such wires."""

    clock = "kernel"
    stall_ns = 10**18
    idle_ns = 0

    def __init__(self) -> None:
        self.pipes: list[Pipe] = []

    def connect(self, endpoint: Endpoint, channel: Channel) -> Pipe:
        self.pipes.append(Pipe())
        return self.pipes[-1]

    def run(self, crew: Served) -> None:
        raise AssertionError("nothing is driven here")


class Seen(NamedTuple):
    """All that an answer can leave behind."""

    outcomes: list[int]
    requests: int
    """How many were sent over the first connection."""
    closed: bool
    closed_by_server: int
    asked_to_wait: int
    desynced: set[int]
    fault: FailureKind | None


class User:
    """One user's connection, who asks again as soon as answered."""

    def __init__(
        self, *, head: bool = False, check: Check | None = None, model: Model | None = None
    ) -> None:
        model = model or Closed(Level(users=1, requests=10_000, seconds=60))
        self.driver = Pipes()
        request = preformat("HEAD" if head else "GET", "/", {"host": "localhost"})
        self.check = check or Check()
        now = time.monotonic_ns()
        self.crew = Crew(
            ENDPOINT,
            request,
            self.check,
            model,
            self.driver,
            timeout=60,
            deadline_ns=now + 10**12,
            channels=1,
        )
        model.begin(self.crew, now)
        self.channel = self.crew.channels[0]
        self.channel.ask(now)
        self.channel.connected(now)

    def takes(self, pieces: Iterable[bytes], *, end: bool = False, forget: bool = False) -> Seen:
        """What comes of these pieces, and the connection's end; maybe without any memory."""
        pipe, crew = self.driver.pipes[0], self.crew
        for piece in pieces:
            if pipe.closed:
                break
            if forget:
                crew.known.clear()
            self.channel.received(piece, time.monotonic_ns())
        if end and not pipe.closed:
            self.channel.ended(time.monotonic_ns())
        return Seen(
            [row[4] for row in crew.recorder.newest_rows()],
            len(pipe.sent),
            pipe.closed,
            crew.closed_by_server,
            crew.asked_to_wait,
            set(crew.recorder.desynced),
            crew.first_fault.kind if crew.first_fault else None,
        )


def cut(raw: bytes, places: Iterable[int]) -> list[bytes]:
    edges = [0, *sorted({place % len(raw) for place in places} - {0}), len(raw)]
    return [raw[a:b] for a, b in pairwise(edges)]


ODD = [
    PLAIN,
    LONG,
    content(b'{"a": 1}'),
    content(b"down", 503),
    content(b"later", 429).replace(b"\r\n", b"\r\nRetry-After: 1\r\n", 1),
    PLAIN.replace(b"\r\n", b"\r\nConnection: close\r\n", 1),
    PLAIN.replace(b"1.1", b"1.0"),
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nfine",
    b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    b"no HTTP",
    b"\r\n",
    PLAIN + b"!",
    PLAIN + PLAIN,
    PLAIN[:-1],
]
RAW = st.sampled_from(ODD) | answers().map(lambda answer: answer[0])
CHECKS = st.sampled_from([Check(), Check(text=b"fine"), Check(fields=((("a",), 1),))])


@st.composite
def conversations(draw: st.DrawFn) -> list[bytes]:
    """What a server that repeats itself sends, in the pieces in which it comes."""
    few = draw(st.lists(RAW, min_size=1, max_size=3))
    pieces: list[bytes] = []
    for raw in draw(st.lists(st.sampled_from(few), min_size=1, max_size=8)):
        pieces += cut(raw, draw(st.just([]) | st.lists(st.integers(1, 400), max_size=4)))
    return pieces


@given(conversations(), CHECKS, st.booleans(), st.booleans())
@settings(PROPERTY, max_examples=120)
def test_with_and_without_memory_the_same_is_seen(
    pieces: list[bytes], check: Check, head: bool, end: bool
) -> None:
    quick, slow = User(head=head, check=check), User(head=head, check=check)
    seen = quick.takes(pieces, end=end)
    assert seen == slow.takes(pieces, end=end, forget=True)
    assert_true_memory(quick, head)


def assert_true_memory(user: User, head: bool) -> None:
    """Assert that the full parser confirms all that was learnt."""
    for data, code in user.crew.known.items():
        parser = Parser(head=head, keep=True)
        assert parser.feed(data)
        assert parser.keep_alive
        assert not parser.retry_after
        assert user.check.code(parser.status, parser.body) == code


@given(RAW, st.binary(max_size=30), st.integers(0, 500), st.booleans())
@settings(PROPERTY, max_examples=120)
def test_what_is_learnt_is_what_a_fresh_parser_says(
    raw: bytes, junk: bytes, place: int, head: bool
) -> None:
    place %= len(raw)
    user = User(head=head)
    user.takes([raw[:place] + junk + raw[place + len(junk) :]])
    assert_true_memory(user, head)


@pytest.mark.parametrize(
    ("raw", "head"),
    [
        (PLAIN, False),
        (chunked([b"some", b"more"], b"X: 1\r\n"), False),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + PLAIN, False),
        (b"HTTP/1.1 204 No Content\r\n\r\n", False),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", False),
        (content(b"down", 500), False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nfine", False),
        (content(b"x" * 9)[:-9], True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", True),
    ],
)
def test_a_whole_answer_is_learnt_and_used(raw: bytes, head: bool) -> None:
    user = User(head=head)
    seen = user.takes([raw] * 5)
    assert list(user.crew.known) == [raw]
    assert seen.outcomes == [user.crew.known[raw]] * 5
    # to teach something else is the only way to see that it is asked
    user.crew.known[raw] = 299
    assert user.takes([raw]).outcomes[5:] == [299]


def test_the_body_is_looked_at_before_it_is_learnt() -> None:
    user = User(check=Check(text=b"fine"))
    assert user.takes([PLAIN, content(b"foul")] * 2).outcomes == [200, 1200] * 2
    assert user.crew.known == {PLAIN: 200, content(b"foul"): 1200}


RETRY = b"\r\nRetry-After: 1\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        PLAIN + b"!",
        PLAIN + PLAIN,
        chunked([b"whole"]) + b"\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n" + b"HTTP/1.1 204 No Content\r\n\r\n",
        PLAIN.replace(b"\r\n", b"\r\nConnection: close\r\n", 1),
        PLAIN.replace(b"1.1", b"1.0"),
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        content(b"later", 503).replace(b"\r\n", RETRY, 1),
        content(b"later", 429).replace(b"\r\n", RETRY.lower(), 1),
        PLAIN.replace(b"\r\n", RETRY, 1),
        content(b"x" * 5000),
        content(bytes(1 << 20) + b"!"),
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"\r\n" + PLAIN,
    ],
)
def test_what_is_never_learnt(raw: bytes) -> None:
    user = User()
    user.takes([raw], end=True)
    assert not user.crew.known


@given(fragmented())
@PROPERTY
def test_what_comes_in_pieces_is_never_learnt(answer: tuple[list[bytes], int]) -> None:
    pieces, status = answer
    assume(len(pieces) > 1)
    user = User()
    assert user.takes(pieces).outcomes == [status]
    assert not user.crew.known


@given(RAW)
@PROPERTY
def test_no_beginning_of_a_known_answer_is_known(raw: bytes) -> None:
    user = User()
    user.takes([raw])
    for known in list(user.crew.known):
        assert not [size for size in range(len(known)) if known[:size] in user.crew.known]


def test_a_known_answer_quoted_within_another_is_no_answer() -> None:
    user, letter = User(), content(PLAIN + PLAIN, 503)
    head = letter[: -2 * len(PLAIN)]
    assert user.takes([PLAIN, PLAIN, head, PLAIN, PLAIN]).outcomes == [200, 200, 503]


def test_a_known_answer_with_more_behind_it_is_a_desync() -> None:
    seen = User().takes([PLAIN, PLAIN, PLAIN + b"!"])
    assert seen.outcomes == [200, 200, fault_code("protocol")]
    assert seen.closed
    assert seen.desynced == {1}


def test_a_known_answer_that_nobody_asked_for_is_a_desync() -> None:
    user = User()
    user.takes([PLAIN, PLAIN])
    user.crew.model.stop(time.monotonic_ns())
    user.takes([PLAIN])  # to the last request
    assert not user.channel.busy
    seen = user.takes([PLAIN])
    assert seen.outcomes == [200] * 3
    assert (seen.closed, seen.desynced) == (True, {1})


def test_a_known_answer_from_before_the_request_is_a_desync() -> None:
    user = User()
    before = time.monotonic_ns() - 1_000_000_000
    user.takes([PLAIN, PLAIN])
    user.channel.received(PLAIN, before)
    seen = user.takes([])
    assert seen.outcomes == [200, 200, fault_code("protocol")]
    assert (seen.closed, seen.desynced) == (True, {1})


def test_a_server_that_never_repeats_itself_fills_no_memory() -> None:
    user = User()
    raws = [content(b"%d" % place) for place in range(500)]
    assert user.takes(raws).outcomes == [200] * 500
    assert 0 < len(user.crew.known) <= 64
    assert user.takes(raws[-1:]).outcomes[500:] == [200]


# the full parser against another


class Told(NamedTuple):
    """What a parser says of one answer."""

    status: int
    body: bytes
    size: int
    """Bytes from its first to its last."""
    keep_alive: bool


def ours(pieces: Iterable[bytes], *, head: bool = False) -> Told | None:
    """What our parser says; None if the bytes are no whole answer."""
    parser, size = Parser(head=head, keep=True), 0
    try:
        for piece in pieces:
            size += len(piece)
            if parser.feed(piece):
                return Told(parser.status, parser.body, size, parser.keep_alive)
        parser.end()
    except ProbeError:
        return None
    return Told(parser.status, parser.body, size, parser.keep_alive)


def theirs(raw: bytes, *, head: bool = False) -> Told | None:
    """What h11 says, which finds the end of an answer by itself."""
    them = h11.Connection(h11.CLIENT)
    method = "HEAD" if head else "GET"
    them.send(h11.Request(method=method, target="/", headers=[("host", "localhost")]))
    them.send(h11.EndOfMessage())
    them.receive_data(raw)
    status, body = 0, b""
    try:
        while not isinstance(event := them.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
            elif event is h11.NEED_DATA:
                them.receive_data(b"")
            elif not isinstance(event, h11.InformationalResponse):
                return None
    except h11.RemoteProtocolError:
        return None
    size = len(raw) - len(them.trailing_data[0])
    return Told(status, body, size, them.their_state is h11.DONE)


def single(raw: bytes) -> list[bytes]:
    """`raw`, byte by byte, so that an answer's end is seen where it is."""
    return [raw[place : place + 1] for place in range(len(raw))]


@st.composite
def well_formed(draw: st.DrawFn) -> bytes:
    """One answer by the book, in as many ways as the book has."""
    status = draw(st.sampled_from([200, 201, 204, 206, 302, 304, 404, 429, 500, 599]))
    reason = draw(st.sampled_from([b"", b" ", b" OK", b" Gr\xfc\xdfe, it's (fine)"]))
    interim = draw(st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n"])) * draw(
        st.integers(0, 3)
    )
    lines = draw(
        st.lists(
            st.sampled_from(
                [
                    b"Server: x",
                    b"X:",
                    b"X-Y:  a:b\t ",
                    b"x!#$%&'*+-.^_`|~0: 1",
                    b"Connection: keep-alive",
                    b"CONNECTION: Upgrade , CLOSE",
                    b"Trailer: X",
                    b"Set-Cookie: \xc3\xa4=1",
                    b"X-Folded: a\r\n\t b",
                ]
            ),
            max_size=4,
        )
    )
    body = draw(st.binary(max_size=60))
    framing = draw(st.sampled_from(["length", "lengths", "chunked", "close"]))
    if framing == "length":
        lines.append(b"content-LENGTH:%d" % len(body))
    elif framing == "lengths":
        lines.append(b"Content-Length: %d, %d" % (len(body), len(body)))
    elif framing == "chunked":
        lines.append(
            draw(st.sampled_from([b"Transfer-Encoding: chunked", b"transfer-encoding:\tCHUNKED "]))
        )
        body = framed(draw, body)
    if status in (204, 304):
        body = b""
    ordered = draw(st.permutations(lines))
    first = b"HTTP/1.1 %d%s" % (status, reason)
    return interim + b"\r\n".join([first, *ordered, b"", b""]) + body


def framed(draw: st.DrawFn, body: bytes) -> bytes:
    """`body` in chunks, with all that may adorn them."""
    chunks = b""
    for piece in cut(body, draw(st.lists(st.integers(1, 60), max_size=4))) if body else []:
        size = draw(st.sampled_from([b"%x", b"%X", b"000%x"])) % len(piece)
        adorned = draw(st.sampled_from([b"", b" ", b";a", b';a="b;c"']))
        chunks += size + adorned + b"\r\n" + piece + b"\r\n"
    trailers = draw(st.sampled_from([b"", b"X: 1\r\n", b"X: 1\r\nX-Y: 2\r\n"]))
    return chunks + draw(st.sampled_from([b"0", b"000", b"0;a"])) + b"\r\n" + trailers + b"\r\n"


@given(well_formed(), st.lists(st.integers(1, 300), max_size=9))
@settings(PROPERTY, max_examples=120)
def test_an_answer_by_the_book_is_read_as_h11_reads_it(raw: bytes, places: list[int]) -> None:
    told = theirs(raw)
    assert told is not None
    assert told.size == len(raw)
    persistent = told.keep_alive and until_told(raw)
    told = told._replace(keep_alive=persistent)
    assert ours([raw]) == ours(cut(raw, places)) == ours(single(raw)) == told


def until_told(raw: bytes) -> bool:
    """Whether an answer says itself where it ends; h11 keeps a connection that has ended."""
    parser = Parser()
    return parser.feed(raw)


@given(well_formed(), st.binary(min_size=1, max_size=40))
@PROPERTY
def test_its_end_is_where_h11_finds_it_whatever_follows(raw: bytes, more: bytes) -> None:
    assume(until_told(raw))
    assert ours(single(raw + more)) == theirs(raw + more) == theirs(raw)
    parser = Parser()
    with pytest.raises(ProbeError):
        parser.feed(raw + more)
    assert parser.excess


@given(well_formed())
@PROPERTY
def test_to_head_it_ends_with_its_head_as_h11_says(raw: bytes) -> None:
    assert ours(single(raw), head=True) == theirs(raw, head=True)


FIRST = [
    b"HTTP/1.1 200 OK",
    b"HTTP/1.1 200",
    b"HTTP/1.1 204 None",
    b"HTTP/1.1 304 Same",
    b"HTTP/1.0 200 OK",
    b"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 404 None",
    b"HTTP/1.1 103 Hints\r\nContent-Length: 5\r\n\r\nHTTP/1.1 500 \xff",
]
LINES = [
    b"Content-Length: 5",
    b"Content-Length: 05",
    b"Content-Length: +5",
    b"Content-Length: 0x5",
    b"Content-Length: 5_0",
    b"Content-Length: 5, 5",
    b"Content-Length: 3",
    b"Content-Length:",
    b"Content-Length : 5",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: ,chunked",
    b"Transfer-Encoding: \x0bchunked",
    b"Transfer-Encoding:",
    b"Connection: close",
    b"Connection: keep-alive",
    b'Connection: "close"',
    b"X : spaced",
    b"X: a\rContent-Length: 5",
    b"X: \x00",
    b" Content-Length: 5",
    b"\tfolded",
    b"",
]
BODIES = [
    b"",
    b"hello",
    b"hel",
    b"hello!",
    b"0\r\n\r\n",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n00\r\nX: 1\r\n\r\n",
    b"5\r\nhello\n0\r\n\r\n",
    b"5\nhello\n0\n\n",
    b"5\r\nhello!\r\n0\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"-5\r\nhello\r\n0\r\n\r\n",
    b"+5\r\nhello\r\n0\r\n\r\n",
    b"5_0\r\nhello\r\n0\r\n\r\n",
    b" 5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
]


@given(
    st.sampled_from(FIRST),
    st.lists(st.sampled_from(LINES), max_size=3),
    st.sampled_from([b"\r\n", b"\n"]),
    st.sampled_from(BODIES),
    st.booleans(),
)
@settings(PROPERTY, max_examples=250)
def test_what_both_take_for_an_answer_they_read_alike(
    first: bytes, lines: Sequence[bytes], line_end: bytes, body: bytes, head: bool
) -> None:
    raw = line_end.join([first, *lines, b"", b""]) + body
    we, they = ours(single(raw), head=head), theirs(raw, head=head)
    if we is None or they is None:
        return
    assert we[:3] == they[:3]
    # we may distrust a connection that h11 keeps; the other way only what HTTP/1.0 asks to keep
    assert they.keep_alive or not we.keep_alive or first.startswith(b"HTTP/1.0")


def test_an_answer_stamped_a_little_ahead_of_our_clock_breaks_nothing() -> None:
    user = User()
    user.crew.recorder.open_window(1)
    user.channel.received(PLAIN, time.monotonic_ns() + 5_000_000)
    user.takes([PLAIN])
    user.crew.recorder.finish()
    assert user.crew.recorder.codes == {200: 2}


@pytest.mark.parametrize("written", [True, False])
def test_only_what_was_written_can_be_lost_with_its_connection(written: bool) -> None:
    user = User()
    crew, pipe = user.crew, user.driver.pipes[0]
    crew.repeatable = False  # as a POST is
    crew.stamped, pipe.waiting = written, not written
    user.takes([PLAIN])
    user.channel.ended(time.monotonic_ns())
    faults = {fault_code("reset")} if written else set()
    assert {row[4] for row in crew.recorder.newest_rows()} == {200} | faults
    assert (crew.closed_by_server, crew.retried) == (1, 0)
    assert len(user.driver.pipes) == (1 if written else 2)


def test_a_request_is_held_until_nothing_is_left_to_be_read() -> None:
    user = User()
    user.crew.stamped = False  # a server has closed connections before
    user.channel.received(PLAIN, time.monotonic_ns())
    pipe = user.driver.pipes[0]
    pipe.waiting = True
    user.channel.ask(time.monotonic_ns())
    sent = len(pipe.sent)
    user.channel.resume()
    assert len(pipe.sent) == sent
    user.channel.broke(ConnectionResetError(), time.monotonic_ns())  # never written: asked anew
    assert len(user.driver.pipes) == 2
    user.channel.connected(time.monotonic_ns())
    user.channel.received(PLAIN, time.monotonic_ns())
    assert {row[4] for row in user.crew.recorder.newest_rows()} == {200}
