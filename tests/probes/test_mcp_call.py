import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from readiness.estimate import Estimate
from readiness.inventory import Service
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes.mcp_call import METRICS, Settings, measure
from tests.mcp_servers import LEGACY, MODERN, Sound, hosting, of_2025, sdk, tool
from tests.servers import response, serving
from tests.states import judged, measured, troubled, unknown

pytestmark = pytest.mark.anyio
READS = {"annotations": {"readOnlyHint": True}}
TOTAL = {"type": "object", "properties": {"total": {"type": "integer"}}, "required": ["total"]}


def service(port: int, **settings: Any) -> Service:
    url = SecretStr(f"http://127.0.0.1:{port}/mcp")
    return Service(name="tools", kind="mcp", url=url, probes={"mcp_call": settings})


async def probe(port: int, context: Context, **settings: Any) -> Values:
    return await measure(service(port), Settings(**settings), context)


class Calling(Sound):
    """Answers tools/call with `content`, and keeps what it was asked."""

    def __init__(self, result: Any, era: str = MODERN, **fields: Any) -> None:
        super().__init__(era, [tool(**{**READS, **fields})])
        self.given = result
        self.asked: list[Mapping[str, Any]] = []

    def called(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append(params)
        found: dict[str, Any] = self.given
        return found


async def found(sound: Sound, context: Context, **settings: Any) -> tuple[set[str], set[str]]:
    """Return the checks that fail or warn, and those that stay unknown."""
    async with serving(sound.web) as port:
        one = service(port, **{"tool": "search", **settings})
        findings = await judged(one, context, ["mcp_call"])
    for finding in findings.values():
        assert "s3cret" not in finding.because
        assert len(finding.because) < 300
    return troubled(findings), unknown(findings)


# The SDK's own server


@pytest.fixture(scope="module", params=[MODERN, LEGACY])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    app = sdk().streamable_http_app()
    with hosting(app if request.param == MODERN else of_2025(app)) as port:
        yield port


ADD = {"tool": "add", "arguments": {"a": 19, "b": 23}}


async def test_a_tool_that_works(port: int, context: Context) -> None:
    values = await probe(port, context, **ADD, text="42", result={"$.total": 42})
    assert set(values) == set(METRICS)
    held = {name for name, value in values.items() if value is True}
    assert held == set(METRICS) - {"p50_ms", "result_bytes"}
    p50 = values["p50_ms"]
    assert isinstance(p50, Estimate)
    assert p50.n == 20
    assert p50.value and p50.value > 0
    findings = await judged(service(port, **ADD, result={"$.total": 42}), context, ["mcp_call"])
    assert troubled(findings) == unknown(findings) == set()


async def test_a_tool_that_fails(port: int, context: Context) -> None:
    findings = await judged(service(port, tool="fail"), context, ["mcp_call"])
    assert troubled(findings) == {"mcp-call-succeeds"}
    because = "the call got a result that reports an error"
    assert findings["mcp-call-succeeds"].because == because


async def test_arguments_that_the_tool_does_not_take(port: int, context: Context) -> None:
    one = service(port, tool="add", arguments={"a": "s3cret"})
    findings = await judged(one, context, ["mcp_call"])
    assert troubled(findings) == {"mcp-call-succeeds"}


async def test_what_may_change_things_needs_the_write_tier(port: int, context: Context) -> None:
    echo = {"tool": "echo", "arguments": {"text": "hello"}}
    watching = replace(context, allowed=frozenset({"observe", "load"}))
    refused = await measured(service(port, **echo), "mcp_call", watching)
    assert refused.failure and refused.failure.kind == "not_allowed"
    vouched = await probe(port, watching, **echo, read_only=True)
    assert vouched["read_only"] is True
    assert "p50_ms" in vouched
    written = await probe(port, context, **echo)
    assert written["read_only"] is False
    assert "p50_ms" not in written


# Tools that do wrong


GOOD = {"content": [{"type": "text", "text": "found 42"}], "structuredContent": {"total": 42}}


@pytest.mark.parametrize("era", [MODERN, LEGACY])
@pytest.mark.parametrize(
    ("result", "checks"),
    [
        (GOOD, set()),
        ({**GOOD, "isError": True}, {"mcp-call-succeeds"}),
        ({"content": GOOD["content"]}, {"mcp-call-output", "mcp-call-expected"}),
        ({**GOOD, "structuredContent": {"total": "42"}}, {"mcp-call-output", "mcp-call-expected"}),
        ({**GOOD, "structuredContent": {"total": 7}}, {"mcp-call-expected"}),
        ({**GOOD, "content": []}, {"mcp-call-expected"}),
    ],
)
async def test_each_wrong_result_is_caught_by_its_check(
    result: Any, checks: set[str], era: str, context: Context
) -> None:
    sound = Calling(result, era, outputSchema=TOTAL)
    troubles, unknowns = await found(sound, context, text="42", result={"$.total": 42})
    assert troubles == checks
    assert unknowns == (
        {"mcp-call-output", "mcp-call-expected", "mcp-call-p50"} if "isError" in result else set()
    )


async def test_a_tool_that_is_gone_is_not_called(context: Context) -> None:
    sound = Calling(GOOD)
    assert await found(sound, context, tool="s\u202egone", text="x") == ({"mcp-call-listed"}, set())
    assert sound.asked == []


async def test_a_tool_said_to_write_is_not_taken_at_the_users_word(context: Context) -> None:
    watching = replace(context, allowed=frozenset({"observe"}))
    for hints in ({"readOnlyHint": False}, {"destructiveHint": True}):
        sound = Calling(GOOD, annotations=hints)
        troubles, unknowns = await found(sound, watching, read_only=True)
        assert not troubles
        assert unknowns == {
            *("mcp-call-listed", "mcp-call-succeeds", "mcp-call-output", "mcp-call-p50"),
        }
        assert sound.asked == []


async def test_what_may_change_things_is_called_once(context: Context) -> None:
    sound = Calling(GOOD, annotations=None)
    assert await found(sound, context) == (set(), set())
    assert len(sound.asked) == 1


async def test_calls_that_fail_now_and_then(context: Context) -> None:
    class Flaky(Calling):
        def called(self, params: Mapping[str, Any]) -> dict[str, Any]:
            super().called(params)
            return {**GOOD, "isError": len(self.asked) % 7 == 0}

    async with serving(Flaky(GOOD).web) as port:
        values = await probe(port, context, tool="search")
    assert values["succeeded"] is False
    assert values["succeeded_because"] == "3 of 21 calls got a result that reports an error"


async def test_a_tool_that_asks_back_is_not_tested(context: Context) -> None:
    asks = {"resultType": "input_required", "inputRequests": {}, "requestState": "s3cret"}
    troubles, unknowns = await found(Calling(asks, outputSchema=TOTAL), context, text="x")
    assert troubles == set()
    assert unknowns == {
        *("mcp-call-succeeds", "mcp-call-output", "mcp-call-expected", "mcp-call-p50")
    }


@pytest.mark.parametrize(
    "answer",
    [
        response(500, "Traceback s3cret", "text/plain"),
        response(200, "<html>", "text/html"),
        response(200, json.dumps({"jsonrpc": "2.0", "id": 99, "result": {}})),
        response(200, json.dumps({"jsonrpc": "2.0", "id": 3, "error": {"code": -32603}})),
    ],
)
async def test_no_result_is_no_success(answer: bytes, context: Context) -> None:
    class Broken(Calling):
        def dispatched(self, identity: Any, method: str, params: Any) -> bytes:
            if method == "tools/call":
                return answer
            return super().dispatched(identity, method, params)

    troubles, _ = await found(Broken(GOOD), context)
    assert troubles == {"mcp-call-succeeds"}


async def test_a_schema_made_to_hold_us_up_does_not(context: Context) -> None:
    links = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(40)}
    schema = {"type": "object", "$ref": "#/$defs/a0", "$defs": {**links, "a40": {}}}
    began = time.monotonic()
    outcome = await found(Calling(GOOD, outputSchema=schema), context)
    assert outcome == (set(), {"mcp-call-output"})
    assert time.monotonic() - began < 5


