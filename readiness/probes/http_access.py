"""Whether protected paths refuse strangers and accept the credential, and public ones answer."""

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from readiness.failure import Failure, ProbeError
from readiness.inventory import Inventory, Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, Named, ProbeSettings
from readiness.probes._answer import Answer
from readiness.probes._http import attempt, public_path, target
from readiness.probes._login import HeaderName, Login, log_in
from readiness.probes._refusal import reason
from readiness.probes._visitor import Visitor

TIER: Tier = "observe"
KINDS = frozenset({"http", "web"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "protected_paths": "count of protected paths asked without a credential",
    "anonymous_refused": "true or false: every protected path refuses an anonymous request",
    "public_paths": "count of public paths asked without a credential",
    "public_answered": "true or false: every public path answers 2xx without a credential",
    "credential_accepted": "true or false: every protected path answers 2xx to the credential",
    "forged_refused": "true or false: a protected path refuses the credential once it is corrupted",
    "login_accepted": "true or false: the login request yields a token (write tier)",
}
_SHOWN = 5
_CORRUPTED = 8
"""Characters changed at the end of a credential: base64's last one may hold no bit that counts."""
_KINDS_OF_CHARACTER = (string.ascii_lowercase, string.ascii_uppercase, string.digits)
_ROTATED = str.maketrans(
    "".join(_KINDS_OF_CHARACTER),
    "".join(each[len(each) // 2 :] + each[: len(each) // 2] for each in _KINDS_OF_CHARACTER),
)


def _refusal_status(status: int) -> int:
    if status in (401, 403) or 300 <= status < 400:
        return status
    raise ValueError("a refusal is 401 or 403, or a redirect where that is the policy")


Request = Annotated[str, Field(pattern=r"^((GET|HEAD) )?/\S*$")]
RefusalStatus = Annotated[int, AfterValidator(_refusal_status)]
Asked = Mapping[str, Answer | Failure]


class Credential(ProbeSettings):
    """Headers that prove who we are."""

    headers: Mapping[HeaderName, SecretStr] = Field(
        min_length=1, description="headers to send, such as `Authorization: Bearer ...`"
    )

    @field_validator("headers")
    @classmethod
    def _printable(cls, headers: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
        if not all(value.get_secret_value().isprintable() for value in headers.values()):
            raise ValueError("a header's value is one line of printable text")
        return headers


class Settings(ProbeSettings):
    """Which paths are for everyone, which are not, and how to prove who we are."""

    public: tuple[Request, ...] = Field((), description="paths that anyone may read")
    protected: tuple[Request, ...] = Field(
        (), description="paths that refuse strangers: `/path`, `GET /path` or `HEAD /path`"
    )
    refuse_with: frozenset[RefusalStatus] = Field(
        frozenset({401, 403}), min_length=1, description="statuses that count as a refusal"
    )
    credential: Credential | None = Field(
        None, description="headers with which the protected paths must answer"
    )
    login: Login | None = Field(
        None, description="a request whose token opens the protected paths (write tier)"
    )
    identity: str | None = Field(
        None, description="or who gets through them, of the inventory's identities"
    )

    @property
    def own_login(self) -> Login | None:
        """Part of ProbeSettings."""
        return self.login

    def named(self, inventory: Inventory) -> Iterator[Named]:
        """Part of ProbeSettings."""
        if self.identity:
            yield ("identity",), self.identity, inventory.identities, "identity"

    @model_validator(mode="after")
    def _something_to_try(self) -> "Settings":
        if not (self.public or self.protected or self.login or self.identity):
            raise ValueError("must name at least one public or protected path, or a login")
        if sum(one is not None for one in (self.credential, self.login, self.identity)) > 1:
            raise ValueError("has more than one of credential, login and identity")
        return self


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Ask each path once per identity, one request at a time."""
    anonymous = await _ask(service, (*settings.protected, *settings.public), {}, context)
    if anonymous and all(isinstance(answer, Failure) for answer in anonymous.values()):
        failure = next(a for a in anonymous.values() if isinstance(a, Failure))
        raise ProbeError(failure.kind, failure.detail)
    protected = {request: anonymous[request] for request in settings.protected}
    public = {request: anonymous[request] for request in settings.public}
    return {
        "protected_paths": len(protected),
        "public_paths": len(public),
        **_refused(protected, settings.refuse_with),
        **_answered("public_answered", public, "no public path is declared"),
        **await _proven(service, settings, context),
    }


async def _ask(
    service: Service, requests: Sequence[str], headers: Mapping[str, str], context: Context
) -> dict[str, Answer | Failure]:
    """Return the answer to each of `requests`; the URL's own credentials are left out."""
    asked: dict[str, Answer | Failure] = {}
    for request in requests:
        method, path = _method_and_path(request)
        to = target(service, path, anonymous=True)
        asked[request] = await attempt(context, to, method=method, headers=headers)
    return asked


def _refused(asked: Asked, refuse_with: frozenset[int]) -> Values:
    if not asked:
        return {"anonymous_refused_because": "no protected path is declared"}
    offenders, doubts = list[str](), list[str]()
    for request, answer in asked.items():
        if isinstance(answer, Failure) or answer.status not in refuse_with:
            told = f"{_shown(request)} {_not_a_refusal(answer, refuse_with)}"
            (doubts if _tells_nothing(answer) else offenders).append(told)
    if doubts and not offenders:
        return {"anonymous_refused_because": "; ".join(doubts[:_SHOWN])}
    return _verdict("anonymous_refused", offenders)


def _tells_nothing(answer: Answer | Failure) -> bool:
    """Whether an answer is neither a refusal nor a way in."""
    return isinstance(answer, Failure) or answer.status in (404, 429) or answer.status >= 500


def _not_a_refusal(answer: Answer | Failure, refuse_with: frozenset[int]) -> str:
    if isinstance(answer, Failure):
        return f"gave no answer ({answer.kind}: {answer.detail})"
    said = f"answered an anonymous request with {answer.outcome}"
    if answer.ok:
        return said
    if answer.status == 404:
        return f"{said}, which tells nothing of protection: the path may not exist"
    if answer.status >= 500:
        return f"{said}, which is a failure and no refusal"
    return f"{said}, which is no refusal ({' or '.join(map(str, sorted(refuse_with)))})"


def _answered(
    metric: str, asked: Asked, without: str, by: str = "", sent: Sequence[str] = ()
) -> Values:
    """Judge answers that should be 2xx; the server's reason is told without what was `sent`."""
    if not asked:
        return {f"{metric}_because": without}
    offenders = []
    for request, answer in asked.items():
        if isinstance(answer, Failure):
            offenders.append(f"{by}{_shown(request)}: {answer.kind}: {answer.detail}")
        elif not answer.ok:
            told = reason(answer, sent) if by else ""
            why = f": {told}" if told else ""
            offenders.append(f"{by}{_shown(request)} answered {answer.outcome}{why}")
    return _verdict(metric, offenders)


async def _proven(service: Service, settings: Settings, context: Context) -> Values:
    """Measure the positive control: what the credential, or the login's token, opens."""
    if settings.credential:
        given = settings.credential.headers.items()
        headers = {name: value.get_secret_value() for name, value in given}
        return await _accepted(service, settings, headers, context)
    if settings.identity:
        known = context.inventory.identities.get(settings.identity)
        if known is None:
            return _untried(f"the inventory has no identity called {settings.identity}")
        if not known.logs_in:
            proof = await _as_identity(service, settings, context)
            if isinstance(proof, str):
                return _untried(proof)
            return await _accepted(service, settings, proof, context)
    elif not settings.login:
        return {}
    if "write" not in context.allowed:
        because = "a login needs the write tier (--allow write)"
        return {"login_accepted_because": because, **_untried(because)}
    if settings.login:
        proof = await log_in(service, settings.login, context)
    else:
        proof = await _as_identity(service, settings, context)
    if isinstance(proof, str):
        because = "the login was refused"
        return {**_verdict("login_accepted", [proof]), **_untried(because)}
    return {"login_accepted": True, **await _accepted(service, settings, proof, context)}


async def _as_identity(
    service: Service, settings: Settings, context: Context
) -> Mapping[str, str] | str:
    """Return the headers that prove the identity to the protected paths, or why there are none."""
    name = settings.identity or ""
    visitor = Visitor(context, context.inventory, service.name, None, "access")
    proof = await visitor.prove(name)
    if isinstance(proof, str):
        return proof
    _, path = _method_and_path((*settings.protected, "/")[0])
    return {**visitor.cookies(name).header(target(service, path, anonymous=True)), **proof}


async def _accepted(
    service: Service, settings: Settings, headers: Mapping[str, str], context: Context
) -> Values:
    asked = await _ask(service, settings.protected, headers, context)
    if not asked:
        return _untried("no protected path is declared to try it on")
    sent = [text for value in headers.values() for text in (value, *value.split())]
    values = _answered("credential_accepted", asked, "", "with the credential, ", sent)
    if values["credential_accepted"] is not True:
        because = "the credential was not accepted, so that a forged one proves nothing"
        return {**values, "forged_refused_because": because}
    return values | await _forged_refused(service, settings, headers, context)


def _untried(because: str) -> Values:
    return {"credential_accepted_because": because, "forged_refused_because": because}


async def _forged_refused(
    service: Service, settings: Settings, headers: Mapping[str, str], context: Context
) -> Values:
    """Measure the negative control: an accepted credential opens nothing once it is corrupted."""
    forged = {name: corrupted(name, value) for name, value in headers.items()}
    [(request, answer)] = (await _ask(service, settings.protected[:1], forged, context)).items()
    return _verdict("forged_refused", _undeterred(request, answer, settings.refuse_with | {400}))


def _undeterred(request: str, answer: Answer | Failure, refusals: frozenset[int]) -> list[str]:
    """Return why `answer` to a forged credential is no refusal, without the server's own words."""
    if isinstance(answer, Failure):
        return [f"{_shown(request)} gave no answer to a forged credential ({answer.kind})"]
    if answer.status in refusals:
        return []
    said = f"{_shown(request)} answered a forged credential with {answer.status}"
    wanted = " or ".join(map(str, sorted(refusals)))
    return [said if answer.ok else f"{said}, which is no refusal ({wanted})"]


def corrupted(name: str, value: str) -> str:
    """Return the header's value with the end of its last word changed, of each pair in a cookie."""
    if name.lower() == "cookie":
        return re.sub(r"(?<==)[^;\s]+", lambda pair: _changed(pair[0]), value)
    *scheme, word = re.split(r"(\s+)", value)
    return "".join([*scheme, _changed(word)])


def _changed(word: str) -> str:
    """Rotate letters and digits, and replace all else; the padding of base64 stays as it is."""
    body = word.rstrip("=") or word
    kept, end = body[:-_CORRUPTED], body[-_CORRUPTED:]
    changed = (new if (new := c.translate(_ROTATED)) != c else "x" for c in end)
    return kept + "".join(changed) + word[len(body) :]


def _verdict(metric: str, offenders: Sequence[str]) -> Values:
    if not offenders:
        return {metric: True}
    more = [f"{len(offenders) - _SHOWN} more"] if len(offenders) > _SHOWN else []
    return {metric: False, f"{metric}_because": "; ".join([*offenders[:_SHOWN], *more])}


def _method_and_path(request: str) -> tuple[str, str]:
    method, space, path = request.partition(" ")
    return (method, path) if space else ("GET", request)


def _shown(request: str) -> str:
    method, path = _method_and_path(request)
    return f"{method} {public_path(path)}"
