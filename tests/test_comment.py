"""`readiness comment` against servers that behave as GitHub's and GitLab's APIs do."""

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from readiness.assessment import assess
from readiness.criteria import bundled_criteria
from readiness.report import summary as summaries
from tests import samples
from tests.code_hosts import TOKEN, CodeHost, Fault, serving
from tests.program import readiness
from tests.runner_commands import commands

CRITERIA = bundled_criteria()
BROKEN = summaries.render(assess(samples.broken(), CRITERIA))
FIXED = summaries.render(assess(samples.fixed(), CRITERIA))
"""Of the same inventory, a day later."""
NONE: Mapping[str, str] = dict.fromkeys(
    (
        *("GITHUB_REPOSITORY", "GITHUB_TOKEN", "GITHUB_API_URL", "GITHUB_EVENT_PATH"),
        *("GITHUB_STEP_SUMMARY", "CI_API_V4_URL", "CI_MERGE_REQUEST_IID", "GITLAB_TOKEN"),
    ),
    "",
)
"""No job of whatever CI these tests run in."""


def comment(
    folder: Path,
    text: str,
    environ: Mapping[str, str],
    *words: str,
) -> "CompletedProcess[str]":
    """Run `readiness comment` on `text` in a job of `environ`; the token is never shown."""
    (folder / "summary.md").write_text(text, "utf-8")
    done = readiness("comment", "summary.md", *words, cwd=folder, env={**NONE, **environ})
    assert TOKEN not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert commands(done.stdout + done.stderr) == []
    return done


@pytest.fixture(params=["github", "gitlab"])
def host(request: pytest.FixtureRequest) -> Iterator[CodeHost]:
    """A code host with a request that belongs to the job."""
    with serving(request.param) as found:
        yield found


def job(host: CodeHost, folder: Path) -> dict[str, str]:
    """Return the variables of a job for the request, its event on disk."""
    event = folder / "event.json"
    event.write_text(json.dumps({"action": "synchronize", "pull_request": {"number": 7}}))
    return {**host.environ, "GITHUB_EVENT_PATH": str(event)}


def test_one_comment_is_posted_and_then_kept_up_to_date(host: CodeHost, tmp_path: Path) -> None:
    host.add("Looks good to me.")
    first = comment(tmp_path, BROKEN, job(host, tmp_path))
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.startswith("Comment posted: ")
    assert host.bodies == ["Looks good to me.", BROKEN]
    again = comment(tmp_path, FIXED, job(host, tmp_path))
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.startswith("Comment updated: ")
    assert host.bodies == ["Looks good to me.", FIXED]
    assert not [one for one in host.asked if one.startswith("DELETE")]


def test_it_is_found_among_hundreds_and_told_from_all_others(
    host: CodeHost, tmp_path: Path
) -> None:
    """Those of another inventory, of somebody else, and those that quote one."""
    other = BROKEN.replace("readiness:PyAirtable", "readiness:Shop", 1)
    for n in range(199):
        host.add(f"comment {n}")
    host.add(BROKEN, "mallory")
    host.add(other, host.who, bot=True)
    host.add(f"> {BROKEN}", host.who, bot=True)
    mine = host.add(BROKEN, host.who, bot=True)
    before = host.bodies
    done = comment(tmp_path, FIXED, job(host, tmp_path))
    assert done.returncode == 0, done.stderr
    assert mine["body"] == FIXED
    assert host.bodies[:-1] == before[:-1]


def test_a_person_updates_their_own_only(tmp_path: Path) -> None:
    with serving("github", who="dana", app=False) as host:
        host.add(BROKEN, "github-actions[bot]", bot=True)
        comment(tmp_path, FIXED, job(host, tmp_path))
        comment(tmp_path, FIXED, job(host, tmp_path))
        assert host.bodies == [BROKEN, FIXED]
        assert host.comments[1]["user"]["login"] == "dana"


