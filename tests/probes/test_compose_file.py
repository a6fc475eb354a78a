"""compose_file on files that are clean but for one mistake, joined, broken and hostile."""

from pathlib import Path
from typing import Any

import pytest

from readiness.probes import Context
from tests.described import findings
from tests.states import troubled, unknown

pytestmark = pytest.mark.anyio

CLEAN = """\
x-safe: &safe
  user: "1000:1000"
  restart: unless-stopped
  security_opt: ["no-new-privileges:true"]
  logging: {driver: json-file, options: {max-size: 10m, max-file: "3"}}
  deploy: {resources: {limits: {memory: 256M, cpus: "0.5"}}}
services:
  api:
    <<: *safe
    image: registry.example.com/shop/api:1.4.2
    healthcheck:
      test: [CMD, wget, -q, --spider, "http://localhost:8000/health"]
      interval: 10s
    depends_on:
      db: {condition: service_healthy}
      migrate: {condition: service_completed_successfully}
    ports: ["127.0.0.1:8000:8000"]
    environment:
      DATABASE_URL: postgres://shop:${DB_PASSWORD:?}@db/shop
      API_TOKEN: ${API_TOKEN}
      LOG_LEVEL: info
    volumes: ["uploads:/data", "./settings:/settings:ro"]
  db:
    <<: *safe
    image: postgres:16.4@sha256:0000000000000000000000000000000000000000000000000000000000000000
    healthcheck: {test: ["CMD-SHELL", "pg_isready -U $${POSTGRES_USER}"], retries: 5}
    environment: [POSTGRES_USER=shop, POSTGRES_PASSWORD_FILE=/run/secrets/db]
    secrets: [db]
  migrate:
    <<: *safe
    restart: "no"
    image: registry.example.com/shop/api:1.4.2
    command: [migrate]
    depends_on: {db: {condition: service_healthy}}
  proxy:
    <<: *safe
    image: nginx:1.27.1
    healthcheck: {test: curl -fsS http://localhost/ || exit 1}
    depends_on: {api: {condition: service_healthy}}
    ports: ["80:80", {target: 443, published: "443"}]
volumes: {uploads: {}}
secrets: {db: {file: ./db.txt}}
"""


async def test_a_clean_file_has_no_finding(context: Context, tmp_path: Path) -> None:
    found = (await findings(context, tmp_path, "compose", {"compose.yaml": CLEAN}))["run"]
    assert (troubled(found), unknown(found)) == (set(), set())
    assert {name for name, f in found.items() if f.outcome == "not_applicable"} == set()


