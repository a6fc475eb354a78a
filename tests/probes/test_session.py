"""session against services whose sessions begin and end as they should, and against each flaw."""

import dataclasses
import json
import types
from typing import Any

import pytest
from pydantic import ValidationError

from readiness.failure import ProbeError
from readiness.inventory import Inventory
from readiness.ledger import Ledger
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes._answer import Answer
from readiness.probes._http import Target
from readiness.probes._payload import Payload
from readiness.probes._session_cookie import judged, planted
from readiness.probes._session_door import Door
from readiness.probes._taken import Asked
from readiness.probes.session import METRICS, Settings, measure
from tests import servers

pytestmark = pytest.mark.anyio

PASSWORD = "hunter2-canary"
NAMED = {"journey": "session", "show": "me", "logout": "logout"}
NAMED_ALONE = {"journey": "session", "show": "me"}
LOGIN: dict[str, Any] = {"name": "login", "request": "POST /login", "json": {"password": PASSWORD}}
ME: dict[str, Any] = {"name": "me", "request": "GET /me", "expect": {"json": {"$.name": "ann"}}}
LOGOUT: dict[str, Any] = {"name": "logout", "request": "POST /logout"}
REFRESH: dict[str, Any] = {"name": "refresh", "request": "POST /refresh"}
BEARER: dict[str, Any] = {"headers": {"Authorization": "Bearer {{access}}"}}
KEPT: dict[str, Any] = {"capture": {"access": "$.access", "refresh_token": "$.refresh"}}
TOKENS: list[dict[str, Any]] = [
    LOGIN | KEPT,
    ME | BEARER,
    REFRESH | KEPT | {"json": {"refresh": "{{refresh_token}}"}},
    LOGOUT | BEARER,
]
COOKIES: list[dict[str, Any]] = [LOGIN, ME, LOGOUT, REFRESH]


class Sessions:
    """Hands out tokens, or cookies where `attributes` are given; `flaws` say what is wrong."""

    def __init__(self, *flaws: str, attributes: str = "") -> None:
        self.flaws, self.attributes = frozenset(flaws), attributes
        self.live: set[str] = set()
        self.refreshes: set[str] = set()
        self.count = 0
        self.asked: list[str] = []

    def __call__(self, request: servers.Request) -> bytes:
        self.asked.append(f"{request.method} {request.target}")
        shown = self.shown(request)
        if "limited in the end" in self.flaws and self.asked.count("POST /login") > 2:
            return servers.response(429)
        if request.target == "/login":
            if json.loads(request.body) != {"password": PASSWORD}:
                return servers.response(401)
            keeps = "keeps the id" in self.flaws and bool(shown)
            return self.granted(shown if keeps else self.new("access"))
        if request.target == "/refresh":
            return self.refreshed(request, shown)
        if shown not in self.live and not ("open" in self.flaws and request.method == "GET"):
            headers = {"Set-Cookie": f"sid={self.new('stranger')}; Path=/"}
            gives = "gives strangers ids" in self.flaws
            return servers.response(401, "{}", headers=headers if gives else {})
        if request.target == "/logout":
            return self.logout(shown)
        return servers.response(200, '{"name": "ann"}')

    def shown(self, request: servers.Request) -> str:
        if self.attributes:
            pairs = request.headers.get("cookie", "").split("; ")
            return next((p.partition("=")[2] for p in pairs if p.startswith("sid=")), "")
        return request.headers.get("authorization", "").removeprefix("Bearer ")

    def new(self, kind: str) -> str:
        self.count += 1
        return f"{kind}-canary-{self.count:04}"

    def granted(self, access: str, refresh: str | None = None) -> bytes:
        self.live.add(access)
        refresh = refresh or self.new("refresh")
        self.refreshes.add(refresh)
        if not self.attributes:
            return servers.response(200, json.dumps({"access": access, "refresh": refresh}))
        theme = "theme=dark-canary; Path=/"
        cookies = f"sid={access}; {self.attributes}\r\nSet-Cookie: {theme}"
        return servers.response(200, "{}", headers={"Set-Cookie": cookies})

    def logout(self, shown: str) -> bytes:
        if "logout fails" in self.flaws:
            return servers.response(500)
        if "logout does nothing" not in self.flaws:
            self.live.discard(shown)
        return servers.response(204)

    def refreshed(self, request: servers.Request, shown: str) -> bytes:
        if self.attributes:
            if shown not in self.live:
                return servers.response(401)
            if "same refresh" in self.flaws:
                return servers.response(200)
            if "reuse" not in self.flaws:
                self.live.discard(shown)
            return self.granted(self.new("access"))
        old = json.loads(request.body)["refresh"]
        if old not in self.refreshes:
            return servers.response(401)
        if "same refresh" in self.flaws:
            return self.granted(self.new("access"), old)
        if "reuse" not in self.flaws:
            self.refreshes.discard(old)
        if "reuse breaks" in self.flaws:
            self.refreshes.add(old)
            if self.asked.count("POST /refresh") > 1:
                return servers.response(500)
        return self.granted(self.new("access"))


