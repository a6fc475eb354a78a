"""A check as written: its units, its one criterion, whom it concerns, and a service's override."""

from typing import Any

import pytest
from pydantic import ValidationError

from readiness.checks import Check, Criteria
from readiness.quantity import Unit, quantity
from tests.judging import CRITERIA, area, check, service


@pytest.mark.parametrize(
    ("written", "unit", "expected"),
    [
        ("200ms", "ms", 200),
        ("1.5s", "ms", 1500),
        ("250us", "ms", 0.25),
        ("2m", "ms", 120_000),
        (" 5 ms ", "ms", 5),
        (7, "ms", 7),
        (0.5, "ratio", 0.5),
        ("99%", "ratio", 0.99),
        ("57%", "ratio", 0.57),
        ("99.95 %", "ratio", 0.9995),
        ("500kB", "bytes", 500_000),
        ("1MiB", "bytes", 1_048_576),
        ("2KiB", "bytes", 2048),
        ("30d", "days", 30),
        ("-3", "days", -3),
        ("12", "", 12),
    ],
)
def test_quantities_are_read_with_their_units(written: Any, unit: Unit, expected: float) -> None:
    assert quantity(written, unit) == expected


@pytest.mark.parametrize(
    ("written", "unit", "message"),
    [
        ("200", "", None),
        ("5 parsecs", "ms", "such as 200ms"),
        ("5s", "count", "must be a number$"),
        ("1e3", "ms", "must be a number"),
        ("٣ms", "ms", "must be a number"),
        ("", "bytes", "such as 500kB"),
        (True, "ratio", "such as 0.99"),
        (None, "days", "of days"),
        ([1], "ms", "must be a number"),
        (10**400, "ms", "too large"),
        ("9" * 400, "ms", "too large"),
        ("9" * 401, "ms", "must be a number"),
    ],
)
def test_what_is_no_quantity_is_refused(written: Any, unit: Unit, message: str | None) -> None:
    if message is None:
        assert quantity(written, unit) == 200
        return
    with pytest.raises(ValueError, match=message):
        quantity(written, unit)


@pytest.mark.parametrize(("unit", "curve"), [("ms", "log"), ("bytes", "log"), ("days", "linear")])
def test_the_unit_decides_the_curve(unit: str, curve: str) -> None:
    assert check(unit=unit, target=1, limit=2).curve == curve


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"must_be": True, "one_of": ["a"]}, "exactly one of"),
        ({"must_be": True, "target": 1, "limit": 2}, "exactly one of"),
        ({"must_be": True, "limit": 2}, "exactly one of"),
        ({"target": None}, "exactly one of"),
        ({"one_of": []}, "at least 1"),
        ({"target": 500, "limit": 200}, "lower is better"),
        ({"target": 0}, "above 0"),
        ({"target": "fast"}, "must be a number"),
        ({"unit": ["ms"]}, "unit"),
        ({"unit": "furlong"}, "unit"),
        ({"must_be": True, "sampled": True}, "is sampled"),
        ({"id": "Speed!"}, "id"),
        ({"severity": "dire"}, "severity"),
        ({"colour": "red"}, "colour"),
        ({"when": {"metric": "m", "equals": "rdb", "otherwise": "off"}}, "when.equals"),
        ({"fix": {"text": "mend it", "effort_hours": 1}}, "fix.text"),
        ({"fix": {"text": "Mend it.", "effort_hours": 0}}, "effort_hours"),
        ({"fix": {"text": "Mend it.", "effort_hours": 1e308}}, "effort_hours"),
    ],
)
def test_a_check_with_a_mistake_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        check(**changes)


def test_only_a_mapping_is_a_check() -> None:
    with pytest.raises(ValidationError):
        Check.model_validate("speed")


def test_a_check_concerns_services_that_its_probe_is_expected_on() -> None:
    access = CRITERIA.checks["anonymous-refused"]
    assert check().concerns(service(kind="http"))
    assert check().concerns(service(kind="web"))
    assert not check().concerns(service(kind="redis"))
    assert not check(kinds=("web",)).concerns(service(kind="http"))
    assert not access.concerns(service())
    assert access.concerns(service(probes={"http_access": {}}))


@pytest.mark.parametrize(
    ("declared", "on", "expected"),
    [
        ((), service(), None),
        (("https",), service(), "api declares no https"),
        (("https",), service(url="https://localhost"), None),
        (("health.live",), service(), "api declares no live"),
        (("health.live",), service(health={"ready": "/r"}), "api declares no live"),
        (("health.live",), service(health={"live": "/l"}), None),
        (
            ("probes.http_access.credential", "probes.http_access.login"),
            service(probes={"http_access": {"public": []}}),
            "api declares no credential or login",
        ),
        (
            ("probes.http_access.credential", "probes.http_access.login"),
            service(probes={"http_access": {"login": {"path": "/l"}}}),
            None,
        ),
        (("probes.http_access.public",), service(probes={"http_access": False}), "no public"),
    ],
)
def test_what_the_inventory_does_not_declare_is_not_applicable(
    declared: tuple[str, ...], on: Any, expected: str | None
) -> None:
    found = check(declared=declared).undeclared(on)
    assert found is None if expected is None else expected in str(found)


def test_declarations_survive_the_public_form_of_the_inventory() -> None:
    declaring = service(probes={"http_access": {"login": {"path": "/l", "json": {"p": "secret"}}}})
    public = type(declaring).model_validate_json(declaring.model_dump_json())
    login = CRITERIA.checks["login-accepted"]
    assert login.undeclared(declaring) is None
    assert login.undeclared(public) is None


def test_a_service_overrides_target_and_limit_only() -> None:
    mine = check().for_service(service(checks={"speed": {"target": "1s", "limit": "2s"}}))
    assert (mine.target, mine.limit) == (1000, 2000)
    assert (mine.severity, mine.blocker, mine.metric) == ("high", False, "p95_ms")
    assert check().for_service(service(checks={"other": {"target": 1}})) == check()
    with pytest.raises(ValidationError, match="is not a known key"):
        service(checks={"speed": {"blocker": False}})


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"target": "600ms"}, "^target must be better than limit"),
        ({"limit": "soon"}, "^must be a number"),
        ({"limit": 10**400}, "^is too large"),
    ],
)
def test_an_override_that_makes_no_curve_is_refused(written: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check().for_service(service(checks={"speed": written}))


def test_a_check_without_target_takes_no_override() -> None:
    with pytest.raises(ValueError, match="no target and no limit"):
        check(must_be=True).for_service(service(checks={"speed": {"target": 1}}))


def test_limits_are_the_numbers_a_probe_stops_by() -> None:
    criteria = Criteria(
        checks={
            "speed": check(),
            "up": check(id="up", metric="up", must_be=True),
            "other": check(id="other", probe="redis_health"),
        },
        areas={"performance": area("performance")},
    )
    mine = service(checks={"speed": {"limit": "1s"}})
    assert criteria.limits(mine, "http_latency") == {"p95_ms": (200, 1000)}
    assert criteria.limits(mine, "redis_health") == {}
