"""Who an MCP endpoint lets in: pages of other origins, strangers, bearers of forged credentials."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from readiness.failure import Failure, ProbeError, classify
from readiness.inventory import Service
from readiness.inventory.url import split
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes._mcp_http import Endpoint, Reply, limited, said
from readiness.probes._mcp_message import Agreed

METRICS: Mapping[str, str] = {
    "rebindable": "true or false: without TLS, so that a web page can reach it by DNS rebinding",
    "origin_refused": "true or false: requests with the Origin of another site are refused",
    "credentials_declared": "true or false: a header or URL that holds a credential is declared",
    "stranger_refused": "true or false: without the declared credentials nothing is answered",
    "forged_refused": "true or false: with a forged credential nothing is answered",
}
_OF_NOBODY = (429, 502, 503, 504)
"""Statuses of a limit, or of a proxy without its server: they tell nothing of who asked."""
_STRANGE = "readiness-origin.invalid"
_CREDENTIAL = re.compile(r"authorization|cookie|key|token|secret|auth|password", re.IGNORECASE)


@dataclass(frozen=True)
class Talk:
    """An open conversation and what it takes to open another."""

    service: Service
    context: Context
    headers: Mapping[str, str]
    endpoint: Endpoint
    agreed: Agreed

    @property
    def question(self) -> str:
        """A method that any client may ask and that changes nothing."""
        if self.agreed.offers_tools:
            return "tools/list"
        return "server/discover" if self.agreed.modern else "ping"

    async def ask(self, headers: Mapping[str, str] | None = None) -> Reply | Failure:
        """Ask the question, with these headers too."""
        return await self.endpoint.attempt(self.question, {}, self.agreed.version, headers)


def refused(reply: Reply | Failure) -> bool:
    """Whether a request was turned away in good order; a crash is no refusal."""
    if isinstance(reply, Failure):
        return reply.kind == "reset"
    return reply.result is None and reply.answer.status < 500


async def origins(talk: Talk) -> Values:
    """Ask as a page of another site does, and as one whose name was rebound to this address."""
    rebindable = split(talk.service.url.get_secret_value()).scheme == "http"
    values: Values = {"rebindable": rebindable}
    control = await talk.ask()
    if isinstance(control, Failure) or control.result is None:
        because = f"not tested: {talk.question} is answered {said(control)} without an Origin too"
        return values | {"origin_refused_because": because}
    host = f"{_STRANGE}:{talk.endpoint.to.port}"
    scheme = "http" if rebindable else "https"
    visits = {
        "the Origin of another site": {"origin": f"{scheme}://{_STRANGE}"},
        "the Origin and Host of another site": {"origin": f"{scheme}://{host}", "host": host},
    }
    for what, headers in visits.items():
        reply = await talk.ask(headers)
        if limited(reply):
            because = f"not tested: {talk.question} with {what} was answered 429"
            return values | {"origin_refused_because": because}
        if not refused(reply):
            because = f"{talk.question} with {what} was answered {said(reply)}"
            return values | {"origin_refused": False, "origin_refused_because": because}
    return values | {"origin_refused": True}


async def strangers(talk: Talk) -> Values:
    """Ask without the declared credentials, then with forged ones."""
    url = split(talk.service.url.get_secret_value())
    in_url = bool(url.query or "@" in url.netloc)
    if not talk.headers and not in_url:
        because = "no headers are declared that would let anyone in"
        return {"credentials_declared": False, "credentials_declared_because": because}
    names = [name for name in talk.headers if _CREDENTIAL.search(name)]
    if not names and not in_url:
        because = "not tested: no declared header is known to hold a credential"
        return {"credentials_declared": False, "credentials_declared_because": because}
    values: Values = {"credentials_declared": True}
    values |= await _turned_away("stranger_refused", talk, {}, "without credentials")
    if not names:
        because = "not tested: no declared header is known to hold a credential"
        return values | {"forged_refused_because": because}
    if values.get("stranger_refused") is False:
        because = "not tested: what is open to strangers proves nothing about credentials"
        return values | {"forged_refused_because": because}
    forged = {**talk.headers, **{name: _forged(talk.headers[name]) for name in names}}
    return values | await _turned_away("forged_refused", talk, forged, "with a forged credential")


async def _turned_away(metric: str, talk: Talk, headers: Mapping[str, str], how: str) -> Values:
    visitor = Endpoint(talk.service, talk.context, headers, anonymous=True)
    reply: Reply | Failure
    try:
        agreed = await visitor.negotiate()
        reply = await Talk(talk.service, talk.context, headers, visitor, agreed).ask()
    except (OSError, ProbeError, ExceptionGroup) as error:
        reply = classify(error)
        if not reply.blames_target and reply.kind != "denied":
            raise
    finally:
        status = visitor.status
        await visitor.close()
    failed = reply.kind if isinstance(reply, Failure) else None
    if failed not in (None, "denied", "protocol", "reset"):
        return {f"{metric}_because": f"not tested: {how} there was no answer ({failed})"}
    if isinstance(reply, Failure) or reply.result is None:
        if failed != "reset" and status in _OF_NOBODY:
            return {f"{metric}_because": f"not tested: {how} the answer was {status}"}
        return {metric: True}
    because = f"{talk.question} {how} was answered {reply.said}"
    return {metric: False, f"{metric}_because": because}


def _forged(value: str) -> str:
    """Return another credential of the same scheme."""
    scheme, space, _ = value.rpartition(" ")
    return f"{scheme}{space}{secrets.token_urlsafe(32)}"