async def probe(
    service: Any, context: Context, steps: list[dict[str, Any]], **settings: Any
) -> Values:
    async with servers.serving(servers.Web(service)) as port:
        values = await measured(port, context, steps, settings)
    assert "canary" not in str(values)
    assert {name.removesuffix("_because") for name in values} <= set(METRICS)
    return values


async def measured(
    port: int,
    context: Context,
    steps: list[dict[str, Any]],
    settings: dict[str, Any],
    **more: Any,
) -> Values:
    inventory = Inventory.model_validate(
        {
            "version": 1,
            "system": {"name": "it"},
            "services": {"it": {"kind": "http", "url": f"http://127.0.0.1:{port}"}},
            "journeys": {"session": {"title": "S", "service": "it", "steps": steps, **more}},
            "identities": {"ann": {"service": "it", "steps": [LOGIN]}},
        }
    )
    context = dataclasses.replace(context, inventory=inventory, ledger=Ledger(None, "it"))
    return await measure(inventory.services[0], Settings.model_validate(settings), context)


GOOD_TOKENS = {
    "cookie_session": False,
    "session_id_cookie": False,
    "logout_invalidates": True,
    "refresh_rotates": True,
    "refresh_reuse_refused": True,
}
GOOD_COOKIES = {
    "cookie_session": True,
    "session_id_cookie": True,
    "cookie_flagged": True,
    "cookie_short_lived": True,
    "logout_invalidates": True,
    "login_renews": True,
}
FLAGS = "Path=/; HttpOnly; SameSite=Lax"


async def test_tokens_that_end_with_their_session(context: Context) -> None:
    service = Sessions()
    values = await probe(service, context, TOKENS, **NAMED, refresh="refresh")
    assert values == GOOD_TOKENS
    assert service.asked.count("POST /login") == 3


async def test_cookies_that_end_with_their_session(context: Context) -> None:
    service = Sessions(attributes=FLAGS)
    assert await probe(service, context, COOKIES, **NAMED) == GOOD_COOKIES
    assert service.asked.count("POST /login") == 2


async def test_a_refresh_by_cookie(context: Context) -> None:
    values = await probe(Sessions(attributes=FLAGS), context, COOKIES, **NAMED, refresh="refresh")
    assert values == GOOD_COOKIES | {"refresh_rotates": True, "refresh_reuse_refused": True}


