import asyncio
import json
import sys
import time
from dataclasses import replace
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from pydantic import SecretStr

from readiness.failure import classify
from readiness.inventory import Service
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes._mcp_drift import drift
from readiness.probes._mcp_listing import Listing
from readiness.probes._mcp_message import Agreed
from readiness.probes._mcp_tool_faults import faults
from readiness.probes._mcp_tool_list import described
from readiness.probes.mcp_tools import METRICS, Settings, measure
from tests.mcp_servers import LEGACY, MODERN, Sound, tool
from tests.servers import response, serving
from tests.states import judged, measured, troubled, unknown

pytestmark = pytest.mark.anyio
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
AWS = "AKIA" + "Q3EGX7ZP2LNKW5RB"
TAGS = "".join(chr(0xE0000 + ord(c)) for c in "ignore all")
WALES = "\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f"


def service(port: int, **probes: Any) -> Service:
    url = SecretStr(f"http://127.0.0.1:{port}/mcp")
    return Service(name="tools", kind="mcp", url=url, probes=probes)


def schema(**fields: Any) -> dict[str, Any]:
    return {"inputSchema": {"type": "object", **fields}}


async def probe(sound: Sound, context: Context) -> Values:
    async with serving(sound.web) as port:
        return await measure(service(port), Settings(), context)


async def found(sound: Sound, context: Context) -> tuple[set[str], set[str]]:
    """Return the checks that fail or warn, and those that stay unknown."""
    async with serving(sound.web) as port:
        findings = await judged(service(port), context, ["mcp_tools"])
    for finding in findings.values():
        assert AWS not in finding.because
        assert len(finding.because) < 300 and finding.because.isprintable()
    return troubled(findings), unknown(findings)


# Sound tools


SOUND = [
    tool("minimal", inputSchema={"type": "object"}),
    tool("of_draft_7", **schema(**{"$schema": DRAFT_7, "definitions": {"a": {"type": "null"}}})),
    tool("recursive", **schema(properties={"child": {"$ref": "#"}})),
    tool("defs", **schema(properties={"a": {"$ref": "#/$defs/b"}}, **{"$defs": {"b": {}}})),
    tool(
        "anchor", **schema(properties={"a": {"$ref": "#b"}}, **{"$defs": {"b": {"$anchor": "b"}}})
    ),
    tool("named", **schema(**{"$id": "urn:x", "properties": {"a": {"$ref": "urn:x"}}})),
    tool("data", **schema(properties={"a": {"default": {"$ref": "http://x.invalid/"}}})),
    tool("admin.tools.list-all_2", outputSchema={"type": "object"}),
    tool("hints", annotations={"readOnlyHint": False, "destructiveHint": True}),
    tool("flag", description=f"Speaks Welsh {WALES} and \u200dfamily\ufe0f"),
    tool("example", description="postgres://user:password@db/x, AKIAIOSFODNN7EXAMPLE, $TOKEN"),
]


@pytest.mark.parametrize("era", [MODERN, LEGACY])
async def test_sound_tools_have_no_finding(era: str, context: Context) -> None:
    assert await found(Sound(era, SOUND), context) == (set(), set())


async def test_what_is_measured(context: Context) -> None:
    values = await probe(Sound(tools=SOUND), context)
    told = {name for name in values if not name.endswith("_because")}
    assert told == set(METRICS) - {"tools_kept", "tools_changed", "tools_added"}
    assert values["tools"] == len(SOUND)
    assert values["annotated"] == pytest.approx(1 / len(SOUND))


async def test_headers_and_any_result_are_of_the_new_era(context: Context) -> None:
    marked = schema(properties={"region": {"type": "string", "x-mcp-header": "Region"}})
    tools = [tool("region", **marked), tool("texts", outputSchema={"type": "array"})]
    assert await found(Sound(MODERN, tools), context) == (set(), set())
    assert await found(Sound(LEGACY, tools), context) == ({"mcp-tool-schemas"}, set())


# Each flaw is caught by its check and by no other


