"""A list of tools -> all that is told of it: whether it ends, what is wrong with it, its drift."""

from collections.abc import Mapping

from readiness.measurement import Values
from readiness.probes import Context, _mcp_drift, _mcp_tool_faults
from readiness.probes._mcp_listing import Listing
from readiness.probes._mcp_message import Agreed

METRICS: Mapping[str, str] = {
    "has_tools": "true or false: the server offers tools and lists at least one",
    "tools": "count: tools read",
    "list_ends": "true or false: the pages of tools/list come to an end",
    **_mcp_tool_faults.METRICS,
    **_mcp_drift.METRICS,
}


def none_offered() -> Values:
    """Return the values of a server that has no tools to list."""
    because = "the server does not offer tools"
    return {
        **dict.fromkeys(("has_tools", "compared"), False),
        **dict.fromkeys(("has_tools_because", "compared_because"), because),
        "tools": 0,
    }


async def described(listing: Listing, agreed: Agreed, context: Context) -> Values:
    """Return the values that METRICS describes."""
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
