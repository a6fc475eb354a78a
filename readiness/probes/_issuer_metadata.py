"""The metadata an OpenID provider or authorization server publishes -> what is wrong with it.

OpenID Connect Discovery 1.0, section 3; RFC 8414, section 2.
"""

from collections.abc import Mapping
from typing import Any

from readiness.escape import line
from readiness.measurement import Values

METRICS: Mapping[str, str] = {
    "issuer_matches": "true or false: the document's issuer is exactly the one asked for",
    "metadata_complete": "true or false: every required member is there and of the right type",
    "endpoints_tls": "true or false: every endpoint's URL is https",
    "code_flow": "true or false: the authorization code flow is offered",
    "pkce_s256": "true or false: code_challenge_methods_supported holds S256",
    "unsigned_refused": "true or false: `none` signs neither ID tokens nor clients' assertions",
    "implicit_absent": "true or false: no response type hands a token to the browser's address",
}
Metadata = Mapping[str, Any]
_LONGEST = 200
_CLIENT_ALGORITHMS = tuple(
    f"{name}_endpoint_auth_signing_alg_values_supported"
    for name in ("token", "revocation", "introspection")
)
_ID_TOKEN_ALGORITHMS = "id_token_signing_alg_values_supported"
_URLS = ("issuer", "jwks_uri")


def verdicts(document: Metadata, expected: str, *, declared: bool, openid: bool) -> Values:
    """Judge `document`, asked for as the issuer `expected`, which the inventory may declare."""
    return {
        **_issuer(document.get("issuer"), expected, declared=declared),
        **_verdict("metadata_complete", _missing(document, openid=openid)),
        **_verdict("endpoints_tls", _plain(document)),
        "code_flow": any("code" in kind.split() for kind in _types(document)),
        **_pkce(document),
        **_verdict("unsigned_refused", _unsigned(document)),
        **_verdict("implicit_absent", _implicit(document)),
    }


def untold(because: str) -> Values:
    """Return that none of this is known."""
    return {f"{metric}_because": because for metric in METRICS}


def _verdict(metric: str, faults: list[str]) -> Values:
    return {metric: False, f"{metric}_because": "; ".join(faults)} if faults else {metric: True}


def _issuer(told: object, expected: str, *, declared: bool) -> Values:
    if told == expected:
        return {"issuer_matches": True}
    if not isinstance(told, str) or not told:
        return {"issuer_matches": False, "issuer_matches_because": "the document names no issuer"}
    shown = line(told.partition("?")[0].partition("#")[0], _LONGEST)
    because = f'the document says "{shown}", not "{expected}"'
    if told.rstrip("/") != expected.rstrip("/"):
        return {"issuer_matches": False, "issuer_matches_because": because}
    because += ": they differ by a slash at the end"
    if declared:
        return {"issuer_matches": False, "issuer_matches_because": because}
    # the service's URL has it or not by whim; only clients know which one they compare with
    told_by_whom = f"{because}, so declare the `issuer` that clients are given"
    return {"issuer_matches_because": told_by_whom}


def _missing(document: Metadata, *, openid: bool) -> list[str]:
    texts, lists = ["issuer"], ["response_types_supported"]
    if openid:
        texts.append("jwks_uri")
        lists += ["subject_types_supported", _ID_TOKEN_ALGORITHMS]
    if _types(document):
        texts.append("authorization_endpoint")
    if not _types(document) or any("code" in kind.split() for kind in _types(document)):
        texts.append("token_endpoint")
    if not openid and _machines_only(document):
        lists.remove("response_types_supported")  # RFC 8414, erratum 7793
    wrong = [name for name in texts if not _is_text(document.get(name))]
    wrong += [name for name in lists if not _list(document, name)]
    return [f"{name} is missing or of the wrong type" for name in wrong]


def _machines_only(document: Metadata) -> bool:
    """Whether no grant type that is offered uses the authorization endpoint."""
    grants = _list(document, "grant_types_supported")
    return bool(grants) and not {"authorization_code", "implicit"} & set(grants)


def _plain(document: Metadata) -> list[str]:
    return [
        f"{line(name, 60)} is not https"
        for name, value in document.items()
        if (name in _URLS or name.endswith("_endpoint"))
        and _is_text(value)
        and not value.lower().startswith("https://")
    ][:5]


def _pkce(document: Metadata) -> Values:
    methods = _list(document, "code_challenge_methods_supported")
    if "S256" in methods:
        return {"pkce_s256": True}
    because = "code_challenge_methods_supported is missing"
    if methods:
        because = f"code_challenge_methods_supported holds {line(', '.join(methods), 60)} alone"
    return {"pkce_s256": False, "pkce_s256_because": because}


def _unsigned(document: Metadata) -> list[str]:
    """`none` is never for clients' assertions, and ID tokens are judged more strictly than by Core.

    That allows it (section 2) to a client that registers for it and uses the code flow alone.
    Request objects may be unsigned (Discovery 1.0 even recommends to take such), and so may
    the answers of the userinfo endpoint.
    """
    faults = [f"{name} holds `none`" for name in _CLIENT_ALGORITHMS if _has_none(document, name)]
    if _has_none(document, _ID_TOKEN_ALGORITHMS):
        front = any("id_token" in kind.split() for kind in _types(document))
        where = "although ID tokens pass through the browser" if front else "for the code flow"
        faults.append(f"{_ID_TOKEN_ALGORITHMS} holds `none`{',' if front else ''} {where}")
    return faults


def _has_none(document: Metadata, name: str) -> bool:
    return any(each.lower() == "none" for each in _list(document, name))


def _implicit(document: Metadata) -> list[str]:
    kinds = [kind for kind in _types(document) if "token" in kind.split()]
    listed = ", ".join(f'"{line(kind, 40)}"' for kind in kinds[:5])
    return [f"response_types_supported holds {listed}"] if kinds else []


def _types(document: Metadata) -> list[str]:
    return _list(document, "response_types_supported")


def _list(document: Metadata, name: str) -> list[str]:
    """Return the member if it is a list of texts, else nothing."""
    value = document.get(name)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        return []
    return value


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)
