"""Who takes steps: what is sent for each, what is kept of the answers, and as whom."""

import asyncio
import hashlib
import json
from typing import Any

import pytest
from pydantic import SecretStr

from readiness.failure import ProbeError
from readiness.probes import Context
from tests import servers
from tests.journeys import Step, inventory, lent, visitor, walked

pytestmark = pytest.mark.anyio

TOKEN = "t0ken-5c1f9a7e-of-ann"
LOGIN = {"request": "POST /login", "json": {"user": "ann", "password": "hunter22"}}
ANN = {"service": "it", "login": LOGIN}


def said(body: Any = "", status: int = 200, **headers: str) -> bytes:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return servers.response(status, json.dumps(body), headers=fields)


async def test_each_kind_of_capture(context: Context, concealed: list[str]) -> None:
    data = {"token": TOKEN, "n": 5, "on": True, "list": [{"id": "a1"}, {"id": "b2"}]}
    capture = {
        "token": "$.token",
        "n": {"json": "$.n"},
        "on": "$.on",
        "first": "$.list[*].id",
        "where": {"header": "location"},
        "sid": {"cookie": "sid"},
        "sent": {"sha256": "sent"},
        "got": {"sha256": "received"},
    }
    step = {"name": "s", "request": "POST /", "body": "file", "capture": capture}
    raw = said(data, Location="/x/1", Set_Cookie="sid=c00kie-1234567; Path=/")
    async with visitor(context, lambda _: raw, step) as (who, _):
        taken = await who.take(who._inventory.journeys[0].steps[0])
        assert taken.outcome == "passed"
        kept = {k: v for k, v in who.variables.items() if k in capture}
    assert kept == {
        "token": TOKEN,
        "n": 5,
        "on": True,
        "first": "a1",
        "where": "/x/1",
        "sid": "c00kie-1234567",
        "sent": hashlib.sha256(b"file").hexdigest(),
        "got": hashlib.sha256(json.dumps(data).encode()).hexdigest(),
    }
    assert {TOKEN, "c00kie-1234567"} <= set(concealed)


@pytest.mark.parametrize(
    ("capture", "body"),
    [
        ("$.x", {}),
        ("$.x", {"x": None}),
        ("$.x", {"x": {}}),
        ("$.x", {"x": ["a"]}),
        ("$.x", {"x": ""}),
        ("$.x", {"x": "\ud800"}),
        ("$.x", {"x": float("nan")}),
        ("$.x", {"x": "y" * 9000}),
        ("$.x[*]", {"x": []}),
        ({"header": "Location"}, {}),
        ({"cookie": "sid"}, {}),
    ],
)
async def test_what_cannot_be_kept_fails_the_step(
    context: Context, capture: Any, body: Any
) -> None:
    step = {"name": "s", "request": "/", "capture": {"id": capture}}
    async with visitor(context, lambda _: said(body), step) as (who, _):
        taken = await who.take(who._inventory.journeys[0].steps[0])
    source = capture if isinstance(capture, str) else next(iter(capture))
    assert taken.outcome == "failed"
    assert source in taken.because and taken.because.endswith(" holds nothing to keep as id")


@pytest.mark.parametrize("capture", ["$.x", {"sha256": "received"}])
async def test_nobody_knows_what_there_was_to_keep_of_an_endless_body(
    context: Context, capture: Any
) -> None:
    async with servers.serving(servers.endless_body) as port:
        of = inventory(port, [{"name": "s", "request": "/", "capture": {"id": capture}}])
        values = await walked(lent(context, of))
    assert "succeeded" not in values
    assert "longer than the 1 MiB" in str(values["succeeded_because"])


async def sent(context: Context, value: Any, **step: Any) -> list[servers.Request]:
    """Return the requests of a journey that keeps `value` as `v` and then takes `step`."""
    keep = {"name": "keep", "request": "/keep", "capture": {"v": "$.v"}}
    web = servers.Web(lambda request: said({"v": value}))
    async with servers.serving(web) as port:
        of = inventory(port, [keep, {"name": "then", **step}])
        values = await walked(lent(context, of))
    assert "probe_bug" not in str(values)
    assert values.get("succeeded") is (len(web.requests) == 2)
    return web.requests[1:]


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "caf\xe9", "a\x00b", "a\nb"])
async def test_a_value_does_not_break_out_of_a_header(context: Context, value: str) -> None:
    assert await sent(context, value, request="/x", headers={"X-V": "{{v}}"}) == []


@pytest.mark.parametrize(("value", "field"), [("  a b ", "a b"), (" ", ""), (True, "true")])
async def test_a_header_is_sent_without_the_spaces_around_it(
    context: Context, value: Any, field: str
) -> None:
    [request] = await sent(context, value, request="/x", headers={"X-V": "{{v}}"})
    assert request.headers["x-v"] == field


async def test_a_value_does_not_break_out_of_a_path(context: Context) -> None:
    [request] = await sent(context, "a/../b?c d\r\n#é", request="/x/{{v}}?q={{v}}")
    inner = "a%2F..%2Fb%3Fc%20d%0D%0A%23%C3%A9"
    assert request.target == f"/x/{inner}?q={inner}"


