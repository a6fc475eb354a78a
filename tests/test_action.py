"""action.yml: its steps run as a job of GitHub Actions would run them, on real systems."""

import json
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.background import background
from tests.builtin_schemas import builtin
from tests.code_hosts import TOKEN, CodeHost, serving
from tests.composite import Ran, run
from tests.launcher import launched
from tests.runner_commands import commands
from tests.servers import Request, Web, response

ROOT = Path(__file__).resolve().parent.parent
ACTION = ROOT / "action.yml"
ASSESS = "Assess"
ALWAYS = ["Upload the report", "Comment", "Gate"]


@pytest.fixture(scope="module")
def launcher() -> Iterator[Path]:
    """A folder with a `readiness` that is this one, as an image that has it would bring it."""
    with launched() as folder:
        yield folder


@pytest.fixture(scope="module")
def sound() -> Iterator[int]:
    """The port of a service without a fault."""

    def answer(request: Request) -> bytes:
        if request.target == "/private" and request.headers.get("x-key") != "k-5c1b0f":
            return response(401, '{"detail": "who are you?"}')
        return response(200, '{"status": "pass"}', "application/health+json")

    with background(Web(answer)) as ports:
        yield ports[0]


@pytest.fixture(scope="module")
def closed() -> Iterator[int]:
    """A port at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def host() -> Iterator[CodeHost]:
    with serving("github") as found:
        yield found


def inventory(folder: Path, port: int) -> None:
    """Write the inventory of a shop whose service is at `port` below `folder`."""
    (folder / "deploy").mkdir(exist_ok=True)
    (folder / "deploy" / "shop.yaml").write_text(
        f"""version: 1
system: {{name: Shop, environment: test}}
defaults: {{timeout: 2s, samples: 400}}
services:
  api:
    kind: http
    url: "http://127.0.0.1:{port}"
    criticality: critical
    probes:
      http_concurrency: {{users: [1, 4]}}
      http_access:
        public: [/health]
        protected: [/private]
        credential: {{headers: {{X-Key: "${{KEY:-k-5c1b0f}}"}}}}
"""
    )


class Job:
    """A job for pull request 7, whose checkout holds the inventory."""

    def __init__(self, folder: Path, host: CodeHost, launcher: Path) -> None:
        self.workspace, self.temp = folder / "work", folder / "temp"
        self.workspace.mkdir()
        event = folder / "event.json"
        event.write_text(json.dumps({"pull_request": {"number": 7}}))
        self.github = {**host.environ, "GITHUB_EVENT_PATH": str(event), "GITHUB_ACTIONS": "true"}
        self.launcher = launcher
        self.runs = 0

    def run(self, monkeypatch: pytest.MonkeyPatch, **given: str) -> Ran:
        """Run the action; its `readiness` is on the PATH."""
        self.runs += 1
        temp = self.temp / str(self.runs)
        temp.mkdir(parents=True)
        if (kept := self.temp / str(self.runs - 1) / "readiness-history").exists():
            shutil.copytree(kept, temp / "readiness-history")  # what the cache would restore
        with monkeypatch.context() as patch:
            patch.setenv("PATH", f"{self.launcher}:/usr/bin:/bin")
            usual = {"package": "none", "inventory": "deploy/shop.yaml"}
            inputs = {**usual, **{k.replace("_", "-"): v for k, v in given.items()}}
            done = run(ACTION, inputs, self.github, self.workspace, temp)
        assert TOKEN not in "".join(done.printed.values())
        return done


@pytest.fixture
def job(tmp_path: Path, host: CodeHost, launcher: Path) -> Job:
    return Job(tmp_path, host, launcher)


def test_it_is_an_action_by_the_schema_of_actions() -> None:
    jsonschema.validate(yaml.safe_load(ACTION.read_text("utf-8")), builtin("github-actions"))


def test_no_input_becomes_a_part_of_a_script() -> None:
    for step in yaml.safe_load(ACTION.read_text("utf-8"))["runs"]["steps"]:
        assert "${{" not in step.get("run", ""), step["name"]


def test_a_system_that_passes(
    job: Job, host: CodeHost, sound: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory(job.workspace, sound)
    done = job.run(monkeypatch, sarif="true", formats="junit,gitlab")
    assert done.failed is None, done.printed
    assert done.steps == [ASSESS, "Upload the report", "Upload SARIF", "Comment", "Gate"]
    assert done.outputs["verdict"] in ("ready", "conditional")
    assert done.outputs["exit-code"] == "0"
    assert 0 <= int(done.outputs["score"]) <= 100
    report = job.workspace / done.outputs["report"]
    assert report.exists()
    assert {"junit.xml", "readiness.sarif", "gl-code-quality.json"} <= {
        path.name for path in report.parent.iterdir()
    }
    assert done.used["Upload the report"]["path"] == "./readiness-report"
    (comment,) = host.bodies
    assert comment.startswith("<!-- readiness:Shop:test:deploy%2Fshop.yaml -->\n")
    assert done.summaries == {ASSESS: comment, "Comment": "", "Gate": ""}


def test_a_system_that_fails_is_reported_and_commented_all_the_same(
    job: Job, host: CodeHost, closed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory(job.workspace, closed)
    done = job.run(monkeypatch)
    assert done.steps == [ASSESS, *ALWAYS]
    assert (done.failed, done.code) == ("Gate", 1)
    assert done.outputs["verdict"] == "not_ready"
    errors = [c for c in commands(done.printed[ASSESS]) if c.name == "error"]
    assert {(c.properties["file"], c.properties["line"]) for c in errors} == {
        ("deploy/shop.yaml", "5")
    }
    assert "NOT READY" in host.bodies[0]


def test_too_little_known_is_no_pass(
    job: Job, sound: int, host: CodeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory(job.workspace, sound)
    done = job.run(monkeypatch, args="--deadline 1ms")
    assert (done.failed, done.code) == ("Gate", 4)
    assert done.outputs["verdict"] == "inconclusive"
    assert "INCONCLUSIVE" in host.bodies[0]


def test_a_fork_gets_its_verdict_without_a_comment(
    job: Job, closed: int, host: CodeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.writable = False
    inventory(job.workspace, closed)
    done = job.run(monkeypatch, fail_on="never")
    assert done.failed is None, done.printed
    assert host.bodies == []
    assert done.printed["Comment"].startswith("No comment: this token may only read (HTTP 403")
    assert done.summaries[ASSESS].startswith("<!-- readiness:Shop:test:")
    assert "GATE DISABLED" in done.summaries[ASSESS]
    assert done.summaries["Comment"] == ""


def test_a_comment_that_fails_neither_hides_nor_makes_a_failure(
    job: Job, closed: int, host: CodeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory(job.workspace, closed)
    done = job.run(monkeypatch, token="another", fail_on="never")
    assert done.failed is None
    assert [c.name for c in commands(done.printed["Comment"])] == ["warning"]
    assert "HTTP 401" in done.printed["Comment"]


def test_a_mistake_uploads_and_comments_nothing(
    job: Job, host: CodeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor what an earlier run has left in the folder."""
    old = job.workspace / "readiness-report"
    old.mkdir()
    (old / "summary.md").write_text("<!-- readiness:Shop:test:deploy%2Fshop.yaml -->\n")
    done = job.run(monkeypatch, history="cache")
    assert done.steps == ["Restore earlier runs", ASSESS, "Gate"]
    assert (done.failed, done.code) == ("Gate", 2)
    assert done.outputs["verdict"] == ""
    assert "deploy/shop.yaml: there is no such file" in done.printed[ASSESS]
    assert host.asked == []


