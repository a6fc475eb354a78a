"""A small real service that issues and verifies tokens, right but for the flaws it is given."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests import servers

SECRET = b"correct-horse-battery-staple-canary"
KEY = rsa.generate_private_key(65537, 2048)
PUBLIC_PEM = KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
PRIVATE_PEM = KEY.private_bytes(
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
)
ISSUER, AUDIENCE = "https://auth.example", "shop"


class Refused(Exception):
    """The token is not to be taken."""


@dataclass
class Guard:
    """Issues a token at POST /login and demands it at GET /me."""

    flaws: frozenset[str] = frozenset()
    algorithm: str = "HS256"
    secret: bytes = SECRET
    claims: Mapping[str, Any] = field(default_factory=dict)
    cookie: bool = False
    me: int = 0
    """How often /me was asked."""

    def __call__(self, request: servers.Request) -> bytes:
        """Answer one request."""
        path = request.target.partition("?")[0]
        if path == "/login":
            return self._log_in()
        if path == "/jwks":
            return servers.response(200, json.dumps({"keys": [{"kty": "?"}, _jwk()]}))
        if path != "/me":
            return servers.response(204)
        self.me += 1
        token = self._shown(request)
        try:
            claims = self._claims(token)
        except Refused:
            return servers.response(401, '{"detail": "no"}')
        return servers.response(200, json.dumps({"user": claims["sub"], "n": self.me}))

    def _log_in(self) -> bytes:
        now = int(time.time())
        usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "iat": now, "exp": now + 900}
        claims = {key: v for key, v in {**usual, **self.claims}.items() if v is not None}
        token = self._sign({"alg": self.algorithm, "typ": "JWT"}, claims)
        headers = {"Set-Cookie": f"sid={token}; Path=/; HttpOnly"} if self.cookie else {}
        return servers.response(200, json.dumps({"access_token": token}), headers=headers)

    def _shown(self, request: servers.Request) -> str | None:
        if self.cookie:
            pairs = request.headers.get("cookie", "").split("; ")
            return dict(pair.split("=", 1) for pair in pairs if "=" in pair).get("sid")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return token if scheme == "Bearer" else None

    def _claims(self, token: str | None) -> Mapping[str, Any]:
        nobody = {"sub": "ann"}
        if not token:
            if "no token" in self.flaws:
                return nobody
            raise Refused
        if "any word" in self.flaws:
            return nobody
        try:
            head, body, signature = (*token.split("."), "", "")[:3]
            header, claims = json.loads(_decode(head)), json.loads(_decode(body))
            raw = _decode(signature)
        except ValueError:
            raise Refused from None
        self._verify(header, f"{head}.{body}".encode(), raw)
        if "crit" in header and "crit" not in self.flaws:
            raise Refused
        self._valid(claims)
        return dict(claims)

    def _verify(self, header: Mapping[str, Any], signed: bytes, raw: bytes) -> None:
        alg, kid = str(header.get("alg", "")), header.get("kid")
        skipped = {
            "decode only": True,
            "no signature": not raw,
            "alg none": alg.lower() == "none",
            "alg nOnE": alg.lower() == "none" and alg != "none",
            "alg nONe": alg == "nONe",
            "no alg": not alg,
            "unknown kid": kid == "readiness",
        }
        if any(skipped.get(flaw) for flaw in self.flaws):
            return
        if alg == "HS256" and any(
            hmac.compare_digest(_hs(k, signed), raw) for k in self._keys(header)
        ):
            return
        if alg != "RS256" or self.algorithm != "RS256":
            raise Refused
        key = KEY.public_key()
        if "jwk" in self.flaws and "jwk" in header:
            jwk = header["jwk"]
            n, e = (int.from_bytes(_decode(jwk[part]), "big") for part in "ne")
            key = rsa.RSAPublicNumbers(e, n).public_key()
        try:
            key.verify(raw, signed, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            raise Refused from None

    def _keys(self, header: Mapping[str, Any]) -> list[bytes]:
        """Return the shared secrets with which this service verifies."""
        keys = [self.secret] if self.algorithm == "HS256" else []
        if "test key" in self.flaws:
            keys.append(b"secret")
        if "confusion" in self.flaws:
            keys.append(PUBLIC_PEM)
        if "stripped confusion" in self.flaws:
            keys.append(PUBLIC_PEM.strip())
        kid = str(header.get("kid", ""))
        if "kid file" in self.flaws and kid:
            path = Path("/keys") / kid
            keys.append(
                path.resolve().read_bytes() if path.resolve() == Path("/dev/null") else b"?"
            )
        if "kid query" in self.flaws and "' UNION SELECT '" in kid:
            keys.append(kid.split("' UNION SELECT '")[1].split("'")[0].encode())
        if "jwk" in self.flaws and header.get("jwk", {}).get("kty") == "oct":
            keys.append(_decode(header["jwk"]["k"]))
        return keys

    def _valid(self, claims: Mapping[str, Any]) -> None:
        now = time.time()
        end = claims.get("exp", int(now))
        wrong = {
            "expiry": not isinstance(end, int) or end < int(now),
            "not before": claims.get("nbf", 0) > now,
            "audience": claims.get("aud", AUDIENCE) not in (AUDIENCE, [AUDIENCE]),
            "issuer": claims.get("iss", ISSUER) != ISSUER,
        }
        if any(found and rule not in self.flaws for rule, found in wrong.items()):
            raise Refused

    def _sign(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        signed = ".".join(_encode(json.dumps(part).encode()) for part in (header, claims))
        if self.algorithm == "HS256":
            raw = _hs(self.secret, signed.encode())
        else:
            raw = KEY.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_encode(raw)}"


def _hs(key: bytes, signed: bytes) -> bytes:
    return hmac.digest(key, signed, hashlib.sha256)


def _jwk() -> dict[str, str]:
    numbers = KEY.public_key().public_numbers()
    n, e = (
        _encode(part.to_bytes((part.bit_length() + 7) // 8, "big"))
        for part in (numbers.n, numbers.e)
    )
    return {"kty": "RSA", "use": "sig", "n": n, "e": e}


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
