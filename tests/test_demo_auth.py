"""Accounts and sessions of the sample system: who is let in, for how long, and who is not."""

import asyncio
from collections.abc import Iterator

import httpx2
import pytest
from redis.asyncio import Redis

from readiness import demo
from readiness.demo.lockout import FAILURES, WINDOW_SECONDS
from tests.sample_system import PASSWORD, System, bearer

pytestmark = pytest.mark.xdist_group("sample system")  # one at a time


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with demo.running(fixed=True) as environ:
        yield System(environ)


def me(system: System, headers: dict[str, str]) -> int:
    return system.get("auth", "/auth/me", headers).status_code


def refresh(system: System, login: httpx2.Response) -> httpx2.Response:
    return system.post("auth", "/auth/refresh", {"refresh_token": login.json()["refresh_token"]})


# Sessions


def test_a_session_from_registration_to_logout(system: System) -> None:
    user = system.new_user()
    login = system.login(**user)
    assert set(login.json()) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (login.json()["token_type"], login.json()["expires_in"]) == ("bearer", 900)
    shown = system.get("auth", "/auth/me", bearer(login)).json()
    assert (shown["email"], shown["role"]) == (user["email"], "user")

    renewed = refresh(system, login)
    assert renewed.status_code == 200
    assert renewed.json()["refresh_token"] != login.json()["refresh_token"]
    assert me(system, bearer(renewed)) == 200

    assert system.ask("POST", "auth", "/auth/logout", headers=bearer(renewed)).status_code == 204
    assert me(system, bearer(renewed)) == me(system, bearer(login)) == 401
    assert refresh(system, renewed).status_code == 401
    assert system.ask("POST", "auth", "/auth/logout", headers=bearer(renewed)).status_code == 401


def test_a_used_refresh_token_ends_the_session_of_thief_and_owner(system: System) -> None:
    user = system.new_user()
    login, elsewhere = system.login(**user), system.login(**user)
    renewed = refresh(system, login)
    assert refresh(system, login).status_code == 401
    assert refresh(system, renewed).status_code == 401
    assert me(system, bearer(renewed)) == 401
    assert me(system, bearer(elsewhere)) == 200
    assert refresh(system, elsewhere).status_code == 200


def test_a_guessed_refresh_token_ends_nobodys_session(system: System) -> None:
    login = system.login(**system.new_user())
    for guess in ("guess", "0" * 64, login.json()["access_token"]):
        assert system.post("auth", "/auth/refresh", {"refresh_token": guess}).status_code == 401
    assert me(system, bearer(login)) == 200


def test_of_many_who_refresh_at_once_one_is_served(system: System) -> None:
    login = system.login(**system.new_user())
    body = {"refresh_token": login.json()["refresh_token"]}

    async def all_at_once() -> list[int]:
        async with httpx2.AsyncClient(timeout=10) as client:
            url = system.url("auth", "/auth/refresh")
            answers = await asyncio.gather(*(client.post(url, json=body) for _ in range(8)))
            return [answer.status_code for answer in answers]

    assert sorted(asyncio.run(all_at_once())) == [200, *[401] * 7]


def test_logout_closes_the_other_services_too(system: System) -> None:
    headers = bearer(system.login(**system.new_user()))
    asked = [("api-gateway", "/api/v1/workspaces"), ("file-service", "/api/v1/files")]
    assert [system.get(*where, headers).status_code for where in asked] == [200, 200]
    system.ask("POST", "auth", "/auth/logout", headers=headers)
    assert [system.get(*where, headers).status_code for where in asked] == [401, 401]


def test_who_leaves_is_gone_with_all_sessions(system: System) -> None:
    user = system.new_user()
    login, elsewhere = system.login(**user), system.login(**user)
    assert system.ask("DELETE", "auth", "/auth/me", headers=bearer(login)).status_code == 204
    assert me(system, bearer(login)) == me(system, bearer(elsewhere)) == 401
    assert refresh(system, elsewhere).status_code == 401
    assert system.login(**user).status_code == 401
    assert system.post("auth", "/auth/register", user).status_code == 201


def test_redis_holds_no_token_as_it_is_and_every_key_ends(system: System) -> None:
    login = system.login(**system.new_user()).json()

    async def held() -> tuple[str, list[int]]:
        async with Redis.from_url(system.environ["REDIS_URL"], decode_responses=True) as redis:
            keys = [key async for key in redis.scan_iter()]
            texts = [str(await redis.get(k)) for k in keys if k.startswith("refresh:")]
            return "\n".join([*keys, *texts]), [await redis.ttl(key) for key in keys]

    text, ends = asyncio.run(held())
    assert "refresh:" in text
    assert login["refresh_token"] not in text
    assert min(ends) > 0


