"""What the diagrams of the report are drawn of: who is shown, where it stands, and what it says."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.assessment import Assessment, assess
from readiness.criteria import bundled_criteria
from readiness.evidence import Evidence
from readiness.report import FORMATS, diagram
from readiness.report.graph import Graph, Node, graph
from readiness.report.html.dependencies import dependencies
from readiness.report.layers import layout
from readiness.report.trend import moments, trend
from tests import samples
from tests.mermaid import diagrams
from tests.pasts import remembered

CRITERIA = bundled_criteria()


def needing(evidence: Evidence, **needs: tuple[str, ...]) -> Assessment:
    """Assess `evidence` with other dependencies; names have _ for -."""
    wanted = {name.replace("_", "-"): others for name, others in needs.items()}
    services = tuple(
        s.model_copy(update={"depends_on": wanted.get(s.name, s.depends_on)})
        for s in evidence.inventory.services
    )
    inventory = evidence.inventory.model_copy(update={"services": services})
    return assess(evidence.model_copy(update={"inventory": inventory}), CRITERIA)


def test_a_root_cause_is_told_from_what_it_explains_and_from_what_is_down_for_itself() -> None:
    spread = needing(samples.broken(), notification_service=("user-service",))
    found = graph(spread)
    assert found
    parts = {node.name: node.part for node in found.nodes if node.part}
    assert parts == {"user-service": "cause", "notification-service": "explained"}
    assert found.spread == {("notification-service", "user-service")}
    lone = graph(assess(samples.broken(), CRITERIA))
    assert lone and not lone.spread
    assert {node.part for node in lone.nodes if node.name == "user-service"} == {"down"}
    [text] = [text for kind, text in diagrams(FORMATS["markdown"].render(spread))]
    assert '{{"user-service: root cause"}}:::bad' in text and "linkStyle" in text
    assert "**user-service** explains notification-service." in FORMATS["markdown"].render(spread)
    figure = dependencies(found)
    assert figure and ("box cause", "root cause") in figure.keys
    assert ("line bad", "the way an outage went") in figure.keys
    told = {row[0]: row[1:] for row in figure.rows}
    assert told["user-service"][:2] == ("not ready", "root cause")
    assert told["notification-service"] == (
        *("not ready", "out because of a root cause", "user-service"),
    )


def test_of_many_services_those_that_are_out_are_drawn_with_who_needs_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("readiness.report.graph.MOST", 4)
    found = graph(needing(samples.many(7), auth_1=("auth-5",), auth_2=("auth-1",)))
    assert found and found.left_out == 4  # what is down and stands alone has no place in it
    assert {node.name: node.part for node in found.nodes} == {
        **{"auth-5": "cause", "auth-1": "explained", "auth-2": "explained"},
    }


def test_a_system_in_which_nothing_needs_another_has_no_graph() -> None:
    a = assess(samples.many(3), CRITERIA)
    assert graph(a) is None and dependencies(None) is None
    assert "## Dependencies" not in FORMATS["markdown"].render(a)


NAMES = st.sampled_from([f"s{n}" for n in range(9)])


@given(st.sets(st.tuples(NAMES, NAMES).filter(lambda pair: pair[0] != pair[1]), max_size=20))
def test_whatever_needs_what_no_two_stand_in_one_place(edges: set[tuple[str, str]]) -> None:
    nodes = sorted({name for edge in edges for name in edge})
    found = layout(nodes, sorted(edges))
    assert len(set(found.places.values())) == len(nodes)
    for edge in edges:
        path = found.paths[edge]
        assert (path[0], path[-1]) == (found.places[edge[0]], found.places[edge[1]])
    forward = [e for e in edges if e[0] < e[1]]
    straight = layout(nodes, sorted(forward))
    for edge in forward:
        columns = [column for column, _ in straight.paths[edge]]
        assert columns == list(range(columns[0], columns[-1] + 1)) and len(columns) > 1


def test_crossings_that_can_be_avoided_are() -> None:
    found = layout(["a", "b", "x", "y"], [("a", "y"), ("b", "x")])
    assert (found.places["a"][1] < found.places["b"][1]) == (
        found.places["y"][1] < found.places["x"][1]
    )


# Trend


def test_the_trend_ends_with_this_run_and_keeps_the_last() -> None:
    a = assess(remembered(samples.broken(), 20), CRITERIA)
    points = trend(a, 12)
    assert len(points) == 12 and points[-1].value == 59 and points[-1].sign == "bad"
    assert [p.at for p in points] == sorted(p.at for p in points)
    assert trend(assess(samples.broken(), CRITERIA), 12) == ()
    assert "## Trend" not in FORMATS["markdown"].render(assess(samples.broken(), CRITERIA))


def test_the_trend_is_a_chart_and_a_line_of_verdicts() -> None:
    text = FORMATS["markdown"].render(assess(remembered(samples.broken(), 3), CRITERIA))
    (kind, chart), _ = diagrams(text)
    assert kind == "xychart-beta"
    assert 'x-axis ["11-21", "22:37", "11-22", "11-23"]' in chart
    assert "line [41, 69, 84, 59]" in chart and "line [85, 85, 85, 85]" in chart
    assert "❌ 41 → ❔ 69 → ⚠️ 84 → ❌ 59, the oldest first." in text


@pytest.mark.parametrize("hours", [1, 24, 24 * 40])
def test_no_two_points_of_the_trend_are_called_alike(hours: int) -> None:
    evidence = remembered(samples.broken(), 11, timedelta(hours=hours))
    named = moments(trend(assess(evidence, CRITERIA), 12))
    assert len(set(named)) == 12


def test_a_diagram_has_no_line_that_outside_text_began() -> None:
    name = 'a"]\n```\n# x'
    text = diagram.flowchart(Graph((Node(name, "bad", ""), Node("b", "good", "")), (), 0))
    assert text.count("```") == 2 and text.count("\n") == 6
