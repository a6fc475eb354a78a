"""Someone's object, read by others -> whether it is kept from them (OWASP API1:2023, BOLA)."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal
from urllib.parse import parse_qsl

from pydantic import Field, model_validator

from readiness.failure import Failure
from readiness.inventory import NOBODY, REFERENCE, SAFE, Journey, Step
from readiness.probes import Context, ProbeSettings
from readiness.probes._access import UNTOLD, Asker, Policy, Reading, bare, called, step_of
from readiness.probes._answer import Answer
from readiness.probes._same_object import same_object
from readiness.probes._visit import NotReached, journey_called, step_called, visit
from readiness.probes._visitor import Visitor

Request = Annotated[str, Field(pattern=r"^((GET|HEAD) )?/[^\s{}]*$")]
_SIGNED = re.compile(
    r"sig|token|expires|policy|credential|key|auth(?!or(?!iz))|secret|session|jwt|pass|pwd",
    re.IGNORECASE,
)
_PROVEN_BY_ITSELF = "its address carries what may be a proof by itself"
_PROOF_KEPT = re.compile(r"token|secret|jwt|password|credential")


class OwnedObject(ProbeSettings):
    """Something that belongs to one, and who else must not read it."""

    journey: str | None = Field(None, description="the journey that makes it (write tier)")
    step: str | None = Field(None, description="its step by which the owner reads it")
    path: Request | None = Field(None, description="where it is, if it is there already")
    owner: str = Field(description="the identity that it belongs to")
    others: tuple[str, ...] = Field(min_length=1, description="identities, or `nobody`")

    @model_validator(mode="after")
    def _one_way(self) -> "OwnedObject":
        if (self.journey is None) != (self.step is None) or (self.journey is None) == (
            self.path is None
        ):
            raise ValueError("has either a journey and its step, or a path")
        if self.owner in self.others:
            raise ValueError("counts its owner among the others")
        return self


Kept = Literal["pass", "fail", "unknown"]


@dataclass(frozen=True)
class Attempt:
    """What one of them got for the owner's object; `where` begins with the object's name."""

    where: str
    role: str
    reading: Reading | None
    offence: str = ""
    doubt: str = ""

    @property
    def kept(self) -> Kept:
        """Whether the object was kept from them."""
        return "fail" if self.offence else "unknown" if self.doubt else "pass"


Ask = Callable[[], Awaitable[Answer | Failure | str]]


@dataclass(frozen=True)
class Trial:
    """One object, and what it takes to find out who can read it."""

    name: str
    owned: OwnedObject
    asker: Asker
    policy: Policy
    proven: frozenset[str]
    """Who was let in where strangers are not: their proofs are good."""

    tried: list[Attempt] = field(default_factory=list)
    """What was found so far: an offence is one whatever comes after it."""

    async def run(self, step: Step, as_owner: Ask) -> list[Attempt]:
        """Try `step` as each of the others, between two controls by the owner."""
        owners = await as_owner()
        if wrong := self._no_control(owners):
            return self.doubtful(f"{step.shown} {wrong}, so that nothing is proven", step)
        assert isinstance(owners, Answer), "what is no control was told apart"
        stranger = self._read(await self.asker.ask(NOBODY, step))
        for other in self.owned.others:
            answer = await self.asker.ask(other, step)
            self.tried.append(self._judged(step, other, answer, owners, stranger))
        if wrong := self._no_control(await as_owner()):
            return [self._in_doubt(one, f"{wrong} in the end") for one in self.tried]
        return self.tried

    def doubtful(self, because: str, step: Step | None = None) -> list[Attempt]:
        """Return the offences found so far, and why nothing is known of the rest."""
        where, doubt = self._where(step) if step else self.name, f"{self.name}: {because}"
        found = {one.role: one for one in self.tried if one.offence}
        unknown = {o: Attempt(where, o, None, doubt=doubt) for o in self.owned.others}
        return list((unknown | found).values())

    def _where(self, step: Step) -> str:
        return f"{self.name}: {step.shown}"

    def _no_control(self, answer: Answer | Failure | str) -> str:
        """Return what is wrong with the owner's own answer, nothing if they got their object."""
        if isinstance(answer, str):
            return f"could not be asked {answer}"
        reading = self.policy.read(answer)
        return "" if reading.got == "in" else f"answered its owner with {reading.said}"

    def _in_doubt(self, tried: Attempt, wrong: str) -> Attempt:
        if tried.offence:
            return tried
        told = f"{tried.where} {wrong}, so that nothing is proven"
        return Attempt(tried.where, tried.role, tried.reading, doubt=told)

    def _read(self, answer: Answer | Failure | str) -> Reading | None:
        return None if isinstance(answer, str) else self.policy.read(answer)

    def _judged(
        self,
        step: Step,
        other: str,
        answer: Answer | Failure | str,
        owners: Answer,
        stranger: Reading | None,
    ) -> Attempt:
        reading, where = self._read(answer), self._where(step)
        if reading is None or isinstance(answer, str | Failure) or reading.got == "unclear":
            told = answer if isinstance(answer, str) else f"answered {reading and reading.said}"
            doubt = f"{where} asked by {called(other)}: {told}"
            return Attempt(where, other, reading, doubt=doubt)
        whose = f"what is {self.owned.owner}'s"
        if reading.got == "in" and same_object(answer, owners):
            offence = f"{where} let {called(other)} read {whose} ({reading.status})"
            return Attempt(where, other, reading, offence=offence)
        if reading.got == "in":
            told = f"let {called(other)} in ({reading.status}), but not certainly to {whose}"
            return Attempt(where, other, reading, doubt=f"{where} {told}")
        known = other == NOBODY or other in self.proven
        if not known and stranger and reading.status == stranger.status:
            told = f"answered {other} as it does a stranger ({reading.status})"
            return Attempt(where, other, reading, doubt=f"{where} {told}")
        return Attempt(where, other, reading)


