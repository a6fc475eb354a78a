"""An X.509 certificate as DER -> what a client of it should know (RFC 5280, section 4.1).

Python's `ssl` tells neither key nor signature, and nothing of a certificate it does not trust.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from readiness.escape import line
from readiness.probes._der import BIT_STRING, OID, SEQUENCE, Element, elements, only

_RSA = ("1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10")
_EC = "1.2.840.10045.2.1"
_KEYS: Mapping[str, str] = {
    "1.3.101.112": "Ed25519",
    "1.3.101.113": "Ed448",
    "1.2.840.10040.4.1": "DSA",
}
_CURVES: Mapping[str, tuple[str, int]] = {
    "1.2.840.10045.3.1.1": ("P-192", 192),
    "1.3.132.0.33": ("P-224", 224),
    "1.2.840.10045.3.1.7": ("P-256", 256),
    "1.3.132.0.10": ("secp256k1", 256),
    "1.3.132.0.34": ("P-384", 384),
    "1.3.132.0.35": ("P-521", 521),
}
_BROKEN: Mapping[str, str] = {
    "1.2.840.113549.1.1.2": "MD2",
    "1.2.840.113549.1.1.4": "MD5",
    "1.2.840.113549.1.1.5": "SHA-1",
    "1.2.840.10045.4.1": "SHA-1",
    "1.2.840.10040.4.3": "SHA-1",
    "1.3.14.3.2.29": "SHA-1",
}
_PSS, _SHA1 = "1.2.840.113549.1.1.10", "1.3.14.3.2.26"
_NAMES, _ACCESS, _FEATURES = "2.5.29.17", "1.3.6.1.5.5.7.1.1", "1.3.6.1.5.5.7.1.24"
_CA_ISSUERS = "1.3.6.1.5.5.7.48.2"
_STATUS_REQUEST = 5
_COMMON_NAME, _ORGANIZATION = "2.5.4.3", "2.5.4.10"
_LONGEST_NAME = 80
_MIN_RSA, _MIN_CURVE = 2048, 224
"""Bits below which a key gives less than 112 bits of security (NIST SP 800-57 part 1, table 2)."""


@dataclass(frozen=True)
class Certificate:
    """One certificate. Names are those it claims, as they came; `subject` is fit to be shown."""

    serial: int
    issuer_id: bytes
    subject_id: bytes
    issuer: str
    subject: str
    begins: datetime
    ends: datetime
    key: str
    """Such as `RSA of 2048 bits`, empty if of a kind unknown here."""
    bits: int | None
    broken_hash: str
    """The broken hash it is signed with, empty if none."""
    hosts: tuple[str, ...]
    addresses: tuple[bytes, ...]
    names_issuer: bool
    """Whether it says where its issuer's certificate is, as those of public authorities do."""
    must_staple: bool
    """Whether it demands a stapled OCSP response (RFC 7633)."""

    @property
    def self_issued(self) -> bool:
        """Whether subject and issuer are the same."""
        return self.issuer_id == self.subject_id

    @property
    def weak_key(self) -> bool | None:
        """Whether its key is too short; None if its kind is unknown here."""
        if not self.key:
            return None
        if self.bits is None:
            return self.key == "DSA"
        return self.bits < (_MIN_RSA if self.key.startswith("RSA") else _MIN_CURVE)

    def is_for(self, host: str) -> bool:
        """Whether it names `host`, an IP address or a name in ASCII (RFC 9525, section 6)."""
        try:
            return ipaddress.ip_address(host.partition("%")[0]).packed in self.addresses
        except ValueError:
            first, _, rest = (name := host.lower().rstrip(".")).partition(".")
        named = {each.lower().rstrip(".") for each in self.hosts}
        return name in named or bool(first and rest and f"*.{rest}" in named)


def read(der: bytes) -> Certificate:
    """Return what `der` says. ValueError if it is no certificate."""
    body, signature, _ = only(der, SEQUENCE).inner
    fields = body.inner
    serial, _, issuer, validity, subject, key, *rest = fields[fields[0].tag == 0xA0 :]
    begins, ends = validity.inner
    extensions = _extensions(rest)
    hosts, addresses = _alternatives(extensions.get(_NAMES))
    kind, bits = _key(key)
    return Certificate(
        serial=serial.number,
        issuer_id=issuer.content,
        subject_id=subject.content,
        issuer=_shown(issuer),
        subject=_shown(subject),
        begins=begins.time,
        ends=ends.time,
        key=kind,
        bits=bits,
        broken_hash=_broken_hash(signature),
        hosts=hosts,
        addresses=addresses,
        names_issuer=any(
            each.inner[0].dotted == _CA_ISSUERS for each in _list(extensions.get(_ACCESS))
        ),
        must_staple=any(
            each.number == _STATUS_REQUEST for each in _list(extensions.get(_FEATURES))
        ),
    )


def path(sent: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """Return the first of `sent` and the issuers above it, in whatever order they were sent."""
    found = [sent[0]]
    while not found[-1].self_issued:
        above = (c for c in sent if c.subject_id == found[-1].issuer_id and c not in found)
        if not (issuer := next(above, None)):
            break
        found.append(issuer)
    return tuple(found)


def _extensions(rest: Sequence[Element]) -> dict[str, bytes]:
    """Return object identifier -> value."""
    written = [each for each in rest if each.tag == 0xA3]
    listed = only(written[0].content, SEQUENCE).inner if written else ()
    return {each.inner[0].dotted: each.inner[-1].content for each in listed}


def _list(extension: bytes | None) -> tuple[Element, ...]:
    return only(extension, SEQUENCE).inner if extension else ()


def _alternatives(extension: bytes | None) -> tuple[tuple[str, ...], tuple[bytes, ...]]:
    names = _list(extension)
    hosts = tuple(each.content.decode("latin-1") for each in names if each.tag == 0x82)
    return hosts, tuple(each.content for each in names if each.tag == 0x87)


def _key(key: Element) -> tuple[str, int | None]:
    algorithm, bits = key.inner
    kind, *parameters = algorithm.inner
    if kind.dotted in _RSA:
        modulus, _ = only(bits.content[1:], SEQUENCE).inner if bits.tag == BIT_STRING else ()
        size = modulus.number.bit_length()
        return f"RSA of {size} bits", size
    if kind.dotted == _EC:
        named = parameters[0].dotted if parameters and parameters[0].tag == OID else ""
        curve, size = _CURVES.get(named, ("", 0))
        return (f"EC {curve}", size) if curve else ("", None)
    return _KEYS.get(kind.dotted, ""), None


def _broken_hash(signature: Element) -> str:
    kind, *parameters = signature.inner
    if kind.dotted != _PSS:
        return _BROKEN.get(kind.dotted, "")
    given = parameters[0].inner if parameters else ()
    hashes = [elements(each.content)[0].inner[0].dotted for each in given if each.tag == 0xA0]
    return "SHA-1" if hashes in ([], [_SHA1]) else ""  # its default (RFC 4055, section 3.1)


def _shown(name: Element) -> str:
    """Return its common name, its organization if it has none."""
    pairs = [pair.inner for each in name.inner for pair in each.inner]
    texts = {pair[0].dotted: pair[1].content.decode("utf-8", "replace") for pair in pairs}
    return line(texts.get(_COMMON_NAME) or texts.get(_ORGANIZATION, ""), _LONGEST_NAME) or "?"
