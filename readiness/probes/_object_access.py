"""Someone's object, read by others -> whether it is kept from them (OWASP API1:2023, BOLA)."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qsl

from pydantic import Field, model_validator

from readiness.failure import Failure, ProbeError
from readiness.inventory import NOBODY, SAFE, Journey, Step
from readiness.probes import Context, ProbeSettings
from readiness.probes._access import Asker, Policy, Reading, bare, called, shape, step_of
from readiness.probes._answer import Answer
from readiness.probes._expectation import read_json
from readiness.probes._http import Target
from readiness.probes._visit import NotReached, journey_called, step_called, visit

Request = Annotated[str, Field(pattern=r"^((GET|HEAD) )?/[^\s{}]*$")]
_SIGNED = re.compile(r"sig|token|expires|policy|credential|key", re.IGNORECASE)


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


@dataclass(frozen=True)
class Attempt:
    """What one of them got for the owner's object."""

    where: str
    role: str
    reading: Reading | None
    offence: str = ""
    doubt: str = ""


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

    async def run(self, step: Step, as_owner: Ask) -> list[Attempt]:
        """Try `step` as each of the others, between two controls by the owner."""
        owners = await as_owner()
        if wrong := self._no_control(owners):
            return self.doubtful(f"{self.name}: {step.shown} {wrong}, so that nothing is proven")
        assert isinstance(owners, Answer), "what is no control was told apart"
        stranger = self._read(await self.asker.ask(NOBODY, step))
        tried = []
        for other in self.owned.others:
            answer = await self.asker.ask(other, step)
            tried.append(self._judged(step, other, answer, owners, stranger))
        if wrong := self._no_control(await as_owner()):
            return [self._in_doubt(one, f"{wrong} in the end") for one in tried]
        return tried

    def doubtful(self, because: str) -> list[Attempt]:
        """Return that nothing is known of any of the others, and why."""
        return [Attempt(self.name, other, None, doubt=because) for other in self.owned.others]

    def _no_control(self, answer: Answer | Failure | str) -> str:
        """Return what is wrong with the owner's own answer, nothing if they got their object."""
        if isinstance(answer, str):
            return f"could not be asked {answer}"
        reading = self.policy.read(answer)
        return "" if reading.got == "in" else f"answered its owner with {reading.said}"

    def _in_doubt(self, tried: Attempt, wrong: str) -> Attempt:
        if tried.offence:
            return tried
        told = f"{self.name}: {tried.where} {wrong}, so that nothing is proven"
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
        reading, where = self._read(answer), step.shown
        if reading is None or isinstance(answer, str | Failure) or reading.got == "unclear":
            told = answer if isinstance(answer, str) else f"answered {reading and reading.said}"
            doubt = f"{self.name}: {where} asked by {called(other)}: {told}"
            return Attempt(where, other, reading, doubt=doubt)
        whose = f"what is {self.owned.owner}'s"
        if reading.got == "in" and _same(answer, owners):
            offence = f"{self.name}: {where} let {called(other)} read {whose} ({reading.status})"
            return Attempt(where, other, reading, offence=offence)
        if reading.got == "in":
            told = f"let {called(other)} in ({reading.status}) to something else than {whose}"
            return Attempt(where, other, reading, doubt=f"{self.name}: {where} {told}")
        known = other == NOBODY or other in self.proven
        if not known and stranger and reading.status == stranger.status:
            told = f"answered {other} as it does a stranger ({reading.status})"
            return Attempt(where, other, reading, doubt=f"{self.name}: {where} {told}")
        return Attempt(where, other, reading)


async def attempts(trial: Trial, context: Context) -> list[Attempt]:
    """Have the owner read the object, then each of the others, then the owner again."""
    owned, asker, name = trial.owned, trial.asker, trial.name
    if owned.path is not None:
        step = step_of(owned.path)
        return await trial.run(step, lambda: asker.ask(owned.owner, step))
    try:
        assert owned.journey and owned.step, "an object has either a path or a journey"
        journey = journey_called(owned.journey, context.inventory)
        return await _made(trial, journey, step_called(owned.step, journey), context)
    except NotReached as error:
        return trial.doubtful(f"{name}: {error.because}")
    except ProbeError as error:
        if error.failure.kind != "not_allowed":
            raise
        return trial.doubtful(f"{name}: {error.failure.detail}")
    finally:
        asker.stand_alone(context)


async def _made(trial: Trial, journey: Journey, step: Step, context: Context) -> list[Attempt]:
    """Try an object that a journey makes for the occasion and takes away afterwards."""
    if step.method not in SAFE:
        return trial.doubtful(f"{trial.name}: the step {step.name} is no GET or HEAD")
    async with visit(journey, step.name, context) as visitor:
        who, asked = visitor.name_at(step), visitor.asked[step.name]
        if who not in (NOBODY, trial.owned.owner):
            told = f"the step {step.name} is taken by {who}, not by {trial.owned.owner}"
            return trial.doubtful(f"{trial.name}: {told}")
        if _signed(step, asked.to):
            told = "its address carries what may be a proof by itself"
            return trial.doubtful(f"{trial.name}: {told}")
        trial.asker.stand_by(visitor)
        return await trial.run(bare(step, journey), lambda: trial.asker.send(asked))


def _signed(step: Step, to: Target) -> bool:
    """Whether the address was handed out whole and looks signed, as presigned links are."""
    query = to.path.partition("?")[2]
    names = [name for name, _ in parse_qsl(query, keep_blank_values=True)]
    return step.path.startswith("{{") and any(map(_SIGNED.search, names))


def _same(answer: Answer, owners: Answer) -> bool:
    """Whether two answers show the same object: equal, or JSON of one shape."""
    if answer.body == owners.body:
        return True
    mine = read_json(answer)
    return isinstance(mine, dict | list) and shape(mine) == shape(read_json(owners))
