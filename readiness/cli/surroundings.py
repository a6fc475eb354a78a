"""The process's environment -> which machine measures, and which revision is assessed."""

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from readiness import escape
from readiness.evidence import MAIN_BRANCHES, Revision, Runner

GIT_SECONDS = 5
_LONGEST = 200
_QUIET = ("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")
"""No program that the repository names is started."""


class _Provider(NamedTuple):
    """A CI: the variable it is known by, and those that hold commit and branch."""

    name: str
    known_by: str
    commit: str
    branches: Sequence[str]
    request: str = ""
    """Names the branch that a pull or merge request comes from."""
    number: str = ""
    """Tells, where `branches` name that branch, that it is a request's; "false" says it is not."""


_PROVIDERS = (
    _Provider("github", "GITHUB_ACTIONS", "GITHUB_SHA", ["GITHUB_REF_NAME"], "GITHUB_HEAD_REF"),
    _Provider(
        "gitlab",
        "GITLAB_CI",
        "CI_COMMIT_SHA",
        ["CI_COMMIT_BRANCH"],
        "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
    ),
    _Provider(
        "azure",
        "TF_BUILD",
        "BUILD_SOURCEVERSION",
        ["BUILD_SOURCEBRANCH"],
        "SYSTEM_PULLREQUEST_SOURCEBRANCH",
    ),
    _Provider(
        "bitbucket",
        "BITBUCKET_BUILD_NUMBER",
        "BITBUCKET_COMMIT",
        ["BITBUCKET_BRANCH"],
        number="BITBUCKET_PR_ID",
    ),
    _Provider(
        "buildkite",
        "BUILDKITE",
        "BUILDKITE_COMMIT",
        ["BUILDKITE_BRANCH"],
        number="BUILDKITE_PULL_REQUEST",
    ),
    _Provider(
        "circleci", "CIRCLECI", "CIRCLE_SHA1", ["CIRCLE_BRANCH"], number="CIRCLE_PULL_REQUEST"
    ),
    _Provider("travis", "TRAVIS", "TRAVIS_COMMIT", ["TRAVIS_BRANCH"], "TRAVIS_PULL_REQUEST_BRANCH"),
    _Provider(
        "jenkins", "JENKINS_URL", "GIT_COMMIT", ["BRANCH_NAME", "GIT_BRANCH"], "CHANGE_BRANCH"
    ),
)


def runner(environ: Mapping[str, str]) -> Runner:
    """Return the kind of this machine; what it does not tell stays empty."""
    provider = _provider(environ)
    named = provider.name if provider else "ci" if environ.get("CI") else ""
    return Runner(
        system=_name(platform.system().lower()),
        machine=_name(platform.machine().lower()),
        cpus=_processors(),
        provider=named,
    )


def revision(environ: Mapping[str, str], folder: Path) -> Revision:
    """Return commit and branch: from the CI's variables, else from git in `folder`."""
    provider = _provider(environ)
    if provider and (commit := _commit(environ.get(provider.commit, ""))):
        return Revision(commit=commit, branch=_branch(provider, environ))
    return _of_git(folder)


def _provider(environ: Mapping[str, str]) -> _Provider | None:
    return next((p for p in _PROVIDERS if environ.get(p.known_by)), None)


def _branch(provider: _Provider, environ: Mapping[str, str]) -> str | None:
    """Return the branch; that of a fork is never taken for our own main branch by its name."""
    requested = _short(environ.get(provider.request, "")) if provider.request else ""
    if not requested and environ.get("GITHUB_REF_TYPE") == "tag":
        return None
    named = (environ.get(name, "") for name in provider.branches)
    branch = requested or _short(next(filter(None, named), ""))
    numbered = environ.get(provider.number, "") not in ("", "false") if provider.number else False
    if (requested or numbered) and branch in MAIN_BRANCHES:
        return None
    return _name(branch) or None


def _short(ref: str) -> str:
    return "" if ref.startswith("refs/tags/") else re.sub(r"^(refs/heads|origin)/", "", ref)


def _of_git(folder: Path) -> Revision:
    command = ["git", *_QUIET, "rev-parse", "HEAD", "--abbrev-ref", "HEAD"]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return Revision()
    commit, _, branch = done.stdout.decode("utf-8", "replace").strip().partition("\n")
    return Revision(
        commit=_commit(commit), branch=None if branch in ("", "HEAD") else _name(branch)
    )


def _commit(written: str) -> str | None:
    return written if re.fullmatch(r"[0-9a-f]{7,64}", written) else None


def _name(text: str) -> str:
    return escape.line(text, _LONGEST)


def _processors() -> int:
    """Return how many processors this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 0
