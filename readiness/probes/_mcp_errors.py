"""What an MCP endpoint makes of requests that break the rules, and of one for a stream."""

import json
from collections.abc import Mapping

from readiness.failure import Failure
from readiness.measurement import Values
from readiness.probes import _mcp_message
from readiness.probes._mcp_doors import Talk
from readiness.probes._mcp_http import Reply, limited, routing, said
from readiness.probes._mcp_message import (
    HANDSHAKE_VERSIONS,
    HEADER_SINCE,
    METHOD_NOT_FOUND,
    MODERN,
    PARSE_ERROR,
)

METRICS: Mapping[str, str] = {
    "unknown_method_refused": "true or false: an unknown method gets error -32601, in the era of "
    "discover with status 404",
    "malformed_refused": "true or false: a body that is no JSON gets a 4xx or error -32700",
    "has_version_header": "true or false: the version agreed on knows MCP-Protocol-Version",
    "version_refused": "true or false: a version that never was gets a 4xx",
    "modern": "true or false: it is of the era of discover, 2026-07-28 and later",
    "mismatch_refused": "true or false: Mcp-Method other than the body's method gets a 4xx",
    "get_answered": "true or false: GET opens a stream or is refused at once, as the era has it",
    "held_stream": "true or false: GET opens a stream",
}
_UNKNOWN_METHOD = "readiness/no-such-method"
_NEVER = "1900-01-01"
_CUT = b'{"jsonrpc": "2.0", "id": 1, "method": "tools/li'
_NUMBER = 1_000_001
"""Of requests that are written by hand."""


async def breaches(talk: Talk) -> Values:
    """Break one rule after another, each in a request of its own that would change nothing."""
    modern = talk.agreed.modern
    values = {"modern": modern} | await _unknown_method(talk) | await _malformed(talk)
    if (
        modern
        or talk.agreed.version in HANDSHAKE_VERSIONS[HANDSHAKE_VERSIONS.index(HEADER_SINCE) :]
    ):
        values |= {"has_version_header": True} | await _version(talk)
    else:
        because = f"version {talk.agreed.version} has no header for the version"
        values |= {"has_version_header": False, "has_version_header_because": because}
    if modern:
        headers = {"mcp-method": "tools/list"}
        reply = await talk.endpoint.attempt("server/discover", {}, MODERN, headers)
        values |= _told("mismatch_refused", _is_4xx(reply), reply, "a header of another method")
    return values | await _get(talk)


async def _unknown_method(talk: Talk) -> Values:
    reply = await talk.endpoint.attempt(_UNKNOWN_METHOD, {}, talk.agreed.version)
    message = None if isinstance(reply, Failure) else reply.message
    right = _mcp_message.error_code(message) == METHOD_NOT_FOUND
    if right and talk.agreed.modern and isinstance(reply, Reply):
        right = reply.answer.status == 404
    return _told("unknown_method_refused", right, reply, "a method that does not exist")


async def _malformed(talk: Talk) -> Values:
    fields = routing("tools/list", {}, talk.agreed.version)
    reply = await talk.endpoint.attempt_post(_CUT, 1, fields)
    coded = isinstance(reply, Reply) and _mcp_message.error_code(reply.message) == PARSE_ERROR
    orderly = coded and isinstance(reply, Reply) and reply.answer.status < 500
    return _told("malformed_refused", _is_4xx(reply) or orderly, reply, "a body cut off")


async def _version(talk: Talk) -> Values:
    version = talk.agreed.version
    message = json.dumps(_mcp_message.request(_NUMBER, talk.question, {}, version))
    fields = {**routing(talk.question, {}, version), "mcp-protocol-version": _NEVER}
    body = message.replace(version, _NEVER).encode()
    reply = await talk.endpoint.attempt_post(body, _NUMBER, fields)
    return _told("version_refused", _is_4xx(reply), reply, f"the version {_NEVER}")


async def _get(talk: Talk) -> Values:
    """Ask for the stream of the older era; the newer has none, and may say so in its own way."""
    headers = {"accept": "text/event-stream", "mcp-protocol-version": talk.agreed.version}
    answer = await talk.endpoint.attempt_get(headers)
    if isinstance(answer, Failure):
        because = f"GET got no answer ({answer.kind})"
        return {"get_answered": False, "get_answered_because": because, "held_stream": False}
    stream = answer.ok and answer.media_type == "text/event-stream"
    refusal = 400 <= answer.status < 500 if talk.agreed.modern else answer.status == 405
    values: Values = {"get_answered": stream or refusal, "held_stream": stream}
    if not values["get_answered"]:
        kind = f" of {answer.media_type}" if answer.ok and answer.media_type else ""
        values["get_answered_because"] = f"GET was answered {answer.outcome}{kind}"
    return values


def _is_4xx(reply: Reply | Failure) -> bool:
    return isinstance(reply, Reply) and 400 <= reply.answer.status < 500 and reply.result is None


def _told(metric: str, holds: bool, reply: Reply | Failure, what: str) -> Values:
    if limited(reply):
        return {f"{metric}_because": f"not tested: {what} was answered 429, too many requests"}
    if holds:
        return {metric: True}
    return {metric: False, f"{metric}_because": f"{what} was answered {said(reply)}"}
