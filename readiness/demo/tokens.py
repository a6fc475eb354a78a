"""Signed tokens (JSON Web Tokens, HS256) and the guard that demands one."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from readiness.demo.config import Config

Handler = Callable[[Request], Awaitable[Response]]


def sign(claims: Mapping[str, Any], secret: str) -> str:
    """Return `claims` as a token that only a holder of `secret` can have made."""
    head = _encode(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    payload = f"{head}.{_encode(json.dumps(claims).encode())}"
    return f"{payload}.{_signature(payload, secret)}"


def verify(token: str, secret: str) -> dict[str, Any] | None:
    """Return the claims of `token`, or None if it is forged, malformed or expired."""
    payload, _, signature = token.rpartition(".")
    if not hmac.compare_digest(signature.encode(), _signature(payload, secret).encode()):
        return None
    claims: dict[str, Any] = json.loads(_decode(payload.partition(".")[2]))
    return claims if claims["exp"] > time.time() else None


def bearer(request: Request) -> str:
    """Return the bearer token that `request` carries, or the empty string."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def unauthorized(reason: str) -> Response:
    """Refuse a caller who has not shown who they are."""
    return JSONResponse({"error": reason}, 401, {"WWW-Authenticate": "Bearer"})


def guarded(handler: Handler, config: Config) -> Handler:
    """Answer 401 unless the request carries a valid token or the system's API key."""

    async def check(request: Request) -> Response:
        key = request.headers.get("x-api-key", "")
        known = hmac.compare_digest(key.encode(), config.api_key.encode())
        if not known and verify(bearer(request), config.signing_secret) is None:
            return unauthorized("a valid token or API key is required")
        return await handler(request)

    return check


def _signature(payload: str, secret: str) -> str:
    return _encode(hmac.digest(secret.encode(), payload.encode(), hashlib.sha256))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
