"""The trend and the dependency graph -> Mermaid, which GitHub and GitLab draw in Markdown."""

from collections.abc import Iterator, Sequence

from readiness.escape import mermaid
from readiness.report.graph import Graph, Node
from readiness.report.trend import Point, moments
from readiness.report.words import Sign

_COLOURS: dict[Sign, str] = {
    "good": "fill:#dafbe1,stroke:#1a7f37,color:#1f2328",
    "fair": "fill:#fff8c5,stroke:#9a6700,color:#1f2328",
    "bad": "fill:#ffebe9,stroke:#cf222e,color:#1f2328",
    "unknown": "fill:#eaeef2,stroke:#59636e,color:#1f2328",
}
"""Dark on light, so that they can be read on a light page and on a dark one."""
_OUTAGE = "stroke:#cf222e,stroke-width:2px"
_LETTERS = 60


def chart(points: Sequence[Point], ready: int) -> str:
    """Return a chart of the scores and of what READY needs; `points` are two or more."""
    scores = ", ".join(str(point.value) for point in points)
    needed = ", ".join([str(ready)] * len(points))
    named = ", ".join(f'"{at}"' for at in moments(points))
    return _fenced(
        "xychart-beta",
        f'title "Score of the last {len(points)} runs; READY needs {ready}"',
        f"x-axis [{named}]",
        'y-axis "Score" 0 --> 100',
        f"line [{scores}]",
        f"line [{needed}]",
    )


def flowchart(graph: Graph) -> str:
    """Return the graph: services in the colour of their readiness, hexagons where one went out."""
    return _fenced("flowchart LR", *_flow(graph))


def _flow(graph: Graph) -> Iterator[str]:
    number = {node.name: f"s{n}" for n, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        yield f"{number[node.name]}{_box(node)}:::{node.sign}"
    for one, other in graph.edges:
        yield f"{number[one]} --> {number[other]}"
    signs = {node.sign for node in graph.nodes}
    yield from (f"classDef {sign} {style}" for sign, style in _COLOURS.items() if sign in signs)
    outage = [str(n) for n, edge in enumerate(graph.edges) if edge in graph.spread]
    if outage:
        yield f"linkStyle {','.join(outage)} {_OUTAGE}"


def _box(node: Node) -> str:
    name = mermaid(node.name, _LETTERS)
    if node.part in ("cause", "down"):
        return f'{{{{"{name}: {"root cause" if node.part == "cause" else "down"}"}}}}'
    return f'["{name}"]'


def _fenced(kind: str, *lines: str) -> str:
    return "\n".join(["```mermaid", kind, *(f"    {line}" for line in lines), "```"])
