"""access_matrix against a service that keeps roles and owners apart, and against each flaw."""

import dataclasses
import errno
import json
from typing import Any

import pytest
from pydantic import ValidationError

from readiness.failure import ProbeError
from readiness.inventory import Inventory
from readiness.ledger import Ledger
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes._answer import Answer
from readiness.probes._same_object import same_object
from readiness.probes.access_matrix import METRICS, Settings, measure
from tests import servers

pytestmark = pytest.mark.anyio

TOKENS = {name: f"{name}-token-canary-4711" for name in ("demo", "other", "admin")}
PASSWORD = "hunter2-canary"
PATHS = {
    "GET /me": {"allow": ["demo", "other", "admin"]},
    "GET /users?all=secret-query": {"allow": ["admin"]},
    "HEAD /docs": {"allow": ["nobody", "demo", "other", "admin"]},
}
STEPS: list[dict[str, Any]] = [
    {
        "name": "upload",
        "request": "POST /files",
        "json": {"name": "{{unique}}"},
        "capture": {"id": "$.id"},
        "creates": "file {{unique}}",
    },
    {"name": "download", "request": "GET /files/{{id}}"},
    {"name": "delete", "request": "DELETE /files/{{id}}", "always": True, "removes": "upload"},
]
OBJECT = {
    "file": {
        "journey": "files",
        "step": "download",
        "owner": "demo",
        "others": ["other", "nobody"],
    }
}


class Api:
    """Three roles, files that belong to who made them; `flaws` are what is wrong with it."""

    def __init__(self, *flaws: str, **answers: bytes) -> None:
        self.flaws, self.answers = frozenset(flaws), answers
        self.files: dict[str, str] = {}
        self.asked: list[str] = []

    def __call__(self, request: servers.Request) -> bytes:
        path = request.target.partition("?")[0]
        self.asked.append(f"{request.method} {path}")
        if (given := self.answers.get(path.strip("/"))) is not None:
            return given
        who = self.who(request)
        if "refuses all" in self.flaws and path != "/docs":
            return servers.response(401)
        if path == "/login":
            right = PASSWORD.encode() in request.body
            token = json.dumps({"access_token": TOKENS["demo"]})
            return servers.response(200, token) if right else servers.response(401)
        if path.startswith("/files"):
            return self.file(request, who)
        return {"/me": self.me, "/users": self.users, "/docs": self.docs}.get(path, _missing)(who)

    def who(self, request: servers.Request) -> str:
        shown = request.headers.get("authorization", "").removeprefix("Bearer ")
        return next((name for name, token in TOKENS.items() if token == shown), "")

    def me(self, who: str) -> bytes:
        if who == "other" and "locks other out" in self.flaws:
            return servers.response(403)
        known = who or "open to all" in self.flaws
        return servers.response(200 if known else 401, json.dumps({"name": who}))

    def users(self, who: str) -> bytes:
        if who == "admin" or (who and "no function level" in self.flaws):
            return servers.response(200, "[]")
        return servers.response(403 if who else 401)

    def docs(self, who: str) -> bytes:
        return servers.response(200)

    def file(self, request: servers.Request, who: str) -> bytes:
        name = request.target.partition("?")[0].rpartition("/")[2]
        if request.method == "POST":
            self.files["f1"] = who
            return servers.response(201, '{"id": "f1"}')
        owner = self.files.get(name, "?")
        open_ = {"anyone reads": True, "others read": bool(who)}
        if who == owner or any(open_[flaw] for flaw in self.flaws & open_.keys()):
            if request.method == "DELETE":
                del self.files[name]
            return servers.response(200, json.dumps({"owner": owner, "size": 3}))
        if who and "empty for others" in self.flaws:
            return servers.response(200, '{"error": "not yours"}')
        return servers.response(404 if who else 401)


def _missing(_: str) -> bytes:
    return servers.response(404)


def bearer(token: str) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer {token}"}}


async def probe(
    api: Any,
    context: Context,
    *,
    kind: str = "http",
    identities: dict[str, Any] | None = None,
    steps: list[dict[str, Any]] | None = None,
    **settings: Any,
) -> Values:
    """Measure `api` with the roles of the matrix; nothing secret may be told of it."""
    async with servers.serving(servers.Web(api)) as port:
        values = await measured(port, context, kind, identities or {}, settings, steps or STEPS)
    assert not any(secret in str(values) for secret in (*TOKENS.values(), PASSWORD, "secret-query"))
    names = {name.removesuffix("_because") for name in values}
    assert {name for name in names if not name.startswith("cells.")} <= set(METRICS)
    return values