async def attempts(trial: Trial, context: Context) -> list[Attempt]:
    """Have the owner read the object, then each of the others, then the owner again."""
    owned, asker = trial.owned, trial.asker
    step: Step | None = None
    try:
        if owned.path is not None:
            step = step_of(owned.path)
            return await _given(trial, step)
        assert owned.journey and owned.step, "an object has either a path or a journey"
        journey = journey_called(owned.journey, context.inventory)
        step = step_called(owned.step, journey)
        return await _made(trial, journey, step, context)
    except NotReached as error:
        return trial.doubtful(error.because, step)
    except UNTOLD as error:
        return trial.doubtful(asker.excuse(error), step)
    finally:
        asker.stand_alone(context)


async def _given(trial: Trial, step: Step) -> list[Attempt]:
    """Try an object that is there already."""
    if _signed(step.path):
        return trial.doubtful(_PROVEN_BY_ITSELF, step)
    return await trial.run(step, lambda: trial.asker.ask(trial.owned.owner, step))


async def _made(trial: Trial, journey: Journey, step: Step, context: Context) -> list[Attempt]:
    """Try an object that a journey makes for the occasion and takes away afterwards."""
    if step.method not in SAFE:
        return trial.doubtful(f"the step {step.name} is no GET or HEAD", step)
    async with visit(journey, step.name, context) as visitor:
        return await _tried(trial, journey, step, visitor)


async def _tried(trial: Trial, journey: Journey, step: Step, visitor: Visitor) -> list[Attempt]:
    who, asked = visitor.name_at(step), visitor.asked[step.name]
    if who not in (NOBODY, trial.owned.owner):
        told = f"the step {step.name} is taken by {who}, not by {trial.owned.owner}"
        return trial.doubtful(told, step)
    if _signed(step.path) or (step.path.startswith("{{") and _signed(asked.to.path)):
        return trial.doubtful(_PROVEN_BY_ITSELF, step)
    trial.asker.stand_by(visitor)
    return await trial.run(bare(step, journey), lambda: trial.asker.send(asked))


def _signed(path: str) -> bool:
    """Whether an address, written or filled, looks as if it were enough of a proof by itself."""
    names = [name for name, _ in parse_qsl(path.partition("?")[2], keep_blank_values=True)]
    kept = [name for name in REFERENCE.findall(path) if _PROOF_KEPT.search(name)]
    return bool(kept) or any(map(_SIGNED.search, names))
