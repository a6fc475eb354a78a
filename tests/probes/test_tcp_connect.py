"""tcp_connect against ports that accept, refuse, or are not there."""

import asyncio
import dataclasses
import time
from typing import Any

import pytest
from pydantic import ValidationError

from readiness.estimate import Estimate
from readiness.failure import ProbeError
from readiness.inventory import Service
from readiness.probes import Context
from readiness.probes._banner import Expected
from readiness.probes.tcp_connect import METRICS, Settings, measure
from tests import servers
from tests.servers import Handler
from tests.states import judged, troubled

pytestmark = pytest.mark.anyio


def service(port: int, host: str = "127.0.0.1") -> Service:
    return Service.model_validate({"name": "it", "kind": "tcp", "url": f"tcp://{host}:{port}"})


async def test_connects_are_timed_and_closed(context: Context) -> None:
    closed = asyncio.Semaphore(0)

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read() == b""
        writer.close()
        closed.release()

    async with servers.serving(listen) as port:
        many = dataclasses.replace(context, samples=1000)
        values = await measure(service(port), Settings(), many)
        async with asyncio.timeout(5):
            for _ in range(101):
                await closed.acquire()
    assert values["connected"] is True
    assert set(values) == set(METRICS) - {"greets"}
    for metric in ("p50_ms", "p95_ms"):
        estimate = values[metric]
        assert isinstance(estimate, Estimate)
        assert estimate.n == 100
        assert estimate.value is not None
        assert 0 < estimate.value < 100


async def test_too_few_samples_say_so(context: Context) -> None:
    async with servers.serving(servers.silent) as port:
        values = await measure(service(port), Settings(), context)
    assert values["p95_ms"] == Estimate(value=None, low=None, high=None, n=20)
    assert values["p95_ms_because"] == "20 samples, a p95 needs 72"


async def test_a_deadline_in_the_past_is_not_blamed_on_the_port(context: Context) -> None:
    due = dataclasses.replace(context, deadline=time.monotonic())
    async with servers.serving(servers.silent) as port:
        with pytest.raises(ProbeError) as caught:
            await measure(service(port), Settings(), due)
    assert caught.value.failure.kind == "deadline"


@servers.needs_ipv6
async def test_ipv6_literals(context: Context) -> None:
    async with servers.serving(servers.silent, host="::1") as port:
        values = await measure(service(port, "[::1]"), Settings(), context)
    assert values["connected"] is True


async def test_a_port_where_nothing_listens(context: Context) -> None:
    async with servers.refusing() as port:
        with pytest.raises(ConnectionRefusedError):
            await measure(service(port), Settings(), context)


# What it says first


def saying(*parts: bytes, every: float = 0.0, after: bytes = b"") -> Handler:
    """Greet with `parts`, `every` so many seconds, once `after` has come; then stay."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(after))
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(every)
        await servers.silent(reader, writer)

    return handler


async def close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept and leave."""


def greeted(port: int, **settings: Any) -> Service:
    probes = {"tcp_connect": settings}
    url = f"tcp://127.0.0.1:{port}"
    return Service.model_validate({"name": "it", "kind": "tcp", "url": url, "probes": probes})


@pytest.mark.parametrize(
    ("handler", "settings"),
    [
        (saying(b"SSH-2.0-OpenSSH_9.2\r\n"), {"banner": "SSH-2.0"}),
        (saying(b"2", b"2", b"0 mail ESMTP\r\n", every=0.01), {"banner": "/220[ -].*ESMTP/"}),
        (saying(b"+OK ready"), {"banner": "+OK"}),
        (saying(b"+PONG\r\n", after=b"PING\r\n"), {"banner": "+PONG", "send": "PING\r\n"}),
        (saying(b"y" * 100_000), {"banner": "y" * 200}),
        (saying(b"\xff\xfd\x18 login: "), {"banner": r"/\xff?.{0,9}login/"}),
    ],
)
async def test_a_greeting_that_is_expected(
    handler: Handler, settings: dict[str, str], context: Context
) -> None:
    async with servers.serving(handler) as port:
        findings = await judged(greeted(port, **settings), context)
    assert not troubled(findings)
    assert findings["tcp-banner"].outcome == "pass"


@pytest.mark.parametrize(
    ("handler", "banner", "because"),
    [
        (saying(b"HTTP/1.1 400 Bad\r\n"), "SSH-", "the server begins with 'HTTP/1.1 400 Bad'"),
        (saying(b"x\x1b[31m" * 999), "/SSH/", "the server begins with 'xxx"),
        (servers.silent, "SSH-", "no answer within 0.3 s (banner) before it said a word"),
        (saying(b"SS"), "SSH-", "no answer within 0.3 s (banner) after 'SS'"),
        (saying(*[b"a"] * 99, every=0.02), "/a*b/", "no answer within 0.3 s (banner) after 'a"),
        (close, "SSH-", "the server closed the connection before it said a word"),
    ],
)
async def test_another_greeting_or_none_is_found_by_its_check_alone(
    handler: Handler, banner: str, because: str, context: Context
) -> None:
    hurried = dataclasses.replace(context, timeout=0.3)
    async with servers.serving(handler) as port:
        findings = await judged(greeted(port, banner=banner), hurried)
    assert troubled(findings) == {"tcp-banner"}
    assert because in findings["tcp-banner"].because
    assert len(findings["tcp-banner"].because) < 200


async def test_without_a_declared_banner_none_is_awaited(context: Context) -> None:
    async with servers.serving(servers.silent) as port:
        findings = await judged(service(port), context)
    assert findings["tcp-banner"].outcome == "not_applicable"


@pytest.mark.parametrize("pattern", ["[^x]*[^x]*[^x]*x", ".*.*.*x", "(a|a).*.*x"])
def test_no_pattern_that_is_allowed_takes_long(pattern: str) -> None:
    expected = Expected(f"/{pattern}/")
    began = time.process_time()
    assert expected.is_met_by(b"a" * 100_000) is None
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("banner", "message"),
    [
        ("/(a+)+b/", "repeat single characters"),
        ("/(a|aa)*b/", "repeat single characters"),
        ("/a**/", "repeat single characters"),
        ("/a++/", "repeat single characters"),
        ("/(a){9}/", "repeat single characters"),
        (r"/(a)\1/", "back-references"),
        ("/(?=a)a/", "back-references"),
        ("/a*b*c*d*/", "at most 3"),
        ("/a|b|c|d|e/", "at most 3"),
        ("/[a/", "no regular expression"),
        ("/a{99999999999}/", "no regular expression"),
        ("", "at least 1"),
        ("x" * 201, "at most 200"),
        ("€" * 86, "longer than the 256 bytes"),
    ],
)
def test_a_pattern_that_might_take_long_is_refused(banner: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Settings(banner=banner)


def test_sending_without_expecting_is_a_mistake() -> None:
    with pytest.raises(ValidationError, match="needs a banner"):
        Settings.model_validate({"send": "PING"})
