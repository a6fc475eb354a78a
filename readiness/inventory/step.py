"""One step of a journey as users write it: the request, and what belongs to it."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    JsonValue,
    Secret,
    SecretStr,
    WithJsonSchema,
    model_validator,
)

from readiness import secret
from readiness.inventory.duration import Duration
from readiness.inventory.expectation import Captured, Expect
from readiness.inventory.login import HeaderName
from readiness.inventory.service import Frozen, Line, Name
from readiness.quantity import quantity

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
SAFE: frozenset[str] = frozenset({"GET", "HEAD"})
"""Methods that change nothing (RFC 9110, section 9.2.1)."""

VARIABLE = r"[a-z][a-z0-9_]{0,62}"
REFERENCE = re.compile(rf"\{{\{{\s*({VARIABLE})\s*\}}\}}")
"""`{{name}}`: where the value of a variable goes. Nothing else is an expression."""
GIVEN = ("run", "unique")
"""Variables every journey has: the run's id, and a name of its own for each round."""

MOST_RANDOM = 512 << 10
"""Bytes: half of what is read of an answer, so that it can be compared when it comes back."""
_REQUEST = r"^((GET|HEAD|POST|PUT|PATCH|DELETE) )?(/|\{\{)\S*$"
_FRAMING = frozenset(
    {"content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade", "expect"}
)
"""Headers that say how a message is sent, which is not the user's to say."""
MARKS = frozenset({"user-agent", "readiness-run"})
"""Headers by which operators tell the requests of a run from others."""


def _size(written: Any) -> Any:
    size = quantity(written, "bytes")
    if not 1 <= size <= MOST_RANDOM:
        raise ValueError("must be from 1 byte to 512 KiB. Write it as in 64KiB")
    return int(size)


def _part(written: Any) -> Any:
    plain = isinstance(written, str | int | float) and not isinstance(written, bool)
    return {"text": str(written)} if plain else written


VariableName = Annotated[str, Field(pattern=rf"^{VARIABLE}$")]
Size = Annotated[
    int,
    BeforeValidator(_size),
    WithJsonSchema({"type": ["integer", "string"], "examples": ["64KiB"]}),
]


class Part(Frozen):
    """What a part of a body holds: text as it is written, or random bytes."""

    text: SecretStr | None = None
    random: Size | None = Field(None, description="so many random bytes, as in 64KiB")
    filename: Line | None = Field(None, description="makes it a file, of this name")
    type: Line | None = Field(None, description="its media type")

    @model_validator(mode="after")
    def _one_content(self) -> "Part":
        if (self.text is None) == (self.random is None):
            raise ValueError("has either text or random")
        return self


_Parted = Annotated[Part, BeforeValidator(_part, json_schema_input_type=Part | str | int | float)]


class Poll(Frozen):
    """Ask again until the expectation holds."""

    every: Duration = Field(0.2, ge=0.05, le=60)
    within: Duration = Field(10.0, gt=0, le=600, alias="for", description="then it has failed")

    @model_validator(mode="after")
    def _again(self) -> "Poll":
        if self.every >= self.within:
            raise ValueError("ends before it asks again. Write a longer for, or a shorter every")
        return self