async def test_a_call_that_never_ends(context: Context) -> None:
    class Left(Calling):
        def dispatched(self, identity: Any, method: str, params: Any) -> bytes:
            return b"" if method == "tools/call" else super().dispatched(identity, method, params)

    async with serving(Left(GOOD).web) as port:
        one = service(port, tool="search")
        findings = await judged(one, replace(context, timeout=0.3), ["mcp_call"])
    assert troubled(findings) == {"mcp-call-succeeds"}
    assert findings["mcp-call-succeeds"].because == "the call got no answer (timeout)"


# What is sent


async def test_arguments_are_sent_as_headers_where_the_tool_wants_them(context: Context) -> None:
    marked = {"type": "string", "x-mcp-header": "Region"}
    more = {"type": "object", "properties": {"deep": {"type": "boolean", "x-mcp-header": "Deep"}}}
    schema = {"type": "object", "properties": {"region": marked, "more": more, "n": {}}}
    sound = Calling(GOOD, name="söarch", inputSchema=schema)
    arguments = {"region": " Zürich", "more": {"deep": True}, "n": 1}
    async with serving(sound.web) as port:
        await probe(port, context, tool="söarch", arguments=arguments)
    sent = next(r.headers for r in sound.web.requests if b"tools/call" in r.body)
    assert sent["mcp-name"] == "=?base64?c8O2YXJjaA==?="
    assert sent["mcp-param-region"] == "=?base64?IFrDvHJpY2g=?="
    assert sent["mcp-param-deep"] == "true"
    assert "mcp-param-n" not in sent
    assert sound.asked[0]["arguments"] == arguments


def test_settings_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ValidationError, match="only journeys have those"):
        Settings.model_validate({"tool": "a", "result": {"$.a": "{{token}}"}})
    with pytest.raises(ValidationError):
        Settings.model_validate({"arguments": {}})
