"""Nothing is left behind: real runs, interrupted and killed, on a server that keeps things."""

import asyncio
import contextlib
import json
import os
import signal
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from readiness.ledger import Entry, Ledger
from tests import journeys, servers
from tests.background import background
from tests.program import readiness, started

PASSWORD = "corr3ct-horse"
LOGIN = {
    "name": "login",
    "request": "POST /login",
    "json": {"user": "ann", "password": PASSWORD},
    "capture": {"token": "$.token"},
}
TOKEN = "t0ken-of-ann-5c1f9a7e"
AS_ANN = {"Authorization": "Bearer {{token}}"}
HOLD = {"name": "hold", "request": "/hold"}


class System:
    """A server of things for those who have logged in; `/hold` is answered when `go` is set."""

    def __init__(self, **instead: bytes) -> None:
        self.things = journeys.Things()
        self.instead = instead
        self.hang = self.slow = ""
        self.reached, self.go = threading.Event(), threading.Event()
        self.methods: list[str] = []
        self.ledgers: list[str] = []
        self.state = Path()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        request = await servers.read_request(reader)
        if request is None:
            return
        self.methods.append(request.method)
        if request.method == self.hang:
            await reader.read()  # until the client leaves
        if request.method == self.slow:
            self.reached.set()
            await asyncio.to_thread(self.go.wait, 20)
        if request.target == "/hold":
            self.reached.set()
            if not self.go.is_set():
                await reader.read()  # until the client leaves
        writer.write(self._answer(request))
        await writer.drain()

    def _answer(self, request: servers.Request) -> bytes:
        if request.method in self.instead:
            return self.instead[request.method]
        if request.target in ("/hold", "/health"):
            return servers.response(200, '{"status": "ok"}')
        if request.target == "/login":
            return servers.response(200, json.dumps({"token": TOKEN}))
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return servers.response(401)
        if request.method == "POST":
            self.ledgers += [path.read_text() for path in self.state.glob("*.ledger")]
        return self.things(request)


STEPS = (
    LOGIN,
    {**journeys.CREATE, "headers": AS_ANN},
    HOLD,
    {**journeys.DELETE, "headers": AS_ANN},
)


class Scene:
    """A folder with an inventory, a state folder, and the system it is about."""

    def __init__(self, folder: Path, port: int, system: System) -> None:
        self.folder, self.port, self.system = folder, port, system
        self.state = folder / "state"
        system.state = self.state
        self.environ = {"READINESS_STATE": str(self.state)}
        self.write(STEPS)

    def write(
        self,
        steps: Any,
        name: str = "things",
        port: int | None = None,
        timeout: str = "1s",
        who: str | None = None,
        **more: Any,
    ) -> None:
        off = {"http_latency": False, "http_concurrency": False}
        url = f"http://127.0.0.1:{port or self.port}"
        data = {
            "version": 1,
            "system": {"name": "Scene", "environment": "local"},
            "defaults": {"timeout": timeout},
            "services": {"it": {"kind": "http", "url": url, "probes": off}},
            "journeys": {name: {"title": "Things", "service": "it", "as": who, "steps": steps}},
            **more,
        }
        (self.folder / "services.yaml").write_text(json.dumps(data))

    @property
    def ledgers(self) -> list[Path]:
        return sorted(self.state.glob("*.ledger"))

    def run(self, *words: str, name: str = "things") -> "subprocess.CompletedProcess[str]":
        more = ("--only", name, "--allow", "write", *words)
        return readiness("run", *more, cwd=self.folder, env=self.environ)

    def cleanup(self, *words: str) -> "subprocess.CompletedProcess[str]":
        allow = words or ("--allow", "write")
        return readiness("cleanup", *allow, cwd=self.folder, env=self.environ)

    @contextlib.contextmanager
    def running(self) -> Iterator["subprocess.Popen[str]"]:
        """Start a run and yield it once it is held in the middle of the journey."""
        self.system.reached.clear()
        words = ("run", "--only", "things", "--allow", "write")
        process = started(words, self.folder, self.environ)
        try:
            assert self.system.reached.wait(30), process.communicate(timeout=5)
            yield process
        finally:
            process.kill()
            process.communicate()

    def killed(self) -> None:
        """Have a run killed in the middle of the journey."""
        with self.running() as process:
            process.send_signal(signal.SIGKILL)
            process.wait(10)

    def text(self, name: str = "report.md") -> str:
        return (self.folder / "readiness-report" / name).read_text("utf-8")


@pytest.fixture
def system() -> System:
    return System()


@pytest.fixture
def scene(tmp_path: Path, system: System) -> Iterator[Scene]:
    with background(system) as (port,):
        yield Scene(tmp_path, port, system)


