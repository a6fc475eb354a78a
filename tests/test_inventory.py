import copy
import pickle
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from readiness.document import ConfigurationError, bind, parse, read
from readiness.inventory import (
    DEFAULT_PROBES,
    Inventory,
    Kind,
    Service,
    from_document,
    load,
    missing_variables,
    tolerant,
)
from readiness.probes import ProbeSettings

CANARY = "canary-5b1d"

WHOLE = """\
version: 1
system: {name: PyAirtable, version: "2.0", environment: "${ENV:-staging}", allow: [load, write]}
defaults: {timeout: 5s, samples: "${SAMPLES:-100}"}
services:
  gateway:
    kind: http
    url: "${GATEWAY_URL:-http://localhost:8000}"
    criticality: critical
    owner: "@platform"
    depends_on: [auth, postgres]
    health: {ready: /api/health, live: /live}
    timeout: 200ms
    probes:
      http_concurrency: {request: GET /api/health, users: [1, 10, 50]}
      http_access: {public: [/api/health], protected: [/api/v1/workspaces]}
    checks: {latency-p95: {target: 100ms, limit: 300ms}}
  auth:
    kind: http
    url: http://localhost:8007/base
    probes:
      http_concurrency: false
      http_access:
        protected: [/me]
        login: {request: POST /auth/login, json: {email: me@example.com, password: "${PASSWORD}"}}
  postgres: {kind: postgres, url: "${DATABASE_URL}", criticality: high}
  mcp: {kind: mcp, url: "https://[::1]/mcp", tags: [ai]}
capabilities:
  authentication: {title: Authentication & Security, services: [auth]}
objectives:
  availability: {target: 95%}
  response_time: {target: 100ms}
  error_rate: {target: 0.01}
waivers:
  - {check: latency-p95, service: auth, reason: batch only, owner: "@dana", until: 2026-12-31}
"""
ENVIRON = {
    "PASSWORD": f"{CANARY}-login",
    "DATABASE_URL": f"postgres://{CANARY}-user:{CANARY}%20pw@db:5433/app?key={CANARY}-query",
}


def build(text: str, environ: Mapping[str, str] = ENVIRON) -> Inventory:
    return from_document(parse(text, "services.yaml"), environ)


def refusal(text: str, environ: Mapping[str, str] = ENVIRON) -> str:
    with pytest.raises(ConfigurationError) as caught:
        build(text, environ)
    return str(caught.value)


def changed(old: str, new: str) -> str:
    assert WHOLE.count(old) == 1
    return WHOLE.replace(old, new)


def test_a_whole_file_becomes_an_inventory() -> None:
    inventory = build(WHOLE)
    gateway, auth, postgres, mcp = inventory.services
    assert inventory.system.environment == "staging"
    assert (inventory.defaults.timeout, inventory.defaults.samples) == (5.0, 100)
    assert (gateway.name, gateway.port, gateway.timeout) == ("gateway", 8000, 0.2)
    assert gateway.health_path == "/api/health"
    assert gateway.checks == {"latency-p95": {"target": "100ms", "limit": "300ms"}}
    assert auth.address == "http://localhost:8007/base"
    assert auth.probes["http_concurrency"] is False
    assert auth.expected_probes == (*DEFAULT_PROBES["http"], "http_access")
    assert (postgres.address, postgres.port) == ("postgres://db:5433/app", 5433)
    assert (mcp.address, mcp.port) == ("https://[::1]/mcp", 443)
    targets = {name: objective.target for name, objective in inventory.objectives.items()}
    assert targets == {"availability": 0.95, "response_time": 100.0, "error_rate": 0.01}
    assert inventory.waivers[0].until.isoformat() == "2026-12-31"
    assert inventory.service("mcp") is mcp
    with pytest.raises(KeyError):
        inventory.service("nobody")


def test_text_from_the_environment_fits_a_number(tmp_path: Path) -> None:
    path = tmp_path / "services.yaml"
    path.write_text(WHOLE)
    inventory = load(path, {**ENVIRON, "SAMPLES": "400", "ENV": "production"})
    assert inventory.defaults.samples == 400
    assert inventory.system.environment == "production"