async def measured(
    port: int,
    context: Context,
    kind: str,
    identities: dict[str, Any],
    settings: dict[str, Any],
    steps: list[dict[str, Any]] = STEPS,
) -> Values:
    inventory = Inventory.model_validate(
        {
            "version": 1,
            "system": {"name": "it"},
            "services": {"it": {"kind": kind, "url": f"http://127.0.0.1:{port}"}},
            "identities": {role: bearer(token) for role, token in TOKENS.items()} | identities,
            "journeys": {"files": {"title": "F", "service": "it", "as": "demo", "steps": steps}},
        }
    )
    context = dataclasses.replace(context, inventory=inventory, ledger=Ledger(None, "it"))
    bound = Settings.model_validate({"roles": list(TOKENS), **settings})
    try:
        return await measure(inventory.services[0], bound, context)
    finally:
        assert not context.ledger.book.left


def verdicts(values: Values) -> dict[str, Any]:
    """Return the metrics that checks are made of, `unknown` where there is only a reason."""
    found = {}
    for metric in ("anonymous_refused", "roles_refused", "roles_allowed", "objects_isolated"):
        if metric in values or f"{metric}_because" in values:
            found[metric] = values.get(metric, "unknown")
    return found


def cell(values: Values, n: int) -> dict[str, Any]:
    """Return one cell of the table."""
    place = f"cells.{n}."
    return {key.removeprefix(place): v for key, v in values.items() if key.startswith(place)}


def kept(values: Values) -> list[Any]:
    """Return what each cell was judged to be, in their order."""
    return [value for key, value in values.items() if key.endswith(".kept")]


GOOD = {
    "anonymous_refused": True,
    "roles_refused": True,
    "roles_allowed": True,
    "objects_isolated": True,
}


async def test_a_service_that_keeps_everyone_apart(context: Context) -> None:
    api = Api()
    values = await probe(api, context, paths=PATHS, objects=OBJECT)
    assert verdicts(values) == GOOD
    assert not [name for name in values if name.endswith("_because")]
    assert (values["for_strangers"], values["for_roles"], values["for_someone"]) == (True,) * 3
    assert api.files == {}
    assert cell(values, 1) == {
        "path": "GET /me",
        "role": "nobody",
        "expected": "refuse",
        "got": "401",
        "kept": "pass",
    }
    assert cell(values, 14)["path"] == "file: GET /files/{{id}}"
    assert kept(values) == ["pass"] * 14
    rows = {name.split(".")[1] for name in values if name.startswith("cells.")}
    assert len(rows) == 14, "three paths as four, and one object as two"


@pytest.mark.parametrize(
    ("flaw", "metric", "because"),
    [
        (
            "open to all",
            "anonymous_refused",
            "GET /me let a stranger in (200), who must not",
        ),
        (
            "no function level",
            "roles_refused",
            "GET /users let demo in (200), who must not; GET /users let other in (200), "
            "who must not",
        ),
        (
            "locks other out",
            "roles_allowed",
            "GET /me did not let other in (403), who may",
        ),
        (
            "others read",
            "objects_isolated",
            "file: GET /files/{{id}} let other read what is demo's (200)",
        ),
        (
            "anyone reads",
            "objects_isolated",
            "file: GET /files/{{id}} let other read what is demo's (200); "
            "file: GET /files/{{id}} let a stranger read what is demo's (200)",
        ),
    ],
)
async def test_each_flaw_is_told_by_its_own_metric(
    flaw: str, metric: str, because: str, context: Context
) -> None:
    values = await probe(Api(flaw), context, paths=PATHS, objects=OBJECT)
    assert values[metric] is False
    assert values[f"{metric}_because"] == because
    others = {name for name, value in verdicts(values).items() if value is False}
    assert others == {metric}


async def test_a_service_that_refuses_everyone_is_not_called_safe(context: Context) -> None:
    values = await probe(Api("refuses all"), context, paths=PATHS, objects=OBJECT)
    assert verdicts(values) == {
        "anonymous_refused": "unknown",
        "roles_refused": "unknown",
        "roles_allowed": False,
        "objects_isolated": "unknown",
    }
    assert "GET /me let no one in who may" in str(values["anonymous_refused_because"])
    assert "step 1 of 3, upload" in str(values["objects_isolated_because"])


