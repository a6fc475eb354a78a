"""The certificates of the clean service, and those with one flaw each; each is made once."""

import functools

from cryptography import x509

from tests.chains import Issued, issue, rsa_key, signed_with_sha1

HOST = "localhost"
issued = functools.cache(issue)


def root() -> Issued:
    """Return the authority that is trusted."""
    return issued("Root", ca=True, ends=3000)


def between() -> Issued:
    """Return the authority that signs for servers."""
    return issued("Intermediate", root(), ca=True, ends=400)


def leaf() -> Issued:
    """Return the certificate of the clean service."""
    return issued(HOST, between(), hosts=(HOST,))


@functools.cache
def of_rsa() -> Issued:
    """Return a good certificate whose key is of RSA, as ciphers without ECDSA need it."""
    return issue(HOST, between(), hosts=(HOST,), key=rsa_key())


@functools.cache
def of_short_key() -> Issued:
    """Return a certificate whose key is too short."""
    return issue(HOST, between(), hosts=(HOST,), key=rsa_key(1024))


@functools.cache
def of_sha1() -> tuple[Issued, Issued]:
    """Return a certificate that is signed with SHA-1, and its issuer's."""
    old = issue("Old", root(), ca=True, ends=400, key=rsa_key())
    return signed_with_sha1(issue(HOST, old, hosts=(HOST,)), old), old


@functools.cache
def of_must_staple() -> Issued:
    """Return a certificate that demands a stapled OCSP response."""
    demand = x509.TLSFeature([x509.TLSFeatureType.status_request])
    return issue(HOST, between(), hosts=(HOST,), extra=[demand])
