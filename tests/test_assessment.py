"""Whole evidence -> the assessment and its JSON: what it says, and what nobody can do to it."""

import json
import random
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from readiness.assessment import Assessment, assess
from readiness.assessment.capabilities import label
from readiness.assessment.timings import CrowdRow, crowds
from readiness.criteria import with_packs
from readiness.evidence import Evidence, Previous
from readiness.failure import FAILURE_KINDS, Failure
from readiness.gate import headline
from readiness.inventory import DEFAULT_PROBES, Inventory, Service
from readiness.measurement import Measurement, Value, Values
from readiness.policy import PRODUCTION
from readiness.score import score
from tests import sample_platform
from tests.baselines import baseline, reading
from tests.judging import (
    ACCESS,
    CRITERIA,
    NOW,
    URLS,
    estimate,
    evidence,
    healthy,
    inventory,
    judged,
    measured,
    service,
    unknown,
    waiver,
)
from tests.strategies import (
    HOSTILE,
    PROPERTY,
    evidences,
    losses,
    replaced,
    services,
    with_measurements,
)

API = inventory(service(probes=ACCESS, criticality="high", owner="platform"))
REDIS: dict[str, Any] = {
    "connected": True,
    "p50_ms": estimate(0.3),
    "p95_ms": estimate(1),
    "p99_ms": estimate(2, n=400),
    "holds_data": True,
    "fills_up": True,
    "maxmemory_set": True,
    "memory_ratio": 0.2,
    "persistence": False,
}


def kept(probe: str) -> dict[str, Any]:
    return dict(sample_platform.values("redis", probe, fixed=True))


WELL = [
    measured(probe, "cache", **kept(probe))
    for probe in DEFAULT_PROBES["redis"]
    if sample_platform.is_kept(probe)
]


def contract(found: Assessment) -> dict[str, Any]:
    text = found.to_json()
    assert text.endswith("}\n")
    data: dict[str, Any] = json.loads(text)
    return data


# The contract of DESIGN section 4.

ESTIMATE = {"value", "low", "high", "n"}
TOP = {
    "schema",
    "tool",
    "system",
    "started_at",
    "finished_at",
    "exit_code",
    "verdict",
    "conditions",
    "score",
    "areas",
    "capabilities",
    "services",
    "objectives",
    "findings",
    "root_causes",
    "not_tested",
    "sampling",
    "risks",
    "plan",
    "journeys",
    "residue",
    "policy",
    "waivers",
    "baseline",
    "no_baseline",
    "regressions",
    "against",
    "beside",
    "least_plan",
    "only",
    "only_checks",
}
KEYS = {
    "tool": {"name", "version"},
    "system": {"name", "version", "environment"},
    "conditions": {"text", "owner", "effort_hours", "projected_score"},
    "score": {"value", "upper", "raw", "grade", "coverage", "caps", "previous"},
    "areas": {"id", "title", "weight", "score", "upper", "coverage", "applicable", "because"},
    "capabilities": {"id", "title", "score", "label", "issues"},
    "services": {
        "name",
        "kind",
        "criticality",
        "port",
        "status",
        "health",
        "response_ms",
        "readiness",
        "p50_ms",
        "p95_ms",
        "p99_ms",
        "success_rate",
        "concurrency",
    },
    "objectives": {"id", "title", "current", "target", "unit", "met", "because"},
    "findings": {
        "check",
        "service",
        "area",
        "severity",
        "blocker",
        "outcome",
        "undecided",
        "flaky",
        "score",
        "value",
        "low",
        "high",
        "n",
        "unit",
        "target",
        "limit",
        "because",
        "fix",
        "projected_score",
        "waiver",
    },
    "root_causes": {"service", "because", "explains"},
    "not_tested": {"probe", "service", "because"},
    "sampling": {
        "confidence",
        "planned",
        "checks",
        "decided",
        "at_first_look",
        "samples",
        "open",
    },
    "risks": {"high", "medium", "low"},
    "plan": {"check", "service", "effort_hours", "projected_score"},
    "baseline": {
        "asked",
        "run_id",
        "started_at",
        "commit",
        "branch",
        "value",
        "recent",
        "passed_over",
        "metrics",
        "added",
        "gone",
    },
    "regressions": {
        "check",
        "service",
        "title",
        "unit",
        "course",
        "before",
        "now",
        "low",
        "high",
        "tolerance",
        "noise",
        "because",
    },
}
LEVEL = {"users", "requests_per_second", "success_rate", "p95_ms", "errors"}


def everything() -> Assessment:
    """An assessment in which no list of the contract is empty."""
    of = inventory(
        service("api", probes=ACCESS, criticality="critical", depends_on=["cache"]),
        service("cache", "redis", criticality="high"),
        capabilities={"shop": {"title": "Shopping", "services": ["api"]}},
        waivers=[waiver("latency-p95", "2026-12-31", service="api")],
    )
    levels: dict[str, Any] = {
        "users.50.success_rate": estimate(0.5),
        "users.50.requests_per_second": 120.0,
        "users.50.p95_ms": estimate(300),
        "users.50.errors": "HTTP 503: 25",
        "users.50.n": 50,
        "users.1.success_rate": estimate(1.0),
        "users.1.requests_per_second": 20,
    }
    return judged(
        of,
        measured("http_health", failure="timeout"),
        measured("http_health", attempt=2, failure="refused"),
        measured("http_latency", p50_ms=estimate(20, 10, 30), p95_ms=estimate(900)),
        measured("http_concurrency", success_rate=estimate(0.5), **levels),
        measured("redis_health", "cache", failure="refused"),
        previous=Previous(value=30, started_at=NOW),
        baseline=baseline(reading("latency-p95", estimate(100))),
    )


