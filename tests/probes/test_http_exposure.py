"""http_exposure against a clean service, one leak at a time, and pages that only look like one."""

import dataclasses
import json
import time
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from readiness.failure import ProbeError, classify
from readiness.inventory import Service
from readiness.measurement import Values
from readiness.probes import Context, _stack_trace
from readiness.probes.http_exposure import METRICS, Settings, measure
from tests import servers

pytestmark = pytest.mark.anyio

PASSWORD = "url-password-canary"
LEAK = "leaked-canary"
CLEAN = {
    "catch_all": False,
    "secrets_hidden": True,
    "operations_hidden": True,
    "docs_hidden": True,
    "error_pages_quiet": True,
    "trace_refused": True,
}
SPA = "<!doctype html><title>Shop</title><div id=app></div><script src=/app.js></script>"
PHPINFO = f"<title>phpinfo()</title><h1>PHP Version 8.3.1</h1>{LEAK}"
METRICS_TEXT = "# HELP up Up.\n# TYPE up gauge\nup 1\n"
ENV = {"propertySources": [{"name": "env", "properties": {"DB": {"value": LEAK}}}]}
MASKED = {"propertySources": [{"name": "env", "properties": {"DB": {"value": "******"}}}]}
ACTUATOR = {"_links": {"self": {"href": "/actuator"}, "beans": {"href": "/actuator/beans"}}}
TRACEBACK = f'Traceback (most recent call last):\n  File "/app/x.py", line 3, in f\n{LEAK}'


async def probe(
    server: servers.Handler,
    context: Context,
    *,
    base: str = "",
    health: Mapping[str, str] | None = None,
    **settings: Any,
) -> Values:
    async with servers.serving(server) as port:
        url = f"http://ann:{PASSWORD}@127.0.0.1:{port}{base}?key={PASSWORD}"
        service = Service.model_validate(
            {"name": "it", "kind": "http", "url": url} | dict({"health": health} if health else {})
        )
        values = await measure(service, Settings.model_validate(settings), context)
    assert {name.removesuffix("_because") for name in values} <= set(METRICS)
    assert PASSWORD not in str(values)
    assert LEAK not in str(values)
    return values


def serving(
    pages: Mapping[str, bytes | str | dict[str, Any]], missing: bytes | None = None
) -> servers.Web:
    """Serve `pages` by path, as JSON, as text or as raw bytes of a response; else 404."""

    def answer(request: servers.Request) -> bytes:
        page = pages.get(request.target.partition("?")[0])
        if page is None or request.method != "GET":
            return missing or servers.response(404, '{"detail": "Not Found"}')
        if isinstance(page, bytes):
            return page
        text = page if isinstance(page, str) else json.dumps(page)
        kind = "text/html" if text.startswith("<") else "text/plain"
        return servers.response(200, text, kind)

    return servers.Web(answer)


def found(values: Values) -> dict[str, str]:
    """Return what is false although it should be true, with its reason."""
    return {m: str(values[f"{m}_because"]) for m, v in values.items() if v is False and CLEAN[m]}


async def test_a_clean_service(context: Context) -> None:
    web = serving({"/health": "ok"})
    assert await probe(web, context) == CLEAN
    assert {r.method for r in web.requests} == {"GET", "HEAD", "TRACE"}
    assert len(web.requests) == 21
    for request in web.requests:
        assert request.body == b""
        assert PASSWORD not in request.target
        assert "authorization" not in request.headers


