"""Key pairs for tokens: ours and the service's, as PEM or JWK, to sign and to verify with."""

from collections.abc import Iterator, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from readiness.probes._jwt_token import Signer, Token, decode, encode

Edwards = ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Edwards
Public = (
    rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
)

_PRIVATE = (
    rsa.RSAPrivateKey,
    ec.EllipticCurvePrivateKey,
    ed25519.Ed25519PrivateKey,
    ed448.Ed448PrivateKey,
)
_PUBLIC = (
    rsa.RSAPublicKey,
    ec.EllipticCurvePublicKey,
    ed25519.Ed25519PublicKey,
    ed448.Ed448PublicKey,
)
_HASHES: Mapping[str, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]] = {
    "256": hashes.SHA256,
    "384": hashes.SHA384,
    "512": hashes.SHA512,
}
_CURVES: Mapping[str, type[ec.EllipticCurve]] = {
    "ES256": ec.SECP256R1,
    "ES384": ec.SECP384R1,
    "ES512": ec.SECP521R1,
    "ES256K": ec.SECP256K1,
}
_JWK_CURVES: Mapping[str, type[ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
    "secp256k1": ec.SECP256K1,
}
_RSA_BITS = 2048
_RSA_EXPONENT = 65537


def fresh(algorithm: str) -> Private | None:
    """Return a new private key for an algorithm (RFC 7518, RFC 8037), None if it is unknown.

    It takes up to a second of this processor.
    """
    if algorithm[:2] in ("RS", "PS") and algorithm[2:] in _HASHES:
        return rsa.generate_private_key(_RSA_EXPONENT, _RSA_BITS)
    if algorithm in _CURVES:
        return ec.generate_private_key(_CURVES[algorithm]())
    if algorithm in ("EdDSA", "Ed25519"):
        return ed25519.Ed25519PrivateKey.generate()
    return ed448.Ed448PrivateKey.generate() if algorithm == "Ed448" else None


def signer(algorithm: str, key: Private) -> Signer | None:
    """Return what signs with `key`, None where the algorithm takes another kind of key."""
    if isinstance(key, Edwards):
        return key.sign if algorithm.startswith("Ed") else None
    found = _HASHES.get(algorithm[2:5])
    if found is None or isinstance(key, ec.EllipticCurvePrivateKey) is not (algorithm[:2] == "ES"):
        return None
    if isinstance(key, rsa.RSAPrivateKey):
        return lambda signed: key.sign(signed, _padding(algorithm), found())
    size = (key.curve.key_size + 7) // 8

    def sign(signed: bytes) -> bytes:
        return b"".join(
            part.to_bytes(size, "big")
            for part in decode_dss_signature(key.sign(signed, ec.ECDSA(found())))
        )

    return sign


def made(token: Token, key: Public) -> bool:
    """Whether the token's signature verifies with `key`."""
    try:
        _verify(token, key, decode(token.signature))
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, KeyError):
        return False
    return True


def private_key(pem: str) -> Private | None:
    """Return the private key in a PEM text, None if there is none without a password."""
    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, _PRIVATE) else None


def public_key(pem: str) -> Public | None:
    """Return the public key in a PEM text, None if there is none."""
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, _PUBLIC) else None


def of_jwk(jwk: Any) -> Public | None:
    """Return the public key that a member of a key set holds (RFC 7517), None if it is no such."""
    if not isinstance(jwk, Mapping):
        return None
    try:
        return _of_jwk(jwk)
    except (ValueError, TypeError, KeyError, AttributeError, UnsupportedAlgorithm):
        return None


def jwk_of(key: Private) -> dict[str, str]:
    """Return the public half of a key of ours as a JWK."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        rsa_numbers = public.public_numbers()
        return {"kty": "RSA", "n": _uint(rsa_numbers.n), "e": _uint(rsa_numbers.e)}
    if isinstance(public, ec.EllipticCurvePublicKey):
        numbers, size = public.public_numbers(), (public.curve.key_size + 7) // 8
        name = next(n for n, curve in _JWK_CURVES.items() if isinstance(public.curve, curve))
        x, y = (encode(part.to_bytes(size, "big")) for part in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": name, "x": x, "y": y}
    name = "Ed25519" if isinstance(public, ed25519.Ed25519PublicKey) else "Ed448"
    return {"kty": "OKP", "crv": name, "x": encode(public.public_bytes_raw())}


def spellings(key: Public) -> Iterator[bytes]:
    """Yield the texts that a service may keep its public key as, with and without the last line."""
    forms = [PublicFormat.SubjectPublicKeyInfo]
    forms += [PublicFormat.PKCS1] if isinstance(key, rsa.RSAPublicKey) else []
    for form in forms:
        pem = key.public_bytes(Encoding.PEM, form)
        yield from (pem, pem.rstrip(b"\n"))


def _padding(algorithm: str) -> padding.PSS | padding.PKCS1v15:
    if algorithm.startswith("RS"):
        return padding.PKCS1v15()
    return padding.PSS(padding.MGF1(_HASHES[algorithm[2:]]()), padding.PSS.DIGEST_LENGTH)


def _verify(token: Token, key: Public, signature: bytes) -> None:
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        key.verify(signature, token.signed)
        return
    found = _HASHES[token.algorithm[2:5]]()
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, token.signed, _padding(token.algorithm), found)
        return
    half = len(signature) // 2
    r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
    key.verify(encode_dss_signature(r, s), token.signed, ec.ECDSA(found))


def _of_jwk(jwk: Mapping[str, Any]) -> Public | None:
    def number(name: str) -> int:
        return int.from_bytes(decode(jwk[name]), "big")

    if jwk["kty"] == "RSA":
        return rsa.RSAPublicNumbers(number("e"), number("n")).public_key()
    if jwk["kty"] == "EC":
        curve = _JWK_CURVES[jwk["crv"]]()
        return ec.EllipticCurvePublicNumbers(number("x"), number("y"), curve).public_key()
    if jwk["kty"] == "OKP" and jwk["crv"] == "Ed25519":
        return ed25519.Ed25519PublicKey.from_public_bytes(decode(jwk["x"]))
    if jwk["kty"] == "OKP" and jwk["crv"] == "Ed448":
        return ed448.Ed448PublicKey.from_public_bytes(decode(jwk["x"]))
    return None


def _uint(number: int) -> str:
    return encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))
