"""The sessions of the older era: can their names be guessed, and do they end."""

import contextlib
import math
import string
from collections.abc import Mapping

from readiness.failure import Failure, ProbeError
from readiness.measurement import Values
from readiness.probes._mcp_doors import Talk, refused
from readiness.probes._mcp_http import Endpoint, Reply, limited, said

METRICS: Mapping[str, str] = {
    "sessions": "true or false: initialize opens a session with a name of its own",
    "session_names_unguessable": "true or false: two names differ in 64 bits or more",
    "lost_session_told": "true or false: a session that is not known gets 404",
    "sessions_end": "true or false: a client can end its session by DELETE",
    "ended_session_refused": "true or false: under a session that has ended nothing is answered",
}
_LEAST_BITS = 64
_ALPHABETS = (string.digits, string.hexdigits[:16], string.digits + string.ascii_letters)


async def sessions(talk: Talk) -> Values:
    """Open two sessions, ask under one that never was and one that has ended."""
    async with contextlib.AsyncExitStack() as stack:
        one = await _opened(talk, stack)
        if one is None or not one.endpoint.session:
            because = "it does not answer initialize" if one is None else "it assigns no session"
            return {
                **dict.fromkeys(("sessions", "sessions_end"), False),
                **dict.fromkeys(("sessions_because", "sessions_end_because"), because),
            }
        other = await _opened(talk, stack)
        names = (one.endpoint.session, (other and other.endpoint.session) or "")
        bits = _differing_bits(*names)
        values: Values = {"sessions": True, "session_names_unguessable": bits >= _LEAST_BITS}
        if bits < _LEAST_BITS:
            because = f"two names in a row differ in about {bits} bits"
            values["session_names_unguessable_because"] = because
        return values | await _lost(one) | await _ended(one)


async def _opened(talk: Talk, stack: contextlib.AsyncExitStack) -> Talk | None:
    endpoint = Endpoint(talk.service, talk.context, talk.headers)
    try:
        agreed = await endpoint.initialize()
    except ProbeError as error:
        if talk.agreed.modern and error.failure.kind in ("protocol", "denied"):
            return None  # the newer era need not know it
        raise
    stack.push_async_callback(endpoint.close)
    return Talk(talk.service, talk.context, talk.headers, endpoint, agreed)


async def _lost(talk: Talk) -> Values:
    """Ask under a name as the server gives them, which it did not give: as after its restart."""
    own, talk.endpoint.session = talk.endpoint.session, _altered(talk.endpoint.session or "")
    try:
        reply = await talk.ask()
    finally:
        talk.endpoint.session = own
    if limited(reply):
        return {"lost_session_told_because": "not tested: the answer was 429, too many requests"}
    if isinstance(reply, Reply) and reply.answer.status == 404:
        return {"lost_session_told": True}
    because = f"under a session that never was {talk.question} was answered {said(reply)}"
    return {"lost_session_told": False, "lost_session_told_because": because}


async def _ended(talk: Talk) -> Values:
    answer = await talk.endpoint.close()
    assert answer is not None, "the session was given a name"
    if isinstance(answer, Failure) or not answer.ok:
        told = f"no answer ({answer.kind})" if isinstance(answer, Failure) else answer.outcome
        return {"sessions_end": False, "sessions_end_because": f"DELETE was answered {told}"}
    reply = await talk.ask()
    talk.endpoint.session = None
    if limited(reply):
        because = "not tested: the answer was 429, too many requests"
        return {"sessions_end": True, "ended_session_refused_because": because}
    values: Values = {"sessions_end": True, "ended_session_refused": refused(reply)}
    if not values["ended_session_refused"]:
        because = f"after DELETE {talk.question} was answered {said(reply)}"
        values["ended_session_refused_because"] = because
    return values


def _differing_bits(one: str, other: str) -> int:
    """Return what the places in which two names differ could tell at most, in bits."""
    places = sum(a != b for a, b in zip(one, other, strict=False)) + abs(len(one) - len(other))
    used = {c for name in (one, other) for c in name if c not in "-_."}
    alphabet = next((len(a) for a in _ALPHABETS if used <= set(a)), 64)
    return int(places * math.log2(alphabet))


def _altered(name: str) -> str:
    """Return a name of the same form: each digit and letter another one of its kind."""
    kinds = (string.digits, "abcdef", "ghijklmnopqrstuvwxyz", string.ascii_uppercase)

    def other(character: str, place: int) -> str:
        kind = next((k for k in kinds if character in k), None)
        return kind[(kind.index(character) + 1 + place % 3) % len(kind)] if kind else character

    return "".join(other(character, place) for place, character in enumerate(name))
