"""Where the history is, by option, variable and platform; and never the user's in these tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from readiness.history import HistoryError, is_asked, open_history
from readiness.history.where import VARIABLE, default, place
from tests.program import environment


def test_the_option_comes_before_the_variable_and_that_before_the_data_folder() -> None:
    environ = {"XDG_DATA_HOME": "/data", VARIABLE: "/named.db"}
    assert place("/here.db", environ).path == Path("/here.db")
    assert place(None, environ).path == Path("/named.db")
    assert place(None, {**environ, VARIABLE: ""}).path == Path("/data/readiness/history.db")
    assert is_asked("x", {}) and is_asked(None, environ)
    assert not is_asked(None, {**environ, VARIABLE: ""})


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {"HOME": "/h"}, "/h/.local/share/readiness/history.db"),
        ("linux", {"HOME": "/h", "XDG_DATA_HOME": "odd"}, "/h/.local/share/readiness/history.db"),
        ("linux", {"HOME": "/h", "XDG_DATA_HOME": "/d"}, "/d/readiness/history.db"),
        ("darwin", {"HOME": "/h"}, "/h/Library/Application Support/readiness/history.db"),
        ("win32", {"HOME": "/h", "LOCALAPPDATA": "/l"}, "/l/readiness/history.db"),
        ("win32", {"HOME": "/h"}, "/h/AppData/Local/readiness/history.db"),
    ],
)
def test_the_default_follows_the_custom_of_the_platform(
    platform: str, environ: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert default(environ) == Path(expected)


def test_a_postgres_and_nowhere_are_places_too() -> None:
    for url in ("postgresql://h/db", "postgres://u:p@h:5/db"):
        assert place(url, {}) == (url, None)
    assert place("none", {}) == (None, None)


@pytest.mark.parametrize("written", ["a@b.db", "of:us.db", "/home/me@work/10:30.db", "postgres.db"])
def test_a_file_may_have_an_odd_name(written: str) -> None:
    assert place(written, {}).path == Path(written).absolute()


@pytest.mark.parametrize(
    "written",
    [
        *("", "mysql://u:s3cret@h/db", "http://h/", "~nosuchuser/h.db"),
        *("postgresql:u:s3cret@h", "postgres:/u:s3cret@h/db", "POSTGRESQL:h/s3cret"),
        *("pg:u:s3/cret@h", "u:s3cret@h/db", "//u:s3cret@h/db", "./postgres//u:s3cret@h"),
    ],
)
def test_what_is_no_place_is_refused_without_being_quoted(written: str) -> None:
    with pytest.raises(HistoryError, match="--history names") as caught:
        open_history(written, {})
    assert "s3cret" not in str(caught.value)
    if written:
        with pytest.raises(HistoryError):
            open_history(None, {VARIABLE: written})


def test_no_test_meets_the_history_of_the_user() -> None:
    """Neither in this process nor in those that tests start, whatever they ask for."""
    home = Path.home()
    for environ in (os.environ, environment()):
        assert environ[VARIABLE] == "none"
        assert not default(environ).is_relative_to(home)
    print_it = "import os; from readiness.history.where import default; print(default(os.environ))"
    child = subprocess.run(
        [sys.executable, "-c", print_it],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent.parent.parent,
    )
    assert Path(child.stdout.strip()) == default(os.environ)


def test_a_history_that_is_none_keeps_nothing() -> None:
    from tests.history.runs import run

    history = open_history("none", {})
    assert history.add(run("a1")).run_id == "a1"
    assert history.runs() == ()
    with pytest.raises(HistoryError, match="no run is kept in a history that is none"):
        history.get("a1")
