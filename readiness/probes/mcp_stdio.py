"""How an MCP server that is a program speaks over stdio: era, tools, latency, and a clean end."""

import time
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, SecretStr

from readiness.failure import ProbeError
from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import (
    Context,
    ProbeSettings,
    _mcp_listing,
    _mcp_message,
    _mcp_tool_list,
)
from readiness.probes._connection import within
from readiness.probes._few import few
from readiness.probes._mcp_listing import Listing
from readiness.probes._mcp_message import METHOD_NOT_FOUND, MODERN, Agreed, Message
from readiness.probes._mcp_program import Program, running
from readiness.probes._mcp_schema import require_jsonschema
from readiness.probes._sampling import sample

TIER: Tier = "write"
KINDS = frozenset({"mcp"})
EXCLUSIVE = True
METRICS: Mapping[str, str] = {
    "connected": "true: the program spoke the protocol with us",
    "protocol_version": "protocol version that client and server settled on",
    "era": "discover (2026-07-28 and later) or initialize (before)",
    "handshake_ms": "ms: start of the program to the end of the handshake",
    "tool_names": "names of the tools, separated by commas",
    "expected_tools_present": "true or false: every tool in `tools` is offered",
    **_mcp_tool_list.METRICS,
    "unknown_method_refused": "true or false: an unknown method gets the error -32601",
    "stdout_clean": "true or false: stdout holds nothing but messages of MCP",
    "ends_with_stdin": "true or false: it ends by itself once its stdin is closed",
    "p50_ms": "ms: median of tools/list (its first page)",
    "p95_ms": "ms: 95th percentile of tools/list",
    "looks": "count: how often these samples were looked at, to end if they decide",
}
_MOST_SAMPLES = 76
_LEAVE_SECONDS = 2.0
"""In which a program whose stdin is closed is to end: what the official SDK grants."""
_NAMES_SHOWN = 1000
_CONCEALED = 8
"""Characters from which on the value of a variable is too long to be a common word."""


class Settings(ProbeSettings):
    """The program to start, and what is expected of it."""

    command: Annotated[tuple[str, ...], Field(min_length=1, max_length=100)] = Field(
        description="program and arguments, as a list; no shell reads it"
    )
    env: Mapping[str, SecretStr] = Field(
        default_factory=dict, description="variables it gets beside PATH, HOME and the like"
    )
    folder: str = Field(".", description="where it is started; begins at the inventory's folder")
    tools: tuple[str, ...] = Field((), description="names of tools that must be offered")


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Start the program, speak with it as a client of both eras does, and end it."""
    require_jsonschema()
    env = {name: value.get_secret_value() for name, value in settings.env.items()}
    for value in env.values():
        if len(value) >= _CONCEALED:
            context.conceal(value)
    with running(settings.command, context.folder / settings.folder, env) as program:
        agreed, handshake_ms = await _opened(program, context)
        values: Values = {"connected": True, "era": agreed.era}
        values["protocol_version"] = agreed.version
        values["handshake_ms"] = handshake_ms
        values |= await _tools(program, agreed, settings, context)
        values |= await _unknown_method(program, agreed, context)
        values["stdout_clean"] = program.noise == 0
        if program.noise:
            values["stdout_clean_because"] = f"{program.noise} lines on stdout are no messages"
        values["ends_with_stdin"] = await program.leave(min(_LEAVE_SECONDS, context.timeout))
        await program.end()
    return values


async def _opened(program: Program, context: Context) -> tuple[Agreed, float]:
    async def ask(method: str, params: Mapping[str, Any], version: str) -> Message | None:
        try:
            with within(context) as watch:
                watch.begin(method)
                return await program.ask(method, params, version)
        except ProbeError as error:
            if version != MODERN or error.failure.kind != "timeout":
                raise
            return None  # an older server may drop what it does not know

    async def tell(method: str, _: str) -> None:
        with within(context):
            await program.tell(method)

    began = time.perf_counter()
    agreed = await _mcp_message.negotiate(ask, tell)
    return agreed, (time.perf_counter() - began) * 1000


async def _tools(program: Program, agreed: Agreed, settings: Settings, context: Context) -> Values:
    if not agreed.offers_tools:
        because = "the server does not offer tools"
        told = ("tool_names", "p50_ms", "p95_ms")
        values = _mcp_tool_list.none_offered(context) | {
            f"{metric}_because": because for metric in told
        }
        return values | _expected(settings, Listing(()))

    async def page(params: Mapping[str, Any]) -> Mapping[str, Any]:
        with within(context) as watch:
            watch.begin("tools/list")
            message = await program.ask("tools/list", params, agreed.version)
        found = _mcp_message.result(message)
        if found is None:
            said = _mcp_message.shown(message)
            raise ProbeError("protocol", f"tools/list was answered with {said}")
        return found

    listing = await _mcp_listing.read(page)
    names = [_mcp_listing.shown(name) for name, _ in listing.named]
    values = {"tool_names": ", ".join(names)[:_NAMES_SHOWN]}
    values |= await _mcp_tool_list.described(listing, agreed, context) | _expected(
        settings, listing
    )
    n = min(context.samples, _MOST_SAMPLES)
    return values | await sample(lambda: program.ask("tools/list", {}, agreed.version), n, context)


def _expected(settings: Settings, listing: Listing) -> Values:
    missing = [name for name in settings.tools if listing.find(name) is None]
    if not settings.tools:
        return {}
    if not missing:
        return {"expected_tools_present": True}
    because = f"not among the {len(listing.tools)} tools read: {few(missing, between=', ')}"
    found: Values = {"expected_tools_present_because": because}
    return found | ({"expected_tools_present": False} if listing.whole else {})


async def _unknown_method(program: Program, agreed: Agreed, context: Context) -> Values:
    try:
        with within(context):
            message = await program.ask("readiness/no-such-method", {}, agreed.version)
    except ProbeError as error:
        if not error.failure.blames_target:
            raise
        because = f"a method that does not exist: {error.failure.detail}"
        return {"unknown_method_refused": False, "unknown_method_refused_because": because}
    if _mcp_message.error_code(message) == METHOD_NOT_FOUND:
        return {"unknown_method_refused": True}
    because = f"a method that does not exist was answered with {_mcp_message.shown(message)}"
    return {"unknown_method_refused": False, "unknown_method_refused_because": because}
