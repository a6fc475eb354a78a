"""What is asked of a stack as a whole: that Compose would take it, and every port is but once."""

import re
from collections.abc import Iterator

from readiness.document.tree import Node
from readiness.measurement import Values
from readiness.probes._compose.graph import dependencies
from readiness.probes._compose.keys import SERVICE, TOP
from readiness.probes._compose.ports import Port, ports
from readiness.probes._compose.stack import Container, Stack
from readiness.probes._containers.template import HOLE
from readiness.probes._containers.verdict import Verdict, bad, listed

WHOLE = {
    "references_defined": "true: every service, network, volume, secret and config is defined",
    "ports_unique": "true: no two services publish the same port of the host",
    "ports_unique_applies": "false: no port is published",
    "keys_known": "true: every key is one that Compose knows",
}


def whole(stack: Stack) -> Values:
    """Return what holds of all the files together."""
    published = any(port.published for one in stack.services.values() for port in ports(one))
    found: Values = {"ports_unique_applies": published}
    for metric, wrong in (
        ("references_defined", list(_undefined(stack))),
        ("ports_unique", list(_twice(stack))),
        ("keys_known", list(_unknown_keys(stack))),
    ):
        if not wrong and stack.untold and metric == "references_defined":
            found[f"{metric}_because"] = f"not tested: {stack.untold}"
            continue
        if metric == "ports_unique" and not published:
            found["ports_unique_applies_because"] = "no port of the host is published"
            continue
        found[metric] = not wrong
        if wrong:
            found[f"{metric}_because"] = listed(wrong)
    return found


def _undefined(stack: Stack) -> Iterator[Verdict]:
    if stack.untold:
        return
    for container in stack.services.values():
        for one in dependencies(container):
            required = one.at.at("required")
            if one.on not in stack.services and not (required and required.value is False):
                yield bad(one.at, container.name, f"depends on {one.on}, which is not defined")
        for mode in ("network_mode", "pid", "ipc"):
            kind, _, name = container.text(mode).partition(":")
            at = container.at(mode)
            if at and kind == "service" and HOLE not in name and name not in stack.services:
                yield bad(at, container.name, f"shares with {name}, which is not defined")
        for part, names in _named(container):
            known = stack.root.at(part)
            for name, at in names.items():
                if HOLE not in name and name not in (known.mapping if known else {}):
                    yield bad(at, container.name, f"uses {part[:-1]} {name}, which is not defined")


def _named(container: Container) -> Iterator[tuple[str, dict[str, Node]]]:
    """Yield each part of the file, and the names in it that a service uses."""
    networks = container.keyed("networks")
    yield "networks", {name: at for name, at in networks.items() if name != "default"}
    for part in ("secrets", "configs"):
        found: dict[str, Node] = {}
        for one in container.items(part):
            source = one.at("source") if isinstance(one.value, dict) else one
            if source:
                found[source.text] = one
        yield part, found
    yield "volumes", dict(_volumes(container))


def _volumes(container: Container) -> Iterator[tuple[str, Node]]:
    for one in container.items("volumes"):
        if isinstance(one.value, dict):
            kind, source = one.at("type"), one.at("source")
            if source and (kind is None or kind.text == "volume"):
                yield source.text, one
            continue
        source_text, colon, _ = one.text.partition(":")
        if colon and re.fullmatch(r"[A-Za-z0-9][\w.-]+", source_text):
            yield source_text, one


def _twice(stack: Stack) -> Iterator[Verdict]:
    seen: dict[tuple[int, str], list[tuple[Container, Port]]] = {}
    for container in stack.services.values():
        for port in ports(container):
            for number in range(port.published, min(port.last, port.published + 100) + 1):
                if number > 0:
                    seen.setdefault((number, port.protocol), []).append((container, port))
    for (number, _), users in seen.items():
        for index, (container, port) in enumerate(users):
            for other, before in users[:index]:
                if _clash(port, before) and not _apart(container, other):
                    text = f"port {number} of the host is {other.name}'s already"
                    yield bad(port.at, container.name, text)


def _clash(port: Port, other: Port) -> bool:
    if HOLE in port.address + other.address or port.at is other.at:
        return False
    return port.address == other.address or port.everywhere or other.everywhere


def _apart(container: Container, other: Container) -> bool:
    """Whether profiles may keep the two from running at once."""
    mine = {one.text for one in container.items("profiles")}
    others = {one.text for one in other.items("profiles")}
    return bool(mine or others) and mine != others


def _unknown_keys(stack: Stack) -> Iterator[Verdict]:
    for key, node in stack.root.mapping.items():
        if key not in TOP and not key.startswith("x-"):
            yield bad(node, "the file", f"{_shown(key)} is no key of Compose")
    for container in stack.services.values():
        for key, node in container.node.mapping.items():
            if key not in SERVICE and not key.startswith("x-"):
                yield bad(node, container.name, f"{_shown(key)} is no key of a service")


def _shown(key: str) -> str:
    return key if re.fullmatch(r"[\w.-]{1,40}", key) else "a key"
