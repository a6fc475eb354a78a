"""What a first login and later ones showed -> whether a session's cookies are as they should be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from readiness.escape import line
from readiness.measurement import Values
from readiness.probes import _session_cookie
from readiness.probes._cookies import Cookies
from readiness.probes._few import few
from readiness.probes._taken import Asked

_LONGEST_NAME = 60


@dataclass(frozen=True)
class Session:
    """What the first login showed; all of it may be secret."""

    needed: Mapping[str, str] | None = field(repr=False)
    """The session's cookies; None if nobody knows which they are."""
    cookies_set: Sequence[str] = field(repr=False)
    tls: bool
    cookies: Cookies
    planted: Mapping[str, str] = field(repr=False)
    """Those of its ids that an attacker can plant, with the values to plant."""


def certain(first: Session, kept: Sequence[str] | str | None, again: Asked) -> Values:
    """Judge without what one more login got alike, such as the cookie of a load balancer.

    `kept` is what `renewal` takes, `again` a request of that other login.
    """
    seen = (first.needed or {}, first.planted)
    alike = {name for values in seen for name in _session_cookie.kept(again, values)}
    needed = {name: value for name, value in (first.needed or {}).items() if name not in alike}
    because = f"each login gets the same {few(map(_shown, sorted(alike)))}"
    if not needed:
        return uncertain(because)
    if kept is None or isinstance(kept, str):
        return judged(first, needed) | renewal(kept)
    renewable = first.planted.keys() - alike
    return judged(first, needed) | renewal(
        [name for name in kept if name in renewable] if renewable else because
    )


def judged(first: Session, needed: Mapping[str, str]) -> Values:
    """Judge those cookies of the first login that are in `needed`."""
    return _session_cookie.judged(needed, first.cookies_set, tls=first.tls)


def renewal(kept: Sequence[str] | str | None) -> Values:
    """Judge by the planted cookies that were kept; a text says why they are not known."""
    if kept is None:
        return {}
    if isinstance(kept, str):
        return {"login_renews_because": kept}
    if not kept:
        return {"login_renews": True}
    because = f"login keeps the value of {few(map(_shown, kept))} that was brought along"
    return {"login_renews": False, "login_renews_because": because}


def uncertain(because: str) -> Values:
    """Return why nothing is known of the session's cookies."""
    return {f"{metric}_because": because for metric in (*_session_cookie.METRICS, "login_renews")}


def _shown(name: str) -> str:
    return line(name, _LONGEST_NAME)
