"""The rules a Prometheus has loaded -> whether each service has one, and whether they evaluate."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from readiness.escape import line
from readiness.measurement import Values
from readiness.probes._backend import rows
from readiness.probes._few import few
from readiness.probes._promql import Selector, fits, selectors
from readiness.probes._watched import NAMING, Watched

Labels = Mapping[str, str]

RULE_METRICS: Mapping[str, str] = {
    "has_rules": "true or false: any recording or alert rule is loaded",
    "rules": "count of alert rules loaded",
    "rules_evaluate": "true or false: no rule's last evaluation met an error",
    "rules_recent": "true or false: every group of rules was evaluated when it was due",
    "watchdog_firing": "true or false: the alert that always fires does",
}
"""What `health` and `watchdog` measure."""

WATCHDOGS = ("watchdog", "deadmansswitch", "deadmanswitch", "deadman", "alwaysfiring")
"""Names of the alert that always fires, in lower case without separators."""

_LATE = 2
"""Intervals after which a group is late, with a minute for a server that was busy."""
_GRACE_SECONDS = 60.0


@dataclass(frozen=True)
class Rule:
    """One rule: what it asks, and how its last evaluation went."""

    name: str
    alerts: bool
    health: str
    state: str
    error: str
    labels: Labels
    selectors: tuple[Selector, ...]


@dataclass(frozen=True)
class Group:
    """Rules that are evaluated together, every so many seconds."""

    name: str
    interval: float
    evaluated: datetime | None
    rules: tuple[Rule, ...]


def read(groups: Any) -> tuple[Group, ...]:
    """Return the groups of /api/v1/rules."""
    return tuple(
        Group(
            name=str(group.get("name", "")),
            interval=_seconds(group.get("interval")),
            evaluated=moment(group.get("lastEvaluation")),
            rules=tuple(map(_rule, rows(group.get("rules")))),
        )
        for group in rows(groups)
    )


def _rule(rule: Mapping[str, Any]) -> Rule:
    labels = rule.get("labels")
    return Rule(
        name=str(rule.get("name", "")),
        alerts=rule.get("type") == "alerting",
        health=str(rule.get("health", "")),
        state=str(rule.get("state", "")),
        error=str(rule.get("lastError", "")),
        labels=text_labels(labels),
        selectors=selectors(str(rule.get("query", ""))),
    )


def text_labels(labels: Any) -> Labels:
    """Return the labels of a JSON object that are text."""
    items = labels.items() if isinstance(labels, dict) else ()
    return {name: value for name, value in items if isinstance(value, str)}


def alerting(groups: Sequence[Group]) -> Iterator[Rule]:
    """Yield the alert rules whose last evaluation went well."""
    for group in groups:
        yield from (rule for rule in group.rules if rule.alerts and rule.health == "ok")


def names(rule: Rule, service: Watched, series: Sequence[Labels]) -> bool:
    """Whether the rule is of this service by its own labels or by what its selectors ask for.

    `series` are the labels of the service's `up`, if it has any.
    """
    if any(service.is_named(name, value) for name, value in rule.labels.items()):
        return True
    return any(_asks_for(one, service, series) for one in rule.selectors)


def _asks_for(selector: Selector, service: Watched, series: Sequence[Labels]) -> bool:
    for matcher in selector.matchers:
        named = matcher.sign == "=" and service.is_named(matcher.label, matcher.value)
        if matcher.sign == "=~" and matcher.label in (service.declared or NAMING):
            name = service.declared.get(matcher.label, service.name)
            named = bool(fits(matcher.value, name)) and not fits(matcher.value, "?")
        if named:
            mine = [one for one in series if selector.selects(one, strictly=False)]
            return bool(mine) or not series
    return False


def scraped(rule: Rule, series: Sequence[Labels]) -> bool:
    """Whether the rule watches the service's targets as it watches all: `up == 0`."""
    return any(
        selector.metric is not None
        and re.fullmatch(r"up|scrape_\w+", selector.metric)
        and any(selector.selects(one, strictly=True) for one in series)
        for selector in rule.selectors
    )


def asked(rule: Rule, series: Sequence[Labels]) -> set[str]:
    """Return the metrics by which the rule would watch the service, if the service has them."""
    return {
        selector.metric
        for selector in rule.selectors
        if selector.metric and any(selector.selects(one, strictly=False) for one in series)
    }


def health(groups: Sequence[Group], now: float) -> Values:
    """Say whether rules are there and evaluate without an error, at `now` of the server's clock."""
    rules = [rule for group in groups for rule in group.rules]
    if not rules:
        return {"has_rules": False, "has_rules_because": "no rule is loaded", "rules": 0}
    broken = [f"{rule.name}: {line(rule.error, 120)}" for rule in rules if rule.health == "err"]
    values: Values = {"has_rules": True, "rules": sum(rule.alerts for rule in rules)}
    values["rules_evaluate"] = not broken
    if broken:
        values["rules_evaluate_because"] = line(few(broken))
    return values | _punctual(groups, now)


def _punctual(groups: Sequence[Group], now: float) -> Values:
    new = [group.name for group in groups if group.evaluated is None]
    late = [
        f"{group.name} is due every {group.interval:g} s and was last evaluated {age:.0f} s ago"
        for group in groups
        if group.evaluated
        and (age := now - group.evaluated.timestamp()) > _LATE * group.interval + _GRACE_SECONDS
    ]
    if late:
        return {"rules_recent": False, "rules_recent_because": line(few(late))}
    if new:
        because = f"not tested: {line(few(new))} was not evaluated since the server started"
        return {"rules_recent_because": because}
    return {"rules_recent": True}


def is_watchdog(name: str, declared: str | None) -> bool:
    """Whether an alert of this name is the one that always fires."""
    if declared:
        return name == declared
    return re.sub(r"[^a-z]", "", name.lower()) in WATCHDOGS


def watchdog(groups: Sequence[Group], declared: str | None) -> Values:
    """Say whether the alert that always fires does."""
    found = [r for g in groups for r in g.rules if r.alerts and is_watchdog(r.name, declared)]
    if any(rule.state == "firing" for rule in found):
        return {"watchdog_firing": True}
    sought = declared or "Watchdog or DeadMansSwitch"
    because = f"no alert rule is called {sought}"
    if found:
        because = f"{found[0].name} is {found[0].state or found[0].health}, not firing"
    return {"watchdog_firing": False, "watchdog_firing_because": line(because)}


def _seconds(interval: Any) -> float:
    return float(interval) if isinstance(interval, int | float) else 60.0


def moment(text: Any) -> datetime | None:
    """Read RFC 3339 with nanoseconds; None for Go's zero time, which stands for never."""
    found = re.match(r"(\d{4})-\d\d-\d\dT\d\d:\d\d:\d\d", str(text))
    if not found or found[1] == "0001":
        return None
    zone = re.search(r"(Z|[+-]\d\d:\d\d)$", str(text))
    try:
        moment = datetime.fromisoformat(found[0] + (zone[0] if zone else "Z"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
