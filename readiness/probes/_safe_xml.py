"""One XML report -> its tags, one after another, with nothing declared, fetched or kept."""

from collections.abc import Callable, Mapping
from typing import Protocol
from xml.parsers import expat

from readiness.probes._report_files import Check, Report, UnreadableReport

_PIECE = 1 << 18
_LONGEST_TAG = 1 << 22
_DEEPEST = 100

Attributes = Mapping[str, str]


class Reader(Protocol):
    """What is told of each tag; names come without their namespace's prefix."""

    def start(self, tag: str, attributes: Attributes) -> None:
        """Take a tag that opens."""

    def end(self, tag: str) -> None:
        """Take the same tag as it closes."""

    @property
    def text(self) -> Callable[[str], None] | None:
        """What takes the text between tags; None where nobody asks for it."""


def read(report: Report, reader: Reader, check: Check) -> None:
    """Feed `reader` the whole file in pieces; UnreadableReport names the file and the line.

    Entities are refused where they are declared, so that none can grow; a document type
    that only names its definition elsewhere is accepted, and never fetched.
    """
    parser = expat.ParserCreate()
    depth = 0

    def refuse(what: str) -> UnreadableReport:
        return UnreadableReport(f"{report.name} {what} (line {parser.CurrentLineNumber})")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise refuse(f"nests deeper than {_DEEPEST} tags")
        reader.start(tag.rpartition(":")[2], attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        reader.end(tag.rpartition(":")[2])

    def doctype(_name: str, _system: object, _public: object, internal: object) -> None:
        if internal:
            raise refuse("declares a document type of its own")

    def entity(*_declaration: object) -> None:
        raise refuse("declares an entity")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler, parser.EntityDeclHandler = doctype, entity
    if reader.text:
        parser.CharacterDataHandler = reader.text
    try:
        with report.path.open("rb") as file:
            fed = 0
            while piece := file.read(_PIECE):
                check()
                parser.Parse(piece, False)
                fed += len(piece)
                if fed - max(0, parser.CurrentByteIndex) > _LONGEST_TAG:
                    raise refuse(f"has a tag of more than {_LONGEST_TAG >> 20} MiB")
            if not fed:
                raise UnreadableReport(f"{report.name} is empty")
            parser.Parse(b"", True)
    except expat.ExpatError as error:
        what = expat.errors.messages.get(error.code, "not well-formed")
        raise UnreadableReport(
            f"{report.name} is no whole XML file: {what} (line {error.lineno})"
        ) from error
    except OSError as error:
        raise UnreadableReport(f"{report.name} cannot be read: {error.strerror}") from error
    except (ValueError, LookupError) as error:
        if depth:
            raise
        raise UnreadableReport(f"{report.name} is in an encoding that cannot be read") from error


def whole(text: str | None) -> int | None:
    """Read a whole number of at most fifteen digits; None for anything else."""
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None
