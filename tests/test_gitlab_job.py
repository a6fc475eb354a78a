"""ci/gitlab.yml: its scripts run as GitLab's runner would run them, on real systems."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.builtin_schemas import builtin
from tests.code_hosts import TOKEN, CodeHost, serving
from tests.launcher import launched
from tests.program import environment

ROOT = Path(__file__).resolve().parent.parent
SNIPPET = ROOT / "ci" / "gitlab.yml"
JOB: dict[str, Any] = yaml.safe_load(SNIPPET.read_text("utf-8"))[".readiness"]


@pytest.fixture
def host() -> Iterator[CodeHost]:
    with serving("gitlab", who="project_42_bot_9f") as found:
        yield found


@pytest.fixture(scope="module")
def launcher() -> Iterator[Path]:
    with launched() as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path, launcher: Path) -> Iterator[Path]:
    """A checkout whose inventory names a service that is down, and a `readiness` in an image."""
    (tmp_path / "bin").symlink_to(launcher)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{held.getsockname()[1]}"
        (tmp_path / "services.yaml").write_text(
            "version: 1\nsystem: {name: Shop, environment: test}\n"
            f'services:\n  cache: {{kind: redis, url: "{url}", criticality: critical}}\n'
        )
        yield tmp_path


def run(folder: Path, host: CodeHost, **changes: str) -> "subprocess.CompletedProcess[str]":
    """Run `script` to its end, then `after_script` in a shell of its own; return the first."""
    told = {key: str(value) for key, value in JOB["variables"].items()}
    told |= {"CI_PROJECT_DIR": str(folder), "GITHUB_REPOSITORY": "", **host.environ, **changes}
    told["READINESS_HISTORY"] = told["READINESS_HISTORY"].replace("$CI_PROJECT_DIR", str(folder))
    environ = {**environment(told), "PATH": f"{folder}/bin:{os.environ['PATH']}"}
    environ.pop("READINESS_STATE", None)
    done = [_shell(JOB[part], folder, environ) for part in ("script", "after_script")]
    said = done[0].stdout + done[1].stdout
    assert TOKEN not in said
    return subprocess.CompletedProcess([], done[0].returncode, said)


def _shell(
    lines: list[str], folder: Path, environ: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-c", "set -eo pipefail\n" + "\n".join(lines)],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_is_a_pipeline_by_gitlabs_schema() -> None:
    jsonschema.validate(yaml.safe_load(SNIPPET.read_text("utf-8")), builtin("gitlab-ci"))
    example = "\n".join(
        line.removeprefix("#")[1:] for line in SNIPPET.read_text("utf-8").splitlines()[2:7]
    )
    written = yaml.safe_load(example)
    jsonschema.validate(written, builtin("gitlab-ci"))
    assert set(written["readiness"]["variables"]) <= set(JOB["variables"])


def test_what_it_collects_is_what_it_writes(folder: Path, host: CodeHost) -> None:
    done = run(folder, host)
    assert done.returncode == 1, done.stdout
    out = JOB["variables"]["READINESS_OUT"]
    for kept in (*JOB["artifacts"]["paths"], *JOB["artifacts"]["reports"].values()):
        assert (folder / kept.replace("$READINESS_OUT", out)).exists()
    issues = json.loads((folder / out / "gl-code-quality.json").read_text("utf-8"))
    assert {(i["location"]["path"], i["location"]["lines"]["begin"]) for i in issues} == {
        ("services.yaml", 4)
    }
    (note,) = host.bodies
    assert note == (folder / out / "summary.md").read_text("utf-8")
    assert (folder / JOB["cache"]["paths"][0] / "history.db").exists()
    shutil.rmtree(folder / out)
    again = run(folder, host, READINESS_ARGS="--no-gate")
    assert again.returncode == 0
    assert ", +0 since the run before" in again.stdout
    assert "GATE DISABLED" in host.bodies[0]
    assert len(host.bodies) == 1


def test_the_merge_request_of_a_fork_fails_or_passes_by_its_verdict_alone(
    folder: Path, host: CodeHost
) -> None:
    """Its pipeline has no variable of the project's, so no token."""
    done = run(folder, host, GITLAB_TOKEN="", READINESS_ARGS="--no-gate")
    assert done.returncode == 0
    assert "No comment: GITLAB_TOKEN is not set, and a job token may not write" in done.stdout
    assert host.asked == []


def test_a_mistake_leaves_no_report_of_an_earlier_run(folder: Path, host: CodeHost) -> None:
    old = folder / "readiness-report" / "summary.md"
    old.parent.mkdir()
    old.touch()
    done = run(folder, host, READINESS_INVENTORY="none.yaml; touch pwned $(touch pwned)")
    assert done.returncode == 2
    assert not old.exists()
    assert host.asked == []
    assert not list(folder.rglob("pwned"))
