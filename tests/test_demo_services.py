"""The sample system is what services.yaml and the report take it for, broken and fixed."""

import asyncio
import re
import time
from collections.abc import Mapping

import asyncpg
import httpx2
import pytest
from mcp import Client
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from readiness import bundled
from readiness.demo import refusals
from readiness.demo.catalogue import SERVICES
from readiness.demo.tokens import sign
from readiness.inventory import load
from tests.raw_client import closed_loop, listens, median_ms
from tests.sample_system import System, bearer

DELAYED = [name for name, service in SERVICES.items() if service.delay_ms]
DOWN_WHEN_BROKEN = ["notification-service", "user-service"]


pytestmark = pytest.mark.xdist_group("sample system")  # one at a time


# Time


@pytest.mark.light
@pytest.mark.thorough
@pytest.mark.parametrize("name", DELAYED)
def test_answers_take_the_time_built_in(fixed: System, name: str) -> None:
    built_in = SERVICES[name].delay_ms
    assert built_in is not None
    tolerance = max(2.0, 0.1 * built_in)
    medians = []
    for _ in range(3):  # a busy machine only ever adds time: one calm round proves the delay
        medians.append(asyncio.run(median_ms(fixed.url(name, SERVICES[name].health), 21)))
        if abs(medians[-1] - built_in) <= tolerance:
            break
    assert min(medians) == pytest.approx(built_in, abs=tolerance)


# The connection pool


@pytest.mark.light
@pytest.mark.thorough
@pytest.mark.parametrize("users", [1, 10])
def test_the_small_pool_serves_few_users(broken: System, users: int) -> None:
    statuses = asyncio.run(closed_loop(broken.url("api-gateway", "/api/health"), users, 30))
    assert statuses == [200] * 30


@pytest.mark.light
@pytest.mark.thorough
def test_the_small_pool_fails_half_of_fifty_users(broken: System) -> None:
    statuses = asyncio.run(closed_loop(broken.url("api-gateway", "/api/health"), 50, 200))
    assert set(statuses) == {200, 503}
    assert statuses.count(200) / 200 == pytest.approx(0.5, abs=0.05)


@pytest.mark.light
def test_a_request_that_gets_no_connection_says_so(broken: System) -> None:
    bodies: list[bytes] = []
    url = broken.url("api-gateway", "/api/health")
    asyncio.run(closed_loop(url, 50, 50, bodies))
    assert any(b"no database connection within 250 ms: all 5 of the pool" in b for b in bodies)


@pytest.mark.light
def test_the_large_pool_serves_fifty_users(fixed: System) -> None:
    statuses = asyncio.run(closed_loop(fixed.url("api-gateway", "/api/health"), 50, 200))
    assert statuses == [200] * 200


# Who may in


def test_the_broken_login_demands_an_undocumented_field(broken: System) -> None:
    answer = broken.login(**broken.user)
    assert answer.status_code == 422
    assert answer.json()["detail"] == [
        {"loc": ["body", "username"], "msg": "field required", "type": "missing"}
    ]


def test_the_fixed_login_gives_a_token_that_opens_protected_paths(fixed: System) -> None:
    headers = bearer(fixed.login(**fixed.user))
    assert fixed.get("auth", "/auth/me", headers).json()["email"] == fixed.user["email"]
    assert fixed.get("api-gateway", "/api/v1/workspaces", headers).status_code == 200
    assert fixed.get("file-service", "/api/v1/files", headers).status_code == 200


@pytest.mark.parametrize(
    ("fields", "status"),
    [({"email": "demo@pyairtable.example", "password": "wrong"}, 401), ({"email": "a@b.c"}, 422)],
)
def test_the_fixed_login_refuses_what_is_wrong(
    fixed: System, fields: Mapping[str, str], status: int
) -> None:
    assert fixed.login(**fields).status_code == status


def test_a_registered_user_can_log_in_once_login_is_fixed(fixed: System) -> None:
    user = fixed.new_user()
    assert fixed.post("auth", "/auth/register", user).status_code == 409
    assert fixed.login(**user).status_code == 200


def test_garbage_is_no_login(fixed: System) -> None:
    answer = httpx2.post(fixed.url("auth", "/auth/login"), content=b"\xff{")
    assert answer.status_code == 422


def test_registration_works_though_login_does_not(broken: System) -> None:
    broken.new_user()


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("api-gateway", "/api/v1/workspaces"),
        ("auth", "/auth/me"),
        ("airtable-gateway", "/api/v1/bases"),
        ("file-service", "/api/v1/files"),
        ("saga-service", "/api/v1/sagas/00000000-0000-0000-0000-000000000000"),
        ("workflow-service", "/api/v1/workflows/00000000-0000-0000-0000-000000000000"),
    ],
)
def test_protected_paths_refuse_anonymous_and_forged_callers(
    either: System, name: str, path: str
) -> None:
    assert either.get(name, path).status_code == 401
    forged = sign({"sub": "eve", "sid": "1", "exp": time.time() + 60}, "another secret")
    answer = either.get(name, path, {"Authorization": f"Bearer {forged}", "X-API-Key": "guessed"})
    assert answer.status_code == (403 if name == "airtable-gateway" else 401)


@pytest.mark.parametrize(
    ("name", "path"), [("api-gateway", "/api/v1/workspaces"), ("file-service", "/api/v1/files")]
)
def test_the_api_key_opens_gateway_and_files(either: System, name: str, path: str) -> None:
    key = {"X-API-Key": either.environ["PYAIRTABLE_API_KEY"]}
    assert either.get(name, path, key).status_code == 200


