"""jwt against a guard that verifies its tokens, and against guards with one flaw each."""

import base64
import dataclasses
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from readiness.failure import ProbeError
from readiness.inventory import Inventory
from readiness.judge import judge_all
from readiness.measurement import Values
from readiness.probes import Context, _jwt_forgery, _jwt_keys
from readiness.probes._answer import Answer
from readiness.probes._jwt_claims import read
from readiness.probes._jwt_token import Token, compact, decode, parse
from readiness.probes._shown_token import alike
from readiness.probes.jwt import METRICS, Settings, measure
from tests import servers
from tests.judging import CRITERIA, NOW, measured
from tests.jwt_guard import PRIVATE_PEM, PUBLIC_PEM, SECRET, Guard

pytestmark = pytest.mark.anyio

LOGIN = {
    "name": "login",
    "request": "POST /login",
    "json": {"user": "ann"},
    "capture": {"access_token": "$.access_token"},
}
ME = {"name": "me", "request": "GET /me", "headers": {"Authorization": "Bearer {{access_token}}"}}
LATER = {"name": "order", "request": "POST /order"}
LEAVE = {"name": "leave", "request": "POST /logout", "always": True}
PLAIN = {"journey": "session", "captured": "access_token", "step": "me"}
KEYS = {
    "HS256": {"signing_key": SECRET.decode()},
    "RS256": {"signing_key": PRIVATE_PEM.decode(), "public_key": PUBLIC_PEM.decode()},
}
MOST = 55


@dataclasses.dataclass
class Found:
    """What the probe measured, and what the bundled checks make of it."""

    values: Values
    failed: set[str]
    unknown: set[str]
    passed: set[str]
    apart: dict[str, str]
    """Why a check was not applicable."""


async def probe(
    answer: Callable[[servers.Request], bytes] | servers.Web,
    context: Context,
    steps: Any = (LOGIN, ME, LATER, LEAVE),
    **settings: Any,
) -> Found:
    web = answer if isinstance(answer, servers.Web) else servers.Web(answer)
    written = PLAIN | settings
    async with servers.serving(web) as port:
        inventory = _inventory(port, steps, written)
        lent = dataclasses.replace(context, inventory=inventory)
        values = await measure(inventory.services[0], Settings.model_validate(written), lent)
    issued = [r for r in web.requests if r.target == "/me"][:1]
    for request in issued:
        shown = [*request.headers.get("authorization", "x x").split(), "x.x.x"][1]
        assert not [part for part in shown.split(".") if len(part) > 1 and part in str(values)]
    assert SECRET.decode() not in str(values)
    assert {name.removesuffix("_because") for name in values} <= set(METRICS)
    return _judged(inventory, values)


def _inventory(port: int, steps: Any, written: Any) -> Inventory:
    service = {
        "kind": "http",
        "criticality": "critical",
        "url": f"http://127.0.0.1:{port}",
        "probes": {"jwt": written},
    }
    session = {"title": "Session", "service": "api", "steps": steps}
    return Inventory.model_validate(
        {
            "version": 1,
            "system": {"name": "shop"},
            "services": {"api": service},
            "journeys": {"session": session},
        }
    )


def _judged(inventory: Inventory, values: Values) -> Found:
    plain: Any = values
    findings = judge_all(inventory, [measured("jwt", **plain)], CRITERIA, NOW.date())
    mine = [finding for finding in findings if finding.check.startswith("jwt-")]

    def of(outcome: str) -> set[str]:
        return {finding.check for finding in mine if finding.outcome == outcome}

    apart = {f.check: f.because for f in mine if f.outcome == "not_applicable"}
    return Found(values, of("fail"), of("unknown"), of("pass"), apart)


# One flaw, one finding


@pytest.mark.parametrize("algorithm", ["HS256", "RS256"])
@pytest.mark.parametrize("cookie", [False, True], ids=["header", "cookie"])
async def test_a_guard_without_a_flaw_passes_every_check(
    algorithm: str, cookie: bool, context: Context, concealed: list[str]
) -> None:
    guard = Guard(algorithm=algorithm, cookie=cookie)
    web = servers.Web(guard)
    me = {"name": "me", "request": "GET /me"} if cookie else ME
    found = await probe(web, context, (LOGIN, me, LATER, LEAVE), **KEYS[algorithm])
    assert (found.failed, found.unknown) == (set(), set())
    missing = {"HS256": {"jwt-confusion-refused"}, "RS256": {"jwt-strong-secret"}}[algorithm]
    assert found.passed == {c for c in CRITERIA.checks if c.startswith("jwt-")} - missing
    assert found.values["forgeries"] == found.values["forgeries_refused"]
    assert found.values["control_accepted"] is True
    assert found.values["control_kept"] is True
    assert guard.me <= MOST + 1
    targets = [request.target for request in web.requests]
    assert (targets[0], targets[-1]) == ("/login", "/logout")
    assert set(targets[1:-1]) == {"/me"}
    assert KEYS[algorithm]["signing_key"] in concealed


