"""Selectors, what selects a workload, and how many pods of it there are at least."""

import math
import re

from readiness.document.tree import Node
from readiness.probes._kubernetes.objects import Manifests, Object, Workload, texts


def matches(selector: Node | None, labels: dict[str, str]) -> bool:
    """Whether a selector with matchLabels and matchExpressions matches; an empty one does."""
    if selector is None:
        return False
    wanted = texts(selector.at("matchLabels"))
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(one, labels) for one in selector.each("matchExpressions")
    )


def _holds(expression: Node, labels: dict[str, str]) -> bool:
    key, operator = expression.at("key"), expression.at("operator")
    values = {one.text for one in expression.each("values")}
    has = labels.get(key.text) if key else None
    told = operator.text if operator else ""
    return {
        "In": has in values,
        "NotIn": has not in values,
        "Exists": has is not None,
        "DoesNotExist": has is None,
    }.get(told, False)


def services(workload: Workload, manifests: Manifests) -> list[Object]:
    """Return the Services that send traffic to the workload."""
    return [
        one
        for one in manifests.of("Service", namespace=workload.object.namespace)
        if serves(one, workload)
    ]


def serves(service: Object, workload: Workload) -> bool:
    """Whether the selector of a Service matches the workload's pods."""
    wanted = texts(service.node.at("spec", "selector"))
    return bool(wanted) and all(workload.labels.get(k) == v for k, v in wanted.items())


def budgets(workload: Workload, manifests: Manifests) -> list[Object]:
    """Return the PodDisruptionBudgets that select the workload's pods."""
    return [
        one
        for one in manifests.of("PodDisruptionBudget", namespace=workload.object.namespace)
        if matches(one.node.at("spec", "selector"), workload.labels)
    ]


def takes_traffic(workload: Workload, manifests: Manifests) -> bool:
    """Whether a container declares a port, or a Service selects the pods."""
    if workload.once:
        return False
    declared = any(one.node.at("ports") for one in workload.containers)
    return declared or bool(services(workload, manifests))


def autoscaler(workload: Workload, manifests: Manifests) -> Object | None:
    """Return what scales the workload, if something does."""
    for one in manifests.of(
        "HorizontalPodAutoscaler", "ScaledObject", namespace=workload.object.namespace
    ):
        if target(one) == (workload.kind, workload.object.name):
            return one
    return None


def target(scaler: Object) -> tuple[str, str]:
    """Return kind and name of what an autoscaler scales."""
    kind = scaler.node.at("spec", "scaleTargetRef", "kind")
    name = scaler.node.at("spec", "scaleTargetRef", "name")
    return kind.text if kind else "Deployment", name.text if name else ""


def replicas(workload: Workload, manifests: Manifests) -> int:
    """Return the fewest pods there are meant to be."""
    scaler = autoscaler(workload, manifests)
    if scaler:
        key, default = (
            ("minReplicas", 1) if scaler.kind != "ScaledObject" else ("minReplicaCount", 0)
        )
        return whole(scaler.node.at("spec", key), default)
    return whole(workload.at("spec", "replicas"), 1)


def whole(node: Node | None, default: int) -> int:
    """Return a whole number, `default` where there is none."""
    return node.value if node and type(node.value) is int else default


def share(node: Node | None, of: int, *, up: bool) -> int | None:
    """Return a number or a percentage of `of` pods, None where there is none."""
    if node is None:
        return None
    if type(node.value) is int:
        return node.value
    found = re.fullmatch(r"(\d{1,3})%", node.text)
    if not found:
        return None
    exact = int(found[1]) * of / 100
    return math.ceil(exact) if up else math.floor(exact)
