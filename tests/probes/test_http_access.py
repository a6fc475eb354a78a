"""http_access against a service with a guard, and against guards that do not guard."""

import dataclasses
import json
from typing import Any

import pytest
from pydantic import ValidationError

from readiness.failure import ProbeError
from readiness.inventory import Service
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes.http_access import METRICS, Settings, corrupted, measure
from tests import servers

pytestmark = pytest.mark.anyio

PASSWORD = "hunter2-canary"
TOKEN = "token-canary"
KEY = {"headers": {"Authorization": f"Bearer {TOKEN}"}}
LOGIN = {"request": "POST /login", "json": {"user": "ann", "password": PASSWORD}}


def guarded(request: servers.Request) -> bytes:
    """Answer as a service should: a public path, a private one, and a login."""
    path = request.target.partition("?")[0]
    if path == "/public":
        return servers.response(200, "[]")
    if path == "/login":
        return login(request)
    if path == "/private":
        known = request.headers.get("authorization") == f"Bearer {TOKEN}"
        return servers.response(200 if known else 401)
    return servers.response(404)


def login(request: servers.Request) -> bytes:
    right = json.loads(request.body) == LOGIN["json"]
    return servers.response(200 if right else 401, json.dumps({"access_token": TOKEN}))


async def probe(server: servers.Handler, context: Context, **settings: Any) -> Values:
    async with servers.serving(server) as port:
        url = f"http://ann:{PASSWORD}@127.0.0.1:{port}/?key={PASSWORD}"
        service = Service.model_validate({"name": "it", "kind": "http", "url": url})
        values = await measure(service, Settings.model_validate(settings), context)
    assert PASSWORD not in str(values)
    assert TOKEN not in str(values)
    assert {name.removesuffix("_because") for name in values} <= set(METRICS)
    return values


def answering(status: int, **headers: str) -> servers.Web:
    return servers.always(servers.response(status, headers=headers))


async def test_a_guarded_service(context: Context) -> None:
    web = servers.Web(guarded)
    values = await probe(
        web, context, public=["/public"], protected=["/private", "HEAD /private"], credential=KEY
    )
    assert values == {
        "protected_paths": 2,
        "public_paths": 1,
        "anonymous_refused": True,
        "public_answered": True,
        "credential_accepted": True,
        "forged_refused": True,
    }
    assert [r.method for r in web.requests] == ["GET", "HEAD", "GET", "GET", "HEAD", "GET"]
    assert web.connections == 6
    forged = web.requests[-1].headers["authorization"]
    assert forged.startswith("Bearer ")
    assert forged != f"Bearer {TOKEN}"


async def test_an_anonymous_request_carries_nothing_of_the_urls_credentials(
    context: Context,
) -> None:
    web = servers.Web(guarded)
    await probe(web, context, protected=["/private"])
    [request] = web.requests
    assert request.target == "/private"
    assert "authorization" not in request.headers


@pytest.mark.parametrize(
    ("status", "because"),
    [
        (200, "GET /private answered an anonymous request with 200"),
        (
            302,
            "GET /private answered an anonymous request with 302, a redirect to /login, "
            "which is no refusal (401 or 403)",
        ),
        (
            400,
            "GET /private answered an anonymous request with 400, which is no refusal (401 or 403)",
        ),
    ],
)
async def test_what_is_no_refusal_is_named(status: int, because: str, context: Context) -> None:
    web = answering(status, Location="/login")
    values = await probe(web, context, protected=["/private?key=secret"])
    assert values["anonymous_refused"] is False
    assert values["anonymous_refused_because"] == because


@pytest.mark.parametrize(
    ("status", "because"),
    [
        (404, "404, which tells nothing of protection: the path may not exist"),
        (500, "500, which is a failure and no refusal"),
        (429, "429, which is no refusal (401 or 403)"),
    ],
)
async def test_what_tells_nothing_of_protection_is_unknown(
    status: int, because: str, context: Context
) -> None:
    values = await probe(answering(status), context, protected=["/private"])
    assert "anonymous_refused" not in values
    said = f"GET /private answered an anonymous request with {because}"
    assert values["anonymous_refused_because"] == said


async def test_the_policy_says_what_a_refusal_is(context: Context) -> None:
    to_login = answering(302, Location="/login")
    values = await probe(to_login, context, protected=["/private"], refuse_with=[302])
    assert values["anonymous_refused"] is True
    values = await probe(answering(403), context, protected=["/private"], refuse_with=[401])
    assert values["anonymous_refused"] is False


