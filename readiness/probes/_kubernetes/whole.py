"""What is asked of the manifests as a whole: that their objects find each other."""

from collections.abc import Iterator

from readiness.document.tree import Node
from readiness.measurement import Values
from readiness.probes._containers.verdict import Verdict, bad, listed
from readiness.probes._kubernetes.objects import Manifests, Object, Workload, near
from readiness.probes._kubernetes.select import matches, serves, target

_SELECTING = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")
WHOLE = {
    "selectors_match": "true: every workload selects the pods of its own template",
    "services_select": "true: every Service finds pods, and its named target ports",
    "budgets_select": "true: every PodDisruptionBudget selects pods",
    "autoscalers_target": "true: every HorizontalPodAutoscaler finds what it scales",
    "objects_unique": "true: no object is written twice",
    "api_versions_served": "true: no apiVersion is used that current clusters have removed",
    "selectors_match_applies": "false: no workload is there to judge",
    "services_select_applies": "false: no Service with a selector is there to judge",
    "budgets_select_applies": "false: no PodDisruptionBudget is there to judge",
    "autoscalers_target_applies": "false: no HorizontalPodAutoscaler is there to judge",
}

_REMOVED = {
    ("extensions/v1beta1", "Deployment"): "1.16",
    ("extensions/v1beta1", "DaemonSet"): "1.16",
    ("extensions/v1beta1", "ReplicaSet"): "1.16",
    ("extensions/v1beta1", "NetworkPolicy"): "1.16",
    ("extensions/v1beta1", "Ingress"): "1.22",
    ("apps/v1beta1", "Deployment"): "1.16",
    ("apps/v1beta1", "StatefulSet"): "1.16",
    ("apps/v1beta2", "Deployment"): "1.16",
    ("apps/v1beta2", "StatefulSet"): "1.16",
    ("apps/v1beta2", "DaemonSet"): "1.16",
    ("networking.k8s.io/v1beta1", "Ingress"): "1.22",
    ("networking.k8s.io/v1beta1", "IngressClass"): "1.22",
    ("rbac.authorization.k8s.io/v1beta1", "Role"): "1.22",
    ("rbac.authorization.k8s.io/v1beta1", "RoleBinding"): "1.22",
    ("rbac.authorization.k8s.io/v1beta1", "ClusterRole"): "1.22",
    ("rbac.authorization.k8s.io/v1beta1", "ClusterRoleBinding"): "1.22",
    ("apiextensions.k8s.io/v1beta1", "CustomResourceDefinition"): "1.22",
    ("batch/v1beta1", "CronJob"): "1.25",
    ("policy/v1beta1", "PodDisruptionBudget"): "1.25",
    ("policy/v1beta1", "PodSecurityPolicy"): "1.25",
    ("autoscaling/v2beta1", "HorizontalPodAutoscaler"): "1.25",
    ("autoscaling/v2beta2", "HorizontalPodAutoscaler"): "1.26",
}
"""apiVersion and kind -> the release that no longer serves it (Deprecated API Migration Guide)."""

_BUILT_IN = ("v1", "apps/", "batch/", "policy/", "autoscaling/", "extensions/")


def whole(manifests: Manifests) -> Values:
    """Return what holds of all objects together."""
    found: Values = dict(_there(manifests))
    for metric, wrong in (
        ("selectors_match", list(_unselected(manifests))),
        ("services_select", list(_unserved(manifests))),
        ("budgets_select", list(_idle_budgets(manifests))),
        ("autoscalers_target", list(_idle_scalers(manifests))),
        ("objects_unique", list(_twice(manifests))),
        ("api_versions_served", list(_removed(manifests))),
    ):
        if found.get(f"{metric}_applies") is False:
            continue
        found[metric] = not wrong
        if wrong:
            found[f"{metric}_because"] = listed(wrong)
    return found


