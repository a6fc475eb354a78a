"""An OpenAPI document is read as far as it can be asked for; access_matrix holds services to it."""

import dataclasses
import json
from typing import Any
from urllib.parse import quote

import pytest

from readiness.inventory import Inventory
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes._openapi import operations, version_fault
from readiness.probes.access_matrix import Settings, measure
from tests import servers

pytestmark = pytest.mark.anyio

TOKEN = "admin-token-canary"
KEY: list[dict[str, list[str]]] = [{"key": []}]


def document(paths: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"openapi": "3.1.0", "paths": paths, **more}


def read(paths: dict[str, Any], **more: Any) -> list[tuple[str, bool]]:
    found = operations(document(paths, **more))
    return [(one.request, one.secured) for one in found.asked]


def test_security_is_the_operations_own_or_the_documents() -> None:
    paths = {
        "/a": {"get": {}},
        "/b": {"get": {"security": []}},
        "/c": {"get": {"security": [{}, {"key": []}]}},
        "/d": {"head": {"security": KEY}},
    }
    assert read(paths, security=KEY) == [
        ("GET /a", True),
        ("HEAD /d", True),
        ("GET /b", False),
        ("GET /c", False),
    ]
    assert read(paths)[0] == ("HEAD /d", True)
    assert ("GET /a", False) in read(paths)


def test_only_what_changes_nothing_is_read() -> None:
    operation = {"security": KEY}
    methods = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
    paths = {"/a": dict.fromkeys(methods, operation)}
    assert read(paths) == [("GET /a", True), ("HEAD /a", True)]


@pytest.mark.parametrize(
    ("parameter", "path"),
    [
        ({"example": 7}, "/u/7"),
        ({"schema": {"default": "me"}}, "/u/me"),
        ({"schema": {"example": "a b/c?d"}}, "/u/a%20b%2Fc%3Fd"),
        ({"schema": {"examples": ["x"]}}, "/u/x"),
        ({"examples": {"one": {"value": "first"}}}, "/u/first"),
        ({"schema": {"$ref": "#/components/schemas/Id"}}, "/u/from-schema"),
        ({"schema": {"type": "string"}}, None),
        ({"example": {"no": "text"}}, None),
        ({"schema": {"$ref": "http://elsewhere.example/x"}}, None),
        ({"schema": {"$ref": "#/components/schemas/Loop"}}, None),
    ],
)
def test_path_parameters_need_an_example(parameter: dict[str, Any], path: str | None) -> None:
    schemas = {"Id": {"example": "from-schema"}, "Loop": {"$ref": "#/components/schemas/Loop"}}
    written = {"name": "id", "in": "path", "required": True, **parameter}
    shared = {"Id": written}
    for item in (
        {"get": {"parameters": [written]}},
        {"parameters": [written], "get": {}},
        {"get": {"parameters": [{"$ref": "#/components/parameters/Id"}]}},
    ):
        components = {"schemas": schemas, "parameters": shared}
        found = operations(document({"/u/{id}": item}, components=components))
        assert [one.path for one in found.asked] == ([path] if path else [])
        assert found.left_out == (0 if path else 1)


@pytest.mark.parametrize(
    ("servers_", "below", "path"),
    [
        ([{"url": "/api/v1"}], "", "/api/v1/a"),
        ([{"url": "https://elsewhere.example/api"}], "", "/api/a"),
        ([{"url": "/api"}], "/api", "/a"),
        ([{"url": "https://{host}/{base}"}], "", "/a"),
        ([{"url": "http://[bad"}], "", "/a"),
        ([7], "", "/a"),
        ([], "", "/a"),
    ],
)
def test_the_servers_path_counts_and_never_its_origin(
    servers_: list[Any], below: str, path: str
) -> None:
    [one] = operations(document({"/a": {"get": {}}}, servers=servers_), below).asked
    assert one.path == path


@pytest.mark.parametrize(
    "data", [None, 7, [], {}, {"paths": []}, {"paths": {}}, {"swagger": "2.0", "paths": {}}]
)
def test_what_is_no_openapi_3_is_told(data: Any) -> None:
    assert version_fault(data)
    assert not version_fault({"openapi": "3.0.3", "paths": {}})


@pytest.mark.parametrize("odd", ["\u00a0", "\x0b", "\x00", "\x7f", "\u2028", "\ud800"])
def test_what_no_request_can_hold_is_left_out(odd: str) -> None:
    parameter = {"name": "id", "in": "path", "example": odd}
    paths = {
        "/fit": {"get": {}},
        f"/a{odd}": {"get": {"security": KEY}},
        "/u/{id}": {"get": {"parameters": [parameter]}},
    }
    found = operations(document(paths))
    fit = ["/fit"] if odd == "\ud800" else ["/fit", f"/u/{quote(odd)}"]
    assert [one.path for one in found.asked] == fit
    assert (found.left_out, found.secures) == (3 - len(fit), True)
    found = operations(document({"/a": {"get": {}}}, servers=[{"url": f"/v{odd}1"}]))
    assert (found.asked, found.left_out, found.secures) == ((), 1, False)


async def test_a_document_that_secures_only_what_is_left_out_is_no_pass(context: Context) -> None:
    paths = {"/u/{id}": {"get": {}}, "/v\x0b": {"get": {}}, "/w": {"get": {"security": []}}}
    values, asked = await probe(document(paths, security=KEY), context, ("/w",))
    assert "openapi_kept" not in values
    assert values["openapi_kept_because"] == "no operation that it secures could be tested"
    assert (values["openapi_secures"], values["openapi_left_out"]) == (True, 2)
    assert asked == ["GET /w"]


