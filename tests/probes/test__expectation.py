"""Each condition of an expectation: met, missed, and told without what may be secret."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pytest

from readiness.failure import ProbeError
from readiness.inventory import Expect
from readiness.probes._answer import Answer
from readiness.probes._expectation import described, unmet

VARIABLES = {"run": "r", "unique": "readiness-r-1", "id": 482913, "token": "abcdefgh", "on": True}


def answer(
    body: Any = b"",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    complete: bool = True,
    ms: float = 5.0,
) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, "HTTP/1.1", headers or {}, content, complete, {"first_byte": ms}, None)


def wrong(expect: Mapping[str, Any], of: Answer) -> list[str]:
    return unmet(Expect.model_validate(expect), of, VARIABLES)


@pytest.mark.parametrize(
    ("status", "came", "missed"),
    [
        (None, 200, []),
        (None, 204, []),
        (None, 302, ["expected 2xx"]),
        (201, 201, []),
        (201, 200, ["expected 201"]),
        ("4xx", 404, []),
        ("4xx", 500, ["expected 4xx"]),
        ([200, 404], 404, []),
        ([200, "4xx"], 500, ["expected 200 or 4xx"]),
    ],
)
def test_the_status(status: Any, came: int, missed: list[str]) -> None:
    assert wrong({} if status is None else {"status": status}, answer(status=came)) == missed


DATA = {
    "id": 482913,
    "one": 1,
    "yes": True,
    "nothing": None,
    "name": "readiness-r-1",
    "state": "completed",
    "empty": "",
    "tags": ["a", "b", 3, True],
    "items": [{"id": 1, "on": True}, {"id": 2}],
    "none": [],
    "price": 9.5,
}


@pytest.mark.parametrize(
    ("path", "match"),
    [
        ("$.one", 1),
        ("$.one", 1.0),
        ("$.yes", True),
        ("$.nothing", None),
        ("$.state", "completed"),
        ("$.name", "{{unique}}"),
        ("$.name", "readiness-{{run}}-1"),
        ("$.id", "{{id}}"),
        ("$.yes", "{{on}}"),
        ("$.items[0]", {"equals": {"id": 1, "on": True}}),
        ("$.items[*].id", [1, 2]),
        ("$.items[?@.on].id", [1]),
        ("$.items[*].id", {"length": 2}),
        ("$.items[*].id", {"contains": "2"}),
        ("$.items[?@.id > 5]", {"exists": False}),
        ("$.items[?@.id > 1]", {"exists": True}),
        ("$.items[?@.id > 5]", {"length": 0}),
        ("$..id", {"length": 3}),
        ("$.name", {"contains": "{{run}}"}),
        ("$.tags", {"contains": "a"}),
        ("$.tags", {"contains": "3"}),
        ("$.tags", {"contains": "true"}),
        ("$.missing", {"exists": False}),
        ("$.nothing", {"exists": True}),
        ("$.nothing", {"type": "null"}),
        ("$.one", {"type": "number"}),
        ("$.price", {"type": "number", "at_least": 9.5, "at_most": 9.5}),
        ("$.yes", {"type": "boolean"}),
        ("$.tags", {"type": "array", "length": 4}),
        ("$.items[0]", {"type": "object", "length": 2}),
        ("$.state", {"type": "string", "length": 9}),
        ("$.empty", {"length": 0}),
    ],
)
def test_what_is_as_expected(path: str, match: Any) -> None:
    assert wrong({"json": {path: match}}, answer(DATA)) == []


@pytest.mark.parametrize(
    ("path", "match", "told"),
    [
        ("$.one", True, "$.one is 1, expected true"),
        ("$.yes", 1, "$.yes is true, expected 1"),
        ("$.one", "1", "$.one is 1, expected a text of 1 characters"),
        ("$.nothing", False, "$.nothing is null, expected false"),
        ("$.state", "failed", "$.state is completed, expected failed"),
        ("$.missing", "x", "$.missing is missing"),
        ("$.missing", {"length": 0}, "$.missing is missing"),
        ("$.missing", {"exists": True}, "$.missing is missing"),
        ("$.one", {"exists": False}, "$.one is there"),
        ("$.items[?@.id > 5]", {"exists": True}, "$.items[?@.id > 5] is missing"),
        ("$.items[?@.id > 1]", {"exists": False}, "$.items[?@.id > 1] is there"),
        ("$.items[*].id", 1, "$.items[*].id is a list of 2, expected 1"),
        ("$.items[*].id", [2, 1], "$.items[*].id is a list of 2, expected a list of 2"),
        ("$.items[0]", {"equals": {"id": 1, "on": 1}}, "is an object of 2"),
        ("$.tags", {"contains": "z"}, "$.tags lacks what was expected in it"),
        ("$.one", {"contains": "1"}, "$.one lacks what was expected in it"),
        ("$.yes", {"type": "number"}, "$.yes is true, expected number"),
        ("$.one", {"length": 1}, "$.one has the length None, expected 1"),
        ("$.tags", {"length": 3}, "$.tags has the length 4, expected 3"),
        ("$.price", {"at_least": 10}, "$.price is 9.5, expected at least 10"),
        ("$.price", {"at_most": 9}, "$.price is 9.5, expected at most 9"),
        ("$.yes", {"at_least": 0}, "$.yes is true, expected at least 0"),
        ("$.state", {"at_least": 0}, "$.state is completed, expected at least 0"),
    ],
)
def test_what_is_not_as_expected(path: str, match: Any, told: str) -> None:
    [one] = wrong({"json": {path: match}}, answer(DATA))
    assert told in one


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (123456, "{{id}}"),
        ("0therSecret99", "{{token}}"),
        (482914, {"equals": "{{id}}"}),
    ],
)
def test_neither_what_was_kept_nor_what_came_instead_is_told(value: Any, match: Any) -> None:
    [one] = wrong({"json": {"$.x": match}}, answer({"x": value}))
    assert str(value) not in one
    assert not any(str(VARIABLES[name]) in one for name in ("id", "token"))
    assert "expected {{" in one


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"\xff\xfe", b"1 2", b"[" * 99_999])
def test_what_is_no_json_is_told_once(body: bytes) -> None:
    told = wrong({"json": {"$.a": 1, "$.b": {"exists": False}}}, answer(body))
    assert told == ["the body is not JSON"]


def test_json_is_read_whatever_it_is_called() -> None:
    assert wrong({"json": {"$.a": 1}}, answer(b'\xef\xbb\xbf{"a": 1}')) == []
    wide = answer('{"a": "é"}'.encode("utf-16"), headers={"content-type": "x; charset=utf-16"})
    assert wrong({"json": {"$.a": "é"}}, wide) == []
    packed = answer(b"\x1f\x8b", headers={"content-encoding": "gzip"})
    assert wrong({"json": {"$.a": 1}}, packed) == ["the body is packed, which was not asked for"]


HEADERS = {"location": "/x", "x-count": "5", "x-ratio": "0.5", "x-on": "True", "x-word": "five"}


@pytest.mark.parametrize(
    ("name", "match", "met"),
    [
        ("Location", "/x", True),
        ("LOCATION", {"contains": "x"}, True),
        ("X-Count", 5, True),
        ("X-Count", "5", True),
        ("X-Count", 6, False),
        ("X-Count", {"at_least": 5, "at_most": 5}, True),
        ("X-Ratio", {"at_most": 0.4}, False),
        ("X-On", True, True),
        ("X-Word", {"at_least": 1}, False),
        ("X-None", {"exists": False}, True),
        ("X-None", {"exists": True}, False),
        ("X-None", "5", False),
    ],
)
def test_a_header(name: str, match: Any, met: bool) -> None:
    assert (wrong({"headers": {name: match}}, answer(headers=HEADERS)) == []) is met


def test_text_digest_and_time() -> None:
    of = answer(b"Welcome, readiness-r-1", ms=250)
    digest = hashlib.sha256(of.body).hexdigest()
    assert wrong({"text": "{{unique}}", "sha256": digest, "time": "1s"}, of) == []
    assert wrong({"text": "Bye"}, of) == ["the expected text is not in the body"]
    assert wrong({"time": "100ms"}, of) == ["took 250 ms, more than 100 ms"]
    told = wrong({"sha256": "0" * 64}, of)
    assert told == ["the body (22 bytes) is not the one that was expected"]


@pytest.mark.parametrize(
    "expect", [{"text": "x"}, {"sha256": "0" * 64}, {"json": {"$.a": 1}}], ids=str
)
def test_nobody_knows_what_a_body_holds_that_was_not_read_to_its_end(expect: Any) -> None:
    with pytest.raises(ProbeError) as caught:
        wrong(expect, answer(b"{ ", complete=False))
    assert caught.value.failure.kind == "local_limit"
    assert wrong(expect, answer(b"{ ", status=500, complete=False)) == ["expected 2xx"]


def test_what_is_expected_is_described_without_secrets() -> None:
    expect = {
        "status": [200, "4xx"],
        "headers": {"ETag": "s3cret-tag"},
        "json": {"$.a": {"exists": True, "type": "string"}, "$.b": "{{id}}", "$.c": "done"},
        "text": "s3cret",
        "sha256": "0" * 64,
        "time": "2s",
    }
    assert described(Expect.model_validate(expect)) == (
        "200 or 4xx, ETag = a text of 10 characters, $.a is there and is string, $.b = {{id}}, "
        "$.c = done, a text, the digest of the body, within 2000 ms"
    )
