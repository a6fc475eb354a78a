"""JSONPaths find what they should, and no answer makes them search for long."""

import json
import time
from typing import Any

import pytest

from readiness.failure import ProbeError
from readiness.probes._json_path import Absent, Found, first, found

DATA = {"a": [1, 2], "b": {"c": None}, "d": [[3]]}


def test_one_value_or_several() -> None:
    assert found("$.a", DATA) == [1, 2]
    assert not isinstance(found("$.a", DATA), Found)
    assert found("$.b.c", DATA) is None
    assert found("$.x", DATA) is Absent
    assert found("$.x", Absent) is Absent
    assert found("$.a[*]", DATA) == Found([1, 2])
    assert isinstance(found("$.x[*]", DATA), Found)


def test_the_first_of_several_but_a_list_as_it_is() -> None:
    assert first("$.a[*]", DATA) == 1
    assert first("$.a", DATA) == [1, 2]
    assert first("$.x[*]", DATA) is Absent
    assert first("$.d[*]", DATA) == [3]


def nested(depth: int, inner: str = "") -> Any:
    return json.loads("[" * depth + inner + "]" * depth)


BOMBS = {
    "wide": (json.loads(f"[{','.join('1' * 400_000)}]"), "$..[?@.a > 1]"),
    "wide, one level": (json.loads(f"[{','.join('1' * 400_000)}]"), "$[*]"),
    "deep": (nested(900), "$..*"),
    "deep and wide": (nested(90, ",".join(["[]"] * 200_000)), "$..*..[?@.a > 1]"),
    "deep, thrice": (nested(95), "$..*..*..*"),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_no_answer_makes_a_search_long(kind: str) -> None:
    data, path = BOMBS[kind]
    began = time.monotonic()
    with pytest.raises(ProbeError) as caught:
        found(path, data)
    assert time.monotonic() - began < 2
    assert caught.value.failure.kind == "local_limit"


def test_large_answers_are_searched_all_the_same() -> None:
    data = {"items": [{"id": n, "on": n % 2 == 0} for n in range(10_000)]}
    assert len(found("$.items[?@.on == true].id", data)) == 5_000
    assert found("$.items[9999].id", data) == 9_999
    assert found("$[0][0]", nested(900)) == nested(898)
