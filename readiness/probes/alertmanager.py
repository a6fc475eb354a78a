"""Whether Alertmanager has a receiver that tells somebody, is not muted, and gets the watchdog."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from readiness.escape import line
from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, _routing, _silences
from readiness.probes._alert_rules import is_watchdog, text_labels
from readiness.probes._backend import Backend, Withheld, inner, rows
from readiness.probes._routing import ROUTING_METRICS, Routing
from readiness.probes._silences import SILENCE_METRICS
from readiness.probes._watched import BackendSettings

TIER: Tier = "observe"
KINDS = frozenset({"alertmanager"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "answers": "true or false: it tells its status",
    "version": "its version",
    "cluster": "its word for the state of its cluster: ready, settling or disabled",
    "peers": "count of peers in its cluster, itself included",
    "peers_complete": "true or false: as many peers are there as are declared",
    **ROUTING_METRICS,
    "watchdog_arrived": "true or false: the alert that always fires is here",
    "watchdog_leavable": "true or false: it is here, and there is a receiver to hand it to",
    "watchdog_routed": "true or false: it goes to a receiver with an integration",
    **SILENCE_METRICS,
}
_USUAL_NAMES = "(?i)(watchdog|dead.?man.?s?.?switch|deadman|always.?firing)"


class Settings(BackendSettings):
    """How it is asked, and what it should look like."""

    watchdog: str | None = Field(
        None,
        pattern=r'^[^"\\\s]{1,200}$',
        description="name of the alert that always fires, if neither Watchdog nor DeadMansSwitch",
    )
    peers: Annotated[int, Field(ge=2, le=100)] | None = Field(
        None, description="Alertmanagers that should be in the cluster"
    )


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Ask for status, silences and the watchdog; of its configuration only who has what."""
    backend = Backend(service, context, settings.headers)
    status = await backend.must_read("/api/v2/status")
    routing = _routing.read(inner(status, "config", "original"))
    return {
        "answers": True,
        **_cluster(status, settings.peers),
        **_routed(routing),
        **await _watchdog(backend, settings.watchdog, routing),
        **await _muted(backend),
    }


def _cluster(status: Any, declared: int | None) -> Values:
    values: Values = {}
    if isinstance(version := inner(status, "versionInfo", "version"), str):
        values["version"] = line(version, 60)
    if isinstance(state := inner(status, "cluster", "status"), str):
        peers = len(rows(inner(status, "cluster", "peers")))
        values |= {"cluster": line(state, 40), "peers": peers}
        if declared:
            values["peers_complete"] = peers >= declared and state == "ready"
            values["peers_complete_because"] = f"{peers} of {declared} peers, {line(state, 40)}"
    elif declared:
        values["peers_complete_because"] = "not tested: it tells nothing of its cluster"
    return values


def _routed(routing: Routing | None) -> Values:
    if routing:
        return routing.values
    because = "not tested: it does not tell its configuration"
    absent = ("has_receiver", "default_receiver_connected")
    return {f"{metric}_because": because for metric in absent}


async def _watchdog(backend: Backend, declared: str | None, routing: Routing | None) -> Values:
    named = f"alertname={json.dumps(declared)}" if declared else f'alertname=~"{_USUAL_NAMES}"'
    found = await backend.read("/api/v2/alerts", {"filter": named})
    if isinstance(found, Withheld):
        absent = ("watchdog_arrived", "watchdog_leavable")
        return {f"{metric}_because": found.because for metric in absent}
    alerts = [
        alert
        for alert in rows(found)
        if is_watchdog(text_labels(alert.get("labels")).get("alertname", ""), declared)
    ]
    if not alerts:
        sought = line(declared or "Watchdog or DeadMansSwitch")
        because = f"no alert called {sought} is here"
        return {
            **{"watchdog_arrived": False, "watchdog_arrived_because": because},
            **{"watchdog_leavable": False, "watchdog_leavable_because": because},
        }
    return {"watchdog_arrived": True, **_handed_on(alerts, routing)}


def _handed_on(alerts: Sequence[Mapping[str, Any]], routing: Routing | None) -> Values:
    """Say whether the watchdog goes anywhere."""
    if not routing:
        return {"watchdog_leavable_because": "not tested: it does not tell its configuration"}
    if not routing.values["has_receiver"]:
        because = "no receiver has an integration"
        return {"watchdog_leavable": False, "watchdog_leavable_because": because}
    to = [str(one.get("name")) for alert in alerts for one in rows(alert.get("receivers"))]
    values: Values = {"watchdog_leavable": True}
    values["watchdog_routed"] = any(name in routing.telling for name in to)
    because = f"it goes to {line(', '.join(to), 100) or 'no receiver'}, without an integration"
    return values | ({} if values["watchdog_routed"] else {"watchdog_routed_because": because})


async def _muted(backend: Backend) -> Values:
    found = await backend.read("/api/v2/silences")
    if isinstance(found, Withheld):
        return {f"{metric}_because": found.because for metric in ("not_muted", "has_silences")}
    return _silences.values(found)
