"""http_headers against answers with every header right, each one wrong, and hostile ones."""

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from readiness.failure import ProbeError, classify
from readiness.inventory import Service
from readiness.measurement import Values
from readiness.probes import Context, _content_policy, _page_tags
from readiness.probes.http_headers import METRICS, Settings, measure
from tests import servers
from tests.certificates import Authority

pytestmark = pytest.mark.anyio

SECRET = "session-value-canary"
GOOD = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "Server": "nginx",
}
PAGE = '<!doctype html><meta charset="utf-8"><title>Shop</title><script src="/app.js"></script>'
CDN = "https://cdn.example.net/lib.js?key=hidden-query"
HASH = "sha384-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8K"


async def probe(
    server: servers.Handler,
    context: Context,
    *,
    authority: Authority | None = None,
    host: str = "127.0.0.1",
    **settings: Any,
) -> Values:
    tls = authority.server(host) if authority else None
    if authority:
        context = dataclasses.replace(context, tls=authority.client)
    async with servers.serving(server, tls=tls) as port:
        url = f"{'https' if tls else 'http'}://{host}:{port}"
        service = Service.model_validate({"name": "it", "kind": "http", "url": url})
        values = await measure(service, Settings.model_validate(settings), context)
    assert {name.removesuffix("_because") for name in values} <= set(METRICS)
    assert SECRET not in str(values)
    assert "hidden-query" not in str(values)
    return values


def answering(
    body: str | bytes = PAGE,
    media_type: str = "text/html",
    status: int = 200,
    cookies: tuple[str, ...] = (),
    **changes: Any,
) -> servers.Web:
    """Answer with GOOD but for `changes`; None leaves a header out."""
    changed = {name.replace("_", "-").lower(): value for name, value in changes.items()}
    headers: dict[str, str] = {n: v for n, v in GOOD.items() if n.lower() not in changed}
    headers |= {name: value for name, value in changed.items() if value is not None}
    lines = "".join(f"Set-Cookie: {cookie}\r\n" for cookie in cookies).encode()
    raw = servers.response(status, body, media_type, headers)
    return servers.always(raw.replace(b"\r\n\r\n", b"\r\n" + lines + b"\r\n", 1))


def faults(values: Values) -> dict[str, str]:
    """Return what is false although it should be true, with its reason."""
    good = (
        *("nosniff", "content_type_right", "scripts_restricted", "frames_restricted", "hsts"),
        *("referrer_kept", "foreign_scripts_pinned", "cookies_secure", "cookies_kept"),
        *("session_cookies_http_only", "session_cookies_same_site", "version_hidden"),
    )
    return {m: str(values[f"{m}_because"]) for m in good if values.get(m) is False}


async def test_a_clean_page(context: Context, tmp_path: Path) -> None:
    web = answering(cookies=(f"sid={SECRET}; Path=/; Secure; HttpOnly; SameSite=Lax",))
    values = await probe(web, context, authority=Authority(tmp_path), host="localhost")
    assert values == {
        "status": 200,
        "page": True,
        "has_body": True,
        "nosniff": True,
        "content_type_right": True,
        "scripts_restricted": True,
        "frames_restricted": True,
        "referrer_kept": True,
        "foreign_scripts": False,
        "foreign_scripts_pinned": True,
        "hsts_heeded": True,
        "hsts": True,
        "sets_cookies": True,
        "sets_session_cookies": True,
        "cookies_secure": True,
        "cookies_kept": True,
        "session_cookies_http_only": True,
        "session_cookies_same_site": True,
        "version_hidden": True,
    }
    [request] = web.requests
    assert (request.method, request.target) == ("GET", "/health")


async def test_a_clean_api_over_http(context: Context) -> None:
    values = await probe(
        answering('{"status": "ok"}', "application/json", strict_transport_security=None), context
    )
    assert faults(values) == {}
    assert (values["page"], values["sets_cookies"], values["hsts_heeded"]) == (False, False, False)
    assert values["hsts_because"] == "the service is reached over http, where browsers ignore it"
    assert "hsts" not in values
    assert "cookies_secure" not in values


