"""The work users do in the sample system: files, records, workflows, sagas, and the page."""

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from readiness.demo import frontend, saga, workflow
from readiness.demo.config import Config
from readiness.demo.process import Process, stop
from readiness.demo.system import closed_port
from readiness.demo.upload import FILE_BYTES
from tests.background import background
from tests.sample_system import System
from tests.servers import Web, response

FILES = "/api/v1/files"
RECORDS = "/api/v1/bases/appSales/records"
JOBS = [("workflow-service", "/api/v1/workflows"), ("saga-service", "/api/v1/sagas")]
CONTENT = b"\r\n--\x00\xff\r\n\r\n" * 100
NOBODYS = "00000000-0000-4000-8000-000000000000"


pytestmark = pytest.mark.xdist_group("sample system")  # one at a time


# Files


def send(system: System, headers: dict[str, str], content: bytes = CONTENT) -> httpx2.Response:
    form = {"file": ("report é.pdf", content, "text/html")}
    return system.ask("POST", "file-service", FILES, headers=headers, files=form)


def names(system: System, headers: dict[str, str]) -> list[str]:
    return [file["name"] for file in system.get("file-service", FILES, headers).json()["files"]]


def test_a_file_from_upload_to_gone(either: System) -> None:
    sent = send(either, either.key)
    assert sent.status_code == 201
    digest = hashlib.sha256(CONTENT).hexdigest()
    shown = {"name": "report é.pdf", "bytes": len(CONTENT), "sha256": digest}
    path = f"{FILES}/{sent.json()['id']}"
    assert sent.json() == {"id": sent.json()["id"], **shown}
    assert sent.headers["location"] == path

    assert either.get("file-service", path, either.key).json() == sent.json()
    content = either.get("file-service", f"{path}/content", either.key)
    assert content.content == CONTENT
    assert content.headers["content-type"] == "application/octet-stream"
    assert names(either, either.key) == ["report é.pdf", "forecast.csv", "logo.png"]

    removed = [either.ask("DELETE", "file-service", path, headers=either.key) for _ in range(2)]
    assert [answer.status_code for answer in removed] == [204, 404]
    for gone in (path, f"{path}/content"):
        assert either.get("file-service", gone, either.key).status_code == 404
    assert names(either, either.key) == ["forecast.csv", "logo.png"]


def test_a_file_is_its_owners_alone(fixed: System) -> None:
    owner = fixed.token("USER")
    path = f"{FILES}/{send(fixed, owner).json()['id']}"
    for stranger in (fixed.token("OTHER"), fixed.token("ADMIN"), fixed.key):
        for method, where in (("GET", path), ("GET", f"{path}/content"), ("DELETE", path)):
            assert fixed.ask(method, "file-service", where, headers=stranger).status_code == 404
        assert "report é.pdf" not in names(fixed, stranger)
    assert fixed.ask("DELETE", "file-service", path).status_code == 401
    assert fixed.ask("DELETE", "file-service", path, headers=owner).status_code == 204


def test_a_file_has_a_largest_size(fixed: System) -> None:
    largest = send(fixed, fixed.key, bytes(FILE_BYTES))
    assert largest.status_code == 201
    path = f"{FILES}/{largest.json()['id']}"
    fixed.ask("DELETE", "file-service", path, headers=fixed.key)
    assert send(fixed, fixed.key, bytes(FILE_BYTES + 1)).status_code == 413
    assert send(fixed, fixed.key, bytes(FILE_BYTES * 2)).status_code == 413


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"json": {"file": "x"}}, 415),
        ({"content": b"--b\r\n", "headers": {"Content-Type": "multipart/form-data"}}, 415),
        ({"files": {"other": b"x"}}, 422),
        ({"content": b"", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 422),
    ],
    ids=["JSON", "no boundary", "other field", "empty"],
)
def test_what_is_no_upload_is_refused(fixed: System, options: dict[str, Any], status: int) -> None:
    headers = {**fixed.key, **options.get("headers", {})}
    answer = fixed.ask("POST", "file-service", FILES, **{**options, "headers": headers})
    assert answer.status_code == status


