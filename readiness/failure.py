"""Why a measurement could not be made, and whether the target or this tool is to blame."""

import errno
import re
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict

FailureKind = Literal[
    "timeout",
    "refused",
    "dns",
    "tls",
    "reset",
    "protocol",
    "local_limit",
    "probe_bug",
    "not_allowed",
    "not_installed",
    "denied",
    "deadline",
]
FAILURE_KINDS: tuple[FailureKind, ...] = get_args(FailureKind)
TARGET_FAULTS: frozenset[FailureKind] = frozenset(
    {"timeout", "refused", "dns", "tls", "reset", "protocol"}
)


def encodable(text: str) -> str:
    """Return `text` with U+FFFD for lone surrogates, which JSON can write and UTF-8 cannot."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


class Failure(BaseModel):
    """One reason for having no measurement. `detail` is a sentence part free of secrets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: FailureKind
    detail: Annotated[str, BeforeValidator(lambda v: encodable(v) if isinstance(v, str) else v)]

    @property
    def blames_target(self) -> bool:
        """Whether the probed system is at fault, so that its checks fail rather than go unknown."""
        return self.kind in TARGET_FAULTS


class ProbeError(Exception):
    """Raised by a probe that knows precisely which failure it met."""

    def __init__(self, kind: FailureKind, detail: str) -> None:
        super().__init__(detail)
        self.failure = Failure(kind=kind, detail=detail)


_EXCEPTIONS: tuple[tuple[type[BaseException], FailureKind, str], ...] = (
    (TimeoutError, "timeout", "no answer in time"),
    (ConnectionRefusedError, "refused", "connection refused"),
    (ConnectionResetError, "reset", "connection reset"),
    (ConnectionError, "reset", "connection closed while in use"),
    (EOFError, "reset", "connection closed in the middle of an answer"),
    (PermissionError, "denied", "permission denied"),
)

_ERRNOS: Mapping[int, tuple[FailureKind, str]] = {
    errno.ECONNREFUSED: ("refused", "connection refused"),
    errno.EHOSTUNREACH: ("refused", "host unreachable"),
    errno.EHOSTDOWN: ("refused", "host is down"),
    errno.ENETUNREACH: ("refused", "network unreachable"),
    errno.ENETDOWN: ("refused", "network is down"),
    errno.ENOPROTOOPT: ("refused", "protocol unreachable"),
    errno.EOPNOTSUPP: ("refused", "no route of that kind"),
    errno.EMSGSIZE: ("refused", "a packet is too large for the way"),
    errno.EPROTO: ("refused", "a packet's header was refused on the way"),
    errno.ETIMEDOUT: ("timeout", "no answer in time"),
    errno.ECONNRESET: ("reset", "connection reset"),
    errno.EMFILE: ("local_limit", "no file descriptor left in this process (EMFILE)"),
    errno.ENFILE: ("local_limit", "no file descriptor left on this machine (ENFILE)"),
    errno.EADDRNOTAVAIL: ("local_limit", "no local address or port left (EADDRNOTAVAIL)"),
    errno.ENOBUFS: ("local_limit", "no buffer space left on this machine (ENOBUFS)"),
    errno.ENOMEM: ("local_limit", "no memory left on this machine (ENOMEM)"),
    errno.EAFNOSUPPORT: ("local_limit", "this machine lacks the address family (EAFNOSUPPORT)"),
    errno.EACCES: ("denied", "permission denied"),
    errno.EPERM: ("denied", "permission denied"),
}

_NO_SUCH_FAMILY = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENETUNREACH})
"""What an IPv6 address gives on a machine without IPv6: nothing, if IPv4 was tried as well."""

_CERTIFICATE_FAULTS: Mapping[int, str] = {
    9: "certificate is not valid yet",
    10: "certificate has expired",
    18: "certificate is self-signed",
    19: "certificate chain ends in a self-signed certificate",
    20: "certificate is from an unknown issuer",
    21: "certificate chain is incomplete",
    23: "certificate is revoked",
    62: "certificate is for another host name",
    64: "certificate is for another IP address",
}
"""X509_V_ERR_* of OpenSSL's x509_vfy.h."""

_SQLSTATES: tuple[tuple[str, FailureKind, str], ...] = (
    ("28", "denied", "Postgres refused the login"),
    ("42501", "denied", "Postgres refused the permission"),
    ("53", "refused", "Postgres has no resources left"),
    ("3D", "refused", "Postgres has no such database"),
    ("57014", "timeout", "Postgres cancelled the statement"),
    ("57P03", "refused", "Postgres does not accept connections now"),
    ("57P", "reset", "Postgres closed the session"),
    ("08", "protocol", "connection broken"),
    ("58", "protocol", "Postgres met a system error"),
    ("XX", "protocol", "Postgres met an internal error"),
)
"""Prefixes of SQLSTATE (PostgreSQL documentation, appendix A), the more specific first."""

_CLASSES: Mapping[str, tuple[FailureKind, str]] = {
    "AuthenticationError": ("denied", "the login was refused"),
    "AuthenticationWrongNumberOfArgsError": ("denied", "the login was refused"),
    "AuthorizationError": ("denied", "permission missing"),
    "NoPermissionError": ("denied", "permission missing"),
    "BusyLoadingError": ("refused", "the server is still loading its data"),
    "MaxConnectionsError": ("local_limit", "our connection pool is exhausted"),
    "PoolTimeout": ("local_limit", "our connection pool is exhausted"),
    "RemoteProtocolError": ("protocol", "the answer breaks the protocol"),
    "InvalidResponse": ("protocol", "the answer breaks the protocol"),
    "DecodingError": ("protocol", "the answer cannot be decoded"),
}
"""Class names of drivers that need not be installed, let alone imported, here."""

