"""websocket_echo against the servers of the library websockets, and hand-made hostile ones."""

import asyncio
import base64
import contextlib
import dataclasses
import hashlib
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from readiness.estimate import Estimate
from readiness.failure import Failure, classify
from readiness.inventory import Service
from readiness.probes import Context
from readiness.probes.http_cors import STRANGER
from readiness.probes.websocket_echo import METRICS, Settings, measure
from tests import servers
from tests.certificates import Authority
from tests.servers import Handler
from tests.states import judged, troubled, unknown

pytestmark = pytest.mark.anyio

OWN = ["https://app.example.com", "https://www.example.com"]
UNTIMED = {"websocket-p95", "websocket-handshake-p95"}
"""What a few samples do not tell."""


def service(port: int, scheme: str = "ws", host: str = "127.0.0.1", **settings: Any) -> Service:
    return Service.model_validate(
        {
            "name": "live",
            "kind": "websocket",
            "url": f"{scheme}://{host}:{port}/live?token=s3cret",
            "probes": {"websocket_echo": settings},
        }
    )


async def echo(connection: ServerConnection) -> None:
    """Say something of its own, then give back each message."""
    with contextlib.suppress(ConnectionClosed):
        await connection.send("welcome")
        async for message in connection:
            await connection.send("news")
            await connection.send(message)


@contextlib.asynccontextmanager
async def echoing(
    handler: Callable[[ServerConnection], Awaitable[None]] = echo, **options: Any
) -> AsyncIterator[int]:
    async with serve(handler, "127.0.0.1", 0, **options) as server:
        yield next(iter(server.sockets)).getsockname()[1]


async def failure(of: Service, context: Context) -> Failure:
    settings = Settings.model_validate(of.probes["websocket_echo"])
    with pytest.raises(Exception) as caught:
        await measure(of, settings, context)
    return classify(caught.value)


@pytest.fixture
def brief(context: Context) -> Context:
    return dataclasses.replace(context, samples=3, timeout=1.0)


# Healthy servers


@pytest.mark.light
async def test_all_is_measured(context: Context) -> None:
    async with echoing(subprotocols=["v2", "v1"], origins=[*OWN]) as port:
        own = service(port, send="marco", origins=OWN, subprotocols=["v1", "v3"])
        many = dataclasses.replace(context, samples=1000)
        values = await measure(own, Settings.model_validate(own.probes["websocket_echo"]), many)
        findings = await judged(own, many)
    assert {name.removesuffix("_because") for name in values} == set(METRICS)
    assert (values["subprotocol"], values["close_code"]) == ("v1", 1000)
    for metric in ("p50_ms", "p95_ms", "handshake.p50_ms", "handshake.p95_ms"):
        assert isinstance(estimate := values[metric], Estimate) and estimate.n == 76
    assert troubled(findings) <= UNTIMED and not unknown(findings)
    assert "fail" not in {found.outcome for found in findings.values()}


async def test_a_clean_default_has_no_finding(brief: Context) -> None:
    async with echoing() as port:
        findings = await judged(service(port), brief)
    assert not troubled(findings) and unknown(findings) == UNTIMED


async def test_pings_are_sent_where_nothing_is_to_be_said(brief: Context) -> None:
    said: list[str | bytes] = []

    async def listen(connection: ServerConnection) -> None:
        said.extend([message async for message in connection])

    async with echoing(listen) as port:
        values = await measure(service(port), Settings(), brief)
    assert values["answered"] is True and said == []


async def test_an_expected_answer_may_differ_from_what_is_sent(brief: Context) -> None:
    async def answer(connection: ServerConnection) -> None:
        async for _ in connection:
            await connection.send('{"type": "pong"}')

    async with echoing(answer) as port:
        good = await judged(service(port, send="ping", expect="pong"), brief)
        bad = await judged(service(port, send="ping", expect="pang"), brief)
    assert not troubled(good)
    assert troubled(bad) == {"websocket-answers"}
    assert bad["websocket-answers"].because == "message: no answer within 1 s"


