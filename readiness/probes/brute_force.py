"""Whether guessing passwords is limited, and accounts cannot be told from none (intrusive tier)."""

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from pydantic import Field

from readiness.escape import line
from readiness.failure import Failure, ProbeError
from readiness.inventory import Inventory, Login, Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, Named, ProbeSettings
from readiness.probes._answer import Answer
from readiness.probes._disposable import other_user
from readiness.probes._http import attempt, public_path, target
from readiness.probes._login import token_in
from readiness.probes._login_guess import Fields, body, fields, value_at
from readiness.probes._same_refusal import told_apart

TIER: Tier = "intrusive"
KINDS = frozenset({"http", "web"})
EXCLUSIVE = True
METRICS: Mapping[str, str] = {
    "wrong_refused": "true or false: no wrong password logged in",
    "limited": "true or false: guessing was stopped, by 429 or by locking the account",
    "limited_after": "count of wrong logins after which it was",
    "answered_429": "true or false: it was stopped by 429",
    "retry_after": "true or false: that 429 says when to come back",
    "accounts_hidden": "true or false: a wrong password and an unknown account are answered alike",
    "attempts": "count of wrong logins that were sent",
}
MOST = 10
"""Wrong logins sent, one of them with an account that does not exist."""

_LONGEST = 300


class Settings(ProbeSettings):
    """Whose login to guess at: an account that nobody misses when it is locked."""

    identity: str = Field(
        description="a disposable identity of the inventory with a `login`; it may end up locked"
    )
    account_field: str | None = Field(
        None, description="the field of the account, if not found by name"
    )
    password_field: str | None = Field(
        None, description="the field of the password, if not found by name"
    )

    def named(self, inventory: Inventory) -> Iterator[Named]:
        """Part of ProbeSettings."""
        yield ("identity",), self.identity, inventory.identities, "identity"