_WRAPPERS: Mapping[str, tuple[FailureKind, str]] = {
    "TimeoutException": ("timeout", "no answer in time"),
    "TimeoutError": ("timeout", "no answer in time"),
    "ConnectError": ("refused", "connection failed"),
    "ReadError": ("reset", "connection closed while in use"),
    "WriteError": ("reset", "connection closed while in use"),
    "BrokenResourceError": ("reset", "connection closed while in use"),
    "EndOfStream": ("reset", "connection closed in the middle of an answer"),
    "ConnectionError": ("reset", "connection closed while in use"),
}
"""Class names that say little: believed only where nothing deeper in the chain is known."""

_MISTAKES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    NameError,
    RuntimeError,
    StopAsyncIteration,
    StopIteration,
    TypeError,
    ValueError,
)


def classify(error: BaseException) -> Failure:
    """Say what `error` means and whose fault it is, without repeating text that may be secret.

    Walks `__cause__`, `__context__` and exception groups from the outside in. A programming
    error is ours (`probe_bug`) whatever it was raised in the middle of; a ProbeError raised,
    caused or grouped on purpose is taken at its word. Of a group, what is ours outranks what
    would blame the target. Meant for what a probe raised, not for cancellation.
    """
    return _explicit(error) or _known(error) or _bug(error)


def _explicit(error: BaseException | None) -> Failure | None:
    """Find a ProbeError that was raised as such, not one whose handler then broke."""
    for link in _links(error, implicit=False):
        if isinstance(link, ProbeError):
            return link.failure
        if isinstance(link, BaseExceptionGroup):
            found = [failure for e in link.exceptions if (failure := _explicit(e))]
            return _gravest(found)
    return None


def _known(error: BaseException) -> Failure | None:
    vague: Failure | None = None
    for link in _links(error, implicit=True):
        if isinstance(link, BaseExceptionGroup):
            return _gravest([classify(e) for e in _telling(link.exceptions)])
        if known := _recognise(link):
            return known
        if isinstance(link, _MISTAKES):
            return _bug(link)
        vague = vague or _by_class(link, _WRAPPERS)
    return vague


def _links(error: BaseException | None, *, implicit: bool) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__context__ if implicit and error.__cause__ is None else error.__cause__


def _telling(errors: Sequence[BaseException]) -> Sequence[BaseException]:
    """Leave out what only says that this machine lacks one of the host's address families."""
    told = [e for e in errors if not (isinstance(e, OSError) and e.errno in _NO_SUCH_FAMILY)]
    return told or errors


def _gravest(failures: Sequence[Failure]) -> Failure | None:
    ours = (failure for failure in failures if not failure.blames_target)
    return next(ours, failures[0] if failures else None)


def _recognise(error: BaseException) -> Failure | None:
    """Classify one exception by itself; None if its causes must be asked."""
    if isinstance(error, ProbeError):
        return error.failure
    if isinstance(error, ssl.SSLError):
        return Failure(kind="tls", detail=_tls_fault(error))
    if isinstance(error, socket.gaierror):
        return Failure(kind="dns", detail=_dns_fault(error))
    if isinstance(error, ImportError):
        return Failure(kind="not_installed", detail=f"module {error.name or '?'} is not installed")
    if isinstance(sqlstate := getattr(error, "sqlstate", None), str):
        return _by_sqlstate(error, sqlstate)
    if isinstance(error, OSError) and (failure := _by_errno(error)):
        return failure
    for known, kind, detail in _EXCEPTIONS:
        if isinstance(error, known):
            return Failure(kind=kind, detail=detail)
    return _by_class(error, _CLASSES)


def _tls_fault(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        known = _CERTIFICATE_FAULTS.get(error.verify_code)
        return known or f"certificate is not trusted (OpenSSL code {error.verify_code})"
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "connection closed during TLS"
    if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"):
        return "the port does not speak TLS"
    return f"TLS failed ({error.reason or type(error).__name__})"


def _dns_fault(error: socket.gaierror) -> str:
    if error.errno == socket.EAI_NONAME:
        return "host name does not resolve"
    if error.errno == socket.EAI_AGAIN:
        return "the name server gave no answer"
    return f"host name could not be resolved (code {error.errno})"


def _by_sqlstate(error: BaseException, sqlstate: str) -> Failure | None:
    for prefix, kind, detail in _SQLSTATES:
        if sqlstate.startswith(prefix):
            named = f"{detail} (SQLSTATE {sqlstate}, {type(error).__name__})"
            return Failure(kind=kind, detail=named)
    return None


def _by_errno(error: OSError) -> Failure | None:
    if error.errno is None:
        # asyncio gives up on a host with several addresses by joining their messages into one
        found = [int(n) for n in re.findall(r"\[Errno (\d+)\]", str(error))]
        numbers = [n for n in found if n not in _NO_SUCH_FAMILY] or found
    else:
        numbers = [error.errno]
    known = (_ERRNOS[number] for number in numbers if number in _ERRNOS)
    return _gravest([Failure(kind=kind, detail=detail) for kind, detail in known])


def _by_class(
    error: BaseException, meanings: Mapping[str, tuple[FailureKind, str]]
) -> Failure | None:
    for name in (cls.__name__ for cls in type(error).__mro__):
        if name in meanings:
            kind, detail = meanings[name]
            return Failure(kind=kind, detail=detail)
    return None


def _bug(error: BaseException) -> Failure:
    """Name the class and the place of the raise, never the message: it may hold a secret."""
    place, at = error.__traceback__, ""
    while place is not None:
        code = place.tb_frame.f_code
        at = f" at {'/'.join(PurePath(code.co_filename).parts[-2:])}:{place.tb_lineno}"
        place = place.tb_next
    return Failure(kind="probe_bug", detail=f"{type(error).__name__}{at}")