@pytest.mark.parametrize(
    ("flaw", "metric", "because"),
    [
        (
            "logout does nothing",
            "logout_invalidates",
            "GET /me answered 200 after POST /logout to what had shown the session before",
        ),
        (
            "same refresh",
            "refresh_rotates",
            "POST /refresh leaves the refresh token as it was",
        ),
        (
            "reuse",
            "refresh_reuse_refused",
            "POST /refresh answered 200 to a used refresh token",
        ),
    ],
)
@pytest.mark.parametrize("attributes", ["", FLAGS])
async def test_each_flaw_is_told_by_its_own_metric(
    flaw: str, metric: str, because: str, attributes: str, context: Context
) -> None:
    service = Sessions(flaw, attributes=attributes)
    steps = COOKIES if attributes else TOKENS
    values = await probe(service, context, steps, **NAMED, refresh="refresh")
    assert {name for name, value in values.items() if value is False} == (
        {metric} if attributes else {metric, "cookie_session", "session_id_cookie"}
    )
    assert values[f"{metric}_because"] == because


@pytest.mark.parametrize("identity", [None, "ann"])
@pytest.mark.parametrize("more", [(), ("gives strangers ids",)])
async def test_a_login_that_keeps_what_was_brought_along(
    identity: str | None, more: tuple[str, ...], context: Context
) -> None:
    service = Sessions("keeps the id", *more, attributes=FLAGS)
    steps = [step for step in COOKIES if identity is None or step is not LOGIN]
    async with servers.serving(servers.Web(service)) as port:
        values = await measured(port, context, steps, NAMED, **{"as": identity})
    assert values == GOOD_COOKIES | {
        "login_renews": False,
        "login_renews_because": "login keeps the value of sid that was brought along",
    }
    assert any(name.startswith("stranger") for name in service.live) is bool(more)


HOME: dict[str, Any] = {"name": "home", "request": "/home"}


class Guests(Sessions):
    """Gives each guest a session at /home, and knows no other sessions."""

    def __call__(self, request: servers.Request) -> bytes:
        shown = self.shown(request)
        if request.target != "/home":
            if request.target == "/login" and shown not in self.live:
                self.asked.append("POST /login")
                return self.granted(self.new("access"))
            return super().__call__(request)
        headers = {}
        if shown not in self.live:
            self.live.add(guest := self.new("guest"))
            headers = {"Set-Cookie": f"sid={guest}; {self.attributes}"}
        return servers.response(200, "{}", headers=headers)


async def test_a_login_that_keeps_the_session_of_a_guest(context: Context) -> None:
    """An id that was never given would not be kept: it is one of the service's own that is."""
    service = Guests("keeps the id", attributes=FLAGS)
    values = await probe(service, context, [HOME, *COOKIES], **NAMED)
    assert values["login_renews"] is False
    renewing = await probe(Guests(attributes=FLAGS), context, [HOME, *COOKIES], **NAMED)
    assert renewing["login_renews"] is True


def cookies_of(request: servers.Request) -> dict[str, str]:
    pairs = request.headers.get("cookie", "").split("; ")
    return dict(pair.split("=", 1) for pair in pairs if pair)


class Balanced(Sessions):
    """Behind a balancer whose cookie is the same for all, without which nothing is found."""

    def __init__(self, name: str, *flaws: str, sid: str = FLAGS) -> None:
        super().__init__(*flaws, attributes=sid)
        self.name = name

    def __call__(self, request: servers.Request) -> bytes:
        raw = super().__call__(request)
        if request.target == "/login":
            sets = f"\r\nSet-Cookie: {self.name}=web1-canary; Path=/\r\n".encode()
            return raw.replace(b"\r\n", sets, 1)
        return raw if self.name in cookies_of(request) else servers.response(401)


@pytest.mark.parametrize("name", ["SERVERID", "node", "heroku-session-affinity"])
async def test_the_cookie_of_a_balancer_is_none_of_the_session(name: str, context: Context) -> None:
    values = await probe(Balanced(name), context, COOKIES, **NAMED)
    assert values == GOOD_COOKIES
    values = await probe(Balanced(name, sid="Path=/; SameSite=Lax"), context, COOKIES, **NAMED)
    assert values == GOOD_COOKIES | {
        "cookie_flagged": False,
        "cookie_flagged_because": "sid lacks HttpOnly",
    }
    values = await probe(Balanced(name, "keeps the id"), context, COOKIES, **NAMED)
    assert values == GOOD_COOKIES | {
        "login_renews": False,
        "login_renews_because": "login keeps the value of sid that was brought along",
    }