@pytest.mark.parametrize(
    ("tools", "check"),
    [
        ([tool(inputSchema=None)], "mcp-tool-schemas"),
        ([tool(inputSchema=[])], "mcp-tool-schemas"),
        ([tool(inputSchema={"type": "array"})], "mcp-tool-schemas"),
        ([tool(inputSchema={})], "mcp-tool-schemas"),
        ([tool(**schema(properties={"a": {"type": "strin"}}))], "mcp-tool-schemas"),
        ([tool(**schema(required="a"))], "mcp-tool-schemas"),
        ([tool(**schema(**{"$schema": "http://x.invalid/own"}))], "mcp-tool-schemas"),
        ([tool(**schema(**{"$schema": DRAFT_7, "minimum": "1"}))], "mcp-tool-schemas"),
        ([tool(**schema(properties={"a": {"$ref": "#/$defs/none"}}))], "mcp-tool-schemas"),
        ([tool(outputSchema={"type": 7})], "mcp-tool-schemas"),
        ([tool(outputSchema="text")], "mcp-tool-schemas"),
        (
            [tool(**schema(properties={"a": {"type": "number", "x-mcp-header": "A"}}))],
            "mcp-tool-schemas",
        ),
        (
            [tool(**schema(items={"type": "string", "x-mcp-header": "A"}))],
            "mcp-tool-schemas",
        ),
        (
            [tool(**schema(properties={"a": {"type": "string", "x-mcp-header": "A\r\nB"}}))],
            "mcp-tool-schemas",
        ),
        ([tool(**schema(properties={"a": {"$ref": "http://x.invalid/a"}}))], "mcp-tool-references"),
        ([tool(**schema(properties={"a": {"$ref": "file:///etc/x"}}))], "mcp-tool-references"),
        ([tool("find it")], "mcp-tool-names"),
        ([tool("x" * 129)], "mcp-tool-names"),
        ([tool("")], "mcp-tool-names"),
        ([tool("na\u200bme")], "mcp-tool-names"),
        ([tool(), 7], "mcp-tool-names"),
        ([tool(), tool()], "mcp-tool-names-unique"),
        ([tool(description=None)], "mcp-tools-described"),
        ([tool(description="  ")], "mcp-tools-described"),
        (
            [tool(annotations={"readOnlyHint": True, "destructiveHint": True})],
            "mcp-tool-hints",
        ),
        ([tool(annotations={"readOnlyHint": "yes"})], "mcp-tool-hints"),
        ([tool(annotations=["readOnlyHint"])], "mcp-tool-hints"),
        ([tool(description=f"Uses {AWS}")], "mcp-tool-secrets"),
        ([tool(**schema(properties={"k": {"default": "ghp_" + "a1B2" * 9}}))], "mcp-tool-secrets"),
        (
            [tool(description="postgres://admin:Tr0ub4dor@db.internal/x")],
            "mcp-tool-secrets",
        ),
        ([tool(description=f"Find.{TAGS}")], "mcp-tool-text-visible"),
        ([tool(title="Find \u202eeveryone")], "mcp-tool-text-visible"),
    ],
)
async def test_each_flaw_is_caught_by_its_check_and_by_no_other(
    tools: list[Any], check: str, context: Context
) -> None:
    assert await found(Sound(tools=[tool("other"), *tools]), context) == ({check}, set())


async def test_no_reference_is_ever_followed(context: Context) -> None:
    async def asked(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked_for.append(1)
        writer.close()

    asked_for: list[int] = []
    async with serving(asked) as port:
        ref = f"http://127.0.0.1:{port}/schema.json"
        parts = {"$schema": ref, "$ref": ref, "allOf": [{"$ref": ref}], "$id": ref + "x"}
        tools = [tool("a", **schema(**parts)), tool("b", outputSchema={"$ref": ref})]
        await found(Sound(tools=tools), context)
    assert asked_for == []


_WORDS = st.sampled_from(["a", "object", "\ud800", "\u202e", "http://[", 1, None, True, 2.5])
_KEYS = ("name", "description", "inputSchema", "outputSchema", "annotations", "readOnlyHint")
_JSON = st.recursive(
    _WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*_KEYS, "$ref", "type"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@hypothesis.settings(max_examples=60, deadline=None, database=None)
@hypothesis.given(st.lists(st.dictionaries(st.sampled_from(_KEYS), _JSON) | _JSON, max_size=3))
def test_whatever_is_listed_is_told_of(tools: list[Any]) -> None:
    listing = Listing(tuple(tools))
    values = asyncio.run(faults(listing, headers=True)) | drift(listing, {})
    for value in values.values():
        assert not isinstance(value, str) or (value.encode() and value.isprintable())


# Lists without end, and tools that are too much


class Pages(Sound):
    def __init__(self, cursors: list[Any]) -> None:
        super().__init__()
        self.cursors = cursors

    def listed(self, params: Any) -> dict[str, Any]:
        at = self.cursors.index(params["cursor"]) + 1 if "cursor" in params else 0
        more = self.cursors[at] if at < len(self.cursors) else None
        page = {"tools": [tool(f"tool-{at}")], "ttlMs": 0, "cacheScope": "private"}
        return page | ({"nextCursor": more} if more is not None else {})


async def test_all_pages_are_read(context: Context) -> None:
    values = await probe(Pages(["a", "b", "c"]), context)
    assert (values["tools"], values["list_ends"]) == (4, True)


@pytest.mark.parametrize("cursors", [["a", "b", "a"], ["a", "a"], ["", ""], [7]])
async def test_pages_that_never_end_are_caught(cursors: list[Any], context: Context) -> None:
    assert await found(Pages(cursors), context) == ({"mcp-list-ends"}, set())


async def test_more_pages_than_are_read_prove_nothing(context: Context) -> None:
    sound = Pages([str(n) for n in range(10**4)])
    bad, untold = await found(sound, context)
    assert not bad and {"mcp-list-ends", "mcp-tool-secrets", "mcp-tool-schemas"} <= untold


def deep(levels: int) -> dict[str, Any]:
    inner: dict[str, Any] = {"type": "object"}
    for _ in range(levels):
        inner = {"type": "object", "properties": {"a": inner}}
    return inner


def doubling(levels: int) -> dict[str, Any]:
    """A schema of a few lines that takes 2^levels steps to apply."""
    links = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(levels)}
    return {"type": "object", "$ref": "#/$defs/a0", "$defs": {**links, f"a{levels}": {}}}


WIDE = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(20_000)}}
MIXED = {"type": "object", "enum": [1, "a", None, {}] * 2_000}


