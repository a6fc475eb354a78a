from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from readiness.failure import ProbeError
from readiness.load.response import BODY_LIMIT, HEAD_LIMIT, Parser, parse_head

PROPERTY = settings(derandomize=True, max_examples=80, deadline=None)
"""The same examples each time, on a machine however slow."""

HEADERS = b"Content-Type: text/plain\r\nX-Note: a, b\r\n"


def content(body: bytes, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d Fine\r\n%sContent-Length: %d\r\n\r\n%s" % (
        status,
        HEADERS,
        len(body),
        body,
    )


def chunked(chunks: Iterable[bytes], trailers: bytes = b"") -> bytes:
    sizes = (b"%x;note=1\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks if chunk)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(sizes) + b"0\r\n" + trailers + b"\r\n"


def feed(parser: Parser, pieces: Iterable[bytes]) -> list[bool]:
    return [parser.feed(piece) for piece in pieces]


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, int]:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * draw(st.integers(0, 2))
    body = draw(st.binary(max_size=300))
    status = draw(st.sampled_from([200, 301, 404, 503]))
    chunks = draw(st.lists(st.binary(min_size=1, max_size=40), max_size=5))
    trailers = draw(st.sampled_from([b"", b"X-Checksum: 1\r\n"]))
    last, status = draw(
        st.sampled_from(
            [
                (content(body, status), status),
                (chunked(chunks, trailers), 200),
                (b"HTTP/1.1 204 No Content\r\n\r\n", 204),
                (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", 304),
            ]
        )
    )
    return interim + last, status


@st.composite
def fragmented(draw: st.DrawFn) -> tuple[list[bytes], int]:
    raw, status = draw(answers())
    cuts = sorted(draw(st.sets(st.integers(1, len(raw) - 1), max_size=30)))
    edges = [0, *cuts, len(raw)]
    return [raw[a:b] for a, b in pairwise(edges)], status


@given(fragmented())
@PROPERTY
def test_an_answer_ends_with_its_last_byte_however_it_is_cut(
    answer: tuple[list[bytes], int],
) -> None:
    pieces, status = answer
    parser = Parser()
    assert feed(parser, pieces) == [False] * (len(pieces) - 1) + [True]
    assert (parser.status, parser.keep_alive) == (status, True)


@given(answers(), st.binary(min_size=1, max_size=50))
@PROPERTY
def test_bytes_behind_the_end_are_an_error(answer: tuple[bytes, int], more: bytes) -> None:
    with pytest.raises(ProbeError, match="after the end"):
        Parser().feed(answer[0] + more)


@given(answers(), st.integers(0, 2000), st.binary(min_size=1, max_size=3), st.booleans())
@PROPERTY
def test_whatever_comes_nothing_but_a_protocol_error_is_raised(
    answer: tuple[bytes, int], place: int, junk: bytes, head: bool
) -> None:
    raw = answer[0]
    place %= len(raw)
    try:
        Parser(head=head).feed(raw[:place] + junk + raw[place + len(junk) :])
    except ProbeError as error:
        assert error.failure.kind == "protocol"


@given(st.lists(st.binary(min_size=1, max_size=200), max_size=20))
@PROPERTY
def test_noise_is_no_answer(pieces: Sequence[bytes]) -> None:
    parser = Parser()
    try:
        assert not any(feed(parser, pieces))
    except ProbeError as error:
        assert error.failure.kind == "protocol"


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    ],
)
def test_without_a_length_the_connections_end_is_the_answers(raw: bytes) -> None:
    parser = Parser()
    assert feed(parser, [raw, b"some", b" text"]) == [False] * 3
    parser.end()
    assert (parser.status, parser.keep_alive) == (200, False)


@pytest.mark.parametrize(
    ("sent", "detail"),
    [
        (b"", "without an answer"),
        (b"HTTP/1.1 200", "in the middle"),
        (content(b"whole")[:-1], "in the middle"),
        (chunked([b"whole"])[:-2], "in the middle"),
    ],
)
def test_an_end_too_soon_is_a_reset(sent: bytes, detail: str) -> None:
    parser = Parser()
    if sent:
        parser.feed(sent)
    with pytest.raises(ProbeError, match=detail) as caught:
        parser.end()
    assert caught.value.failure.kind == "reset"


@pytest.mark.parametrize(
    "raw", [content(b"x" * 9)[:-9], b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]
)
def test_an_answer_to_head_has_no_body(raw: bytes) -> None:
    parser = Parser(head=True)
    assert parser.feed(raw)
    assert parser.keep_alive


