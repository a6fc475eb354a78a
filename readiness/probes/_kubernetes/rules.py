"""Every question asked of each workload: metric -> rule and what `true` means."""

from collections.abc import Callable, Mapping
from functools import partial

from readiness.probes._containers.verdict import Rule, Verdict
from readiness.probes._kubernetes import probing, resilience, security
from readiness.probes._kubernetes.objects import Manifests, Workload

ASKED: Mapping[str, str] = {
    "readiness_probe_defined": "true: each container that listens has a readiness probe",
    "liveness_probe_defined": "true: each container that listens has a liveness probe",
    "liveness_delay_ms": "ms: by how much liveness is put off for want of a startup probe",
    "probes_differ": "true: liveness asks something else than readiness, or is more patient",
    "cpu_requested": "true: CPU is requested",
    "memory_requested": "true: memory is requested",
    "memory_limited": "true: memory is limited",
    "replicas_redundant": "true: there is more than one pod, its autoscaler considered",
    "budget_defined": "true: a PodDisruptionBudget selects its pods",
    "budget_allows": "true: its PodDisruptionBudget lets at least one pod go",
    "rollout_gradual": "true: a rollout leaves pods that serve",
    "pods_spread": "true: its pods are kept from sharing one node",
    "grace_given": "true: its pods get time to end",
    "image_pinned": "true: its images name a version or a digest",
    "non_root": "true: no container can run as root",
    "escalation_blocked": "true: allowPrivilegeEscalation is false",
    "unprivileged": "true: no container is privileged",
    "capabilities_bounded": "true: no capability is added that amounts to the node's root",
    "capabilities_dropped": "true: all default capabilities are dropped",
    "root_read_only": "true: the root file system is read-only",
    "seccomp_set": "true: a seccomp profile is set",
    "own_namespaces": "true: no namespace of the node is shared",
    "host_paths_safe": "true: no path of the node is mounted that it must not reach",
    "token_unmounted": "true: the default account's token is not mounted",
    "secrets_kept": "true: no secret is written out in its variables or commands",
}

_RULES: Mapping[str, Callable[[Workload, Manifests], Verdict]] = {
    "readiness_probe_defined": probing.readiness,
    "liveness_probe_defined": probing.liveness,
    "liveness_delay_ms": probing.liveness_delay,
    "probes_differ": probing.probes_differ,
    "cpu_requested": probing.cpu_requested,
    "memory_requested": probing.memory_requested,
    "memory_limited": probing.memory_limited,
    "replicas_redundant": resilience.redundant,
    "budget_defined": resilience.budget_defined,
    "budget_allows": resilience.budget_allows,
    "rollout_gradual": resilience.gradual,
    "pods_spread": resilience.spread,
    "grace_given": resilience.grace,
    "image_pinned": resilience.image_pinned,
    "non_root": security.non_root,
    "escalation_blocked": security.escalation_blocked,
    "unprivileged": security.unprivileged,
    "capabilities_bounded": security.capabilities_bounded,
    "capabilities_dropped": security.capabilities_dropped,
    "root_read_only": security.root_read_only,
    "seccomp_set": security.seccomp_set,
    "own_namespaces": security.own_namespaces,
    "host_paths_safe": security.host_paths_safe,
    "token_unmounted": security.token_unmounted,
    "secrets_kept": security.secrets_kept,
}


def rules(manifests: Manifests) -> Mapping[str, Rule]:
    """Return the rule of each metric, for workloads of these manifests."""
    return {name: partial(_asked, rule, manifests) for name, rule in _RULES.items()}


def _asked(
    rule: Callable[[Workload, Manifests], Verdict], manifests: Manifests, workload: Workload
) -> Verdict:
    return rule(workload, manifests)