HS_FLAWS = [
    ("no token", "jwt-required", "GET /me let in no token, an empty token (200)"),
    ("any word", "jwt-malformed-refused", "GET /me let in a word that is no token, "),
    ("decode only", "jwt-payload-protected", "GET /me let in a claim added, a role raised (200)"),
    ("no signature", "jwt-signature-required", "an empty signature, no third part (200)"),
    ("alg none", "jwt-none-refused", "let in alg none, alg None, alg NONE, alg nOnE, "),
    ("alg nOnE", "jwt-none-refused", "let in alg None, alg NONE, alg nOnE, alg nonE, "),
    ("alg nONe", "jwt-none-refused", "let in alg nONe (200)"),
    ("no alg", "jwt-none-refused", "let in no alg (200)"),
    ("test key", "jwt-key-verified", "let in the key `secret` (200)"),
    ("kid file", "jwt-header-keys-ignored", "kid ../../../../../../../../dev/null, kid /dev/null"),
    ("kid query", "jwt-header-keys-ignored", "let in kid with SQL in it (200)"),
    ("unknown kid", "jwt-header-keys-ignored", "let in an unknown kid (200)"),
    ("jwk", "jwt-header-keys-ignored", "let in jwk (200)"),
    ("expiry", "jwt-expiry-enforced", "let in an expired token (200)"),
    ("not before", "jwt-not-before-enforced", "let in a token not yet valid (200)"),
    ("audience", "jwt-audience-enforced", "let in a token with another aud (200)"),
    ("issuer", "jwt-issuer-enforced", "let in a token with another iss (200)"),
    ("crit", "jwt-crit-refused", "let in an unknown crit (200)"),
]
RS_FLAWS = [
    ("confusion", "jwt-confusion-refused", "HS256 with the public key as the secret"),
    ("stripped confusion", "jwt-confusion-refused", "HS256 with the public key as the secret"),
    *(one for one in HS_FLAWS if one[0] != "test key"),
]


@pytest.mark.parametrize(("flaw", "check", "because"), HS_FLAWS, ids=[f[0] for f in HS_FLAWS])
async def test_a_flaw_is_found_by_its_check_alone(
    flaw: str, check: str, because: str, context: Context
) -> None:
    await _found_alone(Guard(frozenset({flaw})), check, because, context)


@pytest.mark.parametrize(("flaw", "check", "because"), RS_FLAWS, ids=[f[0] for f in RS_FLAWS])
async def test_so_it_is_where_tokens_are_signed_with_a_private_key(
    flaw: str, check: str, because: str, context: Context
) -> None:
    await _found_alone(Guard(frozenset({flaw}), "RS256"), check, because, context)


async def _found_alone(guard: Guard, check: str, because: str, context: Context) -> None:
    found = await probe(guard, context, **KEYS[guard.algorithm])
    assert (found.failed, found.unknown) == ({check}, set())
    metric = CRITERIA.checks[check].metric
    assert because in str(found.values[f"{metric}_because"])
    assert guard.me <= MOST + 1


@pytest.mark.parametrize(
    ("guard", "check", "because"),
    [
        (Guard(secret=b"changeme"), "jwt-strong-secret", "secrets that are tried first"),
        (Guard(secret=b""), "jwt-strong-secret", "secrets that are tried first"),
        (Guard(secret=b"secret"), "jwt-strong-secret", "secrets that are tried first"),
        (Guard(claims={"exp": None}), "jwt-expires", "it has no exp"),
        (Guard(frozenset({"expiry"}), claims={"exp": "soon"}), "jwt-expires", "exp is no number"),
        (Guard(claims={"iat": 1_000_000_000}), "jwt-lifetime", ""),
        (
            Guard(claims={"profile": [{"Password": "canary-1"}]}),
            "jwt-no-secrets-in-payload",
            "what looks like a secret is in the claim profile.Password",
        ),
    ],
    ids=["weak", "empty", "tried", "endless", "words", "long", "password"],
)
async def test_what_a_token_says_of_itself_is_judged(
    guard: Guard, check: str, because: str, context: Context
) -> None:
    found = await probe(guard, context)
    assert (found.failed, found.unknown) == ({check}, set())
    metric = CRITERIA.checks[check].metric
    assert because in str(found.values.get(f"{metric}_because", ""))
    assert "canary-1" not in str(found.values)


async def test_the_lifetime_is_counted_from_the_tokens_making(context: Context) -> None:
    found = await probe(Guard(), context)
    assert found.values["lifetime_ms"] == 900_000
    found = await probe(Guard(claims={"iat": None}), context)
    assert 890_000 < float(str(found.values["lifetime_ms"])) <= 900_000


