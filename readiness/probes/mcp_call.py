"""Whether one declared MCP tool does its work: it is called, timed, and its result looked at."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from pydantic import Field, SecretStr, field_validator

from readiness.estimate import quantile
from readiness.failure import Failure, ProbeError
from readiness.inventory import REFERENCE, Expect, Service, Tier
from readiness.inventory.expectation import JsonPath, Matched
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings, _mcp_schema
from readiness.probes._few import few
from readiness.probes._mcp_headers import parameter_headers
from readiness.probes._mcp_http import Endpoint, Reply, credentials, said
from readiness.probes._mcp_listing import shown
from readiness.probes._mcp_message import Agreed
from readiness.probes._mcp_result import texts, unmet
from readiness.probes._mcp_schema import Steps, TooMuch, require_jsonschema
from readiness.probes.mcp_tools import read_tools

TIER: Tier = "observe"
KINDS = frozenset({"mcp"})
EXCLUSIVE = True
METRICS: Mapping[str, str] = {
    "tool_listed": "true or false: the declared tool is offered",
    "read_only": "true or false: the tool only reads, as the server or the inventory says",
    "succeeded": "true or false: each call has a result that reports no error",
    "has_output_schema": "true or false: the tool says what its result is like",
    "output_valid": "true or false: the structured result is as the tool's outputSchema has it",
    "as_expected": "true or false: the result is as declared",
    "p50_ms": "ms: median of the calls, request sent to last byte; of tools that only read",
    "result_bytes": "bytes: size of the first answer",
}
_MOST_SAMPLES = 20
_SHARE = 0.5
"""Of the time left to the deadline, the part that sampling may take."""


class Settings(ProbeSettings):
    """Which tool to call, with what, and what must come back."""

    tool: str = Field(min_length=1, max_length=200, description="the tool's name")
    arguments: Mapping[str, Any] = Field(default_factory=dict, description="its arguments")
    read_only: bool = Field(
        False, description="true: it only reads, though the server does not say so"
    )
    text: str | None = Field(None, description="what a text of the result contains")
    result: Mapping[JsonPath, Matched] = Field(
        default_factory=dict,
        description="JSONPath in the structured result -> what is found there",
    )
    headers: Mapping[str, SecretStr] = Field(
        default_factory=dict,
        description="headers to send, such as Authorization; those of mcp_handshake if left out",
    )

    @field_validator("result")
    @classmethod
    def _plain(cls, result: Mapping[str, Matched]) -> Mapping[str, Matched]:
        if any(REFERENCE.search(f"{one.equals} {one.contains}") for one in result.values()):
            raise ValueError("refers to a variable, and only journeys have those. Write the value")
        return result

    @property
    def expect(self) -> Expect:
        """The declared conditions on the structured result."""
        return Expect.model_validate({"json": self.result})


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Call the tool once, and again to time it if it only reads.

    A tool that may change things needs the tier `write`, and is called only once.
    """
    require_jsonschema()
    endpoint = Endpoint(service, context, credentials(service, settings.headers))
    agreed = await endpoint.negotiate()
    try:
        tool = (await read_tools(endpoint, agreed)).find(settings.tool)
        if tool is None:
            return _unlisted(settings.tool)
        read_only = _only_reads(tool, settings)
        if not read_only and "write" not in context.allowed:
            because = f"{shown(settings.tool)} is not said to only read, so it needs the write tier"
            raise ProbeError("not_allowed", because)
        return await _called(endpoint, agreed, tool, settings, context, read_only=read_only)
    finally:
        await endpoint.close()


def _unlisted(name: str) -> Values:
    because = f"{shown(name)} is not among the tools"
    values: Values = {"tool_listed": False, "has_output_schema": False, "read_only": False}
    return values | {f"{metric}_because": because for metric in values}


def _only_reads(tool: Mapping[str, Any], settings: Settings) -> bool:
    """Whether the server says so; or the inventory does, where the server does not deny it."""
    hints = tool.get("annotations")
    hints = hints if isinstance(hints, dict) else {}
    denied = hints.get("readOnlyHint") is False or hints.get("destructiveHint") is True
    return not denied and (hints.get("readOnlyHint") is True or settings.read_only)


