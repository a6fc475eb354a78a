"""MCP servers for the tests: the official SDK's own, and a small one whose rules can be broken."""

import asyncio
import contextlib
import json
import socket
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import uvicorn
from mcp.server import MCPServer
from mcp_types import ToolAnnotations
from pydantic import BaseModel

from tests.servers import Request, Web, read_request, response, silent

MODERN, LEGACY = "2026-07-28", "2025-11-25"
HANDSHAKES = ("2024-11-05", "2025-03-26", "2025-06-18", LEGACY)
Tool = dict[str, Any]


class Sum(BaseModel):
    """What `add` returns."""

    total: int


def sdk() -> MCPServer:
    """Build a server by the official SDK, as its documentation has it."""
    server = MCPServer("Sample", version="1.2", log_level="CRITICAL")

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    def add(a: int, b: int) -> Sum:
        """Add two numbers."""
        return Sum(total=a + b)

    @server.tool()
    def echo(text: str) -> str:
        """Say it again."""
        return text

    @server.tool(annotations=ToolAnnotations(read_only_hint=True))
    def fail() -> str:
        """Fail."""
        raise ValueError("s3cret inside")

    return server


def of_2025(app: Any) -> Any:
    """Make the SDK's server speak nothing newer than 2025-11-25, as it was then."""

    async def old(scope: Any, receive: Any, send: Any) -> None:
        version = dict(scope.get("headers", ())).get(b"mcp-protocol-version", LEGACY.encode())
        if scope["type"] != "http" or version.decode() in HANDSHAKES:
            await app(scope, receive, send)
            return
        told = {"code": -32600, "message": "Bad Request: Unsupported protocol version"}
        body = json.dumps({"jsonrpc": "2.0", "id": "server-error", "error": told}).encode()
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 400, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return old


@contextlib.contextmanager
def hosting(app: Any) -> Iterator[int]:
    """Serve `app` with uvicorn in a thread of its own; yield the port."""
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:  # or asyncio leaves Nagle on
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="critical", ws="none", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        listener.listen()  # connections wait in its queue until uvicorn takes them
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


def tool(name: str = "search", **fields: Any) -> Tool:
    """Return a sound tool with `fields` in it, those that are None left out."""
    whole = {
        "name": name,
        "description": "Find what is asked for.",
        "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}},
        **fields,
    }
    return {key: value for key, value in whole.items() if value is not None}


class Patient(Web):
    """A server that keeps a request for ever which it gives no bytes to."""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (request := await read_request(reader)) is not None:
            self.requests.append(request)
            raw = self.answer(request)
            if not raw:
                await silent(reader, writer)
                return
            writer.write(raw)
            await writer.drain()
            if request.headers.get("connection", "").lower() == "close":
                return


class Sound:
    """A server of either era that keeps every rule; what breaks one overrides one method."""

    hangs = False
    """Whether it leaves a request without an answer."""

    def __init__(
        self, era: str = MODERN, tools: Sequence[Any] = (tool(),), credential: str | None = None
    ) -> None:
        self.era, self.tools, self.credential = era, tools, credential
        self.sessions: set[str] = set()
        self.web = Patient(self.answer)

    def answer(self, request: Request) -> bytes:
        refused = self.door(request)
        if refused is not None:
            return refused
        if request.method == "GET":
            return self.get()
        if request.method == "DELETE":
            return self.delete(request)
        try:
            message = json.loads(request.body)
        except ValueError:
            return self.malformed()
        return self.spoken(request, message)

    def door(self, request: Request) -> bytes | None:
        if not self.known_origin(request):
            return response(403)
        if self.credential and request.headers.get("authorization") != self.credential:
            return response(401)
        return None

    def known_origin(self, request: Request) -> bool:
        return "origin" not in request.headers

    def get(self) -> bytes:
        return response(405)

    def delete(self, request: Request) -> bytes:
        if self.era == MODERN:
            return response(405)
        self.sessions.discard(request.headers.get("mcp-session-id", ""))
        return response(204)

    def malformed(self) -> bytes:
        return self.error(None, -32700, 400)

    def spoken(self, request: Request, message: dict[str, Any]) -> bytes:
        method, identity = message["method"], message.get("id")
        if identity is None:
            return response(202)
        if method == "initialize" and self.era != MODERN:
            return self.opened(identity)
        if request.headers.get("mcp-protocol-version") != self.era:
            return self.version(identity, message)
        if self.era == MODERN and request.headers.get("mcp-method") != method:
            return self.mismatch(identity, message)
        if self.era != MODERN and request.headers.get("mcp-session-id") not in self.sessions:
            return self.lost(identity, message)
        return self.dispatched(identity, method, message.get("params") or {})

    def version(self, identity: Any, _: dict[str, Any]) -> bytes:
        if self.era != MODERN:
            return self.error(identity, -32000, 400)
        return self.error(identity, -32022, 400, {"supported": [MODERN], "requested": "other"})

    def mismatch(self, identity: Any, _: dict[str, Any]) -> bytes:
        return self.error(identity, -32020, 400)

    def opened(self, identity: Any) -> bytes:
        name = self.session_name()
        self.sessions.add(name)
        result = {
            "protocolVersion": self.era,
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "sound", "version": "1"},
        }
        return self.result(identity, result, {"Mcp-Session-Id": name})

    def session_name(self) -> str:
        return str(uuid.uuid4())

    def lost(self, identity: Any, _: dict[str, Any]) -> bytes:
        return self.error(identity, -32001, 404)

    def dispatched(self, identity: Any, method: str, params: Mapping[str, Any]) -> bytes:
        if method == "server/discover" and self.era == MODERN:
            found = {"supportedVersions": [MODERN], "capabilities": {"tools": {}}}
            return self.result(identity, {**found, "ttlMs": 0, "cacheScope": "private"})
        if method == "tools/list":
            return self.result(identity, self.listed(params))
        if method == "tools/call":
            return self.result(identity, self.called(params))
        return self.unknown(identity)

    def listed(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"tools": list(self.tools), "ttlMs": 0, "cacheScope": "private"}

    def called(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"content": [{"type": "text", "text": "found"}]}

    def unknown(self, identity: Any) -> bytes:
        return self.error(identity, -32601, 404 if self.era == MODERN else 200)

    def result(
        self, identity: Any, result: dict[str, Any], headers: Mapping[str, str] | None = None
    ) -> bytes:
        whole = {"resultType": "complete", **result} if self.era == MODERN else result
        body = json.dumps({"jsonrpc": "2.0", "id": identity, "result": whole})
        return response(200, body, headers=headers)

    def error(self, identity: Any, code: int, status: int, data: Any = None) -> bytes:
        told = {"code": code, "message": "s3cret [/]"} | ({"data": data} if data else {})
        return response(status, json.dumps({"jsonrpc": "2.0", "id": identity, "error": told}))
