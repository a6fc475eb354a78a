"""One name server, asked over UDP and for what is too long over TCP -> its answers."""

import asyncio
import re
import secrets
import socket
import struct
from collections.abc import Sequence

from readiness.failure import ProbeError
from readiness.probes import Address, Context
from readiness.probes._connection import dial
from readiness.probes._dns_message import CODES, Record, RecordType, Reply, query, read
from readiness.probes._wire import Wire

_AGAIN_SECONDS = 1.0
"""After which a question is sent once more, since packets of UDP may be lost."""
_LONGEST_DATAGRAM = 4096
_PORT = 53
WRITTEN = re.compile(r"(?P<host>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>\d+))?")
"""A name server as users write it: `10.0.0.2`, `ns.example.com:5353`, `[fd00::1]:53`."""


class NameServer:
    """Asks one server over one socket; close it at the end."""

    def __init__(self, address: Address) -> None:
        """Raise OSError where this machine has no way there."""
        self._address = address
        self._socket = socket.socket(address[0], socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.connect(address[1:])  # so that nobody else can answer
        except OSError:
            self._socket.close()
            raise

    @classmethod
    async def at(cls, written: str, context: Context) -> "NameServer":
        """Find the server written as in WRITTEN."""
        found = WRITTEN.fullmatch(written)
        assert found, "settings are checked before"
        host, port = found["host"].strip("[]"), int(found["port"] or _PORT)
        addresses = await context.resolve(host, port)
        if not addresses:
            raise ProbeError("dns", "the name server's own name has no address")
        return cls(addresses[0])

    async def records(self, name: str, kind: RecordType) -> Sequence[Record]:
        """Return the records of `kind`, none if the name has others only.

        Raises ProbeError: `dns` where the name or its server fails, `denied` if it refuses us.
        """
        reply = await self._reply(query(secrets.randbelow(1 << 16), name, kind))
        if reply.code == 5:
            raise ProbeError("denied", "the name server refuses our questions (REFUSED)")
        if reply.code:
            told = CODES.get(reply.code, f"code {reply.code}")
            missing = "host name does not resolve" if reply.code == 3 else "the name server failed"
            raise ProbeError("dns", f"{missing} ({told})")
        return [record for record in reply.records if record.type == kind]

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()

    async def _reply(self, asked: bytes) -> Reply:
        loop = asyncio.get_running_loop()
        while True:
            await loop.sock_sendall(self._socket, asked)
            try:
                async with asyncio.timeout(_AGAIN_SECONDS):
                    reply = await self._datagram(asked)
            except TimeoutError:
                continue  # until the exchange's own time is up
            return await self._whole(asked) if reply.truncated else reply

    async def _datagram(self, asked: bytes) -> Reply:
        """Return the first answer to what was asked; others may be late ones, or forged."""
        loop = asyncio.get_running_loop()
        while True:
            data = await loop.sock_recv(self._socket, _LONGEST_DATAGRAM)
            try:
                return read(data, asked)
            except ValueError as error:
                if data[:2] == asked[:2]:
                    raise ProbeError("protocol", f"the name server's answer {error}") from None

    async def _whole(self, asked: bytes) -> Reply:
        """Ask over TCP, where no answer is too long (RFC 7766)."""
        wire = Wire(await dial([self._address]))
        try:
            await wire.send(struct.pack(">H", len(asked)) + asked)
            data = b""
            while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2]):
                if not (more := await wire.receive()):
                    raise ProbeError("reset", "the name server closed the connection")
                data += more
        finally:
            wire.close()
        try:
            return read(data[2 : 2 + int.from_bytes(data[:2])], asked)
        except ValueError as error:
            raise ProbeError("protocol", f"the name server's answer {error}") from None
