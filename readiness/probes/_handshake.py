"""A host and a client context -> the TLS session that both agree on."""

import _ssl
import functools
import ssl
from dataclasses import dataclass
from typing import Any

from readiness.failure import Failure, ProbeError
from readiness.probes import Context
from readiness.probes._certificate import Certificate, read
from readiness.probes._connection import dial, within
from readiness.probes._http import Target
from readiness.probes._wire import TlsWire


@dataclass(frozen=True)
class Session:
    """What was agreed on: version and cipher suite by OpenSSL's names, and certificates."""

    protocol: str
    cipher: str
    sent: tuple[Certificate, ...]
    """What the server sent, its own certificate first; at least that."""
    verified: tuple[Certificate, ...]
    """From its own certificate to the trusted root, empty if nothing was verified."""


Outcome = Session | ssl.SSLCertVerificationError | Failure
"""How a client fared that looks at certificates."""


async def shake(context: Context, to: Target, client: ssl.SSLContext) -> Session:
    """Shake hands as `client` on a fresh connection, which is closed at once.

    Bounded by `within`. Raises ProbeError and OSError, of which ssl.SSLError is one.
    """
    with within(context) as watch:
        watch.begin("resolve")
        addresses = await context.resolve(to.host, to.port)
        watch.begin("connect")
        connection = await dial(addresses)
        watch.begin("tls")
        wire = TlsWire(connection, client, to.host)
        try:
            await wire.secure()
        finally:
            wire.close()
    return _session(wire.session, verified=client.verify_mode is ssl.CERT_REQUIRED)


@functools.cache
def lenient() -> ssl.SSLContext:
    """Return a client that takes whatever this OpenSSL can speak, and trusts anybody."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    client.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    client.set_ciphers("ALL:!aNULL:@SECLEVEL=0")
    return client


def _session(tls: ssl.SSLObject, *, verified: bool) -> Session:
    sent = tuple(read(der) for der in _chain(tls, "get_unverified_chain"))
    checked = tuple(read(der) for der in _chain(tls, "get_verified_chain")) if verified else ()
    cipher = tls.cipher()
    if not sent or not cipher:
        raise ProbeError("protocol", "the server sent no certificate")
    return Session(tls.version() or "", cipher[0], sent, checked)


def _chain(tls: Any, named: str) -> tuple[bytes, ...]:
    """Return a chain as DER: public since Python 3.13, below it since 3.10."""
    if hasattr(tls, named):
        return tuple(getattr(tls, named)())
    return tuple(each.public_bytes(_ssl.ENCODING_DER) for each in getattr(tls._sslobj, named)())
