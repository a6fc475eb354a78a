"""One WebSocket connection by the run's own sockets and TLS -> its messages, bounded (RFC 6455)."""

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from readiness import __version__
from readiness.failure import ProbeError, classify
from readiness.inventory import Service
from readiness.inventory.url import split
from readiness.probes import Context
from readiness.probes._connection import dial, within
from readiness.probes._http import target
from readiness.probes._wire import TlsWire, Wire

if TYPE_CHECKING:
    from websockets.client import ClientProtocol
    from websockets.frames import Frame

MOST_BYTES = 1 << 20
"""Of one message; more is refused with the close code 1009."""
_DENIED = (401, 403, 407)
_WRITTEN = "/%?:@!$&'()*+,;=~-._"
"""What stays as it is in a path or a query."""
_NOT_INSTALLED = "the library websockets is not installed: pip install 'readiness[websocket]'"


@dataclass(frozen=True)
class Opening:
    """What the opening handshake asks for."""

    headers: Mapping[str, str]
    origin: str | None = None
    subprotocols: Sequence[str] = ()


class Refused(ProbeError):
    """Raised where the opening handshake is answered by another status than 101."""

    def __init__(self, status: int) -> None:
        told = f"the opening handshake was answered {status} instead of 101"
        if status in _DENIED:
            super().__init__("denied", f"{told}: declare headers or origins that are let in")
        else:
            super().__init__("protocol", told)
        self.status = status


class Channel:
    """An open connection; close it at the end. Methods wait until their caller's time is up."""

    def __init__(self, wire: Wire, protocol: "ClientProtocol") -> None:
        self._wire, self._protocol = wire, protocol
        self._waiting: deque[Frame] = deque()

    @classmethod
    async def open(cls, service: Service, opening: Opening, context: Context) -> Self:
        """Connect and shake hands; follows no redirect, asks no proxy, accepts no extension.

        Raises Refused, and what connecting raises.
        """
        protocol = _protocol(service, opening)
        url = split(service.url.get_secret_value())
        tls, port = url.scheme == "wss", service.port
        assert port, "ws and wss have ports of their own"
        addresses = await context.resolve(protocol.uri.host, port)
        connection = await dial(addresses)
        wire = TlsWire(connection, context.tls(), protocol.uri.host) if tls else Wire(connection)
        channel, opened = cls(wire, protocol), False
        try:
            if isinstance(wire, TlsWire):
                await wire.secure()
            await channel._shake(opening, context)
            opened = True
        finally:
            if not opened:
                wire.close()
        return channel

    @property
    def subprotocol(self) -> str | None:
        """What the server chose of those that were offered."""
        return self._protocol.subprotocol

    async def send(self, text: str) -> None:
        """Send one message of text."""
        self._protocol.send_text(text.encode())
        await self._flush()

    async def message(self) -> bytes:
        """Return the next message, whole; ProbeError if the connection ends or breaks the rules."""
        from websockets.frames import Opcode

        parts: list[bytes] = []
        while True:
            frame = await self._frame()
            if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                parts += [bytes(frame.data)] if frame.data else []
                if frame.fin:
                    return b"".join(parts)

    async def ping(self, data: bytes) -> None:
        """Send a ping and wait for its pong; messages that come meanwhile are let go."""
        from websockets.frames import Opcode

        self._protocol.send_ping(data)
        await self._flush()
        while True:
            frame = await self._frame()
            if frame.opcode is Opcode.PONG and bytes(frame.data) == data:
                return

    async def leave(self) -> int | None:
        """Say goodbye (1000) and return the close code that comes back, None if none does."""
        if self._protocol.state.name == "OPEN":
            self._protocol.send_close(1000)
            await self._flush()
        while self._protocol.close_rcvd is None:
            if not await self._more():
                return None
        return int(self._protocol.close_rcvd.code)

    def close(self) -> None:
        """Close at once."""
        self._wire.close()

    async def _shake(self, opening: Opening, context: Context) -> None:
        protocol = self._protocol
        request = protocol.connect()
        for name, value in _headers(opening, context).items():
            if name in request.headers:
                del request.headers[name]
            request.headers[name] = value
        protocol.send_request(request)
        await self._flush()
        while protocol.state.name == "CONNECTING":
            if protocol.handshake_exc is not None:
                raise self._unshaken() from protocol.handshake_exc
            if not await self._more() and protocol.handshake_exc is None:
                raise ProbeError("reset", "connection closed during the opening handshake")
        if protocol.handshake_exc is not None:
            raise self._unshaken() from protocol.handshake_exc

    def _unshaken(self) -> ProbeError:
        """Return what was wrong with the handshake, without the server's own words."""
        from websockets.exceptions import InvalidMessage, InvalidStatus

        error = self._protocol.handshake_exc
        if isinstance(error, InvalidStatus):
            return Refused(error.response.status_code)
        if isinstance(error, InvalidMessage) and isinstance(error.__cause__, EOFError):
            return ProbeError("reset", "connection closed during the opening handshake")
        if isinstance(error, InvalidMessage):
            return ProbeError("protocol", "the opening handshake was answered by what is not HTTP")
        named = type(error).__name__
        return ProbeError("protocol", f"the opening handshake breaks the protocol ({named})")

    async def _frame(self) -> "Frame":
        """Return the next frame of any kind but close."""
        from websockets.frames import Frame, Opcode

        while True:
            events = self._protocol.events_received()
            self._waiting.extend(event for event in events if isinstance(event, Frame))
            while self._waiting:
                frame = self._waiting.popleft()
                if frame.opcode is not Opcode.CLOSE:
                    return frame
            if (closed := self._protocol.close_rcvd) is not None:
                raise ProbeError("reset", f"the server closed the connection ({int(closed.code)})")
            if self._protocol.parser_exc is not None:
                raise self._broken()
            await self._more()

    def _broken(self) -> ProbeError:
        from websockets.exceptions import PayloadTooBig

        if isinstance(self._protocol.parser_exc, EOFError):
            return ProbeError("reset", "connection closed without goodbye")
        if isinstance(self._protocol.parser_exc, PayloadTooBig):
            return ProbeError("protocol", "a message of more than 1 MiB")
        return ProbeError("protocol", "the frames break the protocol")

    async def _more(self) -> bool:
        """Read what comes next, and answer what must be answered; false at the end."""
        data = await self._wire.receive()
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        await self._flush()
        return bool(data)

    async def _flush(self) -> None:
        if data := b"".join(self._protocol.data_to_send()):
            await self._wire.send(data)


