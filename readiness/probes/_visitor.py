"""The steps of a journey -> requests sent in their order, and what became of each."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from readiness.failure import Failure, ProbeError
from readiness.inventory import NOBODY, Identity, Inventory, Service, Step
from readiness.probes import Context
from readiness.probes._answer import Answer
from readiness.probes._captured import captured
from readiness.probes._cookies import Cookies
from readiness.probes._expectation import unmet
from readiness.probes._http import Target, attempt, target
from readiness.probes._login import log_in
from readiness.probes._payload import payload
from readiness.probes._refusal import reason
from readiness.probes._taken import Asked, Taken
from readiness.probes._template import filled, filled_path, own_path, spelt

_OF_THE_RUN = 8
"""Characters of the run's id in the names it gives: many systems allow no more than 30."""
_SENDABLE = re.compile(r"[\x20-\x7e]*")


class Visitor:
    """Someone who takes steps, one at a time, and keeps variables, cookies and proofs."""

    def __init__(
        self,
        context: Context,
        inventory: Inventory,
        service: str | None,
        identity: str | None,
        round_: str,
        *,
        anonymous: bool = False,
    ) -> None:
        """`anonymous` leaves out what the services' URLs carry of credentials, from every step."""
        self.context, self._inventory = context, inventory
        self._service, self._identity, self._anonymous = service, identity, anonymous
        self.variables: dict[str, Any] = {
            "run": context.run_id,
            "unique": f"readiness-{context.run_id[:_OF_THE_RUN]}-{round_}",
        }
        self._cookies: dict[str | None, Cookies] = {}
        self._proofs: dict[str, Mapping[str, str] | str] = {}
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

    async def take(self, step: Step, announce: Callable[[], None] = lambda: None) -> Taken:
        """Send a step's request, again and again if it polls, and judge the answer.

        `announce` is called just before the request is sent, if it comes to that. What is our
        own fault is raised.
        """
        asked = await self.request(step)
        if isinstance(asked, str):
            return Taken(step, "failed", asked)
        self.asked[step.name] = asked
        announce()
        began = asyncio.get_running_loop().time()
        until = began + (step.poll.within if step.poll else 0)
        while True:
            taken = await self._send(step, asked)
            now = asyncio.get_running_loop().time()
            if step.poll is None:
                return taken
            if taken.outcome == "passed":
                return replace(taken, ms=(now - began) * 1000)
            if until - now <= step.poll.every:
                waited = f"still {taken.because} after {step.poll.within:g} s"
                return replace(taken, because=waited, ms=(now - began) * 1000)
            if self.context.deadline - now <= step.poll.every:  # else nobody would clean up
                raise ProbeError("deadline", f"no time was left to go on: {taken.because}")
            await asyncio.sleep(step.poll.every)

    async def request(self, step: Step) -> Asked | str:
        """Return a step's request as it would be sent now, or why it cannot be made."""
        name = self.name_at(step)
        proof = await self.prove(name)
        if isinstance(proof, str):
            return f"as {name}: {proof}"
        return self._request(step, proof)

    def name_at(self, step: Step) -> str:
        """Return the name of who takes a step."""
        return self._named(step) or NOBODY

    def _named(self, step: Step) -> str | None:
        """Return the name that is written for who takes a step, if one is."""
        return step.identity or self._identity

    async def send(self, asked: Asked) -> Answer | Failure:
        """Send a request; return the answer, or the failure that is the target's."""
        return await attempt(
            replace(self.context, timeout=asked.seconds or self.context.timeout),
            asked.to,
            method=asked.method,
            headers=asked.headers,
            body=asked.payload.content,
        )

    async def prove(self, name: str) -> Mapping[str, str] | str:
        """Return the headers that prove who asks; log in where that has not been done yet."""
        if name == NOBODY:
            return {}
        if name not in self._proofs:  # a refusal is kept too: many of them lock an account
            self._proofs[name] = await self._log_in(name, self._inventory.identities[name])
        return self._proofs[name]

    async def _log_in(self, name: str, identity: Identity) -> Mapping[str, str] | str:
        if identity.logs_in and "write" not in self.context.allowed:
            raise ProbeError("not_allowed", "a login needs the write tier (--allow write)")
        if identity.login and identity.service:
            service = self._inventory.service(identity.service)
            return await log_in(service, identity.login, self.context)
        context, of = self.context, self._inventory
        inner = Visitor(context, of, identity.service, None, self.round, anonymous=True)
        inner._cookies[None] = self.cookies(name)
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

    def bring(self, step: Step, cookies: Cookies) -> None:
        """Have who takes `step` come with `cookies`, also to their login."""
        self._cookies[self._named(step)] = cookies

    def cookies(self, name: str | None) -> Cookies:
        """Return the cookies that are kept for who is called `name`, None where no name is written.

        Who is called nobody keeps none: a session that began without a name is no longer nobody's.
        """
        return Cookies() if name == NOBODY else self._cookies.setdefault(name, Cookies())

    def cookies_at(self, step: Step) -> Cookies:
        """Return the cookies of who takes a step."""
        return self.cookies(self._named(step))

    def _request(self, step: Step, proof: Mapping[str, str]) -> Asked | str:
        """Return the request of a step, or why it cannot be made."""
        written = step.service or self._service
        assert written is not None, "an inventory whose step asks nobody is refused"
        service = self._inventory.service(written)
        to = self._target(service, step)
        if to is None:
            return "what was kept for its path is none that can be asked for"
        body = payload(step, self.variables)
        own = {k.lower(): v.get_secret_value() for k, v in step.headers.items()}
        headers = {k: filled(v, self.variables) for k, v in own.items()}
        self._conceal_filled(step)
        cookies = self.cookies_at(step).header(to)
        media_type = {"content-type": body.media_type} if body.media_type else {}
        proven = {key.lower(): value for key, value in proof.items()}
        together = {**media_type, **cookies, **proven, **headers}
        headers = {key: value.strip() for key, value in together.items()}
        wrong = [key for key, value in headers.items() if not _SENDABLE.fullmatch(value)]
        if wrong:
            return f"the value for the header {wrong[0]} cannot be sent in one"
        seconds = max(service.timeout or self.context.timeout, step.expect.time or 0.0)
        return Asked(to, step.method, headers, body, step.shown, seconds)

    def _target(self, service: Service, step: Step) -> Target | None:
        """Return where a step asks, always at its service; None if its path cannot be made.

        The credentials of the service's URL go along only where no step and no journey says who
        asks: they would prove somebody else.
        """
        anonymous = self._anonymous or self._named(step) is not None
        path = filled_path(step.path, self.variables)
        if path is None:
            return None
        if not step.path.startswith("{{"):
            return target(service, path, anonymous=anonymous)
        whole = own_path(path)
        top = target(service, "/", anonymous=anonymous)
        return replace(top, path=_with_query(whole, top.path)) if whole else None

    async def _send(self, step: Step, asked: Asked) -> Taken:
        answer = await self.send(asked)
        if isinstance(answer, Failure):
            said = f"no answer ({answer.kind})"
            because = f"{answer.kind}: {answer.detail}"
            return Taken(step, "failed", because, said, failure=answer)
        self.cookies_set += answer.cookies
        set_now = self.cookies_at(step).keep(asked.to, answer)
        for value in set_now.values():
            self._conceal(value)
        wrong = unmet(step.expect, answer, self.variables)
        if answer.ok or not wrong:  # clean-up needs what a creation says even if it says it wrong
            missing = self._keep(step, asked, answer, set_now, strict=not wrong)
            wrong = wrong or missing
        return Taken(
            step,
            "failed" if wrong else "passed",
            "; ".join(wrong),
            _answered(answer),
            sum(answer.ms.values()),
            answer.status,
            said=reason(answer, self.secrets) if wrong and answer.status >= 400 else "",
        )

    def _keep(
        self, step: Step, asked: Asked, answer: Answer, cookies: Mapping[str, str], *, strict: bool
    ) -> list[str]:
        """Keep what the step captures; return what was not there to be kept."""
        try:
            kept, missing = captured(step, asked, answer, cookies)
        except ProbeError:
            if strict:
                raise
            return []  # what is wrong is known already
        self.variables |= kept
        for value in kept.values():
            self._conceal(spelt(value))
        return missing

    def _conceal_filled(self, step: Step) -> None:
        """Have texts masked that are secret as a whole, as in `password: "Pw-{{unique}}"`."""
        for text in step.secret_texts:
            value = filled(text, self.variables)
            if value not in (self.variables["run"], self.variables["unique"]):
                self._conceal(value)

    def _conceal(self, value: str) -> None:
        """Have a captured value masked everywhere, unless it is found in any text anyway."""
        if len(value) >= 20 or (len(value) >= 8 and not value.isalpha() and not value.isdigit()):
            self.context.conceal(value)


def _with_query(path: str, top: str) -> str:
    """Return `path` with the query of `top`, which is the one of the service's URL."""
    query = top.partition("?")[2]
    if not query or query in path.partition("?")[2]:
        return path
    return f"{path}{'&' if '?' in path else '?'}{query}"


def _answered(answer: Answer) -> str:
    parts = [answer.outcome, answer.media_type]
    parts.append(f"{len(answer.body)} bytes" if answer.complete else "more than 1 MiB")
    return ", ".join(part for part in parts if part)