def test_an_entry_is_on_disk_before_its_request_and_gone_after_the_run(scene: Scene) -> None:
    scene.system.go.set()
    done = scene.run()
    assert done.returncode == 4, done.stderr  # the service itself was left out
    [ledger] = scene.system.ledgers
    head, created, knows = [json.loads(line) for line in ledger.splitlines() if line]
    assert head["services"] == {"it": f"http://127.0.0.1:{scene.port}"}
    assert created["what"].startswith("thing readiness-")
    assert knows["values"] == {"token": TOKEN}
    assert scene.ledgers == []
    assert scene.system.things.kept == {}


def test_an_interrupted_run_takes_away_what_it_made_and_still_reports(scene: Scene) -> None:
    with scene.running() as process:
        assert stat.S_IMODE(scene.ledgers[0].stat().st_mode) == 0o600
        process.send_signal(signal.SIGINT)
        process.wait(20)
    assert process.returncode == 130
    assert scene.system.things.kept == {}
    assert scene.ledgers == []
    assert "interrupted by SIGINT" in scene.text()


def test_residue_of_an_interrupted_run_is_named_and_kept_for_later(scene: Scene) -> None:
    scene.system.instead["DELETE"] = servers.response(500)
    with scene.running() as process:
        process.send_signal(signal.SIGINT)
        process.wait(20)
    assert process.returncode == 130
    assert len(scene.ledgers) == 1
    assert json.loads(scene.text("evidence.json"))["residue"] == [
        f"thing readiness-{scene.ledgers[0].stem[:8]}-1 of things"
    ]
    assert f"thing readiness-{scene.ledgers[0].stem[:8]}-1" in scene.text()
    del scene.system.instead["DELETE"]
    assert scene.cleanup().returncode == 0
    assert scene.system.things.kept == {}


def test_a_removal_that_hangs_holds_no_interrupted_run(scene: Scene) -> None:
    scene.system.hang = "DELETE"
    with scene.running() as process:
        process.send_signal(signal.SIGINT)
        process.wait(10)
    assert process.returncode == 130
    assert len(json.loads(scene.text("evidence.json"))["residue"]) == 1
    assert len(scene.ledgers) == 1


def test_the_runs_deadline_leaves_time_to_clean_up(scene: Scene) -> None:
    data = json.loads((scene.folder / "services.yaml").read_text())
    data["defaults"]["timeout"] = "30s"
    (scene.folder / "services.yaml").write_text(json.dumps(data))
    done = scene.run("--deadline", "4s")
    assert done.returncode == 4, done.stderr
    assert scene.system.things.kept == {}
    assert scene.ledgers == []
    [row] = json.loads(scene.text("assessment.json"))["journeys"]
    assert (row["outcome"], row["left"]) == ("unknown", "")
    assert [step["outcome"] for step in row["steps"]] == ["passed", "passed", "unknown", "passed"]


def test_cleanup_finishes_what_a_killed_run_began(scene: Scene) -> None:
    scene.killed()
    [ledger] = scene.ledgers
    assert len(scene.system.things.kept) == 1
    refused = scene.cleanup("--allow", "load")
    assert refused.returncode == 5
    assert len(scene.system.things.kept) == 1
    done = scene.cleanup()
    assert done.returncode == 0, done.stderr
    name = f"thing readiness-{ledger.stem[:8]}-1"
    assert done.stdout == f"removed: {name} (things, run {ledger.stem})\n"
    assert scene.system.things.kept == {}
    assert scene.ledgers == []
    again = scene.cleanup()
    assert (again.returncode, again.stdout) == (0, "Nothing is left of earlier runs on Scene.\n")


def test_a_run_reminds_of_what_an_earlier_one_left(scene: Scene) -> None:
    scene.killed()
    scene.system.go.set()
    done = scene.run()
    assert "1 object of earlier runs may be left in Scene: `readiness cleanup`" in done.stderr
    assert len(scene.ledgers) == 1


def test_cleanup_leaves_a_run_alone_that_goes_on(scene: Scene) -> None:
    scene.write(STEPS, timeout="30s")
    with scene.running():
        done = scene.cleanup()
        assert (done.returncode, done.stdout) == (0, "Nothing is left of earlier runs on Scene.\n")
        assert len(scene.system.things.kept) == 1


def test_two_runs_at_once_do_not_touch_each_other(scene: Scene) -> None:
    scene.write(STEPS, timeout="30s")
    with scene.running() as first:
        scene.system.go.set()
        assert scene.run().returncode == 4
        assert len(scene.system.things.kept) == 1, "that of the first"
        first.send_signal(signal.SIGTERM)
        first.wait(20)
    assert first.returncode == 143
    assert scene.system.things.kept == {}
    assert scene.ledgers == []


