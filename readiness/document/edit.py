"""YAML text -> the same text with one item more in a list, or one value changed: no other byte.

The text is known to be fit for `composer.compose`, which bounds how deep it nests.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import yaml

from readiness.document.complaint import Place
from readiness.document.composer import LOADER
from readiness.document.scalar import plain

_PLAIN = re.compile(r"[A-Za-z0-9](?:[\w./ +-]*[\w./+-])?", re.ASCII)
_COMMENT = re.compile(r"#[^\r\n]*")


@dataclass(frozen=True)
class _Node:
    """A node by where it stands in the text: `end` is behind its last character."""

    kind: str
    start: int
    end: int
    column: int
    flow: bool
    below: tuple[tuple[str | int, "_Node"], ...] = ()

    def at(self, part: str | int) -> "_Node | None":
        return dict(self.below).get(part)


@dataclass(frozen=True)
class _Change:
    start: int
    end: int
    text: str


def appended(text: str, key: str, item: Mapping[str, str]) -> str:
    """Return `text`, a mapping, with `item` at the end of the list at its `key`.

    The list is made where there is none. New lines look like those around them.
    """
    root, end = _nodes(text)
    found = root.at(key)
    if found is None:
        changes = _new_key(text, root, end, key, item)
    elif found.kind == "sequence" and found.below:
        changes = _into_flow(text, found, item) if found.flow else _into_block(text, found, item)
    elif found.kind == "sequence":
        changes = [_insert(found.start + 1, _flow(item))]
    else:
        changes = _for_null(text, root, found, item)
    return _changed(text, changes)


def replaced(text: str, place: Place, value: str) -> str:
    """Return `text` with `value` as the scalar at `place`, which is there."""
    node, _ = _nodes(text)
    for part in place:
        below = node.at(part)
        assert below is not None
        node = below
    return _changed(text, [_Change(node.start, node.end, scalar(value))])


def scalar(value: str) -> str:
    """Return `value` as YAML reads it back as text: in quotes unless it needs none."""
    if _PLAIN.fullmatch(value) and "  " not in value:
        try:
            if isinstance(plain(value), str):
                return value
        except ValueError:
            pass
    return json.dumps(value, ensure_ascii=False)


def _nodes(text: str) -> tuple[_Node, int]:
    """Return the root of `text`, and where its document ends."""
    parser: Any = yaml.parse(text, Loader=LOADER)
    with closing(parser) as events:
        next(events), next(events)
        root = _node(next(events), events, text)
        last: Any = next(events)
        return root, last.start_mark.index if last.explicit else len(text)


def _node(event: Any, events: Iterator[Any], text: str) -> _Node:
    start, end, column = event.start_mark.index, event.end_mark.index, event.start_mark.column
    flow = bool(getattr(event, "flow_style", False))
    if isinstance(event, yaml.ScalarEvent):
        end = start + len(text[start:end].rstrip())
        return _Node("scalar", start, end, column, False)
    kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "sequence"
    below: list[tuple[str | int, _Node]] = []
    while not isinstance(one := next(events), yaml.CollectionEndEvent):
        name: str | int = len(below)
        if kind == "mapping":
            name, one = str(one.value), next(events)
        below.append((name, _node(one, events, text)))
    closed: Any = one
    end = closed.end_mark.index if flow else max([start, *(n.end for _, n in below)])
    return _Node(kind, start, end, column, flow, tuple(below))


def _new_key(text: str, root: _Node, end: int, key: str, item: Mapping[str, str]) -> list[_Change]:
    if root.flow:
        written = f"{key}: [{_flow(item)}]"
        if not root.below:
            return [_insert(root.start + 1, written)]
        return [_insert(root.below[-1][1].end, f", {written}")]
    newline = _newline(text)
    indent = " " * root.column
    lines = [f"{indent}{key}:", *_block(item, f"{indent}  ", 2)]
    written = newline.join(lines)
    gap = newline if newline * 2 in text else ""
    if text[:end].endswith(("\n", "\r")):
        return [_insert(end, f"{gap}{written}{newline}")]
    return [_insert(end, f"{newline}{gap}{written}")]


def _into_block(text: str, found: _Node, item: Mapping[str, str]) -> list[_Change]:
    last, newline = found.below[-1][1], _newline(text)
    dash = " " * found.column
    if last.flow:
        lines = [f"{dash}- {_flow(item)}"]
    else:
        before = text[_line_start(text, last.start) : last.start]
        lines = _block(item, dash, last.column - found.column if "-" in before else 2)
    return [_insert(_line_end(text, last.end), newline + newline.join(lines))]


def _into_flow(text: str, found: _Node, item: Mapping[str, str]) -> list[_Change]:
    last = found.below[-1][1]
    rest = text[last.end : _line_end(text, last.end)]
    alone = not text[_line_start(text, last.start) : last.start].strip()
    comma = "," in _COMMENT.sub("", rest)
    later = "," in _COMMENT.sub("", text[last.end + len(rest) : found.end])
    if not alone or later or last.end + len(rest) >= found.end:
        return [_insert(last.end, f", {_flow(item)}")]
    written = f"{_newline(text)}{' ' * last.column}{_flow(item)}"
    behind = _insert(last.end + len(rest), written + "," * comma)
    return [behind] if comma else [_insert(last.end, ","), behind]


def _for_null(text: str, root: _Node, found: _Node, item: Mapping[str, str]) -> list[_Change]:
    if root.flow or found.end > found.start:
        space = "" if text[found.start - 1 : found.start].isspace() else " "
        return [_Change(found.start, found.end, f"{space}[{_flow(item)}]")]
    newline = _newline(text)
    lines = _block(item, " " * (root.column + 2), 2)
    return [_insert(_line_end(text, found.end), newline + newline.join(lines))]


def _flow(item: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {scalar(value)}" for key, value in item.items()) + "}"


def _block(item: Mapping[str, str], dash: str, offset: int) -> list[str]:
    lines = [f"{dash}{' ' * offset}{key}: {scalar(value)}" for key, value in item.items()]
    return [f"{dash}-{lines[0][len(dash) + 1 :]}", *lines[1:]]


def _insert(at: int, text: str) -> _Change:
    return _Change(at, at, text)


def _changed(text: str, changes: list[_Change]) -> str:
    for change in sorted(changes, key=lambda one: one.start, reverse=True):
        text = text[: change.start] + change.text + text[change.end :]
    return text


def _newline(text: str) -> str:
    """Return how the first line of `text` ends."""
    found = re.search(r"\r\n|\n|\r", text)
    return found[0] if found else "\n"


def _line_end(text: str, at: int) -> int:
    found = re.compile(r"[\r\n]").search(text, at)
    return found.start() if found else len(text)


def _line_start(text: str, at: int) -> int:
    return max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1
