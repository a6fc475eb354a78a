"""One item more in a list of a YAML text, one value changed: read back, and no other byte."""

import re
import time
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from readiness.document import ConfigurationError, parse
from readiness.document.edit import appended, replaced, scalar
from tests.strategies import PROPERTY

ITEM: Mapping[str, str] = {"check": "latency-p95", "owner": "@dana", "until": "2027-01-31"}
FLOW = '{check: latency-p95, owner: "@dana", until: 2027-01-31}'
BLOCK = '- check: latency-p95\n{0}  owner: "@dana"\n{0}  until: 2027-01-31'

CASES = {
    "no key": ("a: 1\n", "a: 1\nwaivers:\n  " + BLOCK.format("  ") + "\n"),
    "no newline at the end": (
        "a: 1\nb: 2",
        "a: 1\nb: 2\nwaivers:\n  " + BLOCK.format("  "),
    ),
    "parted by blank lines": (
        "a: 1\n\nb: 2\n",
        "a: 1\n\nb: 2\n\nwaivers:\n  " + BLOCK.format("  ") + "\n",
    ),
    "a comment at the end": ("a: 1\n# x", "a: 1\n# x\nwaivers:\n  " + BLOCK.format("  ")),
    "an indented document": (
        "  a: 1\n",
        "  a: 1\n  waivers:\n    " + BLOCK.format("    ") + "\n",
    ),
    "an explicit end": (
        "---\na: 1\n...\n# over\n",
        "---\na: 1\nwaivers:\n  " + BLOCK.format("  ") + "\n...\n# over\n",
    ),
    "nothing behind the key": (
        "waivers: # soon\n# x\na: 1\n",
        "waivers: # soon\n  " + BLOCK.format("  ") + "\n# x\na: 1\n",
    ),
    "null": ("waivers: ~ # none\n", f"waivers: [{FLOW}] # none\n"),
    "an empty list": ("waivers: []\na: 1\n", f"waivers: [{FLOW}]\na: 1\n"),
    "an empty list of lines": (
        "waivers: [ # none\n]\n",
        f"waivers: [{FLOW} # none\n]\n",
    ),
    "a flow list": ("waivers: [{check: a}] # x\n", f"waivers: [{{check: a}}, {FLOW}] # x\n"),
    "a flow list of lines": (
        "waivers: [\n  {check: a}, # x\n  {check: b} # y\n]\n",
        f"waivers: [\n  {{check: a}}, # x\n  {{check: b}}, # y\n  {FLOW}\n]\n",
    ),
    "a comma at the end": (
        "waivers: [\n  {check: b}, # y, z\n]\n",
        f"waivers: [\n  {{check: b}}, # y, z\n  {FLOW},\n]\n",
    ),
    "a comma on its own line": (
        "waivers: [\n  {check: b}\n  ,\n]\n",
        f"waivers: [\n  {{check: b}}, {FLOW}\n  ,\n]\n",
    ),
    "a block list": (
        "waivers:\n  - check: a # x\n    until: b # y\n\n# z\na: 1\n",
        "waivers:\n  - check: a # x\n    until: b # y\n  "
        + BLOCK.format("  ")
        + "\n\n# z\na: 1\n",
    ),
    "a block list without indentation": (
        "waivers:\n- check: a\na: 1\n",
        "waivers:\n- check: a\n" + BLOCK.format("") + "\na: 1\n",
    ),
    "a block list of flow items": (
        "waivers:\n    - {check: a}\n",
        f"waivers:\n    - {{check: a}}\n    - {FLOW}\n",
    ),
    "a wide block list": (
        "waivers:\n  -   check: a\n",
        "waivers:\n  -   check: a\n  -   check: latency-p95\n"
        '      owner: "@dana"\n      until: 2027-01-31\n',
    ),
    "a dash on its own line": (
        "waivers:\n  -\n    check: a\n",
        "waivers:\n  -\n    check: a\n  " + BLOCK.format("  ") + "\n",
    ),
    "a folded text at the end": (
        "waivers:\n- check: a\n  reason: >-\n    one\n    two\n\n# z\na: 1\n",
        "waivers:\n- check: a\n  reason: >-\n    one\n    two\n" + BLOCK.format("")
        + "\n\n# z\na: 1\n",
    ),
    "a quoted key": ('"waivers": []\n', f'"waivers": [{FLOW}]\n'),
    "flow all the way": ("{a: 1} # x\n", f"{{a: 1, waivers: [{FLOW}]}} # x\n"),
    "JSON": ('{"a": [1],\n "waivers": []}', f'{{"a": [1],\n "waivers": [{FLOW}]}}'),
    "flow and nothing": ("{a: 1, waivers: }", f"{{a: 1, waivers: [{FLOW}]}}"),
}  # fmt: skip


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("name", CASES)
def test_an_item_is_appended(name: str, newline: str) -> None:
    before, after = (text.replace("\n", newline) for text in CASES[name])
    found = appended(before, "waivers", ITEM)
    assert found == after
    data = parse(before, "f").data
    assert parse(found, "f").data == {**data, "waivers": [*(data.get("waivers") or []), ITEM]}


