"""An MCP endpoint over streamable HTTP: one POST -> one bounded answer, in either era."""

import json
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import SecretStr

from readiness.failure import Failure, ProbeError, classify
from readiness.inventory import Service
from readiness.inventory.url import split
from readiness.probes import Context, _mcp_message
from readiness.probes._answer import Answer
from readiness.probes._http import Target, exchange, target
from readiness.probes._mcp_events import Events
from readiness.probes._mcp_headers import header_value
from readiness.probes._mcp_message import MODERN, Agreed, Message
from readiness.probes._plain_answer import Head

ACCEPT = "application/json, text/event-stream"
SESSION = "mcp-session-id"
_LONGEST_SESSION = 4096
_Got = TypeVar("_Got")


@dataclass(frozen=True)
class Reply:
    """What one POST was answered. `message` is the JSON-RPC answer, None if there was none."""

    answer: Answer
    message: Message | None

    @property
    def result(self) -> Mapping[str, Any] | None:
        """The result, None if it is an error or no answer at all."""
        return _mcp_message.result(self.message)

    @property
    def ms(self) -> float:
        """Milliseconds from the request sent to the last byte of the answer."""
        return self.answer.ms["first_byte"] + self.answer.ms["transfer"]

    @property
    def said(self) -> str:
        """The answer in a few words: `200 with error -32601`."""
        told = self.message is not None or self.answer.ok
        with_ = f" with {_mcp_message.shown(self.message)}" if told else ""
        return f"{self.answer.outcome}{with_}"


def said(reply: Reply | Failure) -> str:
    """Return what came back in a few words."""
    return f"no answer ({reply.kind})" if isinstance(reply, Failure) else reply.said


def limited(reply: Reply | Failure) -> bool:
    """Whether a limit of requests was met, which tells nothing of this one."""
    return isinstance(reply, Reply) and reply.answer.status == 429


