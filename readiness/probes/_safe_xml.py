"""One XML report -> its tags, one after another, with nothing declared, fetched or kept."""

from collections.abc import Callable, Mapping
from typing import BinaryIO, Protocol
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
    tags = _Tags(report, reader)
    try:
        with report.path.open("rb") as file:
            tags.feed(file, check)
    except expat.ExpatError as error:
        what = expat.errors.messages.get(error.code, "not well-formed")
        raise UnreadableReport(
            f"{report.name} is no whole XML file: {what} (line {error.lineno})"
        ) from error
    except OSError as error:
        raise UnreadableReport(f"{report.name} cannot be read: {error.strerror}") from error
    except (ValueError, LookupError) as error:
        if tags.depth:
            raise
        raise UnreadableReport(f"{report.name} is in an encoding that cannot be read") from error


class _Tags:
    """Hands on the tags of one file, and refuses what a report never needs."""

    def __init__(self, report: Report, reader: Reader) -> None:
        self.depth = 0
        self._report, self._reader = report, reader
        self._parser = parser = expat.ParserCreate()
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.StartDoctypeDeclHandler, parser.EntityDeclHandler = self._doctype, self._entity
        if reader.text:
            parser.CharacterDataHandler = reader.text

    def feed(self, file: BinaryIO, check: Check) -> None:
        """Read the file to its end."""
        fed = 0
        while piece := file.read(_PIECE):
            check()
            self._parser.Parse(piece, False)
            fed += len(piece)
            if fed - max(0, self._parser.CurrentByteIndex) > _LONGEST_TAG:
                raise self._refusal(f"has a tag of more than {_LONGEST_TAG >> 20} MiB")
        if not fed:
            raise UnreadableReport(f"{self._report.name} is empty")
        self._parser.Parse(b"", True)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self._refusal(f"nests deeper than {_DEEPEST} tags")
        self._reader.start(tag.rpartition(":")[2], attributes)

    def _end(self, tag: str) -> None:
        self.depth -= 1
        self._reader.end(tag.rpartition(":")[2])

    def _doctype(self, _name: str, _system: object, _public: object, internal: object) -> None:
        if internal:
            raise self._refusal("declares a document type of its own")

    def _entity(self, *_declaration: object) -> None:
        raise self._refusal("declares an entity")

    def _refusal(self, what: str) -> UnreadableReport:
        line = self._parser.CurrentLineNumber
        return UnreadableReport(f"{self._report.name} {what} (line {line})")


def whole(text: str | None) -> int | None:
    """Read a whole number of at most fifteen digits; None for anything else."""
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None