async def test_a_role_whose_proof_is_worth_nothing_proves_nothing(context: Context) -> None:
    expired = {"other": bearer("expired-token-canary")}
    values = await probe(Api(), context, identities=expired, paths=PATHS, objects=OBJECT)
    assert verdicts(values) == {
        "anonymous_refused": True,
        "roles_refused": "unknown",
        "roles_allowed": False,
        "objects_isolated": "unknown",
    }
    assert values["roles_refused_because"] == (
        "other was let in nowhere that is closed to strangers, so that refusing them proves nothing"
    )
    assert values["objects_isolated_because"] == (
        "file: GET /files/{{id}} answered other as it does a stranger (401)"
    )


async def test_others_need_no_path_where_the_service_tells_them_from_strangers(
    context: Context,
) -> None:
    values = await probe(Api(), context, objects=OBJECT)
    assert verdicts(values) == {"objects_isolated": True}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (500, "500, a failure, which tells nothing"),
        (429, "429, a rate limit, which tells nothing"),
        (302, "302, a redirect to /home, which neither lets in nor refuses"),
        (422, "422, which neither lets in nor refuses"),
    ],
)
async def test_what_tells_nothing_is_unknown(status: int, said: str, context: Context) -> None:
    odd = servers.response(status, headers={"Location": "/home?code=secret-query"})
    values = await probe(Api(users=odd), context, paths=PATHS)
    assert verdicts(values) == {
        "anonymous_refused": "unknown",
        "roles_refused": "unknown",
        "roles_allowed": "unknown",
    }
    told = f"GET /users asked by a stranger: {said}"
    assert values["anonymous_refused_because"] == told


async def test_a_path_that_hangs_up_does_not_hide_the_others(context: Context) -> None:
    api = Api("open to all", users=b"\x00\xff\r\n\r\n")
    values = await probe(api, context, paths=PATHS)
    assert values["anonymous_refused"] is False
    assert "roles_refused" not in values
    assert "no answer (protocol" in str(values["roles_refused_because"])


async def test_what_is_for_no_one_needs_someone_who_is_let_in_elsewhere(context: Context) -> None:
    closed: dict[str, Any] = {"GET /internal": {"allow": []}}
    values = await probe(Api(), context, paths=closed)
    assert "anonymous_refused" not in values
    assert values["anonymous_refused_because"] == (
        "no one was let in anywhere, so that GET /internal refusing them proves nothing"
    )
    assert values["for_someone"] is False
    assert "roles_allowed" not in values
    assert kept(values) == ["unknown"] * 4
    values = await probe(Api(), context, paths=PATHS | closed)
    assert (values["anonymous_refused"], values["roles_refused"]) == (True, True)
    values = await probe(servers.always(servers.response(404)).answer, context, paths=closed)
    assert "anonymous_refused" not in values
    values = await probe(Api(internal=servers.response(200)), context, paths=closed)
    assert (values["anonymous_refused"], kept(values)) == (False, ["fail"] * 4)


@pytest.mark.parametrize(
    ("raw", "judged"),
    [
        (servers.response(200), ["fail", "fail", "fail", "pass"]),
        (servers.response(403), ["unknown", "unknown", "unknown", "fail"]),
        (servers.response(405), ["unknown"] * 4),
        (servers.response(500), ["unknown"] * 4),
        (servers.response(200, '<html><input type="password">', "text/html"), ["unknown"] * 4),
    ],
)
async def test_each_cell_is_judged_as_the_verdicts_are(
    raw: bytes, judged: list[str], context: Context
) -> None:
    values = await probe(Api(users=raw), context, paths={"GET /users": {"allow": ["admin"]}})
    assert kept(values) == judged
    verdict = values.get("anonymous_refused", "unknown")
    assert verdict == {"fail": False, "unknown": "unknown"}[judged[0]]


async def test_paths_that_differ_in_their_query_alone_are_told_apart(context: Context) -> None:
    allow = {"allow": ["demo", "other", "admin"]}
    paths = {"GET /me": allow, "/me?all=secret-query": allow, "/me?all=other": allow}
    values = await probe(Api(), context, paths=paths)
    found = [cell(values, n)["path"] for n in (1, 5, 9)]
    assert found == ["GET /me", "GET /me (2)", "GET /me (3)"]