def claims_of(claims: dict[str, Any]) -> Values:
    token = Token("", "", "", {"alg": "HS256"}, claims)
    return read(token, 0.0)


@pytest.mark.parametrize(
    ("claims", "named"),
    [
        ({"ssn": "078-05-1120"}, "ssn"),
        ({"ssn": 78051120}, "ssn"),
        ({"client-secret": "x"}, "client-secret"),
        ({"card_number": "4111111111111111"}, "card_number"),
        ({"note": "4111-1111-1111-1111"}, "note"),
        ({"k": "-----BEGIN RSA PRIVATE KEY-----\nMIIE"}, "k"),
        ({"h": "$2b$12$" + "a" * 53}, "h"),
        ({"a": {"b": [{"c": "ghp_0123456789abcdef"}]}}, "a.b.c"),
        ({"\x1b[31mpwd": "x", "pwd": "y"}, "pwd"),
    ],
)
def test_a_secret_in_the_payload_is_named_by_its_claim(claims: Any, named: str) -> None:
    values = claims_of(claims)
    assert values["no_secrets_in_payload"] is False
    because = f"what looks like a secret is in the claim {named}"
    assert values["no_secrets_in_payload_because"] == because


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "ann@example.com", "name": "Ann", "sub": "4111111111111111"},
        {"password_changed_at": 1700000000, "password_expired": False, "secret": None},
        {"card_number": "4111111111111112", "password": "", "has_password": "yes"},
        {"deep": [[[[[[[[[{"password": "x"}]]]]]]]]]},
        {"n": 10**400, "exp": 10**400, "iat": True},
    ],
)
def test_what_is_no_secret_is_not_called_one(claims: Any) -> None:
    assert claims_of(claims)["no_secrets_in_payload"] is True


def test_a_token_that_ends_before_it_begins_has_no_lifetime() -> None:
    values = claims_of({"exp": 1, "iat": 5})
    assert "lifetime_ms" not in values
    assert values["lifetime_ms_because"] == "the token ends before it begins"


# What proves nothing


def changing(guard: Guard, after: int, answer: bytes) -> Callable[[servers.Request], bytes]:
    """Answer /me as `guard` does so many times, then with `answer` whoever asks."""

    def changed(request: servers.Request) -> bytes:
        said = guard(request)
        return answer if request.target == "/me" and guard.me > after else said

    return changed


FORGERIES = {c for c in CRITERIA.checks if c.startswith("jwt-")} - {
    *("jwt-algorithm", "jwt-strong-secret", "jwt-expires", "jwt-lifetime"),
    *("jwt-no-secrets-in-payload", "jwt-confusion-refused"),
}
"""What is unknown of an HS256 token where forgeries prove nothing."""


async def test_refusals_prove_nothing_once_the_token_itself_is_refused(context: Context) -> None:
    dying = changing(Guard(), 20, servers.response(401))
    found = await probe(dying, context, **KEYS["HS256"])
    assert (found.failed, found.unknown) == (set(), FORGERIES)
    because = (
        "the token itself is not accepted any more after the forgeries (401), "
        "so that refusals prove nothing"
    )
    assert found.values["required_because"] == because
    assert found.values["no_server_error_because"] == because
    assert found.values["control_accepted"] is True
    assert found.values["control_kept"] is False
    assert found.values["control_kept_because"] == because


async def test_an_acceptance_is_found_though_the_token_is_refused_later(context: Context) -> None:
    dying = changing(Guard(frozenset({"alg none"})), 30, servers.response(401))
    found = await probe(dying, context, **KEYS["HS256"])
    assert found.failed == {"jwt-none-refused"}
    assert found.unknown == FORGERIES - {"jwt-none-refused"}


async def test_a_token_that_is_refused_at_once_proves_nothing(context: Context) -> None:
    guard = Guard()
    found = await probe(changing(guard, 1, servers.response(403)), context, **KEYS["HS256"])
    assert found.values["control_accepted"] is False
    assert found.values["control_kept"] is False
    assert (found.failed, found.unknown) == (set(), FORGERIES)
    assert found.values["required_because"] == (
        "GET /me answered 403 to the token itself when it came again"
    )
    assert guard.me == 2


