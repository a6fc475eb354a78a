"""Every check on containers, with a measurement that passes and one that fails."""

from typing import Any

from readiness.inventory import Artifact, Subject

COMPOSE = Artifact.model_validate({"name": "stack", "kind": "compose", "files": "compose.yaml"})
KUBERNETES = Artifact.model_validate({"name": "k8s", "kind": "kubernetes", "files": "k8s/*.yaml"})

_COMPOSE_FILES = {
    "compose-parses": "parsed",
    "compose-references": "references_defined",
    "compose-keys": "keys_known",
}
_COMPOSE_SERVICES = {
    "compose-ports-unique": "ports_unique",
    "compose-healthcheck": "healthcheck_defined",
    "compose-healthcheck-runs": "healthcheck_runs",
    "compose-healthcheck-fails": "healthcheck_can_fail",
    "compose-healthcheck-own": "healthcheck_asks_itself",
    "compose-restart": "restart_policy_set",
    "compose-memory": "memory_limited",
    "compose-cpu": "cpu_limited",
    "compose-depends-on": "dependencies_awaited",
    "compose-image": "image_pinned",
    "compose-ports": "ports_bound",
    "compose-data-ports": "data_ports_private",
    "compose-privileged": "unprivileged",
    "compose-capabilities": "capabilities_bounded",
    "compose-confined": "confined",
    "compose-no-new-privileges": "no_new_privileges",
    "compose-namespaces": "own_namespaces",
    "compose-socket": "socket_unmounted",
    "compose-host-paths": "host_paths_safe",
    "compose-user": "not_root",
    "compose-secrets": "secrets_kept",
    "compose-logs": "logs_rotated",
}
_MANIFESTS = {
    "kube-parses": "parsed",
    "kube-objects-unique": "objects_unique",
    "kube-api-versions": "api_versions_served",
}
_WORKLOADS = {
    "kube-selectors": "selectors_match",
    "kube-services": "services_select",
    "kube-budgets-select": "budgets_select",
    "kube-autoscalers": "autoscalers_target",
    "kube-readiness": "readiness_probe_defined",
    "kube-liveness": "liveness_probe_defined",
    "kube-probes-differ": "probes_differ",
    "kube-cpu-request": "cpu_requested",
    "kube-memory-request": "memory_requested",
    "kube-memory-limit": "memory_limited",
    "kube-replicas": "replicas_redundant",
    "kube-budget": "budget_defined",
    "kube-budget-allows": "budget_allows",
    "kube-rollout": "rollout_gradual",
    "kube-spread": "pods_spread",
    "kube-grace": "grace_given",
    "kube-image": "image_pinned",
    "kube-non-root": "non_root",
    "kube-escalation": "escalation_blocked",
    "kube-privileged": "unprivileged",
    "kube-capabilities": "capabilities_bounded",
    "kube-capabilities-dropped": "capabilities_dropped",
    "kube-read-only": "root_read_only",
    "kube-seccomp": "seccomp_set",
    "kube-namespaces": "own_namespaces",
    "kube-host-paths": "host_paths_safe",
    "kube-token": "token_unmounted",
    "kube-secrets": "secrets_kept",
}

Case = tuple[Subject, dict[str, Any], dict[str, Any]]


def _holds(subject: Subject, metric: str) -> Case:
    return subject, {metric: True}, {metric: False}


def _applies(subject: Subject, metric: str) -> Case:
    there = {f"{metric}_applies": True}
    return subject, there | {metric: True}, there | {metric: False}


def _within(subject: Subject, metric: str, good: float, wrong: float) -> Case:
    there = {f"{metric}_applies": True}
    return subject, there | {metric: good}, there | {metric: wrong}


CASES: dict[str, Case] = {
    **{check: _holds(COMPOSE, metric) for check, metric in _COMPOSE_FILES.items()},
    **{check: _applies(COMPOSE, metric) for check, metric in _COMPOSE_SERVICES.items()},
    **{check: _holds(KUBERNETES, metric) for check, metric in _MANIFESTS.items()},
    **{check: _applies(KUBERNETES, metric) for check, metric in _WORKLOADS.items()},
    "compose-healthcheck-pace": _within(COMPOSE, "healthcheck_notice_ms", 300_000.0, 900_001.0),
    "kube-startup": _within(KUBERNETES, "liveness_delay_ms", 30_000.0, 120_001.0),
}