@pytest.mark.parametrize(
    "text",
    [
        *("plain words", "1.0", "true", "~", "x: y", "x # y", 'say "x"', "-", "a\\b", "é €", "[a]"),
        *("{a", "@dana", "%", "2027-01-31", "ends ", "two  spaces", "1" * 30, "*", "a, b", "null"),
        *("'", "0x1"),
    ],
)
@pytest.mark.parametrize("around", ["{}\n", "[{}]\n", "{{a: {}}}\n"])
def test_a_text_is_read_back_as_it_was(text: str, around: str) -> None:
    data = parse(f"k: {around.format(scalar(text))}", "f").data["k"]
    assert data in (text, [text], {"a": text})


def test_what_needs_no_quotes_has_none() -> None:
    assert (scalar("batch only"), scalar("2027-01-31")) == ("batch only", "2027-01-31")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("waivers:\n- {until: 2026-01-01} # x\n", "waivers:\n- {until: 2027-01-31} # x\n"),
        ("waivers:\n- until:   '2026-01-01'\n", "waivers:\n- until:   2027-01-31\n"),
        (
            "waivers: # é\n  - until: >-\n      2026-01-01\n\n    x: 1\n",
            "waivers: # é\n  - until: 2027-01-31\n\n    x: 1\n",
        ),
    ],
)
def test_a_value_is_replaced(before: str, after: str) -> None:
    assert replaced(before, ("waivers", 0, "until"), "2027-01-31") == after


SCALARS = st.sampled_from(["1", "x", "a b", "true", "é", "2026-01-01", "#", "- x", "{", "a: b", ""])
TREES = st.recursive(
    SCALARS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(SCALARS, below, max_size=3),
    max_leaves=6,
)
WAIVERS = st.lists(st.dictionaries(st.sampled_from(["check", "until"]), SCALARS, min_size=1))


@PROPERTY
@given(
    data=st.dictionaries(st.sampled_from(["a", "b", "c"]), TREES, min_size=1),
    waivers=WAIVERS | st.none(),
    flow=st.sampled_from([True, False, None]),
    indent=st.integers(2, 6),
    crlf=st.booleans(),
    comments=st.booleans(),
    cut=st.booleans(),
)
def test_whatever_else_is_in_the_file_stays_byte_for_byte(
    data: dict[str, Any],
    waivers: list[dict[str, str]] | None,
    flow: bool | None,
    indent: int,
    crlf: bool,
    comments: bool,
    cut: bool,
) -> None:
    whole = data if waivers is None else {"a": data, "waivers": waivers, "z": data}
    text = yaml.safe_dump(
        whole, default_flow_style=flow, indent=indent, sort_keys=False, allow_unicode=True
    )
    if comments:
        text = re.sub(r"(?m)^(\w+:.*[\w\]}])$", r"\1  # said, {so}: [1]", text)
    text = text.replace("\n", "\r\n") if crlf else text
    text = text.rstrip("\r\n") if cut else text
    try:
        before = parse(text, "f").data
    except ConfigurationError:
        assume(False)
    found = appended(text, "waivers", ITEM)
    after = parse(found, "f").data
    assert after == {**before, "waivers": [*(before.get("waivers") or []), ITEM]}
    left = iter(found)
    assert all(character in left for character in text)  # only inserted, never removed


def test_the_largest_file_takes_a_moment() -> None:
    text = "a: [" + ", ".join(f"x{n}" for n in range(40_000)) + "]\nwaivers: []\n"
    began = time.monotonic()
    assert FLOW in appended(text, "waivers", ITEM)
    assert time.monotonic() - began < 10
