"""Answers' Set-Cookie fields -> the Cookie field of later requests, as a browser would send it."""

import ipaddress
from collections.abc import Sequence
from email.message import Message
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.request import Request

from readiness.probes._answer import Answer
from readiness.probes._http import Target


class Cookies:
    """The cookies of one user agent."""

    def __init__(self) -> None:
        self._jar: CookieJar | None = None

    def keep(self, to: Target, answer: Answer) -> dict[str, str]:
        """Take the answer's cookies in; return name -> value of those it set."""
        return self.take(to, answer.cookies)

    def take(self, to: Target, set_cookies: Sequence[str]) -> dict[str, str]:
        """Do the same for the values of Set-Cookie fields."""
        if not set_cookies:
            return {}
        if self._jar is None:
            self._jar = CookieJar(DefaultCookiePolicy(secure_protocols=_secure(to.host)))
        before = {id(cookie) for cookie in self._jar}
        self._jar.extract_cookies(_Fields(set_cookies), _request(to))  # type: ignore[arg-type]
        return {c.name: c.value or "" for c in self._jar if id(c) not in before}

    def header(self, to: Target) -> dict[str, str]:
        """Return the Cookie field for a request, nothing if there is none."""
        if self._jar is None:
            return {}
        request = _request(to)
        self._jar.add_cookie_header(request)
        value = request.get_header("Cookie")
        return {"cookie": value} if value else {}


class _Fields:
    """What a jar asks of a response."""

    def __init__(self, set_cookies: Sequence[str]) -> None:
        self._message = Message()
        for cookie in set_cookies:
            self._message["Set-Cookie"] = cookie

    def info(self) -> Message:
        return self._message


def _request(to: Target) -> Request:
    return Request(f"{'https' if to.tls else 'http'}://{to.authority}{to.path}")


def _secure(host: str) -> tuple[str, ...]:
    """Return the schemes that secure cookies are sent over; to itself a machine may use http."""
    try:
        here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = host == "localhost" or host.endswith(".localhost")
    return ("https", "http") if here else ("https",)