@pytest.mark.parametrize("name", ["SERVERID", "node"])
async def test_where_only_a_balancer_has_a_cookie_nothing_is_known(
    name: str, context: Context
) -> None:
    def answer(request: servers.Request) -> bytes:
        if request.target == "/login":
            sets = {"Set-Cookie": f"{name}=web1-canary; Path=/"}
            return servers.response(200, "{}", headers=sets)
        known = name in cookies_of(request)
        return servers.response(200 if known else 401, '{"name": "ann"}')

    values = await probe(answer, context, [LOGIN, ME], **NAMED_ALONE)
    because = {
        "SERVERID": "nobody knows which of the cookies the session hangs on",
        "node": "each login gets the same node",
    }
    metrics = ("cookie_session", "cookie_flagged", "cookie_short_lived", "session_id_cookie")
    assert values == {f"{name_}_because": because[name] for name_ in (*metrics, "login_renews")}


class Twice(Sessions):
    """Hands out two session cookies, each of which is enough, and one for scripts to read."""

    def __call__(self, request: servers.Request) -> bytes:
        if request.target == "/login":
            one, other = self.new("a"), self.new("b")
            self.live |= {one, other}
            odd = f"XSRF-TOKEN={self.new('x')}; Path=/"
            sets = [f"sid={one}; {FLAGS}", f"alt={other}; {self.attributes}", odd, "seen=1; Path=/"]
            return servers.response(
                200, "{}", headers={"Set-Cookie": "\r\nSet-Cookie: ".join(sets)}
            )
        known = self.live & {cookies_of(request).get(name, "") for name in ("sid", "alt")}
        return servers.response(200 if known else 401, '{"name": "ann"}')


async def test_of_cookies_that_stand_in_for_each_other_each_is_judged(context: Context) -> None:
    good = {name: value for name, value in GOOD_COOKIES.items() if name != "logout_invalidates"}
    assert await probe(Twice(attributes=FLAGS), context, COOKIES[:2], **NAMED_ALONE) == good
    values = await probe(Twice(attributes="Path=/"), context, COOKIES[:2], **NAMED_ALONE)
    assert values == good | {
        "cookie_flagged": False,
        "cookie_flagged_because": "alt lacks HttpOnly, SameSite",
    }


class Limited(Balanced):
    """Lets nobody log in a third time."""

    def __call__(self, request: servers.Request) -> bytes:
        if request.target == "/login" and self.asked.count("POST /login") == 2:
            return servers.response(429)
        return super().__call__(request)


async def test_without_another_login_only_what_is_called_a_session_is_judged(
    context: Context,
) -> None:
    values = await probe(Limited("node", sid="Path=/"), context, COOKIES[:2], **NAMED_ALONE)
    assert values["cookie_flagged"] is False
    assert values["cookie_flagged_because"] == "sid lacks HttpOnly, SameSite"
    assert "login_renews" not in values
    assert "answered 429" in str(values["login_renews_because"])


@pytest.mark.parametrize("name", ["__Host-sid", "__Secure-sid"])
def test_a_cookie_with_a_prefix_is_planted_as_browsers_take_it(name: str) -> None:
    to = Target(tls=True, host="shop.example", port=443, path="/me")
    answer = Answer(401, "HTTP/1.1", {}, b"", True, {}, None)
    asked = Asked(to, "GET", {}, Payload())
    visitor = types.SimpleNamespace(asked={"me": asked})
    door = Door(visitor, types.SimpleNamespace(name="me"), answer)  # type: ignore[arg-type]
    cookies, values = planted(door, {name: "old"}, [f"{name}=given; Path=/; Secure"])
    assert values == {name: "given"}
    assert cookies.header(to) == {"cookie": f"{name}=given"}


