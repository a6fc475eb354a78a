"""What the headers of one answer keep browsers from doing, and what they tell an attacker."""

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from pydantic import Field

from readiness.escape import line
from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings, _content_policy, _page_tags, _set_cookie
from readiness.probes._answer import Answer
from readiness.probes._body_type import type_fault
from readiness.probes._few import few
from readiness.probes._http import Target, exchange, public_path, target
from readiness.probes._set_cookie import SetCookie

TIER: Tier = "observe"
KINDS = frozenset({"http", "web"})
EXCLUSIVE = False
BEARS_COMPANY = True
"""Whether many may run at once: it times nothing."""
METRICS: Mapping[str, str] = {
    "status": "HTTP status of the answer that was looked at",
    "page": "true or false: the answer is judged as a web page, else as one of an API",
    "has_body": "true or false: the answer has a body",
    "nosniff": "true or false: X-Content-Type-Options is nosniff",
    "content_type_right": "true or false: Content-Type fits the body and tells its charset",
    "scripts_restricted": "true or false: Content-Security-Policy lets no injected script run",
    "frames_restricted": "true or false: frame-ancestors or X-Frame-Options say who may frame it",
    "referrer_kept": "true or false: Referrer-Policy, sent or not, tells other sites no path",
    "foreign_scripts": "true or false: the page loads scripts from other sites",
    "foreign_scripts_pinned": "true or false: each of them has an integrity hash",
    "hsts_heeded": "true or false: browsers heed HSTS here: https, and the host is a name",
    "hsts": "true or false: Strict-Transport-Security holds for half a year or more",
    "sets_cookies": "true or false: the answer sets cookies",
    "sets_session_cookies": "true or false: one of them is named like a session or credential",
    "cookies_secure": "true or false: every cookie has Secure (https only)",
    "cookies_kept": "true or false: no cookie breaks a rule for which browsers reject it",
    "session_cookies_http_only": "true or false: every session cookie has HttpOnly",
    "session_cookies_same_site": "true or false: every session cookie has SameSite",
    "version_hidden": "true or false: no header tells the version of the server's software",
}
HALF_A_YEAR = 15_768_000
"""Seconds that MDN HTTP Observatory asks of HSTS."""

_OF_CONTENT = (
    *("page", "has_body", "nosniff", "content_type_right", "scripts_restricted"),
    *("frames_restricted", "referrer_kept", "foreign_scripts", "foreign_scripts_pinned"),
)
_OF_COOKIES = (
    *("sets_cookies", "sets_session_cookies", "cookies_secure", "cookies_kept"),
    *("session_cookies_http_only", "session_cookies_same_site"),
)
_BANNERS = (
    *("server", "x-powered-by", "x-aspnet-version", "x-aspnetmvc-version", "x-generator"),
    *("x-powered-cms", "x-php-version", "x-jenkins"),
)
_VERSION = re.compile(r"(?:^|[/(]|\bv)\d|\d\.\d")
_SAFE_REFERRER = (
    *("no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"),
)
_UNSAFE_REFERRER = (
    *("origin", "origin-when-cross-origin", "unsafe-url", "no-referrer-when-downgrade"),
)
_SHOWN, _SHOWN_COOKIES, _WORTH_HIDING = 120, 5, 8
_SPELT = {"server": "Server", "x-aspnet-version": "X-AspNet-Version"}


class Settings(ProbeSettings):
    """Which answer is looked at, and as what."""

    path: str | None = Field(
        None, pattern=r"^/\S*$", description="path to ask, the service's health path if absent"
    )
    profile: Literal["page", "api"] | None = Field(
        None, description="judge as a web page or as an API, by the body if absent"
    )


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Ask once; an answer that is an error or a redirect tells only what it can."""
    path = settings.path or service.health_path
    to = target(service, path)
    answer = await exchange(context, to)
    where = line(f"GET {public_path(path)} answered {answer.outcome}")
    sound = answer.status < 500 and answer.status != 429
    values: Values = {"status": answer.status, "hsts_heeded": to.tls and not _is_ip(to.host)}
    values |= _content(answer, to, settings) if answer.ok else _unseen(_OF_CONTENT, where)
    values |= _hsts(answer, to) if sound and answer.status < 400 else _unseen(("hsts",), where)
    if not sound:
        return values | _unseen((*_OF_COOKIES, "version_hidden"), where)
    return values | _cookies(answer, to, context) | _version(answer)


def _unseen(metrics: Iterable[str], where: str) -> Values:
    because = f"{where}, which does not tell: set `path` to one that answers 2xx"
    return {f"{metric}_because": because for metric in metrics}


def _content(answer: Answer, to: Target, settings: Settings) -> Values:
    page = answer.html if settings.profile is None else settings.profile == "page"
    readable = page and not answer.packed
    tags, all_read = _page_tags.read(answer.text) if readable else ((), True)
    return {
        "page": page,
        "has_body": bool(answer.body),
        **_verdict("nosniff", _sniffed(answer)),
        **_content_type(answer),
        **_scripts(answer, tags),
        **_verdict("frames_restricted", _framed(answer)),
        **_verdict("referrer_kept", _told(answer, tags)),
        **_foreign_scripts(answer, to, tags, all_read=all_read),
    }


def _verdict(metric: str, fault: str) -> Values:
    return {metric: False, f"{metric}_because": fault} if fault else {metric: True}


def _sent(answer: Answer, name: str) -> str:
    """Return the header as it was sent, for a sentence; queries may be secret, nonces are noise."""
    value = answer.headers.get(name.lower())
    if value is None:
        return f"{name} is not sent"
    return line(f"{name}: {_public(value)}", _SHOWN)


def _public(value: str) -> str:
    return re.sub(r"\?[^\s;,'\"]*", "", re.sub(r"'nonce-[^']*'", "'nonce-…'", value))


def _sniffed(answer: Answer) -> str:
    """After the Fetch standard, the first of several values counts."""
    first = answer.headers.get("x-content-type-options", "").partition(",")[0]
    good = first.strip().lower() == "nosniff"
    return "" if good else _sent(answer, "X-Content-Type-Options")


def _content_type(answer: Answer) -> Values:
    metric = "content_type_right"
    if answer.packed:
        return {f"{metric}_because": "the body is compressed, although it was asked for as it is"}
    fault = type_fault(answer)
    return _verdict(metric, f"{_sent(answer, 'Content-Type')}, {fault}" if fault else "")


def _scripts(answer: Answer, tags: tuple[_page_tags.Tag, ...]) -> Values:
    metric, name = "scripts_restricted", "Content-Security-Policy"
    sent = [answer.headers[name.lower()]] if name.lower() in answer.headers else []
    policies = _content_policy.read([*sent, *_page_tags.declared(tags, name.lower())])
    ways = _content_policy.scripts_left_open(policies)
    if ways and answer.html and answer.packed:
        because = "the page is compressed: a policy in a meta tag of it cannot be read"
        return {f"{metric}_because": because}
    if not policies:
        only = f"{name}-Report-Only"
        reported = only.lower() in answer.headers
        return _verdict(metric, f"{name} is not sent" + (f", {only} alone" if reported else ""))
    said = "; ".join(filter(None, map(_content_policy.script_directive, policies)))
    shown = line(_public(said), _SHOWN) or "it has neither script-src nor default-src"
    return _verdict(metric, f"{name} allows {', '.join(ways)}: {shown}" if ways else "")


def _framed(answer: Answer) -> str:
    policies = _content_policy.read([answer.headers.get("content-security-policy", "")])
    restricted = _content_policy.frames_restricted(policies)
    if restricted is not None:  # browsers then ignore X-Frame-Options
        return "" if restricted else "frame-ancestors of Content-Security-Policy allows any host"
    said = {v.strip().lower() for v in answer.headers.get("x-frame-options", "").split(",")}
    if said & {"deny", "sameorigin"}:
        return ""
    return f"{_sent(answer, 'X-Frame-Options')}, and no frame-ancestors"


def _told(answer: Answer, tags: tuple[_page_tags.Tag, ...]) -> str:
    """Not sent is safe: browsers then take strict-origin-when-cross-origin; the last one counts."""
    metas = [
        tag.attributes.get("content", "")
        for tag in tags
        if tag.name == "meta" and tag.attributes.get("name", "").lower() == "referrer"
    ]
    said = [answer.headers.get("referrer-policy", ""), *metas]
    words = [word.strip().lower() for text in said for word in text.split(",") if word.strip()]
    known = [word for word in words if word in (*_SAFE_REFERRER, *_UNSAFE_REFERRER)]
    if not words or (known and known[-1] in _SAFE_REFERRER):
        return ""
    return _sent(answer, "Referrer-Policy") if not metas else line(f"meta referrer: {words[-1]}")


def _foreign_scripts(
    answer: Answer, to: Target, tags: tuple[_page_tags.Tag, ...], *, all_read: bool
) -> Values:
    if answer.html and answer.packed:
        because = "the page is compressed, although it was asked for as it is"
        return {"foreign_scripts_because": because, "foreign_scripts_pinned_because": because}
    url = f"{'https' if to.tls else 'http'}://{to.authority}{public_path(to.path)}"
    pinned = _page_tags.foreign_scripts(tags, url)
    if not pinned and answer.html and not (answer.complete and all_read):
        much = "has too many tags to look at" if answer.complete else "is longer than 1 MiB"
        because = f"the page {much}, and none is in what was read of it"
        return {"foreign_scripts_because": because, "foreign_scripts_pinned_because": because}
    loose = sorted(line(host, 80) for host, pin in pinned.items() if not pin)
    fault = f"scripts without integrity from {_listed(loose)}" if loose else ""
    return {"foreign_scripts": bool(pinned), **_verdict("foreign_scripts_pinned", fault)}


def _hsts(answer: Answer, to: Target) -> Values:
    if not to.tls:
        return {"hsts_because": "the service is reached over http, where browsers ignore it"}
    name = "Strict-Transport-Security"
    first = answer.headers.get(name.lower(), "").partition(",")[0]  # RFC 6797, section 8.1
    pairs = [d.partition("=") for d in first.split(";") if d.strip()]
    ages = [value.strip().strip('"') for key, _, value in pairs if key.strip().lower() == "max-age"]
    age = ages[0] if len(ages) == 1 and re.fullmatch(r"\d{1,20}", ages[0]) else None
    if age is None:
        return _verdict("hsts", _sent(answer, name))
    short = int(age) < HALF_A_YEAR
    return _verdict("hsts", f"{_sent(answer, name)}, which is less than half a year" * short)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _cookies(answer: Answer, to: Target, context: Context) -> Values:
    cookies = [c for c in map(_set_cookie.read, answer.cookies) if not c.deletes]
    session = [cookie for cookie in cookies if cookie.session]
    for cookie in session:
        if len(cookie.value) >= _WORTH_HIDING:
            context.conceal(cookie.value)
    insecure = [c.shown for c in cookies if not c.secure]
    over_http = {"cookies_secure_because": "the service is reached over http"}
    return {
        "sets_cookies": bool(cookies),
        "sets_session_cookies": bool(session),
        **(_flagged("cookies_secure", "without Secure", insecure) if to.tls else over_http),
        **_verdict("cookies_kept", _listed([_broken(c) for c in cookies if c.rejected])),
        **_flagged(
            "session_cookies_http_only",
            "without HttpOnly",
            [c.shown for c in session if not c.http_only],
        ),
        **_flagged(
            "session_cookies_same_site",
            "without a valid SameSite",
            [c.shown for c in session if not c.same_site],
        ),
    }


def _flagged(metric: str, lack: str, names: Sequence[str]) -> Values:
    return _verdict(metric, f"set {lack}: {_listed(names)}" if names else "")


def _broken(cookie: SetCookie) -> str:
    return f"{cookie.shown}: {cookie.rejected}"


def _listed(texts: Sequence[str]) -> str:
    return few(texts, _SHOWN_COOKIES, between=", ")


def _version(answer: Answer) -> Values:
    told = [
        _sent(answer, _SPELT.get(name, name.title()))
        for name in _BANNERS
        if _VERSION.search(answer.headers.get(name, ""))
    ]
    return _verdict("version_hidden", _listed(told))