@pytest.mark.parametrize(
    ("changes", "metric", "because"),
    [
        (
            {"x_content_type_options": None},
            "nosniff",
            "X-Content-Type-Options is not sent",
        ),
        (
            {"x_content_type_options": "sniff, nosniff"},
            "nosniff",
            "X-Content-Type-Options: sniff, nosniff",
        ),
        (
            {"content_security_policy": "frame-ancestors 'none'"},
            "scripts_restricted",
            "Content-Security-Policy allows eval, inline scripts, scripts of any host: "
            "it has neither script-src nor default-src",
        ),
        (
            {
                "content_security_policy": "script-src 'self' 'unsafe-inline' "
                "https://a.example/x?k=hidden-query; frame-ancestors 'none'"
            },
            "scripts_restricted",
            "Content-Security-Policy allows inline scripts: "
            "script-src 'self' 'unsafe-inline' https://a.example/x",
        ),
        (
            {"content_security_policy": "default-src 'self' 'unsafe-eval'; frame-ancestors 'self'"},
            "scripts_restricted",
            "Content-Security-Policy allows eval: default-src 'self' 'unsafe-eval'",
        ),
        (
            {"content_security_policy": "default-src https: ; frame-ancestors 'self'"},
            "scripts_restricted",
            "Content-Security-Policy allows scripts of any host: default-src https:",
        ),
        (
            {"content_security_policy": "default-src 'self'; frame-ancestors https:"},
            "frames_restricted",
            "frame-ancestors of Content-Security-Policy allows any host",
        ),
        (
            {"content_security_policy": "default-src 'self'"},
            "frames_restricted",
            "X-Frame-Options is not sent, and no frame-ancestors",
        ),
        (
            {
                "content_security_policy": "default-src 'self'",
                "x_frame_options": "ALLOW-FROM https://a.example",
            },
            "frames_restricted",
            "X-Frame-Options: ALLOW-FROM https://a.example, and no frame-ancestors",
        ),
        ({"referrer_policy": "unsafe-url"}, "referrer_kept", "Referrer-Policy: unsafe-url"),
        ({"referrer_policy": "never"}, "referrer_kept", "Referrer-Policy: never"),
        ({"server": "nginx/1.18.0"}, "version_hidden", "Server: nginx/1.18.0"),
        ({"x_powered_by": "PHP/8"}, "version_hidden", "X-Powered-By: PHP/8"),
        ({"x_aspnet_version": "4.0.30319"}, "version_hidden", "X-AspNet-Version: 4.0.30319"),
    ],
)
async def test_each_header_that_is_wrong_is_named_alone(
    changes: dict[str, Any], metric: str, because: str, context: Context
) -> None:
    assert faults(await probe(answering(**changes), context)) == {metric: because}


@pytest.mark.parametrize(
    "changes",
    [
        {"content_security_policy": "default-src 'self'", "x_frame_options": "sameorigin"},
        {"content_security_policy": "script-src 'nonce-a1' 'unsafe-inline'; frame-ancestors x.y"},
        {
            "content_security_policy": "script-src 'nonce-a1' 'strict-dynamic' https: "
            "'unsafe-inline'; frame-ancestors 'self'"
        },
        {
            "content_security_policy": "default-src * 'unsafe-inline' 'unsafe-eval', "
            "SCRIPT-SRC 'self', frame-ancestors 'none'"
        },
        {
            "content_security_policy": "default-src 'self'; style-src 'unsafe-inline'; "
            "frame-ancestors 'none'"
        },
        {"content_security_policy": "sandbox; frame-ancestors 'none'"},
        {"referrer_policy": None},
        {"referrer_policy": "unsafe-url, strict-origin, of-the-future"},
        {"server": "cloudflare", "x_powered_by": "Express", "via": "1.1 varnish"},
        {"server": "uvicorn"},
        {"x_content_type_options": "NoSniff"},
    ],
)
async def test_what_is_as_safe_is_no_fault(changes: dict[str, Any], context: Context) -> None:
    assert faults(await probe(answering(**changes), context)) == {}


