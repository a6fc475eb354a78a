"""The cookies that a session hangs on -> how well they are kept, and whether login renews them."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from readiness.measurement import Values
from readiness.probes._cookies import Cookies
from readiness.probes._few import few
from readiness.probes._session_door import Door, cookies_of, with_cookies
from readiness.probes._set_cookie import SetCookie, is_no_session, read
from readiness.probes._taken import Asked

METRICS: Mapping[str, str] = {
    "cookie_session": "true or false: the session hangs on a cookie",
    "cookie_flagged": "true or false: its cookies are HttpOnly, SameSite and, with https, Secure",
    "cookie_short_lived": "true or false: no cookie of it is kept for more than 30 days",
    "session_id_cookie": "true or false: a cookie of it is an id, no token that is signed",
}
LONGEST_DAYS = 30
_MOST = 8
_SIGNED = re.compile(r"\.?e[yJ][\w-]{8,}\..+")
"""A JSON Web Token, or a signed cookie of Flask: what is in it cannot be planted."""


async def session_cookies(door: Door) -> dict[str, str] | None:
    """Return those cookies without which the session is not seen, name -> value.

    Of several that can stand in for each other, those are returned that show it alone. None if
    nobody knows which of the cookies it hangs on.
    """
    cookies = cookies_of(door.asked)
    if not cookies:
        return {}
    seen = await door.knock(with_cookies(door.asked, {}))
    if seen.state != "refused":
        return {} if seen.state == "alive" else None
    named = [name for name in cookies if not is_no_session(name)][:_MOST]
    needed, enough = dict[str, str](), dict[str, str]()
    for name in named:
        others = {key: value for key, value in cookies.items() if key != name}
        if (await door.knock(with_cookies(door.asked, others))).state == "refused":
            needed[name] = cookies[name]
    for name in () if needed else named:
        alone = {name: cookies[name]}
        if (await door.knock(with_cookies(door.asked, alone))).state == "alive":
            enough |= alone
    return needed or enough or None


def named_so(needed: Mapping[str, str]) -> dict[str, str]:
    """Return the cookies whose names say that they are of a session."""
    return {n: value for n, value in needed.items() if SetCookie(n, value, {}).session}


def judged(needed: Mapping[str, str], set_cookies: Iterable[str], *, tls: bool) -> Values:
    """Judge by how the cookies in `needed` were set the last time."""
    if not needed:
        return {"cookie_session": False, "session_id_cookie": False}
    last = {cookie.name: cookie for cookie in map(read, set_cookies) if not cookie.deletes}
    cookies = [last[name] for name in needed if name in last]
    values: Values = {"cookie_session": True, "session_id_cookie": bool(ids(needed))}
    if not cookies:
        because = "the session's cookie was not set on the way"
        return values | {f"cookie_{what}_because": because for what in ("flagged", "short_lived")}
    lacking = [what for cookie in cookies if (what := _lacking(cookie, tls))]
    days = {cookie.shown: _days(cookie) for cookie in cookies}
    lasting = [f"{name} is kept for {n:.0f} days" for name, n in days.items() if n > LONGEST_DAYS]
    for metric, told in (("cookie_flagged", lacking), ("cookie_short_lived", lasting)):
        values[metric] = not told
        values |= {f"{metric}_because": few(told)} if told else {}
    return values


def ids(needed: Mapping[str, str]) -> dict[str, str]:
    """Return the cookies that are ids kept by the server."""
    return {name: value for name, value in needed.items() if not _SIGNED.fullmatch(value)}


def planted(
    door: Door, old: Mapping[str, str], given: Iterable[str]
) -> tuple[Cookies, dict[str, str]]:
    """Return cookies as an attacker may plant them, and the values by name of those that fit.

    An id that the service gave a stranger, as in one of the Set-Cookie fields `given`, is the
    likeliest: it is known there. Failing that, one of an old session.
    """
    known = {cookie.name: cookie.value for cookie in map(read, (*door.stranger.cookies, *given))}
    values = {name: known.get(name) or value for name, value in old.items()}
    cookies, to = Cookies(), door.asked.to
    attributes = "Path=/; Secure" if to.tls else "Path=/"  # without Secure no prefix is taken
    return cookies, cookies.take(to, [f"{n}={value}; {attributes}" for n, value in values.items()])


def kept(asked: Asked, values: Mapping[str, str]) -> list[str]:
    """Return the names of the cookies in `values` that a later request still shows unchanged."""
    now = cookies_of(asked)
    return [name for name, value in values.items() if now.get(name) == value]


def _lacking(cookie: SetCookie, tls: bool) -> str:
    lacks = [] if cookie.http_only else ["HttpOnly"]
    lacks += [] if cookie.same_site else ["SameSite"]
    lacks += ["Secure"] if tls and not cookie.secure else []
    return f"{cookie.shown} lacks {', '.join(lacks)}" if lacks else ""


def _days(cookie: SetCookie) -> float:
    """Return for how long browsers keep a cookie; Max-Age goes before Expires (RFC 6265)."""
    age = cookie.attributes.get("max-age", "")
    if re.fullmatch(r"\d{1,12}", age):
        return int(age) / 86400
    try:
        end = parsedate_to_datetime(cookie.attributes.get("expires", ""))
    except (ValueError, OverflowError):
        return 0.0
    return (end.replace(tzinfo=end.tzinfo or UTC) - datetime.now(UTC)).total_seconds() / 86400
