"""A token and what is known of its keys -> the keys to forge it with, or why there are none."""

import asyncio
import importlib.util
import json
import os
from collections.abc import Iterable, Iterator

from readiness.probes._jwt_forgery import OwnKey
from readiness.probes._jwt_token import Signer, Token, decode, encode, shared

NOT_INSTALLED = "not tested: cryptography is not installed (pip install 'readiness[jwt]')"
_MOST_KEYS = 50


async def own_key(token: Token) -> OwnKey | str:
    """Return a new key of the kind the token is signed with."""
    if token.symmetric:
        secret = os.urandom(32)
        jwk = {"kty": "oct", "k": encode(secret)}
        return OwnKey(shared(token.algorithm, secret), jwk)
    if not _installed():
        return NOT_INSTALLED
    from readiness.probes import _jwt_keys

    key = await asyncio.to_thread(_jwt_keys.fresh, token.algorithm)
    sign = _jwt_keys.signer(token.algorithm, key) if key else None
    if key is None or sign is None:
        return "not tested: the token's algorithm is none of those that tokens are signed with"
    return OwnKey(sign, _jwt_keys.jwk_of(key))


def signing_key(token: Token, written: str) -> Signer | str:
    """Return what signs as the service does: a shared secret, as it is or in base64, or a PEM."""
    if token.symmetric:
        for secret in _secrets(written):
            if token.signed_with(secret):
                return shared(token.algorithm, secret)
        return "the signing_key is not the one that the token is signed with"
    if not _installed():
        return NOT_INSTALLED
    from readiness.probes import _jwt_keys

    key = _jwt_keys.private_key(_lines(written))
    sign = _jwt_keys.signer(token.algorithm, key) if key else None
    if key is None or sign is None:
        return "the signing_key is no private key in PEM that fits the token's algorithm"
    if not _jwt_keys.made(token, key.public_key()):
        return "the signing_key is not the one that the token is signed with"
    return sign


def of_pem(token: Token, written: str) -> list[bytes] | str:
    """Return the spellings of a public key in PEM, that as it is written first."""
    if not _installed():
        return NOT_INSTALLED
    from readiness.probes import _jwt_keys

    key = _jwt_keys.public_key(_lines(written))
    if key is None or not _jwt_keys.made(token, key):
        return "the public_key is not the one that the token is signed with"
    return [_lines(written).encode(), *_jwt_keys.spellings(key)]


def of_jwks(token: Token, text: str) -> list[bytes] | str:
    """Return the spellings of the token's public key in a key set (RFC 7517)."""
    if not _installed():
        return NOT_INSTALLED
    from readiness.probes import _jwt_keys

    for jwk in _members(text):
        key = _jwt_keys.of_jwk(jwk)
        if key is not None and _jwt_keys.made(token, key):
            return list(_jwt_keys.spellings(key))
    return "the jwks holds no key that the token is signed with"


def _installed() -> bool:
    return importlib.util.find_spec("cryptography") is not None


def _members(text: str) -> Iterable[object]:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    keys = data.get("keys") if isinstance(data, dict) else None
    return keys[:_MOST_KEYS] if isinstance(keys, list) else ()


def _secrets(written: str) -> Iterator[bytes]:
    """Yield what the text may stand for: itself, or the bytes that it is the base64 of."""
    yield written.encode()
    try:
        yield decode(written.strip().rstrip("=").replace("+", "-").replace("/", "_"))
    except ValueError:
        return


def _lines(pem: str) -> str:
    r"""Return a PEM whose line breaks came as `\n`, as they do in environment variables."""
    return pem.replace("\\n", "\n")