@pytest.mark.parametrize("login", [None, ""])
def test_the_comment_of_another_bot_is_not_touched(login: str | None, tmp_path: Path) -> None:
    """Where the host does not tell whom the token is of."""
    with serving("github", who="other-app[bot]") as host:
        if login is not None:
            host.user = (200, {"login": login})
        host.add(BROKEN, "renovate[bot]", bot=True)
        host.add(BROKEN, "dana")
        done = comment(tmp_path, FIXED, job(host, tmp_path))
        assert done.stdout.startswith("Comment posted: "), done.stderr
        assert host.bodies == [BROKEN, BROKEN, FIXED]
    with serving("gitlab", who="project_1_bot") as host:
        host.user = (403, {"message": "insufficient_scope"})
        if login is not None:
            host.user = (200, {"id": 0})
        host.add(BROKEN, "project_1_bot_2", bot=True)
        done = comment(tmp_path, FIXED, job(host, tmp_path))
        assert done.stdout.startswith("Comment posted: "), done.stderr
        assert host.bodies == [BROKEN, FIXED]


def test_an_older_run_does_not_overwrite_a_later_one(host: CodeHost, tmp_path: Path) -> None:
    comment(tmp_path, FIXED, job(host, tmp_path))
    done = comment(tmp_path, BROKEN, job(host, tmp_path))
    assert done.returncode == 0
    assert "since a later run has written it" in done.stdout
    assert host.bodies == [FIXED]


def test_two_runs_at_once_agree_on_one_comment(host: CodeHost, tmp_path: Path) -> None:
    """Both find none and both post: what is told in the end is the later run, in the older one."""
    both = threading.Barrier(2)
    lists = [0]

    def meet(method: str, path: str) -> None:
        with host.lock:
            lists[0] += method == "GET" and path.endswith(("comments", "notes"))
            first = method == "GET" and lists[0] <= 2
        if first or method == "POST":
            both.wait(20)

    host.before = meet
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor(2) as pool:
        runs = list(
            pool.map(
                lambda folder, text: comment(folder, text, job(host, folder)),
                folders,
                (BROKEN, FIXED),
            )
        )
    assert [run.returncode for run in runs] == [0, 0], [run.stderr for run in runs]
    oldest, other = host.bodies
    assert other.startswith("Posted twice, by runs at the same time.")
    assert other.endswith(("pull/7#issuecomment-1000\n", "merge_requests/7#note_1000\n"))
    done = comment(tmp_path, FIXED, job(host, tmp_path))
    assert done.returncode == 0
    assert host.bodies == [FIXED, other]
    assert oldest in (BROKEN, FIXED)


def test_a_token_that_may_only_read_is_no_failure(host: CodeHost, tmp_path: Path) -> None:
    """As in a pull request from a fork: the summary goes where everybody may write."""
    host.writable = False
    step = tmp_path / "step.md"
    step.write_text("# Tests\n")
    environ = {**job(host, tmp_path), "GITHUB_STEP_SUMMARY": str(step)}
    done = comment(tmp_path, BROKEN, environ)
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert line.startswith("No comment: this token may only read (HTTP 403: Resource not")
    assert line.endswith("The summary is in the step summary.")
    assert step.read_text("utf-8") == f"# Tests\n{BROKEN}"
    assert host.bodies == []


@pytest.mark.parametrize("missing", ["token", "request"])
def test_without_a_token_or_a_request_nothing_is_asked(
    host: CodeHost, missing: str, tmp_path: Path
) -> None:
    names = {
        "token": ("GITHUB_TOKEN", "GITLAB_TOKEN"),
        "request": ("GITHUB_EVENT_PATH", "CI_MERGE_REQUEST_IID"),
    }[missing]
    done = comment(tmp_path, BROKEN, job(host, tmp_path) | dict.fromkeys(names, ""))
    assert (done.returncode, done.stderr, host.asked) == (0, "", [])
    assert done.stdout.startswith("No comment: ")
    assert done.stdout.endswith("The summary is in summary.md.\n")


def test_the_number_can_be_given(host: CodeHost, tmp_path: Path) -> None:
    environ = {**host.environ, "CI_MERGE_REQUEST_IID": ""}
    assert comment(tmp_path, BROKEN, environ, "--pr", "7").returncode == 0
    assert host.bodies == [BROKEN]
    wrong = comment(tmp_path, BROKEN, environ, "--pr", "8", "--deadline", "5s")
    assert wrong.returncode == 6
    assert "no comment: HTTP 404" in wrong.stderr


