"""oidc_discovery against a provider as it should be, and one for each flaw alone."""

import base64
import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import pytest

from readiness.failure import ProbeError
from readiness.inventory import Service
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes.oidc_discovery import METRICS, Settings, _tls_expected, measure
from tests import servers

pytestmark = pytest.mark.anyio

PATH = "/.well-known/openid-configuration"
OAUTH_PATH = "/.well-known/oauth-authorization-server"
SECRET = "hunter2-canary"


def number(bits: int) -> str:
    return (
        base64.urlsafe_b64encode(((1 << bits) - 1).to_bytes(bits // 8, "big")).decode().strip("=")
    )


RSA = {"kty": "RSA", "use": "sig", "kid": "one", "n": number(2048), "e": "AQAB"}
EC = {"kty": "EC", "use": "sig", "kid": "two", "crv": "P-256", "x": "xx", "y": "yy"}
HEALTHY: Values = {
    "tls_expected": False,
    "discovered": True,
    "issuer_matches": True,
    "metadata_complete": True,
    "endpoints_tls": True,
    "code_flow": True,
    "pkce_s256": True,
    "unsigned_refused": True,
    "implicit_absent": True,
    "keys_published": True,
    "keys_answered": True,
    "signing_key": True,
    "private_keys_absent": True,
    "keys_strong": True,
    "key_ids_unique": True,
}
KEY_METRICS = ("signing_key", "private_keys_absent", "keys_strong", "key_ids_unique")
DOCUMENT_METRICS = ("discovered", *list(HEALTHY)[2:9], "keys_published", "keys_answered")
ISSUER = "https://id.example"
METADATA: Mapping[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys/?p=policy",
    "response_types_supported": ["code", "id_token", "code id_token"],
    "subject_types_supported": ["public"],
    "id_token_signing_alg_values_supported": ["RS256"],
    "request_object_signing_alg_values_supported": ["none", "RS256"],
    "userinfo_signing_alg_values_supported": ["none"],
    "token_endpoint_auth_signing_alg_values_supported": ["RS256"],
    "code_challenge_methods_supported": ["plain", "S256"],
}


def provider(document: object = METADATA, keys: object = None, path: str = PATH) -> servers.Web:
    """Return a provider; bytes are whole answers, all else is sent as JSON."""
    keys = {"keys": [RSA, EC]} if keys is None else keys
    pages = {path: document, "/keys/?p=policy": keys}

    def answer(request: servers.Request) -> bytes:
        page = pages.get(request.target)
        if page is None:
            return servers.response(404)
        return page if isinstance(page, bytes) else servers.response(200, json.dumps(page))

    return servers.Web(answer)


async def probe(web: servers.Handler, context: Context, **settings: Any) -> Values:
    async with servers.serving(web) as port:
        return await ask(port, context, **{"issuer": ISSUER, **settings})


async def ask(port: int, context: Context, **settings: Any) -> Values:
    url = f"http://ann:{SECRET}@127.0.0.1:{port}/?key={SECRET}"
    service = Service.model_validate({"name": "it", "kind": "http", "url": url})
    values = await measure(service, Settings.model_validate(settings), context)
    assert SECRET not in str(values)
    assert {name.removesuffix("_because") for name in values} <= set(METRICS)
    return values


def differing(values: Values) -> Values:
    """Return what differs from a healthy provider, without the reasons."""
    names = {name for name in HEALTHY.keys() | values.keys() if not name.endswith("_because")}
    return {name: values.get(name, "-") for name in names if values.get(name) != HEALTHY.get(name)}


async def test_a_provider_as_it_should_be(context: Context) -> None:
    web = provider()
    values = await probe(web, context)
    assert values == HEALTHY
    assert [(r.method, r.target) for r in web.requests] == [
        ("GET", PATH),
        ("GET", "/keys/?p=policy"),
    ]
    assert not any("authorization" in r.headers or SECRET in r.target for r in web.requests)


def without(*names: str, **changed: Any) -> dict[str, Any]:
    return {name: value for name, value in {**METADATA, **changed}.items() if name not in names}


DOCUMENTS: dict[str, tuple[object, Values, str]] = {
    "another issuer": (
        without(issuer="https://evil.example"),
        {"issuer_matches": False},
        'the document says "https://evil.example", not "https://id.example"',
    ),
    "a slash more": (
        without(issuer=f"{ISSUER}/"),
        {"issuer_matches": False},
        'the document says "https://id.example/", not "https://id.example": '
        "they differ by a slash at the end",
    ),
    "an issuer with a query": (
        without(issuer=f"{ISSUER}?key={SECRET}"),
        {"issuer_matches": False},
        'the document says "https://id.example", not "https://id.example"',
    ),
    "no subject types": (
        without("subject_types_supported"),
        {"metadata_complete": False},
        "subject_types_supported is missing or of the wrong type",
    ),
    "an endpoint that is a list": (
        without(token_endpoint=["x"]),
        {"metadata_complete": False},
        "token_endpoint is missing or of the wrong type",
    ),
    "a plain endpoint": (
        without(userinfo_endpoint="http://id.example/me"),
        {"endpoints_tls": False},
        "userinfo_endpoint is not https",
    ),
    "no PKCE": (
        without("code_challenge_methods_supported"),
        {"pkce_s256": False},
        "code_challenge_methods_supported is missing",
    ),
    "PKCE in plain text": (
        without(code_challenge_methods_supported=["plain"]),
        {"pkce_s256": False},
        "code_challenge_methods_supported holds plain alone",
    ),
    "unsigned ID tokens": (
        without(id_token_signing_alg_values_supported=["RS256", "none"]),
        {"unsigned_refused": False},
        "id_token_signing_alg_values_supported holds `none`, "
        "although ID tokens pass through the browser",
    ),
    "unsigned ID tokens in the code flow": (
        without(
            response_types_supported=["code"],
            id_token_signing_alg_values_supported=["RS256", "NONE"],
        ),
        {"unsigned_refused": False},
        "id_token_signing_alg_values_supported holds `none` for the code flow",
    ),
    "unsigned clients": (
        without(token_endpoint_auth_signing_alg_values_supported=["None"]),
        {"unsigned_refused": False},
        "token_endpoint_auth_signing_alg_values_supported holds `none`",
    ),
    "implicit flow": (
        without(response_types_supported=["code", "id_token token"]),
        {"implicit_absent": False},
        'response_types_supported holds "id_token token"',
    ),
}


@pytest.mark.parametrize("flaw", DOCUMENTS)
async def test_each_flaw_of_a_document_is_told_alone(flaw: str, context: Context) -> None:
    document, expected, because = DOCUMENTS[flaw]
    values = await probe(provider(document), context)
    assert differing(values) == expected
    [metric] = expected
    assert values[f"{metric}_because"] == because


@pytest.mark.parametrize(
    "document",
    [
        without(response_types_supported=["code"]),
        without("token_endpoint", response_types_supported=["id_token"]),
        without("token_endpoint_auth_signing_alg_values_supported"),
    ],
)
async def test_what_the_standards_allow_is_no_flaw(document: object, context: Context) -> None:
    found = differing(await probe(provider(document), context))
    assert found in ({}, {"code_flow": False})


async def test_an_authorization_server_without_openid(context: Context) -> None:
    document = {
        "issuer": ISSUER,
        "token_endpoint": f"{ISSUER}/token",
        "grant_types_supported": ["client_credentials"],
    }
    values = await probe(provider(document, path=OAUTH_PATH), context, path=OAUTH_PATH)
    assert differing(values) == {
        **{"code_flow": False, "pkce_s256": False, "keys_published": False, "keys_answered": "-"},
        **dict.fromkeys(KEY_METRICS, "-"),
    }
    assert differing(await probe(provider(document), context))["metadata_complete"] is False


@pytest.mark.parametrize(
    ("answer", "because"),
    [
        (servers.response(404), f"GET {PATH} answered 404"),
        (servers.response(401), f"GET {PATH} answered 401"),
        (
            servers.response(302, headers={"Location": f"/login?key={SECRET}"}),
            f"GET {PATH} answered 302, a redirect to /login",
        ),
        (servers.response(200, "<html>"), f"GET {PATH} answered with a web page"),
        (servers.response(200, ""), f"GET {PATH} answered with no valid JSON"),
        (servers.response(200, '{"issuer": '), f"GET {PATH} answered with no valid JSON"),
        (servers.response(200, b"\xff\xfe\x00"), f"GET {PATH} answered with no valid JSON"),
        (servers.response(200, "[" * 200_000), f"GET {PATH} answered with no valid JSON"),
        (servers.response(200, "[]"), f"GET {PATH} answered with JSON that is no object"),
        (servers.response(200, "null"), f"GET {PATH} answered with JSON that is no object"),
        (
            servers.response(200, " " * (2 << 20)),
            f"GET {PATH} answered with a body that does not end within 1 MiB",
        ),
    ],
)
async def test_what_is_no_document(answer: bytes, because: str, context: Context) -> None:
    values = await probe(servers.always(answer), context)
    unknown = dict.fromkeys((*DOCUMENT_METRICS, *KEY_METRICS), "-")
    assert differing(values) == {**unknown, "discovered": False}
    for metric in (*DOCUMENT_METRICS, *KEY_METRICS):
        if metric != "keys_published":
            assert values[f"{metric}_because"] == because


@pytest.mark.parametrize(
    "answer", [servers.response(429), servers.response(500), servers.response(503), servers.bomb()]
)
async def test_a_failure_of_the_moment_tells_nothing(answer: bytes, context: Context) -> None:
    values = await probe(servers.always(answer), context)
    assert differing(values) == dict.fromkeys((*DOCUMENT_METRICS, *KEY_METRICS), "-")
    assert values["discovered_because"]


@pytest.mark.parametrize("path", ["/\ud800", "/keys?\udfff"])
async def test_half_a_character_in_the_jwks_uri_is_not_sent(path: str, context: Context) -> None:
    found: dict[str, str] = {}
    web = servers.Web(lambda r: servers.response(200, json.dumps({**METADATA, **found})))
    async with servers.serving(web) as port:
        found["jwks_uri"] = f"http://127.0.0.1:{port}{path}"
        values = await ask(port, context)
    assert values["keys_answered_because"] == "the jwks_uri is no URL that can be asked"
    assert values["unsigned_refused"] is True
    assert [r.target for r in web.requests] == [PATH]


@pytest.mark.parametrize("value", [None, 7, {}, [], [1], "", True, [[]], "\x1b[31m\n"])
async def test_members_of_any_type_break_nothing(value: object, context: Context) -> None:
    values = await probe(provider(dict.fromkeys(METADATA, value)), context)
    assert (values["discovered"], values["metadata_complete"]) == (True, False)
    assert values["issuer_matches"] is False
    assert "\x1b" not in str(list(values.values()))


async def test_an_undeclared_issuer_is_the_services_address(context: Context) -> None:
    found: dict[str, str] = {}
    web = servers.Web(lambda r: servers.response(200, json.dumps(found | {"x": SECRET})))
    async with servers.serving(web) as port:
        found["issuer"] = f"http://127.0.0.1:{port}/"
        assert (await ask(port, context))["issuer_matches"] is True
        found["issuer"] = f"http://127.0.0.1:{port}"
        values = await ask(port, context)
        assert "issuer_matches" not in values
        assert "declare the `issuer`" in str(values["issuer_matches_because"])
        found["issuer"] = ISSUER
        assert (await ask(port, context))["issuer_matches"] is False


KEYS: dict[str, tuple[object, Values, str]] = {
    "a private RSA key": (
        [RSA | {"d": SECRET, "p": SECRET}],
        {"private_keys_absent": False},
        "key 1 is private: it holds `d` and `p`",
    ),
    "a private EC key": (
        [RSA, EC | {"d": SECRET}],
        {"private_keys_absent": False},
        "key 2 is private: it holds `d`",
    ),
    "a symmetric key": (
        [RSA, {"kty": "oct", "kid": "three", "k": SECRET}],
        {"private_keys_absent": False},
        "key 2 is symmetric: it holds `k`",
    ),
    "a short key": (
        [RSA | {"n": number(1024)}],
        {"keys_strong": False},
        "key 1 is of RSA with 1024 bits",
    ),
    "one kid for two keys": (
        [RSA, RSA | {"n": number(3072)}],
        {"key_ids_unique": False},
        "keys 1 and 2 have the same `kid`",
    ),
    "two keys without a kid": (
        [RSA | {"kid": ""}, RSA | {"kid": None, "n": number(3072)}],
        {"key_ids_unique": False},
        "keys 1 and 2 have no `kid`",
    ),
    "a key on a small curve": (
        [EC | {"crv": "P-192"}],
        {"keys_strong": False},
        "key 1 is on P-192",
    ),
    "more short keys than are named": (
        [RSA | {"n": number(1024), "kid": f"k{i}"} for i in range(5)],
        {"keys_strong": False},
        "; ".join([*(f"key {i} is of RSA with 1024 bits" for i in (1, 2, 3)), "2 more"]),
    ),
    "no key": ([], {"signing_key": False}, "the key set is empty"),
    "keys for encryption alone": (
        [RSA | {"use": "enc"}],
        {"signing_key": False},
        "none of its 1 keys does",
    ),
    "a key without its parts": (
        [{"kty": "RSA", "kid": "one"}],
        {"signing_key": False},
        "none of its 1 keys does",
    ),
}


@pytest.mark.parametrize("flaw", KEYS)
async def test_each_flaw_of_the_keys_is_told_alone(flaw: str, context: Context) -> None:
    keys, expected, because = KEYS[flaw]
    values = await probe(provider(keys={"keys": keys}), context)
    assert differing(values) == expected
    [metric] = expected
    assert values[f"{metric}_because"] == because


@pytest.mark.parametrize(
    "keys",
    [
        [RSA],
        [{**RSA, "kid": None}],
        [RSA, RSA],
        [RSA, EC | {"kid": "one"}],
        [RSA, {"kty": "OKP", "crv": "Ed25519", "x": "xx", "kid": "3"}, {"kty": "new"}],
    ],
)
async def test_good_key_sets(keys: object, context: Context) -> None:
    assert differing(await probe(provider(keys={"keys": keys}), context)) == {}


@pytest.mark.parametrize("value", [None, 7, {}, [], "é", "\x00", True])
async def test_key_members_of_any_type_break_nothing(value: object, context: Context) -> None:
    keys = [
        dict.fromkeys(("kty", "n", "e", "x", "y", "kid", "use", "crv"), value),
        {**RSA, "n": value},
    ]
    values = await probe(provider(keys={"keys": keys}), context)
    assert values["signing_key"] is False or isinstance(value, str)
    assert values["private_keys_absent"] is True


@pytest.mark.parametrize("kind", ["EC", "RSA", "OKP", "AKP", "oct", "new"])
@pytest.mark.parametrize("value", [None, 7, 1.5, {}, [], [[]], {"a": []}, True, "\ud800"])
async def test_a_private_key_is_told_whatever_else_is_wrong(
    kind: str, value: object, context: Context
) -> None:
    odd = dict.fromkeys(("n", "e", "x", "y", "kid", "use", "alg", "crv", "pub"), value)
    secret = {"kty": kind, "k": SECRET} if kind == "oct" else {"kty": kind, "d": SECRET}
    leaked = await probe(provider(keys={"keys": [odd | secret, {**odd, "kty": value}]}), context)
    assert leaked["private_keys_absent"] is False


@pytest.mark.parametrize(
    ("answer", "known"),
    [
        (servers.response(404), True),
        (servers.response(200, "<html>"), True),
        (servers.response(200, "[" * 200_000), True),
        (servers.response(200, "{}"), True),
        (servers.response(200, '{"keys": {}}'), True),
        (servers.response(200, '{"keys": [1]}'), True),
        (servers.response(429), False),
        (servers.response(500), False),
    ],
)
async def test_keys_that_do_not_answer(answer: bytes, known: bool, context: Context) -> None:
    values = await probe(provider(keys=answer), context)
    unknown = dict.fromkeys(KEY_METRICS, "-")
    assert differing(values) == {**unknown, "keys_answered": False if known else "-"}
    assert values["keys_answered_because"]
    assert SECRET not in str(values)
    assert "policy" not in str(values)


async def test_keys_at_another_host_are_asked_for_only_if_declared(context: Context) -> None:
    elsewhere = provider()
    async with servers.serving(elsewhere) as port:
        uri = f"http://127.0.0.1:{port}/keys/?p=policy"
        here = provider(without(jwks_uri=uri))
        values = await probe(here, context)
        unknown = dict.fromkeys((*KEY_METRICS, "keys_answered"), "-")
        assert differing(values) == {**unknown, "endpoints_tls": False}
        assert values["keys_answered_because"] == (
            "the keys are at another host: declare it as jwks_uri to have them asked for"
        )
        assert not elsewhere.requests
        values = await probe(here, context, jwks_uri=uri)
        assert differing(values) == {"endpoints_tls": False}
    [request] = elsewhere.requests
    assert "authorization" not in request.headers


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "https://id.example@127.0.0.1/keys",
        "https://ann:hunter2@id.example/keys",
        "https://id.example/\r\nX: y",
        "https://[::1/keys",
        "https://id.example:99999/keys",
        "javascript:alert(1)",
        "https://id.example/" + "x" * 5000,
        "/keys",
    ],
)
async def test_a_hostile_jwks_uri_is_not_asked(uri: str, context: Context) -> None:
    web = provider(without(jwks_uri=uri))
    values = await probe(web, context)
    assert "keys_answered" not in values
    assert values["keys_answered_because"] == "the jwks_uri is no URL that can be asked"
    assert [r.target for r in web.requests] == [PATH]


