"""Whether an MCP endpoint keeps the rules that protect it, told by breaking them."""

from collections.abc import Mapping

from pydantic import Field, SecretStr

from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings, _mcp_doors, _mcp_errors, _mcp_sessions
from readiness.probes._mcp_doors import Talk
from readiness.probes._mcp_http import Endpoint, credentials

TIER: Tier = "observe"
KINDS = frozenset({"mcp"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    **_mcp_doors.METRICS,
    **_mcp_errors.METRICS,
    **_mcp_sessions.METRICS,
}


class Settings(ProbeSettings):
    """How to be let in."""

    headers: Mapping[str, SecretStr] = Field(
        default_factory=dict,
        description="headers to send, such as Authorization; those of mcp_handshake if left out",
    )


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Ask what no client should ask; none of it calls a tool or changes anything."""
    headers = credentials(service, settings.headers)
    endpoint = Endpoint(service, context, headers)
    talk = Talk(service, context, headers, endpoint, await endpoint.negotiate())
    try:
        values = await _mcp_doors.origins(talk) | await _mcp_doors.strangers(talk)
        values |= await _mcp_errors.breaches(talk)
    finally:
        await endpoint.close()
    return values | await _mcp_sessions.sessions(talk)