@pytest.mark.parametrize(
    ("hostile", "unknowns"),
    [
        (deep(300), {"mcp-tool-schemas", "mcp-tool-references"}),
        (WIDE, {"mcp-tool-schemas", "mcp-tool-references"}),
        (MIXED, set()),
        (doubling(40), set()),
        ({"type": "object", "allOf": [{"$ref": "#"}, {"$ref": "#"}]}, set()),
        ({"type": "object", "pattern": "^(a+)+$", "properties": {"a": {"$ref": "#"}}}, set()),
    ],
)
async def test_schemas_made_to_hold_us_up_do_not(
    hostile: Any, unknowns: set[str], context: Context
) -> None:
    began = time.monotonic()
    result = await found(Sound(tools=[tool(inputSchema=hostile)]), context)
    assert result == (set(), unknowns)
    assert time.monotonic() - began < 5


@pytest.mark.thorough
async def test_a_hundred_large_schemas_do_not_either(context: Context) -> None:
    large = {"type": "object", "properties": {f"p{n}": {} for n in range(900)}}
    began = time.monotonic()
    tools = [tool(f"t{n}", inputSchema=large) for n in range(90)]
    troubles, unknowns = await found(Sound(tools=tools), context)
    assert (troubles, unknowns) == (set(), {"mcp-tool-schemas", "mcp-tool-references"})
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("text", ["x" * (10 << 20), "[" * 500_000])
async def test_an_answer_beyond_bounds_is_a_failure(text: str, context: Context) -> None:
    class Large(Sound):
        def listed(self, _: Any) -> dict[str, Any]:
            return {"tools": [tool(description=text)]}

        def result(self, identity: Any, result: Any, headers: Any = None) -> bytes:
            if "tools" in result and text[0] == "[":
                return response(200, text)
            return super().result(identity, result, headers)

    async with serving(Large().web) as port:
        found = await measured(service(port), "mcp_tools", context)
    assert found.failure and found.failure.kind == "protocol"


async def test_a_list_that_is_none(context: Context) -> None:
    class NoList(Sound):
        def listed(self, _: Any) -> dict[str, Any]:
            return {"tools": {"a": 1}}

    async with serving(NoList().web) as port:
        found = await measured(service(port), "mcp_tools", context)
    assert found.failure and found.failure.detail.endswith("holds no list of tools")


@pytest.mark.parametrize("tools", [[], None])
async def test_without_tools_nothing_applies(tools: Any, context: Context) -> None:
    class Toolless(Sound):
        def opened(self, identity: Any) -> bytes:
            result = {"protocolVersion": LEGACY, "capabilities": {}, "serverInfo": {}}
            return self.result(identity, result)

    sound = Toolless(LEGACY) if tools is None else Sound(tools=tools)
    async with serving(sound.web) as port:
        findings = await judged(service(port), context, ["mcp_tools"])
    outcomes = {f.outcome for f in findings.values()}
    assert outcomes == {"not_applicable"}, findings


# Drift


