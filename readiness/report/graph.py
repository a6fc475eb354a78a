"""Assessment -> the part of the dependency graph that is worth drawing: what is out comes first."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from readiness.assessment import Assessment
from readiness.assessment.services import ServiceRow
from readiness.report.words import SIGNS, Sign

MOST = 40
"""Services that a drawing can hold and still be read."""

Part = Literal["cause", "down", "explained", ""]
"""`cause` explains the outage of others, `down` that of none."""


@dataclass(frozen=True)
class Node:
    """A service: how ready it is, and its part in an outage."""

    name: str
    sign: Sign
    part: Part


@dataclass(frozen=True)
class Graph:
    """Services and who needs whom: (dependent, dependency), both of them drawn."""

    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str], ...]
    left_out: int

    @property
    def spread(self) -> frozenset[tuple[str, str]]:
        """The edges along which an outage went."""
        out = {node.name for node in self.nodes if node.part}
        stuck = {node.name for node in self.nodes if node.part == "explained"}
        return frozenset(edge for edge in self.edges if edge[0] in stuck and edge[1] in out)


def graph(a: Assessment) -> Graph | None:
    """Return what is to be drawn; None where no service needs another."""
    needs = {s.name: s.depends_on for s in a.evidence.inventory.services}
    if not any(needs.values()):
        return None
    parts = _parts(a)
    spread = {name for name, part in parts.items() if part != "down"}
    near = {other for name in spread for other in needs[name]}
    near |= {name for name, others in needs.items() if spread.intersection(others)}
    ranked = sorted(a.services, key=lambda row: (_rank(row.name, parts, near), _order(row)))
    kept = {row.name for row in ranked[:MOST]}
    if len(a.services) > MOST:  # there is no room for what stands alone
        tied = {
            end for name in kept for other in needs[name] if other in kept for end in (name, other)
        }
        kept &= tied | spread
    shown = [row for row in a.services if row.name in kept]
    return Graph(
        nodes=tuple(Node(r.name, SIGNS[r.readiness], parts.get(r.name, "")) for r in shown),
        edges=tuple(
            (r.name, other)
            for r in shown
            for other in dict.fromkeys(needs[r.name])
            if other in kept
        ),
        left_out=len(a.services) - len(shown),
    )


def _parts(a: Assessment) -> Mapping[str, Part]:
    parts: dict[str, Part] = {}
    for cause in a.root_causes:
        parts |= dict.fromkeys(cause.explains, "explained")
    for cause in a.root_causes:
        parts[cause.service] = "cause" if cause.explains else "down"
    return parts


def _rank(name: str, parts: Mapping[str, Part], near: Collection[str]) -> int:
    """Put causes first, then what they explain, who is next to those, and what else is down."""
    part = parts.get(name, "")
    if part in ("cause", "explained"):
        return 0 if part == "cause" else 1
    return 2 if name in near else 3 if part else 4


def _order(row: ServiceRow) -> int:
    return ("bad", "unknown", "fair", "good").index(SIGNS[row.readiness])
