"""A version of TLS up to 1.2 -> the server's first answer to a client that offers no newer one.

Up to TLS 1.2 this answer is not encrypted: it needs no OpenSSL that still speaks the version,
and it shows the stapled OCSP response, which Python's `ssl` does not (RFC 5246, section 7.4).
"""

import ipaddress
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from readiness.failure import ProbeError
from readiness.probes import Context
from readiness.probes._connection import dial, within
from readiness.probes._http import Target
from readiness.probes._wire import Wire

TLS_1_0, TLS_1_1, TLS_1_2 = 0x0301, 0x0302, 0x0303
_ALERT, _HANDSHAKE, _FATAL = 21, 22, 2
_SERVER_HELLO, _CERTIFICATE, _SERVER_DONE, _CERTIFICATE_STATUS = 2, 11, 14, 22
_OCSP = 1
_LONGEST_RECORD = (1 << 14) + 2048
_LONGEST_ANSWER = 256 << 10
_CIPHERS = (
    *(0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC023, 0xC027, 0xC024, 0xC028),
    *(0xC009, 0xC013, 0xC00A, 0xC014, 0xC008, 0xC012, 0xC007, 0xC011),
    *(0x009E, 0x009F, 0xCCAA, 0x0067, 0x006B, 0x0033, 0x0039, 0x0016),
    *(0x009C, 0x009D, 0x003C, 0x003D, 0x002F, 0x0035, 0x0041, 0x0084, 0x000A, 0x0005, 0x0004),
)
"""What servers have used with certificates of RSA and EC: ECDHE, DHE, RSA; AEAD to RC4."""
_GROUPS = (0x001D, 0x0017, 0x0018, 0x0019)
_SIGNATURES = (
    *(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0603, 0x0806, 0x0601, 0x0203, 0x0201),
    *(0x0807, 0x0808),
)


@dataclass(frozen=True)
class Opening:
    """What the server answered: `done` once it was all there, `alert` if it refused."""

    version: int | None = None
    chain: tuple[bytes, ...] = ()
    staple: bytes | None = field(default=None, repr=False)
    done: bool = False
    alert: int | None = None

    def accepts(self, version: int) -> bool:
        """Whether the server went on with `version`."""
        return self.done and self.version == version


async def opening(context: Context, to: Target, version: int) -> Opening:
    """Offer `version` and none newer, read the first answer, and leave.

    Raises what `exchange` raises. A server that hangs up gives an Opening that is not `done`.
    """
    with within(context) as watch:
        watch.begin("resolve")
        addresses = await context.resolve(to.host, to.port)
        watch.begin("connect")
        wire = Wire(await dial(addresses))
        watch.begin("tls")
        try:
            await wire.send(client_hello(to.host, version))
            return await _answer(wire)
        finally:
            wire.close()


def client_hello(host: str, version: int) -> bytes:
    """Return the record that opens a connection to `host` with `version` at most."""
    ciphers = b"".join(struct.pack("!H", cipher) for cipher in _CIPHERS)
    body = b"".join(
        (
            *(struct.pack("!H", version), os.urandom(32), b"\0"),
            *(struct.pack("!H", len(ciphers)), ciphers, b"\1\0"),
            _sized(b"".join(_extensions(host, version))),
        )
    )
    message = b"\1" + len(body).to_bytes(3, "big") + body
    return struct.pack("!BHH", _HANDSHAKE, TLS_1_0, len(message)) + message


def _extensions(host: str, version: int) -> Iterator[bytes]:
    if not _is_address(host):
        yield _extension(0, _sized(b"\0" + _sized(host.encode("ascii"))))
    yield _extension(5, bytes((_OCSP, 0, 0, 0, 0)))
    yield _extension(10, _sized(b"".join(struct.pack("!H", group) for group in _GROUPS)))
    yield _extension(11, b"\1\0")
    if version >= TLS_1_2:
        yield _extension(13, _sized(b"".join(struct.pack("!H", each) for each in _SIGNATURES)))
    yield _extension(23, b"")
    yield _extension(0xFF01, b"\0")


def _extension(kind: int, content: bytes) -> bytes:
    return struct.pack("!H", kind) + _sized(content)


def _sized(content: bytes) -> bytes:
    return struct.pack("!H", len(content)) + content


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _answer(wire: Wire) -> Opening:
    raw, total, messages, opened = bytearray(), 0, bytearray(), Opening()
    while data := await wire.receive():
        raw += data
        total += len(data)
        for kind, content in _records(raw):
            if kind == _ALERT and content[:1] == bytes((_FATAL,)):
                return replace(opened, done=False, alert=int.from_bytes(content[1:2], "big"))
            if kind == _HANDSHAKE:
                messages += content
            elif kind != _ALERT:
                raise _broken()
        for told, body in _messages(messages):
            opened = _told(opened, told, body)
        if opened.done:
            return opened
        if total > _LONGEST_ANSWER:
            raise _broken()
    return opened


def _records(raw: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take the whole records out of `raw`."""
    while len(raw) >= 5:
        kind, major, _, length = struct.unpack_from("!BBBH", raw)
        if major != 3 or length > _LONGEST_RECORD:
            raise _broken()
        if len(raw) < 5 + length:
            return
        content = bytes(raw[5 : 5 + length])
        del raw[: 5 + length]
        yield kind, content


def _messages(raw: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take the whole handshake messages out of `raw`."""
    while len(raw) >= 4 and len(raw) >= 4 + (length := int.from_bytes(raw[1:4], "big")):
        kind, content = raw[0], bytes(raw[4 : 4 + length])
        del raw[: 4 + length]
        yield kind, content


def _told(opened: Opening, kind: int, body: bytes) -> Opening:
    if kind == _SERVER_HELLO and len(body) >= 2:
        return replace(opened, version=int.from_bytes(body[:2], "big"))
    if kind == _CERTIFICATE:
        return replace(opened, chain=tuple(_listed(body[3:])))
    if kind == _CERTIFICATE_STATUS and body[:1] == bytes((_OCSP,)):
        return replace(opened, staple=body[4:])
    return replace(opened, done=True) if kind == _SERVER_DONE else opened


def _listed(data: bytes) -> Iterator[bytes]:
    while len(data) > 3:
        end = 3 + int.from_bytes(data[:3], "big")
        yield data[3:end]
        data = data[end:]


def _broken() -> ProbeError:
    return ProbeError("protocol", "the answer breaks the TLS protocol")