def test_garbage_inside_is_passed_over() -> None:
    paths: dict[str, Any] = {
        "/a": None,
        "b": {"get": {}},
        "/c": {"get": 7},
        "/d": {"get": {"parameters": 7, "security": 7}, "parameters": [None, 7]},
        "/e f": {"get": {}},
    }
    assert read(paths) == [("GET /d", False)]


async def probe(
    spec: Any, context: Context, open_: tuple[str, ...] = (), **answers: int
) -> tuple[Values, list[str]]:
    """Hold a service to `spec`: it lets in `open_` anyone and the token anywhere else."""

    def answer(request: servers.Request) -> bytes:
        path = request.target
        known = TOKEN in request.headers.get("authorization", "")
        if path == "/openapi.json":
            return spec if isinstance(spec, bytes) else servers.response(200, json.dumps(spec))
        if path.strip("/") in answers and not known:
            return servers.response(answers[path.strip("/")])
        return servers.response(200 if known or path in open_ else 401, "{}")

    web = servers.Web(answer)
    async with servers.serving(web) as port:
        inventory = Inventory.model_validate(
            {
                "version": 1,
                "system": {"name": "it"},
                "services": {"it": {"kind": "http", "url": f"http://127.0.0.1:{port}"}},
                "identities": {"admin": {"headers": {"Authorization": f"Bearer {TOKEN}"}}},
            }
        )
        settings = Settings.model_validate({"roles": ["admin"], "openapi": "/openapi.json"})
        context = dataclasses.replace(context, inventory=inventory)
        values = await measure(inventory.services[0], settings, context)
    assert TOKEN not in str(values)
    return values, [f"{one.method} {one.target}" for one in web.requests[1:]]


SPEC = document(
    {"/a": {"get": {}}, "/b": {"get": {}}, "/open": {"get": {"security": []}}}, security=KEY
)


async def test_a_service_that_keeps_its_word(context: Context) -> None:
    values, asked = await probe(SPEC, context, ("/open",))
    assert values == {
        "openapi_secures": True,
        "openapi_kept": True,
        "openapi_operations": 3,
        "openapi_secured": 2,
        "openapi_untested": 0,
        "openapi_left_out": 0,
        "openapi_stricter": 0,
    }
    assert asked == ["GET /a", "GET /b", "GET /open"]


async def test_a_secured_operation_that_is_open_is_named(context: Context) -> None:
    values, _ = await probe(SPEC, context, ("/open", "/b"))
    assert values["openapi_kept"] is False
    assert values["openapi_kept_because"] == "GET /b let a stranger in (200)"


async def test_an_open_operation_that_is_closed_is_only_counted(context: Context) -> None:
    values, _ = await probe(SPEC, context)
    assert values["openapi_kept"] is True
    assert values["openapi_stricter"] == 1


@pytest.mark.parametrize("status", [404, 400])
async def test_what_is_neither_needs_someone_who_gets_in(status: int, context: Context) -> None:
    values, asked = await probe(SPEC, context, ("/open",), b=status)
    assert values["openapi_kept"] is True
    counts = (values["openapi_secured"], values["openapi_untested"])
    assert counts == ((2, 0) if status == 404 else (1, 1))
    assert asked.count("GET /b") == (2 if status == 404 else 1)


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_a_failure_keeps_it_unknown(status: int, context: Context) -> None:
    values, _ = await probe(SPEC, context, ("/open",), b=status)
    assert "openapi_kept" not in values
    assert f"GET /b answered a stranger with {status}" in str(values["openapi_kept_because"])


async def test_a_document_without_security_proves_nothing(context: Context) -> None:
    values, _ = await probe(document({"/a": {"get": {}}}), context, ("/a",))
    assert values == {"openapi_secures": False, "openapi_operations": 1}


async def test_no_more_than_fifty_are_asked_for_and_the_secured_first(context: Context) -> None:
    paths = {f"/p{n:03}": {"get": {"security": KEY if n % 2 else []}} for n in range(70)}
    values, asked = await probe(document(paths), context)
    assert (values["openapi_operations"], values["openapi_left_out"]) == (50, 20)
    assert asked[:2] == ["GET /p001", "GET /p003"]
    assert asked[35] == "GET /p000"


@pytest.mark.parametrize(
    ("raw", "because"),
    [
        (servers.response(404), "/openapi.json answered 404"),
        (servers.response(200, "openapi: 3.1.0"), "it is no OpenAPI document in JSON"),
        (servers.response(200, "[" * 100_000), "it is no OpenAPI document in JSON"),
        (servers.response(200, b"\xff" * 10), "it is no OpenAPI document in JSON"),
        (servers.response(200, '{"swagger": "2.0", "paths": {}}'), "not OpenAPI 3.0"),
        (servers.response(200, b" " * (2 << 20)), "longer than 1 MiB"),
        (b"\x00\xff\r\n\r\n", "gave no answer (protocol)"),
    ],
)
async def test_a_document_that_cannot_be_read_says_why(
    raw: bytes, because: str, context: Context
) -> None:
    values, _ = await probe(raw, context)
    assert "openapi_kept" not in values
    assert because in str(values["openapi_kept_because"])
