"""Whether agents can rely on the tools an MCP server lists, and what changed since last time."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, SecretStr

from readiness.failure import ProbeError
from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings, _mcp_listing, _mcp_tool_list
from readiness.probes._mcp_http import Endpoint, credentials
from readiness.probes._mcp_message import Agreed
from readiness.probes._mcp_schema import require_jsonschema

TIER: Tier = "observe"
KINDS = frozenset({"mcp"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = _mcp_tool_list.METRICS


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
            return _mcp_tool_list.none_offered(context)
        listing = await read_tools(endpoint, agreed)
    finally:
        await endpoint.close()
    return await _mcp_tool_list.described(listing, agreed, context)


async def read_tools(endpoint: Endpoint, agreed: Agreed) -> _mcp_listing.Listing:
    """Return the tools of an endpoint; raises ProbeError where tools/list has no result."""

    async def page(params: Mapping[str, Any]) -> Mapping[str, Any]:
        reply = await endpoint.ask("tools/list", params, agreed.version)
        if reply.result is None:
            raise ProbeError("protocol", f"tools/list was answered {reply.said}")
        return reply.result

    return await _mcp_listing.read(page)