async def test_a_service_that_limits_requests_is_left_alone(context: Context) -> None:
    guard = Guard()
    found = await probe(changing(guard, 9, servers.response(429)), context, **KEYS["HS256"])
    assert (found.failed, found.unknown) == (set(), FORGERIES)
    because = "the service limits how much may be asked (429)"
    assert found.values["payload_protected_because"] == because
    assert found.values["no_server_error_because"] == because
    assert guard.me == 11


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_server_errors_are_a_failure_of_their_own(status: int, context: Context) -> None:
    def crashing(request: servers.Request) -> bytes:
        said = guard(request)
        shown = request.headers.get("authorization")
        return servers.response(status) if shown and b" 401 " in said else said

    guard = Guard()
    found = await probe(crashing, context, **KEYS["HS256"])
    assert found.failed == {"jwt-no-server-error"}
    assert found.unknown == FORGERIES - {"jwt-no-server-error", "jwt-required"}
    because = str(found.values["no_server_error_because"])
    assert because.startswith(f"GET /me answered {status} to an empty token, twice, and to ")
    assert str(found.values["malformed_refused_because"]).startswith(
        f"the answers tell neither acceptance nor refusal: a word that is no token: {status}; "
    )


async def test_one_crash_leaves_a_group_to_its_other_forgeries(context: Context) -> None:
    def crashing(request: servers.Request) -> bytes:
        words = request.headers.get("authorization") == "Bearer readiness"
        return servers.response(500) if words else guard(request)

    guard = Guard()
    found = await probe(crashing, context, **KEYS["HS256"])
    assert (found.failed, found.unknown) == ({"jwt-no-server-error"}, set())
    assert found.values["malformed_refused"] is True


async def test_a_server_error_that_does_not_come_again_is_no_finding(context: Context) -> None:
    guard = Guard()

    def once(request: servers.Request) -> bytes:
        said = guard(request)
        return servers.response(500) if request.target == "/me" and guard.me == 7 else said

    found = await probe(once, context, **KEYS["HS256"])
    assert (found.failed, found.unknown) == (set(), {"jwt-no-server-error"})
    assert "once and 401 after that" in str(found.values["no_server_error_because"])


@pytest.mark.parametrize("times", [{7, 8}, {7, 8, 20}])
async def test_a_service_under_load_has_not_failed(times: set[int], context: Context) -> None:
    guard = Guard()

    def busy(request: servers.Request) -> bytes:
        said = guard(request)
        loaded = request.target == "/me" and guard.me in times
        return servers.response(503) if loaded else said

    found = await probe(busy, context, **KEYS["HS256"])
    assert (found.failed, found.unknown) == (set(), {"jwt-no-server-error"})
    assert "503 once and 401 after that" in str(found.values["no_server_error_because"])


async def test_each_server_error_has_to_come_again(context: Context) -> None:
    """The first was chance, the second is a flaw."""
    guard = Guard()

    def crashing(request: servers.Request) -> bytes:
        said = guard(request)
        chance = request.target == "/me" and guard.me == 3
        broken = request.headers.get("authorization") == "Bearer readiness"
        return servers.response(500) if chance or broken else said

    found = await probe(crashing, context, **KEYS["HS256"])
    assert (found.failed, found.unknown) == ({"jwt-no-server-error"}, set())
    because = "GET /me answered 500 to a word that is no token, twice"
    assert found.values["no_server_error_because"] == because


async def test_a_forgery_that_is_let_in_when_shown_again_is_a_finding(context: Context) -> None:
    guard = Guard(frozenset({"any word"}))
    words = list[str]()

    def late(request: servers.Request) -> bytes:
        if request.headers.get("authorization") == "Bearer readiness":
            words.append("")
            return servers.response(503) if len(words) == 1 else guard(request)
        return right(request) if request.target == "/me" else guard(request)

    def right(request: servers.Request) -> bytes:
        return Guard()(request)

    found = await probe(late, context, **KEYS["HS256"])
    assert "jwt-malformed-refused" in found.failed
    assert found.values["malformed_refused_because"] == (
        "GET /me let in a word that is no token (200)"
    )


async def test_a_service_that_fails_everyone_in_the_end_is_not_blamed_on_forgeries(
    context: Context,
) -> None:
    falling = changing(Guard(), 20, servers.response(503))
    found = await probe(falling, context, **KEYS["HS256"])
    assert (found.failed, found.unknown) == (set(), FORGERIES)
    assert "(503), so that refusals prove" in str(found.values["no_server_error_because"])


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (servers.response(200, '{"error": "no"}'), "200, unlike what the token gets"),
        (servers.response(431), "431"),
        (b"\x00\r\n\r\n", "no answer (protocol)"),
    ],
    ids=["unlike", "too large", "silent"],
)
async def test_one_answer_that_tells_nothing_leaves_its_group_unknown(
    answer: bytes, said: str, context: Context
) -> None:
    """The others' refusal does not speak for the forgery that may have been let in."""

    def unclear(request: servers.Request) -> bytes:
        words = request.headers.get("authorization") == "Bearer readiness"
        return answer if words else guard(request)

    guard = Guard()
    found = await probe(unclear, context, **KEYS["HS256"])
    assert (found.failed, found.unknown) == (set(), {"jwt-malformed-refused"})
    assert found.values["malformed_refused_because"] == (
        f"the answers tell neither acceptance nor refusal: a word that is no token: {said}"
    )


