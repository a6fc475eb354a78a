"""Two Compose trees -> one, by the rules of the Compose Specification (13, Merge).

Mappings are merged, lists appended, commands and tests replaced; of what must be unique in a list
the later one wins; `!reset` takes away and `!override` replaces.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

from readiness.document.tree import Node
from readiness.probes._containers.files import Unreadable
from readiness.probes._containers.template import filled

TAGS = ("!reset", "!override")

_REPLACED = ("command", "entrypoint", "healthcheck.test", "ulimits.*")
_KEYED = (
    *("environment", "labels", "annotations", "sysctls", "extra_hosts", "deploy.labels"),
    *("build.args", "build.labels", "build.additional_contexts", "depends_on", "networks"),
)
"""Of a service: what may be written as a list and is merged by key all the same."""

_LISTED = ("dns", "dns_opt", "dns_search", "env_file", "label_file", "tmpfs")
"""Of a service: what may be written as one text and is a list all the same."""


def merged(base: Node, over: Node, path: tuple[str, ...] = ()) -> Node:
    """Return `base` overridden by `over`, both found at `path`; Unreadable where they clash."""
    if over.tag == "!override" or over.value is None:
        return base if over.value is None else over
    place = ".".join(path[2:]) if path[:1] == ("services",) and len(path) > 2 else ""
    if _is(place, _REPLACED):
        return over
    if place == "build":
        base, over = _context(base), _context(over)
    elif place == "logging" and _another_driver(base, over):
        return over
    elif _is(place, _KEYED):
        base, over = keyed(base), keyed(over)
    elif _is(place, _LISTED):
        base, over = _as_list(base), _as_list(over)
    if isinstance(base.value, dict) and isinstance(over.value, dict):
        return replace(base, value=_mapping(base.value, over.value, path))
    if isinstance(base.value, list) and isinstance(over.value, list):
        return unique(replace(over, value=[*base.value, *over.value]), place)
    if isinstance(base.value, dict | list):
        what = f"this cannot override what is written at {base.where}"
        raise Unreadable(over.file, over.line, what, "Write both as mappings, or both as lists")
    return over


def cleared(node: Node) -> Node:
    """Return `node` without what it resets: there is nothing below it to take it away from."""
    if isinstance(node.value, dict):
        kept = {k: cleared(one) for k, one in node.value.items() if one.tag != "!reset"}
        return replace(node, value=kept)
    return node


def _mapping(
    base: Mapping[str, Node], over: Mapping[str, Node], path: tuple[str, ...]
) -> dict[str, Node]:
    found = dict(base)
    for key, node in over.items():
        if node.tag == "!reset":
            found.pop(key, None)
        elif key in found and found[key].value is not None:
            found[key] = merged(found[key], node, (*path, key))
        else:
            found[key] = cleared(node)
    return found


def _is(place: str, patterns: tuple[str, ...]) -> bool:
    return bool(place) and any(fnmatchcase(place, pattern) for pattern in patterns)


def keyed(node: Node) -> Node:
    """Return a list of `KEY=value`, `host:address` or names as the mapping that it stands for."""
    if not isinstance(node.value, list):
        return node if isinstance(node.value, dict) else replace(node, value={})
    found: dict[str, Node] = {}
    for one in node.value:
        key, equals, value = one.text.partition("=")
        found[key] = replace(one, value=value if equals else None)
    return replace(node, value=found)


def _as_list(node: Node) -> Node:
    return node if isinstance(node.value, list) else replace(node, value=[node])


def _context(node: Node) -> Node:
    return node if isinstance(node.value, dict) else replace(node, value={"context": node})


def _another_driver(base: Node, over: Node) -> bool:
    mine, other = base.at("driver"), over.at("driver")
    return bool(mine and other and mine.text != other.text)


def unique(node: Node, place: str) -> Node:
    """Return the list without what a later item of the same key replaces."""
    key = _UNIQUE.get(place, _itself)
    found = {key(one): one for one in node.value}
    return replace(node, value=list(found.values()))


def _itself(node: Node) -> object:
    return node.text if node.text else node


def _target(node: Node) -> object:
    """Return where a volume, a secret or a config is found in the container."""
    if isinstance(node.value, dict):
        told = node.at("target") or node.at("source")
        return told.text if told else node
    parts = filled(node.text).split(":")
    return parts[0] if len(parts) == 1 else parts[1]


def _port(node: Node) -> object:
    if not isinstance(node.value, dict):
        return filled(node.text)
    parts = (node.at(key) for key in ("host_ip", "published", "target", "protocol"))
    return tuple(part.text if part else "" for part in parts)


_UNIQUE: Mapping[str, Callable[[Node], object]] = {
    "ports": _port,
    **dict.fromkeys(("volumes", "devices", "secrets", "configs"), _target),
}
