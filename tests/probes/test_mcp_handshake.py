import asyncio
import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from mcp.server import MCPServer
from pydantic import SecretStr

from readiness.estimate import Estimate
from readiness.failure import Failure, classify
from readiness.inventory import Service
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes.mcp_handshake import METRICS, Settings, measure
from tests.mcp_servers import hosting
from tests.servers import (
    Handler,
    Request,
    Web,
    always,
    body_drip,
    bomb,
    endless_body,
    garbage,
    header_drip,
    interim_flood,
    refusing,
    response,
    serving,
    silent,
    slam,
)

pytestmark = pytest.mark.anyio

TOKEN = "Bearer s3cret-t0ken"


def build() -> MCPServer:
    server = MCPServer("Sample", version="1.2")

    @server.tool()
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    @server.tool()
    def echo(text: str) -> str:
        """Say it again."""
        return text

    return server


@pytest.fixture(scope="module", params=["json", "events"])
def modern(request: pytest.FixtureRequest) -> Iterator[str]:
    """The endpoint of a real server by the official SDK, answering in JSON or in events."""
    app = build().streamable_http_app(json_response=request.param == "json")
    with hosting(app) as port:
        yield f"http://127.0.0.1:{port}/mcp"


class Legacy:
    """A server of 2025, as its specification has it: initialize, a session, no discover."""

    def __init__(self, pages: int = 1, version: str = "2025-06-18", **fields: Any) -> None:
        self.pages, self.version, self.fields = pages, version, fields
        self.web = Web(self.answer)

    def answer(self, request: Request) -> bytes:
        if request.method == "DELETE":
            return response(204)
        if request.method != "POST":
            return response(405)
        message = json.loads(request.body)
        method, identity = message["method"], message.get("id")
        if identity is None:
            return response(202)
        if method == "initialize":
            return self.reply(identity, self.hello(), {"Mcp-Session-Id": "abc"})
        if method == "tools/list":
            return self.reply(identity, self.tools(message.get("params") or {}))
        return response(400, "unknown method", "text/plain")

    def hello(self) -> dict[str, Any]:
        return {
            "protocolVersion": self.version,
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "Old [/]", "version": "0.1"},
            **self.fields,
        }

    def tools(self, params: Mapping[str, Any]) -> dict[str, Any]:
        page = int(params.get("cursor") or 0)
        tool = {"name": f"tool-{page}", "inputSchema": {"type": "object"}}
        more = {"nextCursor": str(page + 1)} if page + 1 < self.pages else {}
        return {"tools": [tool], **more}

    @staticmethod
    def reply(
        identity: Any, result: dict[str, Any], headers: Mapping[str, str] | None = None
    ) -> bytes:
        body = json.dumps({"jsonrpc": "2.0", "id": identity, "result": result})
        return response(200, body, headers=headers)

    @property
    def methods(self) -> list[str]:
        return [json.loads(r.body)["method"] for r in self.web.requests if r.method == "POST"]


async def probe(url: str, context: Context, **settings: Any) -> Values:
    service = Service(name="tools", kind="mcp", url=SecretStr(url))
    return await measure(service, Settings(**settings), context)


async def failure(url: str, context: Context, **settings: Any) -> Failure:
    with pytest.raises(Exception) as raised:
        await probe(url, context, **settings)
    found = classify(raised.value)
    assert "s3cret" not in found.detail
    return found