@pytest.mark.parametrize(("kind", "refused"), [("web", True), ("http", "unknown")])
async def test_a_page_sends_strangers_to_its_login(
    kind: str, refused: Any, context: Context
) -> None:
    def answer(request: servers.Request) -> bytes:
        if request.headers.get("authorization"):
            return servers.response(200, "<html>Hello", "text/html")
        return servers.response(302, headers={"Location": "/account/login?next=%2Fme"})

    paths = {"GET /me": {"allow": ["demo", "other", "admin"]}}
    values = await probe(answer, context, kind=kind, paths=paths)
    assert verdicts(values)["anonymous_refused"] == refused


async def test_a_login_page_with_status_200_is_a_refusal_but_lets_no_one_in(
    context: Context,
) -> None:
    page = '<html><form><input name=p type="password"></form>'

    def answer(request: servers.Request) -> bytes:
        known = request.headers.get("authorization", "").endswith(TOKENS["demo"])
        return servers.response(200, "<html>Hello" if known else page, "text/html")

    allow = {"allow": ["demo", "other", "admin"]}
    values = await probe(answer, context, kind="web", paths={"GET /me": allow})
    assert values["anonymous_refused"] is True
    assert values["roles_allowed_because"] == (
        "GET /me asked by other: 200, a page that asks for a password; "
        "GET /me asked by admin: 200, a page that asks for a password"
    )
    assert "roles_allowed" not in values


async def test_an_answer_of_another_shape_is_no_proof_of_reading(context: Context) -> None:
    values = await probe(Api("empty for others"), context, paths=PATHS, objects=OBJECT)
    assert "objects_isolated" not in values
    assert values["objects_isolated_because"] == (
        "file: GET /files/{{id}} let other in (200), but not certainly to what is demo's"
    )
    assert kept(values)[-2:] == ["unknown", "pass"]


async def test_an_object_of_their_own_is_not_the_owners(context: Context) -> None:
    api = Api()
    ids = {"demo": 4711, "other": 4712}

    def answer(request: servers.Request) -> bytes:
        who = api.who(request)
        if request.target != "/orders/current" or not who:
            return api(request)
        order = {"id": ids[who], "shop": "The Demo Shop of Old", "state": "open", "total": 0}
        return servers.response(200, json.dumps(order))

    owned = {"path": "/orders/current", "owner": "demo", "others": ["other"]}
    values = await probe(answer, context, objects={"order": owned})
    assert "objects_isolated" not in values
    assert "not certainly to what is demo's" in str(values["objects_isolated_because"])
    ids["other"] = ids["demo"]
    values = await probe(answer, context, objects={"order": owned})
    assert values["objects_isolated"] is False


@pytest.mark.parametrize(
    ("mine", "owners", "same"),
    [
        ("bytes", "bytes", True),
        ("", "", False),
        ("bytes", "other bytes", False),
        ("{}", "{}", False),
        ('{"items": [], "total": 0}', '{"items": [], "total": 0}', False),
        ('{"id": 1, "at": "now"}', '{"at": "then", "id": 1, "a": 1}', False),
        ('{"id": 1, "at": "now", "a": 1}', '{"at": "then", "id": 1, "a": 1}', True),
        ('{"id": 2, "at": "now", "a": 1}', '{"at": "now", "id": 1, "a": 1}', False),
        ('{"id": 1, "by": {"id": 2}, "a": 1}', '{"id": 1, "by": {"id": 3}, "a": 1}', True),
        ('{"id": 1, "requestId": 2, "a": 1}', '{"id": 1, "requestId": 3, "a": 1}', True),
        ('{"orderId": 1, "a": 1, "b": 1}', '{"orderId": 2, "a": 1, "b": 1}', False),
        ('[{"id": 1, "a": 2}]', '[{"id": 1, "a": 2} ]', True),
        ('{"text": "a long text of one", "a": 1}', '{"text": "a long text of one","a":1}', True),
        ('{"text": "short", "a": 1}', '{"text": "short","a":1}', False),
        ("[" * 20 + "1" + "]" * 20, "[" * 20 + "2" + "]" * 20, False),
    ],
)
def test_the_same_object_has_the_same_ids(mine: str, owners: str, same: bool) -> None:
    answers = [
        Answer(200, "HTTP/1.1", {}, body.encode(), True, {}, None) for body in (mine, owners)
    ]
    assert same_object(answers[0], answers[1]) is same


async def test_the_owner_must_still_get_their_object_in_the_end(context: Context) -> None:
    api = Api()

    def answer(request: servers.Request) -> bytes:
        reads = [one for one in api.asked if one.startswith("GET /files/")]
        if len(reads) >= 4 and request.method == "GET":
            return servers.response(404)
        return api(request)

    values = await probe(answer, context, objects=OBJECT)
    assert values["objects_isolated_because"] == (
        "file: GET /files/{{id}} answered its owner with 404 in the end, so that nothing is proven"
    )
    assert "objects_isolated" not in values