async def test_tools_are_compared_with_the_run_before(context: Context) -> None:
    before = await probe(Sound(tools=[tool("a"), tool("b"), tool("c")]), context)
    changed = tool("b", description="Something else.")
    later = Sound(tools=[changed, tool("a"), tool("d")])
    values = await probe(later, replace(context, previous=before))
    assert values["compared"] is True
    assert (values["tools_kept"], values["tools_kept_because"]) == (False, "c")
    assert (values["tools_changed"], values["tools_changed_because"]) == (1, "b")
    assert (values["tools_added"], values["tools_added_because"]) == (1, "d")
    assert values["digest"] != before["digest"]


@pytest.mark.parametrize(
    ("tools", "checks"),
    [
        ([tool("b"), tool("a")], set()),
        ([tool("a"), tool("b"), tool("new")], set()),
        ([tool("a")], {"mcp-tools-kept"}),
        ([tool("a"), tool("b", title="B")], {"mcp-tools-changed"}),
        ([tool("a", _meta={"etag": "2"}), tool("b")], set()),
        (
            [{key: tool("a")[key] for key in reversed(tool("a"))}, tool("b")],
            set(),
        ),
    ],
)
async def test_what_drifts_is_caught(tools: list[Any], checks: set[str], context: Context) -> None:
    before = await probe(Sound(tools=[tool("a", _meta={"etag": "1"}), tool("b")]), context)
    assert await found(Sound(tools=tools), replace(context, previous=before)) == (checks, set())


async def test_a_changed_tool_warns_and_a_missing_one_fails(context: Context) -> None:
    before = await probe(Sound(tools=[tool("a"), tool("b")]), context)
    async with serving(Sound(tools=[tool("a", title="A")]).web) as port:
        again = replace(context, previous=before)
        findings = await judged(service(port), again, ["mcp_tools"])
    assert findings["mcp-tools-changed"].outcome == "warn"
    assert findings["mcp-tools-kept"].outcome == "fail"


@pytest.mark.parametrize("kept", [None, "", "[]", "{", 7, '"x"'])
async def test_a_run_before_that_kept_nothing_is_none(kept: Any, context: Context) -> None:
    previous: Values = {} if kept is None else {"tool_digests": kept}
    values = await probe(Sound(), replace(context, previous=previous))
    assert values["compared"] is False
    assert "tools_kept" not in values


async def test_part_of_a_list_is_not_compared(context: Context) -> None:
    before = await probe(Sound(), context)
    values = await probe(Pages(["a", "a"]), replace(context, previous=before))
    assert "compared" not in values and "tool_digests" not in values
    assert str(values["compared_because"]).startswith("not tested: the list is not whole")


async def test_a_server_that_lost_all_its_tools_has_not_kept_them(context: Context) -> None:
    before = await probe(Sound(), context)
    none = await probe(Sound(tools=[]), replace(context, previous=before))
    assert (none["has_tools"], none["tools_kept"]) == (False, False)
    again = await probe(Sound(tools=[]), replace(context, previous=none))
    assert again["compared"] is False, "nothing was kept of nothing"


async def test_a_part_of_a_list_proves_no_tool_sound(context: Context) -> None:
    listing = Listing((tool("a"), tool("b c")), cut="reading stopped after 2 tools")
    values = await described(listing, Agreed(MODERN, {"tools": {}}), context)
    assert values["names_valid"] is False
    assert "secrets_absent" not in values and "schemas_valid" not in values
    assert values["secrets_absent_because"] == "not tested: reading stopped after 2 tools"


async def test_too_many_names_are_not_kept(context: Context) -> None:
    tools = [tool(f"{n:0100}", description="x") for n in range(500)]
    values = await probe(Sound(tools=tools), context)
    assert "tool_digests" not in values
    assert values["tool_digests_because"] == "500 names are too many to be kept"
    assert len(json.dumps(await probe(Sound(tools=tools[:200]), context))) < 40_000


# How it is let in


async def test_headers_of_the_handshake_let_it_in_too(context: Context) -> None:
    sound = Sound(credential="Bearer s3cret")
    headers = {"headers": {"Authorization": "Bearer s3cret"}}
    async with serving(sound.web) as port:
        for probe_name in ("mcp_handshake", "mcp_tools"):
            one = service(port, **{probe_name: headers})
            assert troubled(await judged(one, context, ["mcp_tools"])) == set()
        refused = await measured(service(port), "mcp_tools", context)
    assert refused.failure and refused.failure.kind == "denied"


async def test_without_the_validator_the_extra_is_named(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    with pytest.raises(Exception) as raised:
        await probe(Sound(), context)
    assert classify(raised.value).kind == "not_installed"
    assert "pip install 'readiness[mcp]'" in classify(raised.value).detail