def test_the_keys_are_those_of_the_contract() -> None:
    data = contract(everything())
    assert set(data) == TOP
    for name, keys in KEYS.items():
        rows = data[name] if isinstance(data[name], list) else [data[name]]
        assert rows, name
        for row in rows:
            assert set(row) == keys, name
    api = data["services"][0]
    assert set(api["p50_ms"]) == set(api["concurrency"][0]["success_rate"]) == ESTIMATE
    assert [level["users"] for level in api["concurrency"]] == [1, 50]
    assert all(set(level) == LEVEL for level in api["concurrency"])
    assert data["score"]["previous"] == {"value": 30, "started_at": "2026-03-01T12:00:00Z"}
    assert all(set(cap) == {"to", "because"} for cap in data["score"]["caps"])
    assert all(set(f["fix"]) == {"text", "effort_hours"} for f in data["findings"])
    waived = next(f for f in data["findings"] if f["waiver"])
    assert waived["waiver"]["until"] == "2026-12-31"


def test_the_values_are_those_of_the_contract() -> None:
    data = contract(everything())
    assert data["schema"] == "readiness/assessment/v1"
    assert data["tool"] == {"name": "readiness", "version": "0.1.0"}
    assert data["system"] == {"name": "shop", "version": None, "environment": "local"}
    assert data["started_at"] == "2026-03-01T12:00:00+00:00"
    assert (data["verdict"], data["exit_code"]) == ("not_ready", 1)
    assert data["score"]["value"] <= 59
    slow = next(f for f in data["findings"] if f["check"] == "latency-p95")
    assert (slow["value"], slow["low"], slow["high"], slow["n"]) == (900, 900, 900, 1000)
    assert (slow["unit"], slow["target"], slow["limit"]) == ("ms", 200, 500)
    assert [a["id"] for a in data["areas"]] == list(CRITERIA.areas)


def test_a_perfect_system_is_ready() -> None:
    found = judged(API, *healthy())
    data = contract(found)
    assert (data["verdict"], data["exit_code"]) == ("ready", 0)
    assert data["score"] | {"previous": None} == {
        "value": 100,
        "upper": 100,
        "raw": 100,
        "grade": "A",
        "coverage": 1.0,
        "caps": [],
        "previous": None,
    }
    for empty in ("conditions", "root_causes", "not_tested", "plan"):
        assert data[empty] == [], empty
    assert data["risks"] == {"high": [], "medium": [], "low": []}
    assert data["services"][0]["readiness"] == "ready"


def test_a_system_of_which_nothing_is_known_is_inconclusive() -> None:
    data = contract(judged(API))
    assert (data["verdict"], data["exit_code"]) == ("inconclusive", 4)
    assert (data["score"]["value"], data["score"]["raw"], data["score"]["upper"]) == (0, 0, 100)
    assert data["score"]["coverage"] == 0
    assert {f["outcome"] for f in data["findings"]} == {"unknown", "not_applicable"}
    assert {n["because"] for n in data["not_tested"] if n["service"] == "api"} == {"not measured"}


def test_an_inventory_without_services_is_inconclusive() -> None:
    data = contract(judged(inventory()))
    assert (data["verdict"], data["exit_code"]) == ("inconclusive", 4)
    assert data["score"]["value"] == 0
    assert not any(a["applicable"] for a in data["areas"])
    assert {o["met"] for o in data["objectives"]} == {None}


def test_everything_unreachable_is_not_ready() -> None:
    of = inventory(*(service(kind, kind) for kind in URLS))
    out = [measured(p, s.name, failure="refused") for s in of.services for p in s.expected_probes]
    data = contract(judged(of, *out))
    assert (data["verdict"], data["exit_code"]) == ("not_ready", 1)
    assert (data["score"]["value"], data["score"]["upper"]) == (0, 18)  # security is unknown
    assert {s["status"] for s in data["services"]} == {"down"}