BAD: dict[str, tuple[str, str, str]] = {
    # name: (check, what stands in the clean file, what stands there instead)
    "no healthcheck": ("compose-healthcheck", '{test: ["CMD-SHELL", "pg_isready', '{x-: ["'),
    "health off": ("compose-healthcheck", "|| exit 1}", "|| exit 1, disable: true}"),
    "health none": (
        "compose-healthcheck",
        "{test: curl -fsS http://localhost/ || exit 1}",
        "{test: [NONE]}",
    ),
    "one word": ("compose-healthcheck-runs", "[CMD, wget, -q, --spider, ", "[CMD, wget -q "),
    "no form": ("compose-healthcheck-runs", "[CMD, wget", "[wget"),
    "operators": ("compose-healthcheck-runs", '/health"]', '/health", "||", exit, "1"]'),
    "variables": ("compose-healthcheck-runs", "[CMD, wget", '[CMD, wget, "$$FLAGS"'),
    "more texts": (
        "compose-healthcheck-runs",
        '["CMD-SHELL", "pg_isready',
        '["CMD-SHELL", "pg_isready", "',
    ),
    "empty": ("compose-healthcheck-runs", "[CMD, wget, -q, --spider, ", "[CMD] # "),
    "no curl": (
        "compose-healthcheck-runs",
        "registry.example.com/shop/api:1.4.2\n    healthcheck:\n      test: [CMD, wget",
        "node:22.1-slim\n    healthcheck:\n      test: [CMD, wget",
    ),
    "no shell": ("compose-healthcheck-runs", "nginx:1.27.1", "gcr.io/distroless/base:v1"),
    "swallowed": ("compose-healthcheck-fails", "|| exit 1", "|| true"),
    "swallowed later": ("compose-healthcheck-fails", "|| exit 1", "; exit 0"),
    "swallowed on another line": (
        "compose-healthcheck-fails",
        "{test: curl -fsS http://localhost/ || exit 1}",
        '{test: "curl -f http://localhost/\\nexit 0\\n"}',
    ),
    "echo": (
        "compose-healthcheck-fails",
        "{test: curl -fsS http://localhost/ || exit 1}",
        "{test: echo ok}",
    ),
    "true": (
        "compose-healthcheck-fails",
        '[CMD, wget, -q, --spider, "http://localhost:8000/health"]',
        '[CMD, "true"]',
    ),
    "pipe": ("compose-healthcheck-fails", "|| exit 1", "| head -1"),
    "no -f": ("compose-healthcheck-fails", "-fsS", "-sS"),
    "foreign": ("compose-healthcheck-own", "//localhost:8000", "//db:8000"),
    "foreign option": ("compose-healthcheck-own", "pg_isready", "pg_isready -h api"),
    "slow": ("compose-healthcheck-pace", "interval: 10s", "interval: 10m"),
    "no restart": (
        "compose-restart",
        "restart: unless-stopped\n  security",
        "init: true\n  security",
    ),
    "restart no": ("compose-restart", "image: nginx", 'restart: "no"\n    image: nginx'),
    "memory": ("compose-memory", "memory: 256M, ", ""),
    "cpu": ("compose-cpu", ', cpus: "0.5"', ""),
    "started only": (
        "compose-depends-on",
        "depends_on: {api: {condition: service_healthy}}",
        "depends_on: [api]",
    ),
    "no tag": ("compose-image", "nginx:1.27.1", "nginx"),
    "latest": ("compose-image", "nginx:1.27.1", "nginx:latest"),
    "channel": ("compose-image", "nginx:1.27.1", "nginx:alpine"),
    "latest by default": ("compose-image", "nginx:1.27.1", "nginx:${TAG:-latest}"),
    "everywhere": ("compose-ports", "127.0.0.1:8000:8000", "8000:8000"),
    "everywhere 0": ("compose-ports", "127.0.0.1:8000:8000", "0.0.0.0:8000:8000"),
    "everywhere 6": ("compose-ports", "127.0.0.1:8000:8000", "[::]:8000:8000"),
    "everywhere by default": ("compose-ports", "127.0.0.1:8000:8000", "${BIND:-0.0.0.0}:8000:8000"),
    "everywhere long": ("compose-ports", 'published: "443"', "published: 8443"),
    "everywhere random": ("compose-ports", "127.0.0.1:8000:8000", "8000"),
    "range": ("compose-ports", '"80:80"', '"80-81:80-81"'),
    "database": (
        "compose-data-ports",
        "    secrets: [db]",
        "    secrets: [db]\n    ports: ['5432:5432']",
    ),
    "privileged": ("compose-privileged", "image: nginx", "privileged: true\n    image: nginx"),
    "capability": (
        "compose-capabilities",
        "image: nginx",
        "cap_add: [SYS_ADMIN]\n    image: nginx",
    ),
    "unconfined": (
        "compose-confined",
        '"no-new-privileges:true"]',
        '"no-new-privileges:true", "seccomp:unconfined"]',
    ),
    "new privileges": ("compose-no-new-privileges", '["no-new-privileges:true"]', "[]"),
    "host processes": ("compose-namespaces", "image: nginx", "pid: host\n    image: nginx"),
    "socket": ("compose-socket", "./settings:/settings:ro", "/var/run/docker.sock:/s:ro"),
    "socket elsewhere": (
        "compose-socket",
        "./settings:/settings:ro",
        "${SOCK}:/var/run/docker.sock",
    ),
    "etc": ("compose-host-paths", "./settings:/settings:ro", "/etc:/host"),
    "etc long": (
        "compose-host-paths",
        '"./settings:/settings:ro"',
        "{type: bind, source: /etc/, target: /host}",
    ),
    "root": ("compose-user", '"1000:1000"', '"0:0"'),
    "secret": ("compose-secrets", "${API_TOKEN}", "s3cret-canary"),
    "secret by default": ("compose-secrets", "${API_TOKEN}", "${API_TOKEN:-s3cret-canary}"),
    "secret in a URL": ("compose-secrets", "${DB_PASSWORD:?}", "s3cret-canary"),
    "secret in a command": (
        "compose-secrets",
        "command: [migrate]",
        "command: [migrate, --password, s3cret-canary]",
    ),
    "no rotation": ("compose-logs", "max-size: 10m, ", ""),
    "undefined dependency": ("compose-references", "depends_on: {db:", "depends_on: {dbb:"),
    "undefined volume": ("compose-references", "volumes: {uploads: {}}", "volumes: {}"),
    "undefined secret": ("compose-references", "secrets: {db: {file", "secrets: {d: {file"),
    "port twice": ("compose-ports-unique", '"127.0.0.1:8000:8000"', '"127.0.0.1:443:8000"'),
    "unknown key": ("compose-keys", "    command: [migrate]", "    comand: [migrate]"),
    "unknown top key": (
        "compose-keys",
        "volumes: {uploads: {}}",
        "volumes: {uploads: {}}\nservice: {}",
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_each_mistake_is_caught_by_its_check_alone(
    name: str, context: Context, tmp_path: Path
) -> None:
    check, clean, wrong = BAD[name]
    assert clean in CLEAN
    text = CLEAN.replace(clean, wrong, 1)
    found = (await findings(context, tmp_path, "compose", {"compose.yaml": text}))["run"]
    assert (troubled(found), unknown(found)) == ({check}, set())
    because = found[check].because
    assert "compose.yaml:" in because
    assert "canary" not in because
    line = int(because.partition("compose.yaml:")[2].partition(" ")[0])
    assert 1 <= line <= len(text.splitlines())


GOOD: dict[str, tuple[str, str]] = {
    "tag by variable": ("nginx:1.27.1", "nginx:${TAG}"),
    "tag by default": ("nginx:1.27.1", "nginx:${TAG:-1.27.1}"),
    "release by its word": ("nginx:1.27.1", "debian:bookworm"),
    "mem_limit": (
        'deploy: {resources: {limits: {memory: 256M, cpus: "0.5"}}}',
        "mem_limit: 256m\n  cpus: 0.5",
    ),
    "restart of deploy": ("restart: unless-stopped\n  security_opt", "init: true\n  security_opt"),
    "local driver": ('driver: json-file, options: {max-size: 10m, max-file: "3"}', "driver: local"),
    "no port": ('["127.0.0.1:8000:8000"]', "[]"),
    "localhost 6": ("127.0.0.1:8000:8000", "[::1]:8000:8000"),
    "grep": (
        "{test: curl -fsS http://localhost/ || exit 1}",
        "{test: curl -s localhost | grep -q OK}",
    ),
    "code": (
        "{test: curl -fsS http://localhost/ || exit 1}",
        "{test: 'test \"$$(curl -s -o /dev/null -w %{http_code} localhost)\" = 200'}",
    ),
    "its own name": ("//localhost:8000", "//api:8000"),
    "read-only host": ("./settings:/settings:ro", "/:/host:ro"),
    "clock": ("./settings:/settings:ro", "/etc/localtime:/etc/localtime"),
    "extension": ("    command: [migrate]", "    x-note: 1"),
    "plain switch": ("LOG_LEVEL: info", "RESET_PASSWORD_ENABLED: 1"),
    "empty secret": ("LOG_LEVEL: info", "SMTP_PASSWORD: ''"),
    "path of a secret": ("LOG_LEVEL: info", "JWT_SECRET: /run/secrets/jwt"),
}


@pytest.mark.parametrize("name", GOOD)
async def test_what_is_as_good_raises_no_alarm(name: str, context: Context, tmp_path: Path) -> None:
    clean, other = GOOD[name]
    assert clean in CLEAN
    text = CLEAN.replace(clean, other, 1)
    if name == "restart of deploy":
        text = text.replace("deploy: {", "deploy: {restart_policy: {condition: any}, ")
    found = (await findings(context, tmp_path, "compose", {"compose.yaml": text}))["run"]
    assert (troubled(found), unknown(found)) == (set(), set())


async def one(context: Context, folder: Path, service: str, **more: Any) -> Any:
    text = f"services:\n  api: {{{service}}}\n"
    return (await findings(context, folder, "compose", {"compose.yaml": text}, **more))["run"]


@pytest.mark.parametrize(
    ("service", "check"),
    [
        ("image: ghcr.io/x/y:1", "compose-healthcheck"),
        ("image: shop:1", "compose-healthcheck"),
        ("image: ghcr.io/x/y:1", "compose-user"),
        ("image: ghcr.io/x/y:1", "compose-logs"),
        ("image: x:1, user: '${U}'", "compose-user"),
        ("image: x:1, privileged: '${P}'", "compose-privileged"),
        ("image: x:1, network_mode: '${N}'", "compose-namespaces"),
        ("image: x:1, restart: '${R}'", "compose-restart"),
        ("image: x:1, ports: ['${BIND}:80:8000']", "compose-ports"),
        ("image: x:1, healthcheck: {test: a, interval: '${I}'}", "compose-healthcheck-pace"),
    ],
)
async def test_what_the_file_does_not_tell_is_unknown_and_says_so(
    service: str, check: str, context: Context, tmp_path: Path
) -> None:
    found = await one(context, tmp_path, service)
    assert found[check].outcome == "unknown"
    assert found[check].because.startswith("not tested: compose.yaml:2 api: ")


@pytest.mark.parametrize(
    ("service", "check", "because"),
    [
        ("build: ., image: mine", "compose-image", "api is built here"),
        ("image: x:1, logging: {driver: syslog}", "compose-logs", "no log files of its own"),
        ("image: x:1", "compose-ports", "publishes no port"),
        ("image: x:1, network_mode: host", "compose-ports", "publishes no port"),
        ("image: x:1", "compose-depends-on", "depends on nothing"),
        ("image: x:1", "compose-healthcheck-fails", "no healthcheck's command is written"),
        (
            "image: tecnativa/docker-socket-proxy:1, volumes: ['/var/run/docker.sock:/s']",
            "compose-socket",
            "to guard the socket",
        ),
    ],
)
async def test_what_is_not_there_is_not_judged(
    service: str, check: str, because: str, context: Context, tmp_path: Path
) -> None:
    found = await one(context, tmp_path, service)
    assert found[check].outcome == "not_applicable"
    assert because in found[check].because


@pytest.mark.parametrize(
    ("dockerfile", "health", "user"),
    [
        ('FROM python:3.12\nHEALTHCHECK CMD ["a"]\nUSER 1000\n', "pass", "pass"),
        ("FROM python:3.12\nUSER root\n", "fail", "fail"),
        ("FROM ghcr.io/x/y:1\n", "unknown", "unknown"),
        ("FROM x/b:1 AS base\nUSER app\nFROM base\nHEALTHCHECK \\\n  CMD a\n", "pass", "pass"),
        ("FROM x/b:1\nHEALTHCHECK NONE\nUSER 0\n", "fail", "fail"),
        ("FROM scratch\nUSER 65532:65532\n", "fail", "pass"),
    ],
)
async def test_a_dockerfile_beside_it_tells_of_user_and_health(
    dockerfile: str, health: str, user: str, context: Context, tmp_path: Path
) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "Dockerfile").write_text(dockerfile)
    found = await one(context, tmp_path, "build: ./app")
    assert found["compose-healthcheck"].outcome == health
    assert found["compose-user"].outcome == user


async def test_who_adjusts_the_healthcheck_of_an_image_knows_of_it(
    context: Context, tmp_path: Path
) -> None:
    found = await one(context, tmp_path, "image: ghcr.io/x/y:1, healthcheck: {interval: 5s}")
    assert found["compose-healthcheck"].outcome == "pass"


async def test_ports_that_are_public_on_purpose_and_profiles_are_settings(
    context: Context, tmp_path: Path
) -> None:
    text = "services:\n  a: {image: 'a:1', ports: ['8080:80']}\n"
    text += "  b: {image: b, profiles: [tools]}\n"
    files = {"compose.yaml": text}
    plain = (await findings(context, tmp_path, "compose", files))["run"]
    assert plain["compose-ports"].outcome == "fail"
    assert plain["compose-image"].outcome == "pass"
    asked = {"public_ports": [8080], "profiles": ["tools"]}
    told = (await findings(context, tmp_path, "compose", files, probes=asked))["run"]
    assert told["compose-ports"].outcome == "pass"
    assert told["compose-image"].outcome == "fail"


JOINED = """\
name: shop
services:
  api: {image: api}
  web-1: {image: 'web:1', container_name: front_end}
  db: {image: postgres, networks: {back: {aliases: [main-database]}}}
  other: {image: other}
networks: {back: {}}
"""


@pytest.mark.parametrize(
    ("name", "written", "line"),
    [
        ("api", {}, 3),
        ("shop-api", {}, 3),
        ("API", {}, 3),
        ("front-end", {}, None),
        ("web", {}, None),
        ("main_database", {}, 5),
        ("orders", {"compose_file": {"service": "other"}}, 6),
    ],
)
async def test_a_service_of_the_inventory_is_judged_by_its_own_part(
    name: str, written: Any, line: int | None, context: Context, tmp_path: Path
) -> None:
    services = {name: {"kind": "tcp", "url": "tcp://localhost:1", "probes": written}}
    every = await findings(context, tmp_path, "compose", {"compose.yaml": JOINED}, services)
    mine, rest = every[name]["compose-image"], every["run"]["compose-image"]
    assert mine.outcome == ("fail" if line else "pass")
    assert f"compose.yaml:{line} " in mine.because if line else True
    assert f"compose.yaml:{line} " not in rest.because
    assert rest.because.count("compose.yaml:") == (2 if line else 3)
    assert "compose-parses" not in every[name]


@pytest.mark.parametrize("name", ["cache", "ap", "api2"])
async def test_a_service_that_the_files_do_not_define_is_not_judged(
    name: str, context: Context, tmp_path: Path
) -> None:
    services = {name: {"kind": "tcp", "url": "tcp://localhost:1"}}
    found = (await findings(context, tmp_path, "compose", {"c.yaml": JOINED}, services))[name]
    assert {f.outcome for f in found.values()} == {"not_applicable"}
    assert {f.because for f in found.values()} == {f"the Compose files define no service {name}"}


async def test_a_name_that_a_setting_gives_must_be_there(context: Context, tmp_path: Path) -> None:
    probes = {"compose_file": {"service": "apo"}}
    services = {"api": {"kind": "tcp", "url": "tcp://localhost:1", "probes": probes}}
    found = (await findings(context, tmp_path, "compose", {"c.yaml": JOINED}, services))["api"]
    assert {f.outcome for f in found.values()} == {"unknown"}
    assert {f.because for f in found.values()} == {
        "not tested: the Compose files define no service apo. Did you mean 'api'?"
    }


async def test_where_every_service_is_the_inventorys_the_artifact_asks_of_the_whole_only(
    context: Context, tmp_path: Path
) -> None:
    services = {"api": {"kind": "tcp", "url": "tcp://localhost:1"}}
    files = {"c.yaml": "services: {api: {image: 'a:1'}}"}
    found = (await findings(context, tmp_path, "compose", files, services))["run"]
    told = {name for name, f in found.items() if f.outcome == "pass"}
    assert told == {"compose-parses", "compose-references", "compose-keys"}
    assert {f.outcome for name, f in found.items() if name not in told} == {"not_applicable"}


async def test_a_service_that_may_be_in_a_file_elsewhere_is_unknown(
    context: Context, tmp_path: Path
) -> None:
    services = {"api": {"kind": "tcp", "url": "tcp://localhost:1"}}
    text = "include: ['https://example.com/a.git']\nservices: {b: {image: 'b:1'}}\n"
    found = (await findings(context, tmp_path, "compose", {"c.yaml": text}, services))["api"]
    assert {f.outcome for f in found.values()} == {"unknown"}
    assert "leads to a file that is not on this disk" in found["compose-memory"].because


BROKEN: dict[str, tuple[str, int, str]] = {
    "syntax": ("services:\n  a: [1\n", 3, "not valid YAML"),
    "tab": ("services:\n\ta: 1\n", 2, "a tab"),
    "twice": ("services:\n  a: {image: x}\n  a: {image: y}\n", 3, "written twice"),
    "tag": ("services:\n  a: !!python/object:os.system x\n", 2, "tag is not supported"),
    "alias": ("services:\n  a: *b\n", 2, "no anchor"),
    "itself": ("services: &a\n  a: *a\n", 2, "no anchor"),
    "laughs": (
        "x: &b0 [x]\n" + "".join(f"y{i}: &b{i} [*b{i - 1}, *b{i - 1}]\n" for i in range(1, 60)),
        17,
        "more than 200000 values",
    ),
    "deep": ("a: " + "[" * 80 + "]" * 80, 1, "nests deeper"),
    "very deep": ("[" * 50_000, 1, "nest"),
    "large": ("#" + "x" * (4 << 20), 1, "larger than 4 MiB"),
    "control": ("services: {a: {image: 'x\x00'}}", 1, "control character"),
    "empty": ("# nothing\n", 1, "empty"),
    "list": ("- a\n", 1, "no mapping"),
    "services": ("services: [a]\n", 1, "services is no mapping"),
    "service": ("services:\n  a: 1\n", 2, "service a is no mapping"),
    "documents": ("services: {a: {}}\n---\nb: 1\n", 3, "second document"),
    "extends": ("services:\n  a: {extends: b}\n", 2, "extends one that is not there"),
    "extends itself": ("services:\n  a: {extends: a}\n", 2, "extends itself"),
    "include": ("include: [nosuch.yaml]\nservices: {a: {}}\n", 1, "there is no file nosuch.yaml"),
    "include itself": ("include: [c.yaml]\nservices: {a: {}}\n", 1, "includes a file twice"),
    "none": ("volumes: {}\n", 1, "no service is defined"),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_what_cannot_be_read_is_named_by_file_and_line(
    name: str, context: Context, tmp_path: Path
) -> None:
    text, line, what = BROKEN[name]
    services = {"a": {"kind": "tcp", "url": "tcp://localhost:1"}}
    every = await findings(context, tmp_path, "compose", {"c.yaml": text}, services)
    parses = every["run"]["compose-parses"]
    assert parses.outcome == "fail"
    assert parses.because.startswith(f"c.yaml:{line}: ")
    assert what in parses.because
    others = [*every["a"].values(), *(f for f in every["run"].values() if f is not parses)]
    assert {f.outcome for f in others} == {"unknown"}
    assert {f.because for f in others} == {f"not tested: {parses.because}"}


@pytest.mark.parametrize(
    ("names", "because"),
    [
        (["nosuch.yaml"], "there is no file nosuch.yaml"),
        (["nosuch/*.yaml"], "no file matches nosuch/*.yaml"),
        (["."], "cannot be read: it is a folder"),
    ],
)
async def test_a_file_that_is_not_there_is_unknown(
    names: list[str], because: str, context: Context, tmp_path: Path
) -> None:
    found = (await findings(context, tmp_path, "compose", {}, names=names))["run"]
    assert {f.outcome for f in found.values()} == {"unknown"}
    assert because in found["compose-parses"].because
