"""What of a call is said once more in its headers: the tool's name, and marked arguments."""

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

from readiness.probes._mcp_schema import DEEPEST, parts

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""The name of a header (RFC 9110, section 5.6.2)."""


def header_value(text: str) -> str:
    """Return `text` as the value of a header, encoded where it could not be one as it is."""
    plain = re.fullmatch(r"[\x20-\x7e]+", text) and text == text.strip()
    if plain and not re.fullmatch(r"=\?base64\?.*\?=", text):
        return text
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


def parameter_headers(tool: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, str]:
    """Return `Mcp-Param-*` of the arguments that are there (specification 2026-07-28).

    None of a schema whose marks are not valid: clients do not heed those.
    """
    schema = tool.get("inputSchema")
    if not isinstance(schema, dict) or header_fault(schema):
        return {}
    found = {}
    for path, name in header_parameters(schema):
        value = _at(arguments, path)
        if isinstance(value, bool):
            found[f"mcp-param-{name}"] = "true" if value else "false"
        elif isinstance(value, str | int):
            found[f"mcp-param-{name}"] = header_value(str(value))
    return found


def header_fault(schema: Any) -> str | None:
    """Return what makes an `x-mcp-header` of an inputSchema invalid, so that clients drop the tool.

    (specification 2026-07-28, Streamable HTTP, Schema Extension)
    """
    if not isinstance(schema, dict):
        return None
    reachable = dict(header_parameters(schema))
    marked = [part for part in parts(schema) if "x-mcp-header" in part]
    names = [str(part["x-mcp-header"]).lower() for part in marked]
    if len(marked) > len(reachable) or any("x-mcp-header" in part for part in (schema,)):
        return "has an x-mcp-header where none may be"
    if any(not isinstance(p["x-mcp-header"], str) for p in marked):
        return "has an x-mcp-header that is no text"
    if any(not _TOKEN.fullmatch(p["x-mcp-header"]) for p in marked):
        return "has an x-mcp-header that is no name of a header"
    if len(set(names)) < len(names):
        return "has one x-mcp-header twice"
    if any(p.get("type") not in ("string", "integer", "boolean") for p in marked):
        return "has an x-mcp-header on what is no text, integer or truth value"
    return None


def header_parameters(schema: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the path and the header's name of each parameter that is to be sent as a header too."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), schema)]
    while waiting:
        path, part = waiting.pop()
        if not isinstance(part, dict):
            continue
        if path and "x-mcp-header" in part:
            yield path, str(part["x-mcp-header"])
        inner = part.get("properties")
        if isinstance(inner, dict) and len(path) < DEEPEST:
            waiting += [((*path, name), child) for name, child in inner.items()]


def _at(arguments: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        arguments = arguments.get(key) if isinstance(arguments, Mapping) else None
    return arguments
