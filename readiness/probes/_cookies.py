"""Answers' Set-Cookie fields -> the Cookie field of later requests, as a browser would send it.

What is kept and where it goes is RFC 6265bis, sections 5.5 to 5.8, without a list of public
suffixes.
"""

import ipaddress
import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from readiness.probes import _set_cookie
from readiness.probes._answer import Answer
from readiness.probes._http import Target

MOST = 180
"""Cookies that are kept, as many as Chrome keeps of one site."""
_LONGEST = 4096
_SENDABLE = re.compile(r"[\x20-\x7e]*")
_Key = tuple[str, str, str]
"""(name, domain, path)"""


@dataclass(frozen=True)
class _Cookie:
    domain: str
    below: bool
    """Whether hosts below the domain get it too."""
    path: str
    secure: bool
    ends: float
    pair: str = field(repr=False)

    def goes_to(self, to: Target) -> bool:
        """Whether a request there carries it now."""
        host, path = to.host.lower(), to.path.partition("?")[0]
        at_home = host == self.domain or (self.below and _is_below(host, self.domain))
        inside = path == self.path or path.startswith(self.path.rstrip("/") + "/")
        return at_home and inside and time.time() < self.ends and (not self.secure or _safe(to))


class Cookies:
    """The cookies of one user agent."""

    def __init__(self) -> None:
        self._kept: dict[_Key, _Cookie] = {}

    def keep(self, to: Target, answer: Answer) -> dict[str, str]:
        """Take the answer's cookies in; return name -> value of those that are set by it."""
        return self.take(to, answer.cookies)

    def take(self, to: Target, set_cookies: Sequence[str]) -> dict[str, str]:
        """Do the same for the values of Set-Cookie fields, from whomever they are."""
        set_now: dict[str, str] = {}
        for header in set_cookies[:MOST]:
            said = _set_cookie.read(header)
            cookie = _cookie(to, header, said)
            if cookie is None:
                continue
            key = (said.name, cookie.domain, cookie.path)
            if cookie.ends <= time.time():
                self._kept.pop(key, None)
                set_now.pop(said.name, None)
            elif key in self._kept or len(self._kept) < MOST:
                self._kept[key] = cookie
                set_now[said.name] = said.value
        return set_now

    def header(self, to: Target) -> dict[str, str]:
        """Return the Cookie field for a request, nothing if there is none."""
        mine = [cookie for cookie in self._kept.values() if cookie.goes_to(to)]
        mine.sort(key=lambda cookie: -len(cookie.path))
        return {"cookie": "; ".join(cookie.pair for cookie in mine)} if mine else {}


def _cookie(to: Target, header: str, said: _set_cookie.SetCookie) -> _Cookie | None:
    """Return what a browser keeps of one Set-Cookie; None if it keeps nothing."""
    pair = header.partition(";")[0].strip()
    host, secure = to.host.lower(), "secure" in said.attributes
    domain = said.attributes.get("domain", "").lower().removeprefix(".")
    fits = not domain or host == domain or ("." in domain and _is_below(host, domain))
    plain = bool(_SENDABLE.fullmatch(pair)) and 0 < len(pair) <= _LONGEST
    if said.rejected or not fits or not plain or (secure and not _safe(to)):
        return None
    return _Cookie(
        domain=domain or host,
        below=bool(domain),
        path=_path(to, said.attributes.get("path", "")),
        secure=secure,
        ends=_ends(said),
        pair=pair,
    )


def _path(to: Target, said: str) -> str:
    """Return the path below which it is sent: by default the folder of what was asked."""
    asked = to.path.partition("?")[0]
    return said if said.startswith("/") else asked.rpartition("/")[0] or "/"


def _ends(said: _set_cookie.SetCookie) -> float:
    """Return the moment (of time.time) from which it is sent no more."""
    from http.cookiejar import http2time  # type: ignore[attr-defined]

    age = said.attributes.get("max-age", "")
    if re.fullmatch(r"-?[0-9]{1,10}", age):
        return time.time() + int(age) if int(age) > 0 else 0.0
    at = http2time(said.attributes.get("expires", "")[:64])
    return math.inf if at is None else float(at)


def _is_below(host: str, domain: str) -> bool:
    return host.endswith("." + domain) and not _address(host)


def _address(host: str) -> "ipaddress.IPv4Address | ipaddress.IPv6Address | None":
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _safe(to: Target) -> bool:
    """Whether secure cookies may be sent there: by TLS, and from a machine to itself."""
    found = _address(to.host)
    here = found.is_loopback if found else to.host == "localhost" or _is_below(to.host, "localhost")
    return to.tls or here
