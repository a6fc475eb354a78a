"""The steps of a journey -> requests sent in their order, and what became of each."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from readiness.failure import Failure, ProbeError
from readiness.inventory import NOBODY, Identity, Inventory, Service, Step
from readiness.probes import Context
from readiness.probes._answer import Answer
from readiness.probes._cookies import Cookies
from readiness.probes._expectation import Absent, found, read_json, unmet
from readiness.probes._http import Target, attempt, target
from readiness.probes._login import log_in
from readiness.probes._payload import Payload, payload
from readiness.probes._refusal import reason
from readiness.probes._template import filled, filled_path, spelt

Outcome = Literal["passed", "failed", "unknown", "not reached"]

_LONGEST_CAPTURE = 8192
_SENDABLE = re.compile(r"[\x20-\x7e]*")
_ORIGIN = re.compile(r"https?://[^/?#]*")


@dataclass(frozen=True)
class Asked:
    """One request as it is sent; all of it may be secret but `shown`."""

    to: Target
    method: str
    headers: Mapping[str, str] = field(repr=False)
    payload: Payload = field(repr=False)
    shown: str = ""


@dataclass(frozen=True)
class Taken:
    """What became of one step. `because` says why it did not pass, without secrets."""

    step: Step
    outcome: Outcome
    because: str = ""
    answered: str = ""
    ms: float | None = None
    status: int | None = None
    failure: Failure | None = None

    @property
    def told(self) -> str:
        """The answer's status, if one came, and why that did not pass."""
        return f"answered {self.status}, {self.because}" if self.status else self.because

    @property
    def refused(self) -> bool:
        """Whether the server said that it did not do what it was asked."""
        return self.status is not None and 300 <= self.status < 500