@pytest.mark.parametrize(
    ("path", "page", "metric", "what"),
    [
        ("/.git/HEAD", "ref: refs/heads/main\n", "secrets_hidden", "a Git repository"),
        ("/.git/HEAD", "0a" * 20 + "\n", "secrets_hidden", "a Git repository"),
        ("/.git/config", f"[core]\n\tbare = {LEAK}", "secrets_hidden", "a Git configuration"),
        ("/.env", f"# mine\nDB_PASSWORD={LEAK}\nB=\n", "secrets_hidden", "environment variables"),
        ("/.env", f"export KEY='{LEAK}'", "secrets_hidden", "environment variables"),
        ("/.svn/entries", "12\n", "secrets_hidden", "a Subversion working copy"),
        ("/.svn/entries", f"10\n\ndir\n5\n{LEAK}", "secrets_hidden", "a Subversion working copy"),
        ("/phpinfo.php", PHPINFO, "secrets_hidden", "phpinfo()"),
        ("/metrics", METRICS_TEXT, "operations_hidden", "metrics"),
        ("/metrics", 'http_total{path="/x"} 12 1700000000\n', "operations_hidden", "metrics"),
        ("/debug", '{"environment": {}}', "operations_hidden", "debug information"),
        (
            "/debug/pprof/",
            "<html><title>/debug/pprof/</title>Types of profiles: goroutine",
            "operations_hidden",
            "Go profiles",
        ),
        ("/debug/vars", '{"cmdline": ["x"], "memstats": {}}', "operations_hidden", "Go variables"),
        ("/actuator", ACTUATOR, "operations_hidden", "actuator endpoints"),
        ("/actuator/env", MASKED, "operations_hidden", "configuration names"),
        (
            "/server-status",
            "<html><h1>Apache Server Status for x</h1>",
            "operations_hidden",
            "the server's status",
        ),
        ("/server-status", "Active connections: 2 \n", "operations_hidden", "the server's status"),
        (
            "/.DS_Store",
            servers.response(200, b"\x00\x00\x00\x01Bud1\x00"),
            "operations_hidden",
            "names of files",
        ),
        ("/docs", "<html><div id=swagger-ui></div>", "docs_hidden", "API documentation"),
        ("/openapi.json", {"openapi": "3.1.0", "paths": {}}, "docs_hidden", "an API description"),
    ],
)
async def test_each_leak_is_found_alone(
    path: str, page: Any, metric: str, what: str, context: Context
) -> None:
    values = await probe(serving({path: page}), context)
    assert found(values) == {metric: f"GET {path} answered 200 with {what}"}


async def test_configuration_values_are_secrets_and_names_are_not(context: Context) -> None:
    values = await probe(serving({"/actuator/env": ENV}), context)
    assert found(values) == {
        "secrets_hidden": "GET /actuator/env answered 200 with configuration values",
        "operations_hidden": "GET /actuator/env answered 200 with configuration names",
    }


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("/.git/HEAD", "refused"),
        ("/.git/config", "<html>[core]"),
        ("/.env", "KEY is not here"),
        ("/.env", "<html><body>\nA=1"),
        ("/.env", '{"A": 1}'),
        ("/.env", ""),
        ("/.svn/entries", "404"),
        ("/metrics", "<html>\nup 1\n"),
        ("/metrics", '{"up": 1}'),
        ("/debug", "<html>Nothing to see"),
        ("/actuator", {"_links": {"self": {"href": "/actuator"}, "health": {"href": "h"}}}),
        ("/docs", "<html><title>Handbook</title>"),
        ("/openapi.json", '["openapi"]'),
        ("/openapi.json", "{" * 100_000),
        ("/.git/HEAD", servers.response(401, "ref: refs/heads/main")),
        ("/.git/HEAD", servers.response(403, "ref: refs/heads/main")),
        ("/metrics", servers.response(302, METRICS_TEXT, headers={"Location": "/login"})),
    ],
)
async def test_what_only_looks_like_a_leak_is_none(path: str, page: Any, context: Context) -> None:
    assert await probe(serving({path: page}), context) == CLEAN


async def test_a_page_for_every_path_exposes_nothing(context: Context) -> None:
    spa = servers.always(servers.response(200, SPA, "text/html"))
    assert await probe(spa, context) == CLEAN | {"catch_all": True}


@pytest.mark.parametrize(
    "body",
    [
        "<html>Debugger, settings, memory: no page at {path} ({n})",
        "# HELP x\nref: {path}\nA={n}\n[core]",
        'ref: {path}\n"cmdline": {n}',
        '{{"_links": {{"self": "actuator", "x": "{n}"}}, "openapi": "{path}"}}',
        "12\n",
        "<html>no profile of a goroutine at {path}",
        "<html>swagger-ui phpinfo() PHP Version Apache Status {n}",
    ],
)
async def test_a_soft_404_is_no_leak_whatever_it_says(body: str, context: Context) -> None:
    web = servers.Web(lambda _: b"")
    web.answer = lambda r: servers.response(
        200, body.format(path=r.target, n=len(web.requests)), "text/html"
    )
    assert await probe(web, context) == CLEAN | {"catch_all": True}