def test_the_sample_inventory_is_valid() -> None:
    sample = read(Path(__file__).parents[1] / "services.yaml")
    assert from_document(sample, {}).services


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ("version: 1\n", "", 1, "'version' is missing."),
        ("version: 1\n", "version: 2\n", 1, "'version' is none of the values it may have. Use"),
        ("system:", "sytem:", 2, "'sytem' is not a known key. Did you mean 'system'?"),
        ('"2.0"', "2.0", 2, "'system.version' must be text. Put quotes around it."),
        ("[load, write]", "[wrte]", 2, "'system.allow[0]' is none of the values it may have. Did"),
        ("[load, write]", "[intrusive]", 2, "'system.allow[0]' cannot allow the intrusive tier."),
        ("PyAirtable", '"a\\nb"', 2, "'system.name' must be a single line of text."),
        ("PyAirtable", '" "', 2, "'system.name' must have at least 1 character(s)."),
        ("PyAirtable", "x" * 201, 2, "'system.name' must have at most 200 character(s)."),
        ("${ENV:-staging}", "${ENV:-stage}", 2, "Did you mean 'staging'?"),
        ("timeout: 5s", "timeout: 5 s", 3, "'defaults.timeout' must be a duration. Write it as"),
        ("timeout: 5s", "timeout: 0", 3, "'defaults.timeout' must be more than 0"),
        ("timeout: 5s", "timeout: true", 3, "'defaults.timeout' must be a duration."),
        ('"${SAMPLES:-100}"', "0", 3, "'defaults.samples' must be at least 1."),
        ('"${SAMPLES:-100}"', "true", 3, "'defaults.samples' must be a whole number."),
        ("critical\n", "crucial\n", 8, "'services.gateway.criticality' is none of the values"),
        ("kind: http\n    url: http:", "knd: http\n    url: http:", 18, "Did you mean 'kind'?"),
        ("[auth, postgres]", "[aut]", 10, "depends_on[0]' names the unknown service 'aut'. Did"),
        ("[auth, postgres]", "auth", 10, "depends_on' must be a list. Write it as in [first"),
        ("[auth, postgres]", "[gateway]", 10, "goes round: gateway -> gateway. Remove one"),
        ("/live}", "live}", 11, "'services.gateway.health.live' must be a path. Start it with /"),
        ("live: /live", "life: /live", 11, "health.life' is not a known key. Did you mean 'live'?"),
        ("{target: 100ms, limit", "{tagret: 1, limit", 16, "latency-p95.tagret' is not a known"),
        ("limit: 300ms", "limit: [1]", 16, "latency-p95.limit' must be a number"),
        ("http_concurrency: false", "http_concurrency: 7", 21, "must be the probe's settings, or"),
        ("  auth:\n", "  au th:\n", 17, "'services.au th' must be named with letters, digits"),
        ("mcp: {", "mcp: {name: x, ", 26, "'services.mcp.name' is not a known key. 'mcp' is"),
        ("mcp: {", "mcp: {health: {}, ", 26, "health' is not for services of kind mcp. Remove it."),
        ("[auth]}", "[autt]}", 28, "services[0]' names the unknown service 'autt'. Did"),
        ("[auth]}", "[]}", 28, "authentication' names no service and no journey."),
        ("availability:", "availablity:", 30, "'objectives.availablity' is no objective. Did"),
        ("95%", "95", 30, "'objectives.availability.target' must be at most 1. Write a rate"),
        ("95%", "x%", 30, "'objectives.availability.target' must be a target. Write"),
        ("service: auth", "service: aut", 34, "'waivers[0].service' is no service of this file."),
        ("2026-12-31", "20261231", 34, "'waivers[0].until' must be a date. Write it as in"),
        ("2026-12-31", "2026-13-31", 34, "'waivers[0].until' must be a date."),
        ('owner: "@dana", ', "", 34, "'waivers[0].owner' is missing."),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line(old: str, new: str, line: int, told: str) -> None:
    lines = refusal(changed(old, new)).splitlines()
    assert any(one.startswith(f"services.yaml:{line}: ") and told in one for one in lines), lines


@pytest.mark.parametrize(
    ("services", "told"),
    [
        ("", "'services' must be a mapping of names to services."),
        ("[{name: a, kind: http, url: http://h}]", "'services' must be a mapping of names"),
        ("{}", "'services' names no service. Add at least one."),
        ("{a: }", "'services.a' is empty."),
        ("{a: [1]}", "'services.a' must be a mapping of keys to values."),
        ("{a: {kind: http}}", "'services.a.url' is missing."),
        ("{a: {kind: http, url: }}", "'services.a.url' is empty."),
        ("{a: {kind: http, url: 'h:80'}}", "'services.a.url' has no scheme before the host."),
        (
            "\n  a: {kind: tcp, url: 'tcp://h:1'}\n  a: {kind: web}",
            "written twice, first on line 4",
        ),
    ],
)
def test_services_in_another_shape(services: str, told: str) -> None:
    assert told in refusal(f"version: 1\nsystem: {{name: x}}\nservices: {services}\n")


