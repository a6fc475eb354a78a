"""`readiness history` and what `run` keeps, as their user meets them."""

import asyncio
import json
import os
import signal
import socket
import sqlite3
import subprocess
import termios
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from readiness.assessment import assess
from readiness.evidence import Evidence
from readiness.history import Kept, Run, open_history
from readiness.history.line import to_line
from readiness.history.run import kept as make_kept
from readiness.inventory import System
from tests.background import background
from tests.baselines import baseline
from tests.history.runs import run
from tests.judging import CRITERIA, inventory, service
from tests.program import COMMAND, environment, readiness, started
from tests.servers import Web, always, response, silent

SYSTEM = """version: 1
system: {{name: Shop, environment: test}}
services:
  api: {{kind: tcp, url: "tcp://127.0.0.1:{port}"}}
  down: {{kind: tcp, url: "tcp://127.0.0.1:{refusing}", criticality: critical}}
"""
"""Not ready, whatever the machine makes of the time that connecting takes."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with background(Web(always(response()).answer)) as [port]:
        yield port


@pytest.fixture(scope="module")
def refusing() -> Iterator[int]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def shop(tmp_path: Path, port: int, refusing: int) -> Path:
    (tmp_path / "services.yaml").write_text(SYSTEM.format(port=port, refusing=refusing))
    return tmp_path


def history(folder: Path, *words: str, where: str = "h.db") -> "CompletedProcess[str]":
    return readiness("history", *words, "--history", where, cwd=folder)


def evidence(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "evidence.json").read_text())
    return found


def listed(folder: Path, *words: str) -> list[dict[str, Any]]:
    """Return the rows that the program lists."""
    done = history(folder, "--json", *words)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["runs"]
    return found


def rows(folder: Path) -> Sequence[Run]:
    """Return the rows that are there."""
    store = open_history(str(folder / "h.db"), {}, create=False)
    try:
        return store.runs()
    finally:
        store.close()


def test_every_run_is_kept_and_tells_the_next_one(shop: Path) -> None:
    first = readiness("run", "--history", "h.db", "--out", "one", cwd=shop)
    assert first.returncode == 1, first.stderr
    readiness("run", "--history", "h.db", "--out", "two", "--only", "api", cwd=shop)
    third = readiness("run", "--history", "h.db", "--out", "three", cwd=shop)
    one, two, three = (evidence(shop / name) for name in ("one", "two", "three"))
    assert (one["trend"], one["previous"]) == ([], None)
    [past] = two["trend"]
    assert past["run_id"] == one["run_id"]
    assert three["trend"] == two["trend"], "what was measured in part is no point of a trend"
    assert three["previous"] == {"value": past["value"], "started_at": one["started_at"]}
    assert "since the run before" in third.stdout
    kept = listed(shop)
    assert [(row["run_id"], row["partial"]) for row in kept] == [
        (three["run_id"], False),
        (two["run_id"], True),
        (one["run_id"], False),
    ]
    assert [row["delta"] for row in kept] == [0, None, None]
    plain = history(shop).stdout
    assert three["run_id"][:8] in plain
    assert "(in part)" in plain
    assert "Shop test  " in plain


def test_the_variable_names_it_too_and_none_keeps_nothing(shop: Path) -> None:
    env = {"READINESS_HISTORY": str(shop / "named.db")}
    assert readiness("run", "--history", "none", cwd=shop, env=env).returncode == 1
    readiness("run", cwd=shop, env=env)
    assert len(json.loads(readiness("history", "--json", cwd=shop, env=env).stdout)["runs"]) == 1


def test_a_report_of_old_evidence_is_no_run(shop: Path) -> None:
    env = {"READINESS_HISTORY": str(shop / "h.db")}
    readiness("run", cwd=shop, env=env)
    readiness("report", "readiness-report/evidence.json", "--out", "again", cwd=shop, env=env)
    assert len(rows(shop)) == 1


def test_a_history_that_was_asked_for_is_checked_before_any_traffic(shop: Path) -> None:
    (shop / "file").write_text("x")
    for where, told in {
        "file/h.db": "its folder is a file",
        "services.yaml": "it is no history",
        "postgresql://u:s3cret@127.0.0.1:1/db": "connection refused",
        "mysql://u:s3cret@h/db": "--history names no history",
    }.items():
        done = readiness("run", "--history", where, cwd=shop)
        assert done.returncode == 2, done.stderr
        assert told in done.stderr
        assert "s3cret" not in done.stdout + done.stderr
        assert not (shop / "readiness-report" / "evidence.json").exists()


def test_the_default_place_costs_a_warning_and_no_exit_code(shop: Path) -> None:
    (shop / "file").write_text("x")
    env = {"READINESS_HISTORY": "", "XDG_DATA_HOME": str(shop / "file")}
    done = readiness("run", cwd=shop, env=env)
    assert done.returncode == 1
    assert done.stderr.count("this run will not be kept") == 1
    assert "Not a directory" in done.stderr
    assert "NOT READY" in done.stdout
    env["XDG_DATA_HOME"] = str(shop / "data")
    done = readiness("run", cwd=shop, env=env)
    assert "kept" not in done.stderr
    assert (shop / "data" / "readiness" / "history.db").exists()


def test_a_damaged_history_is_said_and_changes_no_exit_code(shop: Path) -> None:
    (shop / "h.db").write_bytes(b"\x00garbage" * 600)
    done = readiness("run", "--history", "h.db", cwd=shop)
    assert done.returncode == 1
    assert "was set aside as h.db.corrupt-" in done.stderr
    assert len(rows(shop)) == 1


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A folder whose h.db has runs of two series, one in part, one with hostile names."""
    store = open_history(str(tmp_path / "h.db"), {})
    evil = inventory(service(), system=System(name="[/]::set-output x"))
    store.add(run("aaaa1111", 1, revision={"branch": "main", "commit": "5f3c0a7d11"}))
    store.add(run("bbbb2222", 2, only=("api",)))
    store.add(run("cccc3333", 3, found=()))
    store.add(run("dddd4444", 4, of=evil, environment="test", interrupted="SIGINT"))
    store.close()
    return tmp_path