@pytest.mark.parametrize(
    ("attributes", "metric", "because"),
    [
        ("Path=/; SameSite=Lax", "cookie_flagged", "sid lacks HttpOnly"),
        ("Path=/; HttpOnly", "cookie_flagged", "sid lacks SameSite"),
        ("Path=/; HttpOnly; SameSite=odd", "cookie_flagged", "sid lacks SameSite"),
        ("Path=/", "cookie_flagged", "sid lacks HttpOnly, SameSite"),
        (f"{FLAGS}; Max-Age=31536000", "cookie_short_lived", "sid is kept for 365 days"),
    ],
)
async def test_what_the_cookie_lacks(
    attributes: str, metric: str, because: str, context: Context
) -> None:
    values = await probe(Sessions(attributes=attributes), context, COOKIES, **NAMED)
    assert values == GOOD_COOKIES | {metric: False, f"{metric}_because": because}


@pytest.mark.parametrize(
    "attributes",
    [
        f"{FLAGS}; Max-Age=2592000",
        f"{FLAGS}; Max-Age=3600; Expires=Fri, 31 Dec 2999 00:00:00 GMT",
        f"{FLAGS}; Expires=nonsense",
        f"{FLAGS}; Max-Age=nonsense",
    ],
)
async def test_a_cookie_that_is_kept_for_a_while(attributes: str, context: Context) -> None:
    assert await probe(Sessions(attributes=attributes), context, COOKIES, **NAMED) == GOOD_COOKIES


async def test_a_cookie_that_is_kept_until_a_day_far_away(context: Context) -> None:
    far = f"{FLAGS}; Expires=Fri, 31 Dec 2999 00:00:00 GMT"
    values = await probe(Sessions(attributes=far), context, COOKIES, **NAMED)
    assert values["cookie_short_lived"] is False


async def test_a_signed_cookie_is_no_id_that_could_be_planted(context: Context) -> None:
    service = Sessions(attributes=FLAGS)
    service.new = lambda kind: "eyJhbGciOiJIUzI1NiJ9.canary.c2ln"  # type: ignore[method-assign]
    values = await probe(service, context, COOKIES, journey="session", show="me")
    assert values["cookie_session"] is True
    assert values["session_id_cookie"] is False
    assert "login_renews" not in values


async def test_a_logout_that_fails_proves_nothing(context: Context) -> None:
    values = await probe(Sessions("logout fails"), context, TOKENS, **NAMED)
    assert "logout_invalidates" not in values
    assert values["logout_invalidates_because"] == (
        "POST /logout, the logout itself, answered 500, expected 2xx"
    )


async def test_a_reuse_that_breaks_the_service_proves_nothing(context: Context) -> None:
    values = await probe(Sessions("reuse breaks"), context, TOKENS, **NAMED, refresh="refresh")
    assert values["refresh_rotates"] is True
    assert "refresh_reuse_refused" not in values
    assert values["refresh_reuse_refused_because"] == (
        "POST /refresh answered 500 to a used refresh token, which tells nothing"
    )


async def test_a_service_that_shuts_everyone_out_in_the_end_proves_nothing(
    context: Context,
) -> None:
    service = Sessions("limited in the end")
    values = await probe(service, context, TOKENS, **NAMED, refresh="refresh")
    assert "logout_invalidates" not in values
    assert "refresh_reuse_refused" not in values
    assert values["refresh_rotates"] is True
    assert "in the end nobody could log in" in str(values["logout_invalidates_because"])
    assert "answered 429" in str(values["logout_invalidates_because"])


async def test_a_step_that_strangers_pass_too_shows_no_session(context: Context) -> None:
    values = await probe(Sessions("open"), context, TOKENS, **NAMED)
    assert set(values) == {f"{metric}_because" for metric in METRICS}
    assert values["logout_invalidates_because"] == (
        "GET /me answers strangers alike, so that it shows no session"
    )