async def test_no_answer_to_forgeries_is_no_refusal(context: Context) -> None:
    def dead(request: servers.Request) -> bytes:
        said = guard(request)
        return b"\x00\r\n\r\n" if b" 401 " in said else said

    guard = Guard()
    found = await probe(dead, context, **KEYS["HS256"])
    assert (found.failed, found.unknown) == (set(), FORGERIES)
    assert found.values["required_because"] == (
        "the answers tell neither acceptance nor refusal: "
        "no token: no answer (protocol); an empty token: no answer (protocol)"
    )
    because = "3 forgeries in a row got no answer (protocol)"
    assert found.values["malformed_refused_because"] == because
    assert guard.me == 6


async def test_a_time_that_is_over_leaves_the_rest_untried(context: Context) -> None:
    short = dataclasses.replace(context, timeout=60.0)
    found = await probe(Guard(), short, **KEYS["HS256"])
    assert (found.failed, found.unknown) == (set(), FORGERIES)
    assert found.values["required_because"] == "not tested: no time was left"


# Answers that look alike


async def test_an_error_under_a_200_is_neither_acceptance_nor_refusal(context: Context) -> None:
    def polite(request: servers.Request) -> bytes:
        said = guard(request)
        return servers.response(200, '{"error": "no"}') if b" 401 " in said else said

    guard = Guard()
    found = await probe(polite, context, **KEYS["HS256"])
    assert found.failed == set()
    assert found.unknown == FORGERIES - {"jwt-no-server-error"}
    assert "no token: 200, unlike what the token gets" in str(found.values["required_because"])


async def test_an_expectation_tells_them_apart(context: Context) -> None:
    def polite(request: servers.Request) -> bytes:
        said = guard(request)
        return servers.response(200, '{"error": "no"}') if b" 401 " in said else said

    guard = Guard()
    me = {**ME, "expect": {"json": {"$.user": "ann"}}}
    found = await probe(polite, context, (LOGIN, me), **KEYS["HS256"])
    assert (found.failed, found.unknown) == (set(), set())


PAGE = "".join(f"<p>{n}" for n in range(40))


@pytest.mark.parametrize(
    ("control", "other", "same"),
    [
        ('{"a": 1, "b": {"c": "x"}}', '{"a": 2.5, "b": {"c": "y"}, "d": null}', True),
        ('{"a": 1}', '{"a": "1"}', False),
        ('{"a": 1}', '{"a": true}', False),
        ('{"user": {"n": 1}}', '{"user": null}', False),
        ('[{"a": 1}]', '[{"b": 1}, 2]', True),
        ("[1]", "[]", False),
        ("[]", "[1]", True),
        ("{}", "no json", False),
        ("no json", "{}", False),
        ("<p>Ann<p>1" + "<br>" * 1 + "<i>x" * 1, "<form>Log in", False),
        (
            "".join(f"<p>{n}" for n in range(40)) + "<p>Ann",
            "".join(f"<p>{n}" for n in range(40)),
            True,
        ),
        ("", "", True),
        ("[" * 900 + "]" * 900, "[" * 900 + "1" + "]" * 900, True),
    ],
)
def test_answers_are_alike_by_their_shape(control: str, other: str, same: bool) -> None:
    def answer(body: str) -> Answer:
        return Answer(200, "1.1", {}, body.encode(), True, {}, None)

    assert alike(answer(control), answer(other)) is same


# Other credentials, other tokens


async def test_a_cookie_beside_the_token_opens_no_door_for_forgeries(context: Context) -> None:
    """A service that takes either is not blamed: the token is shown alone."""

    def either(request: servers.Request) -> bytes:
        if request.target == "/login":
            head, _, body = guard(request).partition(b"\r\n\r\n")
            return head + b"\r\nSet-Cookie: sid=session-canary; Path=/\r\n\r\n" + body
        if "sid=session-canary" in request.headers.get("cookie", ""):
            return servers.response(200, '{"user": "ann", "n": 0}')
        return guard(request)

    guard = Guard()
    found = await probe(either, context, **KEYS["HS256"])
    assert (found.failed, found.unknown) == (set(), set())


async def test_where_the_cookie_is_what_counts_forgeries_tell_nothing(context: Context) -> None:
    def by_cookie(request: servers.Request) -> bytes:
        if request.target == "/login":
            head, _, body = guard(request).partition(b"\r\n\r\n")
            return head + b"\r\nSet-Cookie: sid=session-canary; Path=/\r\n\r\n" + body
        known = "sid=session-canary" in request.headers.get("cookie", "")
        return servers.response(200 if known else 401, "{}")

    guard = Guard()
    found = await probe(by_cookie, context, **KEYS["HS256"])
    assert (found.failed, found.unknown) == (set(), FORGERIES)
    assert "for the other credentials it sends" in str(found.values["required_because"])


