"""One request and one address -> the bytes that every connection sends, formatted once."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})


@dataclass(frozen=True)
class Endpoint:
    """Where connections go: one numeric address, so that no name is resolved under load."""

    family: int
    host: str
    port: int
    tls: ssl.SSLContext | None = None
    server_name: str | None = None
    """The name that the certificate must carry (with `tls`)."""


@dataclass(frozen=True)
class Request:
    """One request as it goes over the wire. `head` says that its answer has no body."""

    raw: bytes = field(repr=False)
    head: bool = False
    repeatable: bool = True
    """Whether sending it twice does no more than sending it once (RFC 9110, section 9.2.2)."""


def preformat(
    method: str, target: str, headers: Mapping[str, str], body: bytes | None = None
) -> Request:
    """Return the request for `target` (path and query, escaped).

    ValueError if a part holds a line break or a character outside of Latin-1: no header may
    smuggle in a second request.
    """
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {headers[name]}" for name in headers)]
    if body is not None:
        lines.append(f"content-length: {len(body)}")
    if any(mark in line for line in lines for mark in "\r\n\0"):
        raise ValueError("a request line or header holds a line break")
    try:
        raw = "\r\n".join([*lines, "", ""]).encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError("a request line or header is not Latin-1") from None
    return Request(raw + (body or b""), head=method == "HEAD", repeatable=method in _REPEATABLE)
