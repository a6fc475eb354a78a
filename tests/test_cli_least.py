"""`plan`, `report --only-checks` and `backtest` as their user meets them."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from readiness.assessment import assess
from readiness.evidence import Evidence
from readiness.history import open_history
from tests import samples
from tests.judging import CRITERIA
from tests.program import readiness

PACK = """\
checks:
  p95-tight:
    title: Fast at p95
    probe: http_latency
    metric: p95_ms
    kinds: [http]
    area: performance
    severity: high
    blocker: true
    unit: ms
    target: 20ms
    limit: 40ms
    sampled: true
    why: Users wait.
    fix: {text: Make it faster., effort_hours: 4}
"""


def saved(folder: Path, evidence: Evidence, name: str = "readiness-report/evidence.json") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(evidence.to_json(), "utf-8")
    return path


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """The folder of somebody who has run the assessment of a broken system."""
    saved(tmp_path, samples.broken())
    return tmp_path


def kept(folder: Path, *runs: Evidence) -> str:
    """Keep `runs`, two days apart, in a history of their own."""
    history = open_history(str(folder / "h.db"), {})
    try:
        history.prepare()
        for n, one in enumerate(runs):
            later = {
                "run_id": f"{n}{one.run_id[1:]}",
                "started_at": one.started_at + timedelta(days=2 * n),
                "finished_at": one.finished_at + timedelta(days=2 * n),
            }
            history.add(assess(one.model_copy(update=later), CRITERIA))
    finally:
        history.close()
    return "h.db"


def test_a_plan_tells_what_to_do_in_order(broken: Path) -> None:
    done = readiness("plan", "--target", "90", cwd=broken)
    assert done.returncode == 0, done.stderr
    least = assess(samples.broken(), CRITERIA).least
    assert least
    assert f"The least work to 90: {len(least.steps)} pieces of work, {least.hours:g} h" in (
        done.stdout
    )
    rows = [line for line in done.stdout.splitlines() if line[:1].isdigit()]
    assert len(rows) == len(least.steps)
    assert rows[0].startswith("1  Documented login works")
    assert "No other choice takes less." in done.stdout
    assert "Left out: 11 pieces of work" in done.stdout


def test_a_plan_as_json_is_one_object(broken: Path) -> None:
    done = readiness("plan", "--hours", "8", "--json", cwd=broken)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["schema"] == "readiness/plan/v1"
    assert (told["reached"], told["budget_hours"]) == (False, 8.0)
    assert told["hours"] <= 8
    assert sum(item["effort_hours"] for item in told["items"]) == told["hours"]
    assert told["items"][0]["owner"] == "identity"
    assert told["because"]


def test_a_plan_of_a_kept_run_or_a_folder(tmp_path: Path) -> None:
    where = kept(tmp_path, samples.fixed(), samples.broken())
    last = readiness("plan", "last", "--history", where, cwd=tmp_path)
    assert "NOT READY 59/100" in last.stdout, last.stderr
    saved(tmp_path, samples.fixed(), "there/evidence.json")
    done = readiness("plan", "there", cwd=tmp_path)
    assert "READY is reached already" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--target", "0"), "--target is a score from 1 to 100"),
        (("--target", "101"), "--target is a score from 1 to 100"),
        (("--target", "ninety"), "--target is a score from 1 to 100"),
        (("--hours", "-1"), "--hours is a number of hours"),
        (("--hours", "nan"), "--hours is a number of hours"),
        (("--hours", "soon"), "--hours is a number of hours"),
        ((), "no run has written its evidence here"),
        (("nosuch.json",), "cannot be read"),
        (("notes.json",), "this is not evidence"),
        (("nosuch", "--history", "h.db"), "no run is kept"),
    ],
)
def test_a_plan_that_cannot_be_says_why(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "notes.json").write_text("{}")
    done = readiness("plan", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def told(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "assessment.json").read_text("utf-8"))
    return found


def test_some_checks_alone_are_never_green(tmp_path: Path) -> None:
    saved(tmp_path, samples.fixed())
    (tmp_path / "new.yaml").write_text(PACK.replace("40ms", "90ms"))
    words = ("report", "readiness-report/evidence.json")
    whole = readiness(*words, cwd=tmp_path)
    assert whole.returncode == 0
    for asked in ("new.yaml", "jwt-*"):
        done = readiness(*words, "--only-checks", asked, "--format", "summary", cwd=tmp_path)
        assert done.returncode == 4, done.stderr
        assert f"BY SOME CHECKS ONLY: {asked}" in done.stdout
        out = tmp_path / "readiness-report" / "by-some-checks"
        found = told(out)
        assert (found["verdict"], found["exit_code"]) == ("inconclusive", 4)
        assert all(f["check"] in found["only_checks"] for f in found["findings"])
        for report in ("report.md", "summary.md"):
            assert "BY SOME CHECKS ONLY" in (out / report).read_text("utf-8")
    assert told(tmp_path / "readiness-report")["verdict"] == "ready", "the whole stays as it was"


def test_some_checks_that_block_do_so_and_leave_the_evidence_as_it_was(tmp_path: Path) -> None:
    path = saved(tmp_path, samples.fixed())
    (tmp_path / "new.yaml").write_text(PACK)
    words = ("report", str(path), "--only-checks", "new.yaml", "--only-checks", "jwt-*")
    done = readiness(*words, "--out", "out", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    found = told(tmp_path / "out")
    assert found["verdict"] == "not_ready"
    assert {"p95-tight"} < set(found["only_checks"])
    assert (tmp_path / "out" / "evidence.json").read_text("utf-8") == path.read_text("utf-8")


def test_what_is_no_check_and_no_file_is_named(broken: Path) -> None:
    words = ("report", "readiness-report/evidence.json", "--only-checks")
    done = readiness(*words, "jwt-algoritm", cwd=broken)
    assert done.returncode == 2
    assert "'jwt-algoritm' is no file, and no check is called so. Did you mean" in done.stderr
    (broken / "new.yaml").write_text("checks: [1]")
    done = readiness(*words, "new.yaml", cwd=broken)
    assert done.returncode == 2
    assert "new.yaml:1" in done.stderr


def test_a_backtest_counts_what_would_have_been_blocked(tmp_path: Path) -> None:
    fixed = samples.fixed()
    unmeasured = tuple(m for m in fixed.measurements if m.probe != "http_latency")
    lost = fixed.model_copy(update={"measurements": unmeasured})
    where = kept(tmp_path, samples.broken(), fixed, lost, fixed)
    (tmp_path / "new.yaml").write_text(PACK)
    done = readiness("backtest", "new.yaml", "--history", where, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()
    effects = [row for row in rows if "newly blocked" in row]
    assert len(effects) == 2 and all("1 fail" in row for row in effects)
    assert rows[-1].startswith("2 of 4 past runs would have been blocked; ")
    newest = readiness(
        *("backtest", "new.yaml", "--history", where, "--limit", "1", "--json"), cwd=tmp_path
    )
    found = json.loads(newest.stdout)
    assert found["counts"] == {
        **dict.fromkeys(("inconclusive", "not_passed", "passes", "cannot_tell"), 0),
        "blocked": 1,
    }
    assert [run["run_id"][0] for run in found["runs"]] == ["3"]
    assert found["checks"] == ["p95-tight"]


def test_a_backtest_leaves_out_what_is_no_whole_run_of_the_system_asked_for(tmp_path: Path) -> None:
    part = samples.fixed(only=("auth",))
    where = kept(tmp_path, part, samples.fixed())
    words = ("backtest", "--fail-on", "conditional", "--history", where)
    done = readiness(*words, cwd=tmp_path)
    assert done.stdout.splitlines()[-1].startswith("0 of 1 past run "), done.stderr
    other = readiness(*words, "--system", "nosuch", cwd=tmp_path)
    assert "No complete run is kept" in other.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nothing to try on past runs"),
        (("nosuch.yaml",), "cannot be read"),
        (("taken.yaml",), "exists already"),
        (("--fail-on", "ready"), "--fail-on does not know 'ready'"),
        (("new.yaml", "--history", "ftp://h"), "--history names no history"),
    ],
)
def test_a_backtest_that_cannot_be_says_why(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "new.yaml").write_text(PACK)
    (tmp_path / "taken.yaml").write_text(PACK.replace("p95-tight", "latency-p95"))
    done = readiness("backtest", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