@pytest.mark.parametrize(("signal", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_an_interrupted_run_has_the_exit_code_of_its_signal(signal: str, code: int) -> None:
    assert judged(API, interrupted=signal).exit_code == code


# Services.


def row(*found: Measurement, **changes: Any) -> dict[str, Any]:
    of = inventory(service(**changes))
    data: dict[str, Any] = contract(judged(of, *found))["services"][0]
    return data


@pytest.mark.parametrize(
    ("found", "status", "health", "readiness"),
    [
        ([measured("http_health", healthy=True, contradiction=False)], "up", "pass", "ready"),
        ([measured("http_health", healthy=False, contradiction=False)], "up", "fail", "not_ready"),
        ([measured("http_health", healthy=True, contradiction=True)], "up", "fail", "not_ready"),
        ([measured("http_health", healthy=True)], "up", "unknown", "unknown"),
        ([measured("http_health", failure="dns")], "down", "fail", "not_ready"),
        ([measured("http_health", failure="not_allowed")], "unknown", "unknown", "unknown"),
        ([], "unknown", "unknown", "unknown"),
        (
            [
                measured("http_health", failure="reset"),
                measured("http_health", attempt=2, healthy=True, contradiction=False),
            ],
            "up",
            "warn",
            "ready",
        ),
        (
            [
                measured("http_health", healthy=True, contradiction=False, structured=False),
            ],
            "up",
            "pass",
            "ready_with_fixes",
        ),
        (
            [
                measured("http_health", healthy=True, contradiction=False),
                measured("http_latency", p95_ms=estimate(480, 300, 600)),
            ],
            "up",
            "pass",
            "ready_with_fixes",
        ),
        (
            [
                measured("http_health", healthy=True, contradiction=False),
                measured("http_concurrency", success_rate=estimate(0.1)),
            ],
            "up",
            "pass",
            "not_ready",
        ),
    ],
)
def test_a_service_is_as_ready_as_its_findings(
    found: list[Measurement], status: str, health: str, readiness: str
) -> None:
    mine = row(*found, criticality="critical")
    assert (mine["status"], mine["health"], mine["readiness"]) == (status, health, readiness)


@pytest.mark.parametrize(
    ("kind", "probe"),
    [
        ("http", "http_latency"),
        ("web", "http_latency"),
        ("postgres", "postgres_health"),
        ("redis", "redis_health"),
        ("mcp", "mcp_handshake"),
        ("tcp", "tcp_connect"),
    ],
)
def test_the_response_time_is_the_median_of_what_is_timed(kind: str, probe: str) -> None:
    mine = row(measured(probe, p50_ms=estimate(12.5)), kind=kind)
    assert mine["response_ms"] == 12.5
    assert row(measured(probe, p50_ms=estimate(None, n=4)), kind=kind)["response_ms"] is None
    assert row(measured(probe, failure="timeout", p50_ms=estimate(1)), kind=kind)["p50_ms"] is None


def test_what_cannot_be_is_in_no_row() -> None:
    levels: dict[str, Any] = {
        "users.5.requests_per_second": 10**400,
        "users.6.requests_per_second": float("inf"),
        "users.7.requests_per_second": True,
        "users.07.errors": "x",
        "users.٣.errors": "x",
        f"users.{'9' * 5000}.errors": "x",
    }
    mine = row(
        measured(
            "http_latency",
            p50_ms=estimate(float("nan")),
            p95_ms=estimate(5, 9, 1),
            p99_ms=12.0,
            success_rate=estimate(1e308),
        ),
        measured("http_concurrency", **levels),
    )
    for name in ("p50_ms", "p95_ms", "p99_ms", "success_rate", "response_ms"):
        assert mine[name] is None, name
    assert [level["users"] for level in mine["concurrency"]] == [5, 6, 7]
    assert {level["requests_per_second"] for level in mine["concurrency"]} == {None}


# Root causes.


def causes(edges: dict[str, list[str]], out: set[str]) -> list[dict[str, Any]]:
    of = inventory(*(service(n, depends_on=e, criticality="high") for n, e in edges.items()))
    found = judged(of, *(measured("http_health", n, failure="refused") for n in sorted(out)))
    data: list[dict[str, Any]] = contract(found)["root_causes"]
    return data


@pytest.mark.parametrize(
    ("edges", "out", "expected"),
    [
        ({"a": ["b"], "b": ["c"], "c": []}, {"a", "b", "c"}, {"c": ["a", "b"]}),
        ({"a": ["b"], "b": ["c"], "c": []}, {"a", "c"}, {"c": ["a"]}),
        ({"a": ["b"], "b": ["c"], "c": []}, {"a"}, {"a": []}),
        ({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}, {"a", "b", "c", "d"}, {"d": [*"abc"]}),
        (
            {"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []},
            {"a", "b", "c"},
            {"b": ["a"], "c": ["a"]},
        ),
        ({"a": [], "b": []}, {"a", "b"}, {"a": [], "b": []}),
        ({"a": ["b"], "b": ["a"], "c": ["nosuch"]}, {"a", "b", "c"}, {"c": []}),
        ({"a": ["b"], "b": []}, set(), {}),
    ],
)
def test_an_outage_is_blamed_once(
    edges: dict[str, list[str]], out: set[str], expected: dict[str, list[str]]
) -> None:
    found = causes(edges, out)
    assert {c["service"]: c["explains"] for c in found} == expected
    assert {c["because"] for c in found} <= {"refused it was"}


def test_blame_changes_no_score() -> None:
    out = [measured(p, n, failure="refused") for n in "ab" for p in service().expected_probes]
    apart = judged(inventory(service("a"), service("b")), *out)
    linked = judged(inventory(service("a", depends_on=["b"]), service("b")), *out)
    assert apart.model.decision == linked.model.decision
    assert apart.model.card == linked.model.card
    assert [w.head.service for w in linked.work] == ["b"]
    assert sorted(w.head.service for w in apart.work) == ["a", "b"]


# The plan, projections and conditions.


def test_the_plan_mends_blockers_first_then_what_gains_most_per_hour() -> None:
    found = judged(
        API,
        *healthy(
            http_health__structured=False,  # infrastructure, low, 1 h
            http_health__contradiction=True,  # availability, high, 1 h
            http_latency__p99_ms=estimate(9000),  # performance, medium, 8 h
            http_access__login_accepted=False,  # security, blocker, 3 h
        ),
    )
    assert [p.check for p in found.plan] == [
        "login-accepted",
        "health-honest",
        "health-structured",
        "latency-p99",
    ]
    assert found.model.decision.value == 59
    together = [w.together_score for w in found.work]
    assert together == sorted(together)
    assert together[-1] == 100


def test_a_projection_is_the_score_with_that_finding_passing() -> None:
    found = judged(
        API, *healthy(http_access__login_accepted=False, http_latency__p95_ms=estimate(9000))
    )
    for f in contract(found)["findings"]:
        anew = [
            g.passing() if (g.check, g.service) == (f["check"], f["service"]) else g
            for g in found.model.findings
        ]
        card = score(anew, API, CRITERIA.areas)
        if f["outcome"] == "fail":
            open_ = [g for g in anew if g.blocker and g.outcome == "fail"]
            assert f["projected_score"] == headline(card, open_, PRODUCTION), f["check"]
        else:
            assert f["projected_score"] is None


def test_one_outage_is_one_piece_of_work() -> None:
    found = judged(API, *(measured(p, failure="refused") for p in API.services[0].expected_probes))
    only = found.plan[0]
    assert (len(found.plan), only.check, only.projected_score) == (1, "health-ready", 100)
    down = [f for f in contract(found)["findings"] if f["outcome"] == "fail"]
    assert {f["projected_score"] for f in down} == {100}


def test_what_only_lacks_samples_is_no_work() -> None:
    doubtful = judged(API, *healthy(http_latency__p95_ms=estimate(150, 100, 300)))
    assert doubtful.plan == ()
    slow = judged(API, *healthy(http_latency__p95_ms=estimate(250, 210, 300)))
    assert [p.check for p in slow.plan] == ["latency-p95"]


def test_what_is_waived_is_no_work() -> None:
    of = API.model_copy(update={"waivers": (waiver("login-accepted", "2026-03-01"),)})
    found = judged(of, *healthy(http_access__login_accepted=False))
    assert found.plan == ()
    assert (found.model.decision.verdict, found.model.decision.value) == ("conditional", 84)
    assert found.conditions[0].text == (
        "Documented login works, api (waived by dana): does not hold. "
        "Make the login accept the documented request and return a token."
    )


def test_an_unmet_condition_names_owner_effort_and_gain() -> None:
    found = judged(
        API, *healthy(http_access__login_accepted=False, http_access__forged_refused=False)
    )
    blocker, _, area = found.conditions
    assert blocker.text == (
        "Documented login works, api: does not hold. "
        "Make the login accept the documented request and return a token."
    )
    assert (blocker.owner, blocker.effort_hours, blocker.projected_score) == ("platform", 3, 59)
    assert area.text == "Access and authentication is at 50, READY needs 70"
    assert (area.owner, area.effort_hours, area.projected_score) == (None, 7, 100)


def test_an_unknown_blocker_wants_to_be_measured() -> None:
    found = judged(API, *(m for m in healthy() if m.probe != "http_concurrency"))
    texts = [c.text for c in found.conditions]
    assert texts == [
        "Success at the highest concurrency, api: not measured. "
        "Make it measurable, then run again.",
        "Throughput under concurrency is at 0, READY needs 70",
        "84 % of the score rests on measured values, READY needs 95 %. "
        "Bring up what is down and measure what is listed as not tested.",
        "The score before caps is 84, READY needs 85",
    ]
    assert [c.effort_hours for c in found.conditions] == [None] * 4
    assert found.conditions[2].projected_score == 100
    assert found.model.decision.verdict == "inconclusive"


def test_one_outage_is_one_condition() -> None:
    out = [measured(p, failure="refused") for p in API.services[0].expected_probes]
    found = judged(API, *out)
    assert sum(c.owner == "platform" for c in found.conditions) == 1


# Waivers.


def refused_login(until: str, finished: datetime = NOW, **changes: Any) -> Assessment:
    of = API.model_copy(update={"waivers": (waiver("login-accepted", until, **changes),)})
    return judged(of, *healthy(http_access__login_accepted=False), finished_at=finished)


@pytest.mark.parametrize(
    ("until", "finished", "changes", "verdict"),
    [
        ("2026-03-01", datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC), {}, "conditional"),
        ("2026-03-01", datetime(2026, 3, 2, tzinfo=UTC), {}, "not_ready"),
        ("2026-03-01", datetime.fromisoformat("2026-03-02T09:00:00+14:00"), {}, "conditional"),
        ("2026-03-01", datetime.fromisoformat("2026-03-01T20:00:00-12:00"), {}, "not_ready"),
        ("2026-03-01", NOW, {"service": "api"}, "conditional"),
        ("2026-03-01", NOW, {"service": "other"}, "not_ready"),
    ],
)
def test_a_waiver_holds_to_the_end_of_its_last_day_in_utc(
    until: str, finished: datetime, changes: dict[str, Any], verdict: str
) -> None:
    assert refused_login(until, finished, **changes).model.decision.verdict == verdict


def test_a_waiver_never_changes_the_raw_score() -> None:
    with_one, without = refused_login("2026-12-31"), refused_login("2020-01-01")
    assert with_one.model.card == without.model.card
    assert (with_one.model.decision.value, without.model.decision.value) == (84, 59)


# Capabilities, objectives, risks, what was not tested.


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (100, "ready"),
        (90, "ready"),
        (89, "ready with fixes"),
        (70, "ready with fixes"),
        (69, "partial"),
        (50, "partial"),
        (49, "not ready"),
        (0, "not ready"),
    ],
)
def test_labels(value: int, expected: str) -> None:
    assert label(value) == expected


