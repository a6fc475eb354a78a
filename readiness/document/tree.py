"""YAML text of other tools -> trees of nodes that know their file and line.

Compose files and manifests use what the inventory does without: several documents, anchors and
aliases, merge keys, tags. They are bounded as strictly: an alias counts as all that it stands for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any, NoReturn

import yaml

from readiness.document.composer import LOADER, Mistake, decoded, line_of, syntax
from readiness.document.scalar import plain, unprintable

MAX_BYTES = 4 << 20
MAX_DEPTH = 64
MAX_NODES = 200_000
"""Enough for the custom resource definitions of a large chart."""

_CORE = "tag:yaml.org,2002:"
_CORE_TAGS = frozenset(_CORE + name for name in ("str", "int", "float", "bool", "null"))
_COLLECTIONS = frozenset(_CORE + name for name in ("map", "seq"))


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A mapping of text to nodes, a list of nodes, or a scalar; `line` is its key's."""

    value: Any
    line: int
    file: str
    tag: str = ""
    size: int = 1
    """Nodes below it and itself, aliases written out."""
    height: int = 0
    """Levels below it, aliases written out."""

    @property
    def where(self) -> str:
        """Its file and line; of an absolute path the name, since the rest is a machine's."""
        name = PurePath(self.file)
        return f"{name.name if name.is_absolute() else self.file}:{self.line}"

    @property
    def mapping(self) -> dict[str, Node]:
        """What it maps; empty if it is no mapping."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[Node]:
        """What it lists; empty if it is no list."""
        return self.value if isinstance(self.value, list) else []

    def at(self, *keys: str) -> Node | None:
        """Return the node below these keys, None where there is none or it is null."""
        node: Node | None = self
        for key in keys:
            node = node.mapping.get(key) if node else None
        return None if node is None or node.value is None else node

    def each(self, *keys: str) -> list[Node]:
        """Return what is listed below these keys; empty if there is no list."""
        node = self.at(*keys)
        return node.items if node else []

    @property
    def text(self) -> str:
        """The scalar as it would be written; empty for a mapping, a list and null."""
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        return "" if self.value is None or isinstance(self.value, dict | list) else str(self.value)


def trees(raw: bytes, file: str, tags: Collection[str] = ()) -> tuple[Node, ...]:
    """Return the documents in the UTF-8 text `raw` of `file`, empty ones left out; raise Mistake.

    `tags` are those allowed beyond YAML's own for scalars; a node keeps its tag.
    """
    text = decoded(raw, MAX_BYTES)
    parser: Any = yaml.parse(text, Loader=LOADER)
    with closing(parser) as events:
        try:
            return tuple(_Planter(events, file, tags).documents())
        except yaml.YAMLError as error:
            raise syntax(error, text) from None


class _Planter:
    """Builds nodes from YAML events, which come one by one however deep the text nests."""

    def __init__(self, events: Iterator[Any], file: str, tags: Collection[str]) -> None:
        self.events, self.file, self.tags = events, file, tags
        self.anchors: dict[str, Node] = {}
        self.nodes = 0

    def documents(self) -> Iterator[Node]:
        next(self.events)  # the start of the stream
        while not isinstance(next(self.events), yaml.StreamEndEvent):
            self.anchors = {}
            document = self.node(next(self.events), 0)
            next(self.events)  # the end of the document
            if document.value is not None:
                yield document

    def node(self, event: Any, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, depth)
        self.count(event, 1, depth)
        if isinstance(event, yaml.MappingStartEvent):
            value: Any = self.mapping(depth)
            below = list(value.values())
        elif isinstance(event, yaml.SequenceStartEvent):
            value = below = self.sequence(depth)
        else:
            value, below = self.scalar(event), []
        size = 1 + sum(one.size for one in below)
        height = 1 + max((one.height for one in below), default=-1)
        tag = event.tag if event.tag in self.tags else ""
        if event.tag and not tag and event.tag not in (_CORE_TAGS | _COLLECTIONS | {"!"}):
            fix = "Remove it, or put quotes around text that starts with !."
            self.fail(event, "this tag is not supported", fix)
        node = Node(value, line_of(event), self.file, tag, size, height)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def alias(self, event: Any, depth: int) -> Node:
        node = self.anchors.get(event.anchor)
        if node is None:
            fix = (
                "Define its anchor with & before it, or put quotes around text that starts with *."
            )
            self.fail(event, "this alias has no anchor before it", fix)
        self.count(event, node.size, depth + node.height)
        return node

    def count(self, event: Any, nodes: int, depth: int) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            self.fail(event, f"the file holds more than {MAX_NODES} values", "Split it.")
        if depth >= MAX_DEPTH:
            self.fail(event, f"the file nests deeper than {MAX_DEPTH} levels", "Flatten it.")

    def mapping(self, depth: int) -> dict[str, Node]:
        found: dict[str, Node] = {}
        merged: list[Node] = []
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.key(event)
            node = self.node(next(self.events), depth + 1)
            if key == "<<" and event.implicit[0]:
                merged += self.sources(event, node)
            elif key in found:
                first = found[key].line
                what = f"a key is written twice, first on line {first}"
                self.fail(event, what, "Remove or rename one of them.")
            else:
                found[key] = replace(node, line=line_of(event))
        for source in merged:
            for key, node in source.mapping.items():
                found.setdefault(key, node)
        return found

    def sources(self, event: Any, node: Node) -> list[Node]:
        """Return the mappings that a merge key names; the first has precedence."""
        named = node.items if isinstance(node.value, list) else [node]
        if not all(isinstance(one.value, dict) for one in named):
            fix = "Write an alias to a mapping, or a list of them."
            self.fail(event, "the merge key << names no mapping", fix)
        return named

    def sequence(self, depth: int) -> list[Node]:
        found: list[Node] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            found.append(replace(self.node(event, depth + 1), line=line_of(event)))
        return found

    def key(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            fix = "Write plain text before the colon, and put quotes around values with { or [."
            self.fail(event, "a key must be plain text", fix)
        self.count(event, 1, 0)
        return str(event.value)

    def scalar(self, event: Any) -> Any:
        if unprintable(event.value) is not None:
            self.fail(event, "the text holds a control character", "Remove it.")
        if event.tag == f"{_CORE}str" or (event.tag is None and not event.implicit[0]):
            return event.value
        try:
            return plain(event.value)
        except ValueError:  # a number beyond what we keep is text to us
            return event.value

    def fail(self, event: Any, what: str, fix: str) -> NoReturn:
        raise Mistake(what, fix, line_of(event))