def test_the_list_is_aligned_and_filtered(kept: Path) -> None:
    done = history(kept)
    lines = done.stdout.splitlines()
    assert lines[0].split() == [
        *("run", "started", "system", "environment", "verdict", "score", "Δ", "coverage", "source"),
    ]
    assert len({line.index("2026-03-01") for line in lines[1:5]}) == 1
    assert "main@5f3c0a7d" in done.stdout
    assert not [line for line in lines if line.startswith("::")]
    some = listed(kept, "--system", "shop", "--environment", "local", "--limit", "2")
    assert [row["run_id"] for row in some] == ["cccc3333", "bbbb2222"]
    newest, oldest = rows(kept)[1], rows(kept)[3]
    assert [row["delta"] for row in some] == [newest.value - oldest.value, None]
    said = history(kept, "--system", "shopp").stdout
    assert said.startswith("No run of shopp is kept in ") and "there are runs of " in said
    assert "shop local" in said
    assert "No run is kept" in history(kept, where="new.db").stdout
    assert not (kept / "new.db").exists()


def test_show_judges_it_again_and_writes_its_files_to_the_byte(shop: Path) -> None:
    readiness("run", "--history", "h.db", cwd=shop)
    ran = evidence(shop / "readiness-report")
    done = history(shop, "show", "last", "--out", "again")
    assert done.returncode == 0, done.stderr
    assert f"Run       {ran['run_id']}" in done.stdout
    assert "NOT READY" in done.stdout
    for name in ("report.md", "evidence.json", "assessment.json"):
        assert (shop / "again" / name).read_bytes() == (
            shop / "readiness-report" / name
        ).read_bytes()
    option_first = readiness("history", "--history", "h.db", "show", ran["run_id"][:5], cwd=shop)
    assert option_first.stdout.splitlines()[0] == done.stdout.splitlines()[0]


def test_pin_unpin_and_prune(kept: Path) -> None:
    assert "is the baseline of shop local" in history(kept, "pin", "aaaa").stdout
    assert "aaaa1111, pinned" in history(kept, "show", "pinned").stdout
    dry = history(kept, "prune", "--keep", "1", "--dry-run")
    assert "bbbb2222" in dry.stdout
    assert "1 run would be forgotten" in dry.stdout
    assert len(rows(kept)) == 4
    assert "1 run forgotten" in history(kept, "prune", "--keep", "1").stdout
    assert [row.run_id for row in rows(kept)] == ["dddd4444", "cccc3333", "aaaa1111"]
    assert "is not pinned any more" in history(kept, "unpin", "aaaa").stdout
    assert "3 runs forgotten" in history(kept, "prune", "--older-than", "1d").stdout
    assert history(kept, "show", "last").returncode == 2