def test_a_capability_is_scored_by_the_services_behind_it() -> None:
    of = inventory(
        service("api", criticality="critical"),
        service("cache", "redis"),
        service("job"),
        capabilities={
            "all": {"title": "All", "services": ["api", "cache"]},
            "store": {"title": "Store", "services": ["cache"]},
            "work": {"title": "Work", "services": ["job"]},
        },
    )
    found = judged(
        of,
        *(m for m in healthy(http_concurrency__success_rate=estimate(0.5)) if "acc" not in m.probe),
        measured("redis_health", "cache", **REDIS | {"maxmemory_set": False}),
        *WELL,
        measured("http_health", "job", failure="refused"),
    )
    rows = {c.id: c for c in found.capabilities}
    assert (rows["all"].score, rows["all"].label) == (59, "partial")
    assert rows["all"].issues[0].startswith("Success at the highest concurrency, api: 50 %")
    assert rows["store"].issues == ("Memory limit is set, cache: does not hold",)
    assert rows["store"].label == "ready"
    assert rows["work"].issues[0] == "job is down: refused it was"
    assert (rows["work"].score, rows["work"].label) == (0, "not ready")


def test_a_service_is_down_when_its_health_probe_says_so_and_not_another() -> None:
    of = inventory(
        service(criticality="critical"),
        capabilities={"all": {"title": "All", "services": ["api"]}},
    )
    up = [m for m in healthy() if m.probe != "http_latency"]
    found = judged(of, *up, measured("http_latency", failure="timeout"))
    assert found.capabilities[0].issues[0] == "Requests answered without error, api: timeout it was"
    assert found.risks.high[0] == "Requests answered without error, api: timeout it was"
    assert "down" not in "".join((*found.capabilities[0].issues, *found.risks.high))