async def test_a_leak_beside_a_page_for_every_path_is_found(context: Context) -> None:
    web = serving({"/.git/HEAD": "ref: refs/heads/main"}, servers.response(200, SPA, "text/html"))
    values = await probe(web, context)
    assert list(found(values)) == ["secrets_hidden"]
    assert values["catch_all"] is True


def spring(
    *, guarded: bool = False, linked: bool = True, reads: bool = True, elsewhere: int = 404
) -> servers.Web:
    """Answer as Spring does: HEAD as GET, and 400 for a `live` that is no boolean."""

    def answer(request: servers.Request) -> bytes:
        path, _, query = request.target.partition("?")
        if path == "/actuator" and linked:
            return servers.response(200, '{"_links": {"self": {}, "heapdump": {}}}')
        if path == "/actuator/heapdump" and guarded:
            return servers.response(401)
        if path == "/actuator/heapdump" and reads:
            assert query == "live=readiness", "a dump would halt the service"
            return servers.response(400)
        return servers.response(elsewhere if path.startswith("/actuator/readiness-") else 404)

    return servers.Web(answer)


async def test_what_knows_no_head_serves_no_heap_dump(context: Context) -> None:
    """As Python's own http.server, which answers 501 to every HEAD it does not implement."""
    usual = serving({"/health": "ok"})

    def answer(request: servers.Request) -> bytes:
        return servers.response(501) if request.method == "HEAD" else usual.answer(request)

    assert (await probe(servers.Web(answer), context))["secrets_hidden"] is True


async def test_an_open_heap_dump_is_told_without_making_one(context: Context) -> None:
    values = await probe(spring(), context)
    assert values["secrets_hidden_because"] == (
        "HEAD /actuator/heapdump?live=readiness is linked by /actuator "
        "and open to strangers: a Java heap dump"
    )
    assert (await probe(spring(guarded=True), context))["secrets_hidden"] is True
    assert (await probe(spring(reads=False), context))["secrets_hidden"] is True
    assert (await probe(spring(linked=False), context))["secrets_hidden"] is True
    assert (await probe(spring(elsewhere=400), context))["secrets_hidden"] is True
    failing = await probe(spring(elsewhere=503), context)
    assert "secrets_hidden" not in failing
    assert "answered 400, but the control HEAD /actuator/" in str(failing["secrets_hidden_because"])


async def test_a_heap_dump_that_is_given_is_never_read(context: Context) -> None:
    def answer(request: servers.Request) -> bytes:
        if not request.target.startswith("/actuator/heapdump"):
            return servers.response(404)
        assert request.method == "HEAD"
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n"

    values = await probe(servers.Web(answer), context)
    assert values["secrets_hidden_because"] == (
        "HEAD /actuator/heapdump?live=readiness answered 200 with a Java heap dump"
    )


async def test_bytes_for_every_path_are_no_heap_dump(context: Context) -> None:
    web = servers.always(servers.response(200, b"", "application/octet-stream"))
    assert (await probe(web, context))["secrets_hidden"] is True


async def test_the_services_own_path_is_kept_and_its_origins_root_is_asked(
    context: Context,
) -> None:
    web = serving({"/.env": f"KEY={LEAK}"})
    values = await probe(web, context, base="/api/v1/")
    assert found(values) == {"secrets_hidden": "GET /.env answered 200 with environment variables"}
    targets = [request.target for request in web.requests]
    assert {"/api/v1/.env", "/api/v1/metrics", "/.git/HEAD"} <= set(targets)
    assert "/metrics" not in targets
    assert len(targets) == 24
    below = await probe(serving({"/api/v1/metrics": METRICS_TEXT}), context, base="/api/v1/")
    assert list(found(below)) == ["operations_hidden"]