@pytest.fixture(autouse=True)
def nothing_is_printed(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """The SDK logs what servers say, tracebacks and all; none of it reaches a terminal."""
    yield
    assert capfd.readouterr() == ("", "")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


# Healthy servers


async def test_the_new_era(modern: str, context: Context) -> None:
    values = await probe(modern, replace(context, samples=80))
    assert set(values) == set(METRICS) - {"expected_tools_present"}
    assert values["protocol_version"] == "2026-07-28"
    assert values["era"] == "discover"
    assert values["server_name"] == "Sample"
    assert values["tools"] == 2
    assert values["tool_names"] == "add, echo"
    assert values["discoverable"] is True
    for name in ("discover_p50_ms", "discover_p95_ms"):
        p = values[name]
        assert isinstance(p, Estimate) and p.n == 76 and p.value and p.value > 0
    p50, p95 = values["p50_ms"], values["p95_ms"]
    assert isinstance(p50, Estimate) and isinstance(p95, Estimate)
    assert p50.value and p95.value and 0 < p50.value <= p95.value
    assert isinstance(values["handshake_ms"], float) and values["handshake_ms"] > 0


async def test_the_old_era(context: Context) -> None:
    old = Legacy()
    async with serving(old.web) as port:
        values = await probe(f"http://127.0.0.1:{port}/mcp", context)
    assert values["protocol_version"] == "2025-06-18"
    assert values["era"] == "initialize"
    assert values["server_name"] == "Old [/]"
    assert values["discoverable"] is False
    assert "discover_p50_ms" not in values
    assert values["tools"] == 1
    assert values["p95_ms_because"] == "20 samples, a p95 needs 72"
    assert old.methods[:3] == ["server/discover", "initialize", "notifications/initialized"]
    assert set(old.methods[3:]) == {"tools/list"}
    assert old.web.requests[-1].method == "DELETE"  # the session is ended


async def test_every_sample_reaches_the_server(context: Context) -> None:
    old = Legacy()
    async with serving(old.web) as port:
        p50 = (await probe(f"http://127.0.0.1:{port}/mcp", replace(context, samples=500)))["p50_ms"]
    assert isinstance(p50, Estimate)
    assert p50.n == 76
    assert old.methods.count("tools/list") == 1 + 1 + 76  # the listing, one to warm up, samples


async def test_all_pages_are_read(context: Context) -> None:
    async with serving(Legacy(pages=3).web) as port:
        values = await probe(f"http://127.0.0.1:{port}/mcp", context)
    assert values["tools"] == 3
    assert values["tool_names"] == "tool-0, tool-1, tool-2"


async def test_pages_without_end_are_not_all_read(context: Context) -> None:
    async with serving(Legacy(pages=10**6).web) as port:
        values = await probe(f"http://127.0.0.1:{port}/mcp", context, tools=["rare"])
    assert values["tools"] == 20
    assert values["tools_because"] == "reading stopped after 20 pages, there are more"
    assert "expected_tools_present" not in values
    assert values["expected_tools_present_because"] == "not among the 20 tools read: rare"


async def test_expected_tools(modern: str, context: Context) -> None:
    assert (await probe(modern, context, tools=["echo"]))["expected_tools_present"] is True
    values = await probe(modern, context, tools=["echo", "search", "fetch"])
    assert values["expected_tools_present"] is False
    because = "not among the 2 tools read: search, fetch"
    assert values["expected_tools_present_because"] == because


async def test_a_server_without_tools(context: Context) -> None:
    async with serving(Legacy(capabilities={"resources": {}}).web) as port:
        values = await probe(f"http://127.0.0.1:{port}/mcp", context, tools=["echo"])
    assert values["tools"] == 0
    assert values["expected_tools_present"] is False
    assert "p50_ms" not in values
    assert values["p50_ms_because"] == "the server does not offer tools"


async def test_what_is_sent(context: Context) -> None:
    old = Legacy()
    async with serving(old.web) as port:
        url = f"http://127.0.0.1:{port}/mcp"
        await probe(url, context, headers={"Authorization": TOKEN})
    for request in old.web.requests:
        assert request.headers["authorization"] == TOKEN
        assert request.headers["accept-encoding"] == "identity"
        assert request.headers["readiness-run"] == "test"


def test_secrets_are_not_shown() -> None:
    assert "s3cret" not in repr(Settings(headers={"Authorization": SecretStr(TOKEN)}))


# Servers that are not well


async def test_a_closed_port_is_refused(context: Context) -> None:
    async with refusing() as port:
        assert (await failure(f"http://127.0.0.1:{port}/mcp", context)).kind == "refused"


@pytest.mark.parametrize("status", [401, 403])
async def test_credentials_refused_are_denied(status: int, context: Context) -> None:
    async with serving(always(response(status, "[/] no s3cret", "text/plain"))) as port:
        url = f"http://127.0.0.1:{port}/mcp?key=s3cret"
        found = await failure(url, context, headers={"Authorization": TOKEN})
    assert found == Failure(kind="denied", detail=f"POST /mcp answered {status}")


async def test_a_redirect_is_not_followed(context: Context) -> None:
    moved = always(response(307, headers={"Location": "/mcp/?key=s3cret"}))
    async with serving(moved) as port:
        found = await failure(f"http://127.0.0.1:{port}/mcp", context)
    told = "POST /mcp answered 307, a redirect to /mcp/, not followed"
    assert found == Failure(kind="protocol", detail=told)
    assert len(moved.requests) == 1


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (response(404, "not here", "text/html"), "the MCP endpoint answered 404"),
        (response(503), "the MCP endpoint answered 503"),
        (response(200, "<html>", "text/html"), "Unexpected content type: text/html"),
        (response(200, "not json"), "Failed to parse JSON"),
        (response(200, "[" * 100_000), "Failed to parse JSON"),
        (response(200, '{"jsonrpc":"2.0","id":1,"result":7}'), "Failed to parse JSON"),
        (response(202), "202 Accepted"),
        (response(200, "data: \n\n", "text/event-stream"), "SSE stream ended without a response"),
        (response(200, "x" * (2 << 20)), "an answer of more than 1 MiB"),
        (bomb(), "a packed body, which was not asked for"),
    ],
)
async def test_what_is_no_mcp_is_a_protocol_failure(
    answer: bytes, detail: str, context: Context
) -> None:
    async with serving(always(answer)) as port:
        found = await failure(f"http://127.0.0.1:{port}/mcp", context)
    assert found.kind == "protocol"
    assert detail in found.detail
    assert len(found.detail) < 300


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"serverInfo": 7}, "not a valid InitializeResult of MCP"),
        ({"protocolVersion": "1999-01-01 s3cre"}, "Unsupported protocol version"),
    ],
)
async def test_a_handshake_that_breaks_the_rules(
    fields: dict[str, Any], detail: str, context: Context
) -> None:
    async with serving(Legacy(**fields).web) as port:
        found = await failure(f"http://127.0.0.1:{port}/mcp", context)
    assert found.kind == "protocol"
    assert detail in found.detail


EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


async def quiet_events(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Open the stream of events, and send none."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(EVENTS)
    await silent(reader, writer)


async def endless_events(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Keep the stream alive for ever with comments."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(EVENTS)
    while True:
        writer.write(b": still here\n\n")
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("handler", "kinds"),
    [
        (silent, {"timeout"}),
        (slam, {"reset"}),
        (garbage, {"protocol"}),
        (header_drip, {"timeout"}),
        (interim_flood, {"timeout"}),
        (body_drip, {"timeout", "protocol"}),
        (endless_body, {"timeout", "protocol"}),
        (quiet_events, {"timeout"}),
        (endless_events, {"timeout"}),
    ],
)
async def test_hostile_servers(handler: Handler, kinds: set[str], context: Context) -> None:
    async with serving(handler) as port:
        began = time.monotonic()
        found = await failure(f"http://127.0.0.1:{port}/mcp", replace(context, timeout=0.3))
        assert found.kind in kinds, found
        assert time.monotonic() - began < 3


async def test_a_server_that_hangs_after_the_handshake(context: Context) -> None:
    """It does not even answer that its session ends."""
    old = Legacy()

    def answer(request: Request) -> bytes:
        hangs = b"tools/list" in request.body or request.method == "DELETE"
        return b"" if hangs else old.answer(request)

    old.web.answer = answer
    async with serving(old.web) as port:
        began = time.monotonic()
        found = await failure(f"http://127.0.0.1:{port}/mcp", replace(context, timeout=0.3))
        assert found.kind == "timeout", found
        assert time.monotonic() - began < 3


async def test_a_cancelled_probe_ends_at_once(context: Context) -> None:
    heard, gone = asyncio.Event(), asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        heard.set()
        await silent(reader, writer)
        gone.set()

    async with serving(handler) as port:
        task = asyncio.create_task(probe(f"http://127.0.0.1:{port}/mcp", context))
        await heard.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 3)
        await asyncio.wait_for(gone.wait(), 3)


async def test_without_the_sdk_the_extra_is_named(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    found = await failure("http://127.0.0.1:1/mcp", context)
    assert found.kind == "not_installed"
    assert "pip install 'readiness[mcp]'" in found.detail
