"""A request's body -> bytes, a JSON object or its text fields; what is wrong is refused."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request

from readiness.demo.refusals import Refused, invalid

JSON_BYTES = 64 * 1024
TEXT_CHARACTERS = 1024


async def read(request: Request, limit: int) -> bytes:
    """Return the whole body; refuse one of more than `limit` bytes as soon as it is too long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise Refused(413, f"the body is larger than {limit} bytes")
    return bytes(body)


async def json_object(request: Request) -> dict[str, Any]:
    """Return the JSON object in the body; what is no object lacks every field, so it is empty."""
    try:
        body = json.loads(await read(request, JSON_BYTES), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


async def texts(request: Request, names: Sequence[str]) -> dict[str, str]:
    """Return the text fields `names` of the JSON body, or refuse by naming what is wrong."""
    body = await json_object(request)
    missing = [name for name in names if not isinstance(body.get(name), str)]
    if missing:
        raise Refused(422, {"detail": [invalid(n, "field required", "missing") for n in missing]})
    return {name: text(body, name) for name in names}


def text(body: Mapping[str, Any], name: str) -> str:
    """Return the field `name`, a text that a database can hold; refuse anything else."""
    value = body.get(name)
    if isinstance(value, str) and 0 < len(value) <= TEXT_CHARACTERS and _storable(value):
        return value
    message = f"a text of 1 to {TEXT_CHARACTERS} characters is required"
    raise Refused(422, {"detail": [invalid(name, message, "text")]})


def _storable(value: str) -> bool:
    """Whether `value` is free of NUL and of halves of surrogate pairs, which JSON can carry."""
    return not any(character == "\0" or "\ud800" <= character <= "\udfff" for character in value)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
