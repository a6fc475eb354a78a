"""A JSON Web Key Set (RFC 7517) -> what is wrong with its keys; no key is ever quoted."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from readiness.measurement import Values
from readiness.probes._few import few

METRICS: Mapping[str, str] = {
    "signing_key": "true or false: the key set holds a key that verifies signatures",
    "private_keys_absent": "true or false: the key set holds no private and no symmetric key",
    "keys_strong": "true or false: every RSA key has 2048 bits at least and a curve 224",
    "key_ids_unique": "true or false: keys of one kind can be told apart by their `kid`",
}
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "priv")
_PUBLIC: Mapping[str, tuple[str, ...]] = {
    "RSA": ("n", "e"),
    "EC": ("crv", "x", "y"),
    "OKP": ("crv", "x"),
    "AKP": ("alg", "pub"),
}
_MIN_RSA = 2048
_SMALL_CURVES = frozenset({"P-192"})

Key = Mapping[str, Any]


def keys(document: object) -> list[Key] | None:
    """Return the keys of a key set, None if it is none."""
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not all(isinstance(key, dict) for key in listed):
        return None
    return listed


def verdicts(listed: Sequence[Key]) -> Values:
    """Judge the keys; each is named by its place in the set, counted from 1."""
    numbered = dict(enumerate(listed, 1))
    usable = any(_signs(key) for key in listed)
    without = {} if usable else {"signing_key_because": _without(listed)}
    return {
        "signing_key": usable,
        **without,
        **_verdict("private_keys_absent", _leaked(numbered)),
        **_verdict("keys_strong", _weak(numbered)),
        **_verdict("key_ids_unique", _confusable(numbered)),
    }


def untold(because: str) -> Values:
    """Return that none of this is known."""
    return {f"{metric}_because": because for metric in METRICS}


def _verdict(metric: str, faults: Sequence[str]) -> Values:
    return {metric: False, f"{metric}_because": few(faults)} if faults else {metric: True}


def _signs(key: Key) -> bool:
    parts = _PUBLIC.get(_text(key, "kty"))
    whole = parts is not None and all(_text(key, part) for part in parts)
    return whole and key.get("use", "sig") == "sig"


def _without(listed: Sequence[Key]) -> str:
    return f"none of its {len(listed)} keys does" if listed else "the key set is empty"


def _leaked(numbered: Mapping[int, Key]) -> list[str]:
    return [
        f"key {number} is {'symmetric' if key.get('kty') == 'oct' else 'private'}: it holds {names}"
        for number, key in numbered.items()
        if (names := " and ".join(f"`{name}`" for name in _secrets(key)))
    ]


def _secrets(key: Key) -> list[str]:
    names = ("k",) if key.get("kty") == "oct" else _PRIVATE
    return [name for name in names if key.get(name)]


def _weak(numbered: Mapping[int, Key]) -> list[str]:
    faults = []
    for number, key in numbered.items():
        bits = _bits(key) if key.get("kty") == "RSA" else None
        if bits is not None and bits < _MIN_RSA:
            faults.append(f"key {number} is of RSA with {bits} bits")
        elif key.get("kty") == "EC" and _text(key, "crv") in _SMALL_CURVES:
            faults.append(f"key {number} is on {key['crv']}")
    return faults


def _bits(key: Key) -> int | None:
    """Return the size of an RSA key's modulus, None if it has none that can be read."""
    text = _text(key, "n")
    try:
        modulus = base64.urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))
    except (binascii.Error, ValueError):
        return None
    return int.from_bytes(modulus, "big").bit_length() or None


def _confusable(numbered: Mapping[int, Key]) -> list[str]:
    """The same key may be listed twice; different ones of a kind need a `kid` each."""
    seen: dict[tuple[str, str], tuple[int, list[str]]] = {}
    faults = []
    for number, key in numbered.items():
        name = (_text(key, "kty"), _text(key, "kid"))
        material = [_text(key, part) for part in ("n", "x", "y", "pub")]
        first, other = seen.setdefault(name, (number, material))
        if material != other:
            same = "the same `kid`" if name[1] else "no `kid`"
            faults.append(f"keys {first} and {number} have {same}")
    return faults


def _text(key: Key, name: str) -> str:
    value = key.get(name)
    return value if isinstance(value, str) else ""
