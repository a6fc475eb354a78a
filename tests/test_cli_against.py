"""`run --against` as its user meets it: two files, a report, and a line for each mistake."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.background import background
from tests.program import readiness
from tests.servers import Web, response

PAGE = response(200, '{"status": "pass"}', "application/health+json")
OFF = "http_latency: false, http_concurrency: false, http_headers: false, http_cors: false"


@pytest.fixture(scope="module")
def ports() -> Iterator[list[int]]:
    with background(*(Web(lambda _: PAGE, delay=0.005) for _ in range(2))) as ports:
        yield ports


def written(folder: Path, name: str, body: str) -> Path:
    path = folder / name
    path.write_text(f"version: 1\nsystem: {{name: Shop, version: '2', environment: test}}\n{body}")
    return path


def service(name: str, port: int | str, more: str = "") -> str:
    probes = f"{{{OFF}, http_exposure: false, http_paired: {{pairs: 40, seconds: 0.5{more}}}}}"
    url = f"http://ann:pw-canary@127.0.0.1:{port}"
    return f'  {name}: {{kind: http, url: "{url}", criticality: high, probes: {probes}}}\n'


def test_two_systems_are_compared_and_the_evidence_replays(
    tmp_path: Path, ports: list[int]
) -> None:
    header = ", headers: {X-Key: header-canary}"
    written(tmp_path, "new.yaml", f"services:\n{service('api', ports[0])}{service('own', 1)}")
    old = service("api", ports[1], header) + '  db: {kind: redis, url: "${NOT_SET}"}\n'
    written(tmp_path, "old.yaml", f"services:\n{old}")
    done = readiness(
        *("run", "new.yaml", "--against", "old.yaml", "--format", "summary"), cwd=tmp_path
    )
    assert done.returncode in (1, 4), done.stderr
    out = tmp_path / "readiness-report"
    found = json.loads((out / "assessment.json").read_text())
    assert found["against"] == {"name": "Shop", "version": "2", "environment": "test"}
    assert [row["service"] for row in found["beside"]] == ["api"]
    assert found["beside"][0]["reference"] == "Shop 2, test"
    by_service = {f["service"]: f for f in found["findings"] if f["check"] == "paired-time"}
    assert by_service["own"]["outcome"] == "not_applicable"
    assert by_service["own"]["because"].startswith("old.yaml has no HTTP service 'own'.")
    report = (out / "report.md").read_text()
    assert "## Against Shop 2 (test)" in report
    assert "own was not compared: old.yaml has no HTTP service" in report
    assert "**Against Shop 2 (test):** 1 " in (out / "summary.md").read_text()
    for path in out.iterdir():
        assert "canary" not in path.read_text(), path.name
    assert "canary" not in done.stdout + done.stderr
    again = readiness("report", "readiness-report/evidence.json", "--out", "again", cwd=tmp_path)
    assert again.returncode == done.returncode
    for name in ("report.md", "assessment.json", "evidence.json"):
        assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes()


def test_who_would_be_compared_is_said_without_any_traffic(tmp_path: Path) -> None:
    written(tmp_path, "new.yaml", f"services:\n{service('api', 1)}{service('own', 1)}")
    written(tmp_path, "old.yaml", f"services:\n{service('api', '${NOT_SET}')}")
    words = ("validate", "new.yaml", "--against", "old.yaml")
    done = readiness(*words, "--no-env", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert told[0] == "old.yaml: 1 of 2 HTTP services would be compared."
    assert told[1].startswith("old.yaml: not own: old.yaml has no HTTP service 'own'.")
    done = readiness(*words, cwd=tmp_path)
    assert done.returncode == 2 and "variable NOT_SET, which is not set" in done.stderr


@pytest.mark.parametrize(
    ("old", "said"),
    [
        (None, "old.yaml: there is no such file."),
        ("services:\n  apy: {kind: http, url: 'http://localhost'}\n", "Did you mean 'apy'?"),
        ("services:\n  api: {kind: http, url: '${GONE}'}\n", "old.yaml:4: "),
        ("services:\n  api: {kind: http, url: 'ftp://h'}\n", "old.yaml:4: "),
        (
            "services:\n  api: {kind: http, url: 'http://h',\n    probes: {http_latency: {x: 1}}}",
            "old.yaml:5: ",
        ),
        ("services: [\n", "old.yaml:"),
    ],
)
def test_each_mistake_in_the_second_inventory_is_told_before_any_traffic(
    tmp_path: Path, old: str | None, said: str
) -> None:
    web = Web(lambda _: PAGE)
    if old is not None:
        written(tmp_path, "old.yaml", old)
    with background(web) as (port,):
        written(tmp_path, "new.yaml", f"services:\n{service('api', port)}")
        done = readiness("run", "new.yaml", "--against", "old.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert web.connections == 0
