"""Hypothesis strategies: inventories, measurements and estimates, honest, broken and hostile."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from readiness.checks import Check
from readiness.estimate import Estimate
from readiness.evidence import Evidence
from readiness.failure import FAILURE_KINDS, Failure
from readiness.inventory import Inventory, Service
from readiness.measurement import Measurement, Value
from tests.judging import CRITERIA, NOW, URLS, evidence, inventory, waiver

PROPERTY = settings(
    derandomize=True,
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""What every property test runs under: the same examples each time, on any machine."""

LOCATIONS: Mapping[str, tuple[str, ...]] = {
    "http": ("http://h:1", "https://h:2"),
    "web": ("http://h:3", "https://h:4"),
    "mcp": ("http://h:5/mcp",),
}
DECLARED: Mapping[str, tuple[Mapping[str, Any], ...]] = {
    "http": (
        {},
        {"http_access": {"protected": ["/p"], "login": {"path": "/l"}, "public": ["/q"]}},
        {"http_access": {"protected": ["/p"]}},
        {"http_latency": False},
        {"tcp_connect": {}},
    ),
    "web": ({}, {"web_page": {"text": "Hello"}}),
    "mcp": ({}, {"mcp_handshake": {"tools": ["search"]}}),
}

HOSTILE: tuple[Value, ...] = (
    float("nan"),
    float("inf"),
    float("-inf"),
    -1,
    -0.5,
    10**400,
    5e-324,
    1e308,
    "",
    "NaN",
    "true",
    "[/]|`\x1b",
    True,
    False,
    0,
    1,
    Estimate(value=None, low=None, high=None, n=0),
    Estimate(value=1e308, low=0, high=1e308, n=2**53),
    Estimate(value=float("nan"), low=0, high=1, n=9),
    Estimate(value=5, low=9, high=1, n=9),
    Estimate(value=0.5, low=0.5, high=0.5, n=0),
)
"""Values that no honest probe returns, or returns for another metric."""


def estimates(around: float, most: float = 1e6) -> st.SearchStrategy[Estimate]:
    """Estimates whose interval holds `around`, of every width from none to useless."""
    factor = st.sampled_from([0.0, 0.01, 0.2, 0.9, 3.0])
    return st.builds(
        lambda down, up, n: Estimate(
            value=around,
            low=max(0.0, around * (1 - down)),
            high=min(most, max(around, around * (1 + up))),
            n=n,
        ),
        factor,
        factor,
        st.integers(1, 5000),
    )


def values_of(check: Check) -> st.SearchStrategy[Value]:
    """Values of the metric of `check`: mostly good, some bad."""
    if check.must_be is not None:
        return st.sampled_from([check.must_be, check.must_be, check.must_be, not check.must_be])
    if check.one_of is not None:
        return st.sampled_from([*check.one_of, "other"])
    assert check.target is not None and check.limit is not None
    target, limit = check.target, check.limit
    middle, beyond = (target + limit) / 2, limit + (limit - target)
    points = st.sampled_from([target, target, target, middle, limit, beyond])
    if not check.sampled:
        return points
    most = 1.0 if check.unit == "ratio" else 1e6
    return points.flatmap(lambda point: estimates(max(0.0, point), most))


@st.composite
def services(draw: st.DrawFn, name: str) -> Service:
    """One service of any kind, with or without the settings that checks ask for."""
    kind = draw(st.sampled_from(sorted(URLS)))
    body: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "url": draw(st.sampled_from(LOCATIONS.get(kind, (URLS[kind],)))),
        "criticality": draw(st.sampled_from(["critical", "high", "normal", "low"])),
        "probes": draw(st.sampled_from(DECLARED.get(kind, ({},)))),
    }
    if kind in ("http", "web") and draw(st.booleans()):
        body["health"] = {"live": "/live"}
    if kind == "http" and draw(st.booleans()):
        body["checks"] = {"latency-p95": draw(st.sampled_from([{"target": 9e9}, {"limit": "1s"}]))}
    return Service.model_validate(body)


@st.composite
def inventories(draw: st.DrawFn, most: int = 4) -> Inventory:
    """One to `most` services, each depending on some before it, and now and then a waiver."""
    found = [draw(services(name)) for name in "abcdefgh"[: draw(st.integers(1, most))]]
    for i in range(1, len(found)):
        names = draw(st.sets(st.sampled_from([s.name for s in found[:i]])))
        found[i] = found[i].model_copy(update={"depends_on": tuple(sorted(names))})
    waived = draw(st.sets(st.sampled_from(["health-ready", "success-rate", "redis-up", "nosuch"])))
    day = draw(st.sampled_from(["2026-02-28", "2026-03-01", "2026-12-31"]))
    return inventory(*found, waivers=[waiver(name, day) for name in sorted(waived)])


