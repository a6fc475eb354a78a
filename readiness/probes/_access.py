"""Asking for a path as someone -> whether they were let in, refused, or nobody can tell."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from readiness.escape import line
from readiness.failure import Failure, ProbeError, classify
from readiness.inventory import NOBODY, REFERENCE, Journey, Service, Step
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes._answer import Answer
from readiness.probes._few import few
from readiness.probes._taken import Asked
from readiness.probes._visitor import Visitor

Got = Literal["in", "refused", "form", "unclear"]
"""`form`: a page that asks for a password, with a status that lets in."""

_SHOWN = 5
_LONGEST = 300
_LOGIN = re.compile(
    r"log[-_]?in|sign[-_]?in|(?<![a-z])(o?auth2?|authorize|sso)(?![a-z])", re.IGNORECASE
)
_PROOF = re.compile(r"auth|cookie|token|key|session|secret|sign", re.IGNORECASE)
_PASSWORD = re.compile(rb"<input\b[^>]{0,300}\btype\s*=\s*[\"']?password", re.IGNORECASE)


@dataclass(frozen=True)
class Reading:
    """What an answer says to who asked; `said` is fit to be shown."""

    got: Got
    said: str
    status: int | None = None


@dataclass(frozen=True)
class Policy:
    """What counts as a refusal."""

    statuses: frozenset[int]
    login_pages: bool
    """Whether being sent to a login page does."""

    def read(self, answer: Answer | Failure) -> Reading:
        """Read an answer; failures and rate limits are evidence of nothing."""
        if isinstance(answer, Failure):
            return Reading("unclear", f"no answer ({answer.kind}: {answer.detail})")
        status, said = answer.status, line(answer.outcome, _LONGEST)
        if status == 429 or status >= 500:
            what = "a rate limit" if status == 429 else "a failure"
            return Reading("unclear", f"{status}, {what}, which tells nothing", status)
        if status in self.statuses or (self.login_pages and to_login(answer)):
            return Reading("refused", said, status)
        if not answer.ok:
            return Reading("unclear", f"{said}, which neither lets in nor refuses", status)
        if answer.html and _PASSWORD.search(answer.body):
            return Reading("form", f"{status}, a page that asks for a password", status)
        return Reading("in", said, status)


UNTOLD = (ProbeError, OSError, ExceptionGroup)
"""What may be raised in the middle of measuring by what is no measurement."""


class Asker:
    """Asks one service as whoever is called for; each logs in once."""

    def __init__(self, service: Service, context: Context, round_: str) -> None:
        self._inventory = context.inventory
        self._visitor = Visitor(context, context.inventory, service.name, None, round_)
        self._without: dict[str, str] = {}
        self.heard = False
        """Whether anything was answered, so that what fails later must not discard it."""

    async def proof(self, role: str) -> str:
        """Have `role` prove who they are; return why they cannot, empty if they can."""
        if role == NOBODY:
            return ""
        if role not in self._inventory.identities:
            return f"the inventory has no identity called {role}"
        if role not in self._without:
            try:
                proof = await self._visitor.prove(role)
                self._without[role] = proof if isinstance(proof, str) else ""
            except UNTOLD as error:
                self._without[role] = self.excuse(error)
        return self._without[role]

    async def ask(self, role: str, step: Step) -> Answer | Failure | str:
        """Return the answer to a step's request made by `role`, or why it cannot be made."""
        if without := await self.proof(role):
            return f"as {role}: {without}"
        try:
            asked = await self._visitor.request(step.model_copy(update={"identity": role}))
            return asked if isinstance(asked, str) else await self.send(asked)
        except UNTOLD as error:
            return f"as {role}: {self.excuse(error)}"

    async def send(self, asked: Asked) -> Answer | Failure:
        """Send a request again as it is."""
        answer = await self._visitor.send(asked)
        self.heard = self.heard or isinstance(answer, Answer)
        return answer

    def excuse(self, error: Exception) -> str:
        """Return why something is not known; where nothing was heard at all, raise `error`."""
        failure = classify(error)
        if failure.kind != "not_allowed" and not self.heard:
            raise error
        return failure.detail

    def stand_by(self, visitor: Visitor) -> None:
        """Go on within the time and with the variables of `visitor`, who got somewhere."""
        self._visitor.context = visitor.context
        self._visitor.variables = visitor.variables
        self.heard = True

    def stand_alone(self, context: Context) -> None:
        """Go on within the time of `context`."""
        self._visitor.context = context


def to_login(answer: Answer) -> bool:
    """Whether an answer redirects to what is called a login."""
    return bool(_LOGIN.search(answer.redirect or ""))


def step_of(request: str) -> Step:
    """Return the step that sends `request`, which is a GET or HEAD."""
    return Step.model_validate({"name": "ask", "request": request})


def bare(step: Step, journey: Journey) -> Step:
    """Return a step of `journey` without the headers that may prove who takes it."""
    headers = {
        name: value
        for name, value in step.headers.items()
        if not _PROOF.search(name) and not REFERENCE.search(value.get_secret_value())
    }
    service = step.service or journey.service
    return step.model_copy(update={"headers": headers, "service": service})


def called(role: str) -> str:
    """Return how a sentence calls who asks."""
    return "a stranger" if role == NOBODY else role


def verdict(metric: str, offences: Iterable[str], doubts: Iterable[str]) -> Values:
    """Return false for an offence, nothing but the reason for a doubt, else true."""
    if offences := list(offences):
        return {metric: False, f"{metric}_because": few(offences, _SHOWN)}
    if doubts := list(doubts):
        return {f"{metric}_because": few(doubts, _SHOWN)}
    return {metric: True}
