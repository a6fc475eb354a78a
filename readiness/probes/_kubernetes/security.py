"""What is asked of how a pod is shut in, by the Pod Security Standards and a little beyond."""

import posixpath

from readiness.document.tree import Node
from readiness.probes._containers import smell
from readiness.probes._containers.rights import DANGEROUS, host_socket, host_wide
from readiness.probes._containers.verdict import GOOD, Verdict, bad, beside
from readiness.probes._kubernetes.objects import Container, Manifests, Workload


def _context(one: Container, key: str) -> Node | None:
    """Return a setting of the container, else that of its pod."""
    own = one.node.at("securityContext", key)
    return own if own else one.workload.spec("securityContext", key)


def non_root(workload: Workload, manifests: Manifests) -> Verdict:
    """Judge whether no container can run as root."""
    for one in workload.containers:
        user, flag = _context(one, "runAsUser"), _context(one, "runAsNonRoot")
        if user and user.value == 0:
            return bad(user, one.who, "runAsUser: 0")
        if not (flag and flag.value is True) and user is None:
            return bad(one.node, one.who, "runAsNonRoot is not set")
    return GOOD


def escalation_blocked(workload: Workload, manifests: Manifests) -> Verdict:
    """Judge whether no process can gain more rights than its parent."""
    for one in workload.containers:
        at = one.node.at("securityContext", "allowPrivilegeEscalation")
        if at is None or at.value is not False:
            return bad(at or one.node, one.who, "allowPrivilegeEscalation is not false")
    return GOOD


def unprivileged(workload: Workload, manifests: Manifests) -> Verdict:
    """Judge whether no container has all rights of the node."""
    for one in workload.everything:
        at = one.node.at("securityContext", "privileged")
        if at and at.value is True:
            return bad(at, one.who, "privileged: true")
    return GOOD


def capabilities_bounded(workload: Workload, manifests: Manifests) -> Verdict:
    """Judge whether no capability is added that amounts to the node's root."""
    for one in workload.everything:
        for capability in one.node.each("securityContext", "capabilities", "add"):
            word = capability.text.upper().removeprefix("CAP_")
            if word in DANGEROUS:
                return bad(capability, one.who, f"adds the capability {word}")
    return GOOD


def capabilities_dropped(workload: Workload, manifests: Manifests) -> Verdict:
    """Judge whether the default capabilities are dropped."""
    for one in workload.containers:
        dropped = one.node.each("securityContext", "capabilities", "drop")
        if not any(item.text.upper() == "ALL" for item in dropped):
            return bad(one.node, one.who, "does not drop ALL capabilities")
    return GOOD


def root_read_only(workload: Workload, manifests: Manifests) -> Verdict:
    """Judge whether the root file system cannot be written."""
    for one in workload.containers:
        at = one.node.at("securityContext", "readOnlyRootFilesystem")
        if at is None or at.value is not True:
            return bad(at or one.node, one.who, "readOnlyRootFilesystem is not true")
    return GOOD


def seccomp_set(workload: Workload, manifests: Manifests) -> Verdict:
    """Judge whether system calls are filtered."""
    for one in workload.containers:
        profile = _context(one, "seccompProfile")
        kind = profile.at("type") if profile else None
        if kind is None or kind.text not in ("RuntimeDefault", "Localhost"):
            return bad(kind or one.node, one.who, "no seccompProfile")
    return GOOD


def own_namespaces(workload: Workload, manifests: Manifests) -> Verdict:
    """Judge whether the pod shares no namespace with its node."""
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        at = workload.spec(key)
        if at and at.value is True:
            return bad(at, workload.who, f"{key}: true")
    return GOOD


def host_paths_safe(workload: Workload, manifests: Manifests) -> Verdict:
    """Judge whether the node's files are kept from it; an agent of the node may read them."""
    for volume in workload.pod.each("spec", "volumes"):
        path = volume.at("hostPath", "path")
        if path is None:
            continue
        text = posixpath.normpath(path.text)
        if host_socket(text):
            return bad(path, workload.who, "mounts the container engine's socket")
        if workload.kind != "DaemonSet":
            return bad(path, workload.who, "mounts a path of its node")
        if host_wide(text) and _written(workload, volume):
            return bad(path, workload.who, f"can write to its node's {text}")
    return GOOD


def _written(workload: Workload, volume: Node) -> bool:
    name = volume.at("name")
    for one in workload.everything:
        for mount in one.node.each("volumeMounts"):
            of, read_only = mount.at("name"), mount.at("readOnly")
            writes = not (read_only and read_only.value is True)
            if writes and of and name and of.text == name.text:
                return True
    return False


def token_unmounted(workload: Workload, manifests: Manifests) -> Verdict:
    """Judge whether pods that need no access to the API get none."""
    account = workload.spec("serviceAccountName") or workload.spec("serviceAccount")
    name = account.text if account else "default"
    at = workload.spec("automountServiceAccountToken")
    if at is None:
        for one in manifests.of("ServiceAccount", namespace=workload.object.namespace):
            if one.name == name:
                at = one.node.at("automountServiceAccountToken")
    if at and at.value is False:
        return GOOD
    if name != "default":
        return beside(f"{workload.who} has an account of its own")
    return bad(workload.object.node, workload.who, "the default account's token is mounted")


def secrets_kept(workload: Workload, manifests: Manifests) -> Verdict:
    """Judge whether no secret is written out among variables and commands."""
    for one in workload.everything:
        for variable in one.node.each("env"):
            name, value = variable.at("name"), variable.at("value")
            if name and value and smell.in_variable(name.text, value.text):
                text = f"{name.text[:60]} holds its value in the file"
                return bad(variable, one.who, text)
        for key in ("command", "args"):
            words = one.node.each(key)
            if smell.in_command(" ".join(word.text for word in words)):
                return bad(words[0], one.who, f"{key} has a password in it")
    return GOOD
