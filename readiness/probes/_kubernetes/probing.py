"""What is asked of a workload's probes and resources."""

from readiness.document.tree import Node
from readiness.probes._containers.verdict import GOOD, Verdict, bad, beside, measured
from readiness.probes._kubernetes.objects import Manifests, Workload
from readiness.probes._kubernetes.select import takes_traffic, whole

_HANDLERS = ("httpGet", "tcpSocket", "exec", "grpc")


def readiness(workload: Workload, manifests: Manifests) -> Verdict:
    """Judge whether traffic is kept from pods that cannot take it yet."""
    if not takes_traffic(workload, manifests):
        return beside(f"{workload.who} takes no traffic")
    return _probed(workload, "readinessProbe")


def liveness(workload: Workload, manifests: Manifests) -> Verdict:
    """Judge whether a hung process is found."""
    if workload.once:
        return beside(f"{workload.who} runs once")
    return _probed(workload, "livenessProbe")


def _probed(workload: Workload, key: str) -> Verdict:
    """Judge each container that listens, or that one at all is probed where none says it does."""
    listening = [one for one in workload.containers if one.node.at("ports")]
    for one in listening:
        if one.node.at(key) is None:
            return bad(one.node, one.who, f"no {key}")
    if not listening and not any(one.node.at(key) for one in workload.containers):
        return bad(workload.containers[0].node, workload.who, f"no {key}")
    return GOOD


def probes_differ(workload: Workload, manifests: Manifests) -> Verdict:
    """Judge whether liveness is more patient than readiness, or asks something else.

    The same question with the same patience restarts a pod where taking it out of the Service
    would have done, and an outage of what it depends on restarts all of them.
    """
    judged = 0
    for one in workload.containers:
        live, ready = one.node.at("livenessProbe"), one.node.at("readinessProbe")
        if live is None or ready is None:
            continue
        judged += 1
        if _asked(live) == _asked(ready) and _patience(live) <= _patience(ready):
            return bad(live, one.who, "liveness asks the same as readiness, as impatiently")
    return GOOD if judged else beside(f"{workload.who} has not both probes")


def _asked(probe: Node) -> object:
    return [(handler, plain(probe.at(handler))) for handler in _HANDLERS if probe.at(handler)]


def plain(node: Node | None) -> object:
    """Return a tree as plain values that can be compared."""
    if node is None:
        return None
    if isinstance(node.value, dict):
        return {key: plain(one) for key, one in node.value.items()}
    if isinstance(node.value, list):
        return [plain(one) for one in node.value]
    return node.text


def _patience(probe: Node) -> int:
    return whole(probe.at("failureThreshold"), 3) * whole(probe.at("periodSeconds"), 10)


def liveness_delay(workload: Workload, manifests: Manifests) -> Verdict:
    """Measure for how many milliseconds liveness is put off where a startup probe would do."""
    worst = None
    for one in workload.containers:
        live = one.node.at("livenessProbe")
        if live is None:
            continue
        delay = 0 if one.node.at("startupProbe") else whole(live.at("initialDelaySeconds"), 0)
        found = measured(delay * 1000.0, live, one.who, "liveness is put off that long")
        worst = max((worst, found), key=lambda v: v.value or 0.0) if worst else found
    return worst or beside(f"{workload.who} has no liveness probe")


def cpu_requested(workload: Workload, manifests: Manifests) -> Verdict:
    """Judge whether CPU is requested, so that the scheduler knows what a pod needs."""
    return _given(workload, manifests, "cpu", ("requests", "limits"), "no CPU request")


def memory_requested(workload: Workload, manifests: Manifests) -> Verdict:
    """Judge whether memory is requested."""
    return _given(workload, manifests, "memory", ("requests", "limits"), "no memory request")


def memory_limited(workload: Workload, manifests: Manifests) -> Verdict:
    """Judge whether memory is limited."""
    return _given(workload, manifests, "memory", ("limits",), "no memory limit")


def _given(
    workload: Workload, manifests: Manifests, what: str, parts: tuple[str, ...], text: str
) -> Verdict:
    """Judge each container; its pod's resources and the namespace's LimitRange count as well.

    A limit without a request is the request too (kubernetes.io, Resource Management).
    """
    if any(workload.spec("resources", part, what) for part in parts):
        return GOOD
    if _ranged(workload, manifests, what, parts):
        return GOOD
    for one in workload.containers:
        if not any(one.node.at("resources", part, what) for part in parts):
            return bad(one.node, one.who, text)
    return GOOD


def _ranged(workload: Workload, manifests: Manifests, what: str, parts: tuple[str, ...]) -> bool:
    keys = {"requests": "defaultRequest", "limits": "default"}
    for one in manifests.of("LimitRange", namespace=workload.object.namespace):
        for limit in one.node.each("spec", "limits"):
            kind = limit.at("type")
            given = any(limit.at(keys[part], what) for part in parts)
            if given and kind and kind.text == "Container":
                return True
    return False
