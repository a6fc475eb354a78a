"""A step that shows a session -> whether the session is alive, when its request comes again."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from readiness.escape import line
from readiness.failure import Failure
from readiness.inventory import NOBODY, Journey, Step
from readiness.probes._access import bare, to_login
from readiness.probes._answer import Answer
from readiness.probes._expectation import unmet
from readiness.probes._taken import Asked
from readiness.probes._visit import NotReached
from readiness.probes._visitor import Visitor

State = Literal["alive", "refused", "unclear"]
_LONGEST = 300


@dataclass(frozen=True)
class Seen:
    """What an answer tells of the session, and in which words to say so."""

    state: State
    said: str


@dataclass(frozen=True)
class Door:
    """Where the session must be shown: what it answers to who has one, and to a stranger."""

    visitor: Visitor
    step: Step
    stranger: Answer
    """What it answers without any session."""

    @property
    def asked(self) -> Asked:
        """The request with the session that was walked with."""
        return self.visitor.asked[self.step.name]

    async def knock(self, asked: Asked) -> Seen:
        """Send a request of the step again."""
        return self.read(await self.visitor.send(asked))

    def read(self, answer: Answer | Failure) -> Seen:
        """Read an answer; failures and rate limits are evidence of nothing."""
        if isinstance(answer, Failure):
            return Seen("unclear", f"gave no answer ({answer.kind}: {answer.detail})")
        said = f"answered {line(answer.outcome, _LONGEST)}"
        if answer.status == 429 or answer.status >= 500:
            return Seen("unclear", said)
        if not _unmet(self.step, answer, self.visitor):
            return Seen("alive", said)
        as_to_strangers = answer.status == self.stranger.status
        if answer.status in (401, 403) or to_login(answer) or as_to_strangers:
            return Seen("refused", said)
        return Seen("unclear", f"{said}, which it answers to no stranger")


async def door_of(journey: Journey, step: Step, visitor: Visitor) -> Door:
    """Return the door that `visitor` has just passed; NotReached if it is open to strangers."""
    asked = await visitor.request(bare(step, journey).model_copy(update={"identity": NOBODY}))
    if isinstance(asked, str):
        raise NotReached(f"{step.shown} cannot be asked as a stranger: {asked}")
    answer = await visitor.send(without(asked, "cookie"))
    if isinstance(answer, Failure):
        raise NotReached(f"{step.shown} gave a stranger no answer ({answer.kind})", answer)
    if not _unmet(step, answer, visitor):
        raise NotReached(f"{step.shown} answers strangers alike, so that it shows no session")
    door = Door(visitor, step, answer)
    again = await door.knock(door.asked)
    if again.state != "alive":
        raise NotReached(f"{step.shown} {again.said} when the same request came again")
    return door


def without(asked: Asked, *headers: str) -> Asked:
    """Return a request without some of its headers."""
    kept = {name: value for name, value in asked.headers.items() if name not in headers}
    return replace(asked, headers=kept)


def with_cookies(asked: Asked, cookies: Mapping[str, str]) -> Asked:
    """Return a request with these cookies alone."""
    bare_ = without(asked, "cookie")
    if not cookies:
        return bare_
    value = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return replace(bare_, headers={**bare_.headers, "cookie": value})


def cookies_of(asked: Asked) -> dict[str, str]:
    """Return the cookies of a request: of two of one name the first, which is the closer one."""
    found: dict[str, str] = {}
    for pair in asked.headers.get("cookie", "").split(";"):
        name, equals, value = pair.strip().partition("=")
        if equals:
            found.setdefault(name, value)
    return found


def _unmet(step: Step, answer: Answer, visitor: Visitor) -> list[str]:
    """Return what the step expects in vain, its time left aside."""
    expect = step.expect.model_copy(update={"time": None})
    return unmet(expect, answer, visitor.variables)
