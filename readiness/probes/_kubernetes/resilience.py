"""What is asked of how a workload bears the loss of a pod, a drain and a rollout."""

from readiness.probes._containers import image
from readiness.probes._containers.verdict import GOOD, Verdict, bad, beside
from readiness.probes._kubernetes.objects import SCALED, Manifests, Object, Workload
from readiness.probes._kubernetes.select import budgets, replicas, share, whole


def redundant(workload: Workload, manifests: Manifests) -> Verdict:
    """Judge whether there is more than one pod of what is scaled."""
    if workload.kind not in SCALED or workload.once:
        return beside(f"{workload.who} is not scaled by replicas")
    if workload.kind == "Pod":
        return bad(workload.object.node, workload.who, "a Pod by itself is not replaced")
    many = replicas(workload, manifests)
    if many == 0:
        return beside(f"{workload.who} is scaled to none")
    at = workload.at("spec", "replicas") or workload.object.node
    return GOOD if many > 1 else bad(at, workload.who, "one replica")


def budget_defined(workload: Workload, manifests: Manifests) -> Verdict:
    """Judge whether a drain of nodes cannot take all pods at once."""
    if not _replicated(workload, manifests):
        return beside(f"{workload.who} has no second replica to keep")
    if budgets(workload, manifests):
        return GOOD
    return bad(workload.object.node, workload.who, "no PodDisruptionBudget selects its pods")


def budget_allows(workload: Workload, manifests: Manifests) -> Verdict:
    """Judge whether its budget lets a node be drained at all."""
    found = budgets(workload, manifests)
    if not found or workload.kind not in SCALED:
        return beside(f"no PodDisruptionBudget selects {workload.who}")
    many = replicas(workload, manifests)
    for one in found:
        if not _lets(one, many):
            return bad(one.node, one.who, f"lets none of the {many} pods of {workload.who} go")
    return GOOD


def _lets(budget: Object, many: int) -> bool:
    spec = budget.node.at("spec")
    most = share(spec.at("maxUnavailable") if spec else None, many, up=True)
    least = share(spec.at("minAvailable") if spec else None, many, up=True)
    return (most is None or most > 0) and (least is None or many == 0 or least < many)


def _replicated(workload: Workload, manifests: Manifests) -> bool:
    return workload.kind in SCALED and workload.kind != "Pod" and replicas(workload, manifests) > 1


def gradual(workload: Workload, manifests: Manifests) -> Verdict:
    """Judge whether a rollout leaves pods that serve."""
    if workload.kind == "Deployment":
        return _deployment(workload, manifests)
    if workload.kind == "DaemonSet":
        at = workload.at("spec", "updateStrategy", "rollingUpdate", "maxUnavailable")
        if at and share(at, 100, up=False) == 100 and at.text.endswith("%"):
            return bad(at, workload.who, "maxUnavailable: 100%")
        return GOOD
    if workload.kind in ("StatefulSet", "Rollout"):
        return GOOD
    return beside(f"{workload.who} is not rolled out")


def _deployment(workload: Workload, manifests: Manifests) -> Verdict:
    many = replicas(workload, manifests)
    if many < 2:
        return beside(f"{workload.who} has no second replica that could go on serving")
    strategy = workload.at("spec", "strategy", "type")
    if strategy and strategy.text == "Recreate":
        return bad(strategy, workload.who, "Recreate stops all pods before the new ones start")
    at = workload.at("spec", "strategy", "rollingUpdate", "maxUnavailable")
    most = share(at, many, up=False)
    if at and most is not None and most >= many:
        return bad(at, workload.who, f"a rollout may stop all {many} pods at once")
    return GOOD


def spread(workload: Workload, manifests: Manifests) -> Verdict:
    """Judge whether its pods are kept from sharing one node."""
    if not _replicated(workload, manifests):
        return beside(f"{workload.who} has no second replica to spread")
    if workload.spec("topologySpreadConstraints") or workload.spec("affinity", "podAntiAffinity"):
        return GOOD
    text = "neither topologySpreadConstraints nor podAntiAffinity"
    return bad(workload.object.node, workload.who, text)


def grace(workload: Workload, manifests: Manifests) -> Verdict:
    """Judge whether its pods get time to finish what they do."""
    at = workload.spec("terminationGracePeriodSeconds")
    if at and whole(at, 30) < 1:
        return bad(at, workload.who, "its pods are killed without any time to end")
    return beside(f"{workload.who} runs once") if workload.once else GOOD


def image_pinned(workload: Workload, manifests: Manifests) -> Verdict:
    """Judge whether its images are the same tomorrow."""
    for one in workload.everything:
        written = one.node.at("image")
        if written is None or not written.text:
            return bad(one.node, one.who, "no image")
        why = image.floating(written.text)
        if why:
            return bad(written, one.who, f"{written.text[:80]} {why}")
    return GOOD
