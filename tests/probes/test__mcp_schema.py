import time
from typing import Any

import pytest

from readiness.probes._mcp_headers import header_parameters
from readiness.probes._mcp_schema import Steps, TooMuch, breach, fault, remote

DRAFT = "https://json-schema.org/draft/2020-12/schema"
EVIL = {"pattern": "^(a+)+$"}
FLAGGED = "a" * 64 + "!"


@pytest.mark.parametrize(
    ("value", "schema", "where"),
    [
        ({"a": 1}, {"type": "object", "properties": {"a": {"type": "integer"}}}, None),
        ({"a": "x"}, {"properties": {"a": {"type": "integer"}}}, "at /a"),
        ([{"b c": 1}], {"items": {"properties": {"b c": {"type": "null"}}}}, "at /0/?"),
        ("x", {"type": "object"}, "at its top"),
        ({"n": {"n": 7}}, {"properties": {"n": {"$ref": "#"}}, "type": "object"}, "at /n/n"),
        ([1, 1], {"uniqueItems": True}, "at its top"),
        ([1, "1", None], {"uniqueItems": True}, None),
    ],
)
def test_values_are_held_against_schemas(value: Any, schema: Any, where: str | None) -> None:
    assert breach(value, schema, Steps()) == where


@pytest.mark.parametrize(
    "schema",
    [
        EVIL,
        {"$schema": DRAFT, **EVIL},
        {"allOf": [{"$schema": DRAFT, **EVIL}]},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$schema": DRAFT, **EVIL}}},
    ],
)
def test_no_pattern_from_outside_is_run(schema: Any) -> None:
    began = time.monotonic()
    assert breach(FLAGGED, schema, Steps()) is None
    assert time.monotonic() - began < 1


def _doubling(levels: int, **fields: Any) -> dict[str, Any]:
    links = {
        f"a{n}": {**fields, "allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(levels)
    }
    return {"$ref": "#/$defs/a0", "$defs": {**links, f"a{levels}": {}}}


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (_doubling(40), "too many steps"),
        (_doubling(40, **{"$schema": DRAFT}), "too many steps"),
        ({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}, "without end"),
        ({"$ref": "http://x.invalid/a"}, "another host"),
        ({"$ref": "#/$defs/none"}, "not valid itself"),
        ({"patternProperties": {"^(a+)+$": {}}}, "patternProperties"),
        ({"$schema": "urn:own"}, "not valid itself"),
        ({"multipleOf": 0}, "not valid itself"),
        ({"$schema": "http://["}, "not valid itself"),
        ({"$id": "http://[", "$ref": "http://["}, "no URL"),
        ({"enum": list(range(20_000))}, "more than 10000 values"),
    ],
)
def test_what_cannot_be_told_within_bounds_is_not_told(schema: Any, told: str) -> None:
    began = time.monotonic()
    with pytest.raises(TooMuch, match=told):
        breach({}, schema, Steps())
    assert time.monotonic() - began < 3


def test_all_schemas_together_take_no_more_than_so_many_steps() -> None:
    steps, schema = Steps(), {"type": "object", "properties": {f"p{n}": {} for n in range(500)}}
    with pytest.raises(TooMuch, match="too many steps"):
        for _ in range(40):
            assert fault(schema, steps, must_be_object=True) is None


def test_a_schema_may_refer_to_itself_by_its_own_name() -> None:
    assert not remote({"$id": "urn:a", "$ref": "urn:a#/x"})
    assert remote({"$id": "urn:a", "$ref": "urn:b"})


def test_parameters_that_are_headers_too_are_found_where_they_may_be() -> None:
    inner = {"type": "object", "properties": {"b": {"x-mcp-header": "B"}}}
    schema = {
        "properties": {"a": inner, "c": {"x-mcp-header": "C"}},
        "items": {"x-mcp-header": "D"},
    }
    assert dict(header_parameters(schema)) == {("a", "b"): "B", ("c",): "C"}
