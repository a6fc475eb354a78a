"""Whether TLS protects a service: versions, cipher, certificate, chain, stapled OCSP response."""

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime

from readiness.failure import Failure, ProbeError, classify
from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings, _ocsp, _tls_trust
from readiness.probes._certificate import Certificate, read
from readiness.probes._client_hello import TLS_1_0, TLS_1_1, TLS_1_2, Opening, opening
from readiness.probes._handshake import Outcome, Session, lenient, shake
from readiness.probes._http import Target, target

TIER: Tier = "observe"
KINDS = frozenset(
    {
        *("http", "web", "mcp", "rabbitmq", "nats"),
        *("prometheus", "alertmanager", "loki", "tempo", "grafana"),
    }
)
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "protocol": "the newest version of TLS that the server and this machine share",
    "cipher": "the cipher suite agreed on with a client of usual settings, by OpenSSL's name",
    "modern_version_offered": "true or false: the server speaks TLS 1.2 or TLS 1.3",
    "tls13_offered": "true or false: the server speaks TLS 1.3",
    "old_versions_refused": "true or false: the server refuses TLS 1.0 and TLS 1.1",
    "forward_secret": "true or false: a key stolen later opens nothing recorded now",
    "aead": "true or false: the cipher is of the authenticated kind (GCM, CCM, ChaCha20-Poly1305)",
    **_tls_trust.METRICS,
    "must_staple": "true or false: the certificate demands a stapled OCSP response",
    "ocsp_seen": "true or false: a stapled OCSP response was seen (TLS 1.3 encrypts it)",
    "ocsp_stapled": "true or false: a stapled OCSP response comes with TLS 1.2",
    "ocsp_good": "true or false: it says good of this certificate, now; its signature is not "
    "verified, no responder is asked",
}
_OLD: Mapping[int, str] = {TLS_1_0: "TLS 1.0", TLS_1_1: "TLS 1.1"}


class Settings(ProbeSettings):
    """Nothing to set: the service's URL says where it is."""


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Shake hands five times, one after the other, and send no request.

    What a server does with old versions counts only because a later client gets through.
    """
    to = target(service, "", anonymous=True)
    if not to.tls:
        return {"protocol_because": "the URL is not https"}
    seen = await shake(context, to, lenient())
    old = {version: await _attempt(context, to, version) for version in _OLD}
    newer = await _attempt(context, to, TLS_1_2)
    usual = await _usual(context, to)
    now = datetime.now(UTC)
    return {
        **_versions(seen),
        **_old_versions(old, through=_got_through(newer, usual)),
        **_cipher(usual if isinstance(usual, Session) else seen),
        **_tls_trust.verdicts(to.host, seen, usual, now),
        **_stapled(seen.sent[0], newer, now),
    }


async def _attempt(context: Context, to: Target, version: int) -> Opening | Failure:
    """Return what the server does with `version`, or its fault; ours are raised."""
    try:
        return await opening(context, to, version)
    except (OSError, ProbeError, ExceptionGroup) as error:
        return _blamed(error)


async def _usual(context: Context, to: Target) -> Outcome:
    """Return how the run's own client fares, which trusts whom this machine trusts."""
    try:
        return await shake(context, to, context.tls())
    except ssl.SSLCertVerificationError as error:
        return error
    except (OSError, ProbeError, ExceptionGroup) as error:
        return _blamed(error)


def _got_through(newer: Opening | Failure, usual: Outcome) -> bool:
    """Whether the server would still talk after it was offered old versions."""
    return (isinstance(newer, Opening) and newer.done) or not isinstance(usual, Failure)


def _blamed(error: Exception) -> Failure:
    """Return the target's fault; raise what is ours."""
    failure = classify(error)
    if not failure.blames_target:
        raise error
    return failure


def _versions(seen: Session) -> Values:
    version = "TLS 1.0" if seen.protocol == "TLSv1" else seen.protocol.replace("v", " ")
    spoken = f"the newest version that it speaks is {version}"
    values: Values = {"protocol": seen.protocol}
    values["modern_version_offered"] = seen.protocol in ("TLSv1.2", "TLSv1.3")
    if not values["modern_version_offered"]:
        values["modern_version_offered_because"] = spoken
    if not ssl.HAS_TLSv1_3:
        return values | {"tls13_offered_because": "this machine's OpenSSL cannot offer TLS 1.3"}
    values["tls13_offered"] = seen.protocol == "TLSv1.3"
    return values if values["tls13_offered"] else values | {"tls13_offered_because": spoken}


def _old_versions(old: Mapping[int, Opening | Failure], *, through: bool) -> Values:
    name = "old_versions_refused"
    accepted = [
        _OLD[version]
        for version, answer in old.items()
        if isinstance(answer, Opening) and answer.accepts(version)
    ]
    if accepted:
        because = f"the server accepts {' and '.join(accepted)}"
        return {name: False, f"{name}_because": because}
    for version, answer in old.items():
        if doubt := _doubt(answer, through=through):
            return {f"{name}_because": f"whether {_OLD[version]} is refused is unknown: {doubt}"}
    return {name: True}


def _doubt(answer: Opening | Failure, *, through: bool) -> str:
    """Return why `answer` is no refusal, empty if it is one; many refuse by hanging up."""
    if isinstance(answer, Failure) and answer.kind != "reset":
        return answer.detail
    if isinstance(answer, Opening) and (answer.done or answer.alert is not None):
        return ""
    return "" if through else "the connection was closed, as it was for later clients"


def _cipher(session: Session) -> Values:
    name, newest = session.cipher, session.protocol == "TLSv1.3"
    facts = {
        "forward_secret": newest or name.startswith(("ECDHE-", "DHE-")),
        "aead": newest or any(mode in name for mode in ("GCM", "CCM", "CHACHA20")),
    }
    reasons: Values = {
        f"{fact}_because": f"{name} was agreed on" for fact, holds in facts.items() if not holds
    }
    return {"cipher": name, **facts, **reasons}


def _stapled(leaf: Certificate, newer: Opening | Failure, now: datetime) -> Values:
    values: Values = {"must_staple": leaf.must_staple, "ocsp_seen": False}
    if isinstance(newer, Failure) or not newer.accepts(TLS_1_2) or not newer.chain:
        met = newer.detail if isinstance(newer, Failure) else "it was not agreed on"
        because = f"a stapled OCSP response shows in TLS 1.2 alone: {met}"
        return values | {"ocsp_stapled_because": because, "ocsp_good_because": because}
    if newer.staple is None:
        because = "no OCSP response is stapled"
        values["ocsp_stapled_because"] = values["ocsp_good_because"] = because
        return values | {"ocsp_stapled": False}
    fault = _ocsp.fault(newer.staple, read(newer.chain[0]).serial, now)
    values |= {"ocsp_seen": True, "ocsp_stapled": True, "ocsp_good": not fault}
    return values | {"ocsp_good_because": fault} if fault else values