class Endpoint:
    """Sends a service's endpoint one message at a time, each on a connection of its own.

    `session` is what the server named the session of the older era, None without one.
    """

    def __init__(
        self,
        service: Service,
        context: Context,
        headers: Mapping[str, str],
        *,
        anonymous: bool = False,
    ) -> None:
        require_http(service)
        path = split(service.url.get_secret_value()).path
        own = "/" if path.endswith("/") or not path else ""
        self.to: Target = target(service, own, anonymous=anonymous)
        self._context, self._headers, self._numbers = context, headers, 0
        self.session: str | None = None
        self.status: int | None = None
        """Of the last answer to a message."""

    async def negotiate(self) -> Agreed:
        """Open the conversation; raises ProbeError `denied` where it lacks a credential."""
        return await _mcp_message.negotiate(self._asked, self._told)

    async def initialize(self) -> Agreed:
        """Open a conversation of the older era; raises ProbeError where there is none."""

        async def not_modern(method: str, params: Mapping[str, Any], version: str) -> Any:
            return None if version == MODERN else await self._asked(method, params, version)

        return await _mcp_message.negotiate(not_modern, self._told)

    async def ask(
        self,
        method: str,
        params: Mapping[str, Any],
        version: str,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send a request; read no more than its answer, even of a stream that is held open."""
        self._numbers += 1
        number = self._numbers
        body = json.dumps(_mcp_message.request(number, method, params, version)).encode()
        fields = {**routing(method, params, version), **(headers or {})}
        return await self.post(body, number, fields)

    async def attempt(
        self,
        method: str,
        params: Mapping[str, Any],
        version: str,
        headers: Mapping[str, str] | None = None,
    ) -> Reply | Failure:
        """Return what `ask` does, or the failure if the target is at fault; ours are raised."""
        return await _or_failure(self.ask(method, params, version, headers))

    async def post(self, body: bytes, number: int, fields: Mapping[str, str]) -> Reply:
        """Send these bytes; the answer to request `number` is looked for in what comes back."""
        found: list[Message] = []
        events, seen = Events(), 0

        def enough(head: Head, content: bytes) -> bool:
            nonlocal seen
            if not head.headers.get("content-type", "").lower().startswith("text/event-stream"):
                return False
            found.extend(m for m in events.feed(content[seen:]) if _mcp_message.answers(m, number))
            seen = len(content)
            return bool(found)

        own = {SESSION: self.session} if self.session else {}
        headers = {"accept": ACCEPT, "content-type": "application/json", **own, **fields}
        answer = await exchange(
            self._context,
            self.to,
            method="POST",
            headers={**headers, **self._headers},
            body=body,
            enough=enough,
        )
        self.status = answer.status
        if answer.media_type == "text/event-stream":
            rest = events.feed(answer.body[seen:] + b"\n\n")
            found.extend(m for m in rest if _mcp_message.answers(m, number))
            message = found[0] if found else None
        else:
            message = _mcp_message.read(answer.body)
            if not _mcp_message.answers(message, number):
                message = None
        if message is None and not answer.complete:
            raise ProbeError("protocol", "an answer of more than 1 MiB")
        return Reply(answer, message)

    async def attempt_post(
        self, body: bytes, number: int, fields: Mapping[str, str]
    ) -> Reply | Failure:
        """Return what `post` does, or the failure if the target is at fault; ours are raised."""
        return await _or_failure(self.post(body, number, fields))

    async def attempt_get(self, headers: Mapping[str, str]) -> Answer | Failure:
        """Ask for the stream of the older era; what it holds is not waited for."""
        return await _or_failure(self.bare("GET", headers))

    async def bare(self, method: str, headers: Mapping[str, str]) -> Answer:
        """Send a GET or DELETE; of a stream that it opens nothing but the head is read."""
        own = {SESSION: self.session} if self.session else {}
        return await exchange(
            self._context,
            self.to,
            method=method,
            headers={**own, **headers, **self._headers},
            enough=lambda head, _: True,
        )

    async def close(self) -> Answer | Failure | None:
        """End the session as a client does that leaves; None if there is none."""
        if self.session is None:
            return None
        return await _or_failure(self.bare("DELETE", {}))

    async def _asked(self, method: str, params: Mapping[str, Any], version: str) -> Message | None:
        reply = await self.ask(method, params, version)
        status = reply.answer.status
        if status in (401, 403) and reply.result is None:
            raise ProbeError("denied", f"POST {self.to.path.partition('?')[0]} answered {status}")
        if method == "initialize" and reply.result is not None:
            self.session = _session(reply.answer)
        if method == "initialize" and reply.message is None:
            raise ProbeError("protocol", f"the MCP endpoint answered {reply.said}")
        return reply.message

    async def _told(self, method: str, version: str) -> None:
        body = json.dumps(_mcp_message.notification(method)).encode()
        await self.post(body, 0, routing(method, {}, version))


def require_http(service: Service) -> None:
    """Raise ProbeError for a server that is a program and has no endpoint."""
    if service.address.startswith("stdio:"):
        raise ProbeError("not_allowed", "a program that speaks stdio has no endpoint to ask")


def routing(method: str, params: Mapping[str, Any], version: str) -> dict[str, str]:
    """Return the headers that say of a request what its body says too."""
    if method == "initialize":
        return {}
    headers = {"mcp-protocol-version": version}
    if version == MODERN:
        headers["mcp-method"] = method
        if method == "tools/call":
            headers["mcp-name"] = header_value(str(params.get("name")))
    return headers


def credentials(service: Service, headers: Mapping[str, SecretStr]) -> dict[str, str]:
    """Return the headers to send: the probe's own, else those of the handshake."""
    written: Any = headers
    if not headers:
        settings = service.probes.get("mcp_handshake")
        written = settings.get("headers") if isinstance(settings, Mapping) else None
    if not isinstance(written, Mapping):
        return {}
    return {
        str(name).lower(): v.get_secret_value() if isinstance(v, SecretStr) else str(v)
        for name, v in written.items()
    }


async def _or_failure(exchanged: Coroutine[Any, Any, _Got]) -> _Got | Failure:
    try:
        return await exchanged
    except (OSError, ProbeError, ExceptionGroup) as error:
        failure = classify(error)
        if not failure.blames_target:
            raise
        return failure


def _session(answer: Answer) -> str | None:
    named = answer.headers.get(SESSION, "")
    return named[:_LONGEST_SESSION] or None