class Step(Frozen):
    """One request of a journey, and what its answer must be."""

    name: Name
    request: str = Field(pattern=_REQUEST, description="`GET /path`, `{{name}}` for what was kept")
    service: Name | None = Field(None, description="where it goes, if not to the journey's service")
    identity: Name | None = Field(
        None, alias="as", description="who asks, logged in afresh; `nobody` for no one"
    )
    headers: Mapping[HeaderName, SecretStr] = Field(default_factory=dict, repr=False)
    payload: Secret[JsonValue] | None = Field(None, alias="json", description="sent as JSON")
    form: Mapping[str, SecretStr] | None = Field(None, description="sent as a form", repr=False)
    multipart: Mapping[str, _Parted] | None = Field(None, description="sent as multipart/form-data")
    body: _Parted | None = Field(None, description="sent as it is")
    capture: Mapping[VariableName, Captured] = Field(
        default_factory=dict, description="name -> JSONPath, or {header: ...}, {cookie: ...}"
    )
    expect: Expect = Expect()
    poll: Poll | None = None
    always: bool = Field(False, description="clean-up: runs however the journey went")
    creates: Line | None = Field(
        None, description="what it leaves in the system, as in `file {{unique}}`"
    )
    removes: Name | None = Field(None, description="the step whose creation it takes away again")
    stays: Line | None = Field(None, description="why what it creates cannot be taken away")

    @model_validator(mode="after")
    def _fits_together(self) -> "Step":
        if sum(one is not None for one in (self.payload, self.form, self.multipart, self.body)) > 1:
            raise ValueError("has more than one of json, form, multipart, body")
        if self.method in SAFE and (self.has_body or self.creates or self.removes):
            raise ValueError(f"is a {self.method}, which sends no body and changes nothing")
        if self.poll and self.method not in SAFE:
            raise ValueError(f"is a {self.method}, which must not be repeated by poll")
        if framing := sorted(name for name in self.headers if name.lower() in _FRAMING):
            raise ValueError(f"sets the header {framing[0]}, which is not its own to set")
        if marks := sorted(name for name in self.headers if name.lower() in MARKS):
            raise ValueError(f"sets the header {marks[0]}, which says whose requests these are")
        if self.stays and not self.creates:
            raise ValueError("says what stays, but not what it creates. Write creates: too")
        return self

    @property
    def method(self) -> str:
        """The method, GET where none is written."""
        method, space, _ = self.request.partition(" ")
        return method if space else "GET"

    @property
    def path(self) -> str:
        """The path and query as they are written."""
        return self.request.rpartition(" ")[2]

    @property
    def shown(self) -> str:
        """Method and path without the query: fit to be shown."""
        return f"{self.method} {self.path.partition('?')[0]}"

    @property
    def has_body(self) -> bool:
        """Whether it sends one."""
        bodies = (self.payload, self.form, self.multipart, self.body)
        return any(one is not None for one in bodies)

    @property
    def references(self) -> frozenset[str]:
        """The variables whose values it needs."""
        return frozenset(
            name for text in texts(self._written()) for name in REFERENCE.findall(text)
        )

    @property
    def sent(self) -> Mapping[str, Any]:
        """What it sends beside its path, as plain data: full of secrets."""
        headers = {name: value.get_secret_value() for name, value in self.headers.items()}
        return {"headers": headers, **self._body()}

    @property
    def secret_texts(self) -> tuple[str, ...]:
        """The texts with references that are secret once they are filled."""
        return tuple(secret.of_references(self.sent))

    @property
    def unfilled(self) -> tuple[str, ...]:
        """The texts in its path and headers that still hold `{{` when all is filled."""
        headers = [value.get_secret_value() for value in self.headers.values()]
        whole = [self.path, *headers, self.expect.sha256 or ""]
        return tuple(text for text in whole if "{{" in REFERENCE.sub("", text))

    def _body(self) -> Any:
        parts = {**(self.multipart or {}), **({"body": self.body} if self.body else {})}
        return {
            "json": self.payload.get_secret_value() if self.payload is not None else None,
            "form": {k: v.get_secret_value() for k, v in (self.form or {}).items()},
            "parts": {k: v.text.get_secret_value() for k, v in parts.items() if v.text},
        }

    def _written(self) -> Any:
        expect = self.expect
        return [
            self.path,
            [value.get_secret_value() for value in self.headers.values()],
            self._body(),
            [part.filename for part in (self.multipart or {}).values()],
            [match.model_dump() for match in (*expect.headers.values(), *expect.values.values())],
            [expect.text, expect.sha256, self.creates],
        ]


def texts(data: Any) -> Iterator[str]:
    """Yield every text in plain `data`, keys as well."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from (key, *texts(value))
    elif isinstance(data, list | tuple):
        for value in data:
            yield from texts(value)
    elif isinstance(data, str):
        yield data
