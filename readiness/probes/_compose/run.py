"""What is asked of how a service is run: restarts, limits, image, logs."""

from readiness.probes._compose.graph import job
from readiness.probes._compose.stack import Container
from readiness.probes._containers import image
from readiness.probes._containers.template import HOLE
from readiness.probes._containers.verdict import GOOD, Verdict, bad, beside, unknown

_MEMORY = (("mem_limit",), ("deploy", "resources", "limits", "memory"))
_CPU = (
    *(("cpus",), ("cpu_quota",), ("cpu_shares",), ("cpuset",)),
    ("deploy", "resources", "limits", "cpus"),
)
_ROTATING = frozenset({"local"})
_ELSEWHERE = frozenset(
    {"awslogs", "fluentd", "gcplogs", "gelf", "journald", "loki", "none", "splunk", "syslog"}
)


def restarts(container: Container) -> Verdict:
    """Judge whether it is started again when it ends."""
    if why := job(container):
        return beside(why)
    name = container.name
    written = container.at("restart")
    policy = container.at("deploy", "restart_policy")
    if written:
        word = container.text("restart")
        if word == HOLE:
            return unknown(written, name, "a variable decides whether it restarts")
        return bad(written, name, "restart: no") if word in ("no", "false") else GOOD
    if policy:
        if container.text("deploy", "restart_policy", "condition") == "none":
            return bad(policy, name, "its restart condition is none")
        return GOOD
    return bad(container.node, name, "no restart policy")


def memory_limited(container: Container) -> Verdict:
    """Judge whether its memory is limited."""
    return _limited(container, _MEMORY, "no memory limit")


def cpu_limited(container: Container) -> Verdict:
    """Judge whether its share of the CPU is set."""
    return _limited(container, _CPU, "no CPU limit")


def _limited(container: Container, places: tuple[tuple[str, ...], ...], text: str) -> Verdict:
    for place in places:
        if container.text(*place).strip("0."):
            return GOOD
    return bad(container.node, container.name, text)


def image_pinned(container: Container) -> Verdict:
    """Judge whether its image is the same tomorrow; what is built here is no image of another's."""
    written = container.at("image")
    if container.at("build"):
        return beside(f"{container.name} is built here")
    if written is None:
        if container.at("provider"):
            return beside(f"{container.name} is not run as a container")
        return bad(container.node, container.name, "neither an image nor a build")
    why = image.floating(container.text("image"))
    if why:
        return bad(written, container.name, f"{written.text[:80]} {why}")
    return GOOD


def logs_rotated(container: Container) -> Verdict:
    """Judge whether its logs are kept from filling the disk."""
    name, node = container.name, container.at("logging")
    if why := job(container):
        return beside(why)
    if node is None:
        return unknown(container.node, name, "no logging is written: the daemon's default decides")
    driver = container.text("logging", "driver")
    if container.at("logging", "options", "max-size") or driver in _ROTATING:
        return GOOD
    if driver == "json-file":
        return bad(node, name, "json-file without max-size grows for ever")
    if driver in _ELSEWHERE or ("/" in driver and HOLE not in driver):
        return beside(f"{name} keeps no log files of its own")
    return unknown(node, name, "the daemon's default driver decides")