async def test_expected_paths_are_listed_and_not_counted(context: Context) -> None:
    web = serving({"/metrics": METRICS_TEXT, "/docs": "<redoc>", "/debug/vars": '{"cmdline": []}'})
    values = await probe(web, context, expected=["/docs", "/metrics", "/openapi.json"])
    assert values["shown_as_expected"] == "/metrics, /docs"
    assert found(values) == {"operations_hidden": "GET /debug/vars answered 200 with Go variables"}


async def test_a_health_path_is_open_on_purpose(context: Context) -> None:
    web = serving({"/metrics": METRICS_TEXT})
    values = await probe(web, context, health={"ready": "/metrics"})
    assert (values["operations_hidden"], values["shown_as_expected"]) == (True, "/metrics")


async def test_configuration_values_cannot_be_expected(context: Context) -> None:
    values = await probe(serving({"/actuator/env": ENV}), context, expected=["/actuator/env"])
    assert list(found(values)) == ["secrets_hidden"]


@pytest.mark.parametrize("path", ["/.env", "/.git/HEAD", "/actuator/heapdump", "/else", "docs"])
def test_only_what_may_be_public_can_be_expected(path: str) -> None:
    with pytest.raises(ValidationError, match="is none of"):
        Settings.model_validate({"expected": [path]})


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_failing_control_leaves_open_what_depends_on_it(
    status: int, context: Context
) -> None:
    def answer(request: servers.Request) -> bytes:
        if request.target == "/.env":
            return servers.response(200, f"KEY={LEAK}", "text/plain")
        gone = request.target.startswith("/readiness-")
        return servers.response(status if gone else 404)

    values = await probe(servers.Web(answer), context)
    assert {"secrets_hidden", "catch_all"}.isdisjoint(values)
    because = str(values["secrets_hidden_because"])
    assert because.startswith("GET /.env looks like environment variables, but the control GET /re")
    assert because.endswith(f"answered {status}")
    assert (values["operations_hidden"], values["docs_hidden"]) == (True, True)


async def test_a_path_that_fails_is_unknown_and_a_leak_beside_it_is_not(context: Context) -> None:
    web = serving({"/metrics": servers.response(503), "/debug/vars": '{"memstats": {}}'})
    values = await probe(web, context)
    assert list(found(values)) == ["operations_hidden"]
    alone = await probe(serving({"/metrics": servers.response(503)}), context)
    assert "operations_hidden" not in alone
    assert alone["operations_hidden_because"] == "GET /metrics answered 503"


async def test_a_service_that_only_fails_proves_nothing(context: Context) -> None:
    values = await probe(servers.always(servers.response(502)), context)
    assert not set(values) & set(METRICS)
    assert {name.removesuffix("_because") for name in values} == set(CLEAN) - {"catch_all"}


async def test_a_packed_body_proves_nothing(context: Context) -> None:
    packed = servers.response(200, b"\x1f\x8bab", headers={"Content-Encoding": "gzip"})
    values = await probe(serving({"/.env": packed}), context)
    assert values["secrets_hidden_because"] == "GET /.env answered with a compressed body"


TRACES = {
    "a Python traceback": TRACEBACK,
    "a Django debug page": f"<code>DEBUG = True</code>{LEAK}",
    "the Werkzeug debugger": "<title>x // Werkzeug Debugger</title>",
    "a Java stack trace": '{"trace": "x\\n\\tat com.shop.Cart$1.add(Cart.java:12)\\n"}',
    "a Node.js stack trace": "<pre>Error<br> at Layer.handle (/app/lib/layer.js:95:5)</pre>",
    "a .NET stack trace": "at Shop.Cart.Add(Int32 id) in C:\\src\\Cart.cs:line 12",
    "a PHP error with its file": "<b>Warning</b>: x in <b>/a.php</b> on line <b>3</b>",
    "the Whoops debugger": '<div class="Whoops container">',
    "the Laravel debugger": "<script>window.ignite({})</script>",
    "a Ruby stack trace": "app/models/cart.rb:12:in `add'",
    "a Rails debug page": "<p><code>Rails.root: /app</code></p>",
    "a Go stack trace": "panic\n\ngoroutine 1 [running]:\nmain.main()",
    "a Rust panic": "thread 'main' panicked at src/main.rs:2:5",
    "a database error": "SQLSTATE[42000]: Syntax error",
}


