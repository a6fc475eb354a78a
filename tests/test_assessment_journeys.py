"""What journeys mean for the assessment: rows, capabilities, objectives, blame, blockers."""

from typing import Any

import pytest

from readiness.assessment import Assessment, assess
from readiness.estimate import Estimate, rate
from readiness.evidence import Evidence, from_json
from readiness.inventory import Inventory
from readiness.measurement import Measurement
from tests.judging import CRITERIA, evidence, healthy, inventory, judged, measured, service

STEPS = [
    {"name": "login", "request": "POST /login"},
    {"name": "me", "request": "/me"},
]


def journey(name: str = "sign-in", **more: Any) -> dict[str, Any]:
    return {"name": name, "title": name.title(), "service": "api", "steps": STEPS, **more}


def system(*journeys: dict[str, Any], **more: Any) -> Inventory:
    api = service(criticality="critical", depends_on=("db",))
    return inventory(api, service("db"), journeys=journeys or [journey()], **more)


def walk(on: str = "sign-in", passed: int = 1, of: int = 1, **more: Any) -> Measurement:
    values: dict[str, Any] = {
        "rounds": of,
        "success_rate": rate(passed, of),
        "succeeded": passed == of,
        "steps_passed": passed / of,
        "left_nothing": True,
        "stays": 0,
    }
    if passed < of:
        values["succeeded_because"] = "step 2 of 2, me answered 500, expected 2xx"
    return measured("journey", on, **(values | more))


def found(*walks: Measurement, of: Inventory | None = None, **more: Any) -> Assessment:
    parts = (*healthy("api"), *healthy("db"))
    return judged(of or system(**more), *parts, *walks)


def objective(of: Assessment, name: str) -> tuple[Any, Any, str]:
    return next((o.current, o.met, o.because) for o in of.objectives if o.id == name)


def test_a_row_tells_of_each_step() -> None:
    steps: dict[str, Any] = {
        "steps.1.name": "login",
        "steps.1.request": "POST /login",
        "steps.1.service": "api",
        "steps.1.outcome": "passed",
        "steps.1.expected": "2xx",
        "steps.1.answered": "200",
        "steps.1.ms": 4.5,
        "steps.2.name": "me",
        "steps.2.outcome": "exploded",
    }
    [row] = found(walk(of=3, passed=2, **steps)).journeys
    assert (row.name, row.outcome, row.rounds, row.passed) == ("sign-in", "fail", 3, 2)
    assert [(s.name, s.outcome, s.ms) for s in row.steps] == [
        ("login", "passed", 4.5),
        ("me", "unknown", None),
    ]


def test_a_journey_never_walked_has_its_steps_as_not_reached() -> None:
    [row] = found(measured("journey", "sign-in", failure="not_allowed")).journeys
    assert (row.outcome, row.rounds, row.steps_passed, row.success_rate) == (
        "unknown",
        0,
        None,
        None,
    )
    assert [(s.request, s.service, s.outcome) for s in row.steps] == [
        ("POST /login", "api", "not reached"),
        ("GET /me", "api", "not reached"),
    ]


@pytest.mark.parametrize(
    "values",
    [
        {"steps_passed": 7.0, "success_rate": Estimate(value=7.0, low=7.0, high=7.0, n=1)},
        {"steps_passed": "nan", "success_rate": 1.0, "rounds": "inf"},
        {"steps_passed": -1.0, "success_rate": True, "rounds": True},
        {"steps.1.outcome": 5, "steps.0.name": "x", "steps.9999.name": "x", "steps.x.name": "x"},
    ],
)
def test_values_that_cannot_be_are_none(values: dict[str, Any]) -> None:
    [row] = found(walk(**values)).journeys
    assert row.steps_passed in (None, 1.0)
    assert row.passed <= 1
    assert len(row.steps) <= 2


def test_a_failed_journey_is_a_failed_blocker() -> None:
    bad = found(walk(passed=0))
    [mine] = [f for f in bad.model.findings if f.check == "journey-succeeds"]
    assert (mine.outcome, mine.blocker, mine.service) == ("fail", True, "sign-in")
    assert "step 2 of 2, me answered 500" in mine.because
    assert bad.model.decision.verdict == "not_ready"
    assert found(walk()).model.decision.value > bad.model.decision.value


@pytest.mark.parametrize("failure", ["not_allowed", "deadline", "local_limit"])
def test_a_journey_that_was_not_walked_is_an_unknown_blocker(failure: Any) -> None:
    one = found(measured("journey", "sign-in", failure=failure))
    [mine] = [f for f in one.model.findings if f.check == "journey-succeeds"]
    assert (mine.outcome, mine.blocker) == ("unknown", True)
    assert one.model.decision.verdict == "inconclusive"
    assert one.model.decision.value <= 69


