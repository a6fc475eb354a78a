"""An event loop as asyncpg sees it -> connections by our resolver, whose bytes are vetted first.

asyncpg believes what a server says of its messages: one of type 0 sends its parser into an
endless loop that no timeout ends, and rows are kept in memory however many come.
"""

import asyncio
import ssl
import struct
from collections.abc import Callable
from typing import Any

from asyncpg.connect_utils import TLSUpgradeProto

from readiness.failure import ProbeError
from readiness.probes import Context
from readiness.probes._connection import dial

_HEAD = struct.Struct("!ci")
_LONGEST_SESSION = 4 << 20
_CODE = 4
_MOST_CODES = 8


class Wire:
    """Passes for the running event loop, `asyncpg.connect(loop=...)`, for one connection.

    `fault` is what the server did wrong, None while it keeps to the protocol; `asked` are the
    codes of its authentication messages, 0 last when it let us in. `received` counts its bytes,
    of which 4 MiB are taken unless somebody sets it back.
    """

    def __init__(self, context: Context) -> None:
        self._context, self._loop = context, asyncio.get_running_loop()
        self.fault: ProbeError | None = None
        self.asked: list[int] = []
        self.received = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    async def create_connection(
        self,
        factory: Callable[[], asyncio.Protocol],
        host: str,
        port: int,
        *,
        ssl: ssl.SSLContext | None = None,
    ) -> tuple[Any, asyncio.Protocol]:
        """Connect to the first address of `host` that accepts."""
        protocol = factory()
        upgrading = isinstance(protocol, TLSUpgradeProto)
        connection = await dial(await self._context.resolve(host, port))
        transport, _ = await self._loop.create_connection(
            lambda: protocol if upgrading else _Vetted(protocol, self),
            sock=connection,
            ssl=ssl,
            server_hostname=host if ssl else None,
        )
        return (_Transport(transport, self) if upgrading else transport), protocol

    async def start_tls(
        self, transport: "_Transport", *arguments: Any, **options: Any
    ) -> "_Transport | None":
        """Begin TLS on a connection whose server took up the offer."""
        upgraded = await self._loop.start_tls(transport.inner, *arguments, **options)
        return _Transport(upgraded, self) if upgraded else None


class _Transport:
    """A transport whose next protocol is vetted too."""

    def __init__(self, inner: asyncio.Transport, wire: Wire) -> None:
        self.inner, self._wire = inner, wire

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def set_protocol(self, protocol: asyncio.Protocol) -> None:
        self.inner.set_protocol(_Vetted(protocol, self._wire, self.inner))


class _Vetted(asyncio.Protocol):
    """Passes on what has the form of Postgres messages (protocol 3.0: type, length, content)."""

    def __init__(
        self,
        protocol: asyncio.Protocol,
        wire: Wire,
        transport: asyncio.BaseTransport | None = None,
    ) -> None:
        self._protocol, self._wire, self._transport = protocol, wire, transport
        self._head, self._content = b"", 0
        self._code: bytes | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._protocol, name)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._protocol.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._wire.received += len(data)
        if self._well_formed(data) and self._wire.received <= _LONGEST_SESSION:
            self._protocol.data_received(data)
            return
        self._wire.fault = ProbeError("protocol", "the answer is not a Postgres server's")
        if isinstance(self._transport, asyncio.WriteTransport):
            self._transport.abort()

    def eof_received(self) -> bool | None:
        return self._protocol.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    def _well_formed(self, data: bytes) -> bool:
        """Whether `data` goes on with the messages so far; of their content only codes are read."""
        at = 0
        while at < len(data):
            if self._content:
                step = min(self._content, len(data) - at)
                self._content -= step
                if self._code is not None:
                    self._read_code(data[at : at + step])
            else:
                step = min(_HEAD.size - len(self._head), len(data) - at)
                self._head += data[at : at + step]
            at += step
            if len(self._head) == _HEAD.size:
                kind, length = _HEAD.unpack(self._head)
                if not kind.isalnum() or not 4 <= length <= _LONGEST_SESSION:
                    return False
                self._head, self._content = b"", length - 4
                if kind == b"R" and length >= 4 + _CODE and len(self._wire.asked) < _MOST_CODES:
                    self._code = b""
        return True

    def _read_code(self, content: bytes) -> None:
        """Note what the server asks for, of the content of an authentication message."""
        self._code = (self._code or b"") + content[:_CODE]
        if len(self._code) >= _CODE:
            self._wire.asked.append(int.from_bytes(self._code[:_CODE], "big"))
            self._code = None
