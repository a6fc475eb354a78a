"""What the answer to a step must be, and which parts of it are kept, as users write it."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    WithJsonSchema,
    model_validator,
)

from readiness.inventory.duration import Duration
from readiness.inventory.login import HeaderName
from readiness.inventory.service import Frozen, Line

_STATUSES = r"^[1-5](\d\d|xx)$"
_Type = Literal["string", "number", "boolean", "object", "array", "null"]


def _json_path(path: str) -> str:
    import jsonpath_rfc9535  # a thirtieth of a second that only journeys pay

    try:
        jsonpath_rfc9535.compile(path)
    except (jsonpath_rfc9535.JSONPathError, RecursionError):
        raise ValueError(
            "must be a JSONPath (RFC 9535). Write it as in $.user.id, $.items[0] or $['a-b']"
        ) from None
    return path


def _statuses(written: Any) -> Any:
    found = written if isinstance(written, list | tuple) else [written]
    if not found or not all(re.fullmatch(_STATUSES, str(one)) for one in found):
        raise ValueError(
            "must be a status, or a list of them. Write it as in 201, 2xx or [200, 404]"
        )
    return tuple(str(one) for one in found)


def _capture(written: Any) -> Any:
    return {"json": written} if isinstance(written, str) else written


def _match(written: Any) -> Any:
    return written if isinstance(written, Mapping | Match) else {"equals": written}


JsonPath = Annotated[str, AfterValidator(_json_path)]
Status = Annotated[
    tuple[str, ...],
    BeforeValidator(_statuses),
    WithJsonSchema({"type": ["integer", "string", "array"], "examples": [201, "2xx", [200, 404]]}),
]


class Capture(Frozen):
    """Which part of the answer to keep under a name; what is kept is a secret."""

    path: JsonPath | None = Field(None, alias="json", description="a JSONPath (RFC 9535)")
    header: HeaderName | None = None
    cookie: Line | None = Field(None, description="the value of a cookie that the answer sets")
    sha256: Literal["sent", "received"] | None = Field(
        None, description="the digest of the file sent or of the body received"
    )

    @model_validator(mode="after")
    def _one_source(self) -> "Capture":
        if sum(one is not None for one in (self.path, self.header, self.cookie, self.sha256)) != 1:
            raise ValueError("has exactly one of json, header, cookie, sha256")
        return self

    @property
    def source(self) -> str:
        """Where the value is looked for, in a few words."""
        if self.path:
            return self.path
        kind = "header" if self.header else "cookie" if self.cookie else "digest"
        return f"the {kind} {self.header or self.cookie or ''}".strip()


Captured = Annotated[Capture, BeforeValidator(_capture, json_schema_input_type=Capture | str)]


class Match(Frozen):
    """What a value must be like; every condition that is written must hold."""

    equals: JsonValue = None
    contains: str | None = Field(None, description="text in a text, or an item of a list")
    exists: bool | None = None
    type: _Type | None = None
    length: int | None = Field(None, ge=0)
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _something(self) -> "Match":
        if not self.model_fields_set:
            raise ValueError("says nothing. Write a value, or a condition as in {exists: true}")
        return self


Matched = Annotated[
    Match,
    BeforeValidator(
        _match, json_schema_input_type=Match | str | int | float | bool | list[Any] | None
    ),
]


class Expect(Frozen):
    """What the answer must be. Without a word about the status it must be a 2xx."""

    status: Status = Field(("2xx",), description="a status, or several: 201, 2xx, [200, 404]")
    headers: Mapping[HeaderName, Matched] = Field(default_factory=dict)
    values: Mapping[JsonPath, Matched] = Field(
        default_factory=dict, alias="json", description="JSONPath -> what is found there"
    )
    text: str | None = Field(None, description="what the body contains")
    sha256: str | None = Field(
        None, pattern=r"^([0-9a-f]{64}|\{\{.*\}\})$", description="the digest of the body"
    )
    time: Duration | None = Field(None, gt=0, description="until the whole answer is here")