async def test_an_object_that_is_there_already(context: Context) -> None:
    owned = {"path": "/files/f1", "owner": "demo", "others": ["other", "nobody"]}
    api = Api()
    api.files["f1"] = "demo"
    assert (await probe(api, context, objects={"file": owned}))["objects_isolated"] is True
    api = Api("others read")
    api.files["f1"] = "demo"
    assert (await probe(api, context, objects={"file": owned}))["objects_isolated"] is False
    values = await probe(Api(), context, objects={"file": owned})
    assert values["objects_isolated_because"] == (
        "file: GET /files/f1 answered its owner with 404, so that nothing is proven"
    )


async def test_the_owners_token_does_not_travel_with_the_others(context: Context) -> None:
    steps = [dict(step) for step in STEPS]
    own = {"Authorization": "Bearer {{token}}", "X-Tenant": "blue"}
    login = {
        "name": "login",
        "request": "POST /login",
        "json": {"password": PASSWORD},
        "capture": {"token": "$.access_token"},
    }
    journey = {
        "title": "F",
        "service": "it",
        "steps": [login, *({**step, "headers": own} for step in steps)],
    }
    api = Api()
    seen: list[tuple[str, str]] = []

    def answer(request: servers.Request) -> bytes:
        if request.method == "GET":
            seen.append((api.who(request), request.headers.get("x-tenant", "")))
        return api(request)

    async with servers.serving(servers.Web(answer)) as port:
        inventory = Inventory.model_validate(
            {
                "version": 1,
                "system": {"name": "it"},
                "services": {"it": {"kind": "http", "url": f"http://127.0.0.1:{port}"}},
                "identities": {role: bearer(token) for role, token in TOKENS.items()},
                "journeys": {"files": journey},
            }
        )
        context = dataclasses.replace(context, inventory=inventory)
        values = await measure(
            inventory.services[0], Settings.model_validate({"objects": OBJECT}), context
        )
    assert values["objects_isolated"] is True
    who = ["demo", "demo", "", "other", "", "demo"]
    assert seen == [(name, "blue") for name in who]


@pytest.mark.parametrize(
    ("owned", "because"),
    [
        ({"step": "upload"}, "file: the step upload is no GET or HEAD"),
        ({"step": "fetch"}, "file: the journey files has no step called fetch"),
        ({"journey": "disk"}, "file: the inventory has no journey called disk"),
        ({"owner": "admin"}, "file: the step download is taken by demo, not by admin"),
        ({"others": ["eve"]}, "asked by eve: as eve: the inventory has no identity called eve"),
    ],
)
async def test_an_object_that_cannot_be_tried_says_why(
    owned: dict[str, Any], because: str, context: Context
) -> None:
    values = await probe(Api(), context, objects={"file": OBJECT["file"] | owned})
    assert "objects_isolated" not in values
    assert because in str(values["objects_isolated_because"])


@pytest.mark.parametrize(
    "path",
    [
        "/files/{{id}}?access_token={{id}}",
        "/files/{{id}}?as={{token}}",
        "/files/{{id}}?auth=x",
        "/files/{{id}}?X-Amz-Signature=x",
    ],
)
async def test_an_address_that_is_a_proof_by_itself_proves_nothing(
    path: str, context: Context
) -> None:
    upload = STEPS[0] | {"capture": {"id": "$.id", "token": "$.id"}}
    steps = [upload, STEPS[1] | {"request": path}, STEPS[2]]
    values = await probe(Api(), context, steps=steps, objects=OBJECT)
    assert "objects_isolated" not in values
    assert values["objects_isolated_because"] == (
        "file: its address carries what may be a proof by itself"
    )
    owned = {"path": "/files/f1?token=secret-query", "owner": "demo", "others": ["other"]}
    values = await probe(Api("others read"), context, objects={"file": owned})
    assert "objects_isolated" not in values
    assert "a proof by itself" in str(values["objects_isolated_because"])