async def test_a_policy_and_a_referrer_policy_may_stand_in_the_page(context: Context) -> None:
    policy = "default-src 'self'; script-src 'self'; frame-ancestors 'none'"
    metas = (
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name=referrer content="origin">'
    )
    page = PAGE.replace("<title>", metas + "<title>")
    web = answering(page, content_security_policy=None, x_frame_options="DENY")
    assert faults(await probe(web, context)) == {"referrer_kept": "meta referrer: origin"}
    alone = answering(page.replace("name=referrer", "name=x"), content_security_policy=None)
    found = faults(await probe(alone, context))
    assert list(found) == ["frames_restricted"], "frame-ancestors is void in a meta tag"


async def test_a_missing_policy_is_told_from_one_that_only_reports(context: Context) -> None:
    reporting: dict[str, Any] = {"content_security_policy_report_only": "default-src 'self'"}
    web = answering(content_security_policy=None, x_frame_options="DENY", **reporting)
    assert faults(await probe(web, context)) == {
        "scripts_restricted": "Content-Security-Policy is not sent, "
        "Content-Security-Policy-Report-Only alone"
    }


@pytest.mark.parametrize(
    ("script", "foreign", "pinned"),
    [
        (f'<script src="{CDN}"></script>', True, False),
        (f'<script src="{CDN}"></script><script src="{CDN}" integrity="{HASH}">', True, False),
        (f"<SCRIPT async SRC='{CDN}'></SCRIPT>", True, False),
        (f'<script src="{CDN}" integrity="{HASH}" crossorigin></script>', True, True),
        (f'<script src="{CDN}" integrity="md5-x"></script>', True, False),
        ("<script src=//cdn.example.net/x.js></script>", True, False),
        ('<base href="https://cdn.example.net/"><script src="x.js"></script>', True, False),
        ("<script src=/x.js></script><script src=x.js></script>", False, True),
        (f"<!-- <script src='{CDN}'></script> -->", False, True),
        (f"<script>write('<script src={CDN}>')</script>", False, True),
        (f'<script type="application/json" src="{CDN}"></script>', False, True),
        ('<script src="data:text/javascript,1"></script>', False, True),
        ('<script src="http://[bad/x.js"></script>', False, True),
    ],
)
async def test_scripts_of_other_sites(
    script: str, foreign: bool, pinned: bool, context: Context
) -> None:
    values = await probe(answering(PAGE + script), context)
    assert (values["foreign_scripts"], values["foreign_scripts_pinned"]) == (foreign, pinned)
    if not pinned:
        because = "scripts without integrity from cdn.example.net"
        assert faults(values) == {"foreign_scripts_pinned": because}


@pytest.mark.parametrize(
    ("body", "media_type", "because"),
    [
        ('{"a": 1}', "text/html; charset=utf-8", "but the body is JSON"),
        ('{"a": 1}', "", "which leaves browsers to guess the type"),
        (PAGE, "application/json", "but the body is HTML"),
        ("<!doctype html><title>x</title>", "text/html", "and neither it nor the page names a"),
        ("Grüße".encode(), "text/plain", "which names no charset for text that is not ASCII"),
        ("Grüße".encode("latin-1"), "text/plain; charset=utf-8", "the body is not in that charset"),
    ],
)
async def test_a_content_type_that_does_not_fit(
    body: str | bytes, media_type: str, because: str, context: Context
) -> None:
    values = await probe(answering(body, media_type), context)
    assert values["content_type_right"] is False
    assert because in str(values["content_type_right_because"])


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        ('{"a": 1}', "application/json"),
        ('{"a": 1}', "application/health+json; charset=utf-8"),
        ("ok", "text/plain"),
        ("true", "text/plain"),
        ("{not json", "text/plain"),
        ("Grüße".encode("latin-1"), "text/plain; charset=ISO-8859-1"),
        (b"\xef\xbb\xbf<!doctype html>", "text/html"),
        (b"\x00\xff", "application/octet-stream"),
        ("", ""),
    ],
)
async def test_a_content_type_that_fits(
    body: str | bytes, media_type: str, context: Context
) -> None:
    values = await probe(answering(body, media_type), context)
    assert (values["content_type_right"], values["has_body"]) == (True, bool(body))