def test_a_waived_blocker_does_not_cap_a_capability() -> None:
    capability = {"all": {"title": "All", "services": ["api"]}}
    for waived, expected in ((["concurrency-success"], 86), ([], 59)):
        of = inventory(
            service(criticality="high"),
            capabilities=capability,
            waivers=[waiver(name, "2026-12-31") for name in waived],
        )
        found = judged(of, *healthy(http_concurrency__success_rate=estimate(0.5)))
        assert found.capabilities[0].score == expected


def objectives(found: Assessment) -> dict[str, tuple[Any, Any, str]]:
    return {o.id: (o.current, o.met, o.because) for o in found.objectives}


def test_objectives_are_measured_against_their_targets() -> None:
    level: dict[str, Any] = {"users.1.success_rate": estimate(0.5, n=300)}
    of = inventory(
        service("api", probes=ACCESS),
        service("cache", "redis"),
        service("job"),
        objectives={"availability": {"target": 0.6}, "response_time": {"target": "15ms"}},
    )
    found = judged(
        of,
        *healthy(
            http_latency__success_rate=estimate(0.98, n=100),
            http_access__login_accepted=False,
        ),
        measured("http_concurrency", "cache", **level),
        measured("redis_health", "cache", **REDIS),
        *WELL,
        *(measured(p, "job", failure="refused") for p in service().expected_probes),
    )
    got = objectives(found)
    assert got["availability"] == (2 / 3, True, "2 of 3 services")
    note = ", mean of 2 services, 1 down"
    assert got["error_rate"] == (0.51, False, "errors at light load" + note)
    most = "success at the highest number of users"
    assert got["success_rate"] == (0.25, False, most + note)
    assert got["response_time"] == (20, False, "p95 of the slowest of 2 services, api")
    assert got["authentication_success"] == (0.5, False, "1 of 2 logins and credentials passed")
    current, met, because = got["checks_passed"]
    assert (met, because.endswith("checks passed")) == (current >= 0.8, True)


def test_a_service_that_is_down_counts_once_though_it_answered_load() -> None:
    found = judged(
        inventory(service("api"), service("job")),
        *healthy(http_latency__success_rate=estimate(1.0)),
        measured("http_health", "job", failure="timeout"),
        measured("http_latency", "job", success_rate=estimate(0.2)),
    )
    because = "errors at light load, mean of 2 services, 1 down"
    assert objectives(found)["error_rate"] == (0.4, False, because)


def test_a_service_that_answers_that_it_is_sick_is_not_available() -> None:
    got = objectives(judged(inventory(service()), measured("http_health", healthy=False)))
    assert got["availability"] == (0.0, False, "0 of 1 services")


def test_an_objective_without_a_source_says_so() -> None:
    got = objectives(judged(inventory(service())))
    assert got["availability"] == (None, None, "no service's health was measured")
    assert got["success_rate"] == (None, None, "no request was answered")
    assert got["error_rate"] == (None, None, "no request was answered")
    assert got["response_time"] == (None, None, "no response time was measured")
    assert got["authentication_success"] == (
        None,
        None,
        "no login, credential or journey: the inventory declares none",
    )
    assert got["checks_passed"][:2] == (None, None)
    assert got["tests_passed"] == (
        None,
        None,
        "no test results: the inventory declares no artifact of kind junit",
    )
    withheld = judged(API, measured("http_access", failure="not_allowed"))
    assert objectives(withheld)["authentication_success"] == (
        None,
        None,
        "none of 2 logins and journeys measured: not_allowed it was",
    )