@pytest.mark.parametrize("name", ["1", "..", NOBODYS, "%00", "' OR 1=1"])
def test_no_file_is_found_by_what_is_no_id(fixed: System, name: str) -> None:
    answer = fixed.get("file-service", f"{FILES}/{name}/content", fixed.key)
    assert answer.status_code == 404


# Records


def test_a_record_from_creation_to_gone(fixed: System) -> None:
    key = fixed.airtable_key
    fields = {"customer": "Acme \0 \ud83d\ude00", "euros": 12000.5, "tags": ["a", None]}
    body = json.dumps({"fields": fields})
    made = fixed.ask("POST", "airtable-gateway", RECORDS, headers=key, content=body)
    assert made.status_code == 201
    path = f"{RECORDS}/{made.json()['id']}"
    shown = fixed.get("airtable-gateway", path, key)
    assert (
        shown.json()
        == made.json()
        == {"id": made.json()["id"], "fields": json.loads(body)["fields"]}
    )
    elsewhere = path.replace("appSales", "appSupport")
    assert fixed.get("airtable-gateway", elsewhere, key).status_code == 404
    removed = [fixed.ask("DELETE", "airtable-gateway", path, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in removed] == [204, 404]
    assert fixed.get("airtable-gateway", path, key).status_code == 404


def test_records_are_for_the_key_alone_and_the_broken_gateway_holds_an_old_one(
    broken: System, fixed: System
) -> None:
    for method, path in (("POST", RECORDS), ("GET", f"{RECORDS}/rec1"), ("DELETE", f"{RECORDS}/x")):
        assert fixed.ask(method, "airtable-gateway", path).status_code == 401
        wrong = {"Authorization": "Bearer guessed"}
        assert fixed.ask(method, "airtable-gateway", path, headers=wrong).status_code == 403
        refused = broken.ask(method, "airtable-gateway", path, headers=broken.airtable_key)
        assert refused.status_code == 403
        assert refused.json()["error"]["type"] == "INVALID_API_KEY"


@pytest.mark.parametrize("body", [b"", b"[]", b'{"fields": 1}', b'{"fields": {"a": NaN}}'])
def test_what_is_no_record_is_refused(fixed: System, body: bytes) -> None:
    sent = {"headers": fixed.airtable_key, "content": body}
    assert fixed.ask("POST", "airtable-gateway", RECORDS, **sent).status_code == 422
    unknown = RECORDS.replace("appSales", "appNone")
    assert fixed.ask("POST", "airtable-gateway", unknown, **sent).status_code == 404


# Workflows and sagas


def start(system: System, job: tuple[str, str], **body: Any) -> tuple[dict[str, Any], str]:
    """Start a job; return what it was at first, and where it is."""
    name, path = job
    started = system.post(name, path, body, system.key)
    assert started.status_code == 202
    return started.json(), f"{path}/{started.json()['id']}"


def until(system: System, name: str, path: str, *ends: str) -> tuple[dict[str, Any], list[str]]:
    """Poll until the status is one of `ends`; return the job then, and all statuses seen."""
    seen: list[str] = []
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        job = system.get(name, path, system.key).json()
        seen.append(job["status"])
        if job["status"] in ends:
            return job, seen
    raise AssertionError(f"still {seen[-1]}")


def test_a_workflow_runs_on_its_own_to_its_end(either: System) -> None:
    first, path = start(either, JOBS[0], name="nightly")
    assert first == {"id": first["id"], "name": "nightly", "status": "running", "steps": []}
    last, seen = until(either, "workflow-service", path, "completed")
    assert last == {**first, "status": "completed", "steps": list(workflow.STEPS)}
    assert set(seen) <= {"running", "completed"}  # which of them depends on how busy we are


def test_a_saga_completes(either: System) -> None:
    first, path = start(either, JOBS[1], name="order 7")
    assert (first["status"], first["steps"], first["compensations"]) == ("running", [], [])
    last, _ = until(either, "saga-service", path, "completed", "compensated")
    assert last == {**first, "status": "completed", "steps": list(saga.STEPS)}


@pytest.mark.parametrize(
    ("step", "done"), [("reserve", []), ("charge", ["reserve"]), ("ship", ["reserve", "charge"])]
)
def test_a_saga_that_fails_undoes_in_reverse_what_was_done(
    either: System, step: str, done: list[str]
) -> None:
    _, path = start(either, JOBS[1], name="order 8", fail_at=step)
    last, _ = until(either, "saga-service", path, "completed", "compensated")
    assert (last["status"], last["fail_at"]) == ("compensated", step)
    assert (last["steps"], last["compensations"]) == (done, done[::-1])


@pytest.mark.parametrize("job", JOBS)
def test_a_job_deleted_while_it_runs_stays_deleted(fixed: System, job: tuple[str, str]) -> None:
    _, path = start(fixed, job, name="short")
    assert fixed.ask("DELETE", job[0], path, headers=fixed.key).status_code == 204
    _, later = start(fixed, job, name="later")
    until(fixed, job[0], later, "completed")
    assert fixed.get(job[0], path, fixed.key).status_code == 404
    assert fixed.ask("DELETE", job[0], path, headers=fixed.key).status_code == 404


@pytest.mark.parametrize("job", JOBS)
def test_a_job_is_for_who_started_it(fixed: System, job: tuple[str, str]) -> None:
    _, path = start(fixed, job, name="mine")
    stranger = fixed.token("OTHER")
    assert fixed.get(job[0], path, stranger).status_code == 404
    assert fixed.ask("DELETE", job[0], path, headers=stranger).status_code == 404
    assert fixed.post(*job, {"name": "anonymous"}).status_code == 401
    assert fixed.post(*job, {"name": "their own"}, stranger).status_code == 202


@pytest.mark.parametrize(
    ("job", "body"),
    [
        *((job, body) for job in JOBS for body in ({}, {"name": 7}, {"name": "a\0"})),
        *((JOBS[1], {"name": "a", "fail_at": wrong}) for wrong in ("pay", 1, ["ship"])),
    ],
)
def test_what_is_no_job_is_refused(
    fixed: System, job: tuple[str, str], body: dict[str, Any]
) -> None:
    assert fixed.post(*job, body, fixed.key).status_code == 422


# The page that shows data


def test_the_page_shows_what_the_gateway_knows(either: System) -> None:
    page = either.get("frontend", "/workspaces")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "<li>Sales</li>\n<li>Support</li>" in page.text
    assert either.environ["PYAIRTABLE_API_KEY"] not in page.text


def test_names_are_text_and_never_markup() -> None:
    page = frontend.listed(["<script>alert(1)</script>", "{title}", 'a"b'])
    assert "<script>" not in page
    assert "<li>&lt;script&gt;alert(1)&lt;/script&gt;</li>\n<li>{title}</li>" in page


CONFIG = Config("", True, "", "", "s", "the key", "a", "e", "p", "e", "p", "e", "p")


@contextlib.contextmanager
def page(gateway: int) -> Iterator[str]:
    """Run a frontend of its own, its gateway at a port; yield the URL of its page."""
    process = Process("frontend")
    try:
        process.configure(replace(CONFIG, gateway_url=f"http://127.0.0.1:{gateway}"))
        yield f"http://127.0.0.1:{process.port(time.monotonic() + 20)}/workspaces"
    finally:
        stop([process])


def test_the_page_says_so_when_the_gateway_is_down() -> None:
    with closed_port() as port, page(port) as url:
        shown = httpx2.get(url, timeout=10)
    assert shown.status_code == 502
    assert "cannot be shown" in shown.text


def test_the_page_says_so_when_the_gateway_answers_something_else() -> None:
    wrong = [
        response(503),
        response(302),
        response(200, "<html>"),
        response(200, "{}x"),
        response(200, "7"),
        response(200, '[{"id": 1}]'),
        response(200, '["Sales"]'),
        response(200, b"\xff\xfe"),
    ]
    answers = iter(wrong)
    with background(Web(lambda _: next(answers))) as [port], page(port) as url:
        shown = [httpx2.get(url, timeout=10) for _ in wrong]
    assert next(answers, None) is None, "each was shown once"
    assert {(each.status_code, "cannot be shown" in each.text) for each in shown} == {(502, True)}
