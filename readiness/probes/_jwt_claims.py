"""What a token says of itself -> its lifetime, its algorithm, and what it gives away."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from readiness.escape import line
from readiness.measurement import Values, number
from readiness.probes._jwt_token import Token
from readiness.probes._jwt_weak import COMMON, known_secret

METRICS: Mapping[str, str] = {
    "algorithm": "the algorithm that the token says it is signed with",
    "symmetric": "true or false: the token is a JWT, signed with a shared secret",
    "strong_secret": "true or false: the shared secret is none of those that are tried first",
    "expires": "true or false: the token is a JWT, and says when it ends",
    "lifetime_ms": "ms: from the token's making to its end",
    "no_secrets_in_payload": "true or false: the payload, which anyone can read, holds no secret",
}
_SHOWN = 5
_DEEPEST = 6
_SECRET_NAMES = frozenset(
    {
        *("password", "passwd", "pwd", "passphrase", "passwordhash", "hashedpassword"),
        *("secret", "clientsecret", "apisecret", "appsecret", "secretkey", "signingkey"),
        *("privatekey", "apikey", "accesskey", "mfasecret", "totpsecret", "otpsecret"),
        *("ssn", "socialsecuritynumber", "cvv", "cvc", "securitycode"),
    }
)
"""Names of claims, as they are without `_`, `-` and capitals, under which no text is public."""
_CARD_NAMES = frozenset({"card", "cardnumber", "creditcard", "creditcardnumber", "ccnumber", "pan"})
_SECRET_TEXT = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}|\$argon2(id|i|d)\$|\$scrypt\$"
    r"|\b(sk_live_|rk_live_|ghp_|gho_|github_pat_|glpat-|xox[abp]-)[A-Za-z0-9_-]{10}"
)
"""Private keys, hashes of passwords, and keys whose issuers mark them as such."""
_GROUPED_CARD = re.compile(r"\d{4}([ -])\d{4}\1\d{4}\1\d{4}|\d{4}([ -])\d{6}\2\d{5}")
_CARD = re.compile(r"\d{13,19}")


def read(token: Token, now: float) -> Values:
    """Return what METRICS describes; `now` (Unix time, s) counts where no `iat` is given."""
    return {**_algorithm(token), **_lifetime(token.claims, now), **_payload(token.claims)}


def _algorithm(token: Token) -> Values:
    written = token.algorithm
    shown = "none" if written.lower() in ("", "none") else line(written, 20)
    values: Values = {"algorithm": shown, "symmetric": token.symmetric}
    if shown == "none":
        values["algorithm_because"] = "the token says that it is not signed"
    if token.symmetric:
        values["strong_secret"] = known_secret(token) is None
    if values.get("strong_secret") is False:
        because = f"the token is signed with one of the {len(COMMON)} secrets that are tried first"
        values["strong_secret_because"] = because
    return values


def _lifetime(claims: Mapping[str, Any], now: float) -> Values:
    end, begin = number(claims.get("exp")), number(claims.get("iat"))
    if end is None:
        what = "its exp is no number" if "exp" in claims else "it has no exp"
        because = f"the token says no time at which it ends: {what}"
        return {"expires": False, "expires_because": because, "lifetime_ms_because": because}
    seconds = end - (now if begin is None else begin)
    if seconds < 0:
        because = "the token ends before it begins"
        return {"expires": True, "lifetime_ms_because": because}
    return {"expires": True, "lifetime_ms": round(seconds * 1000, 3)}


def _payload(claims: Mapping[str, Any]) -> Values:
    found = list(dict.fromkeys(line(name, 40) for name in _secret_claims(claims, _DEEPEST)))
    if not found:
        return {"no_secrets_in_payload": True}
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    because = f"what looks like a secret is in the claim {', '.join(found[:_SHOWN])}{more}"
    return {"no_secrets_in_payload": False, "no_secrets_in_payload_because": because}


def _secret_claims(value: Any, depth: int, path: str = "") -> Iterator[str]:
    """Yield the names of claims that hold what nobody should be able to read."""
    if isinstance(value, Mapping) and depth:
        for name, inner in value.items():
            yield from _secret_claims(inner, depth - 1, f"{path}.{name}".lstrip("."))
    elif isinstance(value, list) and depth:
        for inner in value:
            yield from _secret_claims(inner, depth - 1, path)
    elif isinstance(value, str | int) and not isinstance(value, bool) and _secret(path, str(value)):
        yield path


def _secret(path: str, text: str) -> bool:
    name = re.sub(r"[^a-z]", "", path.rpartition(".")[2].lower())
    if name in _SECRET_NAMES:
        return bool(text)
    if _GROUPED_CARD.fullmatch(text) or (name in _CARD_NAMES and _CARD.fullmatch(text)):
        return _luhn(re.sub(r"\D", "", text))
    return bool(_SECRET_TEXT.search(text))


def _luhn(digits: str) -> bool:
    """Whether the check digit is right (ISO/IEC 7812-1, annex B)."""
    doubled = [int(d) * (2 if i % 2 else 1) for i, d in enumerate(reversed(digits))]
    return sum(n - 9 if n > 9 else n for n in doubled) % 10 == 0
