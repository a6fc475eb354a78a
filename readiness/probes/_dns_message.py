"""A question to a name server <-> bytes, and its answer read strictly (RFC 1035, section 4)."""

import ipaddress
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

RecordType = Literal["A", "AAAA", "CNAME", "MX", "NS", "SRV", "TXT"]

CODES: Mapping[int, str] = {
    1: "FORMERR",
    2: "SERVFAIL",
    3: "NXDOMAIN",
    4: "NOTIMP",
    5: "REFUSED",
}
"""RCODE -> its name (RFC 1035, section 4.1.1)."""

_NUMBERS: Mapping[RecordType, int] = {
    **{"A": 1, "NS": 2, "CNAME": 5, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33},
}
_TYPES: Mapping[int, RecordType] = {_NUMBERS[kind]: kind for kind in get_args(RecordType)}
_HEADER = struct.Struct(">6H")
_FIXED = struct.Struct(">HHIH")
_ANSWER, _TRUNCATED, _RECURSE = 0x8000, 0x0200, 0x0100
_CODE = 0x000F
_LONGEST_NAME = 255
_POINTER = 0xC0


@dataclass(frozen=True)
class Record:
    """One record of an answer; `value` as it is written in a zone file, names without their dot."""

    type: RecordType
    ttl: int
    value: str


@dataclass(frozen=True)
class Reply:
    """What a name server answered."""

    code: int
    truncated: bool
    records: tuple[Record, ...]


def query(number: int, name: str, kind: RecordType) -> bytes:
    """Return the question for records of `kind`, to be answered by whomever the server asks.

    ValueError for what is no name.
    """
    labels = [label.encode("ascii") for label in name.rstrip(".").split(".")]
    if not all(1 <= len(label) <= 63 for label in labels) or len(name) > _LONGEST_NAME - 2:
        raise ValueError("is no host name")
    written = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    header = _HEADER.pack(number, _RECURSE, 1, 0, 0, 0)
    return header + written + struct.pack(">2H", _NUMBERS[kind], 1)


def read(data: bytes, asked: bytes) -> Reply:
    """Return the answer to the question `asked`.

    ValueError if it answers something else, or is malformed; whatever it holds, in linear time.
    """
    try:
        number, flags, questions, answers, _, _ = _HEADER.unpack_from(data)
        question = asked[_HEADER.size :]
        at = _HEADER.size + len(question)
        same = data[_HEADER.size : at].lower() == question.lower()
        if number != _HEADER.unpack_from(asked)[0] or not flags & _ANSWER:
            raise ValueError("answers something else")
        if (questions, same) != (1, True):
            if flags & _CODE and not questions:  # servers that fail may leave the question out
                return Reply(flags & _CODE, truncated=False, records=())
            raise ValueError("answers something else")
        found: list[Record] = []
        truncated = bool(flags & _TRUNCATED)
        for _ in range(0 if truncated else answers):
            at = _record(data, at, found)
    except (struct.error, IndexError) as error:
        raise ValueError("ends early") from error
    return Reply(flags & _CODE, truncated, tuple(found))


def _record(data: bytes, at: int, found: list[Record]) -> int:
    """Read one record into `found` if it is of a known type; return where the next begins."""
    _, at = _name(data, at)
    number, family, ttl, length = _FIXED.unpack_from(data, at)
    at += _FIXED.size
    end = at + int(length)
    if end > len(data):
        raise ValueError("ends early")
    if family == 1 and (kind := _TYPES.get(number)):
        found.append(Record(kind, ttl, _value(data, at, end, kind)))
    return end


def _value(data: bytes, at: int, end: int, kind: RecordType) -> str:
    if kind in ("A", "AAAA"):
        size = 4 if kind == "A" else 16
        if end - at != size:
            raise ValueError("holds an address of another length")
        return str(ipaddress.ip_address(data[at:end]))
    if kind == "TXT":
        return "".join(_strings(data, at, end))
    count = {"MX": 1, "SRV": 3}.get(kind, 0)
    numbers = struct.unpack_from(f">{count}H", data, at)
    name, after = _name(data, at + 2 * count)
    if after != end:
        raise ValueError("holds a record of another length")
    return " ".join([*map(str, numbers), name])


def _strings(data: bytes, at: int, end: int) -> list[str]:
    found = []
    while at < end:
        after = at + 1 + data[at]
        if after > end:
            raise ValueError("holds a text that is cut off")
        found.append(data[at + 1 : after].decode("utf-8", "replace"))
        at = after
    return found


def _name(data: bytes, at: int) -> tuple[str, int]:
    """Return a name and where what follows it begins; pointers lead backwards only."""
    labels: list[str] = []
    after, size = 0, 0
    while length := data[at]:
        if length >= _POINTER:
            to = (length & ~_POINTER) << 8 | data[at + 1]
            after = after or at + 2
            if to >= at:
                raise ValueError("holds a name that leads nowhere")
            at = to
            size += 1  # so that names of pointers alone end as well
        elif length > 63:
            raise ValueError("holds a label of an unknown kind")
        else:
            labels.append(data[at + 1 : at + 1 + length].decode("latin-1"))
            at += 1 + length
            size += 1 + length
        if size > _LONGEST_NAME:
            raise ValueError("holds a name that is too long")
    return ".".join(labels), after or at + 1