async def test_keys_that_never_come_are_unknown(context: Context) -> None:
    async def handler(reader: Any, writer: Any) -> None:
        request = await servers.read_request(reader)
        if request and request.target == PATH:
            writer.write(servers.response(200, json.dumps(METADATA)))
            await writer.drain()
            return
        await servers.silent(reader, writer)

    values = await probe(handler, dataclasses.replace(context, timeout=0.2))
    assert differing(values) == dict.fromkeys((*KEY_METRICS, "keys_answered"), "-")
    assert "no answer within 0.2 s" in str(values["keys_answered_because"])


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://localhost", True),
        ("http://id.example.com", True),
        ("http://8.8.8.8", True),
        ("http://localhost:8080", False),
        ("http://keycloak:8080", False),
        ("http://10.1.2.3", False),
        ("http://[::1]:80", False),
        ("http://id.local", False),
    ],
)
def test_where_tls_is_expected(url: str, expected: bool) -> None:
    service = Service.model_validate({"name": "it", "kind": "http", "url": url})
    assert _tls_expected(service) is expected


async def test_nobody_there_is_a_failure(context: Context) -> None:
    async with servers.refusing() as port:
        with pytest.raises(OSError):
            await ask(port, context)
    async with servers.serving(servers.silent) as port:
        with pytest.raises(ProbeError, match="no answer within"):
            await ask(port, dataclasses.replace(context, timeout=0.2))
