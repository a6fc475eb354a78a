"""A tool's arguments -> the headers that repeat some of them, as its schema marks them."""

from collections.abc import Mapping
from typing import Any

from readiness.probes._mcp_http import header_value
from readiness.probes._mcp_schema import header_fault, header_parameters


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


def _at(arguments: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        arguments = arguments.get(key) if isinstance(arguments, Mapping) else None
    return arguments
