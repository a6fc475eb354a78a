"""Whether agents can rely on the tools an MCP server lists, and what changed since last time."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, SecretStr

from readiness.failure import ProbeError
from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings, _mcp_drift, _mcp_listing, _mcp_tool_faults
from readiness.probes._mcp_http import Endpoint, credentials
from readiness.probes._mcp_message import Agreed
from readiness.probes._mcp_schema import require_jsonschema

TIER: Tier = "observe"
KINDS = frozenset({"mcp"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "has_tools": "true or false: the server offers tools and lists at least one",
    "tools": "count: tools read",
    "list_ends": "true or false: the pages of tools/list come to an end",
    **_mcp_tool_faults.METRICS,
    **_mcp_drift.METRICS,
}


class Settings(ProbeSettings):
    """How to be let in."""

    headers: Mapping[str, SecretStr] = Field(
        default_factory=dict,
        description="headers to send, such as Authorization; those of mcp_handshake if left out",
    )


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Read the list of tools once, as the server wrote it, and look at every tool."""
    require_jsonschema()
    endpoint = Endpoint(service, context, credentials(service, settings.headers))
    agreed = await endpoint.negotiate()
    try:
        if not agreed.offers_tools:
            because = "the server does not offer tools"
            return {
                **dict.fromkeys(("has_tools", "compared"), False),
                **dict.fromkeys(("has_tools_because", "compared_because"), because),
                "tools": 0,
            }
        listing = await read_tools(endpoint, agreed)
    finally:
        await endpoint.close()
    return await _described(listing, agreed, context)


async def _described(listing: _mcp_listing.Listing, agreed: Agreed, context: Context) -> Values:
    values: Values = {"has_tools": bool(listing.tools), "tools": len(listing.tools)}
    if not listing.tools:
        values["has_tools_because"] = "the server lists no tool"
    if listing.cut:
        values["list_ends_because"] = f"not tested: {listing.cut}"
    else:
        values["list_ends"] = not listing.looped
    if listing.looped:
        values["list_ends_because"] = listing.looped
    values |= await _mcp_tool_faults.faults(listing, headers=agreed.modern)
    return values | _mcp_drift.drift(listing, context.previous)


async def read_tools(endpoint: Endpoint, agreed: Agreed) -> _mcp_listing.Listing:
    """Return the tools of an endpoint; raises ProbeError where tools/list has no result."""

    async def page(params: Mapping[str, Any]) -> Mapping[str, Any]:
        reply = await endpoint.ask("tools/list", params, agreed.version)
        if reply.result is None:
            raise ProbeError("protocol", f"tools/list was answered {reply.said}")
        return reply.result

    return await _mcp_listing.read(page)
