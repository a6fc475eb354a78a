"""What RabbitMQ tells of its nodes -> which are down or apart, and how near each is to a limit."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from readiness.escape import line
from readiness.measurement import Values
from readiness.probes._few import few
from readiness.probes._monitoring import Told, count, most, share

METRICS: Mapping[str, str] = {
    "nodes": "count: nodes of the cluster",
    "clustered": "true or false: there is more than one node",
    "nodes_running": "true or false: every node of the cluster runs",
    "united": "true or false: no node has seen another one part from it (a network partition)",
    "memory_ratio": "ratio 0..1: memory of the watermark that raises the alarm, of the worst node",
    "disk_ratio": "ratio: the watermark of free disk, of what is free, on the worst node; 1: alarm",
    "descriptors_known": "true or false: this version counts its file descriptors",
    "descriptors_ratio": "ratio 0..1: file descriptors of those allowed, of the worst node",
}
PATH = (
    "/api/nodes?columns=name,running,partitions,mem_used,mem_limit,disk_free,disk_free_limit,"
    "fd_used,fd_total"
)
_SHOWN = 60

Node = Mapping[str, Any]


def values(told: Told) -> Values:
    """Return METRICS; without the tag `monitoring` all are absent, and say so."""
    nodes = told.rows
    if not nodes:
        why = told.untold
        if told.denied:
            why += ": give the user the tag monitoring"
        return {f"{metric}_because": why for metric in METRICS}
    running = [node for node in nodes if node.get("running") is True]
    found: Values = {"nodes": len(nodes), "clustered": len(nodes) > 1}
    if len(nodes) == 1:
        found["clustered_because"] = "there is one node only"
    return {**found, **_together(nodes), **_memory(running), **_disk(running), **_files(running)}


def _together(nodes: Sequence[Node]) -> Values:
    down = [_name(node) for node in nodes if node.get("running") is not True]
    apart = [_name(node) for node in nodes if node.get("partitions")]
    found: Values = {"nodes_running": not down, "united": not apart}
    if down:
        found["nodes_running_because"] = f"not running: {few(down, between=', ')}"
    if apart:
        found["united_because"] = f"parted from others: {few(apart, between=', ')}"
    return found


def _memory(nodes: Sequence[Node]) -> Values:
    return _worst(
        "memory_ratio", nodes, lambda node: share(node.get("mem_used"), node.get("mem_limit"))
    )


def _disk(nodes: Sequence[Node]) -> Values:
    return _worst(
        "disk_ratio", nodes, lambda node: share(node.get("disk_free_limit"), node.get("disk_free"))
    )


def _files(nodes: Sequence[Node]) -> Values:
    """Return the ratio of descriptors; RabbitMQ 4 and some systems count none (0 or a word)."""
    found = _worst(
        "descriptors_ratio",
        [node for node in nodes if count(node.get("fd_used"))],
        lambda node: share(node.get("fd_used"), node.get("fd_total")),
    )
    if "descriptors_ratio" in found:
        return {"descriptors_known": True, **found}
    because = "not tested: this version does not count its file descriptors"
    return {"descriptors_known": False, "descriptors_known_because": because}


def _worst(metric: str, nodes: Sequence[Node], ratio: Callable[[Node], float | None]) -> Values:
    worst = most({_name(node): ratio(node) for node in nodes})
    if worst is None:
        return {f"{metric}_because": "not tested: /api/nodes does not tell it"}
    return {metric: worst[1], f"{metric}_because": f"on {worst[0]}"}


def _name(node: Node) -> str:
    return line(str(node.get("name")), _SHOWN)
