"""Every question asked of each service of a stack: metric -> rule and what `true` means."""

from collections.abc import Mapping

from readiness.probes._compose import graph, health, ports, run, security
from readiness.probes._containers.verdict import Rule

ASKED: Mapping[str, str] = {
    "healthcheck_defined": "true: a healthcheck is in the file, or in the image as far as is known",
    "healthcheck_runs": "true: its command can be run as it is written",
    "healthcheck_can_fail": "true: its command fails when the service does",
    "healthcheck_asks_itself": "true: its command asks no other host",
    "healthcheck_notice_ms": "ms: how long an outage may last before the container is unhealthy",
    "restart_policy_set": "true: it is started again when it ends",
    "memory_limited": "true: its memory has a limit",
    "cpu_limited": "true: its CPU has a limit or a share",
    "dependencies_awaited": "true: it waits for the health of what it depends on",
    "image_pinned": "true: its image names a version, a digest or a variable",
    "ports_bound": "true: no port but 80, 443 and public_ports is published on all interfaces",
    "data_ports_private": "true: no port of a data store is published on all interfaces",
    "unprivileged": "true: it is not privileged",
    "capabilities_bounded": "true: it adds no capability that amounts to the host's root",
    "confined": "true: seccomp, AppArmor and SELinux are left on",
    "no_new_privileges": "true: its processes cannot gain privileges",
    "own_namespaces": "true: it shares no namespace with the host",
    "socket_unmounted": "true: the container engine's socket is not mounted",
    "host_paths_safe": "true: it cannot write to the host's system folders",
    "not_root": "true: it runs as another user than root, by the file or its Dockerfile",
    "secrets_kept": "true: no secret is written out in its variables or commands",
    "logs_rotated": "true: its logs cannot fill the disk",
}


def rules(public: tuple[int, ...]) -> Mapping[str, Rule]:
    """Return the rule of each metric; `public` ports are open on purpose."""
    return {
        "healthcheck_defined": health.defined,
        "healthcheck_runs": health.runs,
        "healthcheck_can_fail": health.can_fail,
        "healthcheck_asks_itself": health.asks_itself,
        "healthcheck_notice_ms": health.notice,
        "restart_policy_set": run.restarts,
        "memory_limited": run.memory_limited,
        "cpu_limited": run.cpu_limited,
        "dependencies_awaited": graph.awaits_health,
        "image_pinned": run.image_pinned,
        "ports_bound": ports.bound(public),
        "data_ports_private": ports.data_private(public),
        "unprivileged": security.unprivileged,
        "capabilities_bounded": security.capabilities_bounded,
        "confined": security.confined,
        "no_new_privileges": security.no_new_privileges,
        "own_namespaces": security.own_namespaces,
        "socket_unmounted": security.socket_unmounted,
        "host_paths_safe": security.host_paths_safe,
        "not_root": security.not_root,
        "secrets_kept": security.secrets_kept,
        "logs_rotated": run.logs_rotated,
    }