async def test_many_offenders_are_counted(context: Context) -> None:
    paths = [f"/p{i}" for i in range(8)]
    values = await probe(answering(200), context, protected=paths)
    assert str(values["anonymous_refused_because"]).endswith("; 3 more")


async def test_a_path_without_an_answer_does_not_hide_the_others(context: Context) -> None:
    web = servers.Web(lambda r: b"\x00\r\n\r\n" if r.target == "/bad" else guarded(r))
    values = await probe(web, context, public=["/public"], protected=["/private", "/bad"])
    assert values["public_answered"] is True
    assert values["anonymous_refused_because"] == (
        "GET /bad gave no answer (protocol: the answer is not HTTP/1.1)"
    )


async def test_public_paths_that_do_not_answer_are_named(context: Context) -> None:
    values = await probe(servers.Web(guarded), context, public=["/public", "/private"])
    assert values["public_answered"] is False
    assert values["public_answered_because"] == "GET /private answered 401"


async def test_not_tested_differs_from_passed(context: Context) -> None:
    values = await probe(servers.Web(guarded), context, public=["/public"], credential=KEY)
    assert "anonymous_refused" not in values
    assert values["anonymous_refused_because"] == "no protected path is declared"
    assert "credential_accepted" not in values
    assert values["credential_accepted_because"] == ("no protected path is declared to try it on")
    values = await probe(servers.Web(guarded), context, protected=["/private"])
    assert values["public_answered_because"] == "no public path is declared"
    assert not [name for name in values if name.startswith(("credential", "forged", "login"))]


async def test_a_credential_that_is_refused(context: Context) -> None:
    wrong = {"headers": {"Authorization": f"Bearer {PASSWORD}"}}
    values = await probe(servers.Web(guarded), context, protected=["/private"], credential=wrong)
    assert values["credential_accepted"] is False
    assert values["credential_accepted_because"] == (
        "with the credential, GET /private answered 401"
    )
    assert "forged_refused" not in values
    assert values["forged_refused_because"] == (
        "the credential was not accepted, so that a forged one proves nothing"
    )


@pytest.mark.parametrize(
    ("server", "kind"),
    [
        (servers.silent, "timeout"),
        (servers.header_drip, "timeout"),
        (servers.garbage, "protocol"),
        (servers.slam, "reset"),
    ],
    ids=["silent", "drip", "garbage", "slam"],
)
async def test_a_service_without_any_answer(
    server: servers.Handler, kind: str, context: Context
) -> None:
    with pytest.raises(ProbeError) as caught:
        await probe(server, dataclasses.replace(context, timeout=0.1), protected=["/private"])
    assert caught.value.failure.kind == kind


# Forged credentials


@pytest.mark.parametrize("given", [{"credential": KEY}, {"login": LOGIN}])
async def test_a_guard_that_takes_any_token_is_found(given: Any, context: Context) -> None:
    def gullible(request: servers.Request) -> bytes:
        shown = request.headers.get("authorization", "").startswith("Bearer ")
        if request.target == "/private":
            return servers.response(200 if shown else 401)
        return guarded(request)

    values = await probe(servers.Web(gullible), context, protected=["/private"], **given)
    assert (values["credential_accepted"], values["forged_refused"]) == (True, False)
    assert values["forged_refused_because"] == (
        "GET /private answered a forged credential with 200"
    )


@pytest.mark.parametrize(
    ("status", "because"),
    [
        (401, None),
        (403, None),
        (400, None),
        (
            302,
            "GET /private answered a forged credential with 302, "
            "which is no refusal (400 or 401 or 403)",
        ),
        (
            500,
            "GET /private answered a forged credential with 500, "
            "which is no refusal (400 or 401 or 403)",
        ),
    ],
)
async def test_what_refuses_a_forged_credential(
    status: int, because: str | None, context: Context
) -> None:
    def answer(request: servers.Request) -> bytes:
        shown = request.headers.get("authorization", "")
        if shown not in ("", f"Bearer {TOKEN}"):
            return servers.response(status, headers={"Location": f"/denied/{shown[7:]}"})
        return guarded(request)

    values = await probe(servers.Web(answer), context, protected=["/private"], credential=KEY)
    assert values["forged_refused"] is (because is None)
    assert values.get("forged_refused_because") == because