def test_what_the_host_refuses_is_said_in_one_line_without_the_token(
    host: CodeHost, tmp_path: Path
) -> None:
    """Neither what it says nor how it says it does harm."""
    said = f"bad\n::error::{TOKEN}\n##[add-mask]x \x1b[31m"
    host.faults.append(Fault("POST", "", 422, said=said))
    done = comment(tmp_path, BROKEN, job(host, tmp_path))
    assert (done.returncode, done.stdout) == (6, "")
    assert done.stderr == "readiness: no comment: HTTP 422: bad ::error::*** # #[add-mask]x.\n"


@pytest.mark.parametrize("status", [401, 404, 301])
def test_other_refusals_are_failures_of_the_comment(
    host: CodeHost, status: int, tmp_path: Path
) -> None:
    """A redirection too, along which the token would go."""
    with serving(host.kind) as elsewhere:
        told = {"Location": f"{elsewhere.url}/repos/o/r/issues/7/comments"}
        host.faults.append(Fault("GET", "", status, told))
        done = comment(tmp_path, BROKEN, job(host, tmp_path))
        assert done.returncode == 6
        assert f"HTTP {status}" in done.stderr
        assert elsewhere.asked == host.bodies == []


def test_a_host_that_is_busy_is_asked_again(host: CodeHost, tmp_path: Path) -> None:
    soon = {"Retry-After": "0"}
    host.faults += [
        Fault("GET", "comments|notes", 502, soon),
        Fault("GET", "comments|notes", 429, soon),
        Fault("GET", "comments|notes", 403, soon, "You have exceeded a secondary rate limit"),
    ]
    began = time.monotonic()
    done = comment(tmp_path, BROKEN, job(host, tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert host.bodies == [BROKEN]
    assert time.monotonic() - began >= 3, "a second each time, though the host asks for none"


def test_a_comment_whose_answer_was_lost_is_not_posted_twice(
    host: CodeHost, tmp_path: Path
) -> None:
    host.faults.append(Fault("POST", "", 502, {"Retry-After": "0"}, done=True))
    done = comment(tmp_path, BROKEN, job(host, tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert host.bodies == [BROKEN]


def test_a_host_that_asks_for_too_long_a_wait_is_left_in_peace(
    host: CodeHost, tmp_path: Path
) -> None:
    host.faults.append(Fault("GET", "", 503, {"Retry-After": "3600"}))
    began = time.monotonic()
    done = comment(tmp_path, BROKEN, job(host, tmp_path), "--deadline", "20s")
    assert done.returncode == 6
    assert done.stderr == "readiness: no comment: HTTP 503: out of order.\n"
    assert time.monotonic() - began < 15
    assert len(host.asked) == 1


def test_a_host_that_never_answers_is_left_in_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        environ = {"GITHUB_API_URL": url, "GITHUB_REPOSITORY": "o/r", "GITHUB_TOKEN": TOKEN}
        done = comment(tmp_path, BROKEN, environ, "--pr", "7", "--deadline", "500ms")
    assert done.returncode == 6
    assert done.stderr.startswith("readiness: no comment: no ")


@pytest.mark.parametrize("said", ["", "[", '{"a": 1}', "[1]", "null"])
def test_answers_that_are_no_comments_do_no_harm(said: str, tmp_path: Path) -> None:
    """A proxy's page, or a server that is none of the kind."""

    def serve(listener: socket.socket) -> None:
        raw = f"HTTP/1.1 200 OK\r\nContent-Length: {len(said)}\r\nConnection: close\r\n\r\n{said}"
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(raw.encode())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        environ = {"GITHUB_API_URL": url, "GITHUB_REPOSITORY": "o/r", "GITHUB_TOKEN": TOKEN}
        done = comment(tmp_path, BROKEN, environ, "--pr", "7", "--deadline", "300ms")
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()
    assert done.returncode == 6
    assert done.stderr.startswith("readiness: no comment: ")


# The pull request whose run another run follows


def followed(folder: Path, commit: str, listed: list[int]) -> str:
    """Write the event of a run that follows the one of dana's fork; return its path."""
    run = {
        "event": "pull_request",
        "head_branch": "feature",
        "head_sha": commit,
        "head_repository": {"owner": {"login": "dana"}},
        "pull_requests": [{"number": n} for n in listed],
    }
    event = folder / "event.json"
    event.write_text(json.dumps({"action": "completed", "workflow_run": run}))
    return str(event)


def test_the_request_of_a_fork_is_found_by_the_commit_of_its_run(tmp_path: Path) -> None:
    with serving("github") as host:
        host.pulls += [
            {"number": 9, "head": {"label": "dana:feature", "sha": "b" * 40}},
            {"number": 7, "head": {"label": "dana:feature", "sha": "a" * 40}},
        ]
        event = followed(tmp_path, "a" * 40, [9])
        done = comment(tmp_path, BROKEN, {**host.environ, "GITHUB_EVENT_PATH": event})
        assert (done.returncode, done.stderr) == (0, "")
        assert host.bodies == [BROKEN]
        event = followed(tmp_path, "c" * 40, [7])
        done = comment(tmp_path, FIXED, {**host.environ, "GITHUB_EVENT_PATH": event})
        assert done.returncode == 0
        assert "no open pull request asks to merge the commit of that run" in done.stdout
        assert host.bodies == [BROKEN]


# What its user gets wrong


def test_a_comment_on_an_issue_starts_a_run_for_the_request_it_stands_at(tmp_path: Path) -> None:
    with serving("github") as host:
        event = tmp_path / "event.json"
        environ = {**host.environ, "GITHUB_EVENT_PATH": str(event)}
        event.write_text(json.dumps({"issue": {"number": 7}}))
        assert "belongs to no pull request" in comment(tmp_path, BROKEN, environ).stdout
        event.write_text(json.dumps({"issue": {"number": 7, "pull_request": {"url": "x"}}}))
        assert comment(tmp_path, BROKEN, environ).stdout.startswith("Comment posted: ")


JOB = {"GITHUB_REPOSITORY": "o/r", "GITHUB_TOKEN": TOKEN}
MISTAKES: Mapping[str, tuple[Mapping[str, str], tuple[str, ...], str]] = {
    "no job": ({}, (), "neither GITHUB_REPOSITORY nor CI_API_V4_URL is set. Run it in a job"),
    "number": (JOB, ("--pr", "0"), "--pr must be the number of a pull request. Write --pr 12."),
    "time": (JOB, ("--deadline", "soon"), "--deadline must be a time above 0. Write 90s or 5m."),
    "token": (
        {**JOB, "GITHUB_TOKEN": "a\nb"},
        ("--pr", "7"),
        "GITHUB_TOKEN is no token. Paste it anew.",
    ),
    "address": (
        {**JOB, "GITHUB_API_URL": "api.github.com"},
        ("--pr", "7"),
        "GITHUB_API_URL is no address of an API.",
    ),
    "repository": (
        {**JOB, "GITHUB_REPOSITORY": "o"},
        ("--pr", "7"),
        "GITHUB_REPOSITORY names no repository. Write it as in owner/name.",
    ),
    "event": ({**JOB, "GITHUB_EVENT_PATH": "none.json"}, (), "none.json: this event cannot be"),
    "project": (
        {"CI_API_V4_URL": "http://127.0.0.1:9", "GITLAB_TOKEN": TOKEN, "CI_PROJECT_ID": ""},
        ("--pr", "7"),
        "CI_PROJECT_ID is not set.",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named_before_anything_is_asked(name: str, tmp_path: Path) -> None:
    environ, words, said = MISTAKES[name]
    done = comment(tmp_path, BROKEN, environ, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"readiness: {said}" in done.stderr


@pytest.mark.parametrize(
    "text", ["", "# Shop", "<!-- x -->\n", BROKEN + "x" * 60_000, "<!-- readiness: a b -->"]
)
def test_only_a_summary_is_posted(text: str, tmp_path: Path) -> None:
    done = comment(tmp_path, text, JOB, "--pr", "7")
    assert done.returncode == 2
    assert "summary.md: this file is no summary that `readiness` has written." in done.stderr


def test_a_summary_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = readiness("comment", "none.md", cwd=tmp_path, env={**NONE, **JOB})
    assert done.returncode == 2
    assert "none.md: this file cannot be read" in done.stderr