@pytest.mark.parametrize("value", ["..", "."])
async def test_a_value_does_not_lead_to_another_path(context: Context, value: str) -> None:
    assert await sent(context, value, request="DELETE /things/{{v}}") == []


async def test_a_location_is_asked_of_the_service_itself(context: Context) -> None:
    stranger = servers.Web(lambda _: said())
    async with servers.serving(stranger) as port:
        for origin in (
            f"http://127.0.0.1:{port}",
            f"//127.0.0.1:{port}",
            f"HTTP://127.0.0.1:{port}",
        ):
            [request] = await sent(
                context, f"{origin}/files/a b?x=1#y", request="{{v}}", headers={"X-Key": "k"}
            )
            assert request.target == "/files/a%20b?x=1"
    assert stranger.requests == []


@pytest.mark.parametrize("value", ["files/1", "mailto:a@b", "5"])
async def test_what_is_no_path_is_not_asked_for(context: Context, value: str) -> None:
    assert await sent(context, value, request="{{v}}") == []


async def test_each_round_logs_in_afresh_and_nobody_sends_nothing(context: Context) -> None:
    logins = 0

    def answer(request: servers.Request) -> bytes:
        nonlocal logins
        logins += request.target == "/login"
        return said({"access_token": f"{TOKEN}-{logins}"})

    steps: list[Step] = [
        {"name": "me", "request": "/me"},
        {"name": "again", "request": "/again"},
        {"name": "public", "request": "/public", "as": "nobody"},
    ]
    web = servers.Web(answer)
    async with servers.serving(web) as port:
        of = inventory(port, steps, identities={"ann": ANN}, repeat=2, **{"as": "ann"})
        await walked(lent(context, of))
    asked = [(r.target, r.headers.get("authorization")) for r in web.requests]
    one, two = f"Bearer {TOKEN}-1", f"Bearer {TOKEN}-2"
    assert asked == [
        *(("/login", None), ("/me", one), ("/again", one), ("/public", None)),
        *(("/login", None), ("/me", two), ("/again", two), ("/public", None)),
    ]


async def test_a_refused_login_fails_the_step_and_is_made_once_a_round(context: Context) -> None:
    web = servers.Web(lambda request: said({"error": f"no: {request.body.decode()}"}, 401))
    steps: list[Step] = [
        {"name": "me", "request": "/me"},
        *({"name": f"tidy{n}", "request": "/tidy", "always": True} for n in range(3)),
    ]
    async with servers.serving(web) as port:
        of = inventory(port, steps, identities={"ann": ANN}, **{"as": "ann"})
        values = await walked(lent(context, of))
    assert [r.target for r in web.requests] == ["/login"], "many would lock the account"
    because = str(values["succeeded_because"])
    assert "as ann: POST /login answered 401: no: " in because
    assert "hunter22" not in because


async def test_an_identity_by_steps_takes_its_cookies_and_a_csrf_token_along(
    context: Context,
) -> None:
    def answer(request: servers.Request) -> bytes:
        cookie = request.headers.get("cookie", "")
        if request.target == "/form":
            return said({}, Set_Cookie="csrf=c5rf-1234; Path=/")
        if request.target == "/session":
            right = cookie == "csrf=c5rf-1234" and request.headers["x-csrf"] == "c5rf-1234"
            return said({}, 200 if right else 403, Set_Cookie="sid=s1d-5678; HttpOnly; Path=/")
        right = cookie == "csrf=c5rf-1234; sid=s1d-5678"
        right = right and request.headers.get("x-csrf") == "c5rf-1234"
        return said({}, 200 if right else 401)

    ann = {
        "service": "it",
        "steps": [
            {"name": "form", "request": "/form", "capture": {"csrf": {"cookie": "csrf"}}},
            {
                "name": "session",
                "request": "POST /session",
                "form": {"user": "ann", "password": "hunter22"},
                "headers": {"X-CSRF": "{{csrf}}"},
            },
        ],
        "headers": {"X-CSRF": "{{csrf}}"},
    }
    web = servers.Web(answer)
    steps: list[Step] = [
        {"name": "me", "request": "/me", "as": "ann"},
        {"name": "anyone", "request": "/me", "expect": {"status": 401}},
    ]
    async with servers.serving(web) as port:
        values = await walked(lent(context, inventory(port, steps, identities={"ann": ann})))
    assert values.get("succeeded_because") is None
    assert values["succeeded"] is True
    assert "cookie" not in web.requests[-1].headers, "cookies are each one's own"


async def test_a_poll_asks_until_it_holds_though_the_server_is_down_meanwhile(
    context: Context,
) -> None:
    tries = 0

    async def starting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        if tries == 2:
            await servers.slam(reader, writer)
            return
        await servers.read_request(reader)
        writer.write(said({"state": "completed" if tries == 4 else "running"}))

    step = {
        "name": "wait",
        "request": "/job",
        "expect": {"json": {"$.state": "completed"}},
        "poll": {"every": "50ms", "for": "5s"},
    }
    async with servers.serving(starting) as port:
        values = await walked(lent(context, inventory(port, [step])))
    assert values["succeeded"] is True
    assert tries == 4