async def test_a_login_that_fails_is_told_of_everything(context: Context) -> None:
    steps = [LOGIN | {"json": {"password": "wrong-canary"}}, *TOKENS[1:]]
    steps[0] |= KEPT
    values = await probe(Sessions(), context, steps, **NAMED)
    assert set(values) == {f"{metric}_because" for metric in METRICS}
    assert "step 1 of 4, login on it: POST /login answered 401" in str(values)


async def test_a_refresh_token_that_no_step_keeps_anew(context: Context) -> None:
    steps = [*TOKENS]
    steps[2] = steps[2] | {"capture": {"access": "$.access"}}
    values = await probe(Sessions(), context, steps, **NAMED, refresh="refresh")
    assert "refresh_rotates" not in values
    assert "keeps no new refresh_token" in str(values["refresh_rotates_because"])


@pytest.mark.parametrize(
    ("named", "metric", "because"),
    [
        ({"logout": "leave"}, "logout_invalidates", "no step called leave"),
        ({"refresh": "renew"}, "refresh_rotates", "no step called renew"),
        ({"show": "you"}, "logout_invalidates", "no step called you"),
        ({"journey": "trip"}, "logout_invalidates", "no journey called trip"),
    ],
)
async def test_what_the_journey_has_not_is_named(
    named: dict[str, str], metric: str, because: str, context: Context
) -> None:
    values = await probe(Sessions(), context, TOKENS, **(NAMED | named))
    assert metric not in values
    assert because in str(values[f"{metric}_because"])


async def test_a_logout_that_needs_what_is_not_known_yet(context: Context) -> None:
    late = LOGOUT | {"json": {"id": "{{late}}"}}
    steps = [*TOKENS[:2], REFRESH | {"capture": {"late": "$.late"}}, late]
    values = await probe(Sessions(), context, steps, **NAMED)
    assert values["logout_invalidates_because"] == (
        "POST /logout needs {{late}}, which is not known yet"
    )


async def test_a_service_that_cannot_be_reached_is_at_fault(context: Context) -> None:
    async with servers.refusing() as port:
        with pytest.raises(ProbeError) as caught:
            await measured(port, context, TOKENS, NAMED)
    assert caught.value.failure.kind == "refused"


async def test_nothing_is_sent_without_the_write_tier(context: Context) -> None:
    context = dataclasses.replace(context, allowed=frozenset({"observe"}))
    service = Sessions()
    with pytest.raises(ProbeError):
        await probe(service, context, TOKENS, **NAMED)
    assert service.asked == []


def test_over_tls_the_cookie_is_secure_and_only_there() -> None:
    needed = {"sid": "canary"}
    for tls, attributes, good in (
        (True, FLAGS, False),
        (True, f"{FLAGS}; Secure", True),
        (False, FLAGS, True),
    ):
        values = judged(needed, [f"sid=canary; {attributes}"], tls=tls)
        assert values["cookie_flagged"] is good
    assert judged(needed, ["sid=canary"], tls=True)["cookie_flagged_because"] == (
        "sid lacks HttpOnly, SameSite, Secure"
    )


def test_the_last_time_a_cookie_is_set_counts_and_its_removal_does_not() -> None:
    headers = ["sid=old", f"sid=canary; {FLAGS}", "sid=; Max-Age=0", "theme=dark"]
    assert judged({"sid": "canary"}, headers, tls=False)["cookie_flagged"] is True
    values = judged({"sid": "canary"}, ["theme=dark"], tls=False)
    assert values["cookie_flagged_because"] == "the session's cookie was not set on the way"
    assert "cookie_flagged" not in values


def test_the_settings_name_a_journey_and_what_shows_its_session() -> None:
    for settings in ({}, {"journey": "session"}, {"show": "me"}, NAMED | {"login": "login"}):
        with pytest.raises(ValidationError):
            Settings.model_validate(settings)
