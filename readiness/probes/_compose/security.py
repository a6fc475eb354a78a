"""What is asked of how a service is shut in: rights, mounts, user, secrets."""

import posixpath
import re

from readiness.document.tree import Node
from readiness.probes._compose.graph import job
from readiness.probes._compose.source import dockerfile
from readiness.probes._compose.stack import Container
from readiness.probes._containers import image, smell
from readiness.probes._containers.rights import DANGEROUS, host_socket, host_wide, is_root
from readiness.probes._containers.template import HOLE, filled
from readiness.probes._containers.verdict import GOOD, Verdict, bad, beside, unknown


def unprivileged(container: Container) -> Verdict:
    """Judge whether it runs without all rights of the host."""
    written = container.at("privileged")
    if written and container.text("privileged") == "true":
        return bad(written, container.name, "privileged: true")
    if written and HOLE in container.text("privileged"):
        return unknown(written, container.name, "a variable decides whether it is privileged")
    return GOOD


def capabilities_bounded(container: Container) -> Verdict:
    """Judge whether it adds no capability that amounts to the host's root."""
    for one in container.items("cap_add"):
        word = filled(one.text).upper().removeprefix("CAP_")
        if word in DANGEROUS:
            return bad(one, container.name, f"adds the capability {word}")
    return GOOD


def confined(container: Container) -> Verdict:
    """Judge whether seccomp, AppArmor and SELinux are left on."""
    for one in container.items("security_opt"):
        text = filled(one.text).replace("=", ":").lower()
        if text in ("seccomp:unconfined", "apparmor:unconfined", "label:disable"):
            return bad(one, container.name, text)
    return GOOD


def no_new_privileges(container: Container) -> Verdict:
    """Judge whether its processes can gain no right that they had not."""
    for one in container.items("security_opt"):
        text = filled(one.text).replace("=", ":").lower()
        if text in ("no-new-privileges", "no-new-privileges:true"):
            return GOOD
    return bad(container.node, container.name, "no-new-privileges is not set")


_SPACES = (
    *(("network_mode", "network"), ("pid", "process"), ("ipc", "IPC")),
    *(("userns_mode", "user"), ("uts", "UTS"), ("cgroup", "cgroup")),
)


def own_namespaces(container: Container) -> Verdict:
    """Judge whether it shares no namespace with the host."""
    for key, word in _SPACES:
        written = container.at(key)
        if written and container.text(key) == "host":
            return bad(written, container.name, f"shares the host's {word} namespace")
    for key, word in _SPACES:
        written = container.at(key)
        if written and container.text(key) == HOLE:
            text = f"a variable decides whether it shares the host's {word} namespace"
            return unknown(written, container.name, text)
    return GOOD


def socket_unmounted(container: Container) -> Verdict:
    """Judge whether the engine's socket is kept from it; read-only is no protection.

    A proxy of that socket, which lets only some requests through, cannot do without.
    """
    if "socket-proxy" in container.text("image") or "socket_proxy" in container.text("image"):
        return beside(f"{container.name} is there to guard the socket")
    for at, source, target, _ in mounts(container):
        if host_socket(source) or host_socket(target):
            return bad(at, container.name, "mounts the container engine's socket")
    return GOOD


def host_paths_safe(container: Container) -> Verdict:
    """Judge whether no folder of the host's system can be written."""
    for at, source, _, read_only in mounts(container):
        if not read_only and host_wide(source):
            return bad(at, container.name, f"can write to the host's {source}")
    return GOOD


def mounts(container: Container) -> list[tuple[Node, str, str, bool]]:
    """Return where it is written, source, target and whether it is read-only, of each mount."""
    return [
        _long(node) if isinstance(node.value, dict) else _short(node)
        for node in container.items("volumes")
    ]


def _short(node: Node) -> tuple[Node, str, str, bool]:
    source, _, rest = filled(node.text).partition(":")
    target, _, mode = rest.partition(":")
    return node, _path(source) if target else "", target or source, "ro" in mode.split(",")


def _long(node: Node) -> tuple[Node, str, str, bool]:
    def told(key: str) -> str:
        found = node.at(key)
        return filled(found.text) if found else ""

    source = _path(told("source")) if told("type") == "bind" else ""
    return node, source, told("target"), told("read_only") == "true"


def _path(text: str) -> str:
    return posixpath.normpath(text) if text.startswith("/") else text


def not_root(container: Container) -> Verdict:
    """Judge whether it runs as another user than root, as far as file and Dockerfile tell."""
    written = container.at("user")
    if why := job(container):
        return beside(f"{why}, as one that prepares folders does")
    if written:
        user = container.text("user")
        if is_root(user):
            return bad(written, container.name, "user: root")
        if user.startswith(HOLE):
            return unknown(written, container.name, "a variable decides on its user")
        return GOOD
    built = dockerfile(container)
    if built and built.user:
        if is_root(built.user):
            return bad(container.node, container.name, "its Dockerfile ends as root")
        return GOOD
    base = built.base if built else container.text("image")
    if "distroless" in base and "nonroot" in base:
        return GOOD
    name = image.parse(base).short.replace(HOLE, "?") or "it is made of"
    return unknown(container.node, container.name, f"no user is written: the image {name} decides")


def secrets_kept(container: Container) -> Verdict:
    """Judge whether no secret is written out among its variables and commands."""
    found = []
    for key in (("environment",), ("build", "args")):
        for name, node in container.keyed(*key).items():
            if smell.in_variable(name, filled(node.text)):
                found.append((node, f"{name} holds its value in the file"))
    for key in (("command",), ("entrypoint",), ("healthcheck", "test")):
        line = " ".join(filled(one.text) for one in container.items(*key))
        if smell.in_command(line):
            found.append((container.items(*key)[0], f"{key[-1]} has a password in it"))
    if not found:
        return GOOD
    at, text = found[0]
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return bad(at, container.name, _named(text) + more)


def _named(text: str) -> str:
    return re.sub(r"[^\w .-]", "…", text)[:100]