@pytest.mark.parametrize(
    ("token", "because"),
    [
        ("opaque-canary-0123456789", "the token is opaque, not a JSON Web Token"),
        ("a.b.c", "the token has three parts, but they are not those of a JSON Web Token"),
        ("bnVsbA.bnVsbA.", "the token has three parts, but they are not those of a JSON Web Token"),
        ("a.b.c.d.e", "the token is encrypted (JWE), so that nobody but its maker can read it"),
    ],
)
async def test_a_token_that_is_no_jwt_makes_the_checks_not_applicable(
    token: str, because: str, context: Context
) -> None:
    def answer(request: servers.Request) -> bytes:
        return servers.response(200, json.dumps({"access_token": token}))

    web = servers.Web(answer)
    found = await probe(web, context, **KEYS["HS256"])
    assert (found.failed, found.unknown, found.passed) == (set(), set(), set())
    assert found.values["is_jwt_because"] == because
    assert set(found.apart.values()) == {because}
    assert [r.target for r in web.requests] == ["/login", "/me", "/logout"]


async def test_a_token_that_says_it_is_not_signed_has_no_algorithm(context: Context) -> None:
    token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4iLCJleHAiOjk5OTk5OTk5OTl9."

    def answer(request: servers.Request) -> bytes:
        if request.target == "/login":
            return servers.response(200, json.dumps({"access_token": token}))
        _, body, _ = (*request.headers.get("authorization", "").split("."), "", "")[:3]
        return servers.response(200 if body.startswith("eyJ") else 401)

    found = await probe(answer, context)
    assert found.values["algorithm"] == "none"
    assert found.failed == {"jwt-algorithm", "jwt-payload-protected", "jwt-lifetime"}


# Keys


async def test_the_public_key_is_found_in_the_key_set(context: Context) -> None:
    guard = Guard(frozenset({"confusion"}), "RS256")
    found = await probe(guard, context, jwks="/jwks")
    assert (found.failed, found.unknown) == ({"jwt-confusion-refused"}, set())


@pytest.mark.parametrize("algorithm", ["HS256", "RS256"])
async def test_without_keys_what_needs_them_is_not_tested(algorithm: str, context: Context) -> None:
    found = await probe(Guard(algorithm=algorithm), context)
    assert (found.failed, found.unknown) == (set(), set())
    unsigned = "not tested: without a signing_key any such token is refused for its signature"
    assert {check: found.apart[check] for check in SIGNED} == dict.fromkeys(SIGNED, unsigned)
    assert (
        found.apart["jwt-confusion-refused"]
        == {
            "HS256": "the token is signed with a shared secret",
            "RS256": "not tested: without a public_key or jwks "
            "no token can be signed with the public key",
        }[algorithm]
    )


@pytest.mark.parametrize("keys", [{}, KEYS["HS256"]], ids=["without", "with"])
async def test_claims_that_a_token_lacks_cannot_be_wrong(
    keys: dict[str, str], context: Context
) -> None:
    found = await probe(Guard(claims={"aud": None, "iss": None}), context, **keys)
    assert (found.failed, found.unknown) == (set(), set())
    assert found.apart["jwt-audience-enforced"] == "the token has no aud"
    assert found.apart["jwt-issuer-enforced"] == "the token has no iss"


async def test_what_a_simpler_forgery_proves_is_not_tried_again(context: Context) -> None:
    found = await probe(Guard(frozenset({"no token"}), "RS256"), context, **KEYS["RS256"])
    assert found.failed == {"jwt-required"}
    assert {found.apart[check] for check in (*SIGNED, "jwt-confusion-refused")} == {
        "a simpler forgery is let in already"
    }


def test_all_spellings_of_none_are_tried_without_a_signature() -> None:
    token = parse(compact({"alg": "HS256"}, {"sub": "ann"}, lambda _: b"signature"))
    assert isinstance(token, Token)
    forgeries = _jwt_forgery.none(token)
    shown = {f.name: f.token or "" for f in forgeries if not isinstance(f, str)}
    spelt = set[str]()
    for text in shown.values():
        header = json.loads(decode(text.partition(".")[0]))
        if text.endswith(".") and "alg" in header:
            spelt.add(header["alg"])
    assert len(spelt) == 16
    assert {alg.lower() for alg in spelt} == {"none"}


