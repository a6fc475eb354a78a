"""A good token -> forgeries of it, in groups, each of which breaks one rule and keeps the rest.

The attacks are those of RFC 8725, section 2, and of CVE-2015-9235 (`none`, confusion of keys) and
CVE-2018-0114 (a key in the header). Addresses in headers lead nowhere (RFC 2606).
"""

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from readiness.probes._jwt_token import SHARED, Signer, Token, compact, encode, shared, unsigned

_NOWHERE = "https://readiness.invalid"
_USUAL_NONE = ("none", "None", "NONE", "nOnE")
_ANY_CASE = map("".join, itertools.product(*zip("none", "NONE", strict=True)))
_NONE = tuple(dict.fromkeys((*_USUAL_NONE, *_ANY_CASE)))
"""All 16 spellings, as deny lists have forgotten one or another; those seen most come first."""
_HOUR = 3600
_ROLES = ("role", "roles", "scope", "scopes", "groups", "permissions", "admin", "is_admin")
_QUERIED = "readiness"
"""What the injected query yields as key: a constant, so that it reads and changes no table."""


@dataclass(frozen=True)
class Forgery:
    """One token that must be refused; None for no token at all. `name` is fit to be shown."""

    name: str
    token: str | None = field(repr=False)


@dataclass(frozen=True)
class OwnKey:
    """A key that the service cannot know, and its public half as a JWK."""

    sign: Signer = field(repr=False)
    jwk: Mapping[str, str] = field(repr=False)


Group = Sequence[Forgery] | str
"""Forgeries that break the same rule, or why there are none."""


def missing(_: Token) -> Group:
    """Return what is no token."""
    return [Forgery("no token", None), Forgery("an empty token", "")]


def malformed(token: Token) -> Group:
    """Return what has not the form of a token."""
    noise = ".".join(encode(os.urandom(24)) for _ in range(3))
    return [
        Forgery("a word that is no token", "readiness"),
        Forgery("three empty parts", ".."),
        Forgery("three parts of random bytes", noise),
        Forgery("a payload that is no JSON", f"{token.head}.{encode(b'?')}.{token.signature}"),
    ]


def tampered(token: Token) -> Group:
    """Return the token with other claims under its own signature; it stays the same user's."""
    kept = token.signature
    added = compact(token.head, {**token.claims, "readiness": True}, unsigned) + kept
    raised = compact(token.head, {**token.claims, **_raised(token.claims)}, unsigned) + kept
    return [Forgery("a claim added", added), Forgery("a role raised", raised)]


def stripped(token: Token) -> Group:
    """Return the token with its signature left out."""
    return [
        Forgery("an empty signature", f"{token.head}.{token.body}."),
        Forgery("no third part", f"{token.head}.{token.body}"),
    ]


def none(token: Token) -> Group:
    """Return the token with a header that says it is not signed."""
    found = [
        Forgery(f"alg {alg}", compact({**token.header, "alg": alg}, token.body, unsigned))
        for alg in _NONE
    ]
    bare = found[0].token or ""
    without = {key: value for key, value in token.header.items() if key != "alg"}
    return [
        *found,
        Forgery("alg none without a last dot", bare.rstrip(".")),
        Forgery("alg none with the signature kept", bare + token.signature),
        Forgery("no alg", compact(without, token.body, unsigned)),
    ]


def wrong_key(token: Token, own: OwnKey | str) -> Group:
    """Return the token as it is, signed with keys that are not the service's."""
    if isinstance(own, str):
        return own
    found = [Forgery("a key of ours", compact(token.head, token.body, own.sign))]
    for name, secret in (("an empty key", b""), ("the key `secret`", b"secret")):
        if token.symmetric and not token.signed_with(secret):
            sign = shared(token.algorithm, secret)
            found.append(Forgery(name, compact(token.head, token.body, sign)))
    return found


def confused(token: Token, publics: Iterable[bytes] | str) -> Group:
    """Return the token signed with the public key, each of its spellings, as a shared secret."""
    if isinstance(publics, str):
        return publics
    header = {**token.header, "alg": "HS256"}
    name = "HS256 with the public key as the secret"
    return [
        Forgery(name, compact(header, token.body, shared("HS256", public)))
        for public in dict.fromkeys(publics)
    ]


def header_keys(token: Token, own: OwnKey | str) -> Group:
    """Return tokens whose header says which key to verify them with, signed with that key."""
    if isinstance(own, str):
        return own
    alg = token.algorithm if token.algorithm in SHARED else "HS256"
    injected = f"readiness' UNION SELECT '{_QUERIED}' -- "
    found = [
        _by_header(token, f"kid {kid}", {"alg": alg, "kid": kid}, shared(alg, secret))
        for kid, secret in (("../../../../../../../../dev/null", b""), ("/dev/null", b""))
        if not token.signed_with(secret)
    ]
    by_query = {"alg": alg, "kid": injected}
    found.append(_by_header(token, "kid with SQL in it", by_query, shared(alg, _QUERIED.encode())))
    for name, header in (
        ("an unknown kid", {"kid": "readiness"}),
        ("jku", {"jku": f"{_NOWHERE}/jwks.json"}),
        ("x5u", {"x5u": f"{_NOWHERE}/key.pem"}),
        ("jwk", {"jwk": dict(own.jwk)}),
    ):
        found.append(_by_header(token, name, header, own.sign))
    return found


def critical(token: Token, sign: Signer) -> Group:
    """Return a token that must not be taken by who does not know its extension."""
    header = {**token.header, "crit": ["readiness"], "readiness": True}
    return [Forgery("an unknown crit", compact(header, token.body, sign))]


def genuine(token: Token, sign: Signer) -> str:
    """Return a token that breaks no rule, made with the service's own key but not by it."""
    end = token.claims.get("exp")
    sooner = {"exp": end - 1} if isinstance(end, int | float) else {"readiness": True}
    return compact(token.head, {**token.claims, **sooner}, sign)


def expired(token: Token, sign: Signer, now: float) -> Group:
    """Return a token that ended an hour ago; `now` is Unix time (s)."""
    then = {"iat": int(now) - 2 * _HOUR, "exp": int(now) - _HOUR}
    then |= {"nbf": int(now) - 2 * _HOUR} if "nbf" in token.claims else {}
    return [Forgery("an expired token", compact(token.head, {**token.claims, **then}, sign))]


def early(token: Token, sign: Signer, now: float) -> Group:
    """Return a token that is not valid for another hour."""
    then = {"nbf": int(now) + _HOUR, "exp": int(now) + 2 * _HOUR}
    return [Forgery("a token not yet valid", compact(token.head, {**token.claims, **then}, sign))]


def misdirected(token: Token, claim: str, sign: Signer) -> Group:
    """Return a token whose `aud` or `iss` names someone else."""
    if claim not in token.claims:
        return f"the token has no {claim}"
    other = [_NOWHERE] if isinstance(token.claims[claim], list) else _NOWHERE
    changed = compact(token.head, {**token.claims, claim: other}, sign)
    return [Forgery(f"a token with another {claim}", changed)]


def _by_header(token: Token, name: str, header: Mapping[str, Any], sign: Signer) -> Forgery:
    return Forgery(name, compact({**token.header, **header}, token.body, sign))


def _raised(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return a claim that makes more of the user, of the type it has."""
    name = next((one for one in _ROLES if one in claims), "role")
    was = claims.get(name)
    if isinstance(was, bool):
        return {name: not was}
    better = "superuser" if was in ("admin", ["admin"]) else "admin"
    return {name: [better] if isinstance(was, list) else better}
