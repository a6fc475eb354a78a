"""JSON Web Signatures made and read by hand, so that a flaw can be put anywhere in between."""

import base64
import functools
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

Claims = Mapping[str, Any]
Key = bytes | rsa.RSAPrivateKey
KID = "2026-01"


@dataclass(frozen=True)
class Jws:
    """A token taken apart; nothing of it is proven."""

    header: Claims
    claims: Claims
    signed: bytes
    signature: bytes

    @property
    def algorithm(self) -> str:
        return str(self.header.get("alg"))


def read(token: str) -> Jws:
    """Take a token apart; ValueError if it is none."""
    head, body, signature = token.split(".")
    header, claims = (json.loads(unpacked(part)) for part in (head, body))
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise ValueError("no objects")
    return Jws(header, claims, f"{head}.{body}".encode(), unpacked(signature))


def signed(claims: Claims, key: Key, **header: Any) -> str:
    """Return a token, signed with HS256 by bytes and with RS256 by a private key."""
    algorithm = "HS256" if isinstance(key, bytes) else "RS256"
    whole = {"alg": algorithm, "typ": "JWT", "kid": KID, **header}
    text = ".".join(packed(json.dumps(part).encode()) for part in (whole, claims))
    return f"{text}.{packed(_signature(text.encode(), key))}"


def by_hmac(token: Jws, key: bytes) -> bool:
    """Whether the token was signed with HMAC by `key`, whatever it says of itself."""
    return hmac.compare_digest(_signature(token.signed, key), token.signature)


def by_rsa(token: Jws, key: rsa.RSAPublicKey) -> bool:
    """Whether the token was signed with RSA by `key`, whatever it says of itself."""
    try:
        key.verify(token.signature, token.signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _signature(text: bytes, key: Key) -> bytes:
    if isinstance(key, bytes):
        return hmac.digest(key, text, hashlib.sha256)
    return key.sign(text, padding.PKCS1v15(), hashes.SHA256())


def packed(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unpacked(text: str) -> bytes:
    """Return what `packed` was given; ValueError if it is nothing of the kind."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


@functools.cache
def rsa_key(bits: int = 2048, number: int = 0) -> rsa.RSAPrivateKey:
    """Return a private key, one for each number: making it takes a tenth of a second."""
    return rsa.generate_private_key(65537, bits)


def pem(key: rsa.RSAPrivateKey | rsa.RSAPublicKey) -> bytes:
    """Return a key as PEM: a public one as it is published, a private one without a password."""
    if isinstance(key, rsa.RSAPublicKey):
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return key.public_bytes(serialization.Encoding.PEM, form)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def jwk(key: rsa.RSAPrivateKey, kid: str | None = KID) -> dict[str, str]:
    """Return the public part of a key as JWK."""
    numbers = key.public_key().public_numbers()
    named = {} if kid is None else {"kid": kid}
    n, e = (packed(v.to_bytes((v.bit_length() + 7) // 8, "big")) for v in (numbers.n, numbers.e))
    return {"kty": "RSA", "use": "sig", "alg": "RS256", "n": n, "e": e, **named}


def public_key(found: Mapping[str, Any]) -> rsa.RSAPublicKey:
    """Return the key that a JWK describes; ValueError or KeyError if it is none."""
    n, e = (int.from_bytes(unpacked(str(found[part])), "big") for part in ("n", "e"))
    return rsa.RSAPublicNumbers(e, n).public_key()