class Visitor:
    """Someone who takes steps, one at a time, and keeps variables, cookies and proofs."""

    def __init__(
        self,
        context: Context,
        inventory: Inventory,
        service: str | None,
        identity: str | None,
        round_: str,
    ) -> None:
        self.context, self._inventory = context, inventory
        self._service, self._identity = service, identity
        self.variables: dict[str, Any] = {
            "run": context.run_id,
            "unique": f"readiness-{context.run_id}-{round_}",
        }
        self._cookies: dict[str, Cookies] = {}
        self._proofs: dict[str, Mapping[str, str]] = {}
        self.round = round_
        """Which walk of a journey this is, as the ledger knows it."""
        self.asked: dict[str, Asked] = {}
        """Name of a step -> the request that was sent for it last."""
        self.cookies_set: list[str] = []
        """Every Set-Cookie that was heard, as it was sent: full of secrets."""

    @property
    def secrets(self) -> list[str]:
        """What was captured, to be masked in whatever a server says."""
        kept = {key: value for key, value in self.variables.items() if key not in ("run", "unique")}
        return [spelt(value) for value in kept.values()]

    async def take(self, step: Step) -> Taken:
        """Send a step's request, again and again if it polls, and judge the answer.

        What is our own fault is raised.
        """
        name, asked = self.name_at(step), await self.request(step)
        if isinstance(asked, str):
            return Taken(step, "failed", asked)
        self.asked[step.name] = asked
        began = asyncio.get_running_loop().time()
        until = began + (step.poll.within if step.poll else 0)
        while True:
            taken = await self._send(step, name, asked)
            left = until - asyncio.get_running_loop().time()
            if taken.outcome == "passed" or step.poll is None:
                return taken
            if left <= step.poll.every:
                waited = f"still after {step.poll.within:g} s: {taken.because}"
                return replace(taken, because=waited)
            await asyncio.sleep(step.poll.every)

    async def request(self, step: Step) -> Asked | str:
        """Return a step's request as it would be sent now, or why it cannot be made."""
        name = self.name_at(step)
        proof = await self.prove(name)
        if isinstance(proof, str):
            return f"as {name}: {proof}"
        return self._request(step, name, proof)

    def name_at(self, step: Step) -> str:
        """Return the name of who takes a step."""
        return step.identity or self._identity or NOBODY

    async def send(self, asked: Asked) -> Answer | Failure:
        """Send a request; return the answer, or the failure that is the target's."""
        return await attempt(
            self.context,
            asked.to,
            method=asked.method,
            headers=asked.headers,
            body=asked.payload.content,
        )

    async def prove(self, name: str) -> Mapping[str, str] | str:
        """Return the headers that prove who asks; log in where that has not been done yet."""
        if name == NOBODY:
            return {}
        if name not in self._proofs:
            proof = await self._log_in(name, self._inventory.identities[name])
            if isinstance(proof, str):
                return proof
            self._proofs[name] = proof
        return self._proofs[name]

    async def _log_in(self, name: str, identity: Identity) -> Mapping[str, str] | str:
        if identity.logs_in and "write" not in self.context.allowed:
            raise ProbeError("not_allowed", "a login needs the write tier (--allow write)")
        if identity.login and identity.service:
            service = self._inventory.service(identity.service)
            return await log_in(service, identity.login, self.context)
        inner = Visitor(self.context, self._inventory, identity.service, None, self.round)
        inner.bring(NOBODY, self.cookies(name))
        for step in identity.steps:
            taken = await inner.take(step)
            if taken.outcome != "passed":
                return f"{step.name}, {step.shown}: {taken.told}"
        self.cookies_set += inner.cookies_set
        headers = {
            header: filled(value.get_secret_value(), inner.variables)
            for header, value in identity.headers.items()
        }
        for value in headers.values():
            self._conceal(value.rpartition(" ")[2])
        return headers

    def bring(self, name: str, cookies: Cookies) -> None:
        """Have who is called `name` come with `cookies`, also to their login."""
        self._cookies[name] = cookies

    def cookies(self, name: str) -> Cookies:
        """Return the cookies that are kept for who is called `name`."""
        return self._cookies.setdefault(name, Cookies())

    def _request(self, step: Step, name: str, proof: Mapping[str, str]) -> Asked | str:
        """Return the request of a step, or why it cannot be made."""
        written = step.service or self._service
        assert written is not None, "an inventory whose step asks nobody is refused"
        to = self._target(self._inventory.service(written), step, name)
        body = payload(step, self.variables)
        own = {k.lower(): v.get_secret_value() for k, v in step.headers.items()}
        headers = {k: filled(v, self.variables) for k, v in own.items()}
        cookies = self.cookies(name).header(to)
        media_type = {"content-type": body.media_type} if body.media_type else {}
        proven = {key.lower(): value for key, value in proof.items()}
        headers = {**media_type, **cookies, **proven, **headers}
        wrong = [key for key, value in headers.items() if not _SENDABLE.fullmatch(value)]
        if wrong:
            return f"the value for the header {wrong[0]} cannot be sent in one"
        return Asked(to, step.method, headers, body, step.shown)

    def _target(self, service: Service, step: Step, name: str) -> Target:
        path = filled_path(step.path, self.variables)
        if not step.path.startswith("{{"):
            return target(service, path, anonymous=step.identity == NOBODY)
        path = _ORIGIN.sub("", path, count=1)
        return replace(target(service, "/", anonymous=name == NOBODY), path=path or "/")

    async def _send(self, step: Step, name: str, asked: Asked) -> Taken:
        answer = await self.send(asked)
        if isinstance(answer, Failure):
            said = f"no answer ({answer.kind})"
            because = f"{answer.kind}: {answer.detail}"
            return Taken(step, "failed", because, said, failure=answer)
        self.cookies_set += answer.cookies
        set_now = self.cookies(name).keep(asked.to, answer)
        for value in set_now.values():
            self._conceal(value)
        wrong = unmet(step.expect, answer, self.variables)
        wrong += [] if wrong else self._capture(step, asked, answer, set_now)
        return Taken(
            step,
            "failed" if wrong else "passed",
            self._because(answer, wrong) if wrong else "",
            _answered(answer),
            sum(answer.ms.values()),
            answer.status,
        )

    def _because(self, answer: Answer, wrong: list[str]) -> str:
        said = reason(answer, self.secrets) if answer.status >= 400 else ""
        told = "; ".join(wrong)
        return f"{told}: {said}" if said else told

    def _capture(
        self, step: Step, asked: Asked, answer: Answer, cookies: Mapping[str, str]
    ) -> list[str]:
        """Keep what the step captures; return what was not there to be kept."""
        data = read_json(answer) if any(c.path for c in step.capture.values()) else Absent
        missing = []
        for name, capture in step.capture.items():
            value: Any = Absent
            if capture.path:
                value = found(capture.path, data)
                value = value[0] if isinstance(value, list) and value else value
            elif capture.header:
                value = answer.headers.get(capture.header.lower(), Absent)
            elif capture.cookie:
                value = cookies.get(capture.cookie, Absent)
            else:
                value = asked.payload.sha256 if capture.sha256 == "sent" else _digest(answer)
            if not isinstance(value, str | int | float) or len(str(value)) > _LONGEST_CAPTURE:
                missing.append(f"nothing to keep as {name}")
                continue
            self.variables[name] = value
            self._conceal(spelt(value))
        return missing

    def _conceal(self, value: str) -> None:
        """Have a captured value masked everywhere, unless it is found in any text anyway."""
        if len(value) >= 20 or (len(value) >= 8 and not value.isalpha() and not value.isdigit()):
            self.context.conceal(value)


def _digest(answer: Answer) -> Any:
    import hashlib

    return hashlib.sha256(answer.body).hexdigest() if answer.complete else Absent


def _answered(answer: Answer) -> str:
    parts = [answer.outcome, answer.media_type]
    parts.append(f"{len(answer.body)} bytes" if answer.complete else "more than 1 MiB")
    return ", ".join(part for part in parts if part)
