import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.load.check import BODY_FAILED, LIMITED, Check
from tests.load.test_response import PROPERTY

Way = tuple[str, ...]


def agrees(body: object, way: Way, wanted: object) -> bool:
    """Whether `wanted` is found at the end of `way`; `body` is JSON, or what becomes it."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    check = Check(fields=((way, wanted),))
    code = check.code(200, raw)
    assert code in (200, 200 + BODY_FAILED)
    assert check.succeeded(code) is (code == 200)
    return code == 200


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_2xx_is_a_success_unless_told_otherwise(status: int) -> None:
    assert Check().succeeded(status)


@pytest.mark.parametrize(
    "code", [100, 199, 300, 304, 404, LIMITED, 500, 599, 1200, 1404, 0, -1, -6]
)
def test_nothing_else_is(code: int) -> None:
    assert not Check().succeeded(code)


def test_wanted_statuses_replace_2xx() -> None:
    check = Check(statuses=frozenset({404, 429}))
    assert [check.succeeded(code) for code in (200, 404, 429, 1404, -1)] == [
        False,
        True,
        True,
        False,
        False,
    ]


def test_no_status_is_a_success_where_none_is_wanted() -> None:
    assert not any(Check(statuses=frozenset()).succeeded(code) for code in range(-20, 2000))


@pytest.mark.parametrize(
    ("check", "reads"),
    [
        (Check(), False),
        (Check(statuses=frozenset({200})), False),
        (Check(text=b""), True),
        (Check(fields=((("a",), 1),)), True),
    ],
)
def test_a_body_is_read_only_where_something_is_wanted_of_it(check: Check, reads: bool) -> None:
    assert check.reads_body is reads
    assert check.code(200, b"no JSON") == (200 if not reads or check.text == b"" else 1200)


def test_a_text_must_occur() -> None:
    check = Check(text=b"ok\n")
    assert check.code(200, b"all ok\nreally") == 200
    assert check.code(200, b"all ok") == 200 + BODY_FAILED
    assert check.code(200, b"") == 200 + BODY_FAILED


def test_text_and_every_field_must_be_there() -> None:
    check = Check(text=b"x", fields=((("a",), 1), (("b",), 2)))
    assert check.code(200, b'{"a": 1, "b": 2, "c": "x"}') == 200
    assert check.code(200, b'{"a": 1, "b": 2}') == 1200
    assert check.code(200, b'{"a": 1, "b": 3, "c": "x"}') == 1200
    assert check.code(200, b'{"a": 1, "c": "x"}') == 1200


@pytest.mark.parametrize("status", [204, 301, 429, 503])
def test_what_fails_by_its_status_keeps_it(status: int) -> None:
    check = Check(statuses=frozenset({200}), text=b"ok")
    assert check.code(status, b"") == check.code(status, b"ok") == status


@pytest.mark.parametrize(
    ("body", "way", "wanted"),
    [
        ({"status": "up"}, ("status",), "up"),
        ({"a": {"b": {"c": 3}}}, ("a", "b", "c"), 3),
        ({"a": [{"b": 1}, {"b": 2}]}, ("a", "1", "b"), 2),
        ([[0, 7]], ("0", "1"), 7),
        ({"a": {"0": "name"}}, ("a", "0"), "name"),
        ({"": 1}, ("",), 1),
        ({"a": None}, ("a",), None),
        ({"a": False}, ("a",), False),
        ({"a": 1.0}, ("a",), 1),
        ({"a": []}, ("a",), []),
        ({"a": {"b": [1, "x"]}}, ("a",), {"b": [1, "x"]}),
        ("just text", (), "just text"),
        (b'\xef\xbb\xbf {"a":\t1}\r\n', ("a",), 1),
    ],
)
def test_a_way_leads_to_what_is_there(body: object, way: Way, wanted: object) -> None:
    assert agrees(body, way, wanted)


@pytest.mark.parametrize(
    ("body", "way", "wanted"),
    [
        ({"status": "up"}, ("status",), "down"),
        ({"status": "up"}, ("Status",), "up"),
        ({"status": "up"}, ("status", "0"), "u"),
        ({"a": 1}, ("a", "b"), 1),
        ({"a": "1"}, ("a",), 1),
        ([1, 2], ("2",), None),
        ([1, 2], ("-1",), 2),
        ([1, 2], ("+1",), 2),
        ([1, 2], (" 1",), 2),
        ([1, 2], ("²",), None),
        ([1, 2], ("",), 1),
        ([1, 2], ("9" * 4000,), None),
        ([], (), None),
    ],
)
def test_other_ways_lead_nowhere(body: object, way: Way, wanted: object) -> None:
    assert not agrees(body, way, wanted)


@pytest.mark.parametrize(("there", "wanted"), [(True, 1), (1, True), (False, 0), (0, False)])
def test_true_is_not_1(there: object, wanted: object) -> None:
    assert not agrees({"a": there}, ("a",), wanted)


@pytest.mark.parametrize("body", [{}, {"b": None}, {"a": {}}, [None]])
def test_what_is_missing_is_not_null(body: object) -> None:
    way = ("a", "b") if body == {"a": {}} else ("a",)
    assert not agrees(body, way, None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"ok",
        b"{",
        b'{"a": 1',
        b'{"a": 1}{"a": 1}',
        b'{"a": 1} x',
        b"{'a': 1}",
        b'{"a": \xff}',
        b"\xff\xfe\xfa",
        b'{"b": "\xff", "a": 1}',
        b"[" * 200_000,
        b'{"a": ' * 200_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_broken_or_bottomless_json_is_a_failed_body(body: bytes) -> None:
    assert not agrees(body, ("a",), 1)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


def ways(value: Any) -> list[tuple[Way, Any]]:
    """Every way into `value`, with what is there."""
    found: list[tuple[Way, Any]] = [((), value)]
    members: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        members = list(value.items())
    elif isinstance(value, list):
        members = list(enumerate(value))
    for name, member in members:
        found += [((str(name), *way), what) for way, what in ways(member)]
    return found


@given(JSON)
@PROPERTY
def test_every_way_into_a_body_finds_what_is_there(value: Any) -> None:
    for way, what in ways(value):
        assert agrees(value, way, what)
        assert not agrees(value, (*way, "no such name"), what)
        assert not agrees(value, way, [what])


@given(st.binary(max_size=60), st.sampled_from([200, 404]))
@PROPERTY
def test_whatever_comes_there_is_an_outcome(body: bytes, status: int) -> None:
    code = Check(text=b"a", fields=((("a",), 1),)).code(status, body)
    assert code == (status if status == 404 else 1200)


@pytest.mark.parametrize(("there", "wanted"), [([True], [1]), ({"b": 0}, {"b": False})])
def test_true_is_not_1_however_deep(there: object, wanted: object) -> None:
    assert not agrees({"a": there}, ("a",), wanted)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity"])
def test_what_json_does_not_have_is_broken_json(number: bytes) -> None:
    assert not agrees(b'{"a": 1, "b": %b}' % number, ("a",), 1)


def test_a_body_nested_too_deeply_to_compare_is_not_the_wanted_one() -> None:
    deep: list[object] = []
    for _ in range(950):
        deep = [deep]
    check = Check(fields=((("a",), deep),))
    body = b'{"a": ' + b"[" * 951 + b"]" * 951 + b"}"
    assert check.code(200, body) == 200 + BODY_FAILED
