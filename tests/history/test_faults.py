"""Whatever kills a writer, fills its disk or stands beside it: no acknowledged run is lost."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from readiness.history import HistoryError, open_history
from tests.history.runs import run
from tests.program import environment

ROOT = Path(__file__).resolve().parent.parent.parent
MEMORY = Path("/dev/shm")
"""A disk that syncs at once, where there is one: what is killed is the process, not the machine."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another")


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Path]:
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    with TemporaryDirectory(dir=MEMORY, prefix="readiness-") as name:
        yield Path(name)


def writers(*words: object, seconds: float = 120) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.history.writers", *map(str, words)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    print(words[0], found)
    return found


@pytest.mark.parametrize("kills", [20, pytest.param(100, marks=pytest.mark.thorough)])
def test_kill_9_at_any_instant_loses_no_acknowledged_run(quick: Path, kills: int) -> None:
    found = writers("killed", quick / "h.db", kills, 20260301)
    assert (found["lost"], found["torn"], found["aside"]) == (0, 0, 0)
    assert found["acked"] >= kills, "they were killed at work"


def test_16_writers_at_once_lose_nothing_in_a_file(quick: Path) -> None:
    found = writers("at_once", quick / "h.db", 16, 25)
    assert found == {"runs": 400, "lost": 0, "torn": 0, "failed": 0}


@pytest.mark.parametrize("each", [4, pytest.param(25, marks=pytest.mark.thorough)])
def test_16_writers_at_once_lose_nothing_in_postgres(team: str, each: int) -> None:
    found = writers("at_once", team, 16, each)
    assert found == {"runs": 16 * each, "lost": 0, "torn": 0, "failed": 0}


def test_a_disk_that_is_full_at_20_offsets_loses_nothing(quick: Path) -> None:
    found = writers("full", quick / "h.db", 20)
    assert (found["lost"], found["torn"], found["aside"]) == (0, 0, 0)
    assert found["kept"] == 1, "the one that had room"
    assert [told for told in found["told"] if told] == [
        "FILE: the history cannot be used: its disk is full or does not work."
        " Mend that, or name another with --history."
    ]


def test_a_file_system_without_space_is_said_and_loses_nothing(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "readiness-test", str(tmp_path)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("nothing can be mounted here")
    history = open_history(str(tmp_path / "h.db"), {})
    ballast = tmp_path / "ballast"
    ballast.write_bytes(bytes(300_000))
    try:
        kept = []
        with pytest.raises(HistoryError, match="no space is left on its disk"):
            for n in range(100):
                kept.append(history.add(run(f"r{n}", n, packs={"bulk": os.urandom(90_000).hex()})))
        assert kept
        assert history.runs() == kept[::-1]
        ballast.unlink()
        history.add(run("again"))
        assert history.remove([kept[0].run_id]) == 1
        assert [p.name for p in tmp_path.iterdir()] == ["h.db"]
    finally:
        history.close()
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_damaged_file_is_set_aside_by_one_of_many_and_no_run_is_lost(quick: Path) -> None:
    found = writers("aside", quick / "h.db", 8)
    assert found == {"runs": 8, "lost": 0, "torn": 0, "failed": 0, "aside": 1}


@needs_root
def test_a_file_that_may_not_be_read_is_left_alone(quick: Path) -> None:
    path = quick / "h.db"
    open_history(str(path), {}).close()
    quick.chmod(0o777)
    before = path.read_bytes()
    assert "Permission denied" in writers("stranger", path)["told"]
    assert path.read_bytes() == before
    path.chmod(0o644)
    assert "may not be written to" in writers("stranger", path)["told"]
    assert [p.name for p in quick.iterdir()] == ["h.db"]
    assert path.read_bytes() == before