@pytest.mark.parametrize(
    ("head", "persistent"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, Close", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked", False),
    ],
)
def test_who_keeps_the_connection(head: bytes, persistent: bool) -> None:
    assert parse_head(head).persistent is persistent


@pytest.mark.parametrize(
    ("head", "framing", "length"),
    [
        (b"HTTP/1.1 200\nContent-Length: 7", "length", 7),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 7, 7\r\ncontent-length: 7", "length", 7),
        (b"HTTP/1.1 200 OK\r\nX-Folded: a\r\n b: c\r\nContent-Length:\t7 ", "length", 7),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked", "chunked", 0),
        (b"HTTP/1.1 204 None\r\nTransfer-Encoding: chunked", "length", 0),
        (b"HTTP/1.1 304 Same\r\nContent-Length: odd", "length", 0),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x", "close", 0),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\t, chunked,", "chunked", 0),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding:", "close", 0),
    ],
)
def test_how_an_answer_ends(head: bytes, framing: str, length: int) -> None:
    parsed = parse_head(head)
    assert (parsed.framing, parsed.length) == (framing, length)


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 600 Odd\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nSpaced : 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 2000,
    ],
)
def test_what_is_no_http_is_a_protocol_error(raw: bytes) -> None:
    with pytest.raises(ProbeError) as caught:
        Parser().feed(raw)
    assert caught.value.failure.kind == "protocol"


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-Drip: drip\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Trailer: 1\r\n"),
    ],
)
def test_endless_headers_are_cut_off(first: bytes, again: bytes) -> None:
    parser = Parser()
    with pytest.raises(ProbeError, match="64 KiB"):
        feed(parser, [first or again, *[again] * (HEAD_LIMIT // len(again) + 1)])


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n", b"x" * 4096),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 4096),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"800\r\n%b\r\n" % bytes(2048)),
    ],
)
def test_a_body_too_large_counts_as_received_but_ends_the_connection(
    head: bytes, piece: bytes
) -> None:
    parser, fed = Parser(), 0
    complete = parser.feed(head)
    while not complete and fed <= 2 * BODY_LIMIT:
        complete = parser.feed(piece)
        fed += len(piece)
    assert BODY_LIMIT <= fed <= BODY_LIMIT * 1.01
    assert (parser.status, parser.keep_alive) == (200, False)


def test_a_body_of_just_the_limit_keeps_the_connection() -> None:
    parser = Parser()
    assert parser.feed(content(bytes(BODY_LIMIT)))
    assert parser.keep_alive


@pytest.mark.parametrize("size", [b"4", b"0004", b"4;a", b'4 ; a="b;c" ', b"4\t"])
def test_chunks_may_carry_extensions(size: bytes) -> None:
    parser = Parser(keep=True)
    assert parser.feed(chunked([])[:-5] + size + b"\r\nfine\r\n0;last\r\n\r\n")
    assert (parser.body, parser.keep_alive) == (b"fine", True)


@given(st.lists(st.binary(min_size=1, max_size=60), max_size=5), st.sets(st.integers(1, 500)))
@PROPERTY
def test_a_body_is_kept_as_it_was_sent_if_it_is_asked_for(
    chunks: list[bytes], cuts: set[int]
) -> None:
    for raw in (chunked(chunks), content(b"".join(chunks))):
        edges = [0, *sorted(cut for cut in cuts if cut < len(raw)), len(raw)]
        keeping, other = Parser(keep=True), Parser()
        pieces = [raw[a:b] for a, b in pairwise(edges)]
        assert feed(keeping, pieces)[-1] is feed(other, pieces)[-1] is True
        assert (keeping.body, other.body) == (b"".join(chunks), b"")


@pytest.mark.parametrize("name", [b"Retry-After", b"retry-after"])
def test_who_asks_to_be_left_alone_is_heard(name: bytes) -> None:
    assert parse_head(b"HTTP/1.1 503 Busy\r\n%b: 120" % name).retry_after
    assert not parse_head(b"HTTP/1.1 503 Busy\r\nX-Note: %b: 120" % name).retry_after


@pytest.mark.parametrize("line", [b"no colon", b"HTTP/1.1 204 No Content", b"X : 1", b"\nX: 1"])
def test_malformed_trailers_are_a_protocol_error(line: bytes) -> None:
    raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + line + b"\r\n\r\n"
    with pytest.raises(ProbeError, match="malformed"):
        Parser().feed(raw)


@pytest.mark.parametrize(
    "raw", [b"HTTP/1.1\r\n 200 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 204 No\0ne\r\n\r\n"]
)
def test_a_status_line_is_one_line_of_text(raw: bytes) -> None:
    with pytest.raises(ProbeError, match=r"not HTTP/1.1"):
        Parser().feed(raw)