def test_prune_leaves_what_a_run_that_stays_was_compared_with(tmp_path: Path) -> None:
    store = open_history(str(tmp_path / "h.db"), {})
    good = baseline(run_id="bbbb2222")
    store.add(run("aaaa1111", 1))
    store.add(run("bbbb2222", 2, baseline=baseline(run_id="aaaa1111")))
    for n in range(3):
        store.add(run(f"cccc{n}", 3 + n, found=(), baseline=good))
    store.close()
    dry = history(tmp_path, "prune", "--keep", "2", "--dry-run").stdout
    assert "2 runs would be forgotten" in dry
    done = history(tmp_path, "prune", "--keep", "2").stdout
    assert "Not forgotten, since runs that stay were compared with it: bbbb2222." in done
    assert "Not forgotten, since runs that stay were compared with it: bbbb2222." in dry
    assert [row.run_id for row in rows(tmp_path)] == ["cccc2", "cccc1", "bbbb2222"]
    gone = history(tmp_path, "prune", "--keep", "0").stdout
    assert "3 runs forgotten" in gone
    assert "Not forgotten" not in gone


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["show", "nosuch"], "there is no run 'nosuch'"),
        (["pin", "pinned"], "no run is pinned"),
        (["prune"], "prune needs to know what may go"),
        (["prune", "--older-than", "ninety"], "--older-than must be an age"),
        (["import", "nosuch.jsonl"], "cannot be read"),
        (["export", "nosuch"], "there is no run 'nosuch'"),
        (["export", "nosuch/folder/x.jsonl"], "cannot be written"),
    ],
)
def test_a_mistake_is_said_with_exit_code_2(kept: Path, words: list[str], told: str) -> None:
    done = history(kept, *words)
    assert done.returncode == 2
    assert told in done.stderr
    assert len(rows(kept)) == 4


def test_an_export_is_imported_elsewhere_as_it_was_and_once(kept: Path) -> None:
    history(kept, "pin", "aaaa")
    done = history(kept, "export", "runs.jsonl")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (kept / "runs.jsonl").read_text().splitlines()]
    assert [line["run"]["run_id"] for line in lines] == [
        *("aaaa1111", "bbbb2222", "cccc3333", "dddd4444"),
    ]
    assert {line["schema"] for line in lines} == {"readiness/history/v1"}
    some = history(kept, "export", "last", "aaaa", "-").stdout
    assert [json.loads(line)["run"]["run_id"] for line in some.splitlines()] == [
        *("dddd4444", "aaaa1111"),
    ]
    imported = history(kept, "import", "runs.jsonl", where="other.db")
    assert "4 runs added" in imported.stdout
    again = history(kept, "import", "runs.jsonl", where="other.db")
    assert "0 runs added" in again.stdout
    assert "4 were there already" in again.stdout
    one, two = (open_history(str(kept / name), {}) for name in ("h.db", "other.db"))
    assert one.runs() == two.runs()
    for row in one.runs():
        assert one.get(row.run_id).evidence.to_json() == two.get(row.run_id).evidence.to_json()
        assert one.get(row.run_id).criteria == two.get(row.run_id).criteria
    one.close()
    two.close()


def test_bare_evidence_becomes_a_run(shop: Path) -> None:
    readiness("run", cwd=shop)
    path = shop / "readiness-report" / "evidence.json"
    (shop / "flat.json").write_text(json.dumps(json.loads(path.read_text())))
    assert "1 run added" in history(shop, "import", str(path)).stdout
    assert "1 were there already" in history(shop, "import", "flat.json").stdout
    assert rows(shop)[0].run_id == evidence(shop / "readiness-report")["run_id"]