def test_the_airtable_key_is_refused_until_fixed(broken: System, fixed: System) -> None:
    refused, accepted = (
        running.get(
            "airtable-gateway",
            "/api/v1/bases",
            {"Authorization": f"Bearer {running.environ['AIRTABLE_API_KEY']}"},
        )
        for running in (broken, fixed)
    )
    assert refused.status_code == 403
    assert refused.json()["error"]["type"] == "INVALID_API_KEY"
    assert accepted.status_code == 200


# What every answer carries


@pytest.mark.parametrize("name", SERVICES)
def test_every_answer_is_hardened_and_names_no_software(fixed: System, name: str) -> None:
    for path in ("/", "/live", "/health", "/no-such-page"):
        headers = httpx2.get(fixed.url(name).removesuffix("/mcp") + path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "server" not in headers


def test_only_the_broken_frontend_lacks_a_policy(broken: System) -> None:
    up = [name for name in SERVICES if name not in DOWN_WHEN_BROKEN]
    answers = {name: httpx2.get(broken.url(name).removesuffix("/mcp")) for name in up}
    assert [
        name for name, got in answers.items() if "content-security-policy" not in got.headers
    ] == ["frontend"]
    assert all(got.headers["x-content-type-options"] == "nosniff" for got in answers.values())


@pytest.mark.parametrize("path", ["/docs", "/metrics", "/debug", "/.env", "/openapi.json", "/%00"])
def test_there_is_nothing_but_what_is_offered(fixed: System, path: str) -> None:
    for name in ("auth", "api-gateway", "file-service", "frontend"):
        answer = fixed.get(name, path)
        assert (answer.status_code, answer.json()) == (404, {"error": "Not Found"})


def test_what_breaks_inside_stays_inside() -> None:
    async def breaking(_: Request) -> Response:
        raise ZeroDivisionError("a detail that helps an attacker")

    async def ask() -> httpx2.Response:
        app = Starlette(routes=[Route("/", breaking)])
        refusals.answer_in_json(app)
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://app") as client:
            return await client.get("/")

    answer = asyncio.run(ask())
    assert (answer.status_code, answer.json()) == (500, {"error": "internal error"})


def test_a_wrong_method_is_told_the_right_ones(fixed: System) -> None:
    answer = fixed.ask("PUT", "auth", "/auth/me")
    assert (answer.status_code, answer.json()) == (405, {"error": "Method Not Allowed"})
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "DELETE"}


# Everything else the inventory points at


@pytest.mark.parametrize("name", [name for name in DELAYED if name != "frontend"])
def test_health_is_machine_readable(fixed: System, name: str) -> None:
    for path in (SERVICES[name].health, "/live"):
        answer = fixed.get(name, path)
        assert answer.headers["content-type"] == "application/health+json"
        assert answer.json() == {"status": "pass", "serviceId": name, "version": "2.0"}


def test_two_services_are_down_until_fixed(broken: System, fixed: System) -> None:
    down = [name for name in SERVICES if not listens(broken.url(name))]
    assert down == DOWN_WHEN_BROKEN
    assert all(listens(fixed.url(name)) for name in SERVICES)


def test_the_frontend_is_a_page_with_a_title(either: System) -> None:
    page = either.get("frontend", "/")
    assert page.headers["content-type"].startswith("text/html")
    assert "<title>PyAirtable</title>" in page.text
    assert "Sign in" in page.text


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_mcp_server_offers_working_tools(either: System, mode: str) -> None:
    async def use() -> tuple[list[str], object]:
        async with Client(either.url("mcp-server"), mode=mode) as client:
            tools = await client.list_tools()
            result = await client.call_tool("sum_euros", {"stage": "open"})
            return [tool.name for tool in tools.tools], result.structured_content

    names, result = asyncio.run(use())
    assert names == ["list_tables", "list_records", "sum_euros"]
    assert result == {"result": 11_700}


def test_the_databases_hold_what_the_services_store(fixed: System) -> None:
    async def users() -> int:
        connection = await asyncpg.connect(fixed.environ["DATABASE_URL"])
        try:
            count: int = await connection.fetchval(
                "SELECT count(*) FROM users WHERE email = $1", fixed.user["email"]
            )
            return count
        finally:
            await connection.close()

    assert asyncio.run(users()) == 1


# The inventory


def test_the_sample_inventory_stands_without_any_variable() -> None:
    inventory = load(bundled.SERVICES, {})
    assert [service.port for service in inventory.services] == [
        *(8000, 8007, 8002, 8006, 8008, 8003, 8001, 3000, 5432, 6379, 8004, 8005)
    ]


def test_the_sample_inventory_points_where_the_system_runs(fixed: System) -> None:
    inventory = load(bundled.SERVICES, fixed.environ)
    for name, sample in SERVICES.items():
        service = inventory.service(name)
        assert service.url.get_secret_value() == fixed.environ[sample.variable]
        assert sample.path or service.health_path == sample.health
    for name, variable in (("postgres", "DATABASE_URL"), ("redis", "REDIS_URL")):
        assert inventory.service(name).url.get_secret_value() == fixed.environ[variable]


def test_the_sample_inventory_uses_every_variable_of_the_system(either: System) -> None:
    used = set(re.findall(r"^[^#\n]*\$\{(\w+):-", bundled.SERVICES.read_text(), re.MULTILINE))
    assert used == {*either.environ, "READINESS_ENV"}
