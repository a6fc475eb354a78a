"""Compose files -> one stack: included, extended and merged as `docker compose config` does it."""

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from readiness.document.tree import Node
from readiness.probes._compose.merge import TAGS, cleared, keyed, merged
from readiness.probes._containers.files import Absent, Unreadable, read
from readiness.probes._containers.template import HOLE, filled

_MOST_INCLUDED = 50
_MOST_EXTENDED = 20


@dataclass(frozen=True)
class Stack:
    """What some Compose files describe together."""

    folder: Path
    files: tuple[str, ...]
    root: Node
    services: Mapping[str, "Container"]
    untold: str = ""
    """Why some of it is not known: a file of another place that it includes or extends."""

    @cached_property
    def awaited(self) -> frozenset[tuple[str, str]]:
        """Each service that another waits for, and the condition for which it does."""
        return frozenset(
            (name, condition.text if (condition := at.at("condition")) else "service_started")
            for one in self.services.values()
            for name, at in one.keyed("depends_on").items()
        )

    def home(self, node: Node) -> Path:
        """Return the folder at which a path written in `node` begins."""
        name = self.files[0] if node.file in self.files else node.file
        return self.folder / posixpath.dirname(name)


@dataclass(frozen=True, eq=False)
class Container:
    """One service of a stack, all files considered."""

    name: str
    node: Node
    stack: Stack

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name by which it is reached, in lower case."""
        found = {self.name, self.text("container_name"), self.text("hostname")}
        for network in self.keyed("networks").values():
            found |= {one.text for one in network.each("aliases")}
        return frozenset(name.lower() for name in found if name and HOLE not in name)

    def at(self, *keys: str) -> Node | None:
        """Return what is written below these keys, None where there is nothing."""
        return self.node.at(*keys)

    def text(self, *keys: str) -> str:
        """Return the text below these keys with defaults put in, empty where there is none."""
        node = self.at(*keys)
        return filled(node.text) if node else ""

    def items(self, *keys: str) -> list[Node]:
        """Return the list below these keys; one text is a list of one."""
        node = self.at(*keys)
        if node is None or isinstance(node.value, dict):
            return []
        return node.items if isinstance(node.value, list) else [node]

    def keyed(self, *keys: str) -> dict[str, Node]:
        """Return the mapping below these keys, be it written as a list."""
        node = self.at(*keys)
        return keyed(node).mapping if node else {}


class _Reader:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.included: list[str] = []
        self.untold = ""

    def stack(self, files: Sequence[str]) -> Node:
        found: Node | None = None
        for name in files:
            one = self.file(name)
            found = merged(found, one) if found else one
        assert found is not None
        return found

    def file(self, name: str) -> Node:
        """Return one file with what it includes and extends."""
        root = self.extended(self.root(name), name)
        for at in root.mapping.get("include", Node([], 0, name)).items:
            included = self.include(at, name)
            root = merged(included, root) if included else root
        return root

    def root(self, name: str) -> Node:
        documents = read(self.folder, name, TAGS)
        if not documents:
            raise Unreadable(name, 1, "the file is empty", "Write services into it")
        root = documents[0]
        if len(documents) > 1:
            what = "a second document starts here"
            raise Unreadable(name, documents[1].line, what, "Keep one document to a file")
        if not isinstance(root.value, dict):
            raise Unreadable(name, root.line, "this is no mapping", "Write services: and below it")
        services = root.at("services")
        if services and not isinstance(services.value, dict):
            what = "services is no mapping"
            raise Unreadable(name, services.line, what, "Write each service below its name")
        for key, one in services.mapping.items() if services else ():
            if one.value is not None and not isinstance(one.value, dict):
                raise Unreadable(name, one.line, f"service {key} is no mapping")
        return root

    def include(self, at: Node, name: str) -> Node | None:
        written = at.at("path") if isinstance(at.value, dict) else at
        paths = written.items or [written] if written else []
        found: Node | None = None
        for path in paths:
            beside = self.beside(name, path)
            if beside is None:
                continue
            if beside in self.included or len(self.included) >= _MOST_INCLUDED:
                raise Unreadable(name, path.line, "this includes a file twice, or too many files")
            self.included.append(beside)
            one = self.there(path, beside, self.file)
            found = merged(found, one) if found else one
        return found

    def there(self, at: Node, name: str, read: Callable[[str], Node]) -> Node:
        """Return what `read` finds in the file `name`, which Compose needs where `at` names it."""
        try:
            return read(name)
        except Absent as error:
            raise Unreadable(at.file, at.line, str(error), "Name one that is there") from None

    def beside(self, name: str, path: Node) -> str | None:
        """Return the file that `path`, written in the file `name`, leads to.

        None if it is not on this disk, or if only the environment knows its name.
        """
        text = filled(path.text)
        if "://" in text or text.startswith("git@") or HOLE in text:
            self.untold = f"{path.where} leads to a file that is not on this disk"
            return None
        return posixpath.normpath(posixpath.join(posixpath.dirname(name), text))

    def extended(self, root: Node, name: str) -> Node:
        services = root.at("services")
        if services is None:
            return root
        full = {
            key: self.service(key, services.mapping, name, 0) if one.value is not None else one
            for key, one in services.mapping.items()
        }
        return replace(root, value={**root.value, "services": replace(services, value=full)})

    def service(self, key: str, services: Mapping[str, Node], name: str, depth: int) -> Node:
        """Return a service with what it extends put below it."""
        node = services[key]
        extends = node.at("extends")
        if extends is None:
            return node
        if depth > _MOST_EXTENDED:
            raise Unreadable(name, extends.line, f"service {key} extends itself, or too many")
        of = extends.at("service") if isinstance(extends.value, dict) else extends
        file = extends.at("file")
        below, where = services, name
        if file:
            beside = self.beside(name, file)
            if beside is None:
                return node
            root = self.there(file, beside, self.root) if beside != name else None
            found = root.at("services") if root else None
            below, where = (found.mapping, beside) if found else (services, name)
        if of is None or of.text not in below:
            what = f"service {key} extends one that is not there"
            raise Unreadable(name, extends.line, what, "Name one of that file")
        base = self.service(of.text, below, where, depth + 1)
        mine = replace(node, value={k: v for k, v in node.mapping.items() if k != "extends"})
        return merged(base, mine, ("services", key))


def load(folder: Path, files: Sequence[str]) -> Stack:
    """Return the stack that `files` describe, later ones overriding; raise Absent, Unreadable."""
    reader = _Reader(folder)
    root = cleared(reader.stack(files))
    services: dict[str, Container] = {}
    stack = Stack(folder, tuple(files), root, services, reader.untold)
    written = root.at("services")
    for name, node in written.mapping.items() if written else ():
        services[name] = Container(name, replace(node, value=node.value or {}), stack)
    if not services and not reader.untold:
        raise Unreadable(files[0], root.line, "no service is defined", "Write one below services")
    return stack


__all__ = ["Absent", "Container", "Stack", "Unreadable", "load"]
