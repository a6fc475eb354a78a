"""Which workloads are services of the inventory, by their setting or by their name."""

from collections.abc import Mapping
from typing import Any

from readiness.inventory import Inventory, Service
from readiness.probes._containers.names import plain, same
from readiness.probes._kubernetes.objects import Manifests, Workload
from readiness.probes._kubernetes.select import services

PROBE = "kubernetes_manifests"
_LABELS = ("app.kubernetes.io/name", "app.kubernetes.io/component", "app", "k8s-app")


def of_service(service: Service, manifests: Manifests) -> list[Workload]:
    """Return what runs `service`: by name, by a Service's name, then by what its labels say."""
    settings: Any = service.probes.get(PROBE)
    named = settings.get("workload") if isinstance(settings, Mapping) else None
    if isinstance(named, str):
        return [w for w in manifests.workloads if named in (w.object.name, w.who)]
    known = [w for w in manifests.workloads if not w.once]
    for names in (_own, _served, _labelled):
        found = [w for w in known if same(service.name, names(w, manifests), _release(w))]
        if found:
            return found
    return [w for w in manifests.workloads if plain(w.object.name) == plain(service.name)]


def _release(workload: Workload) -> str:
    return workload.labels.get("app.kubernetes.io/instance", "")


def _own(workload: Workload, manifests: Manifests) -> list[str]:
    return [workload.object.name]


def _served(workload: Workload, manifests: Manifests) -> list[str]:
    return [one.name for one in services(workload, manifests)]


def _labelled(workload: Workload, manifests: Manifests) -> list[str]:
    return [workload.labels[key] for key in _LABELS if key in workload.labels]


def of_artifact(inventory: Inventory, manifests: Manifests) -> list[Workload]:
    """Return the workloads that are no service of the inventory."""
    joined = {w for service in inventory.services for w in of_service(service, manifests)}
    return [w for w in manifests.workloads if w not in joined]
