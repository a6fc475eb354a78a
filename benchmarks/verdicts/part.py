"""services.yaml -> the part of it that is about some services and journeys."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from readiness import bundled

POLICY = {"fail_on": "conditional", "blockers": {"latency-p95": True}}
"""The strictest gate: anything but READY blocks, and so does a p95 beyond its limit."""


def whole() -> dict[str, Any]:
    """Return the sample inventory."""
    found = yaml.safe_load(bundled.SERVICES.read_text("utf-8"))
    return {**found, "policy": POLICY}


def part(services: Collection[str], journeys: Collection[str]) -> dict[str, Any]:
    """Return the sample inventory with nothing but these services and journeys."""
    found = whole()
    kept = {name: dict(found["services"][name]) for name in services}
    for service in kept.values():
        service["depends_on"] = [n for n in service.get("depends_on", []) if n in services]
        if service["kind"] != "http":
            continue
        probes = dict(service.get("probes", {}))
        for probe in ("jwt", "session", "access_matrix"):  # they need journeys that may be gone
            probes.pop(probe, None)
        service["probes"] = {"http_access": {"public": [_path(service)]}, **probes}
    steps = {name: found["journeys"][name] for name in journeys}
    asked = {
        name: one
        for name, one in found["identities"].items()
        if one.get("service", "") in ("", *services)
    }
    return {
        **{key: found[key] for key in ("version", "system", "defaults", "policy")},
        "services": kept,
        **({"identities": asked} if asked else {}),
        **({"journeys": steps} if steps else {}),
    }


def _path(service: dict[str, Any]) -> str:
    """Return what everybody may ask: without it nothing would be known of access."""
    return str(service["health"].get("ready", "/health"))


def write(inventory: dict[str, Any], folder: Path) -> Path:
    """Write `inventory` to `folder`; return the file."""
    path = folder / "services.yaml"
    path.write_text(yaml.safe_dump(inventory, sort_keys=False), "utf-8")
    return path
