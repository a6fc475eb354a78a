"""The certificates a server sent, and how verifying them ended -> what clients can trust.

Each fault has its own metric: a certificate that has expired is still from a trusted issuer.
"""

import ssl
from collections.abc import Mapping, Sequence
from datetime import datetime

from readiness.escape import line
from readiness.failure import Failure, classify
from readiness.measurement import Values
from readiness.probes._certificate import Certificate, path
from readiness.probes._few import few
from readiness.probes._handshake import Outcome, Session

METRICS: Mapping[str, str] = {
    "leaf_days": "days: until the server's own certificate expires",
    "chain_days": "days: until the first of its issuers' certificates expires",
    "issuers_seen": "true or false: an issuer's certificate was sent or is trusted here",
    "hostname_matches": "true or false: the certificate names the host of the service's URL",
    "chain_complete": "true or false: the issuer's certificate was sent if it is no root; "
    "unknown issuers that leave no trace of where they are count as roots",
    "chain_trusted": "true or false: the chain leads to a root that this machine trusts, whatever "
    "its dates and hosts",
    "strong_key": "true or false: every key has 2048 bits (RSA) or 224 (EC) at least",
    "strong_signature": "true or false: no certificate below a root is signed with MD5 or SHA-1",
}
_REACHES_A_ROOT = frozenset({0, 10, 62, 64, 66, 67, 68})
"""X509_V_ERR_*, found once the chain is built: time, host, IP address, keys, CA's hash."""
_NO_ISSUER = frozenset({20, 21})
_LONGEST_HOST = 80


def verdicts(host: str, seen: Session, usual: Outcome, now: datetime) -> Values:
    """Judge what a client that trusts anybody has `seen` by how the `usual` one fared."""
    sent = path(seen.sent)
    checked = usual.verified if isinstance(usual, Session) else sent
    return {
        "leaf_days": _days(sent[0], now),
        **_chain_days(checked[1:], now),
        **_hostname(host, sent[0]),
        **_chain(sent, usual),
        **_keys(sent),
        **_signatures(sent),
    }


def _days(certificate: Certificate, now: datetime) -> int:
    return (certificate.ends - now).days


def _chain_days(issuers: Sequence[Certificate], now: datetime) -> Values:
    if not issuers:
        because = "no issuer's certificate was sent, and none that this machine trusts was found"
        return {"issuers_seen": False, "chain_days_because": because}
    first = min(issuers, key=lambda issuer: issuer.ends)
    because = f'"{first.subject}" expires on {first.ends:%Y-%m-%d}'
    return {
        "issuers_seen": True,
        "chain_days": _days(first, now),
        "chain_days_because": because,
    }


def _hostname(host: str, leaf: Certificate) -> Values:
    if leaf.is_for(host):
        return {"hostname_matches": True}
    named = [f'"{line(name, _LONGEST_HOST)}"' for name in sorted(leaf.hosts)]
    because = f"the certificate names {few(named, between=', ') or 'no host name'}, not {host}"
    return {"hostname_matches": False, "hostname_matches_because": because}


def _chain(sent: Sequence[Certificate], usual: Outcome) -> Values:
    """Judge completeness and trust; only what is complete can be told from what is not trusted."""
    if isinstance(usual, Failure):
        because = f"a client of usual settings cannot shake hands: {usual.detail}"
        return {"chain_complete_because": because, "chain_trusted_because": because}
    code = 0 if isinstance(usual, Session) else usual.verify_code
    last = sent[-1]
    if code in _NO_ISSUER and len(sent) == 1 and last.names_issuer:
        because = f'the certificate of its issuer, "{last.issuer}", was not sent'
        unknown = f"{because}, so that the chain cannot be followed"
        return {
            "chain_complete": False,
            "chain_complete_because": because,
            "chain_trusted_because": unknown,
        }
    if code in _REACHES_A_ROOT:
        return {"chain_complete": True, "chain_trusted": True}
    assert isinstance(usual, ssl.SSLCertVerificationError)
    because = classify(usual).detail
    if code in _NO_ISSUER and not last.self_issued:
        because = (
            f'the chain ends at "{last.subject}", whose issuer, "{last.issuer}", '
            "was not sent and is not trusted by this machine"
        )
    return {"chain_complete": True, "chain_trusted": False, "chain_trusted_because": because}


def _keys(sent: Sequence[Certificate]) -> Values:
    weak = [f'"{each.subject}" has a key of {each.key}' for each in sent if each.weak_key]
    if weak:
        return {"strong_key": False, "strong_key_because": few(weak)}
    unknown = next((each for each in sent if each.weak_key is None), None)
    if unknown:
        return {"strong_key_because": f'"{unknown.subject}" has a key of a kind unknown here'}
    return {"strong_key": True}


def _signatures(sent: Sequence[Certificate]) -> Values:
    """A root's own signature proves nothing and is left out."""
    broken = [
        f'"{each.subject}" is signed with {each.broken_hash}'
        for each in sent
        if each.broken_hash and not each.self_issued
    ]
    if not broken:
        return {"strong_signature": True}
    return {"strong_signature": False, "strong_signature_because": few(broken)}
