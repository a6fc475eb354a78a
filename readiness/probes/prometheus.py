"""Whether Prometheus or Mimir scrapes every critical service, has alerts for it, and sends them."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from readiness.escape import line
from readiness.inventory import Inventory, Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, _alert_rules
from readiness.probes._alert_rules import RULE_METRICS, Group, text_labels
from readiness.probes._backend import Backend, Withheld, inner, rows
from readiness.probes._self_watch import QUERY, SELF_METRICS, watched_itself
from readiness.probes._targets import (
    TARGET_METRICS,
    Owned,
    Target,
    census,
    labels_used,
    others,
    owned,
    scraped,
)
from readiness.probes._watched import (
    WATCHED_METRICS,
    WatchedSettings,
    matched,
    ratio,
    someone,
    watched,
)

TIER: Tier = "observe"
KINDS = frozenset({"prometheus"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "answers": "true or false: it answers a query",
    "version": "its version",
    "implementation": "Prometheus, or the application that its build information names",
    "is_prometheus": "true or false: it tells of itself what Prometheus alone does",
    **WATCHED_METRICS,
    **TARGET_METRICS,
    "services_alerted_ratio": "ratio of critical services with an alert rule that evaluates",
    **RULE_METRICS,
    "lists_alertmanagers": "true or false: it tells to which Alertmanagers it sends",
    "alertmanager_connected": "true or false: it sends to at least one Alertmanager",
    "alertmanagers": "count of Alertmanagers it sends to",
    "notifies": "true or false: it sends alerts, and counts how that goes",
    "config_loaded": "true or false: the configuration on disk was loaded",
    "storage_retention": "how long or how much it keeps, in its own words",
    "storage_corruptions": "count of corruptions met in its write-ahead log",
    **SELF_METRICS,
}
_MOST_ASKED = 20
"""Services for which it is asked which metrics they have."""
_LONGEST_QUERY = 4000


class Settings(WatchedSettings):
    """What belongs to which service, and how the alert that always fires is called."""

    watchdog: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="name of the alert that always fires, if neither Watchdog nor DeadMansSwitch",
    )


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Ask for the targets, the rules and the Alertmanagers; each by a documented GET."""
    backend = Backend(service, context, settings.headers)
    now, targets = await _targets(backend)
    mine = owned(watched(context.inventory, settings), targets)
    values: Values = {"answers": True, **someone(tuple(mine)), **scraped(mine), **census(targets)}
    values |= others(owned(watched(context.inventory, settings, critical=False), targets))
    values |= matched(labels_used(mine))
    values |= await _rules(backend, settings, mine, now)
    build = await _build(backend)
    return values | build | await _delivery(backend, build["is_prometheus"] is True)


async def _query(backend: Backend, query: str) -> tuple[float, list[tuple[dict[str, str], float]]]:
    """Return the server's time of an instant query, and the labels and value of each series."""
    found = await backend.must_read("/api/v1/query", {"query": query})
    series, now = [], 0.0
    for each in rows(inner(found, "data", "result")):
        moment, value = _sample(each.get("value"))
        now = max(now, moment)
        series.append((dict(text_labels(each.get("metric"))), value))
    return now, series


def _sample(value: Any) -> tuple[float, float]:
    try:
        moment, number = value
        return float(moment), float(number)
    except (TypeError, ValueError):
        return 0.0, math.nan


async def _targets(backend: Backend) -> tuple[float, list[Target]]:
    _, states = await _query(backend, "up")
    _, ages = await _query(backend, "time() - timestamp(up)")
    now, _ = await _query(backend, "vector(1)")
    seconds = {_key(labels): age for labels, age in ages}
    targets = []
    for labels, state in states:
        labels.pop("__name__", None)
        age = seconds.get(_key(labels))
        if age is not None and math.isfinite(age):  # else it vanished between the queries
            targets.append(Target(labels, state == 1, age))
    return now, targets


def _key(labels: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(labels.items())


async def _rules(backend: Backend, settings: Settings, mine: Owned, now: float) -> Values:
    found = await backend.read("/api/v1/rules", {"exclude_alerts": "true"})
    if isinstance(found, Withheld):
        absent = ("services_alerted_ratio", "has_rules", "watchdog_firing")
        return {f"{metric}_because": found.because for metric in absent}
    groups = _alert_rules.read(inner(found, "data", "groups"))
    return {
        **await _alerted(backend, mine, groups),
        **_alert_rules.health(groups, now),
        **_alert_rules.watchdog(groups, settings.watchdog),
    }


async def _alerted(backend: Backend, mine: Owned, groups: Sequence[Group]) -> Values:
    """Say which services have an alert rule that evaluates: by name, by `up`, or by their metrics.

    A rule such as `rate(errors_total[5m]) > 1` is about every service that has `errors_total`.
    """
    rules = tuple(_alert_rules.alerting(groups))
    alerted, missing, asked = [], [], 0
    for service, targets in mine.items():
        series = [target.labels for target, _ in targets]
        plain = any(
            _alert_rules.names(rule, service, series) or _alert_rules.scraped(rule, series)
            for rule in rules
        )
        metrics = set().union(*(_alert_rules.asked(rule, series) for rule in rules))
        if not plain and metrics and asked < _MOST_ASKED:
            asked += 1
            plain = await _has_any(backend, metrics, targets)
        if plain:
            alerted.append(service.name)
        else:
            missing.append(f"{service.name} has no alert rule that evaluates")
    return ratio("services_alerted_ratio", alerted, missing, len(mine))


async def _has_any(
    backend: Backend, metrics: set[str], targets: Sequence[tuple[Target, str]]
) -> bool:
    """Whether series of one of the metrics carry the labels that told whose the targets are."""
    target, told = targets[0]
    labels = [f"{name}={json.dumps(target.labels[name])}" for name in told.split(", ")]
    names = "|".join(sorted(metrics))[:_LONGEST_QUERY].rpartition("|")
    listed = names[0] if len("|".join(metrics)) > _LONGEST_QUERY else "|".join(sorted(metrics))
    selector = ",".join([f"__name__=~{json.dumps(listed)}", *labels])
    _, found = await _query(backend, f"count({{{selector}}})")
    return bool(found)


async def _build(backend: Backend) -> Values:
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


async def _delivery(backend: Backend, is_prometheus: bool) -> Values:
    connected = await _alertmanagers(backend, is_prometheus)
    if not is_prometheus:
        because = "only Prometheus counts its notifications where it can be asked"
        return connected | {"notifies": False, "notifies_because": because}
    _, counted = await _query(backend, QUERY)
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