def test_cleanup_of_a_journey_that_is_no_more_says_so(scene: Scene) -> None:
    scene.killed()
    scene.write(STEPS, name="others")
    done = scene.cleanup()
    assert done.returncode == 1
    assert done.stdout.startswith("LEFT: thing readiness-")
    assert "The journey things is not in this inventory any more" in done.stderr
    assert len(scene.ledgers) == 1


def test_cleanup_asks_no_stranger(scene: Scene) -> None:
    scene.killed()
    stranger = System()
    with background(stranger) as (port,):
        scene.write(STEPS, port=port)
        done = scene.cleanup()
    assert done.returncode == 1
    assert "The services of things were at other addresses then" in done.stderr
    assert stranger.methods == []
    assert len(scene.ledgers) == 1, "it would have been told that the thing is gone"


def test_what_cannot_be_taken_away_is_said_with_the_ledger(scene: Scene) -> None:
    scene.killed()
    scene.system.instead["DELETE"] = servers.response(403)
    done = scene.cleanup()
    assert done.returncode == 1
    assert f"Take it away by hand, then delete {scene.ledgers[0]}." in done.stderr.replace("\n", "")


def test_what_is_not_found_is_not_told_as_removed(scene: Scene) -> None:
    scene.killed()
    [ledger] = scene.ledgers
    scene.system.things.kept.clear()
    done = scene.cleanup()
    name = f"thing readiness-{ledger.stem[:8]}-1 (things, run {ledger.stem})"
    assert (done.returncode, done.stdout) == (0, f"not found (404): {name}\n")
    assert scene.ledgers == []


def test_what_stays_is_not_told_as_removed(scene: Scene) -> None:
    stays = {**journeys.CREATE, "stays": "nobody can remove a thing"}
    path = scene.state / "of-a-killed-run.ledger"
    scene.write([stays])
    book = Ledger(path, "Scene", addresses={"it": f"http://127.0.0.1:{scene.port}"})
    book.creates(Entry("things", "1", "create", "thing readiness-x-1"))
    book.close()
    done = scene.cleanup()
    assert (done.returncode, done.stdout) == (
        0,
        "stays: thing readiness-x-1 (things, run of-a-killed-run)\n",
    )
    assert scene.ledgers == []


def test_what_is_removed_by_who_cannot_log_in_is_left(scene: Scene) -> None:
    login = {"request": "POST /login", "json": {"password": PASSWORD}, "token": "$.token"}
    ann = {"ann": {"service": "it", "login": login}}
    steps = (journeys.CREATE, HOLD, journeys.DELETE)
    scene.write(steps, identities=ann, who="ann")
    scene.killed()
    scene.system.things.kept.clear()
    scene.system.instead["POST"] = servers.response(404)
    done = scene.cleanup()
    assert done.returncode == 1, "a 404 to a login says nothing of the thing"
    assert done.stdout.startswith("LEFT: thing readiness-")
    assert len(scene.ledgers) == 1


