"""MCP's messages, which are JSON-RPC: how a client of each era asks, and what an answer holds."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from readiness import __version__
from readiness.failure import ProbeError

MODERN = "2026-07-28"
"""The first version without a handshake: each request says all that is to be known of it."""
HANDSHAKE_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""Those that begin with `initialize`, the oldest first."""
HEADER_SINCE = "2025-06-18"
"""The version that brought the header MCP-Protocol-Version."""
METHOD_NOT_FOUND, PARSE_ERROR = -32601, -32700

_META = "io.modelcontextprotocol/"
_CLIENT = {"name": "readiness", "version": __version__}
_SHOWN = 120

Message = Mapping[str, Any]
Ask = Callable[[str, Mapping[str, Any], str], Awaitable[Message | None]]
"""(method, params, version) -> the answer, None if there is none or it is no JSON-RPC."""
Tell = Callable[[str, str], Awaitable[None]]
"""Sends a notification: (method, version)."""


@dataclass(frozen=True)
class Agreed:
    """What client and server settled on."""

    version: str
    capabilities: Mapping[str, Any]

    @property
    def modern(self) -> bool:
        """Whether it is of the era without a handshake."""
        return self.version == MODERN

    @property
    def era(self) -> Literal["discover", "initialize"]:
        """Which method opens it."""
        return "discover" if self.modern else "initialize"

    @property
    def offers_tools(self) -> bool:
        """Whether tools can be listed."""
        return isinstance(self.capabilities.get("tools"), Mapping)


def request(identity: int, method: str, params: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Return a request as a client of that version writes it."""
    if version == MODERN:
        meta = {"protocolVersion": version, "clientInfo": _CLIENT, "clientCapabilities": {}}
        params = {**params, "_meta": {_META + key: value for key, value in meta.items()}}
    message: dict[str, Any] = {"jsonrpc": "2.0", "id": identity, "method": method}
    return message | ({"params": dict(params)} if params else {})


def notification(method: str) -> dict[str, Any]:
    """Return a notification without parameters."""
    return {"jsonrpc": "2.0", "method": method}


def line(message: Message) -> bytes:
    """Return a message as one line, as it is sent over pipes."""
    return json.dumps(message).encode() + b"\n"


def read(text: str | bytes) -> Message | None:
    """Return the one JSON-RPC message that `text` is, None if it is none."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) and data.get("jsonrpc") == "2.0" else None


def answers(message: Message | None, identity: int) -> bool:
    """Whether it is the answer to the request of that number; an error may have lost its number."""
    if message is None or "method" in message:
        return False
    known = message.get("id", None)
    lost = known is None and "error" in message
    return lost or (type(known) is int and known == identity)


def result(message: Message | None) -> Mapping[str, Any] | None:
    """Return the result of an answer, None if it is an error or none."""
    found = message.get("result") if message else None
    return found if isinstance(found, dict) else None


def error_code(message: Message | None) -> int | None:
    """Return the code of an error, None if it is no error."""
    error = message.get("error") if message else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if type(code) is int else None


def shown(message: Message | None) -> str:
    """Return what was answered in a few words, without the server's own: they may hold secrets."""
    if message is None:
        return "no JSON-RPC message"
    if "error" in message:
        code = error_code(message)
        return f"error {code}" if code is not None else "an error without a code"
    return "a result" if "result" in message else "neither a result nor an error"


async def negotiate(ask: Ask, tell: Tell) -> Agreed:
    """Open the conversation as a client of both eras does: the newer first.

    Whatever is no DiscoverResult of a version known here means an older server
    (specification 2026-07-28, Versioning). Raises ProbeError if both ways fail.
    """
    if modern := await _discovered(ask):
        return modern
    offer = {
        "protocolVersion": HANDSHAKE_VERSIONS[-1],
        "capabilities": {},
        "clientInfo": _CLIENT,
    }
    answer = await ask("initialize", offer, HANDSHAKE_VERSIONS[-1])
    opened = result(answer)
    if opened is None and (modern := await _discovered(ask)):
        return modern  # it was slow to start, and its first answer came too late
    if opened is None:
        raise ProbeError("protocol", f"initialize was answered with {shown(answer)}")
    version = opened.get("protocolVersion")
    if version not in HANDSHAKE_VERSIONS:
        named = repr(version)[:_SHOWN]
        raise ProbeError("protocol", f"initialize was answered with the version {named}")
    await tell("notifications/initialized", version)
    return Agreed(version, _mapping(opened.get("capabilities")))


async def _discovered(ask: Ask) -> Agreed | None:
    found = result(await ask("server/discover", {}, MODERN))
    if found and MODERN in _list(found.get("supportedVersions")):
        return Agreed(MODERN, _mapping(found.get("capabilities")))
    return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