@pytest.mark.parametrize(
    ("settings", "because"),
    [
        ({"jwks": "/order"}, "the jwks holds no key that the token is signed with"),
        ({"public_key": "none"}, "the public_key is not the one that the token is signed with"),
        (
            {"signing_key": "none"},
            "the signing_key is no private key in PEM that fits the token's algorithm",
        ),
    ],
)
async def test_keys_that_are_not_the_services_leave_it_unknown(
    settings: dict[str, str], because: str, context: Context
) -> None:
    found = await probe(Guard(algorithm="RS256"), context, **settings)
    assert found.failed == set()
    by_signing = {"jwt-confusion-refused"} if "signing_key" not in settings else SIGNED
    assert found.unknown == by_signing
    metric = CRITERIA.checks[min(by_signing)].metric
    assert found.values[f"{metric}_because"] == because


SIGNED = {
    *("jwt-expiry-enforced", "jwt-not-before-enforced", "jwt-audience-enforced"),
    *("jwt-issuer-enforced", "jwt-crit-refused"),
}


async def test_a_signing_key_in_base64_or_with_escaped_lines_is_understood(
    context: Context,
) -> None:
    written = base64.b64encode(SECRET).decode()
    found = await probe(Guard(), context, signing_key=written)
    assert (found.failed, found.unknown) == (set(), set())
    escaped = PRIVATE_PEM.decode().replace("\n", "\\n")
    found = await probe(Guard(algorithm="RS256"), context, signing_key=escaped)
    assert (found.failed, found.unknown) == (set(), set())


async def test_a_wrong_signing_key_proves_nothing(context: Context) -> None:
    found = await probe(Guard(), context, signing_key="another-canary")
    assert (found.failed, found.unknown) == (set(), SIGNED)
    assert found.values["expiry_enforced_because"] == (
        "the signing_key is not the one that the token is signed with"
    )


async def test_a_service_that_knows_its_own_tokens_alone_proves_nothing(context: Context) -> None:
    guard, seen = Guard(), list[str]()

    def listing(request: servers.Request) -> bytes:
        shown = request.headers.get("authorization", "")
        if request.target == "/me" and shown not in seen[:1] + [""] * (not seen):
            seen.append(shown)
        return guard(request) if shown in ("", *seen[:1]) else servers.response(401)

    found = await probe(listing, context, **KEYS["HS256"])
    assert (found.failed, found.unknown) == (set(), SIGNED)
    because = "a token made with the signing_key is not accepted either (401)"
    assert found.values["expiry_enforced_because"] == because