async def test_no_answer_to_a_forged_credential_is_no_refusal(context: Context) -> None:
    def answer(request: servers.Request) -> bytes:
        shown = request.headers.get("authorization", "")
        return guarded(request) if shown in ("", f"Bearer {TOKEN}") else b"\x00\r\n\r\n"

    values = await probe(servers.Web(answer), context, protected=["/private"], credential=KEY)
    assert values["forged_refused"] is False
    assert values["forged_refused_because"] == (
        "GET /private gave no answer to a forged credential (protocol)"
    )


@pytest.mark.parametrize(
    ("name", "value", "forged"),
    [
        ("X-Key", "abc", "nop"),
        ("Authorization", "Bearer eyJh.eyJz.c2lnbmF0dXJl", "Bearer eyJh.eyJz.c2lnozS5qKWy"),
        ("Authorization", "Basic YW5uOnB3MTIzNDU2==", "Basic YW5uOnB3ZGVmAQH7=="),
        ("authorization", "Token  a-1", "Token  nx6"),
        ("Cookie", "session=abc; theme=dark", "session=nop; theme=qnex"),
        ("X-Key", "==", "xx"),
    ],
)
def test_a_corrupted_credential_keeps_its_form(name: str, value: str, forged: str) -> None:
    assert corrupted(name, value) == forged


# Login


async def test_a_login_opens_what_is_protected(context: Context, concealed: list[str]) -> None:
    web = servers.Web(guarded)
    values = await probe(web, context, protected=["/private"], login=LOGIN)
    assert values["login_accepted"] is True
    assert values["credential_accepted"] is True
    assert concealed == [TOKEN]
    assert "authorization" not in web.requests[1].headers


async def test_a_login_waits_for_the_write_tier(context: Context) -> None:
    web = servers.Web(guarded)
    observing = dataclasses.replace(context, allowed=frozenset({"observe"}))
    values = await probe(web, observing, protected=["/private"], login=LOGIN)
    assert values["login_accepted_because"] == "a login needs the write tier (--allow write)"
    assert values["credential_accepted_because"] == values["login_accepted_because"]
    assert values["forged_refused_because"] == values["login_accepted_because"]
    assert {"login_accepted", "credential_accepted", "forged_refused"}.isdisjoint(values)
    assert [request.target for request in web.requests] == ["/private"]


FASTAPI = {
    "detail": [
        {
            "type": "missing",
            "loc": ["body", "email"],
            "msg": "Field required",
            "input": {"user": "ann", "password": PASSWORD},
        }
    ]
}


@pytest.mark.parametrize(
    ("body", "media_type", "why"),
    [
        (json.dumps(FASTAPI), "application/json", ": body.email: Field required"),
        ('{"message": "bad credentials"}', "application/json", ": bad credentials"),
        ('{"error": {"code": 7, "message": "locked"}}', "application/json", ": locked"),
        (
            '{"errors": {"email": ["required"], "age": ["too low"]}}',
            "application/json",
            ": email: required; age: too low",
        ),
        (
            '{"title": "Unauthorized", "detail": "user ann unknown"}',
            "application/problem+json",
            ": user *** unknown; Unauthorized",
        ),
        (
            json.dumps({"error": f"no user {PASSWORD}, {PASSWORD}!"}),
            "application/json",
            ": no user ***, ***!",
        ),
        (json.dumps({"got": {"password": PASSWORD}}), "application/json",
         ': {"got": {"password": "***"}}'),
        ("x" * 500, "text/plain", ": " + "x" * 199 + "…"),
        ("<h1>Forbidden</h1>", "text/html", ""),
        ("", "text/plain", ""),
        ("[" * 5000, "application/json", ": " + "[" * 199 + "…"),
    ],
)  # fmt: skip
async def test_a_refused_login_is_told_with_the_servers_reason(
    body: str, media_type: str, why: str, context: Context
) -> None:
    def answer(request: servers.Request) -> bytes:
        refused = servers.response(422, body, media_type)
        return refused if request.target == "/login" else guarded(request)

    values = await probe(servers.Web(answer), context, protected=["/private"], login=LOGIN)
    assert values["login_accepted"] is False
    assert values["login_accepted_because"] == f"POST /login answered 422{why}"
    assert "credential_accepted" not in values
    assert values["credential_accepted_because"] == "the login was refused"
    assert values["forged_refused_because"] == "the login was refused"
    assert "forged_refused" not in values


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "no json",
        "{}",
        '{"access_token": 7}',
        '{"access_token": ""}',
        '{"access_token": "two\\r\\nlines"}',
        '{"access_token": {"a": "b"}}',
        "[" * 50_000,
    ],
)
async def test_a_login_without_a_usable_token_is_refused(answer: str, context: Context) -> None:
    web = servers.always(servers.response(200, answer))
    values = await probe(web, context, login=LOGIN)
    assert values["login_accepted"] is False
    assert values["login_accepted_because"] == (
        "POST /login answered 200 without a token at $.access_token"
    )


