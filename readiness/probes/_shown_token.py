"""A request that shows a token -> the same request with another token or none, and its answer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from readiness.failure import Failure
from readiness.inventory import Step
from readiness.probes._answer import Answer
from readiness.probes._expectation import Absent, read_json, unmet
from readiness.probes._taken import Asked
from readiness.probes._visitor import Visitor

Reaction = Literal["accepted", "refused", "broke", "limited", "silent", "unclear"]
"""`broke`: a server error; `silent`: no answer; `unclear`: an answer that tells neither."""

_LIMITED = 429
_TELLS_NOTHING = (408, 413, 414, 425, 431)
"""Statuses that speak of the time or the size, not of who asks (RFC 9110, RFC 6585)."""
_DEEPEST = 8
_MOST_ALIKE = 0.95
"""Share of a page's pieces after which another counts as the same with other values in it."""


@dataclass(frozen=True)
class Reply:
    """What the service made of one request. `said` is fit to be shown."""

    reaction: Reaction
    said: str


@dataclass(frozen=True)
class Showing:
    """A request, and the token in its headers."""

    asked: Asked = field(repr=False)
    token: str = field(repr=False)

    @property
    def carried(self) -> bool:
        """Whether the token is in any header of the request."""
        return any(self.token in value for value in self.asked.headers.values())

    @property
    def alone(self) -> "Showing":
        """The same without cookies and an Authorization that are not the token's own."""
        headers = dict(self.asked.headers)
        if "cookie" in headers:
            kept = "; ".join(p for p in _pairs(headers["cookie"]) if self.token in p)
            headers = _with(headers, "cookie", kept)
        if self.token not in headers.get("authorization", self.token):
            del headers["authorization"]
        return Showing(replace(self.asked, headers=headers), self.token)

    def showing(self, other: str) -> Asked:
        """Return the request with `other` in the place of the token."""
        headers = {
            name: value.replace(self.token, other).strip()  # no field ends in a space (RFC 9110)
            for name, value in self.asked.headers.items()
        }
        return replace(self.asked, headers=headers)

    def without(self) -> Asked:
        """Return the request without the token and the field, or the cookie, that held it."""
        headers, to = dict(self.asked.headers), self.asked.to
        for name, value in self.asked.headers.items():
            if self.token not in value:
                continue
            kept = [p for p in _pairs(value) if self.token not in p] if name == "cookie" else []
            headers = _with(headers, name, "; ".join(kept))
            if name == "authorization":
                to = replace(to, authorization=None)  # that of the URL would take its place
        return replace(self.asked, headers=headers, to=to)


class Doorkeeper:
    """Who is asked with one token after another, and told apart from how the right one fares."""

    def __init__(self, visitor: Visitor, step: Step) -> None:
        self._visitor = visitor
        self._expect = step.expect.model_copy(update={"time": None})
        self._control: Answer | None = None

    async def control(self, asked: Asked) -> Reply:
        """Ask with the right token; how that is answered is what acceptance looks like."""
        answer = await self._visitor.send(asked)
        reply = self._reply(answer)
        if isinstance(answer, Answer) and reply.reaction == "accepted":
            self._control = answer
        return reply

    async def ask(self, asked: Asked) -> Reply:
        """Ask with another token."""
        return self._reply(await self._visitor.send(asked))

    def _reply(self, answer: Answer | Failure) -> Reply:
        if isinstance(answer, Failure):
            return Reply("silent", f"no answer ({answer.kind})")
        reaction = self._reaction(answer)
        unlike = ", unlike what the token gets" if reaction == "unclear" and answer.ok else ""
        return Reply(reaction, f"{answer.status}{unlike}")

    def _reaction(self, answer: Answer) -> Reaction:
        if answer.status == _LIMITED:
            return "limited"
        if answer.status in _TELLS_NOTHING:
            return "unclear"
        if answer.status >= 500:
            return "broke"
        if not answer.ok or unmet(self._expect, answer, self._visitor.variables):
            return "refused"
        same = self._control is None or alike(self._control, answer)
        return "accepted" if same else "unclear"


def alike(control: Answer, other: Answer) -> bool:
    """Whether `other` holds what `control` does, though with other values.

    As JSON it has all its keys with values of the same types; as text, most of its pieces.
    """
    if control.body == other.body:
        return True
    data, others = read_json(control), read_json(other)
    if data is Absent or others is Absent:
        return data is others and _resembles(control.text, other.text)
    return _covers(data, others, _DEEPEST)


def _covers(data: Any, other: Any, depth: int) -> bool:
    if isinstance(data, Mapping) and isinstance(other, Mapping):
        pairs = [(value, other.get(key, Absent)) for key, value in data.items()]
        return not depth or all(_covers(one, another, depth - 1) for one, another in pairs)
    if isinstance(data, list) and isinstance(other, list):
        return not data or bool(other)
    number = isinstance(data, int | float) and isinstance(other, int | float)
    return type(data) is type(other) or (number and bool not in (type(data), type(other)))


def _resembles(text: str, other: str) -> bool:
    pieces, others = (set(re.split(r"[<\n]", one)) for one in (text, other))
    return len(pieces & others) >= _MOST_ALIKE * len(pieces)


def _pairs(cookies: str) -> list[str]:
    return [pair.strip() for pair in cookies.split(";") if pair.strip()]


def _with(headers: Mapping[str, str], name: str, value: str) -> dict[str, str]:
    """Return the headers with `name` set, or left out where `value` is empty."""
    kept = {key: text for key, text in headers.items() if key != name}
    return kept | {name: value} if value else kept
