"""The file of a history: what is damaged is set aside, what is not ours or out of reach is left."""

import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from readiness.history import HistoryError, file, open_history
from readiness.history.aside import Share, set_aside
from tests.history.runs import run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history of ten runs."""
    found = tmp_path_factory.mktemp("made") / "deep" / "history.db"
    history = open_history(str(found), {})
    for n in range(10):
        history.add(run(f"r{n}", n))
    history.close()
    return found


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    """The same for one test."""
    found = tmp_path / "deep" / "history.db"
    shutil.copytree(made.parent, found.parent)
    return found


def files(path: Path) -> list[str]:
    return sorted(one.name for one in path.parent.iterdir())


def test_it_is_for_its_owners_eyes_alone(made: Path) -> None:
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.parent.stat().st_mode) == 0o700
    assert files(made) == ["history.db"]


def overwrite(at: int, data: bytes) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with path.open("r+b") as opened:
            opened.seek(at)
            opened.write(data)

    return damage


def truncate(size: int) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with path.open("r+b") as opened:
            opened.truncate(size)

    return damage


DAMAGE = {
    "garbage": lambda path: path.write_bytes(b"\x00\xff garbage" * 999),
    "text": lambda path: path.write_text("not a database\n"),
    "header": overwrite(0, b"\x00" * 100),
    "first page": overwrite(100, b"\xff" * 3000),
    "torn page": overwrite(4096 * 4, b"\x55" * 4096),
    "cut in a page": truncate(4096 * 5 + 77),
    "cut after a page": truncate(4096 * 3),
    "cut in the header": truncate(50),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_file_is_set_aside_whole_and_said(path: Path, how: str) -> None:
    DAMAGE[how](path)
    before = path.read_bytes()
    told: list[str] = []
    history = open_history(str(path), {}, told.append)
    assert history.runs() == []
    history.add(run("new"))
    history.close()
    new, aside = files(path)
    assert new == "history.db"
    assert aside.startswith("history.db.corrupt-2")
    assert (path.parent / aside).read_bytes() == before
    assert len(told) == 1
    assert f"{path} is damaged: it was set aside as {aside}" in told[0]


@pytest.mark.parametrize("how", ["garbage", "torn page", "cut after a page"])
def test_damage_while_it_is_open_loses_no_new_run(path: Path, how: str) -> None:
    told: list[str] = []
    history = open_history(str(path), {}, told.append)
    DAMAGE[how](path)
    history.add(run("new"))
    again = open_history(str(path), {}, told.append)
    assert "new" in [one.run_id for one in again.runs()]
    history.close()
    again.close()
    assert len(told) <= 1


def test_what_lies_beside_a_damaged_file_goes_with_it(path: Path) -> None:
    path.with_name("history.db-journal").write_bytes(b"left by a kill")
    share = Share(path.parent, 1)
    aside = set_aside(path, path.stat(), share)
    share.close()
    assert aside is not None
    assert files(path) == [aside.name, f"{aside.name}-journal"]


def test_nothing_is_set_aside_while_others_have_it_open(path: Path) -> None:
    history = open_history(str(path), {})
    share = Share(path.parent, 0.01)
    with pytest.raises(TimeoutError):
        set_aside(path, path.stat(), share)
    history.close()
    share.close()
    assert files(path) == ["history.db"]


def test_the_successor_of_a_damaged_file_is_not_set_aside(path: Path) -> None:
    damaged = path.stat()
    path.rename(path.with_name("moved.db"))
    for _ in range(2):
        share = Share(path.parent, 1)
        assert set_aside(path, damaged, share) is None
        share.close()
        open_history(str(path), {}).close()
    assert files(path) == ["history.db", "moved.db"]


def test_a_file_set_aside_meanwhile_is_not_written_to(path: Path) -> None:
    history = open_history(str(path), {})
    history.runs()
    moved = path.rename(path.with_name("moved.db"))
    before = moved.read_bytes()
    history.add(run("new"))
    assert [one.run_id for one in history.runs()] == ["new"]
    history.close()
    assert moved.read_bytes() == before


@pytest.mark.parametrize("name", ["services.yaml", "report.md"])
def test_a_file_that_was_named_by_mistake_stays_where_it_is(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("version: 1\n")
    with pytest.raises(HistoryError, match="no history, by its content and its name"):
        open_history(str(tmp_path / name), {})
    assert (tmp_path / name).read_text() == "version: 1\n"
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("mark", [0, 1234])
def test_the_database_of_another_program_is_left_alone(tmp_path: Path, mark: int) -> None:
    path = tmp_path / "app.db"
    connection = sqlite3.connect(path)
    connection.executescript(f"CREATE TABLE users (name); PRAGMA application_id = {mark}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(HistoryError, match="the database of another program"):
        open_history(str(path), {})
    assert path.read_bytes() == before


def test_a_locked_file_is_said_to_be_and_left_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "WAIT_SECONDS", 0.05)
    history = open_history(str(path), {})
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(HistoryError, match="locked"):
        history.add(run("new"))
    with pytest.raises(HistoryError, match="locked"):
        open_history(str(path), {})
    other.close()
    assert history.add(run("new")).run_id == "new"
    assert len(history.runs()) == 11
    history.close()
    assert files(path) == ["history.db"]


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="it is a folder"):
        open_history(str(tmp_path), {})
    with pytest.raises(HistoryError, match="its folder is a file"):
        open_history("/dev/null/history.db", {})
    with pytest.raises(HistoryError, match="it is no file"):
        open_history("/dev/null", {})


FOREIGN = {
    "a table is missing": "DROP TABLE pins",
    "a table is too many": "CREATE TABLE mine (x)",
    "a column is too many": "ALTER TABLE runs ADD COLUMN mine TEXT",
    "an index is too many": "CREATE UNIQUE INDEX one ON runs (started_at)",
    "a constraint is another": (
        "DROP TABLE pins; CREATE TABLE pins (system TEXT NOT NULL, environment TEXT NOT NULL,"
        " run_id TEXT NOT NULL UNIQUE ON CONFLICT IGNORE REFERENCES runs,"
        " PRIMARY KEY (system, environment))"
    ),
    "runs is a view": "ALTER TABLE runs RENAME TO kept; CREATE VIEW runs AS SELECT * FROM kept",
    "ignored": "CREATE TRIGGER t BEFORE INSERT ON runs BEGIN SELECT raise(ignore); END",
    "deleted": (
        "CREATE TRIGGER t AFTER INSERT ON runs BEGIN DELETE FROM runs WHERE run_id = new.run_id;"
        " END"
    ),
    "endless": (
        "CREATE TRIGGER t BEFORE INSERT ON runs BEGIN SELECT count(*) FROM (WITH RECURSIVE n(i)"
        " AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n); END"
    ),
}


def change(path: Path, statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(statements)


@pytest.mark.parametrize("how", FOREIGN)
def test_what_another_put_into_it_is_refused_and_left_alone(path: Path, how: str) -> None:
    change(path, FOREIGN[how])
    before = path.read_bytes()
    with pytest.raises(HistoryError, match=r"not those of a history|has triggers or views"):
        open_history(str(path), {})
    assert path.read_bytes() == before
    assert files(path) == ["history.db"]


def test_statements_that_are_no_text_break_nothing(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = CAST(sql AS BLOB)")
        connection.commit()
    history = open_history(str(path), {})
    assert len(history.runs()) == 10
    history.close()


def test_what_tools_of_sqlite_add_is_no_harm(path: Path) -> None:
    change(path, "ANALYZE; VACUUM; CREATE TABLE lost_and_found (rootpgno, pgno, c0)")
    history = open_history(str(path), {})
    assert len(history.runs()) == 10
    history.close()


@pytest.mark.parametrize("how", ["ignored", "deleted"])
def test_a_run_that_is_swallowed_is_said_and_leaves_nothing(path: Path, how: str) -> None:
    """By what came in once the file was open."""
    history = open_history(str(path), {})
    change(path, FOREIGN[how])
    with pytest.raises(HistoryError, match="did not keep run new as it was written"):
        history.add(run("new"))
    assert len(history.runs()) == 10
    history.close()


def test_evidence_that_is_changed_on_its_way_is_said(path: Path) -> None:
    history = open_history(str(path), {})
    change(
        path,
        "CREATE TRIGGER t AFTER INSERT ON evidence BEGIN"
        " UPDATE evidence SET body = x'00' WHERE run_id = new.run_id; END",
    )
    with pytest.raises(HistoryError, match="did not keep run new as it was written"):
        history.add(run("new"))
    history.close()


@pytest.mark.parametrize("column", ["system", "run_id", "branch"])
def test_a_text_that_is_not_utf_8_is_said_and_nothing_is_set_aside(path: Path, column: str) -> None:
    change(path, f"UPDATE runs SET {column} = CAST(x'ff6100' AS TEXT) WHERE run_id = 'r3'")
    history = open_history(str(path), {})
    with pytest.raises(HistoryError, match="a text in it is damaged, which is not UTF-8"):
        history.runs()
    history.close()
    assert files(path) == ["history.db"]


def test_a_hot_journal_is_rolled_back_and_not_taken_for_damage(path: Path) -> None:
    """The state that a kill in the middle of a commit leaves, byte for byte."""
    before = path.read_bytes()
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("PRAGMA cache_size = 1")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE evidence SET body = zeroblob(50000)")
    torn, journal = path.read_bytes(), path.with_name("history.db-journal").read_bytes()
    writer.close()
    assert torn != before, "pages were written before the commit"
    path.write_bytes(torn)
    path.with_name("history.db-journal").write_bytes(journal)
    told: list[str] = []
    history = open_history(str(path), {}, told.append)
    assert len(history.runs()) == 10
    assert history.get("r3").evidence.run_id == "r3"
    history.close()
    assert not told
    assert path.read_bytes()[:4096] == before[:4096]


def test_a_history_is_not_made_by_looking_for_it(tmp_path: Path) -> None:
    history = open_history(str(tmp_path / "h.db"), {}, create=False)
    assert history.runs() == ()
    with pytest.raises(HistoryError, match=r"no run is kept in .*h\.db"):
        history.get("last")
    assert list(tmp_path.iterdir()) == []


def test_work_without_end_is_ended(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "_SECONDS", 0.2)
    history = open_history(str(path), {})
    change(path, FOREIGN["endless"])
    with pytest.raises(HistoryError, match="what was asked of it takes too long"):
        history.add(run("new"))
    history.close()


def test_opening_without_end_is_ended(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "_SECONDS", -1.0)
    monkeypatch.setattr(file, "_STEPS", 1)
    with pytest.raises(HistoryError, match="what was asked of it takes too long"):
        open_history(str(path), {})
    assert files(path) == ["history.db"]
