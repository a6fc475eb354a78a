"""How an MCP server over streamable HTTP shakes hands, in either protocol era, and lists tools."""

import contextlib
import logging
import time
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2
from pydantic import Field, SecretStr, ValidationError

from readiness import __version__
from readiness.failure import ProbeError
from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._bounded_transport import BoundedTransport
from readiness.probes._connection import within
from readiness.probes._mcp_http import require_http
from readiness.probes._sampling import sample

if TYPE_CHECKING:
    from mcp import Client

TIER: Tier = "observe"
KINDS = frozenset({"mcp"})
EXCLUSIVE = True
METRICS: Mapping[str, str] = {
    "connected": "true: the service spoke its protocol with us",
    "protocol_version": "protocol version that client and server settled on",
    "era": "discover (2026-07-28 and later) or initialize (before)",
    "server_name": "the server's own name",
    "handshake_ms": "ms: connect to the end of the handshake",
    "discoverable": "true or false: it answers server/discover, which can be asked again and again",
    "discover_p50_ms": "ms: median of server/discover",
    "discover_p95_ms": "ms: 95th percentile of server/discover",
    "discover_looks": "count: how often these samples were looked at, to end if they decide",
    "tools": "count: tools offered",
    "tool_names": "names of the tools, separated by commas",
    "expected_tools_present": "true or false: every tool in `tools` is offered",
    "p50_ms": "ms: median of tools/list (its first page)",
    "p95_ms": "ms: 95th percentile of tools/list",
    "looks": "count: how often these samples were looked at, to end if they decide",
}

_FIRST_DISCOVER_VERSION = "2026-07-28"
_MOST_SAMPLES = 76
_MOST_PAGES = 20
_SHOWN = 200
_NAMES_SHOWN = 1000