def share_of_tests(*found: Measurement, **targets: Any) -> tuple[Any, Any, str]:
    artifacts = [{"name": n, "kind": "junit", "files": ["*.xml"]} for n in ("unit", "e2e")]
    coverage = {"name": "coverage", "kind": "coverage", "files": ["coverage.xml"]}
    of = inventory(service(), artifacts=[*artifacts, coverage], objectives=targets)
    return objectives(judged(of, *found))["tests_passed"]


def results(name: str, passed: Any, executed: Any, flaky: Any = 0, **values: Any) -> Measurement:
    counts = {"passed": passed, "executed": executed, "flaky": flaky, "passed_ratio": 0.5}
    return measured("junit_results", name, **(counts | values))


def test_the_tests_of_all_artifacts_are_one_objective() -> None:
    found = [results("unit", 10, 30), results("e2e", 5, 12)]
    assert share_of_tests(*found) == (15 / 42, False, "15 of 42 test cases passed")
    assert share_of_tests(*found, tests_passed={"target": "35%"})[1] is True
    assert share_of_tests(results("unit", 30, 30), results("e2e", 12, 12, 2)) == (
        1.0,
        True,
        "42 of 42 test cases passed, 2 of them when run again",
    )
    assert share_of_tests(results("unit", 29, 30), results("e2e", 12, 12))[1] is False


@pytest.mark.parametrize(
    ("other", "because"),
    [
        ([], "e2e: not measured"),
        ([measured("junit_results", "e2e", failure="deadline")], "e2e: deadline it was"),
        (
            [measured("junit_results", "e2e", passed_ratio_because="stale: e2e.xml is 9 days old")],
            "e2e: stale: e2e.xml is 9 days old",
        ),
        ([results("e2e", 5, 0)], "e2e: the share that passed was not measured"),
        ([results("e2e", 5, "12")], "e2e: the share that passed was not measured"),
        ([results("e2e", 5, True)], "e2e: the share that passed was not measured"),
        ([results("e2e", 5, 12, passed_ratio="nan")], "e2e: the share that passed was not"),
    ],
)
def test_without_the_results_of_one_artifact_nobody_knows_the_share(
    other: list[Measurement], because: str
) -> None:
    current, met, told = share_of_tests(results("unit", 10, 30), *other)
    assert (current, met) == (None, None)
    assert told.startswith(because)


def test_what_is_not_known_counts_against_an_objective() -> None:
    of = inventory(service("api"), service("job"))
    got = objectives(judged(of, *healthy()))
    assert got["availability"] == (0.5, False, "1 of 2 services, 1 not measured")
    assert got["checks_passed"][0] < 0.6
    assert got["checks_passed"][2].endswith("not measured")


def test_risks_are_sorted_by_how_bad_they_would_be() -> None:
    of = inventory(
        service("api", probes=ACCESS, criticality="critical"),
        service("job", criticality="critical"),
        service("aside"),
        waivers=[waiver("anonymous-refused", "2026-12-31")],
    )
    found = judged(
        of,
        *healthy(
            http_access__login_accepted=False,
            http_access__anonymous_refused=False,
            http_health__structured=False,
            http_latency__p50_ms=estimate(150),
            http_latency__p95_ms=estimate(190, 180, 195),
            http_concurrency__success_rate=estimate(0.9, 0.85, 0.95),
        ),
        measured("http_health", "job", failure="timeout"),
        measured("http_health", "aside", failure="dns"),
    )
    risks = found.risks
    assert risks.high == (
        "Documented login works, api: does not hold",
        "job is down: timeout it was",
    )
    waived = "api: does not hold (waived by dana until 2026-12-31)"
    assert f"Protected paths refuse anonymous requests, {waived}" in risks.medium
    assert "aside is down: dns it was" in risks.medium
    assert "Health answer is machine-readable, api: does not hold" in risks.medium
    assert any(t.startswith("Success at the highest concurrency, api: 90 %") for t in risks.medium)
    assert any(t.startswith("Median response time, api: 150 ms") for t in risks.low)
    assert (
        "p95 response time, api: 190 ms (180 ms to 195 ms, n = 1000) is within 200 ms, "
        "over 80 % of its target"
    ) in risks.low


def test_what_was_not_tested_is_listed_with_the_reason() -> None:
    found = judged(
        API,
        *(m for m in healthy() if m.probe not in ("http_access", "http_latency")),
        measured("http_access", failure="not_allowed"),
        measured("http_latency", p50_ms=estimate(1), p95_ms=estimate(None, n=40)),
    )
    got = {(n.probe, n.service, n.because) for n in found.not_tested}
    assert got == {
        ("http_access", "api", "not_allowed it was"),
        ("http_latency", "api", "40 samples are too few for this quantity"),
        ("http_latency", "api", "p99_ms was not measured"),
        ("http_latency", "api", "success_rate was not measured"),
        (
            "http_access",
            "every service",
            "Access and authentication: 0 of at least 2 checks gave a result",
        ),
    }


# What nobody can do to the score. Green is exit 0, red is 1 or 4.


def green(found: Assessment) -> bool:
    return found.model.decision.exit_code == 0


def assert_no_gain(before: Evidence, after: Evidence) -> None:
    old, new = assess(before, CRITERIA), assess(after, CRITERIA)
    assert new.model.decision.value <= old.model.decision.value
    assert new.model.card.raw <= old.model.card.raw
    assert new.model.card.coverage <= old.model.card.coverage
    assert green(old) or not green(new)