async def test_without_cryptography_what_needs_it_is_not_tested(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its native part imports its errors when it first raises one, and aborts if it then cannot.
    found = await probe(Guard(algorithm="RS256"), context, **KEYS["RS256"])
    assert (found.failed, found.unknown) == (set(), set())
    monkeypatch.setitem(sys.modules, "cryptography", None)
    found = await probe(Guard(algorithm="RS256"), context, **KEYS["RS256"])
    more = {"jwt-key-verified", "jwt-header-keys-ignored", "jwt-confusion-refused"}
    assert (found.failed, found.unknown) == (set(), SIGNED | more)
    because = "not tested: cryptography is not installed (pip install 'readiness[jwt]')"
    assert {str(found.values[f"{CRITERIA.checks[c].metric}_because"]) for c in found.unknown} == {
        because
    }
    found = await probe(Guard(), context, **KEYS["HS256"])
    assert (found.failed, found.unknown) == (set(), set())


@pytest.mark.parametrize(
    "algorithm",
    ["RS256", "RS512", "PS256", "PS384", "ES256", "ES384", "ES512", "ES256K", "EdDSA", "Ed448"],
)
def test_a_fresh_key_of_each_kind_signs_and_verifies(algorithm: str) -> None:
    key = _jwt_keys.fresh(algorithm)
    assert key is not None
    sign = _jwt_keys.signer(algorithm, key)
    assert sign is not None
    token = parse(compact({"alg": algorithm}, {"sub": "ann"}, sign))
    assert isinstance(token, Token)
    public = _jwt_keys.of_jwk(_jwt_keys.jwk_of(key))
    assert public is not None
    assert _jwt_keys.made(token, public)
    assert not _jwt_keys.made(dataclasses.replace(token, body=token.head), public)
    for pem in _jwt_keys.spellings(public):
        again = _jwt_keys.public_key(pem.decode())
        assert again is None or _jwt_keys.made(token, again)


@pytest.mark.parametrize(
    ("jwk", "text"),
    [
        (
            {
                "kty": "EC",
                "crv": "P-256",
                "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            },
            "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
            "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5d"
            "jxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
        (
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            },
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-"
            "09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
        ),
    ],
    ids=["RFC 7515, A.3", "RFC 8037, A.4"],
)
def test_the_examples_of_the_standards_verify(jwk: dict[str, str], text: str) -> None:
    head, body, signature = text.split(".")
    token = Token(head, body, signature, json.loads(decode(head)), {})
    key = _jwt_keys.of_jwk(jwk)
    assert key is not None
    assert _jwt_keys.made(token, key)
    changed = signature.replace(signature[5], "A" if signature[5] != "A" else "B", 1)
    assert not _jwt_keys.made(dataclasses.replace(token, signature=changed), key)


@pytest.mark.parametrize(
    "jwk",
    [
        *(None, 7, {}, {"kty": "RSA"}, {"kty": "RSA", "n": 1, "e": 2}, {"kty": "oct", "k": "AA"}),
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": [], "x": "AA", "y": "AA"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
        {"kty": "OKP", "crv": "X25519", "x": "AA"},
    ],
)
def test_a_member_of_a_key_set_that_is_no_key_is_none(jwk: object) -> None:
    assert _jwt_keys.of_jwk(jwk) is None


# Journeys that do not lead there


@pytest.mark.parametrize(
    ("steps", "settings", "because"),
    [
        ((LOGIN, ME), {"journey": "sessions"}, "the inventory has no journey called sessions"),
        ((LOGIN, ME), {"step": "you"}, "the journey session has no step called you"),
        ((LOGIN, ME), {"captured": "token"}, "no step up to me captures token"),
        ((LOGIN, ME, LATER), {"step": "order"}, "the step order is a POST; only a GET or HEAD is"),
        (
            ({**LOGIN, "expect": {"status": 201}}, ME),
            {},
            "session, step 1 of 2, login on api: POST /login answered 200, expected 201",
        ),
        ((LOGIN, {"name": "me", "request": "GET /order"}), {}, "the step me shows the token in no"),
    ],
)
async def test_where_the_journey_does_not_lead_is_said(
    steps: Any, settings: dict[str, str], because: str, context: Context
) -> None:
    found = await probe(Guard(), context, steps, **KEYS["HS256"], **settings)
    assert found.failed == set()
    assert found.unknown >= FORGERIES
    assert str(found.values["required_because"]).startswith(because)


async def test_what_no_key_is_declared_for_is_not_tested_wherever_the_journey_leads(
    context: Context,
) -> None:
    found = await probe(Guard(), context, step="you")
    assert found.apart.keys() == {*SIGNED, "jwt-confusion-refused"}
    assert all(because.startswith("not tested: without a ") for because in found.apart.values())


async def test_a_step_of_another_service_is_not_judged_here(context: Context) -> None:
    inventory = _inventory(1, (LOGIN, {**ME, "service": "other"}), PLAIN)
    lent = dataclasses.replace(context, inventory=inventory)
    values = await measure(inventory.services[0], Settings.model_validate(PLAIN), lent)
    assert values["is_jwt_because"] == "the step me asks other; write jwt under that service"


async def test_a_service_that_is_down_is_a_failure_of_its_own(context: Context) -> None:
    async with servers.refusing() as port:
        inventory = _inventory(port, (LOGIN, ME), PLAIN)
        lent = dataclasses.replace(context, inventory=inventory)
        with pytest.raises(ProbeError) as caught:
            await measure(inventory.services[0], Settings.model_validate(PLAIN), lent)
    assert caught.value.failure.kind == "refused"


async def test_nothing_is_sent_without_the_write_tier(context: Context) -> None:
    web = servers.Web(Guard())
    observing = dataclasses.replace(context, allowed=frozenset({"observe", "load"}))
    with pytest.raises(ProbeError) as caught:
        await probe(web, observing)
    assert caught.value.failure.kind == "not_allowed"
    assert web.requests == []


async def test_a_head_request_can_be_the_control(context: Context) -> None:
    def headless(request: servers.Request) -> bytes:
        said = guard(request)
        return said.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if request.method == "HEAD" else said

    guard = Guard(frozenset({"decode only"}))
    found = await probe(headless, context, (LOGIN, {**ME, "request": "HEAD /me"}))
    assert (found.failed, found.unknown) == ({"jwt-payload-protected"}, set())


# Settings


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {**PLAIN, "jwks": "https://elsewhere.test/"},
        {**PLAIN, "jwks": "/jwks", "public_key": "x"},
        {**PLAIN, "token": "access_token"},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(settings)


def test_the_signing_key_is_hidden_and_every_setting_described() -> None:
    settings = Settings.model_validate({**PLAIN, **KEYS["HS256"]})
    assert SECRET.decode() not in repr(settings) + settings.model_dump_json()
    inventory = _inventory(1, (LOGIN, ME), {**PLAIN, **KEYS["HS256"]})
    assert SECRET.decode() in inventory.secrets()
    assert "access_token" not in inventory.secrets()
    for name, described in Settings.model_json_schema()["properties"].items():
        assert described.get("description"), name