@pytest.mark.parametrize(
    ("sent", "good"),
    [
        ("max-age=15768000", True),
        ('MAX-AGE="31536000"; preload', True),
        ("max-age=31536000, max-age=0", True),
        ("max-age=15767999", False),
        ("max-age=0", False),
        ("max-age=31536000; max-age=31536000", False),
        ("max-age=soon", False),
        ("includeSubDomains", False),
        (None, False),
    ],
)
async def test_strict_transport_security(
    sent: str | None, good: bool, context: Context, tmp_path: Path
) -> None:
    web = answering(strict_transport_security=sent)
    values = await probe(web, context, authority=Authority(tmp_path), host="localhost")
    assert (values["hsts_heeded"], values["hsts"]) == (True, good)
    if not good:
        said = f"Strict-Transport-Security: {sent}" if sent else "Strict-Transport-Security is not"
        assert str(values["hsts_because"]).startswith(said)


async def test_browsers_heed_no_hsts_of_an_address(context: Context, tmp_path: Path) -> None:
    values = await probe(answering(), context, authority=Authority(tmp_path))
    assert values["hsts_heeded"] is False


@pytest.mark.parametrize(
    ("cookie", "lacks"),
    [
        (f"sid={SECRET}; HttpOnly; SameSite=Lax", {"cookies_secure"}),
        (f"connect.sid={SECRET}; Secure; SameSite=Lax", {"session_cookies_http_only"}),
        (f"JSESSIONID={SECRET}; Secure; HttpOnly", {"session_cookies_same_site"}),
        (f"access_token={SECRET}; secure; httponly; samesite=no", {"session_cookies_same_site"}),
        (f"lang={SECRET}", {"cookies_secure"}),
        (f"lang={SECRET}; Secure", set()),
        (f"XSRF-TOKEN={SECRET}; Secure", set()),
        (f"author={SECRET}; Secure", set()),
        (f"heroku-session-affinity={SECRET}; Secure", set()),
        ("sid=; Max-Age=0", set()),
        (f"sid={SECRET}; expires=Thu, 01 Jan 1970 00:00:00 GMT", set()),
        (f"__Host-id={SECRET}; Secure; Path=/", set()),
        (f"__Host-id={SECRET}; Secure; Path=/; Domain=a.example", {"cookies_kept"}),
        (f"__Host-id={SECRET}; Secure; Path=/app", {"cookies_kept"}),
        (f"__Secure-id={SECRET}", {"cookies_kept", "cookies_secure"}),
        (f"lang={SECRET}; SameSite=None", {"cookies_kept", "cookies_secure"}),
        (SECRET, {"cookies_secure"}),
    ],
)
async def test_flags_of_a_cookie(
    cookie: str, lacks: set[str], context: Context, tmp_path: Path
) -> None:
    values = await probe(
        answering(cookies=("theme=dark; Secure", cookie)), context, authority=Authority(tmp_path)
    )
    assert set(faults(values)) == lacks


async def test_cookies_are_shown_by_name_and_session_values_are_concealed(
    context: Context, concealed: list[str]
) -> None:
    values = await probe(
        answering(
            cookies=(
                f"sid={SECRET}; Expires=Wed, 09 Jun 2100 10:18:14 GMT",
                "a=1",
                "jwt=1; HttpOnly",
                "sid=",
            )
        ),
        context,
    )
    assert values["session_cookies_http_only_because"] == "set without HttpOnly: sid"
    assert values["session_cookies_same_site_because"] == "set without a valid SameSite: sid, jwt"
    assert concealed == [SECRET]


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_error_proves_nothing(status: int, context: Context) -> None:
    web = answering(status=status, server="nginx/1.2.3", cookies=(f"sid={SECRET}",))
    values = await probe(web, context)
    assert {k: v for k, v in values.items() if not k.endswith("_because")} == {
        "status": status,
        "hsts_heeded": False,
    }
    assert values["nosniff_because"] == (
        f"GET /health answered {status}, which does not tell: set `path` to one that answers 2xx"
    )
    assert {n for n in METRICS if f"{n}_because" not in values} == {"status", "hsts_heeded"}