async def test_a_login_without_an_answer_says_why(context: Context) -> None:
    web = servers.Web(lambda r: b"\x00\r\n\r\n" if r.target == "/login" else guarded(r))
    values = await probe(web, context, protected=["/private"], login=LOGIN)
    assert values["login_accepted_because"] == ("POST /login: protocol: the answer is not HTTP/1.1")


async def test_a_form_login_with_a_token_deep_in_the_answer(
    context: Context, concealed: list[str]
) -> None:
    def answer(request: servers.Request) -> bytes:
        if request.target == "/login":
            assert request.body == b"user=ann&password=hunter2-canary"
            assert request.headers["content-type"] == "application/x-www-form-urlencoded"
            return servers.response(201, json.dumps({"data": [{"key": TOKEN}]}))
        return servers.response(200 if request.headers.get("x-key") == TOKEN else 401)

    form = {
        "request": "POST /login",
        "form": LOGIN["json"],
        "token": "$.data[0].key",
        "header": "X-Key",
        "scheme": "",
    }
    values = await probe(servers.Web(answer), context, protected=["/private"], login=form)
    assert values["credential_accepted"] is True
    assert concealed == [TOKEN]


async def test_a_redirected_login_takes_the_credentials_nowhere(context: Context) -> None:
    elsewhere = servers.always(servers.response(200))
    async with servers.serving(elsewhere) as other:
        web = answering(307, Location=f"http://127.0.0.1:{other}/login?p=1")
        values = await probe(web, context, login=LOGIN)
    assert elsewhere.requests == []
    assert values["login_accepted_because"] == (
        f"POST /login answered 307, a redirect to http://127.0.0.1:{other}/login"
    )


# Settings


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"protected": ["POST /x"]},
        {"protected": ["x"]},
        {"protected": ["http://elsewhere.test/"]},
        {"protected": ["/x"], "refuse_with": [404]},
        {"protected": ["/x"], "refuse_with": [200]},
        {"protected": ["/x"], "refuse_with": []},
        {"protected": ["/x"], "credential": KEY, "login": LOGIN},
        {"protected": ["/x"], "credential": {"headers": {}}},
        {"protected": ["/x"], "credential": {"headers": {"A": "b\r\nEvil: 1"}}},
        {"protected": ["/x"], "credential": {"headers": {"A b": "c"}}},
        {"login": {"request": "POST /login"}},
        {"login": {**LOGIN, "form": {"a": "b"}}},
        {"login": {**LOGIN, "request": "GET /login"}},
        {"login": {**LOGIN, "token": "access_token"}},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(settings)
    assert PASSWORD not in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_secrets_are_hidden_in_settings_and_fields_are_described() -> None:
    settings = Settings.model_validate({"protected": ["/x"], "login": LOGIN})
    assert PASSWORD not in repr(settings) + settings.model_dump_json(by_alias=True)
    assert KEY["headers"]["Authorization"] not in repr(
        Settings.model_validate({"protected": ["/x"], "credential": KEY})
    )
    schema = Settings.model_json_schema()
    assert "json" in schema["$defs"]["Login"]["properties"]
    for model in (schema, *schema["$defs"].values()):
        for name, field in model.get("properties", {}).items():
            assert field.get("description"), name


async def test_a_refused_credential_comes_with_the_servers_reason_and_not_with_itself(
    context: Context,
) -> None:
    def refuse(request: servers.Request) -> bytes:
        key = request.headers.get("authorization", "")
        told = json.dumps({"detail": f"stale key: {key}"})
        return servers.response(403 if key else 401, told)

    key = {"headers": {"Authorization": f"Bearer {PASSWORD}"}}
    values = await probe(servers.Web(refuse), context, protected=["/private"], credential=key)
    assert values["credential_accepted_because"] == (
        "with the credential, GET /private answered 403: stale key: ***"
    )