FAILURES = st.sampled_from(FAILURE_KINDS).map(lambda kind: Failure(kind=kind, detail=kind))


@st.composite
def readings(draw: st.DrawFn, probe: str, service: Service) -> list[Measurement]:
    """Everything `probe` left behind on `service`: nothing, a reading, a failure, two attempts."""
    how = draw(st.sampled_from(["read", "read", "read", "read", "failed", "retried", "absent"]))
    if how == "absent":
        return []
    checks = [c for c in CRITERIA.checks.values() if c.probe == probe]
    read: dict[str, Value] = {}
    for one in checks:
        if one.when:
            read[one.when.metric] = draw(st.booleans())
        what = draw(st.sampled_from(["good"] * 8 + ["hostile", "absent"]))
        if what == "good":
            read[one.metric] = draw(values_of(one))
        elif what == "hostile":
            read[one.metric] = draw(st.sampled_from(HOSTILE))
    whole = Measurement(probe=probe, service=service.name, started_at=NOW, seconds=0.1, values=read)
    failed = whole.model_copy(update={"values": {}, "failure": draw(FAILURES)})
    if how == "retried":
        return [failed, whole.model_copy(update={"attempt": 2})]
    return [failed if how == "failed" else whole]


@st.composite
def evidences(draw: st.DrawFn, most: int = 4) -> Evidence:
    """Whole evidence on up to `most` services."""
    of = draw(inventories(most))
    found = [
        m for s in of.services for probe in s.expected_probes for m in draw(readings(probe, s))
    ]
    strict = draw(st.sampled_from(["not-ready", "conditional"]))
    return evidence(of, *found, policy={"fail_on": strict}, finished_at=NOW + timedelta(minutes=1))


def replaced(of: Evidence, index: int, **changes: Any) -> Evidence:
    """Return `of` with its measurement at `index` changed."""
    old = of.measurements[index]
    new = Measurement.model_validate({**dict(old), **changes})
    found = (*of.measurements[:index], new, *of.measurements[index + 1 :])
    return with_measurements(of, found)


def with_measurements(of: Evidence, found: tuple[Measurement, ...]) -> Evidence:
    """Return `of` with other measurements, validated anew."""
    rest = {name: part for name, part in of if name not in ("schema_", "measurements")}
    return Evidence.model_validate({**rest, "measurements": found})


@st.composite
def losses(draw: st.DrawFn, of: Evidence) -> Evidence:
    """Return `of` with one measurement or metric lost, broken, garbled or less certain."""
    index = draw(st.integers(0, len(of.measurements) - 1))
    old = of.measurements[index]
    how = draw(st.sampled_from(["remove", "break", "drop", "garble", "retype", "widen"]))
    if how == "remove":
        return with_measurements(of, of.measurements[:index] + of.measurements[index + 1 :])
    if how == "break" or not old.values:
        return replaced(of, index, values={}, failure=draw(FAILURES))
    name = draw(st.sampled_from(sorted(old.values)))
    rest = {k: v for k, v in old.values.items() if k != name}
    if how == "drop":
        return replaced(of, index, values=rest)
    if how == "widen":
        return replaced(
            of, index, values={**old.values, name: draw(less_certain(old.values[name]))}
        )
    wrong = NOT_NUMBERS if how == "garble" else retyped(name, old.values[name])
    return replaced(of, index, values={**rest, name: draw(st.sampled_from(wrong))})


NOT_NUMBERS: tuple[Value, ...] = (float("nan"), float("inf"), float("-inf"))


def retyped(metric: str, value: Value) -> tuple[Value, ...]:
    """Return `value` as types would carry it that are not the metric's own."""
    if isinstance(value, Estimate) and metric in SAMPLED:
        return ("fast", True, *(v for v in (value.value, value.low, value.high) if v is not None))
    if isinstance(value, bool) and metric in FACTS:
        return (int(value), str(value), Estimate(value=1, low=1, high=1, n=1))
    return ("fast",)


SAMPLED = {c.metric for c in CRITERIA.checks.values() if c.sampled}
FACTS = {c.metric for c in CRITERIA.checks.values() if c.must_be is not None} | {
    c.when.metric for c in CRITERIA.checks.values() if c.when
}


def less_certain(value: Value) -> st.SearchStrategy[Value]:
    """Return what fewer samples would have made of `value`: a wider interval, or none."""
    if not isinstance(value, Estimate) or value.value is None:
        return st.just(value)
    assert value.low is not None and value.high is not None
    none = Estimate(value=None, low=None, high=None, n=3)
    wider = st.builds(
        lambda down, up: value.model_copy(
            update={"low": value.low * down, "high": value.high * up, "n": 5}
        ),
        st.sampled_from([0.0, 0.5, 0.99, 1.0]),
        st.sampled_from([1.0, 1.01, 2.0, 50.0]),
    )
    return st.one_of(st.just(none), wider)