@pytest.mark.parametrize("what", TRACES)
@pytest.mark.parametrize("status", [404, 500])
async def test_an_error_page_with_a_stack_trace(what: str, status: int, context: Context) -> None:
    web = serving({}, servers.response(status, TRACES[what], "text/html"))
    values = await probe(web, context)
    assert values["error_pages_quiet"] is False
    because = str(values["error_pages_quiet_because"])
    assert because.startswith("GET /readiness-")
    assert f" answered {status} with {what}; " in because


@pytest.mark.parametrize("mark", ["/%ff%00", "id%5B%5D=%27"])
async def test_a_trace_that_only_odd_requests_provoke(mark: str, context: Context) -> None:
    def answer(request: servers.Request) -> bytes:
        odd = mark in request.target
        return servers.response(500 if odd else 404, TRACEBACK if odd else "no")

    values = await probe(servers.Web(answer), context)
    assert list(found(values)) == ["error_pages_quiet"]
    assert mark in str(values["error_pages_quiet_because"])


async def test_a_page_that_shows_a_trace_on_purpose_is_no_error_page(context: Context) -> None:
    handbook = serving({"/health": f"<html>How to read a trace: {TRACEBACK}"})
    assert await probe(handbook, context) == CLEAN

    def warns(request: servers.Request) -> bytes:
        told = TRACES["a PHP error with its file"] if "?" in request.target else "fine"
        return servers.response(200 if request.target.startswith("/health") else 404, told)

    assert list(found(await probe(servers.Web(warns), context))) == ["error_pages_quiet"]


async def test_a_plain_500_is_a_quiet_error_page(context: Context) -> None:
    def answer(request: servers.Request) -> bytes:
        odd = "%" in request.target
        return servers.response(500 if odd else 404, "Internal Server Error at 12:30 (/app:1)")

    assert (await probe(servers.Web(answer), context))["error_pages_quiet"] is True


async def test_who_hangs_up_on_odd_requests_shows_nothing(context: Context) -> None:
    web = serving({})

    async def handler(reader: Any, writer: Any) -> None:
        request = await servers.read_request(reader)
        assert request is not None
        if "%" not in request.target and request.method != "TRACE":
            writer.write(web.answer(request))
            await writer.drain()

    assert await probe(handler, context) == CLEAN


def tracing(media_type: str, status: int = 200) -> servers.Web:
    """Echo the request to TRACE, as RFC 9110 has it."""

    def answer(request: servers.Request) -> bytes:
        if request.method != "TRACE":
            return servers.response(404)
        lines = [f"{name}: {value}" for name, value in request.headers.items()]
        echo = "\r\n".join([f"TRACE {request.target} HTTP/1.1", *lines])
        return servers.response(status, echo, media_type)

    return servers.Web(answer)


async def test_trace_that_echoes_is_found(context: Context) -> None:
    values = await probe(tracing("message/http"), context)
    assert found(values) == {
        "trace_refused": "TRACE /health answered 200 with the headers it was sent"
    }
    assert (await probe(tracing("text/plain"), context))["trace_refused"] is False


@pytest.mark.parametrize("status", [405, 501])
async def test_trace_that_is_refused(status: int, context: Context) -> None:
    assert (await probe(tracing("message/http", status), context))["trace_refused"] is True


@pytest.mark.parametrize("status", [429, 503])
async def test_trace_that_fails_is_unknown(status: int, context: Context) -> None:
    values = await probe(tracing("message/http", status), context)
    assert "trace_refused" not in values
    assert values["trace_refused_because"] == f"TRACE /health answered {status}"


async def test_a_service_that_answers_to_any_method_does_not_trace(context: Context) -> None:
    def echo(request: servers.Request) -> bytes:
        return servers.response(200, json.dumps(dict(request.headers)))

    assert (await probe(servers.Web(echo), context))["trace_refused"] is True