async def _called(
    endpoint: Endpoint,
    agreed: Agreed,
    tool: Mapping[str, Any],
    settings: Settings,
    context: Context,
    *,
    read_only: bool,
) -> Values:
    params = {"name": settings.tool, "arguments": dict(settings.arguments)}
    headers = parameter_headers(tool, settings.arguments) if agreed.modern else {}

    async def call() -> Reply | Failure:
        return await endpoint.attempt("tools/call", params, agreed.version, headers)

    first = await call()
    values: Values = {"tool_listed": True, "read_only": read_only}
    values["has_output_schema"] = isinstance(tool.get("outputSchema"), dict)
    if isinstance(first, Reply):
        values["result_bytes"] = len(first.answer.body)
    if _result(first).get("resultType") == "input_required":
        because = "not tested: the tool asks its caller for more before it answers"
        untold = ("succeeded", "output_valid", "as_expected", "p50_ms")
        return values | {f"{metric}_because": because for metric in untold}
    if not read_only:
        values["read_only_because"] = "a tool that may change things is called once, so not timed"
    replies = [first] + (await _again(call, context) if read_only and _fine(first) else [])
    values |= _success(replies) | _judged(first, tool, settings)
    if read_only and values["succeeded"]:
        times = [reply.ms for reply in replies[1:] if isinstance(reply, Reply)]
        values["p50_ms"] = quantile(times, 0.5, context.sides("p50_ms"))
    return values


async def _again(
    call: Callable[[], Awaitable[Reply | Failure]], context: Context
) -> list[Reply | Failure]:
    """Call again and again, up to half of the time that is left."""
    clock = asyncio.get_running_loop().time
    began = clock()
    give_up = began + _SHARE * (context.deadline - began)
    replies: list[Reply | Failure] = []
    while len(replies) < min(context.samples, _MOST_SAMPLES) and clock() < give_up:
        replies.append(await call())
    return replies


def _result(reply: Reply | Failure) -> Mapping[str, Any]:
    """Return the result, an empty one where there is none."""
    return reply.result or {} if isinstance(reply, Reply) else {}


def _fine(reply: Reply | Failure) -> bool:
    answered = isinstance(reply, Reply) and reply.result is not None
    return answered and _result(reply).get("isError") is not True


def _success(replies: list[Reply | Failure]) -> Values:
    failed = [reply for reply in replies if not _fine(reply)]
    if not failed:
        return {"succeeded": True}
    reports = _result(failed[0]).get("isError") is True
    got = "a result that reports an error" if reports else said(failed[0])
    calls = f"{len(failed)} of {len(replies)} calls" if len(replies) > 1 else "the call"
    return {"succeeded": False, "succeeded_because": f"{calls} got {got}"}


def _judged(first: Reply | Failure, tool: Mapping[str, Any], settings: Settings) -> Values:
    """Look at the first result: by the tool's own schema, and by what is declared."""
    result = _result(first)
    if not _fine(first):
        because = "not tested: the call got no result to look at"
        return {"output_valid_because": because, "as_expected_because": because}
    values: Values = {}
    if isinstance(tool.get("outputSchema"), dict):
        values |= _output(result, tool["outputSchema"])
    missing = few(_missing(result, settings))
    if settings.text is not None or settings.result:
        values["as_expected"] = not missing
    return values | ({"as_expected_because": missing} if missing else {})


def _missing(result: Mapping[str, Any], settings: Settings) -> Iterator[str]:
    if settings.text is not None and not any(settings.text in text for text in texts(result)):
        yield "no text of the result contains what was expected"
    if settings.result:
        yield from unmet(settings.expect, result)


def _output(result: Mapping[str, Any], schema: Mapping[str, Any]) -> Values:
    if "structuredContent" not in result:
        because = "the result has no structuredContent"
        return {"output_valid": False, "output_valid_because": because}
    try:
        where = _mcp_schema.breach(result["structuredContent"], schema, Steps())
    except TooMuch as error:
        return {"output_valid_because": f"not tested: {error}"}
    if where is None:
        return {"output_valid": True}
    return {"output_valid": False, "output_valid_because": f"breaks the outputSchema {where}"}
