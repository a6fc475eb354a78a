"""The environment of a CI job -> whose comments to write, or why there is nothing to write to."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from readiness.comment.answer import at
from readiness.document import ConfigurationError
from readiness.document.file import read_text, why


@dataclass(frozen=True)
class Head:
    """The commit that a pull request asks to merge, by which the request is found."""

    branch: str
    """With its owner: `dana:feature`."""
    commit: str


@dataclass(frozen=True)
class Target:
    """One pull or merge request of a project on a code host. GitHub's may be known by its head."""

    host: Literal["github", "gitlab"]
    api: str
    project: str
    token: str = field(repr=False)
    number: int | None
    head: Head | None = None
    page: str = ""
    """Where people read it, which GitLab's API does not tell of a note."""


class Nowhere(Exception):
    """There is nothing to comment on, or nothing to do it with: no mistake, and why."""


def target(environ: Mapping[str, str], number: int | None = None) -> Target:
    """Return what `environ` names; `number` goes before it. Raises Nowhere, ConfigurationError."""
    if environ.get("GITHUB_REPOSITORY"):
        return _github(environ, number)
    if environ.get("CI_API_V4_URL"):
        return _gitlab(environ, number)
    raise ConfigurationError(
        "neither GITHUB_REPOSITORY nor CI_API_V4_URL is set.",
        fix="Run it in a job of GitHub Actions or GitLab CI, or set what docs/ci.md names.",
    )


def _github(environ: Mapping[str, str], number: int | None) -> Target:
    head = None
    if number is None:
        number, head = _of_event(environ)
    if number is None and head is None:
        raise Nowhere("this run belongs to no pull request")
    token = _token(environ, "GITHUB_TOKEN")
    if not token:
        raise Nowhere("GITHUB_TOKEN is not set")
    api = _address(environ, "GITHUB_API_URL", "https://api.github.com")
    repository = environ["GITHUB_REPOSITORY"]
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository, re.ASCII):
        raise ConfigurationError(
            "GITHUB_REPOSITORY names no repository.", fix="Write it as in owner/name."
        )
    return Target("github", api, repository, token, number, head)


def _gitlab(environ: Mapping[str, str], number: int | None) -> Target:
    told = environ.get("CI_MERGE_REQUEST_IID", "")
    if number is None:
        number = int(told) if told.isascii() and told.isdigit() else None
    if number is None:
        raise Nowhere("this pipeline belongs to no merge request")
    token = _token(environ, "GITLAB_TOKEN")
    if not token:
        raise Nowhere("GITLAB_TOKEN is not set, and a job token may not write notes")
    # A merge request is the target's, though a fork's pipeline may run it.
    project = environ.get("CI_MERGE_REQUEST_PROJECT_ID") or environ.get("CI_PROJECT_ID")
    if not project:
        raise ConfigurationError("CI_PROJECT_ID is not set.", fix="Set it to the project's id.")
    site = environ.get("CI_MERGE_REQUEST_PROJECT_URL") or environ.get("CI_PROJECT_URL", "")
    page = f"{site}/-/merge_requests/{number}" if site else ""
    return Target("gitlab", _address(environ, "CI_API_V4_URL"), project, token, number, page=page)


def _token(environ: Mapping[str, str], name: str) -> str:
    """Return the token, without the line end that comes along when it is pasted."""
    token = environ.get(name, "").strip()
    if not (token.isascii() and token.isprintable()):
        raise ConfigurationError(f"{name} is no token.", fix="Paste it anew.")
    return token


def _address(environ: Mapping[str, str], name: str, usual: str = "") -> str:
    address = environ.get(name) or usual
    if not re.fullmatch(r"https?://[\w.:\[\]-]+(/[\w./~-]*)?", address):
        raise ConfigurationError(
            f"{name} is no address of an API.", fix="Write it as in https://api.github.com."
        )
    return address


def _of_event(environ: Mapping[str, str]) -> tuple[int | None, Head | None]:
    """Return the number of the pull request that started this run, or its head."""
    path = environ.get("GITHUB_EVENT_PATH")
    if not path:
        return None, None
    try:
        event = json.loads(read_text(Path(path)))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"this event cannot be read ({why(error)}).",
            file=path,
            fix="Name the pull request with --pr.",
        ) from None
    number = at(event, "pull_request", "number")
    if number is None and at(event, "issue", "pull_request") is not None:
        number = at(event, "issue", "number")
    return (number if type(number) is int else None), _head(event)


def _head(event: Any) -> Head | None:
    """Return the head of the pull request whose run this one follows (`workflow_run`).

    The payload lists no number where the request is from a fork, and what a fork's run has
    uploaded may claim any.
    """
    owner = at(event, "workflow_run", "head_repository", "owner", "login")
    branch = at(event, "workflow_run", "head_branch")
    commit = at(event, "workflow_run", "head_sha")
    if isinstance(owner, str) and isinstance(branch, str) and isinstance(commit, str):
        return Head(f"{owner}:{branch}", commit)
    return None
