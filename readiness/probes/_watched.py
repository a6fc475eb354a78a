"""An inventory -> the services that must be watched, and which telemetry is whose."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, SecretStr

from readiness.escape import line
from readiness.inventory import HeaderName, Inventory, Kind, Service
from readiness.inventory.url import split
from readiness.measurement import Values
from readiness.probes import Named, ProbeSettings
from readiness.probes._few import few

BACKENDS: frozenset[Kind] = frozenset({"prometheus", "alertmanager", "loki", "tempo", "grafana"})
"""Kinds that watch, and are not asked to be watched by themselves."""

NAMING = (
    *("service", "service_name", "app", "application", "app_kubernetes_io_name"),
    *("job", "deployment", "k8s_deployment_name", "statefulset", "container", "container_name"),
)
"""Labels whose value is the service's name, the telling ones first."""
PODS = ("pod", "pod_name", "k8s_pod_name")
LOCATED = ("instance", "server_address")
"""Labels whose value is where the service is, as host:port."""

_POD_SUFFIX = r"(-\d{1,4}|(-[bcdfghjklmnpqrstvwxz2456789]{6,10})?-[bcdfghjklmnpqrstvwxz2456789]{5})"
"""A StatefulSet's ordinal, or a ReplicaSet's hash and five letters of Kubernetes' safe alphabet."""

LabelName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
LabelValue = Annotated[str, Field(min_length=1, max_length=200)]


class BackendSettings(ProbeSettings):
    """How a backend is asked."""

    headers: Mapping[HeaderName, SecretStr] = Field(
        default_factory=dict,
        description="headers to send, such as `Authorization: Bearer ...` or `X-Scope-OrgID: 1`",
    )


class WatchingSettings(BackendSettings):
    """What a backend need not watch."""

    exclude: tuple[str, ...] = Field(
        (), description="critical services that another backend watches, or that nobody can"
    )

    def named(self, inventory: Inventory) -> Iterator[Named]:
        """Part of ProbeSettings."""
        yield from super().named(inventory)
        services = [service.name for service in inventory.services]
        for name in self.exclude:
            yield ("exclude",), name, services, "service"


class LabelledSettings(BackendSettings):
    """What in a backend belongs to which service."""

    labels: Mapping[str, Mapping[LabelName, LabelValue]] = Field(
        default_factory=dict,
        description="labels by service, where they differ from its name: "
        "`{api-gateway: {job: gateway}}`",
    )

    def named(self, inventory: Inventory) -> Iterator[Named]:
        """Part of ProbeSettings."""
        yield from super().named(inventory)
        services = [service.name for service in inventory.services]
        for name in self.labels:
            yield ("labels",), name, services, "service"


class WatchedSettings(LabelledSettings, WatchingSettings):
    """What need not be watched, and what belongs to which service."""


@dataclass(frozen=True, eq=False)
class Watched:
    """A service and the labels that were declared for it."""

    service: Service
    declared: Mapping[str, str]

    @property
    def name(self) -> str:
        """The service's name."""
        return self.service.name

    def by(self, labels: Mapping[str, str]) -> str | None:
        """Return the label by which telemetry is this service's, None if it is another's."""
        if self.declared:
            mine = all(labels.get(name) == value for name, value in self.declared.items())
            return ", ".join(self.declared) if mine else None
        for name, value in labels.items():
            if self.is_named(name, value):
                return name
        return None

    def is_named(self, label: str, value: str) -> bool:
        """Whether one label by itself says that it is this service."""
        if self.declared:
            return self.declared.get(label) == value
        mine = _alike(self.name)
        if label in NAMING:
            return mine in (_alike(value), _alike(value.rpartition("/")[2]))
        if label in PODS:
            return bool(re.fullmatch(re.escape(mine) + _POD_SUFFIX, _alike(value)))
        return label in LOCATED and value.lower() == self.place

    @property
    def place(self) -> str:
        """The service's host:port."""
        host = (split(self.service.url.get_secret_value()).hostname or "").lower()
        return f"[{host}]:{self.service.port}" if ":" in host else f"{host}:{self.service.port}"

    @property
    def sought(self) -> str:
        """What was looked for, for a sentence."""
        if self.declared:
            return ", ".join(f'{name}="{value}"' for name, value in self.declared.items())
        return f'"{self.name}" as service, app, job or pod, or {self.place} as instance'


def watched(
    inventory: Inventory, settings: WatchingSettings, *, critical: bool = True
) -> tuple[Watched, ...]:
    """Return the critical services, or all the others, that are to be found in telemetry."""
    labels = settings.labels if isinstance(settings, WatchedSettings) else {}
    return tuple(
        Watched(service, labels.get(service.name, {}))
        for service in inventory.services
        if service.kind not in BACKENDS
        and service.name not in settings.exclude
        and (service.criticality == "critical") is critical
    )


def ratio(metric: str, found: Iterable[str], missing: Iterable[str], n: int) -> Values:
    """Return how many of `n` services were found, and which were not."""
    named = few(missing)
    if not n:
        return {f"{metric}_because": NOBODY}
    values: Values = {metric: len(set(found)) / n}
    return values | ({f"{metric}_because": line(named)} if named else {})


NOBODY = "no service of the inventory is critical"


def someone(services: tuple[Watched, ...], excluded: Collection[str] = ()) -> Values:
    """Say whether there is any service to be watched; what was taken out is no absence."""
    values: Values = {"has_critical_services": bool(services), "services": len(services)}
    if services:
        return values
    named = line(f"not tested: `exclude` names {few(sorted(excluded), between=', ')}")
    return values | {"has_critical_services_because": named if excluded else NOBODY}


WATCHED_METRICS: Mapping[str, str] = {
    "has_critical_services": "true or false: the inventory has critical services to watch",
    "services": "count of critical services looked for",
    "matched": "which label told whose telemetry it is, by service",
}
"""What `someone` and `matched` measure."""


def matched(by: Mapping[str, str]) -> Values:
    """Say by which label each service was found."""
    told = few((f"{name} by {label}" for name, label in by.items()), 20, between=", ")
    return {"matched": line(told)} if by else {}


def _alike(name: str) -> str:
    return name.lower().replace("_", "-")
