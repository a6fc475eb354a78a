"""A real, tiny name server over UDP and TCP for the tests, well-behaved or not."""

import asyncio
import contextlib
import ipaddress
import struct
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from tests.servers import serving

NUMBERS = {"A": 1, "NS": 2, "CNAME": 5, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33}
Zone = Mapping[tuple[str, str], Sequence[bytes]]
Answer = Callable[[bytes], Sequence[bytes]]
"""A question -> the datagrams that answer it."""


def name(written: str) -> bytes:
    labels = written.encode().split(b".") if written else []
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def address(written: str) -> bytes:
    return ipaddress.ip_address(written).packed


def text(*parts: bytes) -> bytes:
    return b"".join(bytes([len(part)]) + part for part in parts)


@dataclass
class Names(asyncio.DatagramProtocol):
    """Answers from `zone`: (name, type) -> data of each record; unknown names do not exist."""

    zone: Zone
    code: int = 0
    ttl: int = 300
    truncates: bool = False
    lose: int = 0
    """So many questions get no answer."""
    wrong: Answer | None = None
    """Answers instead, over UDP."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    over_tcp: int = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of DatagramProtocol."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Part of DatagramProtocol."""
        if self.lose:
            self.lose -= 1
            return
        for answer in self.wrong(data) if self.wrong else [self.answer(data, cut=self.truncates)]:
            self._transport.sendto(answer, addr)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one question over TCP."""
        self.over_tcp += 1
        size = int.from_bytes(await reader.readexactly(2))
        answer = self.answer(await reader.readexactly(size), cut=False)
        writer.write(len(answer).to_bytes(2) + answer)
        await writer.drain()

    def answer(self, question: bytes, *, cut: bool) -> bytes:
        """Return the answer, its names written as pointers to the question's."""
        labels, at = [], 12
        while size := question[at]:
            labels.append(question[at + 1 : at + 1 + size].decode().lower())
            at += 1 + size
        wanted = int.from_bytes(question[at + 1 : at + 3])
        kind = next(kind for kind, number in NUMBERS.items() if number == wanted)
        called = ".".join(labels)
        self.asked.append((called, kind))
        found = [] if cut else list(self.zone.get((called, kind), ()))
        known = any(one == called for one, _ in self.zone)
        flags = 0x8180 | (0x0200 if cut else 0) | (self.code or (0 if known else 3))
        head = question[:2] + struct.pack(">5H", flags, 1, len(found), 0, 0)
        records = (
            b"\xc0\x0c" + struct.pack(">HHIH", wanted, 1, self.ttl, len(data)) + data
            for data in found
        )
        return head + question[12 : at + 5] + b"".join(records)


@contextlib.asynccontextmanager
async def naming(names: Names) -> AsyncIterator[str]:
    """Serve names on a free port, the same one for UDP and TCP; yield `127.0.0.1:port`."""
    loop = asyncio.get_running_loop()
    async with serving(names.serve) as port:
        transport, _ = await loop.create_datagram_endpoint(
            lambda: names, local_addr=("127.0.0.1", port)
        )
        try:
            yield f"127.0.0.1:{port}"
        finally:
            transport.close()
