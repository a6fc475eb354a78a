"""A graph -> a place for each node and a path for each edge: columns by depth, few crossings.

The method is Sugiyama's (1981): layers by the longest path, a bend in each layer that an edge
passes, and the order within a layer by the mean place of the neighbours, swept to and fro.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

_SWEEPS = 6

Edge = tuple[str, str]
Place = tuple[int, float]
"""(column, row), both from 0; what nothing is needed by stands in column 0."""


@dataclass(frozen=True)
class Layout:
    """Where everything stands, in columns and rows."""

    places: Mapping[str, Place]
    paths: Mapping[Edge, tuple[Place, ...]]
    columns: int
    rows: int


def layout(nodes: Sequence[str], edges: Sequence[Edge]) -> Layout:
    """Place `nodes`; an edge that would close a circle is drawn, but moves nobody."""
    depth = _depths(nodes, edges)
    chains = {edge: _chain(edge, depth) for edge in edges if depth[edge[0]] < depth[edge[1]]}
    columns: list[list[str]] = [[] for _ in range(max(depth.values(), default=0) + 1)]
    for name in nodes:
        columns[depth[name]].append(name)
    for (start, _), chain in chains.items():
        for step, bend in enumerate(chain[1:-1], depth[start] + 1):
            columns[step].append(bend)
    _untangle(columns, [pair for c in chains.values() for pair in pairwise(c)])
    rows = max(map(len, columns), default=0)
    places = {
        name: (x, y + (rows - len(column)) / 2)
        for x, column in enumerate(columns)
        for y, name in enumerate(column)
    }
    paths = {edge: tuple(places[p] for p in chains.get(edge, edge)) for edge in edges}
    return Layout({n: places[n] for n in nodes}, paths, len(columns), rows)


def _depths(nodes: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """Return the length of the longest way to each node; a circle is entered at its first one."""
    depth: dict[str, int] = {}
    while waiting := [name for name in nodes if name not in depth]:
        held = {b for a, b in edges if a not in depth}
        name = next((name for name in waiting if name not in held), waiting[0])
        depth[name] = max((depth[a] + 1 for a, b in edges if b == name and a in depth), default=0)
    return depth


def _chain(edge: Edge, depth: Mapping[str, int]) -> tuple[str, ...]:
    start, end = edge
    bends = (f"{start}\n{end}\n{x}" for x in range(depth[start] + 1, depth[end]))
    return (start, *bends, end)  # no name has a line end in it


def _untangle(columns: list[list[str]], pairs: Sequence[Edge]) -> None:
    """Order each column by the mean place of its neighbours in the one before, to and fro."""
    left, right = defaultdict(list), defaultdict(list)
    for a, b in pairs:
        left[b].append(a)
        right[a].append(b)
    for sweep in range(_SWEEPS):
        near = right if sweep % 2 else left
        for column in reversed(columns) if sweep % 2 else columns:
            place = {n: y / max(1, len(c) - 1) for c in columns for y, n in enumerate(c)}
            column.sort(key=lambda n: _mean([place[o] for o in near[n]], place[n]))


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