async def left(channel: Channel, context: Context) -> tuple[int | None, str]:
    """Say goodbye; return the close code that came back, or None and what came instead."""
    try:
        with within(context) as watch:
            watch.begin("goodbye")
            return await channel.leave(), "connection closed without goodbye"
    except (OSError, ProbeError) as error:
        failure = classify(error)
        if not failure.blames_target:
            raise
        return None, failure.detail


def _protocol(service: Service, opening: Opening) -> "ClientProtocol":
    """Return the state of a client; ProbeError `not_installed` without the library."""
    try:
        from websockets.client import ClientProtocol
        from websockets.typing import Origin, Subprotocol
        from websockets.uri import WebSocketURI
    except ImportError as error:
        raise ProbeError("not_installed", _NOT_INSTALLED) from error
    url, host = split(service.url.get_secret_value()), target(service, "").host
    path, query = (quote(part, safe=_WRITTEN) for part in (url.path, url.query))
    assert service.port, "ws and wss have ports of their own"
    return ClientProtocol(
        WebSocketURI(url.scheme == "wss", host, service.port, path, query),
        origin=Origin(opening.origin) if opening.origin is not None else None,
        subprotocols=[Subprotocol(one) for one in opening.subprotocols] or None,
        max_size=MOST_BYTES,
        logger=_silent(),
    )


def _silent() -> logging.Logger:
    """Return a logger that tells nobody: what it would tell is in the failure, or a secret."""
    log = logging.getLogger("readiness.websocket")
    log.propagate, log.disabled = False, True
    return log


def _headers(opening: Opening, context: Context) -> dict[str, str]:
    found = {"User-Agent": f"readiness/{__version__}", "Readiness-Run": context.run_id}
    return found | dict(opening.headers)
