"""Whether Prometheus or Mimir scrapes every critical service, has alerts for it, and sends them."""

import json
import math
from collections.abc import Mapping, Sequence

from pydantic import Field

from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, _alert_rules, _delivery
from readiness.probes._alert_rules import RULE_METRICS, Group
from readiness.probes._backend import Backend, Withheld, inner
from readiness.probes._delivery import DELIVERY_METRICS
from readiness.probes._instant import query
from readiness.probes._promql import literal
from readiness.probes._self_watch import SELF_METRICS
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
    **WATCHED_METRICS,
    **TARGET_METRICS,
    "services_alerted_ratio": "ratio of critical services with an alert rule that evaluates",
    **RULE_METRICS,
    **DELIVERY_METRICS,
    **SELF_METRICS,
}
_MOST_ASKED = 20
"""Services for which it is asked which metrics they have."""
_LONGEST_PATTERN = 3000
"""Characters of the names of metrics in one query, which is part of a URL."""
_MOST_LABELS = 5
"""Different labels of one service in the same."""


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
    values: Values = {
        "answers": True,
        **someone(tuple(mine), settings.exclude),
        **scraped(mine),
        **census(targets),
    }
    values |= others(owned(watched(context.inventory, settings, critical=False), targets))
    values |= matched(labels_used(mine))
    values |= await _rules(backend, settings, mine, now)
    build = await _delivery.build(backend)
    return values | build | await _delivery.delivered(backend, build["is_prometheus"] is True)


async def _targets(backend: Backend) -> tuple[float, list[Target]]:
    _, states = await query(backend, "up")
    _, ages = await query(backend, "time() - timestamp(up)")
    now, _ = await query(backend, "vector(1)")
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
    listed, length = [], 0
    for name in sorted(metrics):
        length += len(name) + 1
        if length < _LONGEST_PATTERN:
            listed.append(literal(name))
    named = f"__name__=~{json.dumps('|'.join(listed))}"
    telling = dict.fromkeys(
        ",".join(f"{name}={json.dumps(target.labels[name])}" for name in told.split(", "))
        for target, told in targets
    )
    asked = " or ".join(f"{{{named},{labels}}}" for labels in list(telling)[:_MOST_LABELS])
    _, found = await query(backend, f"count({asked})")
    return bool(found)
