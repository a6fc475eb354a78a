"""One HTTP response as it was read: what it says, how big it is, how long each step took."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from readiness.measurement import Values

BODY_LIMIT = 1 << 20
"""Bytes of one answer, as they come off the wire, after which reading stops."""

_CHARSETS = r"utf-?(8|16|16le|16be)|(us-)?ascii|iso-8859-\d{1,2}|windows-125\d|koi8-[ru]"

COLD_METRICS: Mapping[str, str] = {
    "resolve_ms": "ms: name resolution of one cold exchange",
    "connect_ms": "ms: TCP connect of one cold exchange",
    "tls_ms": "ms: TLS handshake of one cold exchange (https only)",
    "first_byte_ms": "ms: request sent to first byte of the answer, of one cold exchange",
    "transfer_ms": "ms: first to last byte of the answer, of one cold exchange",
    "response_bytes": "bytes: size of the body, read up to 1 MiB",
    "certificate_days": "days: until the TLS certificate expires (https only)",
}
"""What `Answer.cold` measures."""


@dataclass(frozen=True)
class Answer:
    """One final HTTP response, its body cut off after BODY_LIMIT bytes (then not `complete`)."""

    status: int
    protocol: str
    headers: Mapping[str, str]
    """Names in lower case, repeated ones joined by a comma."""
    body: bytes
    complete: bool
    ms: Mapping[str, float]
    certificate_days: int | None
    untimed: Mapping[str, str] = field(default_factory=dict)
    """Step -> why its time is not known."""
    cookies: tuple[str, ...] = ()
    """Each Set-Cookie by itself, as it was sent: its value is a secret."""

    @property
    def ok(self) -> bool:
        """Whether the status is a success."""
        return 200 <= self.status < 300

    @property
    def media_type(self) -> str:
        """The media type in lower case without parameters, empty if there is none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()[:100]

    @property
    def text(self) -> str:
        """The body decoded by its declared charset where that is a common one, else as UTF-8."""
        found = re.search(
            rf"charset=\"?({_CHARSETS})\b", self.headers.get("content-type", ""), re.IGNORECASE
        )
        return self.body.decode(found[1] if found else "utf-8", errors="replace")

    @property
    def html(self) -> bool:
        """Whether the body is a web page."""
        start = self.body[:512].lstrip().lower()
        declared = self.media_type in ("text/html", "application/xhtml+xml")
        return declared or start.startswith((b"<!doctype html", b"<html"))

    @property
    def packed(self) -> bool:
        """Whether the body is encoded, which was not asked for."""
        return self.headers.get("content-encoding", "identity").strip().lower() != "identity"

    @property
    def redirect(self) -> str | None:
        """Where a 3xx points to, without user, query and fragment, which may be secret."""
        if not 300 <= self.status < 400 or not (location := self.headers.get("location")):
            return None
        match = re.match(r"([a-zA-Z][\w+.-]*:)?(//)?([^/?#]*@)?([^?#]*)", location)
        shown = "".join(match.group(1, 2, 4)[i] or "" for i in range(3)) if match else ""
        return shown[:200] or "/"

    @property
    def outcome(self) -> str:
        """What it answered, for a sentence: `503`, or `302, a redirect to /login`."""
        return (
            f"{self.status}, a redirect to {self.redirect}" if self.redirect else f"{self.status}"
        )

    @property
    def cold(self) -> Values:
        """The values that COLD_METRICS describes."""
        values: Values = {f"{step}_ms": ms for step, ms in self.ms.items()}
        values |= {f"{step}_ms_because": because for step, because in self.untimed.items()}
        values["response_bytes"] = len(self.body)
        if not self.complete:
            values["response_bytes_because"] = "reading stopped at 1 MiB, the body is longer"
        if self.certificate_days is not None:
            values["certificate_days"] = self.certificate_days
        return values