async def test_a_poll_that_never_holds_fails_with_what_it_saw_last(context: Context) -> None:
    step = {
        "name": "wait",
        "request": "/job",
        "expect": {"json": {"$.state": "completed"}},
        "poll": {"every": "50ms", "for": "300ms"},
    }
    web = servers.Web(lambda _: said({"state": "running"}))
    async with servers.serving(web) as port:
        values = await walked(lent(context, inventory(port, [step])))
    assert values["succeeded"] is False
    because = str(values["succeeded_because"])
    assert "still $.state is running, expected completed after 0.3 s" in because
    assert 2 <= len(web.requests) <= 7


async def test_a_login_without_the_write_tier_is_not_sent(context: Context) -> None:
    async with visitor(
        context, lambda _: said(), {"name": "me", "request": "/me"}, identities={"ann": ANN}
    ) as (who, web):
        who.context = lent(who.context, who._inventory, allowed=frozenset({"observe"}))
        with pytest.raises(ProbeError, match="write tier"):
            await who.prove("ann")
        assert web.requests == []


async def test_a_password_made_of_a_reference_is_concealed_but_a_name_is_not(
    context: Context, concealed: list[str]
) -> None:
    data = {"password": "Pw-{{unique}}!", "name": "{{unique}}", "token": "{{unique}}"}
    step = {"name": "s", "request": "POST /", "json": data}
    async with visitor(context, lambda _: said(), step) as (who, _):
        await who.take(who._inventory.journeys[0].steps[0])
    assert concealed == ["Pw-readiness-test-1!"]


async def test_nobody_brings_no_cookie_of_who_has_no_name(context: Context) -> None:
    web = servers.Web(lambda _: said(Set_Cookie="sid=s1d-5678; Path=/"))
    steps: list[Step] = [
        {"name": "login", "request": "POST /login"},
        {"name": "stranger", "request": "/me", "as": "nobody"},
        {"name": "again", "request": "/me", "as": "nobody"},
        {"name": "me", "request": "/me"},
    ]
    async with servers.serving(web) as port:
        await walked(lent(context, inventory(port, steps)))
    sent = [request.headers.get("cookie") for request in web.requests]
    assert sent == [None, None, None, "sid=s1d-5678"]


PROOFS = ("authorization", "x-api-key")
OWN = "Basic YWRtaW46cHctb2YtdGhlLXVybA=="


async def test_the_urls_own_credentials_prove_nobody_else(context: Context) -> None:
    web = servers.Web(lambda _: said({"where": "/x?page=2"}))
    bob = {"headers": {"X-API-Key": "k3y-of-bob"}}
    eve = {
        "service": "it",
        "steps": [{"name": "in", "request": "POST /in"}],
        "headers": {"X-API-Key": "k3y-of-eve"},
    }
    steps: list[Step] = [
        {"name": "own", "request": "/own", "capture": {"where": "$.where"}},
        {"name": "there", "request": "{{where}}"},
        {"name": "bob", "request": "/bob", "as": "bob"},
        {"name": "bob-there", "request": "{{where}}", "as": "bob"},
        {"name": "eve", "request": "/eve", "as": "eve"},
        {"name": "nobody", "request": "/nobody", "as": "nobody"},
    ]
    async with servers.serving(web) as port:
        of = inventory(port, steps, identities={"bob": bob, "eve": eve})
        url = SecretStr(f"http://admin:pw-of-the-url@127.0.0.1:{port}/?key=qu3ry-key")
        service = of.services[0].model_copy(update={"url": url})
        await walked(lent(context, of.model_copy(update={"services": (service,)})))
    asked = [(r.target, *(r.headers.get(name) for name in PROOFS)) for r in web.requests]
    assert asked == [
        ("/own?key=qu3ry-key", OWN, None),
        ("/x?page=2&key=qu3ry-key", OWN, None),
        ("/bob", None, "k3y-of-bob"),
        ("/x?page=2", None, "k3y-of-bob"),
        ("/in", None, None),
        ("/eve", None, "k3y-of-eve"),
        ("/nobody", None, None),
    ]


async def test_a_query_that_a_location_has_already_is_not_sent_twice(context: Context) -> None:
    web = servers.Web(lambda _: said({"where": "/x?key=qu3ry-key"}))
    steps: list[Step] = [
        {"name": "own", "request": "/own", "capture": {"where": "$.where"}},
        {"name": "there", "request": "{{where}}"},
    ]
    async with servers.serving(web) as port:
        of = inventory(port, steps)
        url = SecretStr(f"http://127.0.0.1:{port}/?key=qu3ry-key")
        service = of.services[0].model_copy(update={"url": url})
        await walked(lent(context, of.model_copy(update={"services": (service,)})))
    assert web.requests[-1].target == "/x?key=qu3ry-key"
