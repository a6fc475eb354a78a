"""`run --baseline` and `diff` as their user meets them: real runs, a history, files, mistakes."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.background import background
from tests.program import readiness
from tests.servers import Request, Web, response
from tests.test_cli import inventory

HISTORY = ("--history", "h.db")
EVIDENCE = Path("readiness-report", "evidence.json")
GOLDEN = json.loads((Path(__file__).parent / "golden" / "fixed.evidence.json").read_text())
NAMED_OUTSIDE = json.dumps(GOLDEN | {"run_id": "../x"})


@dataclass
class Release:
    """Answers in time, and always; or once it is `worse` every third request for work with 503."""

    worse: bool = False
    asked: int = 0

    def __call__(self, request: Request) -> bytes:
        self.asked += request.target == "/work"
        if self.worse and request.target == "/work" and self.asked % 3 == 0:
            return response(503)
        return response(200, '{"status": "pass"}', "application/health+json")


@pytest.fixture
def web() -> Iterator[tuple[Web, int]]:
    one = Web(Release())
    with background(one) as ports:
        yield one, ports[0]


def asked(folder: Path, port: int) -> None:
    (folder / "services.yaml").write_text(
        f"""version: 1
system: {{name: Shop, environment: test}}
defaults: {{timeout: 2s, samples: 80}}
services:
  api:
    kind: http
    url: "http://127.0.0.1:{port}"
    owner: platform
    probes:
      http_latency: {{request: GET /work, seconds: 2}}
      http_concurrency: false
      http_cors: false
      http_exposure: false
"""
    )


def run(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    return readiness("run", "--deadline", "20s", *HISTORY, *words, cwd=folder)


def assessment(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "readiness-report/assessment.json").read_text())
    return found


@pytest.mark.light
def test_a_worse_release_regresses_and_diff_tells_why_the_score_fell(
    tmp_path: Path, web: tuple[Web, int]
) -> None:
    server, port = web
    asked(tmp_path, port)
    server.delay = 0.005
    first = run(tmp_path, "--baseline", "last")
    assert first.returncode in (0, 4), first.stderr
    assert "NO BASELINE: Asked for was last. No complete run of Shop in test" in first.stdout
    found = assessment(tmp_path)
    assert (found["baseline"], found["regressions"]) == (None, [])
    assert found["no_baseline"].startswith("Asked for was last.")
    files = shutil.copytree(tmp_path / "readiness-report", tmp_path / "first")
    first_id = json.loads((files / "evidence.json").read_text())["run_id"]

    server.delay, server.answer = 0.05, Release(worse=True)
    second = run(tmp_path, "--baseline", "last")
    assert "REGRESSED: " in second.stdout
    found = assessment(tmp_path)
    assert {"success-rate", "latency-p50"} <= {row["check"] for row in found["regressions"]}
    assert (found["baseline"]["asked"], found["no_baseline"]) == ("last", None)
    caps = {cap["because"] for cap in found["score"]["caps"]}
    assert "regressed: Requests answered without error on api" in caps
    worse = [c for c in found["conditions"] if "has regressed" in c["text"]]
    assert {c["owner"] for c in worse} == {"platform"}
    assert found["baseline"]["run_id"] == first_id

    again = readiness("report", str(EVIDENCE), "--out", "again", cwd=tmp_path)
    assert again.returncode in (0, 4)
    for name in ("report.md", "assessment.json", "evidence.json"):
        one, other = tmp_path / "again" / name, tmp_path / "readiness-report" / name
        assert one.read_bytes() == other.read_bytes()

    told = readiness("diff", str(files / "evidence.json"), "last", *HISTORY, cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert "baseline: regressions since the run compared with" in told.stdout
    parts = readiness("diff", *HISTORY, "first/assessment.json", "last", "--json", cwd=tmp_path)
    data = json.loads(parts.stdout)
    assert sum(p["value"] for p in data["parts"]) == data["change"]["value"]
    assert data["b"]["value"] == found["score"]["value"]


@pytest.mark.parametrize(
    ("word", "content", "why"),
    [
        ("nosuch.json", None, "nosuch.json: this file cannot be read"),
        ("bad.json", "{", "bad.json: this is not evidence"),
        ("bad.json", NAMED_OUTSIDE, "readiness/evidence/v1 (run_id: "),
        ("bad.json", '{"schema": "readiness/assessment/v1"}', "bad.json: this is not evidence"),
        ("bad.json", "[" * 100_000, "bad.json: this is not evidence"),
        ("./", None, "this file cannot be read (it is a folder)"),
        ("0badrun", None, "there is no run '0badrun'"),
    ],
)
def test_a_baseline_that_is_nothing_is_a_mistake(
    tmp_path: Path, word: str, content: str | None, why: str
) -> None:
    inventory(tmp_path, 1)
    if content is not None:
        (tmp_path / word).write_text(content)
    history = "h.db"
    done = readiness("run", "--baseline", word, "--history", history, cwd=tmp_path)
    assert done.returncode == 2, done.stdout
    assert why in done.stderr or "no run" in done.stderr
    assert "Traceback" not in done.stderr
    other = readiness("diff", word, word, "--history", history, cwd=tmp_path)
    assert other.returncode == 2
    assert "Traceback" not in other.stderr


def test_runs_of_two_systems_have_no_difference(tmp_path: Path) -> None:
    golden = Path(__file__).parent / "golden"
    text = (golden / "fixed.evidence.json").read_text()
    (tmp_path / "one.json").write_text(text)
    data = json.loads(text)
    data["inventory"]["system"]["name"] = "Kiosk"
    (tmp_path / "other.json").write_text(json.dumps(data))
    done = readiness("diff", "one.json", "other.json", cwd=tmp_path)
    assert done.returncode == 2
    assert "one.json is a run of PyAirtable, and other.json of Kiosk" in done.stderr


def test_criteria_that_a_file_does_not_hold_are_one_part_with_the_model(tmp_path: Path) -> None:
    golden = Path(__file__).parent / "golden"
    for name in ("broken", "fixed"):
        data = json.loads((golden / f"{name}.evidence.json").read_text())
        data["tool"]["version"] = "0.0.9" if name == "broken" else data["tool"]["version"]
        (tmp_path / f"{name}.json").write_text(json.dumps(data))
    done = readiness("diff", "broken.json", "fixed.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "criteria and model version, which a file does not hold" in done.stdout
    assert "broken.json was made by readiness 0.0.9, whose criteria" in done.stdout
    assert "No score of broken.json is kept: it is judged now." in done.stdout
