"""The environment -> the class of the machine, and commit and branch, from a CI or from git."""

import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from readiness.cli import surroundings
from readiness.evidence import Revision

SHA = "0123456789abcdef0123456789abcdef01234567"
ACTIONS = {"GITHUB_ACTIONS": "true", "GITHUB_SHA": SHA}
BITBUCKET = {"BITBUCKET_BUILD_NUMBER": "3", "BITBUCKET_COMMIT": SHA, "BITBUCKET_BRANCH": "main"}
BUILDKITE = {"BUILDKITE": "true", "BUILDKITE_COMMIT": SHA, "BUILDKITE_BRANCH": "main"}
GITLAB = {"GITLAB_CI": "true", "CI_COMMIT_SHA": SHA}


@pytest.mark.parametrize(
    ("environ", "provider"),
    [
        ({}, ""),
        ({"CI": "true"}, "ci"),
        ({"CI": "true", "GITHUB_ACTIONS": "true"}, "github"),
        ({"CI": "true", "GITLAB_CI": "true"}, "gitlab"),
        ({"JENKINS_URL": "http://j"}, "jenkins"),
    ],
)
def test_the_runner_is_the_machine_and_whose_ci_it_is(
    environ: Mapping[str, str], provider: str
) -> None:
    found = surroundings.runner(environ)
    assert (found.system, found.machine) == (platform.system().lower(), platform.machine().lower())
    assert found.provider == provider
    assert 1 <= found.cpus <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinities here")
def test_processors_are_those_this_process_may_use() -> None:
    usual = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(usual)})
        assert surroundings.runner({}).cpus == 1
    finally:
        os.sched_setaffinity(0, usual)


@pytest.mark.parametrize(
    ("environ", "branch"),
    [
        (ACTIONS | {"GITHUB_REF_NAME": "main", "GITHUB_REF_TYPE": "branch"}, "main"),
        (ACTIONS | {"GITHUB_REF_NAME": "12/merge", "GITHUB_HEAD_REF": "fix/x"}, "fix/x"),
        (ACTIONS | {"GITHUB_REF_NAME": "12/merge", "GITHUB_HEAD_REF": "main"}, None),
        (ACTIONS | {"GITHUB_REF_NAME": "v1.2", "GITHUB_REF_TYPE": "tag"}, None),
        (ACTIONS, None),
        (GITLAB | {"CI_COMMIT_BRANCH": "main"}, "main"),
        (GITLAB | {"CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "fix"}, "fix"),
        (GITLAB | {"CI_COMMIT_TAG": "v1"}, None),
        (
            {"TF_BUILD": "1", "BUILD_SOURCEVERSION": SHA, "BUILD_SOURCEBRANCH": "refs/heads/a/b"},
            "a/b",
        ),
        (
            {"TF_BUILD": "1", "BUILD_SOURCEVERSION": SHA, "BUILD_SOURCEBRANCH": "refs/tags/v1"},
            None,
        ),
        ({"JENKINS_URL": "h", "GIT_COMMIT": SHA, "GIT_BRANCH": "origin/main"}, "main"),
        (BITBUCKET, "main"),
        (BITBUCKET | {"BITBUCKET_PR_ID": "7"}, None),
        (BITBUCKET | {"BITBUCKET_PR_ID": "7", "BITBUCKET_BRANCH": "fix"}, "fix"),
        (BUILDKITE | {"BUILDKITE_PULL_REQUEST": "false"}, "main"),
        (BUILDKITE | {"BUILDKITE_PULL_REQUEST": "7"}, None),
        ({"CIRCLECI": "1", "CIRCLE_SHA1": SHA, "CIRCLE_BRANCH": "x\x1b[31m\u202ey"}, "xy"),
    ],
)
def test_a_ci_tells_commit_and_branch_and_a_fork_is_not_main(
    environ: Mapping[str, str], branch: str | None, tmp_path: Path
) -> None:
    assert surroundings.revision(environ, tmp_path) == Revision(commit=SHA, branch=branch)


@pytest.mark.parametrize("commit", ["", "HEAD", "xyz", SHA + "\n::error::", "a" * 100])
def test_what_is_no_commit_is_none(commit: str, tmp_path: Path) -> None:
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_SHA": commit, "GITHUB_REF_NAME": "main"}
    assert surroundings.revision(environ, tmp_path) == Revision()


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    done = subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "trunk")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    return tmp_path


def test_git_tells_commit_and_branch_of_the_inventory_s_folder(repository: Path) -> None:
    within = repository / "deploy"
    within.mkdir()
    head = git(repository, "rev-parse", "HEAD")
    assert surroundings.revision({}, within) == Revision(commit=head, branch="trunk")


def test_a_detached_head_has_no_branch(repository: Path) -> None:
    head = git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "-q", head)
    assert surroundings.revision({}, repository) == Revision(commit=head)


def test_a_repository_without_commits_tells_nothing(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    assert surroundings.revision({}, tmp_path) == Revision()


def test_without_git_nothing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert surroundings.revision({}, tmp_path) == Revision()
    assert surroundings.revision({}, tmp_path / "nowhere") == Revision()
    assert capfd.readouterr() == ("", "")


def test_git_that_hangs_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(surroundings, "GIT_SECONDS", 0.2)
    assert surroundings.revision({}, tmp_path) == Revision()