@PROPERTY
@given(data=st.data(), before=evidences())
def test_losing_evidence_never_pays(data: st.DataObject, before: Evidence) -> None:
    assume(before.measurements)
    assert_no_gain(before, data.draw(losses(before)))


@pytest.mark.parametrize("kind", FAILURE_KINDS)
@pytest.mark.parametrize("index", range(4))
def test_breaking_any_probe_of_a_sound_system_never_pays(index: int, kind: Any) -> None:
    before = evidence(API, *healthy(http_latency__p95_ms=estimate(None, n=30)))
    broken = Failure(kind=kind, detail="broken")
    assert_no_gain(before, replaced(before, index, values={}, failure=broken))


def test_an_outage_is_no_coverage() -> None:
    """Else refusing what could not be measured would turn inconclusive to conditional."""
    few: dict[str, Any] = {n: estimate(None, n=5) for n in ("p50_ms", "p95_ms", "p99_ms")}
    of = inventory(*(service(n, probes=ACCESS) for n in "abcd"))
    sound = [m for n in "bcd" for m in healthy(n)]
    partly = [m for m in healthy("a") if m.probe == "http_health"]
    before = evidence(of, *partly, measured("http_latency", "a", **few), *sound)
    for failure in ("refused", "timeout", "not_allowed"):
        broken = Failure(kind=failure, detail="broken")
        assert_no_gain(before, replaced(before, 1, values={}, failure=broken))


def test_hiding_the_fact_that_makes_a_check_inapplicable_never_pays() -> None:
    of = inventory(service("cache", "redis"))
    for fact in (True, False):
        values: dict[str, Any] = {"rdb_saved": fact, "rdb_last_save_ok": fact is False}
        before = evidence(of, measured("redis_persistence", "cache", **values))
        without = {k: v for k, v in values.items() if k != "rdb_saved"}
        assert_no_gain(before, replaced(before, 0, values=without))
        for odd in HOSTILE:
            if odd is not (not fact):
                assert_no_gain(before, replaced(before, 0, values=without | {"rdb_saved": odd}))


@PROPERTY
@given(data=st.data(), before=evidences())
def test_mending_never_lowers_the_score(data: st.DataObject, before: Evidence) -> None:
    found = assess(before, CRITERIA)
    assume(found.model.findings)
    some = data.draw(st.lists(st.sampled_from(found.model.findings), min_size=1, unique_by=id))
    mended = found.model.standing.passing(some)
    assert mended.value >= found.model.decision.value
    assert mended.exact >= found.model.standing.exact
    assert all(p >= found.model.decision.value for p in found.projections.values())


@PROPERTY
@given(before=evidences(), seed=st.randoms(use_true_random=False))
def test_the_score_depends_on_no_order(before: Evidence, seed: random.Random) -> None:
    measurements, listed = list(before.measurements), list(before.inventory.services)
    seed.shuffle(measurements)
    seed.shuffle(listed)
    of = before.inventory.model_copy(update={"services": tuple(listed)})
    after = with_measurements(before.model_copy(update={"inventory": of}), tuple(measurements))
    old, new = assess(before, CRITERIA), assess(after, CRITERIA)
    assert new.model.card == old.model.card
    assert new.model.decision == old.model.decision
    assert new.projections == old.projections
    assert set(new.risks.high) == set(old.risks.high)
    same = assess(with_measurements(before, tuple(measurements)), CRITERIA)
    assert same.to_json() == old.to_json()


@PROPERTY
@given(before=evidences())
def test_the_headline_is_never_above_the_upper_score(before: Evidence) -> None:
    decision = assess(before, CRITERIA).model.decision
    assert 0 <= decision.value <= decision.upper <= 100
    assert decision.value == min(
        [assess(before, CRITERIA).model.card.raw, *(c.to for c in decision.caps)]
    )


@PROPERTY
@given(before=evidences())
def test_evidence_saved_and_read_back_is_judged_the_same(before: Evidence) -> None:
    again = Evidence.model_validate_json(before.to_json())
    assert assess(again, CRITERIA).to_json() == assess(before, CRITERIA).to_json()


@PROPERTY
@given(before=evidences())
def test_no_waiver_changes_the_raw_score(before: Evidence) -> None:
    waivers = tuple(waiver(name, "2026-12-31") for name in CRITERIA.checks)
    of = before.inventory.model_copy(update={"waivers": waivers})
    waived = assess(before.model_copy(update={"inventory": of}), CRITERIA)
    bare = before.inventory.model_copy(update={"waivers": ()})
    plain = assess(before.model_copy(update={"inventory": bare}), CRITERIA)
    assert waived.model.card == plain.model.card
    assert waived.model.decision.value >= plain.model.decision.value


@PROPERTY
@given(before=evidences(most=3), more=services("zz"))
def test_a_service_nobody_measured_never_raises_the_score(before: Evidence, more: Service) -> None:
    of = before.inventory.model_copy(update={"services": (*before.inventory.services, more)})
    assert_no_gain(before, before.model_copy(update={"inventory": of}))


