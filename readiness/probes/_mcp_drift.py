"""The tools of this run and those kept of the run before -> which came, went and changed."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from readiness.measurement import Values
from readiness.probes._few import few
from readiness.probes._mcp_listing import Listing, shown

METRICS: Mapping[str, str] = {
    "digest": "SHA-256 of all the tools as the server wrote them, in the order of their names",
    "tool_digests": "JSON: name of each tool -> the start of the SHA-256 of its definition",
    "compared": "true or false: the run before had tools that are known",
    "tools_kept": "true or false: no tool of the run before is gone",
    "tools_changed": "count: tools whose definition is another than in the run before",
    "tools_added": "count: tools that the run before did not have",
}
_MOST_KEPT = 32 << 10
"""Characters of the digests; a list beyond it is not kept, so not compared the next time."""
_DIGITS = 16


def drift(listing: Listing, previous: Values) -> Values:
    """Return the values that METRICS describes."""
    now = _digests(listing)
    kept = json.dumps(now, sort_keys=True)
    values: Values = {"digest": hashlib.sha256(kept.encode()).hexdigest()}
    before = _read(previous.get("tool_digests"))
    if listing.whole and len(kept) <= _MOST_KEPT:
        values["tool_digests"] = kept
    elif listing.whole:
        values["tool_digests_because"] = f"{len(now)} names are too many to be kept"
    if not before:
        because = "there is no run before this one whose tools are known"
        return values | {"compared": False, "compared_because": because}
    if not listing.whole:
        because = f"not tested: the list is not whole: {listing.looped or listing.cut}"
        return values | {"compared_because": because}
    return values | {"compared": True} | _differences(before, now)


def _differences(before: Mapping[str, str], now: Mapping[str, str]) -> Values:
    gone, came = [n for n in before if n not in now], [n for n in now if n not in before]
    changed = [name for name in now if name in before and before[name] != now[name]]
    values: Values = {
        "tools_kept": not gone,
        "tools_changed": len(changed),
        "tools_added": len(came),
    }
    for metric, names in (("tools_kept", gone), ("tools_changed", changed), ("tools_added", came)):
        if names:
            values[f"{metric}_because"] = few(map(shown, names), between=", ")
    return values


def _digests(listing: Listing) -> dict[str, str]:
    """Return name -> digest; tools of one name are told of together."""
    found: dict[str, list[str]] = {}
    for name, tool in listing.named:
        found.setdefault(name, []).append(_canonical(tool))
    return {
        name: hashlib.sha256("\n".join(sorted(texts)).encode()).hexdigest()[:_DIGITS]
        for name, texts in found.items()
    }


def _canonical(tool: Mapping[str, Any]) -> str:
    """Return a definition as text in which the order of keys tells nothing.

    `_meta` is left out: it is the server's own and may differ with each answer.
    """
    told = {key: value for key, value in tool.items() if key != "_meta"}
    return json.dumps(told, sort_keys=True)


def _read(kept: Any) -> dict[str, str] | None:
    """Return what the run before kept, None if it kept nothing that can be read."""
    try:
        data = json.loads(kept) if isinstance(kept, str) else None
    except ValueError:
        return None
    if not isinstance(data, dict):
        return None
    return {str(name): str(digest) for name, digest in data.items()}
