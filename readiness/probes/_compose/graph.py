"""What the services of a stack wait for, and which of them run once and end."""

from typing import NamedTuple

from readiness.document.tree import Node
from readiness.probes._compose.stack import Container
from readiness.probes._containers.verdict import GOOD, Verdict, bad, beside


class Dependency(NamedTuple):
    """One service that another waits for; `at` is where that is written."""

    on: str
    condition: str
    at: Node


def dependencies(container: Container) -> list[Dependency]:
    """Return what a service waits for, and until when."""
    return [
        Dependency(name, _condition(node), node)
        for name, node in container.keyed("depends_on").items()
    ]


def _condition(node: Node) -> str:
    written = node.at("condition")
    return written.text if written else "service_started"


def awaited(container: Container, condition: str) -> bool:
    """Whether another service of the stack waits for this one until `condition`."""
    return (container.name, condition) in container.stack.awaited


def job(container: Container) -> str:
    """Return why a service runs once and ends, empty where it does not, as far as is written."""
    if awaited(container, "service_completed_successfully"):
        return f"{container.name} runs once: others wait for its end"
    if container.text("deploy", "mode") in ("replicated-job", "global-job"):
        return f"{container.name} runs once: its mode is that of a job"
    return ""


def has_test(container: Container) -> bool:
    """Whether a healthcheck is written, and not switched off."""
    tests = container.items("healthcheck", "test")
    return bool(tests and any(one.text for one in tests)) and not switched_off(container)


def switched_off(container: Container) -> bool:
    """Whether the healthcheck of its image is switched off."""
    tests = container.items("healthcheck", "test")
    return container.text("healthcheck", "disable") == "true" or (
        bool(tests) and tests[0].text == "NONE"
    )


def awaits_health(container: Container) -> Verdict:
    """Judge whether it waits for the health of what it depends on, where that can be asked."""
    waits = dependencies(container)
    judged = 0
    for one in waits:
        other = container.stack.services.get(one.on)
        if other is None or job(other):
            continue
        if one.condition == "service_healthy":
            if switched_off(other):
                text = f"waits for the health of {one.on}, whose healthcheck is switched off"
                return bad(one.at, container.name, text)
            judged += 1
        elif has_test(other):
            text = f"starts before {one.on} is healthy; write condition: service_healthy"
            return bad(one.at, container.name, text)
    if judged:
        return GOOD
    if not waits:
        return beside(f"{container.name} depends on nothing")
    return beside(f"what {container.name} depends on has no healthcheck written, or runs once")