@dataclass(frozen=True)
class _Door:
    """The login, at which each knock is one request."""

    service: Service
    login: Login
    at: Fields
    context: Context

    async def knock(
        self, account: str | None = None, password: str | None = None
    ) -> Answer | Failure:
        """Log in with what is given in place of what is right."""
        changes = {self.at.account: account, self.at.password: password}
        given = {path: text for path, text in changes.items() if text is not None}
        media_type, content = body(self.login, given)
        method, _, path = self.login.request.partition(" ")
        return await attempt(
            self.context,
            target(self.service, path, anonymous=True),
            method=method,
            headers={"Content-Type": media_type, "Accept": "application/json"},
            body=content,
        )

    def opened(self, answer: Answer) -> bool:
        """Whether an answer grants a token."""
        token = token_in(answer, self.login.token) if answer.ok else None
        if token:
            self.context.conceal(token)
        return token is not None


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Log in, guess at most ten times, one after another, and log in again."""
    if "write" not in context.allowed:
        raise ProbeError("not_allowed", "a login needs the write tier (--allow write)")
    door = _door(settings, context)
    if isinstance(door, str):
        return _untold(door)
    right = await door.knock()
    if isinstance(right, Failure):
        raise ProbeError(right.kind, right.detail)
    if not door.opened(right):
        return _untold(f"{_shown(door)} answered {_said(right)} to the right password")
    return await _guessed(door)


def _door(settings: Settings, context: Context) -> _Door | str:
    identity = context.inventory.identities.get(settings.identity)
    if identity is None:
        return f"the inventory has no identity called {settings.identity}"
    if identity.login is None or identity.service is None:
        return f"the identity {settings.identity} has no login of one request"
    if user := other_user(settings.identity, context.inventory):
        return (
            f"the identity {settings.identity} may be locked by guessing, but {user} needs it; "
            "guess at an account that nothing else uses"
        )
    at = fields(identity.login, settings.account_field, settings.password_field)
    service = context.inventory.service(identity.service)
    return at if isinstance(at, str) else _Door(service, identity.login, at, context)


async def _guessed(door: _Door) -> Values:
    """Guess: a wrong password, an account that is none, then wrong passwords until stopped."""
    wrong = [await door.knock(password=_password())]
    stranger = _stranger(door)
    unknown = await door.knock(account=stranger, password=_password())
    while len(wrong) + 1 < MOST and not _over(door, (wrong[-1], unknown)):
        wrong.append(await door.knock(password=_password()))
    values: Values = {"attempts": len(wrong) + 1}
    if any(isinstance(one, Answer) and door.opened(one) for one in (*wrong, unknown)):
        because = f"{_shown(door)} granted a token to a wrong password"
        told: Values = {"wrong_refused": False, "wrong_refused_because": because}
        return {**values, **_untold(because), **told}
    hidden = _hidden(door, wrong, unknown, stranger)
    return {**values, **hidden, **await _limited(door, wrong, unknown)}


def _over(door: _Door, answers: Iterable[Answer | Failure]) -> bool:
    """Whether there is no more to learn: stopped, let in, or no proper answer."""
    return any(
        isinstance(one, Failure) or one.status == 429 or one.status >= 500 or door.opened(one)
        for one in answers
    )


async def _limited(
    door: _Door, wrong: Sequence[Answer | Failure], unknown: Answer | Failure
) -> Values:
    """Judge how guessing ended; the right password tells a lockout."""
    sent = len(wrong) + 1
    for one in (*wrong, unknown):
        if isinstance(one, Failure) or one.status >= 500:
            return _unlimited(f"{_shown(door)} {_said(one)} to a wrong login")
        if one.status == 429:
            return _stopped(sent, one)
    right = await door.knock()
    if isinstance(right, Failure) or right.status >= 500:
        return _unlimited(f"{_shown(door)} {_said(right)} to the right password in the end")
    if not door.opened(right):
        return _stopped(sent, right)
    because = f"{sent} wrong logins in a row were answered, and the right password still let in"
    limited: Values = {"limited": False, "limited_because": because}
    return {"wrong_refused": True, **limited, "answered_429": False}


def _stopped(after: int, answer: Answer) -> Values:
    told: Values = {"wrong_refused": True, "limited": True, "limited_after": after}
    if answer.status != 429:
        return {**told, "answered_429": False}
    return {**told, "answered_429": True, **_retry(answer)}


def _unlimited(because: str) -> Values:
    told = ("wrong_refused", "limited", "answered_429", "retry_after")
    return {f"{metric}_because": because for metric in told}


def _retry(answer: Answer) -> Values:
    """Whether Retry-After is there and is seconds or a date (RFC 9110, section 10.2.3)."""
    value = answer.headers.get("retry-after", "").strip()
    if value.isdecimal():
        return {"retry_after": True}
    try:
        parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        what = "a Retry-After that is neither seconds nor a date" if value else "no Retry-After"
        return {"retry_after": False, "retry_after_because": f"the 429 carries {what}"}
    return {"retry_after": True}


def _hidden(
    door: _Door, wrong: Sequence[Answer | Failure], unknown: Answer | Failure, stranger: str
) -> Values:
    """Compare the answers for an account that exists and for one that does not."""
    metric = "accounts_hidden"
    known = wrong[0]
    for one in (known, unknown):
        if isinstance(one, Failure) or one.status == 429 or one.status >= 500:
            return {f"{metric}_because": f"{_shown(door)} {_said(one)} before it could be compared"}
    assert isinstance(known, Answer)
    assert isinstance(unknown, Answer)
    names = (value_at(door.login, door.at.account), stranger)
    again = [one for one in wrong[1:] if isinstance(one, Answer)]
    differs = told_apart(known, unknown, again, names)
    if differs is None:
        return {f"{metric}_because": "refusals of one account are too few, or differ, to compare"}
    if differs:
        because = f"{_shown(door)} tells an unknown account from a wrong password by {differs}"
        return {metric: False, f"{metric}_because": because}
    return {metric: True}


def _untold(because: str) -> Values:
    return {**_unlimited(because), "accounts_hidden_because": because}


def _password() -> str:
    """Return a wrong password of the length and kinds of characters that policies ask for."""
    return f"Wrong-{secrets.token_hex(6)}-1"


def _stranger(door: _Door) -> str:
    """Return an account that does not exist, made like the one that does."""
    name = f"readiness-{secrets.token_hex(6)}"
    _, at, domain = value_at(door.login, door.at.account).rpartition("@")
    return f"{name}@{domain}" if at else name


def _shown(door: _Door) -> str:
    return public_path(door.login.request)


def _said(answer: Answer | Failure) -> str:
    if isinstance(answer, Failure):
        return f"gave no answer ({answer.kind})"
    return f"answered {line(answer.outcome, _LONGEST)}"