def test_what_is_kept_of_a_run_is_what_the_next_is_compared_with(
    job: Job, closed: int, host: CodeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory(job.workspace, closed)
    first = job.run(monkeypatch, history="cache", out="one", comment="false")
    assert first.steps[-3:] == ["Keep this run", "Upload the report", "Gate"]
    second = job.run(monkeypatch, history="cache", out="two")
    assert ", +0 since the run before" in second.printed[ASSESS]
    found = json.loads((job.workspace / "two" / "assessment.json").read_text())
    assert found["score"]["previous"]["value"] == int(first.outputs["score"])
    assert host.asked


PWN = "; touch pwned `touch pwned` $(touch pwned) *"


def test_no_input_is_run(
    job: Job, closed: int, host: CodeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory(job.workspace, closed)
    given = ("inventory", "out", "args", "formats", "fail_on", "history")
    refused = job.run(monkeypatch, **dict.fromkeys(given, PWN))
    assert (refused.failed, refused.code) == ("Gate", 2)
    done = job.run(monkeypatch, out=PWN, pr=PWN)
    assert done.steps == [ASSESS, *ALWAYS]
    assert (job.workspace / PWN / "report.md").exists()
    assert [c.name for c in commands(done.printed["Comment"])] == ["warning"]
    assert not list(job.workspace.parent.rglob("pwned"))


@pytest.mark.thorough
def test_it_installs_itself_and_nothing_of_the_job_changes(
    job: Job, sound: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From its own path, which is a checkout; needs the package index."""
    inventory(job.workspace, sound)
    checkout = job.workspace.parent / "action"
    shutil.copytree(
        ROOT,
        checkout,
        ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "tests"),
    )
    temp = job.workspace.parent / "fresh"
    temp.mkdir()
    inputs = {"inventory": "deploy/shop.yaml", "extras": "", "python-version": ""}
    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
        done = run(checkout / "action.yml", inputs, job.github, job.workspace, temp)
    assert done.failed is None, done.printed
    assert done.steps == ["Install readiness", ASSESS, *ALWAYS]
    assert done.outputs["verdict"] in ("ready", "conditional")
