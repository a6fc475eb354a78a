"""A JSON Web Token as it was captured -> its parts, and parts -> the text of another one."""

import base64
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Signer = Callable[[bytes], bytes]
"""What is signed -> its signature."""

SHARED: Mapping[str, str] = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
"""Algorithm that signs with a shared secret -> its hash (RFC 7518, section 3.2)."""

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_ENCRYPTED_PARTS = 5


@dataclass(frozen=True)
class Token:
    """A signed token in its compact form (RFC 7515, section 3.1). All of it is secret."""

    head: str = field(repr=False)
    body: str = field(repr=False)
    signature: str = field(repr=False)
    header: Mapping[str, Any] = field(repr=False)
    claims: Mapping[str, Any] = field(repr=False)

    @property
    def text(self) -> str:
        """The whole token."""
        return f"{self.head}.{self.body}.{self.signature}"

    @property
    def signed(self) -> bytes:
        """What its signature is made of."""
        return f"{self.head}.{self.body}".encode()

    @property
    def algorithm(self) -> str:
        """The `alg` of its header, empty if that is no text."""
        written = self.header.get("alg")
        return written if isinstance(written, str) else ""

    @property
    def symmetric(self) -> bool:
        """Whether it is signed with a shared secret."""
        return self.algorithm in SHARED

    def signed_with(self, secret: bytes) -> bool:
        """Whether `secret` is the shared secret that it was signed with."""
        if not self.symmetric:
            return False
        made = encode(shared(self.algorithm, secret)(self.signed))
        return hmac.compare_digest(made, self.signature)


def parse(text: str) -> Token | str:
    """Return the token that `text` is, or why it is no JSON Web Token."""
    if text.count(".") == _ENCRYPTED_PARTS - 1:
        return "the token is encrypted (JWE), so that nobody but its maker can read it"
    if not _COMPACT.fullmatch(text):
        return "the token is opaque, not a JSON Web Token"
    head, body, signature = text.split(".")
    header, claims = _decoded(head), _decoded(body)
    if not isinstance(header, dict) or not isinstance(claims, dict):
        return "the token has three parts, but they are not those of a JSON Web Token"
    return Token(head, body, signature, header, claims)


def compact(header: Mapping[str, Any] | str, claims: Mapping[str, Any] | str, sign: Signer) -> str:
    """Return a token of these parts; what is text already stays as it is."""
    signed = ".".join(p if isinstance(p, str) else encode(_json(p)) for p in (header, claims))
    return f"{signed}.{encode(sign(signed.encode()))}"


def unsigned(_: bytes) -> bytes:
    """Be the signer that leaves the signature empty."""
    return b""


def shared(algorithm: str, secret: bytes) -> Signer:
    """Return what signs with a shared secret; KeyError for other kinds of algorithm."""
    name = SHARED[algorithm]
    return lambda signed: hmac.digest(secret, signed, name)


def encode(data: bytes) -> str:
    """Return `data` in base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Return what `encode` was given; ValueError if it is not base64url."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _json(part: Mapping[str, Any]) -> bytes:
    return json.dumps(part, separators=(",", ":")).encode()


def _decoded(part: str) -> Any:
    try:
        return json.loads(decode(part))
    except (ValueError, RecursionError):
        return None