def test_an_interrupt_while_cleaning_up_after_a_failure_drops_nothing(scene: Scene) -> None:
    scene.write([*STEPS[:2], {"name": "no", "request": "/no"}, *STEPS[2:]], timeout="5s")
    scene.system.slow = "DELETE"
    words = ("run", "--only", "things", "--allow", "write")
    process = started(words, scene.folder, scene.environ)
    try:
        assert scene.system.reached.wait(30)
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        scene.system.go.set()
        process.wait(20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert scene.system.things.kept == {}
    assert scene.ledgers == []


def test_a_ledger_that_was_cut_is_read_as_far_as_it_goes(scene: Scene) -> None:
    scene.killed()
    with scene.ledgers[0].open("ab") as file:
        file.write(b'\n{"is": "knows", "journey": "things", "round": "1", "val\xff')
    (scene.state / "torn.ledger").write_bytes(b'{"is"')
    (scene.state / "folder.ledger").mkdir()
    (scene.state / "odd.ledger").write_text('[1]\n5\nnull\n{"is": "creates"}\n')
    assert scene.cleanup().returncode == 0
    assert scene.system.things.kept == {}
    assert [path.name for path in scene.ledgers] == ["folder.ledger"]


def test_where_no_ledger_can_be_kept_nothing_is_sent(scene: Scene) -> None:
    scene.state.write_text("a file")
    done = scene.run()
    assert done.returncode == 2
    assert "Name a folder that can be written in READINESS_STATE." in done.stderr
    assert scene.system.methods == []


def test_a_run_that_creates_nothing_needs_no_ledger(scene: Scene) -> None:
    scene.state.write_text("a file")
    scene.system.go.set()
    scene.write([HOLD])
    done = scene.run()
    assert done.returncode == 4, done.stderr
    assert '"outcome":"pass"' in scene.text("assessment.json").replace(" ", "").replace("\n", "")


@pytest.mark.parametrize("allow", ["observe", "load"])
def test_without_write_nothing_that_changes_anything_is_sent(scene: Scene, allow: str) -> None:
    scene.system.go.set()
    words = ("run", "--allow", allow)
    done = readiness(*words, cwd=scene.folder, env=scene.environ)
    assert done.returncode in (0, 1, 4), done.stderr
    assert set(scene.system.methods) <= {"GET", "HEAD", "OPTIONS", "TRACE"}
    assert "GET" in scene.system.methods
    assert scene.ledgers == []
    found = json.loads(scene.text("assessment.json"))["findings"]
    [mine] = [one for one in found if one["check"] == "journey-succeeds"]
    assert (mine["outcome"], mine["blocker"]) == ("unknown", True)
    assert "needs the write tier" in mine["because"]


def test_a_journey_that_only_looks_needs_no_more_than_observe(scene: Scene) -> None:
    scene.system.go.set()
    scene.write([HOLD])
    words = ("run", "--only", "things")
    readiness(*words, cwd=scene.folder, env=scene.environ)
    [row] = json.loads(scene.text("assessment.json"))["journeys"]
    assert row["outcome"] == "pass"
    assert scene.system.methods == ["GET"]


def test_no_secret_is_shown_though_the_server_echoes_all(tmp_path: Path) -> None:
    def echo(request: servers.Request) -> bytes:
        if request.target == "/login":
            cookie = {"Set-Cookie": "sid=c00kie-9d81e2f4aa; Path=/"}
            return servers.response(200, json.dumps({"token": TOKEN}), headers=cookie)
        everything = f"{request.target} {dict(request.headers)} {request.body.decode()}"
        return servers.response(418, json.dumps({"error": everything}))

    secrets = [PASSWORD, TOKEN, "c00kie-9d81e2f4aa", "Pw-readiness", "k3y-of-the-query"]
    body = {"password": "Pw-{{unique}}", "old": PASSWORD, "with": "{{token}}"}
    change = {"request": "POST /change?key=k3y-of-the-query", "json": body, "headers": AS_ANN}
    form = {"name": "form", "request": "POST /form", "multipart": {"pin": "s3same"}}
    with background(servers.Web(echo)) as (port,):
        scene = Scene(tmp_path, port, System())
        for step in ({"name": "change", **change}, form):
            scene.write([LOGIN, {**step, "creates": "{{unique}} of {{token}}"}, _remover(step)])
            done = scene.run("--format", "html", "--format", "junit", "--format", "sarif")
            assert done.returncode == 1, done.stderr
            files = [f.read_text() for f in (tmp_path / "readiness-report").iterdir()]
            for text in (done.stdout, done.stderr, *files):
                assert [one for one in (*secrets, "s3same") if one in text] == []
            assert "expected 2xx" in scene.text()


def _remover(step: Any) -> Any:
    return {**journeys.DELETE, "request": "DELETE /x", "removes": step["name"]}


def test_no_secret_of_a_killed_run_is_shown_by_cleanup(scene: Scene) -> None:
    scene.write([LOGIN, {**STEPS[1], "creates": "{{unique}} of {{token}}"}, *STEPS[2:]])
    scene.killed()
    scene.system.instead["DELETE"] = servers.response(403)
    done = scene.cleanup()
    assert done.returncode == 1
    assert done.stdout.startswith(f"LEFT: readiness-{scene.ledgers[0].stem[:8]}-1 of ***")
    assert TOKEN not in done.stdout + done.stderr


def test_a_ledger_of_nobody_s_run_is_not_read_through_a_home(tmp_path: Path) -> None:
    (tmp_path / "services.yaml").write_text(
        '{"version": 1, "system": {"name": "x", "allow": ["write"]},'
        ' "services": {"a": {"kind": "http", "url": "http://127.0.0.1:1"}}}'
    )
    home = {"HOME": str(tmp_path), "READINESS_STATE": "", "XDG_STATE_HOME": ""}
    done = readiness("cleanup", cwd=tmp_path, env={**os.environ, **home})
    assert (done.returncode, done.stdout) == (0, "Nothing is left of earlier runs on x.\n")
    assert not (tmp_path / ".local").exists(), "looking makes no folder"
