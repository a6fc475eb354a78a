"""Certificates with one flaw each, servers that show them, and stapled OCSP responses."""

import asyncio
import contextlib
import datetime as dt
import ipaddress
import itertools
import ssl
import struct
import warnings
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from tests import servers

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
_AIA = x509.AuthorityInformationAccess(
    [
        x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS,
            x509.UniformResourceIdentifier("http://ca.example/ca.der"),
        )
    ]
)
_NAMES = itertools.count()
_WEAK = "ALL:@SECLEVEL=0"


@dataclass(frozen=True)
class Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def days(number: int) -> dt.datetime:
    # an hour more, so that whole days are exact while the test runs
    return NOW + dt.timedelta(days=number, hours=1)


def issue(
    name: str,
    by: Issued | None = None,
    *,
    begins: int = -90,
    ends: int = 60,
    ca: bool = False,
    hosts: Sequence[str] = (),
    key: Key | None = None,
    aia: bool = True,
    extra: Sequence[x509.ExtensionType] = (),
) -> Issued:
    """Issue a certificate, signed by itself if by nobody."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = by.key if by else key
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=ca, path_length=None), True),
        (_usage(ca), True),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False),
        *((each, False) for each in extra),
    ]
    if hosts:
        extensions.append((x509.SubjectAlternativeName([_alternative(h) for h in hosts]), False))
    if by and aia:
        extensions.append((_AIA, False))
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(days(begins))
        .not_valid_after(days(ends))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return Issued(builder.sign(signer, hashes.SHA256()), key)


def signed_with_sha1(issued: Issued, by: Issued) -> Issued:
    """Return `issued` signed again, with SHA-1, by an issuer whose key is of RSA."""
    assert isinstance(by.key, rsa.RSAPrivateKey)
    before, after = (bytes.fromhex(f"2a864886f70d0101{last}") for last in ("0b", "05"))
    body = issued.certificate.tbs_certificate_bytes.replace(before, after)
    signature = by.key.sign(body, padding.PKCS1v15(), hashes.SHA1())
    der = issued.der.replace(before, after)[: -len(signature)] + signature
    return Issued(x509.load_der_x509_certificate(der), issued.key)


def client(root: Issued) -> ssl.SSLContext:
    """Return a client that trusts `root` alone."""
    return ssl.create_default_context(cadata=root.pem.decode())


def server(folder: Path, leaf: Issued, *above: Issued, weak: bool = False) -> ssl.SSLContext:
    """Return a server that sends `leaf` and what is `above` it; `weak` lifts OpenSSL's own bans."""
    file = folder / f"{next(_NAMES)}.pem"
    key = leaf.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(key + b"".join(each.pem for each in (leaf, *above)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # Debian's Python leaves it to OpenSSL
    if weak:
        context.set_ciphers(_WEAK)
    context.load_cert_chain(file)
    return context


def only(tls: ssl.SSLContext, version: ssl.TLSVersion, ciphers: str = "") -> ssl.SSLContext:
    """Let a server speak one version of TLS alone."""
    if ciphers:
        tls.set_ciphers(ciphers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        tls.minimum_version = tls.maximum_version = version
    return tls


def ocsp_response(
    leaf: Issued, issuer: Issued, *, revoked: bool = False, ends: dt.datetime | None = None
) -> bytes:
    """Return what the issuer says of `leaf`, in DER."""
    builder = ocsp.OCSPResponseBuilder().add_response(
        leaf.certificate,
        issuer.certificate,
        hashes.SHA1(),
        ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD,
        NOW - dt.timedelta(days=3),
        ends or NOW + dt.timedelta(days=3),
        NOW - dt.timedelta(days=3) if revoked else None,
        None,
    )
    signed = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, issuer.certificate)
    response = signed.sign(issuer.key, hashes.SHA256())
    return response.public_bytes(serialization.Encoding.DER)


def opening(*messages: tuple[int, bytes], version: int = 0x0303) -> bytes:
    """Return a record of a server that agrees on `version` and adds `messages`."""
    hello = struct.pack("!H", version) + bytes(32) + b"\0" + b"\xc0\x2b" + b"\0"
    content = b"".join(
        bytes((kind,)) + len(body).to_bytes(3, "big") + body
        for kind, body in ((2, hello), *messages, (14, b""))
    )
    return struct.pack("!BHH", 22, version, len(content)) + content


def certificates(*chain: Issued) -> tuple[int, bytes]:
    """Return the message that holds `chain`."""
    listed = b"".join(len(each.der).to_bytes(3, "big") + each.der for each in chain)
    return 11, len(listed).to_bytes(3, "big") + listed


def staple(response: bytes) -> tuple[int, bytes]:
    """Return the message that holds an OCSP response."""
    return 22, b"\1" + len(response).to_bytes(3, "big") + response


@contextlib.asynccontextmanager
async def in_front(port: int, raw: bytes, *, at: int) -> AsyncIterator[int]:
    """Yield a port that gives `raw` to who offers version `at` at most, all else goes to `port`."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = await reader.readexactly(5)
        hello += await reader.readexactly(int.from_bytes(hello[3:], "big"))
        newest = b"\x00\x2b\x00" in hello  # supported_versions, of TLS 1.3
        if not newest and hello[9:11] == struct.pack("!H", at):
            writer.write(raw)
            await writer.drain()
            return
        behind, onward = await asyncio.open_connection("127.0.0.1", port)
        try:
            onward.write(hello)
            await asyncio.gather(_pump(reader, onward), _pump(behind, writer))
        finally:
            onward.close()

    async with servers.serving(handler) as front:
        yield front


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()
    sink.close()


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )
