"""The configuration that an Alertmanager tells -> who is told of an alert, without any address."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from readiness.document import ConfigurationError, parse
from readiness.escape import line
from readiness.measurement import Values
from readiness.probes._backend import rows
from readiness.probes._few import few

ROUTING_METRICS: Mapping[str, str] = {
    "has_receiver": "true or false: a receiver that a route names has an integration",
    "default_receiver_connected": "true or false: so has the receiver of the top route",
    "receivers": "count of receivers that routes name",
    "receivers_empty": "count of those without an integration",
    "inhibit_rules": "count of inhibition rules",
    "inhibit_rules_without_equal": "count of those that mute across all services",
}
"""What `Routing.values` measures."""

_DEEPEST = 30


@dataclass(frozen=True)
class Routing:
    """Which receivers are named by routes, the top route's first, and which tell somebody."""

    named: tuple[str, ...]
    telling: frozenset[str]
    inhibitions: int
    without_equal: int

    @property
    def values(self) -> Values:
        """The values that ROUTING_METRICS describes."""
        empty = [line(name, 60) for name in self.named if name not in self.telling]
        values: Values = {
            "receivers": len(self.named),
            "receivers_empty": len(empty),
            "has_receiver": any(name in self.telling for name in self.named),
            "default_receiver_connected": self.named[:1] != () and self.named[0] in self.telling,
            "inhibit_rules": self.inhibitions,
            "inhibit_rules_without_equal": self.without_equal,
        }
        if empty:
            quoted = [f'"{name}"' for name in empty]
            because = f"no integration in the receiver {few(quoted, between=', ')}"
            values |= {f"{m}_because": because for m in ("receivers_empty", "has_receiver")}
            values["default_receiver_connected_because"] = f"{empty[0]} has no integration"
        return values


def read(configuration: Any) -> Routing | None:
    """Return the routing of `config.original`, None if it cannot be read.

    What a receiver is configured with is not looked at: it holds secrets.
    """
    if not isinstance(configuration, str):
        return None
    try:
        data = parse(configuration, "alertmanager").data
    except ConfigurationError:
        return None
    if not isinstance(data, Mapping) or not isinstance(data.get("route"), Mapping):
        return None
    rules = rows(data.get("inhibit_rules"))
    return Routing(
        named=tuple(dict.fromkeys(_receivers(data["route"], _DEEPEST))),
        telling=frozenset(
            str(receiver.get("name"))
            for receiver in rows(data.get("receivers"))
            if any(key.endswith("_configs") and value for key, value in receiver.items())
        ),
        inhibitions=len(rules),
        without_equal=sum(not rule.get("equal") for rule in rules),
    )


def _receivers(route: Mapping[str, Any], depth: int) -> Iterator[str]:
    if isinstance(name := route.get("receiver"), str):
        yield name
    for each in rows(route.get("routes")) if depth else ():
        yield from _receivers(each, depth - 1)
