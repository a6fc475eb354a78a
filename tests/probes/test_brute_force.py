"""brute_force against logins that limit guessing, and against each way not to."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import pytest
from pydantic import ValidationError

from readiness.failure import ProbeError
from readiness.inventory import Inventory
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes._answer import Answer
from readiness.probes._same_refusal import told_apart
from readiness.probes.brute_force import METRICS, Settings, measure
from tests import servers

pytestmark = pytest.mark.anyio

ACCOUNT, PASSWORD = "bait-canary@shop.example", "hunter2-canary"
LOGIN = {
    "request": "POST /login?key=query-canary",
    "json": {"email": ACCOUNT, "password": PASSWORD},
}
AFTER = 5


class Login:
    """Locks an account after five wrong passwords; `flaws` say what it does instead."""

    def __init__(self, *flaws: str, **headers: str) -> None:
        self.flaws, self.headers = frozenset(flaws), headers
        self.seen: list[Mapping[str, Any]] = []
        self.wrong: dict[str, int] = {}

    def __call__(self, request: servers.Request) -> bytes:
        form = request.headers["content-type"].startswith("application/x-www-form")
        data = dict(parse_qsl(request.body.decode())) if form else json.loads(request.body)
        self.seen.append(data)
        account, right = data["email"], data["password"] == PASSWORD and data["email"] == ACCOUNT
        if self.wrong.get(account, 0) >= AFTER and "never limits" not in self.flaws:
            return self.stopped(account, right)
        if right or "lets in" in self.flaws:
            return servers.response(200, '{"access_token": "token-canary"}')
        self.wrong[account] = self.wrong.get(account, 0) + 1
        if "breaks" in self.flaws and len(self.seen) > 3:
            return servers.response(500)
        if "hangs up" in self.flaws and len(self.seen) > 3:
            return b"\x00\xff\r\n\r\n"
        return self.refused(account)

    def stopped(self, account: str, right: bool) -> bytes:
        if "locks" in self.flaws:
            return servers.response(423, '{"error": "locked"}')
        if "locks silently" in self.flaws:
            return self.refused(account)
        if "only seems to lock" in self.flaws:
            token = '{"access_token": "token-canary"}'
            return servers.response(200, token) if right else servers.response(403)
        return servers.response(429, "{}", headers=self.headers)

    def refused(self, account: str) -> bytes:
        known = account == ACCOUNT
        status = 404 if "status tells" in self.flaws and not known else 401
        error = "wrong" if "text tells" in self.flaws and known else "not wrong, or is it"
        body = {"error": error, "account": account, "request": f"{len(self.seen):08}"}
        if "field tells" in self.flaws and known:
            body["left"] = str(AFTER)
        if "page" in self.flaws:
            return servers.response(status, f"<html>{json.dumps(body)}", "text/html")
        if "chats" in self.flaws:
            body["joke"] = "ab"[len(self.seen) % 2]
        return servers.response(status, json.dumps(body))


async def probe(
    login: Any, context: Context, identity: Mapping[str, Any] | None = None, **settings: Any
) -> Values:
    async with servers.serving(servers.Web(login)) as port:
        values = await measured(port, context, identity, **settings)
    assert "canary" not in str(values)
    assert {name.removesuffix("_because") for name in values} <= set(METRICS)
    return values


async def measured(
    port: int,
    context: Context,
    identity: Mapping[str, Any] | None = None,
    named: str = "bait",
    more: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Values:
    inventory = Inventory.model_validate(
        {
            "version": 1,
            "system": {"name": "it"},
            "services": {"it": {"kind": "http", "url": f"http://127.0.0.1:{port}"}},
            "identities": {"bait": identity or {"service": "it", "login": LOGIN}},
        }
        | dict(more or {})
    )
    context = dataclasses.replace(context, inventory=inventory)
    bound = Settings.model_validate({"identity": named, **settings})
    return await measure(inventory.services[0], bound, context)


GOOD = {
    "wrong_refused": True,
    "limited": True,
    "answered_429": True,
    "retry_after": True,
    "accounts_hidden": True,
}
SOON = {"Retry-After": "60"}


async def test_a_login_that_limits_guessing(context: Context) -> None:
    login = Login(**SOON)
    values = await probe(login, context)
    assert values == GOOD | {"limited_after": 7, "attempts": 7}
    assert login.seen[0] == {"email": ACCOUNT, "password": PASSWORD}
    assert [data["email"] == ACCOUNT for data in login.seen] == [True, True, False, *[True] * 5]
    assert login.seen[2]["email"].endswith("@shop.example")
    assert all(data["password"] != PASSWORD for data in login.seen[1:])


@pytest.mark.parametrize("flaw", ["locks", "locks silently"])
async def test_a_lock_is_told_by_the_right_password(flaw: str, context: Context) -> None:
    login = Login(flaw)
    values = await probe(login, context)
    assert values == {
        "wrong_refused": True,
        "limited": True,
        "limited_after": 10,
        "answered_429": False,
        "accounts_hidden": True,
        "attempts": 10,
    }
    assert len(login.seen) == 12
    assert login.seen[-1] == login.seen[0]


@pytest.mark.parametrize("flaw", ["never limits", "only seems to lock"])
async def test_a_login_that_may_be_tried_for_ever(flaw: str, context: Context) -> None:
    login = Login(flaw)
    values = await probe(login, context)
    assert values["limited"] is False
    assert values["limited_because"] == (
        "10 wrong logins in a row were answered, and the right password still let in"
    )
    assert (values["answered_429"], values["accounts_hidden"]) == (False, True)
    assert len(login.seen) == 12


@pytest.mark.parametrize(
    ("headers", "because"),
    [
        ({}, "the 429 carries no Retry-After"),
        (
            {"Retry-After": "soon"},
            "the 429 carries a Retry-After that is neither seconds nor a date",
        ),
    ],
)
async def test_a_429_that_does_not_say_until_when(
    headers: dict[str, str], because: str, context: Context
) -> None:
    values = await probe(Login(**headers), context)
    assert (values["limited"], values["retry_after"]) == (True, False)
    assert values["retry_after_because"] == because


@pytest.mark.parametrize("year", ["99999999999", "2999999999999999999999"])
async def test_a_429_that_names_a_day_beyond_all_calendars(year: str, context: Context) -> None:
    values = await probe(Login(**{"Retry-After": f"Fri, 31 Dec {year} 23:59:59 GMT"}), context)
    assert {name: values[name] for name in GOOD} == GOOD | {"retry_after": False}


async def test_a_429_may_name_a_date(context: Context) -> None:
    date = {"Retry-After": "Fri, 31 Dec 2999 23:59:59 GMT"}
    assert (await probe(Login(**date), context))["retry_after"] is True


@pytest.mark.parametrize(
    ("flaw", "by"),
    [
        ("status tells", "status 401 for an account that exists, 404 for none"),
        ("text tells", "the body at $.error"),
        ("field tells", "the fields of the body"),
    ],
)
async def test_an_answer_that_tells_accounts_apart(flaw: str, by: str, context: Context) -> None:
    values = await probe(Login(flaw, **SOON), context)
    because = f"POST /login tells an unknown account from a wrong password by {by}"
    assert {name: values[name] for name in GOOD} == GOOD | {"accounts_hidden": False}
    assert values["accounts_hidden_because"] == because


@pytest.mark.parametrize(
    ("flaws", "hidden"), [((), True), (("text tells",), False), (("status tells",), False)]
)
async def test_pages_are_compared_by_their_text(
    flaws: tuple[str, ...], hidden: bool, context: Context
) -> None:
    values = await probe(Login("page", *flaws, **SOON), context)
    assert values["accounts_hidden"] is hidden


async def test_what_differs_each_time_tells_nothing(context: Context) -> None:
    assert (await probe(Login("chats", **SOON), context))["accounts_hidden"] is True


async def test_a_wrong_password_that_logs_in_is_told_at_once(context: Context) -> None:
    login = Login("lets in")
    values = await probe(login, context)
    assert values["wrong_refused"] is False
    assert values["wrong_refused_because"] == ("POST /login granted a token to a wrong password")
    assert "limited" not in values
    assert "accounts_hidden" not in values
    assert len(login.seen) == 3


@pytest.mark.parametrize(
    ("flaw", "said"), [("breaks", "answered 500"), ("hangs up", "gave no answer (protocol)")]
)
async def test_a_login_that_breaks_proves_nothing(flaw: str, said: str, context: Context) -> None:
    login = Login(flaw)
    values = await probe(login, context)
    assert "limited" not in values
    assert "wrong_refused" not in values
    assert values["limited_because"] == f"POST /login {said} to a wrong login"
    assert len(login.seen) == 4


@pytest.mark.parametrize("raw", [servers.response(429), servers.response(503), b"\x00\r\n\r\n"])
async def test_guesses_that_are_not_answered_are_not_compared(raw: bytes, context: Context) -> None:
    login = Login()

    def answer(request: servers.Request) -> bytes:
        said = login(request)
        return raw if len(login.seen) == 3 else said

    values = await probe(answer, context)
    assert "accounts_hidden" not in values
    assert "before it could be compared" in str(values["accounts_hidden_because"])


@pytest.mark.parametrize(
    "raw", [servers.response(401), servers.response(200, "{}"), servers.response(500)]
)
async def test_nothing_is_guessed_where_the_right_password_fails(
    raw: bytes, context: Context
) -> None:
    web = servers.always(raw)
    values = await probe(web.answer, context)
    assert set(values) == {
        f"{name}_because" for name in METRICS if name not in ("attempts", "limited_after")
    }
    assert "to the right password" in str(values["limited_because"])


async def test_forms_and_named_fields(context: Context) -> None:
    form = {"email": ACCOUNT, "password": PASSWORD, "pass_phrase": "x", "user_agent": "y"}
    identity = {"service": "it", "login": {"request": "POST /login", "form": form}}
    login = Login(**SOON)
    values = await probe(login, context, identity, account_field="email", password_field="password")
    assert {name: values[name] for name in GOOD} == GOOD
    assert {data["pass_phrase"] for data in login.seen} == {"x"}
    values = await probe(login, context, identity)
    assert values["limited_because"] == (
        "more than one field of the login's body may be the account; name it by `account_field:`"
    )
    values = await probe(login, context, identity, account_field="email", password_field="pwd")
    assert values["limited_because"] == (
        "no field of the login's body may be the password; name it by `password_field:`"
    )


async def test_fields_within_fields(context: Context) -> None:
    nested = {"user": {"email": ACCOUNT, "password": PASSWORD}, "kind": "password"}
    identity = {"service": "it", "login": {"request": "POST /login", "json": nested}}
    inner = Login(**SOON)

    def answer(request: servers.Request) -> bytes:
        data = json.loads(request.body)
        assert data["kind"] == "password"
        return inner(dataclasses.replace(request, body=json.dumps(data["user"]).encode()))

    values = await probe(answer, context, identity)
    assert {name: values[name] for name in GOOD} == GOOD


@pytest.mark.parametrize(
    ("identity", "because"),
    [
        ({"headers": {"X-Key": "key-canary"}}, "the identity bait has no login of one request"),
        (None, "the inventory has no identity called ann"),
    ],
)
async def test_an_identity_that_cannot_be_guessed_at(
    identity: Mapping[str, Any] | None, because: str, context: Context
) -> None:
    login = Login()
    named = "bait" if identity else "ann"
    async with servers.serving(servers.Web(login)) as port:
        values = await measured(port, context, identity, named)
    assert values["limited_because"] == because
    assert login.seen == []


BAIT = {"service": "it", "login": LOGIN}
STEP = {"name": "look", "request": "/"}
MATRIX = {"roles": ["bait"], "paths": {"/": {"allow": ["bait"]}}}


def at(port: int, **probes: Any) -> dict[str, Any]:
    return {"it": {"kind": "http", "url": f"http://127.0.0.1:{port}", "probes": probes}}


@pytest.mark.parametrize(
    ("probes", "more", "user"),
    [
        ({"access_matrix": MATRIX}, {}, "access_matrix of it"),
        ({"http_access": {"protected": ["/"], "identity": "bait"}}, {}, "http_access of it"),
        ({"http_access": {"protected": ["/"], "login": LOGIN}}, {}, "http_access of it"),
        (
            {},
            {"journeys": {"buy": {"title": "B", "service": "it", "as": "bait", "steps": [STEP]}}},
            "the journey buy",
        ),
        (
            {},
            {
                "journeys": {
                    "buy": {"title": "B", "service": "it", "steps": [STEP | {"as": "bait"}]}
                }
            },
            "the journey buy",
        ),
        (
            {},
            {
                "identities": {
                    "bait": BAIT,
                    "ann": {"service": "it", "steps": [STEP | {"as": "bait"}]},
                }
            },
            "the identity ann",
        ),
        (
            {"http_access": {"protected": ["/"], "identity": "twin"}},
            {"identities": {"bait": BAIT, "twin": BAIT}},
            "http_access of it",
        ),
    ],
)
async def test_an_account_that_something_else_needs_is_not_guessed_at(
    probes: dict[str, Any], more: dict[str, Any], user: str, context: Context
) -> None:
    login = Login(**SOON)
    async with servers.serving(servers.Web(login)) as port:
        services = {"services": at(port, **probes)}
        values = await measured(port, context, more=services | more)
    assert values["limited_because"] == (
        f"the identity bait may be locked by guessing, but {user} needs it; "
        "guess at an account that nothing else uses"
    )
    assert "wrong_refused" not in values
    assert login.seen == []


async def test_an_account_that_is_there_to_be_guessed_at(context: Context) -> None:
    login = Login(**SOON)
    probes = {
        "access_matrix": {"roles": ["ann"], "paths": {"/": {"allow": ["ann"]}}},
        "brute_force": {"identity": "bait"},
        "http_headers": False,
    }
    async with servers.serving(servers.Web(login)) as port:
        who = {"bait": BAIT, "ann": {"headers": {"X-Key": "bait"}}}
        more = {"services": at(port, **probes), "identities": who}
        values = await measured(port, context, more=more)
    assert {name: values[name] for name in GOOD} == GOOD


async def test_a_service_that_cannot_be_reached_is_at_fault(context: Context) -> None:
    async with servers.refusing() as port:
        with pytest.raises(ProbeError) as caught:
            await measured(port, context)
    assert caught.value.failure.kind == "refused"


async def test_nothing_is_sent_without_the_write_tier(context: Context) -> None:
    context = dataclasses.replace(context, allowed=frozenset({"observe", "intrusive"}))
    login = Login()
    with pytest.raises(ProbeError):
        await probe(login, context)
    assert login.seen == []


def test_settings_name_an_identity() -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({})


def refusal(body: str, status: int = 401, media_type: str = "application/json") -> Answer:
    return Answer(
        status=status,
        protocol="HTTP/1.1",
        headers={"content-type": media_type},
        body=body.encode(),
        complete=True,
        ms={},
        certificate_days=None,
    )


@pytest.mark.parametrize(
    ("known", "unknown", "again", "told"),
    [
        (refusal("{}"), refusal("{}"), refusal("{}"), ""),
        (refusal("{}"), refusal("{}", 404), refusal("{}", 403), None),
        (refusal("{}"), refusal("{}", media_type="text/plain"), refusal("{}"), "the media type"),
        (refusal("no ann"), refusal("no bob"), refusal("no ann"), ""),
        (refusal("try 3 of 5"), refusal("try 4 of 5"), refusal("try 4 of 5"), ""),
        (refusal("red"), refusal("green"), refusal("blue"), None),
        (refusal("red"), refusal("green"), refusal("red"), "the text of the body"),
        (refusal('{"a": 1}'), refusal('{"b": 1}'), refusal('{"c": 1}'), None),
        (
            refusal('{"a": [1]}'),
            refusal('{"a": [true]}'),
            refusal('{"a": [2]}'),
            "the body at $.a[0]",
        ),
        (
            refusal('{"ann": "x"}'),
            refusal('{"bob": "y"}'),
            refusal('{"ann": "x"}'),
            "the body at $.",
        ),
    ],
)
def test_refusals_are_told_apart_by_what_stays(
    known: Answer, unknown: Answer, again: Answer, told: str | None
) -> None:
    assert told_apart(known, unknown, [again], ("ann", "bob")) == told