def test_bad_lines_are_named_and_nothing_is_imported(kept: Path) -> None:
    history(kept, "export", "runs.jsonl")
    first, second, third, _ = (kept / "runs.jsonl").read_text().splitlines()
    edited = json.loads(second)
    edited["run"]["partial"] = False
    newer = json.loads(third) | {"schema": "readiness/history/v9"}
    bad = ["{", json.dumps(edited), json.dumps(newer), '{"schema": "readiness/history/v1"}']
    (kept / "bad.jsonl").write_text("\n".join([first, "", *bad]) + "\n")
    (kept / "empty.jsonl").write_text("")
    (kept / "bytes.jsonl").write_bytes(b"\n\xff\xfe\n")
    (kept / "evidence.json").write_text('{\n "schema": "readiness/evidence/v1"\n}')
    done = history(
        *(kept, "import", "bad.jsonl", "empty.jsonl", "bytes.jsonl", "evidence.json"),
        where="new.db",
    )
    assert done.returncode == 2
    told = done.stderr
    assert "bad.jsonl:3: this is no run of version readiness/history/v1" in told
    assert "bad.jsonl:4: what this run says of its partial is not what its evidence says" in told
    assert "bad.jsonl:5: this is no run of version readiness/history/v1 (schema:" in told
    assert "bad.jsonl:6: this is no run of version readiness/history/v1 (run:" in told
    assert "bad.jsonl:1" not in told
    assert "empty.jsonl: this file is empty" in told
    assert "bytes.jsonl:2: this is not UTF-8" in told
    assert "evidence.json: this is not evidence of version" in told
    assert not (kept / "new.db").exists()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"verdict": "conditional"}, "of its verdict is not what it is judged to be"),
        ({"value": 100}, "of its value is not what it is judged to be"),
        ({"upper": 1}, "of its upper is not what it is judged to be"),
        ({"raw": 1}, "of its raw is not what it is judged to be"),
        ({"coverage": 0.5}, "of its coverage is not what it is judged to be"),
        ({"exit_code": 7}, "of its exit_code is not what it is judged to be"),
    ],
)
def test_a_row_that_says_other_than_its_evidence_is_judged_is_refused(
    kept: Path, changes: dict[str, Any], told: str
) -> None:
    history(kept, "export", "bbbb", "run.jsonl")
    line = json.loads((kept / "run.jsonl").read_text())
    (kept / "edited.jsonl").write_text(json.dumps(line | {"run": line["run"] | changes}))
    done = history(kept, "import", "edited.jsonl", where="new.db")
    assert done.returncode == 2
    assert f"edited.jsonl:1: what this run says {told}" in done.stderr
    assert not (kept / "new.db").exists()


def test_a_row_of_another_version_is_taken_as_it_is_and_said(kept: Path) -> None:
    history(kept, "export", "bbbb", "run.jsonl")
    line = json.loads((kept / "run.jsonl").read_text())
    line["run"] |= {"tool": "0.0.1", "value": 3}
    (kept / "old.jsonl").write_text(json.dumps(line))
    done = history(kept, "import", "old.jsonl", where="new.db")
    assert done.returncode == 0
    assert "1 run judged by another version of readiness: taken at its word" in done.stderr
    [row] = json.loads(history(kept, "--json", where="new.db").stdout)["runs"]
    assert row["value"] == 3


@pytest.mark.parametrize(
    ("began", "ended", "told"),
    [
        (timedelta(days=2), timedelta(days=2), "this run is of the future"),
        (timedelta(), timedelta(days=400), "this run is of the future"),
        (timedelta(), timedelta(days=-1), "this run ended before it began"),
        (timedelta(hours=1), timedelta(hours=1), None),
    ],
)
def test_a_run_of_impossible_times_is_refused(
    tmp_path: Path, began: timedelta, ended: timedelta, told: str | None
) -> None:
    """Be it a line of an export, or bare evidence."""
    now = datetime.now(UTC)
    one = kept_of(run("aaaa1111").evidence, now + began, now + ended)
    (tmp_path / "run.jsonl").write_text(to_line(one))
    (tmp_path / "evidence.json").write_text(one.evidence.to_json())
    for name in ("run.jsonl", "evidence.json"):
        done = history(tmp_path, "import", name, where=f"{name}.db")
        assert done.returncode == (2 if told else 0), done.stderr
        assert (told or "") in done.stderr


def kept_of(found: Evidence, began: datetime, ended: datetime) -> Kept:
    times = {"started_at": began, "finished_at": ended}
    return make_kept(assess(found.model_copy(update=times), CRITERIA))


def test_a_text_that_is_not_utf_8_costs_the_default_place_a_warning_only(shop: Path) -> None:
    path = shop / "data" / "readiness" / "history.db"
    env = {"READINESS_HISTORY": "", "XDG_DATA_HOME": str(shop / "data")}
    readiness("run", cwd=shop, env=env)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE runs SET branch = CAST(x'ff' AS TEXT)")
    connection.commit()
    connection.close()
    done = readiness("run", cwd=shop, env=env)
    assert done.returncode == 1
    assert done.stderr.count("readiness: ") == 1
    assert "this run will not be kept: " in done.stderr
    assert "not UTF-8" in done.stderr
    named = readiness("run", "--history", str(path), cwd=shop, env=env)
    assert (named.returncode, named.stdout) == (2, "")
    assert "not UTF-8" in named.stderr


