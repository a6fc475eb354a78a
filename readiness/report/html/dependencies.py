"""The dependency graph -> boxes in columns, those that need others at the left, and who is out."""

from readiness.escape import line
from readiness.report.graph import Graph, Node
from readiness.report.html import vega
from readiness.report.html.figure import Figure, Panel
from readiness.report.layers import Layout, Place, layout
from readiness.report.words import Sign

_WORDS: dict[Sign, str] = {
    "good": "ready",
    "fair": "ready with fixes",
    "bad": "not ready",
    "unknown": "unknown",
}
_PARTS = {
    "cause": "root cause",
    "down": "down for itself",
    "explained": "out because of a root cause",
    "": "–",
}
_BOX, _GAP, _ROW, _HEIGHT = 150, 56, 38, 26
_LETTERS = 22


def dependencies(graph: Graph | None) -> Figure | None:
    """Draw `graph`."""
    if graph is None:
        return None
    causes = [node.name for node in graph.nodes if node.part == "cause"]
    label = f"Who needs whom: {len(graph.nodes)} services, {len(graph.edges)} dependencies"
    down = [node.name for node in graph.nodes if node.part == "down"]
    label += f"; root causes: {', '.join(causes)}" if causes else ""
    label += f"; down for itself: {', '.join(down)}" if down else ""
    more = f"; {graph.left_out} more are left out" if graph.left_out else ""
    return Figure(
        id="dependency-chart",
        caption=f"{len(graph.nodes)} services{more}.",
        keys=(
            *(
                (f"box {sign}", _WORDS[sign])
                for sign in _WORDS
                if any(n.sign == sign for n in graph.nodes)
            ),
            *([("box cause", "root cause")] if causes else []),
            *([("box down", "down for itself")] if down else []),
            *([("line bad", "the way an outage went")] if graph.spread else []),
        ),
        panels=(Panel(vega.drawn(_spec(graph), label, "graph")),),
        columns=("Service", "Readiness", "In an outage", "Needs"),
        rows=tuple(_row(node, graph) for node in graph.nodes),
    )


def _row(node: Node, graph: Graph) -> tuple[str, ...]:
    needs = ", ".join(other for name, other in graph.edges if name == node.name)
    return node.name, _WORDS[node.sign], _PARTS[node.part], needs or "–"


def _spec(graph: Graph) -> vega.Spec:
    drawn = layout([node.name for node in graph.nodes], graph.edges)
    nodes = vega.values(*(_node(node, drawn) for node in graph.nodes))
    edges = vega.values(*(point for edge in graph.edges for point in _edge(edge, graph, drawn)))
    width, height = drawn.columns * (_BOX + _GAP) - _GAP, drawn.rows * _ROW
    x: vega.Piece = {"type": "quantitative", "scale": {"domain": [0, width]}, "axis": None}
    y: vega.Piece = {"type": "quantitative", "scale": {"domain": [height, 0]}, "axis": None}
    way: vega.Piece = {
        "x": {**x, "field": "x"},
        "y": {**y, "field": "y"},
        "detail": {"field": "edge"},
    }
    way |= {"order": {"field": "order"}, "color": _own("colour"), "strokeWidth": _own("width")}
    box: vega.Piece = {
        "x": {**x, "field": "left"},
        "x2": {"field": "right"},
        "y": {**y, "field": "top"},
    }
    box |= {"y2": {"field": "bottom"}, "fill": _own("fill"), "stroke": _own("colour")}
    text = {"x": {**x, "field": "middle"}, "y": {**y, "field": "centre"}, "text": {"field": "name"}}
    return {
        "width": width,
        "height": height,
        "layer": [
            {
                "data": edges,
                "mark": {"type": "line", "interpolate": "monotone", "opacity": 0.7},
                "encoding": way,
            },
            {
                "data": nodes,
                "mark": {"type": "rect", "cornerRadius": 5},
                "encoding": {**box, "strokeWidth": _own("width")},
            },
            {
                "data": nodes,
                "mark": {"type": "text", "baseline": "middle", "fontSize": 12},
                "encoding": text,
            },
        ],
    }


def _own(field: str) -> vega.Spec:
    """Take what the row says for what it is."""
    kind = "quantitative" if field == "width" else "nominal"
    return {"field": field, "type": kind, "scale": None}


def _at(place: Place) -> tuple[float, float]:
    """Return the left edge and the middle of the height of what stands at `place`."""
    return place[0] * (_BOX + _GAP), (place[1] + 0.5) * _ROW


def _node(node: Node, drawn: Layout) -> dict[str, float | str]:
    left, centre = _at(drawn.places[node.name])
    return {
        "name": _short(line(node.name)),
        "left": left,
        "right": left + _BOX,
        "middle": left + _BOX / 2,
        "centre": centre,
        "top": centre - _HEIGHT / 2,
        "bottom": centre + _HEIGHT / 2,
        "colour": vega.COLOURS[node.sign],
        "fill": f"var(--{node.sign}-soft)",
        "width": {"cause": 4.0, "down": 2.0}.get(node.part, 1.0),
    }


def _short(name: str) -> str:
    """Return a name that its box holds: often only the end tells it from others."""
    half = _LETTERS // 2
    return name if len(name) <= _LETTERS else f"{name[: half + 1]}…{name[-half + 2 :]}"


def _edge(edge: tuple[str, str], graph: Graph, drawn: Layout) -> list[dict[str, float | str]]:
    """Return the points of an edge: level where it leaves, passes a column, and arrives."""
    spread = edge in graph.spread
    look: dict[str, float | str] = {
        "edge": "\n".join(edge),
        "colour": vega.COLOURS["bad"] if spread else vega.FAINT,
        "width": 2.0 if spread else 1.0,
    }
    places = [_at(place) for place in drawn.paths[edge]]
    points = [(places[0][0] + _BOX, places[0][1])]
    for left, centre in places[1:-1]:
        points += [(left, centre), (left + _BOX, centre)]
    points.append(places[-1])
    return [{**look, "order": n, "x": x, "y": y} for n, (x, y) in enumerate(points)]