@pytest.mark.parametrize("more", ["objects", "openapi"])
async def test_what_fails_later_leaves_what_was_found(more: str, context: Context) -> None:
    api = Api("open to all")
    owned = {"path": "/files/f1", "owner": "demo", "others": ["other"]}
    later: dict[str, Any] = {"objects": {"file": owned}, "openapi": "/openapi.json"}
    spent = [False]

    async def resolve(host: str, port: int) -> Any:
        if spent[0]:
            raise OSError(errno.EMFILE, "too many open files")
        return await context.resolve(host, port)

    def answer(request: servers.Request) -> bytes:
        spent[0] = request.target == "/me" and api.who(request) == "admin"
        return api(request)

    limited = dataclasses.replace(context, resolve=resolve)
    paths = {"GET /me": PATHS["GET /me"]}
    values = await probe(answer, limited, paths=paths, **{more: later[more]})
    assert values["anonymous_refused"] is False
    metric = {"objects": "objects_isolated", "openapi": "openapi_kept"}[more]
    assert metric not in values
    assert "no file descriptor left" in str(values[f"{metric}_because"])


async def test_an_offence_stays_one_whatever_comes_after_it(context: Context) -> None:
    api = Api("others read")
    api.files["f1"] = "demo"
    spent = [False]

    async def resolve(host: str, port: int) -> Any:
        if spent[0]:
            raise OSError(errno.EMFILE, "too many open files")
        return await context.resolve(host, port)

    def answer(request: servers.Request) -> bytes:
        spent[0] = api.who(request) == "other"
        return api(request)

    owned = {"path": "/files/f1", "owner": "demo", "others": ["other", "admin"]}
    limited = dataclasses.replace(context, resolve=resolve)
    values = await probe(answer, limited, objects={"file": owned})
    assert values["objects_isolated"] is False
    assert values["objects_isolated_because"] == (
        "file: GET /files/f1 let other read what is demo's (200)"
    )
    assert kept(values) == ["fail", "unknown"]


async def test_what_fails_before_anything_was_heard_is_raised(context: Context) -> None:
    async def resolve(host: str, port: int) -> Any:
        raise OSError(errno.EMFILE, "too many open files")

    limited = dataclasses.replace(context, resolve=resolve)
    owned = {"path": "/files/f1", "owner": "demo", "others": ["other"]}
    tried: list[dict[str, Any]] = [{"paths": PATHS}, {"objects": {"file": owned}}]
    for settings in (*tried, {"openapi": "/openapi.json"}):
        with pytest.raises(OSError, match="too many"):
            await probe(Api(), limited, **settings)


async def test_without_the_write_tier_nothing_changes_and_what_can_be_known_is(
    context: Context,
) -> None:
    context = dataclasses.replace(context, allowed=frozenset({"observe"}))
    login = {
        "admin": {
            "service": "it",
            "login": {"request": "POST /login", "json": {"password": PASSWORD}},
        }
    }
    api = Api()
    values = await probe(api, context, identities=login, paths=PATHS, objects=OBJECT)
    assert {one.partition(" ")[0] for one in api.asked} == {"GET", "HEAD"}
    assert verdicts(values) == {
        "anonymous_refused": "unknown",
        "roles_refused": "unknown",
        "roles_allowed": "unknown",
        "objects_isolated": "unknown",
    }
    assert "needs the write tier" in str(values["objects_isolated_because"])
    assert "GET /me was not asked as admin: a login needs the write tier" in str(
        values["roles_allowed_because"]
    )


async def test_each_role_logs_in_once_even_if_in_vain(context: Context) -> None:
    login = {
        "service": "it",
        "login": {"request": "POST /login", "json": {"password": "wrong-canary"}},
    }
    api = Api()
    values = await probe(api, context, identities={"demo": login}, paths=PATHS)
    assert api.asked.count("POST /login") == 1
    assert "as demo: POST /login answered 401" in str(values["roles_allowed_because"])


async def test_a_service_that_cannot_be_reached_is_at_fault(context: Context) -> None:
    async with servers.refusing() as port:
        with pytest.raises(ProbeError) as caught:
            await measured(port, context, "http", {}, {"paths": PATHS})
    assert caught.value.failure.kind == "refused"


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"paths": {"POST /me": {"allow": []}}},
        {"paths": {"GET /me": {"allow": ["eve"]}}},
        {"paths": {"GET /{{me}}": {"allow": []}}},
        {"objects": {"x": {"owner": "demo", "others": ["other"]}}},
        {"objects": {"x": {"path": "/", "owner": "demo", "others": ["demo"]}}},
        {"objects": {"x": {"path": "/", "journey": "f", "owner": "demo", "others": ["other"]}}},
        {"paths": PATHS, "refuse_with": [200]},
        {"openapi": "http://elsewhere.example/openapi.json"},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"roles": ["demo", "other"], **settings})
