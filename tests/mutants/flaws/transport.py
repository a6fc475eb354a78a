"""Flaws of TLS: versions, ciphers, certificates, stapled OCSP responses."""

import ssl
from pathlib import Path

from tests import chains
from tests.chains import Issued
from tests.mutants import certificates
from tests.mutants.certificates import HOST, between, issued, leaf, root
from tests.mutants.flaw import flaw
from tests.mutants.service import Service

TLS_1_0, TLS_1_2 = 0x0301, 0x0303


class Certified(Service):
    """Shows another chain of certificates."""

    def chain(self) -> tuple[Issued, ...]:
        raise NotImplementedError

    def tls(self, folder: Path) -> ssl.SSLContext:
        return chains.server(folder, *self.chain(), weak=True)


@flaw("tls-leaf-expiry", "certificate-expiry")
class ExpiresThisWeek(Certified):
    """The certificate expires within days."""

    def chain(self) -> tuple[Issued, ...]:
        return issued(HOST, between(), hosts=(HOST,), ends=3), between()


@flaw("tls-leaf-expiry", "journey-succeeds", outage="tls")
class HasExpired(Certified):
    """The certificate has expired."""

    def chain(self) -> tuple[Issued, ...]:
        return issued(HOST, between(), hosts=(HOST,), ends=-3), between()


@flaw("tls-chain-expiry")
class IssuerExpiresThisWeek(Certified):
    """The certificate of the issuer expires within days."""

    def chain(self) -> tuple[Issued, ...]:
        soon = issued("Soon", root(), ca=True, ends=4)
        return issued(HOST, soon, hosts=(HOST,)), soon


@flaw("tls-hostname", "journey-succeeds", outage="tls")
class AnotherHost(Certified):
    """The certificate is for another host."""

    def chain(self) -> tuple[Issued, ...]:
        return issued(HOST, between(), hosts=("other.example",)), between()


@flaw("tls-trusted", "journey-succeeds", outage="tls")
class SelfSigned(Certified):
    """Nobody vouches for the certificate."""

    def chain(self) -> tuple[Issued, ...]:
        return (issued(HOST, hosts=(HOST,)),)


@flaw("tls-trusted", "journey-succeeds", outage="tls")
class UnknownAuthority(Certified):
    """The certificate is from an authority that nobody trusts."""

    def chain(self) -> tuple[Issued, ...]:
        strange = issued("Strange", ca=True, ends=400)
        return issued(HOST, strange, hosts=(HOST,)), strange


@flaw("tls-chain-complete", "journey-succeeds", outage="tls", untestable=("tls",))
class IntermediateMissing(Certified):
    """The issuer's certificate is not sent."""

    def chain(self) -> tuple[Issued, ...]:
        return (leaf(),)


@flaw("tls-key", "journey-succeeds", outage="tls")
class ShortCertificateKey(Certified):
    """The certificate's key is of RSA with 1024 bits."""

    def chain(self) -> tuple[Issued, ...]:
        return certificates.of_short_key(), between()


@flaw("tls-signature", "journey-succeeds", outage="tls")
class SignedWithSha1(Certified):
    """The certificate is signed with SHA-1."""

    def chain(self) -> tuple[Issued, ...]:
        return certificates.of_sha1()


class Speaking(Service):
    """Speaks one version of TLS alone, with some ciphers."""

    version = ssl.TLSVersion.TLSv1_2
    ciphers = ""

    def chain(self) -> tuple[Issued, ...]:
        return certificates.of_rsa(), between()

    def tls(self, folder: Path) -> ssl.SSLContext:
        return chains.only(
            chains.server(folder, *self.chain(), weak=True), self.version, self.ciphers
        )


@flaw("tls-13")
class SpeaksNoTls13(Speaking):
    """TLS 1.3 is not spoken."""

    ciphers = "ECDHE+AESGCM"


@flaw("tls-13", "tls-aead")
class UnauthenticatedCipher(Speaking):
    """TLS 1.2 is spoken with a CBC cipher."""

    ciphers = "ECDHE-RSA-AES128-SHA256"


@flaw(
    *("tls-13", "tls-forward-secrecy", "journey-succeeds"),
    outage="tls",
    untestable=("tls",),
)
class NoForwardSecrecy(Speaking):
    """TLS 1.2 is spoken with a key exchange that has no forward secrecy."""

    ciphers = "AES128-GCM-SHA256"


@flaw(
    *("tls-modern", "tls-13", "tls-old-versions", "tls-aead", "journey-succeeds"),
    outage="tls",
    untestable=("tls",),
)
class SpeaksTls10Alone(Speaking):
    """Nothing newer than TLS 1.0 is spoken."""

    version = ssl.TLSVersion.TLSv1

    def chain(self) -> tuple[Issued, ...]:
        return leaf(), between()


@flaw("tls-old-versions")
class SpeaksTls10Too(Service):
    """TLS 1.0 is spoken beside newer versions."""

    beside = (chains.opening(chains.certificates(leaf()), version=TLS_1_0), TLS_1_0)


def stapling(response: bytes) -> tuple[bytes, int]:
    """Return how a server opens TLS 1.2 with a stapled response."""
    raw = chains.opening(chains.certificates(leaf(), between()), chains.staple(response))
    return raw, TLS_1_2


@flaw("tls-ocsp")
class Revoked(Service):
    """The stapled OCSP response says that the certificate is revoked."""

    beside = stapling(chains.ocsp_response(leaf(), between(), revoked=True))


@flaw("tls-must-staple")
class StapleMissing(Certified):
    """The certificate demands a stapled OCSP response, and none comes."""

    def chain(self) -> tuple[Issued, ...]:
        return certificates.of_must_staple(), between()