class Settings(ProbeSettings):
    """What is expected of the server, and how to be let in."""

    tools: tuple[str, ...] = Field((), description="names of tools that must be offered")
    headers: Mapping[str, SecretStr] = Field(
        default_factory=dict, description="headers to send, such as Authorization"
    )


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Shake hands once (`server/discover`, else `initialize`), list all tools, sample the list."""
    require_http(service)
    _require_sdk()
    from mcp import MCPError

    tls = context.tls() if urlsplit(service.address).scheme == "https" else False
    transport = BoundedTransport(context, tls)
    try:
        async with _session(service, settings, context, transport) as (client, handshake_ms):
            values: Values = {"connected": True, "handshake_ms": handshake_ms, **_identity(client)}
            values |= await _discovery(client, context)
            return values | await _tools(client, settings, context)
    except* (MCPError, ValidationError, RuntimeError) as group:
        fault = transport.refusal or _misbehaviour(group, transport.status)
        if fault is None:
            raise
        raise fault from group


def _identity(client: "Client") -> Values:
    version = client.protocol_version
    values: Values = {
        "protocol_version": version,
        "era": "discover" if version >= _FIRST_DISCOVER_VERSION else "initialize",
    }
    if client.server_info and client.server_info.name:
        return values | {"server_name": client.server_info.name[:_SHOWN]}
    return values | {"server_name_because": "the server does not give its name"}


@contextlib.asynccontextmanager
async def _session(
    service: Service, settings: Settings, context: Context, transport: BoundedTransport
) -> AsyncIterator[tuple["Client", float]]:
    """Yield a client after its handshake, and the ms that took; its session ends with it."""
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client
    from mcp_types import Implementation

    url = service.url.get_secret_value()
    headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
    http = httpx2.AsyncClient(
        transport=transport,
        timeout=None,  # `within` bounds every exchange as a whole
        trust_env=False,
        headers={"Accept-Encoding": "identity", "Readiness-Run": context.run_id, **headers},
    )
    client = Client(
        streamable_http_client(url, http_client=http),
        mode="auto",
        cache=None,  # or the samples of tools/list never leave this process
        client_info=Implementation(name="readiness", version=__version__),
    )
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(http)
        with within(context) as watch:
            watch.begin("resolve")
            # The client looks the name up again, in a thread that cannot be cancelled; asked
            # before, a resolver that hangs is met by ours.
            await context.resolve(urlsplit(url).hostname or "", service.port or 0)
            watch.begin("handshake")
            began = time.perf_counter()
            await stack.enter_async_context(client)
        yield client, (time.perf_counter() - began) * 1000
        with within(context):
            await stack.aclose()


async def _discovery(client: "Client", context: Context) -> Values:
    """Sample server/discover; initialize is not repeated, for each one opens a session."""
    version = client.protocol_version
    if version < _FIRST_DISCOVER_VERSION:
        because = "a handshake by initialize opens a session, so it is made once"
        told = ("discoverable", "discover_p50_ms", "discover_p95_ms")
        return {"discoverable": False, **{f"{metric}_because": because for metric in told}}
    n = min(context.samples, _MOST_SAMPLES)
    found = await sample(lambda: client.session.send_discover(version), n, context, of="discover_")
    return {"discoverable": True, **{f"discover_{name}": value for name, value in found.items()}}


async def _tools(client: "Client", settings: Settings, context: Context) -> Values:
    if client.server_capabilities.tools is None:
        because = "the server does not offer tools"
        values: Values = {"tools": 0, "tools_because": because, "tool_names_because": because}
        values |= {"p50_ms_because": because, "p95_ms_because": because}
        return values | _expected(settings, [], whole=True)
    names, whole = await _names(client, context)
    values = {"tools": len(names), "tool_names": ", ".join(names)[:_NAMES_SHOWN]}
    if not whole:
        values["tools_because"] = f"reading stopped after {_MOST_PAGES} pages, there are more"
    values |= _expected(settings, names, whole=whole)
    n = min(context.samples, _MOST_SAMPLES)
    return values | await sample(client.list_tools, n, context)


async def _names(client: "Client", context: Context) -> tuple[list[str], bool]:
    """Return the names of the tools on the first pages, and whether those were all pages."""
    names: list[str] = []
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        with within(context):
            page = await client.list_tools(cursor=cursor)
        names += [tool.name[:_SHOWN] for tool in page.tools]
        if (cursor := page.next_cursor) is None:
            return names, True
    return names, False


def _expected(settings: Settings, names: list[str], *, whole: bool) -> Values:
    missing = [name for name in settings.tools if name not in names]
    if not settings.tools:
        return {}
    if not missing:
        return {"expected_tools_present": True}
    because = f"not among the {len(names)} tools read: {', '.join(missing)}"
    found: Values = {"expected_tools_present_because": because}
    return found | ({"expected_tools_present": False} if whole else {})


def _require_sdk() -> None:
    """Raise ProbeError `not_installed` without the SDK; with it, keep its log to itself."""
    try:
        import mcp  # noqa: F401
    except ImportError as error:
        how = "the MCP SDK is not installed: pip install 'readiness[mcp]'"
        raise ProbeError("not_installed", how) from error
    log = logging.getLogger("mcp")
    log.propagate = False  # what it tells is in the failure; unheard, Python would print it
    if not log.handlers:
        log.addHandler(logging.NullHandler())


def _misbehaviour(group: ExceptionGroup[Exception], status: int | None) -> ProbeError | None:
    """Return what the SDK's own errors say about the server; None if this error is not one."""
    from mcp import MCPError

    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, MCPError) and status is not None and status >= 400:
        return ProbeError("protocol", f"the MCP endpoint answered {status}")
    if isinstance(error, MCPError):
        said = " ".join(error.message.split())[:_SHOWN]
        return ProbeError("protocol", f"the MCP endpoint answered error {error.code}: {said}")
    if isinstance(error, ValidationError):
        return ProbeError("protocol", f"not a valid {error.title[:_SHOWN]} of MCP")
    if str(error).startswith("Unsupported protocol version"):
        return ProbeError("protocol", str(error)[:_SHOWN])
    return None