# Who may what


def test_only_an_admin_sees_all_users(system: System) -> None:
    def users(headers: dict[str, str]) -> httpx2.Response:
        return system.get("auth", "/auth/users", headers)

    assert users({}).status_code == 401
    for who in ("USER", "OTHER"):
        assert users(system.token(who)).status_code == 403
    seen = users(system.token("ADMIN")).json()["users"]
    assert {"admin", "user"} == {user["role"] for user in seen}
    assert all(set(user) == {"id", "email", "role"} for user in seen)


def test_nobody_registers_as_an_admin(system: System) -> None:
    user = {"email": "eve@pyairtable.example", "password": PASSWORD}
    registered = system.post("auth", "/auth/register", {**user, "role": "admin"})
    assert registered.json()["role"] == "user"
    assert system.get("auth", "/auth/users", bearer(system.login(**user))).status_code == 403


# What is refused


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("", PASSWORD),
        ("nobody", PASSWORD),
        ("@example.org", PASSWORD),
        ("a@b.example", "short"),
        ("a\0@b.example", PASSWORD),
        ("a@b.example", "x" * 2000),
        ("a@b.example", 12345678),
        ("a@b.example", None),
    ],
)
def test_what_is_no_account_is_refused(system: System, email: str, password: object) -> None:
    answer = system.post("auth", "/auth/register", {"email": email, "password": password})
    assert answer.status_code == 422
    assert all(set(entry) == {"loc", "msg", "type"} for entry in answer.json()["detail"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"\xff\xfe{", 422),
        (b"[]", 422),
        (b"[" * 60_000, 422),
        (b'{"email": "\\ud800@b.example", "password": "\\ud800 \\ud800 \\ud800"}', 422),
        (b'{"email": NaN, "password": Infinity}', 422),
        (b" " * 70_000, 413),
    ],
    ids=["empty", "no text", "list", "deep", "half a character", "no JSON", "large"],
)
@pytest.mark.parametrize("path", ["/auth/login", "/auth/register", "/auth/refresh"])
def test_garbage_is_refused_in_json(system: System, path: str, body: bytes, status: int) -> None:
    answer = system.ask("POST", "auth", path, content=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", "Bearer a.b.c", "Bearer " + "." * 5000, "Basic YTpi", b"Bearer \xff"],
)
def test_what_is_no_token_is_refused(system: System, value: str | bytes) -> None:
    for name, path in (("auth", "/auth/me"), ("file-service", "/api/v1/files")):
        answer = system.ask("GET", name, path, headers={"Authorization": value})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


# Guessing


def guesses(system: System, email: str, n: int) -> list[httpx2.Response]:
    return [system.login(email=email, password="not the one") for _ in range(n)]


def test_an_account_waits_after_five_failures_even_for_its_owner(system: System) -> None:
    user = system.new_user()
    answers = guesses(system, user["email"], FAILURES + 1)
    assert [answer.status_code for answer in answers] == [*[401] * FAILURES, 429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= WINDOW_SECONDS
    assert system.login(**user).status_code == 429
    assert system.login(**{**user, "email": user["email"].upper()}).status_code == 429
    assert system.login(**system.new_user()).status_code == 200


def test_a_success_forgets_the_failures(system: System) -> None:
    user = system.new_user()
    for _ in range(2):
        guesses(system, user["email"], FAILURES - 1)
        assert system.login(**user).status_code == 200


def test_guessing_tells_nothing_of_who_is_registered(system: System) -> None:
    known, unknown = system.new_user()["email"], "nobody@pyairtable.example"
    tries = zip(*(guesses(system, email, FAILURES + 1) for email in (known, unknown)), strict=True)
    for of_known, of_unknown in tries:
        assert of_known.status_code == of_unknown.status_code
        assert of_known.content == of_unknown.content


def test_logins_that_succeed_at_once_lock_nobody_out(system: System) -> None:
    async def all_at_once() -> list[int]:
        async with httpx2.AsyncClient(timeout=10) as client:
            url = system.url("auth", "/auth/login")
            logins = (client.post(url, json=system.user) for _ in range(3 * FAILURES))
            return [answer.status_code for answer in await asyncio.gather(*logins)]

    assert asyncio.run(all_at_once()) == [200] * 3 * FAILURES