def test_only_what_is_left_for_certain_fails() -> None:
    outcomes = {}
    cases: dict[str, dict[str, Any]] = {
        "left": {"left_nothing": False, "left_nothing_because": "left behind: thing 1"},
        "perhaps": {"left_nothing_because": "nobody knows whether it is there: thing 1"},
        "clean": {"left_nothing": True},
    }
    for word, values in cases.items():
        measurement = walk()
        kept: dict[str, Any] = {k: v for k, v in measurement.values.items() if k != "left_nothing"}
        one = found(measurement.model_copy(update={"values": kept | values}))
        [mine] = [f for f in one.model.findings if f.check == "journey-leaves-nothing"]
        outcomes[word] = mine.outcome
        assert one.journeys[0].left == values.get("left_nothing_because", "")
    assert outcomes == {"left": "fail", "perhaps": "unknown", "clean": "pass"}


def capability(one: Assessment) -> tuple[int, str]:
    [row] = one.capabilities
    return row.score, row.label


def test_a_capability_is_the_lesser_of_its_services_and_the_steps_users_get_through() -> None:
    both = {"all": {"title": "All", "services": ["api"], "journeys": ["sign-in"]}}
    alone = {"all": {"title": "All", "journeys": ["sign-in"]}}
    services, _ = capability(
        found(walk(), capabilities={"all": {"title": "A", "services": ["api"]}})
    )
    assert services >= 90
    assert capability(found(walk(), capabilities=both)) == (services, "ready")
    assert capability(found(walk(), capabilities=alone)) == (100, "ready")
    half = walk(passed=0, steps_passed=0.5)
    assert capability(found(half, capabilities=both)) == (50, "partial")
    assert capability(found(half, capabilities=alone)) == (50, "partial")
    never = measured("journey", "sign-in", failure="not_allowed")
    assert capability(found(never, capabilities=both)) == (0, "not measured")


def test_authentication_success_counts_the_journeys_that_log_in() -> None:
    log_in, other = journey(authenticates=True), journey("files")
    of = system(log_in, other)
    good = found(walk(), walk("files", passed=0), of=of)
    assert objective(good, "authentication_success")[:2] == (1.0, True)
    bad = found(walk(of=4, passed=3), walk("files"), of=of)
    assert objective(bad, "authentication_success")[:2] == (0.75, False)
    never = found(measured("journey", "sign-in", failure="not_allowed"), walk("files"), of=of)
    assert objective(never, "authentication_success")[:2] == (None, None)
    two = system(log_in, journey("again", authenticates=True))
    half = found(walk(), measured("journey", "again", failure="deadline"), of=two)
    assert objective(half, "authentication_success")[:2] == (0.5, False)
    assert "1 not measured" in objective(half, "authentication_success")[2]


def test_journeys_do_not_count_as_services() -> None:
    one = found(walk(passed=0))
    assert objective(one, "availability") == (1.0, True, "2 of 2 services")
    assert [row.name for row in one.services] == ["api", "db"]


def test_a_journey_is_explained_by_the_outage_behind_it() -> None:
    parts = [m for m in healthy("api") if m.probe != "http_health"]
    out = measured("http_health", "api", failure="refused")
    one = judged(system(), *parts, out, *healthy("db"), walk(passed=0))
    [cause] = one.root_causes
    assert (cause.service, cause.explains) == ("api", ("sign-in",))
    behind = [m for m in healthy("db") if m.probe != "http_health"]
    down = measured("http_health", "db", failure="refused")
    one = judged(system(), *healthy("api"), *behind, down, walk(passed=0))
    assert [(c.service, c.explains) for c in one.root_causes] == [("db", ("sign-in",))]
    passing = judged(system(), *healthy("api"), *behind, down, walk())
    assert [c.explains for c in passing.root_causes] == [()]


def test_a_journey_can_be_waived_like_a_service() -> None:
    excuse = {"check": "journey-succeeds", "service": "sign-in", "reason": "known"}
    of = system(waivers=[excuse | {"owner": "dana", "until": "2026-12-31"}])
    one = found(walk(passed=0), of=of)
    [mine] = [f for f in one.model.findings if f.check == "journey-succeeds"]
    assert mine.waived
    assert one.model.decision.verdict != "not_ready"


def _text(of: Evidence) -> str:
    return assess(of, CRITERIA).to_json()


def test_evidence_of_journeys_is_judged_the_same_when_it_is_read_back() -> None:
    of = system(journey(authenticates=True, repeat=3, owner="identity"))
    saved = evidence(of, *healthy("api"), *healthy("db"), walk(of=3, passed=2), residue=["thing 1"])
    again = from_json(saved.to_json(), "evidence.json")
    assert again.to_json() == saved.to_json()
    assert again.residue == ("thing 1",)
    assert _text(again) == _text(saved)