def test_a_mistyped_url_shows_no_password(shop: Path) -> None:
    for where in ("postgresql:u:hunter2@h", "postgres:/u:hunter2@h/db", "u:hunter2@h"):
        done = readiness("run", "--history", where, cwd=shop)
        assert done.returncode == 2
        assert "--history names no history" in done.stderr
        assert "hunter2" not in done.stdout + done.stderr
    assert sorted(p.name for p in shop.iterdir()) == ["readiness-report", "services.yaml"]


def test_the_report_is_there_before_the_run_is_kept(tmp_path: Path, refusing: int) -> None:
    """The history is locked while the run goes on, so that keeping it waits."""
    path = tmp_path / "h.db"
    lock: list[sqlite3.Connection] = []

    async def hold(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        if not lock:
            lock.append(sqlite3.connect(path, isolation_level=None, check_same_thread=False))
            lock[0].execute("BEGIN EXCLUSIVE")

    report = tmp_path / "readiness-report" / "report.md"
    with background(hold) as [port]:
        (tmp_path / "services.yaml").write_text(SYSTEM.format(port=port, refusing=refusing))
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(readiness, "run", "--history", str(path), cwd=tmp_path)
            while not (report.exists() or running.done()):
                time.sleep(0.01)
            lock[0].close()
            done = running.result()
    assert done.returncode == 1, done.stderr
    assert len(rows(tmp_path)) == 1


@pytest.mark.parametrize(("asked", "code"), [(True, 6), (False, 0)])
def test_a_run_that_cannot_be_kept_ends_with_6_where_the_history_was_asked_for(
    tmp_path: Path, refusing: int, asked: bool, code: int
) -> None:
    """The service that is probed brings a newer schema to the history meanwhile."""
    path = tmp_path / "data" / "readiness" / "history.db"

    upgraded: list[bool] = []

    async def upgrade(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        if not upgraded:  # once: who connects is not to wait for it
            upgraded.append(True)
            connection = sqlite3.connect(path)
            connection.execute("PRAGMA user_version = 99")
            connection.close()

    words = ("--history", str(path)) if asked else ()
    env = {"READINESS_HISTORY": "", "XDG_DATA_HOME": str(tmp_path / "data")}
    with background(upgrade) as [port]:
        (tmp_path / "services.yaml").write_text(SYSTEM.format(port=port, refusing=refusing))
        done = readiness("run", "--no-gate", *words, cwd=tmp_path, env=env)
    assert done.returncode == code, done.stderr
    assert "NOT READY" in done.stdout
    assert "this run is not kept" in done.stderr
    assert "of schema 99" in done.stderr
    assert (tmp_path / "readiness-report" / "report.md").exists()


SLOW = """version: 1
system: {{name: Shop, environment: test}}
services:
  api: {{kind: tcp, url: "tcp://127.0.0.1:{port}"}}
  slow: {{kind: http, url: "http://127.0.0.1:{port}"}}
"""


def test_an_interrupted_run_is_kept_as_one(tmp_path: Path) -> None:
    with background(silent) as [port]:
        (tmp_path / "services.yaml").write_text(SLOW.format(port=port))
        process = started(["run", "--history", "h.db", "--format", "summary"], tmp_path)
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    [kept] = rows(tmp_path)
    assert (kept.interrupted, kept.exit_code) == (True, 130)
    assert "(interrupted)" in history(tmp_path).stdout


@pytest.mark.parametrize(("columns", "drawn"), [(200, True), (60, False)])
def test_a_terminal_shows_a_table_where_it_has_the_room(
    kept: Path, columns: int, drawn: bool
) -> None:
    leader, follower = os.openpty()
    termios.tcsetwinsize(follower, (40, columns))
    command = [*COMMAND, "history", "--history", "h.db"]
    env = environment({"TERM": "xterm", "COLUMNS": str(columns)})
    done = subprocess.run(command, cwd=kept, env=env, stdout=follower, timeout=60, check=True)
    shown = os.read(leader, 1 << 16).decode()
    os.close(leader)
    os.close(follower)
    assert done.returncode == 0
    assert ("────" in shown) == drawn
    for part in ("aaaa1111", "[/]::set-output x", "(interrupted)", "main@5f3c0a7d"):
        assert part in shown
