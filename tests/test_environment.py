import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.document.environment import Missing, StandIns, substitute

ENVIRON = {"A": "a", "B": "b", "EMPTY": "", "DOLLAR": "${A}", "YAML": "[1, !!x {"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("${A}", "a"),
        ("$A-$B", "a-b"),
        ("x${A}${B}y", "xaby"),
        ("${EMPTY}", ""),
        ("${NONE:-d}", "d"),
        ("${NONE-d}", "d"),
        ("${NONE:-}", ""),
        ("${A:-d}", "a"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${A:?needed}", "a"),
        ("${EMPTY?needed}", ""),
        ("${A:+set}", "set"),
        ("${EMPTY:+set}", ""),
        ("${EMPTY+set}", "set"),
        ("${NONE+set}", ""),
        ("${NONE:-${A}/${NONE:-${B}}}", "a/b"),
        ("${A:-${NONE}}", "a"),
        ("${NONE:-http://u:p@h:1/?q=}", "http://u:p@h:1/?q="),
        ("${NONE:-$$}", "$"),
        ("$$", "$"),
        ("$${A}", "${A}"),
        ("pa$$word", "pa$word"),
        ("$.access_token", "$.access_token"),
        ("cost: 5$", "cost: 5$"),
        ("${DOLLAR}", "${A}"),
        ("${YAML}", "[1, !!x {"),
    ],
)
def test_variables_are_filled_in_as_compose_does(text: str, filled: str) -> None:
    assert substitute({"k": [text]}, ENVIRON) == ({"k": [filled]}, {}, [])


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("${NONE}", [Missing("NONE")]),
        ("$NONE/${OTHER}/$NONE", [Missing("NONE"), Missing("OTHER")]),
        ("${NONE:?say why}", [Missing("NONE", "say why")]),
        ("${EMPTY:?}", [Missing("EMPTY")]),
        ("${NONE:-${OTHER}}", [Missing("OTHER")]),
        ("${A:+${OTHER}}", [Missing("OTHER")]),
    ],
)
def test_what_is_missing_is_named_and_the_text_left(text: str, missing: list[Missing]) -> None:
    assert substitute({"k": text}, ENVIRON) == ({"k": text}, {("k",): missing}, [])


@pytest.mark.parametrize("text", ["${", "${}", "${A", "${1}", "${A b}", "${A:b}", "${NONE:-${A}"])
def test_braces_that_cannot_be_read_are_told(text: str) -> None:
    _, _, told = substitute({"k": text}, ENVIRON)
    assert [str(one) for one in told] == ["'k' has a ${ that cannot be read."]
    assert told[0].fix == "Write $$ for a dollar, or ${NAME}."


def test_nesting_has_an_end() -> None:
    _, _, told = substitute("${X:-" * 10_000 + "}" * 10_000, {})
    assert "nests variables too deep" in str(told[0])


def test_a_control_character_from_outside_is_told_without_the_value() -> None:
    _, _, told = substitute({"k": "${A}"}, {"A": "secret\x1b[31m"})
    assert str(told[0]) == "'k' has a control character in the value of its variable."


def test_only_texts_are_touched() -> None:
    data = {"$A": 1, "b": None, "c": [True, 1.5, {"d": "plain"}]}
    assert substitute(data, ENVIRON) == (data, {}, [])


def test_many_references_take_no_second() -> None:
    start = time.process_time()
    substitute("${A:-x}" * 140_000, {})
    assert time.process_time() - start < 2


@given(st.text("${}:-?+AB_x. ", max_size=60))
def test_any_text_is_filled_missing_or_told(text: str) -> None:
    filled, missing, told = substitute(text, {"A": "a"})
    assert isinstance(filled, str)
    assert filled == text or not (missing or told)


def test_stand_ins_come_to_an_end() -> None:
    stand_ins = StandIns({"a": {"b": "${X}"}, "c": ["${Y}", 2]})
    seen = []
    while stand_ins.advance([("a", "b"), ("c", 0)]):
        seen.append(stand_ins.data)
    assert seen[0] == {"a": {"b": "1"}, "c": ["1", 2]}
    assert seen[-1]["a"] == {}
    assert len(seen[-1]["c"]) == 2