def _there(manifests: Manifests) -> Iterator[tuple[str, bool | str]]:
    """Yield whether there is anything to judge: what is not there holds of itself."""
    for metric, what, there in (
        ("selectors_match", "workload", manifests.workloads),
        ("services_select", "Service with a selector", list(_selecting(manifests))),
        ("budgets_select", "PodDisruptionBudget", manifests.of("PodDisruptionBudget")),
        ("autoscalers_target", "HorizontalPodAutoscaler", manifests.of("HorizontalPodAutoscaler")),
    ):
        yield f"{metric}_applies", bool(there)
        if not there:
            yield f"{metric}_applies_because", f"the manifests hold no {what}"


def _selecting(manifests: Manifests) -> Iterator[tuple[Object, Node]]:
    for one in manifests.of("Service"):
        selector = one.node.at("spec", "selector")
        if selector is not None and selector.mapping:
            yield one, selector


def _unselected(manifests: Manifests) -> Iterator[Verdict]:
    for one in manifests.workloads:
        selector, version = one.at("spec", "selector"), one.at("apiVersion")
        if version and (version.text, one.kind) in _REMOVED:
            continue  # of which some took the labels where there was no selector
        if one.kind in _SELECTING and not matches(selector, one.labels):
            at = selector or one.object.node
            yield bad(at, one.who, "its selector does not match the labels of its template")


def _operated(manifests: Manifests) -> bool:
    """Whether there are objects of which an operator may make pods that no file shows."""
    for one in manifests.objects:
        version = one.node.at("apiVersion")
        group = version.text if version else ""
        if group != "v1" and not group.startswith(_BUILT_IN) and ".k8s.io/" not in group:
            return True
    return False


def _unserved(manifests: Manifests) -> Iterator[Verdict]:
    for one, selector in _selecting(manifests):
        found = [w for w in _neighbours(one, manifests) if serves(one, w)]
        if found:
            yield from _ports(one, found)
        elif not _operated(manifests):
            yield bad(selector, one.who, "selects no pod of these files")


def _neighbours(one: Object, manifests: Manifests) -> list[Workload]:
    return [w for w in manifests.workloads if near(w.object.namespace, one.namespace)]


def _ports(service: Object, found: list[Workload]) -> Iterator[Verdict]:
    known = {
        name.text
        for workload in found
        for container in workload.containers
        for port in container.node.each("ports")
        if (name := port.at("name"))
    }
    for port in service.node.each("spec", "ports"):
        wanted = port.at("targetPort")
        named = wanted is not None and not wanted.text.isdigit()
        if wanted and named and wanted.text not in known:
            text = f"targets port {wanted.text[:40]}, which no container names"
            yield bad(wanted, service.who, text)


def _idle_budgets(manifests: Manifests) -> Iterator[Verdict]:
    for one in manifests.of("PodDisruptionBudget"):
        selector = one.node.at("spec", "selector")
        found = any(matches(selector, w.labels) for w in _neighbours(one, manifests))
        if not found and not _operated(manifests):
            yield bad(selector or one.node, one.who, "selects no pod of these files")


def _idle_scalers(manifests: Manifests) -> Iterator[Verdict]:
    for one in manifests.of("HorizontalPodAutoscaler"):
        kind, name = target(one)
        there = any(other.name == name for other in manifests.of(kind, namespace=one.namespace))
        if not there and not _operated(manifests):
            yield bad(one.node, one.who, f"scales {kind}/{name}, which these files do not hold")


def _twice(manifests: Manifests) -> Iterator[Verdict]:
    seen: dict[tuple[str, str, str, str], Object] = {}
    for one in manifests.objects:
        version = one.node.at("apiVersion")
        group = version.text.rpartition("/")[0] if version else ""
        key = (group, one.kind, one.namespace, one.name)
        if one.name and key in seen:
            yield bad(one.node, one.who, f"is written at {seen[key].node.where} already")
        seen.setdefault(key, one)


def _removed(manifests: Manifests) -> Iterator[Verdict]:
    for one in manifests.objects:
        at = one.node.at("apiVersion")
        release = _REMOVED.get((at.text, one.kind)) if at else None
        if at and release:
            yield bad(at, one.who, f"{at.text} is gone since Kubernetes {release}")
