"""A step and its variables -> the body that is sent, its media type, and the digest of its file."""

import hashlib
import json
import os
from dataclasses import dataclass, field
from urllib.parse import urlencode

from readiness.inventory import Part, Step
from readiness.probes._template import Variables, filled, filled_data

_TYPES = {True: "application/octet-stream", False: "text/plain; charset=utf-8"}
"""The media type of a part where none is written: that of a file, and of a field."""


@dataclass(frozen=True)
class Payload:
    """What is sent beside the headers."""

    media_type: str = ""
    content: bytes = field(default=b"", repr=False)
    sha256: str = ""
    """The digest of the file in it, of all of it where it is none."""


def payload(step: Step, variables: Variables) -> Payload:
    """Return the body of `step`; random bytes are new each time."""
    if step.payload is not None:
        data = filled_data(step.payload.get_secret_value(), variables)
        return _whole("application/json", json.dumps(data).encode())
    if step.form is not None:
        pairs = {k: filled(v.get_secret_value(), variables) for k, v in step.form.items()}
        return _whole("application/x-www-form-urlencoded", urlencode(pairs).encode())
    if step.multipart is not None:
        return _multipart(step, variables)
    if step.body is not None:
        return _whole(step.body.type or "application/octet-stream", _content(step.body, variables))
    return Payload()


def _multipart(step: Step, variables: Variables) -> Payload:
    import httpx2  # encodes the parts; most runs need none

    files: list[tuple[str, tuple[str | None, bytes, str | None]]] = []
    digest = ""
    for name, part in (step.multipart or {}).items():
        content = _content(part, variables)
        is_file = part.filename is not None or part.random is not None
        if is_file and not digest:
            digest = hashlib.sha256(content).hexdigest()
        filename = filled(part.filename or name, variables) if is_file else None
        files.append((name, (filename, content, part.type or _TYPES[is_file])))
    request = httpx2.Request("POST", "http://localhost", files=files)
    whole = _whole(request.headers["content-type"], request.read())
    return Payload(whole.media_type, whole.content, digest or whole.sha256)


def _content(part: Part, variables: Variables) -> bytes:
    if part.random is not None:
        return os.urandom(part.random)
    assert part.text is not None, "a part has either text or random"
    return filled(part.text.get_secret_value(), variables).encode()


def _whole(media_type: str, content: bytes) -> Payload:
    return Payload(media_type, content, hashlib.sha256(content).hexdigest())
