"""What the probes of stores, MCP and files measured of the sample system (golden/capture)."""

import functools
import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from readiness.measurement import Value, Values

KEPT = Path(__file__).parent / "golden" / "platform.json"
MADE_UP = ("postgres_health", "redis_health", "mcp_handshake")
"""Probes of these kinds whose values the samples make up, by the delay of each service."""


def is_kept(probe: str) -> bool:
    """Whether what `probe` measures is kept, not made up."""
    files = ("compose_file", "junit_results")
    stores = probe.startswith(("postgres_", "redis_", "mcp_"))
    return probe in files or (stores and probe not in MADE_UP)


_STATEMENTS: Values = {
    "collected": True,
    "judged": True,
    "statements": 37,
    "slowest_mean_ms": 0.4,
    "slowest_max_ms": 31.0,
    "costliest": "SELECT * FROM tables WHERE id = $1 (queryid 42): 9120 calls of 0.4 ms",
    "costliest_share": 0.31,
}
"""The server that comes as a wheel cannot collect them."""


@functools.cache
def _kept() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(KEPT.read_text("utf-8"))
    return found


def values(subject: str, probe: str, fixed: bool) -> Values:
    if fixed and probe == "postgres_statements":
        return _STATEMENTS
    kept = _kept()["fixed" if fixed else "broken"][f"{subject} {probe}"]
    return TypeAdapter(dict[str, Value]).validate_python(kept)
