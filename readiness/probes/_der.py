"""Bytes in DER (X.690) -> their elements, one level at a time; the bytes may be hostile."""

from dataclasses import dataclass
from datetime import UTC, datetime

INTEGER, BIT_STRING, OCTET_STRING, OID, ENUMERATED, SEQUENCE = 0x02, 0x03, 0x04, 0x06, 0x0A, 0x30
UTC_TIME = 0x17
_LONG = 0x80
_MOST_LENGTH_BYTES = 4
_CENTURY_TURNS = 50
"""Years of two digits from here on are of the 1900s (RFC 5280, section 4.1.2.5.1)."""


@dataclass(frozen=True)
class Element:
    """One element: its tag as one byte, and its content."""

    tag: int
    content: bytes

    @property
    def inner(self) -> tuple["Element", ...]:
        """The elements its content consists of. ValueError if it is no such content."""
        return elements(self.content)

    @property
    def number(self) -> int:
        """The content as a signed whole number."""
        return int.from_bytes(self.content, "big", signed=True)

    @property
    def dotted(self) -> str:
        """The content as an object identifier, such as `2.5.29.17`."""
        arcs, arc = [], 0
        for byte in self.content:
            arc = arc << 7 | byte & 0x7F
            if byte < _LONG:
                arcs.append(arc)
                arc = 0
        if not arcs:
            raise ValueError("an object identifier is empty")
        first = min(arcs[0] // 40, 2)
        return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))

    @property
    def time(self) -> datetime:
        """The content as a moment (UTC). ValueError if it is none."""
        text = self.content.decode("ascii")
        if self.tag == UTC_TIME:
            text = f"{19 if int(text[:2]) >= _CENTURY_TURNS else 20}{text}"
        return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def elements(data: bytes) -> tuple[Element, ...]:
    """Return the elements that `data` consists of. ValueError if it is cut short or malformed."""
    found, at = [], 0
    while at < len(data):
        begin, end = _content(data, at)
        found.append(Element(data[at], data[begin:end]))
        at = end
    return tuple(found)


def only(data: bytes, tag: int) -> Element:
    """Return the one element, of type `tag`, that `data` is. ValueError if it is not."""
    [element] = elements(data)
    if element.tag != tag:
        raise ValueError("an element is of another type")
    return element


def _content(data: bytes, at: int) -> tuple[int, int]:
    """Return where the content of the element at `at` begins and ends."""
    begin = at + 2
    if begin > len(data):
        raise ValueError("an element is cut short")
    length = data[at + 1]
    if length >= _LONG:
        size = length - _LONG
        if not 0 < size <= _MOST_LENGTH_BYTES:
            raise ValueError("a length is malformed")
        length = int.from_bytes(data[begin : begin + size], "big")
        begin += size
    if begin + length > len(data):
        raise ValueError("an element is cut short")
    return begin, begin + length
