"""What a Prometheus tells of itself -> whether its configuration is loaded and alerts get out."""

import math
from collections.abc import Mapping
from typing import Any

from readiness.escape import line
from readiness.inventory import Inventory
from readiness.measurement import Values
from readiness.probes._backend import Backend, Withheld, inner, rows
from readiness.probes._instant import query
from readiness.probes._self_watch import QUERY, watched_itself

DELIVERY_METRICS: Mapping[str, str] = {
    "version": "its version",
    "implementation": "Prometheus, or the application that its build information names",
    "is_prometheus": "true or false: it tells of itself what Prometheus alone does",
    "lists_alertmanagers": "true or false: it tells to which Alertmanagers it sends",
    "alertmanager_connected": "true or false: it sends to at least one Alertmanager",
    "alertmanagers": "count of Alertmanagers it sends to",
    "alertmanagers_dropped": "count of Alertmanagers that relabeling keeps it from sending to",
    "notifies": "true or false: it sends alerts, and counts how that goes",
    "config_loaded": "true or false: the configuration on disk was loaded",
    "storage_retention": "how long or how much it keeps, in its own words",
    "storage_corruptions": "count of corruptions met in its write-ahead log",
}
"""What `build` and `delivered` measure."""


async def build(backend: Backend) -> Values:
    """Tell Prometheus from Mimir, which names itself as `application`."""
    found = await backend.read("/api/v1/status/buildinfo")
    if isinstance(found, Withheld):
        return {"version_because": found.because, "is_prometheus": True}
    application = inner(found, "data", "application")
    name = line(str(application), 60) if application else "Prometheus"
    version = line(str(inner(found, "data", "version") or ""), 60)
    values: Values = {"implementation": name, "is_prometheus": name == "Prometheus"}
    if name != "Prometheus":
        values["is_prometheus_because"] = f"{name} has no such state of its own to ask for"
    return values | ({"version": version} if version else {})


async def delivered(backend: Backend, is_prometheus: bool) -> Values:
    """Say to whom it sends alerts, how that goes, and what it says of its own state."""
    connected = await _alertmanagers(backend, is_prometheus)
    if not is_prometheus:
        because = "only Prometheus counts its notifications where it can be asked"
        return connected | {"notifies": False, "notifies_because": because}
    _, counted = await query(backend, QUERY)
    sums = {labels.get("of", ""): value for labels, value in counted if math.isfinite(value)}
    notifies: Values = {"notifies_because": "not tested: it does not tell where it sends"}
    if "alertmanager_connected" in connected:
        notifies = {"notifies": connected["alertmanager_connected"]}
    if notifies.get("notifies") is False:
        notifies["notifies_because"] = "no Alertmanager is connected"
    return connected | notifies | watched_itself(sums) | await _runtime(backend)


async def _alertmanagers(backend: Backend, is_prometheus: bool) -> Values:
    found: Any = None
    if is_prometheus:
        found = await backend.read("/api/v1/alertmanagers")
    if not is_prometheus or isinstance(found, Withheld):
        return _unlisted(backend.context.inventory)
    active = rows(inner(found, "data", "activeAlertmanagers"))
    dropped = rows(inner(found, "data", "droppedAlertmanagers"))
    values: Values = {"lists_alertmanagers": True, "alertmanagers": len(active)}
    values["alertmanagers_dropped"] = len(dropped)
    values["alertmanager_connected"] = bool(active)
    if not active:
        because = "it is connected to no Alertmanager"
        more = f" ({len(dropped)} dropped by relabeling)" if dropped else ""
        values["alertmanager_connected_because"] = because + more
    return values


def _unlisted(inventory: Inventory) -> Values:
    """Say that delivery is seen elsewhere, if the inventory has an Alertmanager to see it at."""
    if any(service.kind == "alertmanager" for service in inventory.services):
        because = "it does not tell; the watchdog that arrives in Alertmanager does"
        return {"lists_alertmanagers": False, "lists_alertmanagers_because": because}
    because = "not tested: it does not tell; name the Alertmanager in the inventory to see it there"
    return {"lists_alertmanagers_because": because}


async def _runtime(backend: Backend) -> Values:
    found = await backend.read("/api/v1/status/runtimeinfo")
    if isinstance(found, Withheld):
        return {"config_loaded_because": found.because}
    told, values = inner(found, "data"), Values()
    if isinstance(loaded := inner(told, "reloadConfigSuccess"), bool):
        values["config_loaded"] = loaded
        if not loaded:
            values["config_loaded_because"] = "the last reload failed; it runs the one before"
    if isinstance(kept := inner(told, "storageRetention"), str):
        values["storage_retention"] = line(kept, 60)
    if isinstance(corrupted := inner(told, "corruptionCount"), int):
        values["storage_corruptions"] = corrupted
    return values