async def test_a_service_that_falls_silent_is_asked_no_more(context: Context) -> None:
    web = serving({"/.git/HEAD": "ref: refs/heads/main"})

    async def handler(reader: Any, writer: Any) -> None:
        await (web if len(web.requests) < 2 else servers.silent)(reader, writer)

    began = time.monotonic()
    values = await probe(handler, dataclasses.replace(context, timeout=0.2))
    assert time.monotonic() - began < 2
    assert list(found(values)) == ["secrets_hidden"]
    assert "not asked" in str(values["docs_hidden_because"])
    assert "docs_hidden" not in values


async def test_a_limiter_is_pressed_no_further(context: Context) -> None:
    web = servers.always(servers.response(429))
    values = await probe(web, context)
    assert len(web.requests) == 2
    assert not set(values) & set(METRICS)


async def test_a_probe_without_time_asks_nothing_and_claims_nothing(context: Context) -> None:
    web = serving({})
    late = dataclasses.replace(context, deadline=time.monotonic() + 1)
    values = await probe(web, late)
    assert web.requests == []
    assert not set(values) & set(METRICS)
    assert "no time was left" in str(values["secrets_hidden_because"])


@pytest.mark.parametrize(
    ("server", "kind"),
    [(servers.silent, "timeout"), (servers.garbage, "protocol"), (servers.slam, "reset")],
    ids=["silent", "garbage", "slam"],
)
async def test_servers_that_never_answer(
    server: servers.Handler, kind: str, context: Context
) -> None:
    with pytest.raises(ProbeError) as caught:
        await probe(server, dataclasses.replace(context, timeout=0.2))
    assert classify(caught.value).kind == kind


async def test_what_cannot_be_reached_is_a_failure(context: Context) -> None:
    async with servers.refusing() as port:
        url = f"http://127.0.0.1:{port}"
        service = Service.model_validate({"name": "it", "kind": "web", "url": url})
        with pytest.raises(ProbeError) as caught:
            await measure(service, Settings(), context)
    assert caught.value.failure.kind == "refused"


@pytest.mark.parametrize(
    "body",
    [
        "x" * 1_000_000,
        "\n" * 1_000_000,
        "A=" * 500_000,
        "at /" * 250_000,
        "at a.b(" * 140_000,
        "phpinfo()" * 110_000,
        "(/" * 500_000,
        "a{" * 500_000,
        "[core" * 200_000,
        "1\n" * 500_000,
    ],
    ids=["word", "lines", "pairs", "at", "calls", "phpinfo", "paths", "braces", "core", "digits"],
)
async def test_hostile_bodies_cost_little(body: str, context: Context) -> None:
    web = servers.Web(lambda _: b"")
    web.answer = lambda r: servers.response(200, body + r.target[:5], "text/plain")
    began = time.monotonic()
    await probe(web, context)
    assert time.monotonic() - began < 8


@pytest.mark.parametrize(
    "line",
    ["Notice: in ", "Warning: in in in on line ", "Notice: a in b on line ", "at a() in ", "\r\n"],
)
def test_a_hostile_page_does_not_stop_the_loop(line: str) -> None:
    began = time.thread_time()
    assert _stack_trace.found_in(line * (1_000_000 // len(line))) is None
    assert time.thread_time() - began < 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Warning: odd in value in /srv/a b.php on line 3", True),
        ("Notice: x in\nNotice: Undefined index: id in /srv/a.php on line 12", True),
        ("Warning: Notice: x in /a.php on line 1", True),
        ("x" * 400_000 + "\nParse error: y in /a.php on line 9", True),
        ("Warning: stand in line in Lyon.\nBook on line 3", False),
        (" in /a.php on line 3", False),
        ("Warning: x on line 3 in /a.php", False),
        ("Warning: " + "x" * 400 + " in /a.php on line 3", False),
        ("Warning: x in " + "x" * 400 + " on line 3", False),
    ],
)
def test_a_php_error_in_plain_text(text: str, shown: bool) -> None:
    assert _stack_trace.found_in(text) == ("a PHP error with its file" if shown else None)


async def test_an_endless_body_is_cut_off(context: Context) -> None:
    values = await probe(servers.endless_body, context)
    assert values["catch_all"] is True
    assert values["secrets_hidden"] is True
