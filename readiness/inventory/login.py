"""One request that turns a user's credentials into a token, as users write it."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field, JsonValue, Secret, SecretStr, model_validator

HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]


class Login(BaseModel):
    """One request that turns a user's credentials into a token."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

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


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)