@pytest.mark.parametrize("text", ["[1]", "7", "text", "{}"])
def test_a_file_of_another_shape(text: str) -> None:
    assert refusal(text).startswith("f:1: ".replace("f", "services.yaml"))


def test_a_long_circle_is_named() -> None:
    services = "".join(
        f"  s{i}: {{kind: tcp, url: 'tcp://h:1', depends_on: [s{(i + 1) % 3000}]}}\n"
        for i in range(3000)
    )
    told = refusal(f"version: 1\nsystem: {{name: x}}\nservices:\n{services}")
    assert "goes round: " in told and told.count(" -> ") == 3000
    told = refusal(
        "version: 1\nsystem: {name: x}\nservices:\n"
        "  c: {kind: tcp, url: 'tcp://h:1', depends_on: [a]}\n"
        "  a: {kind: tcp, url: 'tcp://h:1', depends_on: [b]}\n"
        "  b: {kind: tcp, url: 'tcp://h:1', depends_on: [c]}\n"
    )
    circles = ("a -> b -> c -> a", "b -> c -> a -> b", "c -> a -> b -> c")
    assert any(f"goes round: {circle}." in told for circle in circles)


def test_all_missing_variables_are_named_and_no_value() -> None:
    text = WHOLE.replace("/base", "/${BASE:?where it is mounted}${OTHER}")
    told = refusal(text, {"PASSWORD": CANARY})
    assert told.splitlines() == [
        "services.yaml:19: 'services.auth.url' needs the environment variable BASE, which is not"
        " set (where it is mounted). Set it, or write a default as in ${BASE:-default}.",
        "services.yaml:19: 'services.auth.url' needs the environment variable OTHER, which is not"
        " set. Set it, or write a default as in ${OTHER:-default}.",
        "services.yaml:25: 'services.postgres.url' needs the environment variable DATABASE_URL,"
        " which is not set. Set it, or write a default as in ${DATABASE_URL:-default}.",
    ]
    document = parse(text, "services.yaml")
    assert missing_variables(document, {"PASSWORD": CANARY}) == [
        ("BASE", 19),
        ("OTHER", 19),
        ("DATABASE_URL", 25),
    ]
    assert missing_variables(parse(WHOLE, "f"), ENVIRON) == []


def test_a_file_can_be_checked_without_its_variables(tmp_path: Path) -> None:
    text = (
        WHOLE.replace("5s", '"${T}"').replace("critical\n", "${C}\n").replace("[auth,", '["${D}",')
    )
    path = tmp_path / "services.yaml"
    path.write_text(text.replace("2026-12-31", '"${UNTIL}"').replace("/live", '"${LIVE}"'))
    inventory = load(path, {}, require_environment=False)
    assert [service.kind for service in inventory.services] == ["http", "http", "postgres", "mcp"]
    with pytest.raises(ConfigurationError, match="variable T, which"):
        load(path, {})


def test_what_hangs_on_no_variable_is_checked_without_them() -> None:
    document = parse(changed("kind: mcp", "kind: mpc"), "services.yaml")
    with pytest.raises(ConfigurationError, match="Did you mean 'mcp'") as caught:
        from_document(tolerant(document, {}), {})
    assert len(caught.value.errors) == 1


class _Settings(ProbeSettings):
    users: tuple[int, ...] = (1,)


def test_settings_of_probes_are_checked_without_variables() -> None:
    document = tolerant(parse(changed("[1, 10, 50]", '[1, "${N}"]'), "services.yaml"), {})
    settings = from_document(document, {}).service("gateway").probes["http_concurrency"]
    place = ("services", "gateway", "probes", "http_concurrency")
    users = {"users": settings["users"]}
    assert bind(_Settings, users, document, place).users == (1, 1)