# Hostile evidence.


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
def test_no_value_of_any_metric_breaks_the_assessment(value: Value) -> None:
    of = inventory(*(service(kind, kind) for kind in URLS), service("x", probes=ACCESS))
    names = {c.metric for c in CRITERIA.checks.values()} | {
        c.when.metric for c in CRITERIA.checks.values() if c.when
    }
    extra = ("users.5.success_rate", "users.5.requests_per_second", "users.5.errors")
    values: dict[str, Any] = dict.fromkeys(
        (*names, *extra, *(f"{n}_because" for n in names)), value
    )
    found = evidence(
        of,
        *(measured(p, s.name, **values) for s in of.services for p in s.expected_probes),
        measured("nosuch", "nobody", **values),
    )
    contract(assess(found, CRITERIA))
    again = Evidence.model_validate_json(found.to_json())
    assert assess(again, CRITERIA).to_json() == assess(found, CRITERIA).to_json()


def test_what_a_loosened_target_gains_is_visible() -> None:
    slow = healthy(http_latency__p95_ms=estimate(900))
    loose = API.services[0].model_copy(update={"checks": {"latency-p95": {"limit": 9e9}}})
    found = judged(inventory(loose), *slow)
    mine = next(f for f in found.model.findings if f.check == "latency-p95")
    assert (mine.target, mine.limit) == (200, 9e9)
    assert CRITERIA.checks["latency-p95"].limit == 500


def test_an_override_that_cannot_be_used_never_pays() -> None:
    before = evidence(API, *healthy(http_latency__p95_ms=estimate(9000)))
    odd = API.services[0].model_copy(update={"checks": {"latency-p95": {"limit": "soon"}}})
    of = API.model_copy(update={"services": (odd,)})
    assert_no_gain(before, before.model_copy(update={"inventory": of}))


def test_a_check_of_a_pack_is_judged_like_any_other() -> None:
    pack = """\
checks:
  warm-cache:
    title: Cache is warm
    probe: http_health
    metric: warm
    area: data
    severity: critical
    blocker: true
    must_be: true
    why: Cold caches are slow.
    fix: {text: Warm it., effort_hours: 1}
"""
    criteria = with_packs(CRITERIA, {"mine.yaml": pack})
    found = assess(evidence(API, *healthy()), criteria)
    assert found.model.decision.verdict == "inconclusive"
    data = next(a for a in found.model.card.areas if a.id == "data")
    assert (data.applicable, data.score) == (True, 0)


# Size.


def large(n: int) -> Inventory:
    kinds = ("http", "http", "web", "http", "redis", "postgres")
    levels = ("critical", "high", "normal", "low")
    return inventory(
        *(
            service(
                f"s{i}",
                kinds[i % len(kinds)],
                criticality=levels[i % len(levels)],
                depends_on=[f"s{i - 1}"] if i % 7 else [],
                probes=ACCESS if kinds[i % len(kinds)] == "http" else {},
            )
            for i in range(n)
        )
    )


def seconds(n: int, state: str) -> float:
    """Return the processor time that judging `n` services takes."""
    of = large(n)
    found: list[Measurement] = []
    for s in of.services:
        if state == "down":
            found += [measured(p, s.name, failure="refused") for p in s.expected_probes]
        if state == "poor" and s.kind == "http":
            poor: dict[str, Any] = {
                c.metric: False for c in CRITERIA.checks.values() if c.must_be is not None
            }
            slow: dict[str, Any] = {f"p{q}_ms": estimate(700, 450, 1234.567) for q in (50, 95, 99)}
            rate: dict[str, Any] = {
                "success_rate": estimate(0.93, 0.891, 0.96123),
                "resolve_ms": 123.456,
            }
            found += [measured(p, s.name, **poor, **slow, **rate) for p in s.expected_probes]
    start = time.process_time()
    text = judged(of, *found).to_json()
    spent = time.process_time() - start
    assert json.loads(text)["verdict"] in ("not_ready", "inconclusive")
    return spent


@pytest.mark.parametrize(
    "state",
    [
        pytest.param("unknown", marks=pytest.mark.thorough),
        "down",
        pytest.param("poor", marks=pytest.mark.thorough),
    ],
)
def test_two_hundred_services_are_assessed_in_seconds(state: str) -> None:
    few, many = seconds(25, state), seconds(200, state)
    assert many < 24 * few, "eight times the services may cost three times the eightfold"


def test_adding_an_unknown_finding_never_raises() -> None:
    found = judged(API, *healthy())
    for name in CRITERIA.areas:
        more = (*found.model.findings, unknown(check="new", area=name))
        assert score(more, API, CRITERIA.areas).raw <= found.model.card.raw


@pytest.mark.parametrize(
    ("values", "notes"),
    [
        ({"users_max": 50, "users.50.n": 400}, ()),
        (
            {"users_max": 50, "users.50.n": 400, "users.50.closed_by_server": 390},
            ("does not keep connections alive: 390 closed in 400 requests at 50 users",),
        ),
        (
            {"users_max": 5, "users.5.n": 40, "users.5.rate_limited": 12, "scalability": "law"},
            (
                "12 of 40 requests at 5 users were refused with 429: a limiter, no failure",
                "Universal Scalability Law: law",
            ),
        ),
        ({"success_rate_because": "nothing was measured"}, ()),
    ],
)
def test_what_a_load_showed_besides_is_noted(values: Values, notes: tuple[str, ...]) -> None:
    measured = Measurement(
        probe="http_concurrency",
        service="api",
        started_at=datetime(2026, 11, 25, tzinfo=UTC),
        seconds=1,
        values=values,
    )
    assert crowds([measured]) == ((CrowdRow(service="api", notes=notes),) if notes else ())
