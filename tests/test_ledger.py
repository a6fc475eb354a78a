"""What is owed is on disk before anything else happens, and is read back whatever became of it."""

import json
import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from readiness import ledger
from readiness.ledger import Entry, Ledger

ONE = Entry("files", "1", "upload", "file readiness-x-1")
TWO = Entry("files", "2", "upload", "file readiness-x-2")


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]


def left(folder: Path) -> list[ledger.Leftover]:
    return list(ledger.leftovers({"READINESS_STATE": str(folder)}))


def abandon(book: Ledger) -> None:
    """Let go of the file as the end of a killed process does."""
    assert book._file is not None
    book._file.close()
    book._file = None


def test_each_line_is_on_disk_at_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "run.ledger"
    book = Ledger(path, "Shop", addresses={"api": "http://h:1"})
    book.creates(ONE)
    head = {"is": "ledger", "system": "Shop", "services": {"api": "http://h:1"}}
    made = {"is": "creates", "journey": "files", "round": "1", "step": "upload"}
    assert lines(path) == [head, {**made, "what": "file readiness-x-1"}]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    book.knows("files", "1", {"id": 5, "on": True})
    assert lines(path)[-1]["values"] == {"id": 5, "on": True}
    book.gone(ONE, "not found (404)")
    assert book.book.left == ()
    assert book.book.ends == {ONE.key: "not found (404)"}
    book.close()
    assert not path.exists()


def test_what_is_left_keeps_the_file(tmp_path: Path) -> None:
    book = Ledger(tmp_path / "run.ledger", "Shop", addresses={"api": "http://h:1"})
    for entry in (ONE, TWO):
        book.creates(entry)
    book.knows("files", "1", {"id": "a"})
    book.knows("files", "1", {"token": "b"})
    book.gone(TWO)
    assert left(tmp_path) == [], "its run goes on"
    book.close()
    [found] = left(tmp_path)
    assert (found.run_id, found.system, found.path) == ("run", "Shop", tmp_path / "run.ledger")
    assert found.addresses == {"api": "http://h:1"}
    assert found.book.left == (ONE,)
    assert found.book.variables == {("files", "1"): {"id": "a", "token": "b"}}


def test_nothing_is_written_where_nothing_is_owed(tmp_path: Path) -> None:
    book = Ledger(tmp_path / "no" / "run.ledger", "Shop")
    book.close()
    assert list(tmp_path.iterdir()) == []
    nowhere = Ledger(None, "Shop")
    nowhere.creates(ONE)
    assert nowhere.book.left == (ONE,)
    nowhere.close()


def test_a_folder_that_is_none_is_an_error_only_for_who_needs_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    book = Ledger(tmp_path / "file" / "run.ledger", "Shop")
    with pytest.raises(OSError, match=r"exists|Not a directory"):
        book.prepare()
    book.close()
    assert left(tmp_path / "file") == left(tmp_path / "nowhere") == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error_of_each_line_and_of_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "run.ledger"
    path.symlink_to("/dev/full")
    book = Ledger(path, "Shop")
    for _ in range(2):
        with pytest.raises(OSError, match="No space left"):
            book.creates(ONE)
    assert book.book.left == (), "it must not be created"
    book.close()


def test_a_line_that_was_cut_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "run.ledger"
    book = Ledger(path, "Shop")
    book.creates(ONE)
    book.creates(TWO)
    abandon(book)
    path.write_bytes(path.read_bytes() + b'\n{"is": "gone", "journey": "fi')
    [found] = left(tmp_path)
    assert found.book.left == (ONE, TWO)
    again = Ledger(path, found.system, found.book)
    again.gone(ONE)
    abandon(again)
    assert left(tmp_path)[0].book.left == (TWO,)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"null", b"[]", b"5\n{}", b'{"is": "ledger"}', b"[" * 100_000],
)
def test_a_file_of_which_nothing_is_left_is_deleted(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "run.ledger").write_bytes(content)
    assert left(tmp_path) == []
    assert not (tmp_path / "run.ledger").exists()


@pytest.mark.parametrize(
    "line",
    [
        {"is": "knows", "journey": "files", "round": "1", "values": None},
        {"is": "knows", "journey": "files", "round": "1"},
        {"is": "creates", "journey": "files", "round": "9"},
        {"is": "gone", "journey": ["files"], "round": "1", "step": "upload"},
        {"is": "gone"},
        {},
    ],
)
def test_a_line_that_makes_no_sense_is_passed_over(tmp_path: Path, line: object) -> None:
    path = tmp_path / "run.ledger"
    book = Ledger(path, "Shop")
    book.creates(ONE)
    abandon(book)
    path.write_text(path.read_text() + "\n" + json.dumps(line))
    assert left(tmp_path)[0].book.left == (ONE,)


def test_the_oldest_comes_first(tmp_path: Path) -> None:
    for age, name in enumerate(("b", "c", "a")):
        book = Ledger(tmp_path / f"{name}.ledger", "Shop")
        book.creates(ONE)
        book.close()
        os.utime(tmp_path / f"{name}.ledger", (100 - age, 100 - age))
    assert [one.run_id for one in left(tmp_path)] == ["a", "c", "b"]


def test_only_one_can_finish_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "_LOCK_SECONDS", 0.05)
    first = Ledger(tmp_path / "run.ledger", "Shop")
    first.creates(ONE)
    with pytest.raises(BlockingIOError, match="another program keeps this ledger"):
        Ledger(tmp_path / "run.ledger", "Shop", first.book).prepare()
    assert lines(tmp_path / "run.ledger")
    first.close()


def test_a_file_that_another_took_for_empty_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, lock, taken = tmp_path / "run.ledger", ledger._lock, list[int]()

    def late(descriptor: int) -> bool:
        if not taken:
            path.unlink()
        taken.append(descriptor)
        return lock(descriptor)

    monkeypatch.setattr(ledger, "_lock", late)
    book = Ledger(path, "Shop")
    book.creates(ONE)
    assert lines(path)[-1]["what"] == ONE.what
    book.close()


def _look(folder: str, until: str) -> None:
    while not Path(until).exists():
        list(ledger.leftovers({"READINESS_STATE": folder}))


def test_those_who_look_meanwhile_take_no_ledger_away(tmp_path: Path) -> None:
    folder, stop = tmp_path / "state", tmp_path / "stop"
    folder.mkdir()
    looks = multiprocessing.get_context("spawn").Process(
        target=_look, args=(str(folder), str(stop))
    )
    looks.start()
    try:
        for n in range(150):
            book = Ledger(folder / f"{n}.ledger", "Shop")
            book.creates(ONE)
            assert lines(folder / f"{n}.ledger")[-1]["what"] == ONE.what
            book.gone(ONE)
            book.close()
    finally:
        stop.touch()
        looks.join(20)
    assert looks.exitcode == 0


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"READINESS_STATE": "/a", "XDG_STATE_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"XDG_STATE_HOME": "/b", "HOME": "/c"}, "/b/readiness"),
        ({"HOME": "/c"}, "/c/.local/state/readiness"),
    ],
)
def test_where_ledgers_are_kept(environ: dict[str, str], folder: str) -> None:
    assert ledger.folder(environ) == Path(folder)
    assert ledger.file_of("5f3c", environ) == Path(folder) / "5f3c.ledger"