@pytest.mark.parametrize("status", [302, 404])
async def test_a_redirect_or_a_missing_page_tells_its_banner_and_cookies_only(
    status: int, context: Context
) -> None:
    web = answering(
        status=status, location="/login?key=hidden-query", server="x/1.2", cookies=("sid=1234",)
    )
    values = await probe(web, context)
    assert set(faults(values)) == {
        *("version_hidden", "session_cookies_http_only", "session_cookies_same_site")
    }
    assert "page" not in values
    assert str(values["page_because"]).startswith(f"GET /health answered {status}")


async def test_the_profile_and_the_path_can_be_set(context: Context) -> None:
    web = answering('{"a": 1}', "application/json")
    values = await probe(web, context, profile="page", path="/app?key=hidden-query")
    assert values["page"] is True
    assert web.requests[0].target == "/app?key=hidden-query"


async def test_a_packed_page_leaves_open_what_is_in_it(context: Context) -> None:
    web = answering(b"\x1f\x8b", content_encoding="gzip", content_security_policy=None)
    values = await probe(web, context)
    assert values["page"] is True
    assert {"scripts_restricted", "foreign_scripts", "content_type_right"}.isdisjoint(values)
    assert "compressed" in str(values["scripts_restricted_because"])


async def test_a_page_without_an_end_is_judged_by_what_was_read_of_it(context: Context) -> None:
    values = await probe(servers.endless_body, context)
    assert values["nosniff"] is False
    assert "foreign_scripts" not in values
    assert "1 MiB" in str(values["foreign_scripts_because"])


@pytest.mark.parametrize(
    "body",
    [
        "<script" * 140_000,
        "<!--" * 250_000,
        "<script>" * 120_000,
        "<meta a='" * 110_000,
        "<script src=" + "x" * 1_000_000,
        "<script src='https://cdn.example.net/&#" + "9" * 4000 + ";'>",
        '{"a":' * 150_000,
    ],
    ids=["tags", "comments", "scripts", "quotes", "long", "reference", "nested"],
)
async def test_hostile_markup_is_survived(body: str, context: Context) -> None:
    began = time.monotonic()
    values = await probe(answering(body), context)
    assert values["page"] is True
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("tag", ["<meta a a a a a>", "<base target=a>", "<script a a></script>"])
async def test_too_many_tags_are_not_looked_at(tag: str, context: Context) -> None:
    body = PAGE + tag * (1_000_000 // len(tag))
    began = time.thread_time()
    tags, all_read = _page_tags.read(body)
    assert time.thread_time() - began < 2
    assert not all_read
    assert 1000 < len(tags) < 20_000
    values = await probe(answering(body), context)
    assert faults(values) == {}
    assert "foreign_scripts" not in values
    because = "the page has too many tags to look at, and none is in what was read of it"
    assert values["foreign_scripts_pinned_because"] == because


def test_a_header_of_commas_does_not_stop_the_loop() -> None:
    assert len(_content_policy.read(["default-src 'self'," + "a," * 32_000])) == 500


async def test_hostile_headers_are_shown_short_and_clean(context: Context) -> None:
    web = answering(
        server="x/1 \x1b[31m" + "y" * 5000,
        content_security_policy="script-src " + "'unsafe-inline' " * 900,
        cookies=(f"{'s' * 3000}ess\x1b[2J={SECRET}",),
    )
    values = await probe(web, context)
    assert set(faults(values)) >= {"version_hidden", "session_cookies_http_only"}
    for because in faults(values).values():
        assert len(because) < 300
        assert "\x1b" not in because


@pytest.mark.parametrize(
    ("server", "kind"),
    [(servers.silent, "timeout"), (servers.garbage, "protocol"), (servers.slam, "reset")],
    ids=["silent", "garbage", "slam"],
)
async def test_servers_that_give_no_answer(
    server: servers.Handler, kind: str, context: Context
) -> None:
    with pytest.raises((OSError, ProbeError)) as caught:
        await probe(server, dataclasses.replace(context, timeout=0.2))
    assert classify(caught.value).kind == kind


@pytest.mark.parametrize("settings", [{"path": "app"}, {"profile": "html"}, {"paths": ["/"]}])
def test_settings_that_make_no_sense_are_refused(settings: Mapping[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(settings)
