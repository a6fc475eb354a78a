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


def none_offered(context: Context) -> Values:
    """Return the values of a server that has no tools to list, though it may have had some."""
    because = "the server does not offer tools"
    values: Values = {"has_tools": False, "has_tools_because": because, "tools": 0}
    return values | _mcp_drift.drift(Listing(()), context.previous)


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
    found = await _mcp_tool_faults.faults(listing, headers=agreed.modern)
    values |= _of_a_part(found, listing.cut) if listing.cut else found
    return values | _mcp_drift.drift(listing, context.previous)


def _of_a_part(found: Values, cut: str) -> Values:
    """Take out what a part of the list cannot tell: that nothing is wrong with any tool."""
    good = [metric for metric, value in found.items() if value is True]
    kept: Values = {metric: value for metric, value in found.items() if metric not in good}
    return kept | {f"{metric}_because": f"not tested: {cut}" for metric in good}
