"""Signed access tokens (JSON Web Tokens, HS256): made for a session, and verified strictly."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

ACCESS_SECONDS = 900
ISSUER = "https://auth.pyairtable.example"
AUDIENCE = "pyairtable"
CLOCK_SECONDS = 5
"""How far the clocks of two services may be apart."""
LONGEST = 4096


@dataclass(frozen=True)
class Claims:
    """Whom a token speaks for."""

    user: str
    session: str
    role: str


def issue(claims: Claims, secret: str) -> str:
    """Return a fresh token for `claims` that ends after ACCESS_SECONDS."""
    now = int(time.time())
    return sign(
        {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": claims.user,
            "sid": claims.session,
            "role": claims.role,
            "iat": now,
            "exp": now + ACCESS_SECONDS,
            "jti": secrets.token_urlsafe(12),
        },
        secret,
    )


def sign(payload: Mapping[str, Any], secret: str) -> str:
    """Return `payload` as a token that only a holder of `secret` can have made."""
    head, body = (_encode(_json(part)) for part in ({"alg": "HS256", "typ": "JWT"}, payload))
    signed = f"{head}.{body}"
    return f"{signed}.{_signature(signed, secret)}"


def verify(token: str, secret: str) -> Claims | None:
    """Return the claims of `token`, None if it is forged, malformed, expired or not for us.

    The algorithm is ours and not the token's to choose (RFC 8725, section 3.1).
    """
    signed, _, signature = token.rpartition(".")
    expected = _signature(signed, secret)
    if len(token) > LONGEST or not hmac.compare_digest(_raw(signature), _raw(expected)):
        return None
    try:
        head, payload = (json.loads(_decode(part)) for part in signed.split("."))
    except (ValueError, RecursionError):
        return None
    return _claims(payload) if _is_ours(head) else None


def _is_ours(head: Any) -> bool:
    """Whether the header says HS256 and nothing more: no `kid`, `jku`, `jwk` or `crit`."""
    return isinstance(head, dict) and head.get("alg") == "HS256" and head.keys() <= {"alg", "typ"}


def _claims(payload: Any) -> Claims | None:
    if not isinstance(payload, dict) or not _holds_now(payload):
        return None
    if (payload.get("iss"), payload.get("aud")) != (ISSUER, AUDIENCE):
        return None
    named = [payload.get(name) for name in ("sub", "sid", "role")]
    texts = [name for name in named if isinstance(name, str) and name]
    return Claims(*texts) if texts == named else None


def _holds_now(payload: Mapping[str, Any]) -> bool:
    issued, ends = payload.get("iat"), payload.get("exp")
    if not _is_number(issued) or not _is_number(ends):
        return False
    return bool(issued - CLOCK_SECONDS <= time.time() < ends)


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _signature(signed: str, secret: str) -> str:
    return _encode(hmac.digest(secret.encode(), _raw(signed), hashlib.sha256))


def _raw(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _json(part: Mapping[str, Any]) -> bytes:
    return json.dumps(part, separators=(",", ":")).encode()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
