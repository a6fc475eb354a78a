"""A multipart/form-data body (RFC 7578) -> the name and the bytes of one file in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser

from starlette.requests import Request

from readiness.demo.bodies import read
from readiness.demo.refusals import Refused, invalid

FILE_BYTES = 1 << 20
AROUND_BYTES = 16 * 1024
"""What boundaries, headers and other fields may take beside the file."""
HEAD_BYTES = 2048
PARTS = 16
NAME_CHARACTERS = 255


@dataclass(frozen=True)
class Upload:
    """One file as it was sent; `name` is for people and never a path."""

    name: str
    content: bytes


async def upload(request: Request, field: str) -> Upload:
    """Return the file in `field` of the form; refuse other bodies, and files over FILE_BYTES."""
    boundary = boundary_of(request.headers.get("content-type", ""))
    if boundary is None:
        raise Refused(415, "a body of multipart/form-data is required")
    found = find(await read(request, FILE_BYTES + AROUND_BYTES), boundary, field)
    if found is None:
        raise Refused(422, {"detail": [invalid(field, "field required", "missing")]})
    if len(found.content) > FILE_BYTES:
        raise Refused(413, f"the file is larger than {FILE_BYTES} bytes")
    return found


def boundary_of(media_type: str) -> bytes | None:
    """Return the boundary that the header Content-Type names, None if it is no form's."""
    head = _parse(media_type.encode("latin-1")[:HEAD_BYTES], b"Content-Type: ")
    boundary = head.get_param("boundary")
    if head.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        return None
    return boundary.encode() or None


def find(body: bytes, boundary: bytes, field: str) -> Upload | None:
    """Return what is in `field` of the form `body`, byte for byte; None if there is no such."""
    for head, content in _parts(body, boundary):
        if head.get_param("name", header="content-disposition") == field:
            return Upload(_name(head.get_filename()), content)
    return None


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[Message, bytes]]:
    """Yield headers and content of each part: a delimiter begins a line and is in no content."""
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary, PARTS + 1)
    for piece in pieces[1 : PARTS + 1]:
        if piece.startswith(b"--"):
            return
        _, _, part = piece.partition(b"\r\n")
        head, blank, content = part.partition(b"\r\n\r\n")
        if blank and len(head) <= HEAD_BYTES:
            yield _parse(head), content


def _parse(head: bytes, name: bytes = b"") -> Message:
    return HeaderParser().parsestr((name + head).decode(errors="replace"))


def _name(given: str | None) -> str:
    """Return the last part of a file's name, with nothing in it that does not print."""
    last = (given or "").replace("\\", "/").rpartition("/")[2]
    printable = "".join(character for character in last if character.isprintable())
    return printable[:NAME_CHARACTERS] or "unnamed"
