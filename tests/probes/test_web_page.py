"""web_page against a page served well, badly, and by a hostile server."""

import dataclasses
import time

import pytest
from pydantic import ValidationError

from readiness.estimate import Estimate
from readiness.failure import ProbeError, classify
from readiness.inventory import Service
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes.web_page import METRICS, Settings, measure
from tests import servers

pytestmark = pytest.mark.anyio

PAGE = "<!doctype html><title>\n PyAirtable &amp; more </title><h1>Sign in &amp; up</h1>"


async def probe(server: servers.Handler, context: Context, **settings: str) -> Values:
    async with servers.serving(server) as port:
        url = f"http://127.0.0.1:{port}"
        service = Service.model_validate({"name": "it", "kind": "web", "url": url})
        return await measure(service, Settings.model_validate(settings), context)


def page(body: str | bytes = PAGE, status: int = 200, media_type: str = "text/html") -> servers.Web:
    return servers.always(servers.response(status, body, media_type))


async def test_a_good_page(context: Context) -> None:
    web = page()
    values = await probe(web, dataclasses.replace(context, samples=1000), text="Sign in & up")
    assert (
        values.items()
        >= {
            "status": 200,
            "ok": True,
            "html": True,
            "title": "PyAirtable & more",
            "has_title": True,
            "text_found": True,
            "response_bytes": len(PAGE),
        }.items()
    )
    assert web.connections == len(web.requests) == 82
    assert web.requests[0].target == "/"
    names = {name for name in values if not name.endswith("_because")}
    assert names == set(METRICS) - {"tls_ms", "certificate_days"}


async def test_a_slow_page_is_seen_to_be_slow(context: Context) -> None:
    web = page()
    web.delay = 0.02
    values = await probe(web, dataclasses.replace(context, samples=8))
    p50, p95 = values["p50_ms"], values["p95_ms"]
    assert isinstance(p50, Estimate)
    assert p50.value is not None
    assert 20 <= p50.value < 200
    assert p95 == Estimate(value=None, low=None, high=None, n=8)
    assert values["p95_ms_because"] == "8 samples, a p95 needs 72"


async def test_text_that_is_missing_is_said(context: Context) -> None:
    values = await probe(page(), context, text="Dashboard", path="/app")
    assert values["text_found"] is False
    assert values["text_found_because"] == "the expected text is not in the page"


async def test_text_is_only_looked_for_where_it_is_declared(context: Context) -> None:
    assert "text_found" not in await probe(page(), context)


async def test_an_error_page_is_not_ok(context: Context) -> None:
    values = await probe(page(status=502), context, path="/app?x=1")
    assert values["ok"] is False
    assert values["ok_because"] == "GET /app answered 502 (22 of 22)"


async def test_a_page_that_fails_now_and_then_is_not_ok(context: Context) -> None:
    web = page()
    web.answer = lambda _: servers.response(503 if len(web.requests) == 3 else 200, PAGE)
    values = await probe(web, context)
    assert (values["status"], values["ok"]) == (200, False)
    assert values["ok_because"] == "GET / answered 503 (1 of 22)"


@pytest.mark.parametrize("body", ["", " \n"])
async def test_an_empty_page_is_not_ok(body: str, context: Context) -> None:
    values = await probe(page(body), context)
    assert (values["status"], values["ok"]) == (200, False)
    assert values["ok_because"] == "GET / answered 200 with an empty body (22 of 22)"


async def test_a_page_without_an_end_is_not_ok(context: Context) -> None:
    values = await probe(servers.endless_body, dataclasses.replace(context, samples=1))
    assert values["ok"] is False
    assert values["ok_because"] == (
        "GET / answered 200 with a body that does not end within 1 MiB (3 of 3)"
    )


async def test_a_page_that_breaks_off_is_a_fault(context: Context) -> None:
    cut = servers.in_turn(servers.response(200, PAGE)[:-5])
    with pytest.raises(ProbeError, match="the body is malformed or ends early"):
        await probe(cut, context)


async def test_a_redirect_loop_is_not_followed(context: Context) -> None:
    web = servers.always(servers.response(301, headers={"Location": "/"}))
    values = await probe(web, context)
    assert values["ok_because"] == "GET / answered 301, a redirect to / (22 of 22)"
    assert len(web.requests) == 22


async def test_what_is_no_page_has_no_title(context: Context) -> None:
    values = await probe(page('{"title": "x"}', media_type="application/json"), context)
    assert (values["html"], values["has_title"], values["title"]) == (False, False, "")
    assert values["html_because"] == "the body is application/json"


async def test_the_declared_charset_counts(context: Context) -> None:
    latin = page("<title>Überblick</title>".encode("latin-1"), 200, "text/html; charset=ISO-8859-1")
    assert (await probe(latin, context))["title"] == "Überblick"
    wrong = page("<title>Überblick</title>".encode("latin-1"), 200, "text/html; charset=punycode")
    assert (await probe(wrong, context))["title"] == "\N{REPLACEMENT CHARACTER}berblick"


@pytest.mark.parametrize(
    "body",
    [
        "<title>first</title><![foo[",
        "<title>first</title><svg><title>second</title></svg>",
        "<title>first</title>" + "<" * 500_000,
        "<title>first</title>&#" + "9" * 5000 + ";",
        "<title>first</title>" + "<a b='" * 100_000,
    ],
    ids=["marked section", "second title", "quadratic", "huge reference", "open attributes"],
)
async def test_hostile_markup_is_survived(body: str, context: Context) -> None:
    began = time.monotonic()
    once = dataclasses.replace(context, samples=1)
    values = await probe(page(body), once, text="no such text")
    assert (values["title"], values["text_found"]) == ("first", False)
    assert time.monotonic() - began < 3


async def test_an_endless_page_and_a_bomb_are_cut_off(context: Context) -> None:
    once = dataclasses.replace(context, samples=1)
    endless = await probe(servers.endless_body, once, text="end")
    assert (
        endless["text_found_because"] == "the expected text is not in the first 1 MiB of the page"
    )
    bomb = await probe(servers.always(servers.bomb()), once, text="end")
    assert str(bomb["text_found_because"]).startswith("the page is compressed")


@pytest.mark.parametrize(
    ("server", "kind"),
    [
        (servers.silent, "timeout"),
        (servers.body_drip, "timeout"),
        (servers.garbage, "protocol"),
        (servers.slam, "reset"),
    ],
    ids=["silent", "drip", "garbage", "slam"],
)
async def test_servers_that_give_no_page(
    server: servers.Handler, kind: str, context: Context
) -> None:
    with pytest.raises((OSError, ProbeError)) as caught:
        await probe(server, dataclasses.replace(context, timeout=0.2))
    assert classify(caught.value).kind == kind


@pytest.mark.parametrize("settings", [{"path": "app"}, {"path": "http://x/"}, {"text": ""}])
def test_settings_that_make_no_sense_are_refused(settings: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(settings)
