"""http_cors against services that share with nobody, with everybody, with some, and by mistake."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from readiness.failure import ProbeError
from readiness.inventory import Service
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes.http_cors import METRICS, STRANGER, Settings, measure
from tests import servers
from tests.certificates import Authority

pytestmark = pytest.mark.anyio

APP = "https://app.example.com"
KEY = "query-canary"
CREDENTIALS = {"Access-Control-Allow-Credentials": "true"}
CLOSED = {
    "strangers_refused": True,
    "any_origin": False,
    "void_wildcard": False,
    "reflects_origin": False,
    "allowed_origins_accepted_because": "no origin is declared",
}


async def probe(
    server: servers.Handler,
    context: Context,
    *,
    authority: Authority | None = None,
    **settings: Any,
) -> Values:
    tls = authority.server() if authority else None
    if authority:
        context = dataclasses.replace(context, tls=authority.client)
    async with servers.serving(server, tls=tls) as port:
        url = (
            f"{'https' if tls else 'http'}://{'localhost' if tls else '127.0.0.1'}:{port}/?k={KEY}"
        )
        service = Service.model_validate({"name": "it", "kind": "http", "url": url})
        values = await measure(service, Settings.model_validate(settings), context)
    assert {name.removesuffix("_because") for name in values} <= set(METRICS)
    assert KEY not in str(values)
    return values


def sharing(
    allows: Callable[[str], bool],
    *,
    credentials: bool = True,
    vary: str = "Origin",
    methods: tuple[str, ...] = ("GET", "OPTIONS"),
) -> servers.Web:
    """Reflect each origin that `allows` takes."""

    def answer(request: servers.Request) -> bytes:
        origin = request.headers.get("origin", "")
        headers = {"Vary": vary} if vary else {}
        if request.method in methods and allows(origin):
            headers["Access-Control-Allow-Origin"] = origin
            headers |= CREDENTIALS if credentials else {}
        return servers.response(200, "{}", headers=headers)

    return servers.Web(answer)


def constant(status: int = 200, **headers: str) -> servers.Web:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return servers.always(servers.response(status, "{}", headers=named))


async def test_a_service_that_shares_with_nobody(context: Context) -> None:
    web = constant()
    assert await probe(web, context) == CLOSED
    assert {r.method for r in web.requests} == {"GET", "OPTIONS"}
    assert len(web.requests) == 8
    for request in web.requests:
        assert request.body == b""
        asked = request.headers.get("access-control-request-method")
        assert asked == ("PUT" if request.method == "OPTIONS" else None)
    origins = list(dict.fromkeys(request.headers["origin"] for request in web.requests))
    assert origins == [
        STRANGER,
        "null",
        "http://127.0.0.1.readiness-probe.example",
        "http://readiness-probe-127.0.0.1",
    ]


async def test_a_service_that_shares_with_its_own_front_end(context: Context) -> None:
    values = await probe(sharing(lambda origin: origin == APP), context, origins=[APP])
    assert values == {
        "strangers_refused": True,
        "any_origin": False,
        "void_wildcard": False,
        "reflects_origin": True,
        "vary_origin": True,
        "allowed_origins_accepted": True,
    }


async def test_a_constant_origin_needs_no_vary(context: Context) -> None:
    web = constant(Access_Control_Allow_Origin=APP, Access_Control_Allow_Credentials="true")
    values = await probe(web, context, origins=[APP])
    assert (values["strangers_refused"], values["reflects_origin"]) == (True, False)
    assert values["allowed_origins_accepted"] is True


@pytest.mark.parametrize(
    ("allows", "told"),
    [
        (lambda _: True, f"GET /health allows {STRANGER}"),
        (lambda origin: origin == "null", "GET /health allows null"),
        (
            lambda origin: origin.startswith("http://127.0.0.1"),
            "GET /health allows http://127.0.0.1.readiness-probe.example",
        ),
        (
            lambda origin: origin.endswith("127.0.0.1"),
            "GET /health allows http://readiness-probe-127.0.0.1",
        ),
        (
            lambda origin: origin.startswith(APP),
            "GET /health allows https://app.example.com.readiness-probe.example",
        ),
        (
            lambda origin: origin.endswith("app.example.com"),
            "GET /health allows https://readiness-probe-app.example.com",
        ),
    ],
    ids=["any", "null", "prefix", "suffix", "prefix of the app", "suffix of the app"],
)
async def test_foreign_origins_with_credentials(
    allows: Callable[[str], bool], told: str, context: Context
) -> None:
    values = await probe(sharing(allows), context, origins=[APP])
    assert values["strangers_refused"] is False
    because = str(values["strangers_refused_because"])
    assert because.startswith(f"with Access-Control-Allow-Credentials: true, {told}")


async def test_a_preflight_alone_lets_strangers_change_things(context: Context) -> None:
    values = await probe(sharing(lambda _: True, methods=("OPTIONS",)), context)
    assert values["strangers_refused"] is False
    assert "OPTIONS /health allows" in str(values["strangers_refused_because"])


async def test_a_preflight_that_is_refused_allows_nothing(context: Context) -> None:
    def answer(request: servers.Request) -> bytes:
        if request.method != "OPTIONS":
            return servers.response(200)
        origin = request.headers["origin"]
        return servers.response(403, headers={"Access-Control-Allow-Origin": origin, **CREDENTIALS})

    assert await probe(servers.Web(answer), context) == CLOSED


async def test_a_service_that_reflects_only_beside_a_cookie_is_seen(context: Context) -> None:
    def answer(request: servers.Request) -> bytes:
        allowed = request.headers["origin"] if "cookie" in request.headers else "*"
        headers = {"Access-Control-Allow-Origin": allowed, "Vary": "Origin", **CREDENTIALS}
        return servers.response(200, headers=headers)

    values = await probe(servers.Web(answer), context)
    assert (values["strangers_refused"], values["void_wildcard"]) == (False, True)


async def test_plain_http_of_the_same_host_is_foreign_to_https(
    context: Context, tmp_path: Path
) -> None:
    web = sharing(lambda origin: origin.startswith("http://localhost"))
    values = await probe(web, context, authority=Authority(tmp_path))
    assert values["strangers_refused"] is False
    assert "GET /health allows http://localhost:" in str(values["strangers_refused_because"])


async def test_a_wildcard_is_no_finding(context: Context) -> None:
    values = await probe(constant(Access_Control_Allow_Origin="*"), context, origins=[APP])
    assert values == {
        "strangers_refused": True,
        "any_origin": True,
        "void_wildcard": False,
        "reflects_origin": False,
        "allowed_origins_accepted": True,
    }


async def test_a_wildcard_with_credentials_is_noted(context: Context) -> None:
    web = constant(Access_Control_Allow_Origin="*", Access_Control_Allow_Credentials="true")
    values = await probe(web, context)
    assert (values["strangers_refused"], values["void_wildcard"]) == (True, True)
    assert values["void_wildcard_because"] == (
        "GET /health allows * with credentials, a pair that browsers ignore"
    )


@pytest.mark.parametrize("word", ["True", "yes", ""])
async def test_credentials_are_allowed_by_one_word_alone(word: str, context: Context) -> None:
    def answer(request: servers.Request) -> bytes:
        headers = {
            "Access-Control-Allow-Origin": request.headers["origin"],
            "Access-Control-Allow-Credentials": word,
        }
        return servers.response(200, headers=headers)

    assert (await probe(servers.Web(answer), context))["strangers_refused"] is True


@pytest.mark.parametrize(
    ("vary", "good"),
    [("Origin", True), ("Accept, origin", True), ("*", True), ("Accept", False), ("", False)],
)
async def test_a_reflected_origin_must_vary(vary: str, good: bool, context: Context) -> None:
    values = await probe(sharing(lambda _: True, credentials=False, vary=vary), context)
    assert (values["strangers_refused"], values["reflects_origin"]) == (True, True)
    assert values["vary_origin"] is good
    if not good:
        assert values["vary_origin_because"] == (
            f"GET /health allows {STRANGER}, which it was asked by, without Vary: Origin"
        )


async def test_what_is_not_stored_need_not_vary(context: Context) -> None:
    def answer(request: servers.Request) -> bytes:
        headers = {
            "Access-Control-Allow-Origin": request.headers["origin"],
            "Cache-Control": "private, no-store",
        }
        return servers.response(200, headers=headers)

    assert (await probe(servers.Web(answer), context))["vary_origin"] is True


async def test_declared_origins_must_be_allowed(context: Context) -> None:
    other = "capacitor://localhost"
    values = await probe(sharing(lambda o: o == APP), context, origins=[APP, other])
    assert values["allowed_origins_accepted"] is False
    assert values["allowed_origins_accepted_because"] == f"GET /health does not allow {other}"


async def test_a_declared_origin_is_no_stranger(context: Context) -> None:
    web = sharing(lambda origin: origin == "null")
    values = await probe(web, context, origins=["null"])
    assert (values["strangers_refused"], values["allowed_origins_accepted"]) == (True, True)


@pytest.mark.parametrize("status", [404, 410, 429, 500, 503])
async def test_an_error_proves_nothing(status: int, context: Context) -> None:
    values = await probe(constant(status), context, path="/api?k=1", origins=[APP])
    assert set(values) == {
        *("strangers_refused_because", "any_origin_because", "void_wildcard_because"),
        *("reflects_origin_because", "allowed_origins_accepted_because"),
    }
    assert f"GET /api answered {status}" in str(values["strangers_refused_because"])


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_a_service_without_preflights_refuses_them(status: int, context: Context) -> None:
    web = servers.Web(lambda r: servers.response(status if r.method == "OPTIONS" else 200))
    assert await probe(web, context) == CLOSED


async def test_a_refusal_that_is_shared_with_strangers_is_a_finding(context: Context) -> None:
    def answer(request: servers.Request) -> bytes:
        origin = request.headers["origin"]
        return servers.response(401, headers={"Access-Control-Allow-Origin": origin, **CREDENTIALS})

    assert (await probe(servers.Web(answer), context))["strangers_refused"] is False


async def test_a_service_that_falls_silent_is_asked_no_more(context: Context) -> None:
    web = servers.Web(lambda _: servers.response(200))

    async def handler(reader: Any, writer: Any) -> None:
        await (web if not web.requests else servers.silent)(reader, writer)

    values = await probe(handler, dataclasses.replace(context, timeout=0.2), origins=[APP])
    assert "strangers_refused" not in values
    assert "timeout: no answer within 0.2 s" in str(values["strangers_refused_because"])
    assert "not asked" in str(values["allowed_origins_accepted_because"])


async def test_a_limiter_is_pressed_no_further(context: Context) -> None:
    web = constant(429)
    await probe(web, context, origins=[APP])
    assert len(web.requests) == 2


async def test_what_cannot_be_reached_is_a_failure(context: Context) -> None:
    async with servers.refusing() as port:
        service = Service.model_validate(
            {"name": "it", "kind": "http", "url": f"http://127.0.0.1:{port}"}
        )
        with pytest.raises(ProbeError) as caught:
            await measure(service, Settings(), context)
    assert caught.value.failure.kind == "refused"


async def test_hostile_answers_are_survived(context: Context) -> None:
    several = constant(Access_Control_Allow_Origin=f"{STRANGER}, null " + "x" * 9000)
    assert (await probe(several, context))["strangers_refused"] is True
    with pytest.raises(ProbeError):
        await probe(servers.garbage, context)


@pytest.mark.parametrize(
    "settings",
    [
        {"path": "api"},
        {"origins": []},
        {"origins": ["*"]},
        {"origins": ["https://app.example.com/"]},
        {"origins": ["app.example.com"]},
        {"origins": [f"https://a{n}.example" for n in range(11)]},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(settings)