def test_nothing_that_can_be_made_of_an_inventory_shows_a_secret() -> None:
    inventory = build(WHOLE)
    shown = [
        repr(inventory),
        str(inventory),
        f"{inventory.services}",
        str(inventory.model_dump()),
        str(inventory.model_dump(mode="json")),
        inventory.model_dump_json(),
        str(pickle.dumps(inventory)),
        str(pickle.dumps(inventory.services)),
        str(list(inventory.services[1].__repr_args__())),
    ]
    assert [CANARY in text for text in shown] == [False] * len(shown)
    assert "me@example.com" not in "".join(shown)


def test_no_refusal_shows_a_secret() -> None:
    bad = f"postgres://u:{CANARY}"
    for url in (f"{bad}@", f"{bad}/x@h", f"{bad}#@h", f"{bad}@h:port", f"{bad}@[::x]/", "x" + bad):
        assert CANARY not in refusal(WHOLE, {**ENVIRON, "DATABASE_URL": url})
    with pytest.raises(ValidationError) as caught:
        Service.model_validate({"name": "a", "kind": "http", "url": f"http://{CANARY}:x@h:0"})
    assert CANARY not in str(caught.value)


def test_the_public_form_reads_back() -> None:
    inventory = build(WHOLE)
    again = Inventory.model_validate_json(inventory.model_dump_json())
    assert again.model_dump_json() == inventory.model_dump_json()
    assert again.secrets() == frozenset()
    assert pickle.loads(pickle.dumps(inventory)).model_dump() == inventory.model_dump()
    for ours, theirs in zip(inventory.services, again.services, strict=True):
        assert ours.expected_probes == theirs.expected_probes
        assert (ours.address, ours.port) == (theirs.address, theirs.port)
    assert again.service("auth").probes == {
        "http_concurrency": False,
        "http_access": {"protected": True, "login": True},
    }


def test_a_copy_keeps_what_probes_need() -> None:
    inventory = build(WHOLE)
    for copied in (copy.deepcopy(inventory), inventory.model_copy()):
        assert copied.secrets() == inventory.secrets()


def test_secrets_are_known_in_every_form() -> None:
    secrets = build(WHOLE).secrets()
    for form in ("user", "%20pw", " pw", "query", "login"):
        assert any(
            secret == f"{CANARY}{form}" or secret == f"{CANARY}-{form}" for secret in secrets
        )
    assert "me@example.com" in secrets
    assert "Y2FuYXJ5LTViMWQtdXNlcjpjYW5hcnktNWIxZCBwdw==" in secrets
    assert not {"/auth/login", "POST /auth/login", "/me", "app", "db"} & secrets


def test_what_is_shown_openly_is_no_secret() -> None:
    url = f"postgres://postgres:{CANARY}@db/app"
    secrets = build(WHOLE, {**ENVIRON, "DATABASE_URL": url}).secrets()
    assert "postgres" not in secrets and CANARY in secrets


@pytest.mark.parametrize(
    ("kind", "url", "address", "port"),
    [
        ("http", "http://h", "http://h", 80),
        ("web", "https://u:p@h:8443/a?b#".rstrip("#"), "https://h:8443/a", 8443),
        ("mcp", "http://h/mcp", "http://h/mcp", 80),
        ("mcp", "https://h/mcp", "https://h/mcp", 443),
        ("http", "http://[::1]:8000/", "http://[::1]:8000/", 8000),
        ("postgres", "postgresql://u@h/db", "postgresql://h/db", 5432),
        ("redis", "rediss://:pw@h/0", "rediss://h/0", 6379),
        ("tcp", "tcp://h:9000", "tcp://h:9000", 9000),
    ],
)
def test_addresses_and_ports(kind: Kind, url: str, address: str, port: int) -> None:
    service = Service.model_validate({"name": "a", "kind": kind, "url": url})
    assert (service.address, service.port) == (address, port)


@pytest.mark.parametrize(
    ("written", "kept"),
    [("", {}), ("true", {}), ("'yes'", {}), ("false", False), ("no", False), ("{a: 1}", {"a": 1})],
)
def test_a_probe_is_named_or_withheld(written: str, kept: object) -> None:
    text = changed("http_concurrency: false", f"http_concurrency: {written}")
    assert build(text).service("auth").probes["http_concurrency"] == kept


def test_health_paths_by_kind() -> None:
    def path(kind: str) -> str:
        return Service.model_validate({"name": "a", "kind": kind, "url": "http://h"}).health_path

    assert (path("http"), path("web")) == ("/health", "/")
