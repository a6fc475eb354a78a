"""One login request -> the headers that prove who we are, or why there are none."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import Field, JsonValue, Secret, SecretStr, model_validator

from readiness.failure import Failure
from readiness.inventory import Service
from readiness.probes import Context, ProbeSettings
from readiness.probes._answer import Answer
from readiness.probes._http import attempt, public_path, target
from readiness.probes._refusal import mask, reason

HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
_TOKEN_LIMIT = 8192


class Login(ProbeSettings):
    """One request that turns a user's credentials into a token."""

    request: str = Field(
        pattern=r"^(POST|PUT) /\S*$", description="method and path, as in `POST /auth/login`"
    )
    payload: Secret[dict[str, JsonValue]] | None = Field(
        None, alias="json", description="the body, sent as JSON"
    )
    form: Mapping[str, SecretStr] | None = Field(None, description="the body, sent as a form")
    token: str = Field(
        "$.access_token",
        pattern=r"^\$(\.[A-Za-z0-9_-]+|\[\d{1,4}\])+$",
        description="where the token is in the JSON answer, as in `$.data.token`",
    )
    header: HeaderName = Field("Authorization", description="the header that carries the token")
    scheme: str = Field(
        "Bearer", pattern=r"^[\w-]*$", description="the word before the token, may be empty"
    )

    @model_validator(mode="after")
    def _one_body(self) -> "Login":
        if (self.payload is None) == (self.form is None):
            raise ValueError("a login has either json or form")
        return self

    @property
    def sent(self) -> tuple[str, ...]:
        """Every secret text in the request."""
        if self.form is not None:
            return tuple(value.get_secret_value() for value in self.form.values())
        return tuple(_leaves(self.payload.get_secret_value() if self.payload else {}))

    @property
    def body(self) -> tuple[str, bytes]:
        """The media type and the bytes of the request's body."""
        if self.form is not None:
            pairs = {name: value.get_secret_value() for name, value in self.form.items()}
            return "application/x-www-form-urlencoded", urlencode(pairs).encode()
        payload = self.payload.get_secret_value() if self.payload else {}
        return "application/json", json.dumps(payload).encode()


async def log_in(service: Service, login: Login, context: Context) -> dict[str, str] | str:
    """Log in once; return the headers to send from now on, or the refusal as a sentence part."""
    method, _, path = login.request.partition(" ")
    media_type, body = login.body
    answer = await attempt(
        context,
        target(service, path, anonymous=True),
        method=method,
        headers={"Content-Type": media_type, "Accept": "application/json"},
        body=body,
    )
    step = f"{method} {public_path(path)}"
    if isinstance(answer, Failure):
        return f"{step}: {answer.kind}: {answer.detail}"
    if not answer.ok:
        why = reason(answer, login.sent)
        return mask(f"{step} answered {answer.outcome}", login.sent) + (f": {why}" if why else "")
    token = _token(answer, login.token)
    if token is None:
        return f"{step} answered {answer.status} without a token at {login.token}"
    context.conceal(token)
    return {login.header: f"{login.scheme} {token}".strip()}


def _token(answer: Answer, path: str) -> str | None:
    """Return the text at `path` if it can be sent in a header."""
    try:
        value = json.loads(answer.text)
    except (ValueError, RecursionError):
        return None
    for name, index in re.findall(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]", path):
        if name and isinstance(value, Mapping):
            value = value.get(name)
        elif index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        else:
            return None
    usable = isinstance(value, str) and re.fullmatch(rf"[!-~]{{1,{_TOKEN_LIMIT}}}", value)
    return value if usable else None


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)