async def test_encrypted_by_the_run_s_trust(brief: Context, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with echoing(ssl=authority.server("localhost")) as port:
        own = service(port, "wss", "localhost")
        assert (await failure(own, brief)).kind == "tls"
        trusting = dataclasses.replace(brief, tls=authority.client)
        findings = await judged(own, trusting)
    assert not troubled(findings)


async def test_credentials_are_sent_and_never_shown(brief: Context) -> None:
    seen: list[Request] = []

    def look(connection: ServerConnection, request: Request) -> Response | None:
        seen.append(request)
        good = request.headers["Authorization"] == "Bearer s3cret-token"
        return None if good else connection.respond(401, "s3cret-token is not what you sent")

    async with echoing(process_request=look) as port:
        headers = {"Authorization": "Bearer s3cret-token", "Cookie": "session=1"}
        assert (await measure(service(port), Settings.model_validate({"headers": headers}), brief))[
            "connected"
        ]
        basic = service(port, host="me:s3cret@127.0.0.1")
        denied = await failure(basic, brief)
    assert seen[0].path == "/live?token=s3cret"
    assert seen[0].headers["Cookie"] == "session=1"
    assert seen[0].headers["Readiness-Run"] == "test"
    assert seen[-1].headers["Authorization"] == "Basic bWU6czNjcmV0"
    assert denied.kind == "denied" and "s3cret" not in denied.detail


async def test_nobody_is_left_without_goodbye(brief: Context) -> None:
    """Or the server's log would hold an error for each connection of ours."""
    codes: list[int | None] = []

    async def note(connection: ServerConnection) -> None:
        await echo(connection)
        await connection.wait_closed()
        codes.append(connection.close_code)

    async with echoing(note) as port:
        await measure(service(port), Settings(origins=tuple(OWN)), brief)
    assert codes == [1000] * 7


# Bad states


async def test_pages_of_foreign_sites(brief: Context) -> None:
    async with echoing(origins=[*OWN]) as port:
        shut = await judged(service(port, origins=OWN), brief)
    async with echoing() as port:
        open_ = await judged(service(port, origins=OWN), brief)
    assert not troubled(shut) and shut["websocket-origin"].outcome == "pass"
    assert troubled(open_) == {"websocket-origin"}
    assert STRANGER in open_["websocket-origin"].because


async def test_an_own_page_that_is_refused(brief: Context) -> None:
    async with echoing(origins=[OWN[0]]) as port:
        second = await judged(service(port, origins=OWN), brief)
        first = await failure(service(port, origins=OWN[::-1]), brief)
    assert troubled(second) == {"websocket-own-origins"}
    assert second["websocket-own-origins"].because == f"refused: {OWN[1]}"
    assert (first.kind, first.detail) == (
        "protocol",
        f"the declared origin {OWN[1]} is refused (403)",
    )


async def test_a_server_that_is_too_busy_tells_nothing_of_origins(brief: Context) -> None:
    def limit(connection: ServerConnection, request: Request) -> Response | None:
        own = request.headers.get("Origin") == OWN[0]
        return None if own else connection.respond(429, "slow down")

    async with echoing(process_request=limit) as port:
        findings = await judged(service(port, origins=OWN), brief)
    assert not troubled(findings)
    assert unknown(findings) == UNTIMED | {"websocket-origin", "websocket-own-origins"}
    assert findings["websocket-origin"].because.startswith("not tested: the opening handshake")


async def test_a_subprotocol_that_nobody_speaks(brief: Context) -> None:
    async with echoing() as port:
        findings = await judged(service(port, subprotocols=["v1", "v2"]), brief)
    assert troubled(findings) == {"websocket-subprotocol"}
    assert findings["websocket-subprotocol"].because == "the server chose none of v1, v2"


@pytest.mark.parametrize("check", sorted(UNTIMED))
async def test_slowness_is_found_where_it_is(check: str, context: Context) -> None:
    async def slow(connection: ServerConnection) -> None:
        async for message in connection:
            await asyncio.sleep(0.004 if check == "websocket-p95" else 0)
            await connection.send(message)

    async def late(connection: ServerConnection, request: Request) -> None:
        await asyncio.sleep(0.004 if check == "websocket-handshake-p95" else 0)

    many = dataclasses.replace(context, samples=72)
    async with echoing(slow, process_request=late) as port:
        own = service(port, send="marco")
        strict = {check: {"target": "1ms", "limit": "3ms"}}
        findings = await judged(own.model_copy(update={"checks": strict}), many)
    assert findings[check].outcome == "fail"
    assert troubled(findings) - UNTIMED == set()
    (other,) = UNTIMED - {check}
    assert findings[other].outcome != "fail"


async def test_a_server_that_closes_at_once(brief: Context) -> None:
    async def refuse(connection: ServerConnection) -> None:
        await connection.close(1011, "s3cret reason")

    async with echoing(refuse) as port:
        findings = await judged(service(port), brief)
    assert troubled(findings) == {"websocket-answers"}
    assert findings["websocket-answers"].because == "ping: the server closed the connection (1011)"


# Hand-made servers


def raw(*parts: bytes, every: float | None = None, headers: str = "") -> Handler:
    """Shake hands, send `parts`, then stay; or send them for ever, `every` so many seconds."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        key = lines["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        writer.write(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n{headers}\r\n".encode()
        )
        while True:
            for part in parts:
                writer.write(part)
                await writer.drain()
            if every is None:
                break
            await asyncio.sleep(every)
        await servers.silent(reader, writer)

    return handler


def frame(first: int, data: bytes = b"", size: int | None = None) -> bytes:
    return bytes([first, 127]) + struct.pack(">Q", len(data) if size is None else size) + data


@pytest.mark.parametrize(
    ("handler", "because"),
    [
        (raw(), "ping: no answer within 0.4 s"),
        (raw(b"\x89\x00", every=0.001), "ping: no answer within 0.4 s"),
        (raw(b"\x89\x00" * 1_000, every=0.001), "ping: no answer within 0.4 s"),
        (raw(b"\x01\x00", b"\x00\x00" * 1_000, every=0.001), "ping: "),
        (raw(b"\x01\x01x", b"\x00\x01x" * 1_000, every=0.001), "ping: "),
        (raw(b"\x8a\x01x" * 9, every=0.01), "ping: no answer within 0.4 s"),
        (raw(b"\x81", every=0.02), "ping: "),
        (raw(frame(0x82, size=1 << 40)), "ping: a message of more than 1 MiB"),
        (raw(frame(0x82, bytes(2 << 20))), "ping: a message of more than 1 MiB"),
        (raw(b"\xf7\xff\xff" * 99), "ping: the frames break the protocol"),
        (raw(b"\x81\x02\xff\xfe" * 9, every=0.01), "ping: no answer within 0.4 s"),
        (raw(b"\x81\x81abcdx"), "ping: the frames break the protocol"),
    ],
)
async def test_what_never_answers_a_ping_is_bounded(
    handler: Handler, because: str, brief: Context
) -> None:
    """Its goodbye does not come either, and what an unfinished close does is not in doubt."""
    hurried = dataclasses.replace(brief, timeout=0.4)
    async with asyncio.timeout(20), servers.serving(handler) as port:
        findings = await judged(service(port), hurried)
    assert findings["websocket-up"].outcome == "pass"
    assert troubled(findings) == {"websocket-answers", "websocket-close"}
    assert findings["websocket-answers"].because.startswith(because)
    assert findings["websocket-p95"].outcome == "not_applicable"


async def ponging(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer pings, and goodbyes by hanging up."""
    await raw()(_Head(reader), writer)  # type: ignore[arg-type]
    with contextlib.suppress(asyncio.IncompleteReadError):
        while True:
            first, size = await reader.readexactly(2)
            mask = await reader.readexactly(4)
            data = await reader.readexactly(size & 127)
            if first == 0x88:
                return
            plain = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
            writer.write(b"\x8a" + bytes([len(plain)]) + plain)
            await writer.drain()


class _Head:
    """A reader of the handshake alone."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    async def readuntil(self, end: bytes) -> bytes:
        return await self._reader.readuntil(end)

    async def read(self, _: int) -> bytes:
        return b""


async def test_a_server_without_goodbye_is_found_by_its_check_alone(brief: Context) -> None:
    async with servers.serving(ponging) as port:
        findings = await judged(service(port), brief)
    assert troubled(findings) == {"websocket-close"}
    assert findings["websocket-close"].because == "connection closed without goodbye"


@pytest.mark.parametrize(
    ("handler", "kind", "detail"),
    [
        (servers.garbage, "protocol", "what is not HTTP"),
        (servers.silent, "timeout", "no answer within 0.5 s (opening handshake)"),
        (servers.slam, "reset", "connection reset"),
        (servers.hang_up, "reset", "connection closed during the opening handshake"),
        (servers.header_drip, "timeout", "no answer within 0.5 s"),
        (servers.body_drip, "timeout", "no answer within 0.5 s"),
        (servers.endless_body, "protocol", "what is not HTTP"),
        (servers.always(servers.response(200)), "protocol", "answered 200 instead of 101"),
        (servers.always(servers.response(404)), "protocol", "answered 404 instead of 101"),
        (servers.always(servers.response(403)), "denied", "declare headers or origins"),
        (
            servers.always(servers.response(302, headers={"Location": "ws://elsewhere.test/"})),
            "protocol",
            "answered 302 instead of 101",
        ),
        (
            servers.always(b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
            "protocol",
            "breaks the protocol (InvalidHeader)",
        ),
        (raw(headers="Sec-WebSocket-Protocol: s3cret\r\n"), "protocol", "(NegotiationError)"),
        (raw(headers="Sec-WebSocket-Extensions: x\r\n"), "protocol", "(NegotiationError)"),
        (raw(headers="X: " + "x" * 9000 + "\r\n"), "protocol", "what is not HTTP"),
    ],
)
async def test_what_is_no_websocket(
    handler: Handler, kind: str, detail: str, brief: Context
) -> None:
    hurried = dataclasses.replace(brief, timeout=0.5)
    async with asyncio.timeout(20), servers.serving(handler) as port:
        found = await failure(service(port), hurried)
    assert found.kind == kind and detail in found.detail
    assert "s3cret" not in found.detail


async def test_a_closed_port(brief: Context) -> None:
    async with servers.refusing() as port:
        findings = await judged(service(port), brief)
    assert findings["websocket-up"].outcome == "fail"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"expect": "x"}, "needs a message to send"),
        ({"origins": ["app.example.com"]}, "origins"),
        ({"subprotocols": ["a b"]}, "subprotocols"),
        ({"headers": {"X-A": "a\r\nB: c"}}, "one line"),
        ({"send": ""}, "at least 1"),
    ],
)
def test_settings_that_cannot_be(settings: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Settings.model_validate(settings)


def test_without_the_library_it_says_what_to_install() -> None:
    program = (
        "import asyncio, sys\nsys.modules['websockets.client'] = None\n"
        "from readiness.failure import ProbeError\nfrom readiness.probes import _websocket as w\n"
        "from readiness.inventory import Service\n"
        "s = Service.model_validate({'name': 'x', 'kind': 'websocket', 'url': 'ws://localhost'})\n"
        "try: w._protocol(s, w.Opening({}))\n"
        "except ProbeError as e: print(e.failure.kind, e.failure.detail)\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout
    assert told.startswith("not_installed") and "readiness[websocket]" in told
