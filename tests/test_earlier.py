"""A file of a run -> the baseline it makes, or why it makes none."""

import json
from pathlib import Path
from typing import Any

import pytest

from readiness import __version__
from readiness.assessment import Assessment
from readiness.baseline import Baseline
from readiness.cli import baseline, earlier
from readiness.cli.assess import judged_by
from readiness.criteria import digest
from readiness.document import ConfigurationError
from readiness.evidence import Runner, Tool
from readiness.history import open_history
from readiness.history.baselines import Wanted
from tests.history.runs import run
from tests.judging import CRITERIA, estimate, healthy

RUNNER = Runner(system="linux", machine="x86_64", cpus=2)
WANTED = Wanted("shop", "local", digest(CRITERIA), RUNNER.kind)


def made(**changes: Any) -> Assessment:
    return run("aa01", runner=RUNNER, **{"tool": Tool(version=__version__), **changes})


def written(folder: Path, evidence: Assessment, assessment: Assessment | None = None) -> Path:
    (folder / "evidence.json").write_text(evidence.evidence.to_json())
    if assessment:
        (folder / "assessment.json").write_text(assessment.to_json())
    return folder / "evidence.json"


def found(path: Path, environ: dict[str, str] | None = None, wanted: Wanted = WANTED) -> Any:
    kept = environ or {"READINESS_HISTORY": "none"}
    return baseline.find(str(path), None, kept, wanted, judged_by)


def test_evidence_alone_is_judged_anew(tmp_path: Path) -> None:
    one = found(written(tmp_path, made()))
    assert isinstance(one, Baseline)
    assert (one.run_id, one.value, one.recent) == ("aa01", made().model.decision.value, 0)
    assert one.readings


@pytest.mark.parametrize("name", ["evidence.json", "assessment.json"])
def test_the_score_is_that_of_the_assessment_beside_it(tmp_path: Path, name: str) -> None:
    written(tmp_path, made(), made())
    data = json.loads((tmp_path / "assessment.json").read_text())
    data["score"]["value"] = 12
    (tmp_path / "assessment.json").write_text(json.dumps(data))
    assert found(tmp_path / name).value == 12


def test_an_assessment_of_another_run_tells_nothing_of_this_one(tmp_path: Path) -> None:
    written(tmp_path, made(), run("bb", 5))
    assert found(tmp_path / "evidence.json").value == made().model.decision.value
    with pytest.raises(ConfigurationError, match=r"evidence\.json beside it is of another run"):
        found(tmp_path / "assessment.json")


def test_an_assessment_without_its_evidence_is_a_mistake(tmp_path: Path) -> None:
    written(tmp_path, made(), made()).unlink()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        found(tmp_path / "assessment.json")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"tool": Tool(version="0.0.9")},
            "was judged by readiness 0.0.9, whose criteria are not in the file.",
        ),
        ({"environment": "staging"}, "is of another environment, staging and not local."),
        ({"interrupted": "SIGTERM"}, "was interrupted."),
    ],
)
def test_what_does_not_match_is_said(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    path = written(tmp_path, made(**changes))
    assert found(path) == f"The run in {path} {why}"


def test_the_noise_comes_from_the_history_all_the_same(tmp_path: Path) -> None:
    history = open_history(str(tmp_path / "h.db"), {})
    for n in range(8):
        slow = healthy(http_latency__p95_ms=estimate(20 + n))
        history.add(run(f"a{n}", n, runner=RUNNER, found=slow))
    history.close()
    one = found(written(tmp_path, made()), {"READINESS_HISTORY": str(tmp_path / "h.db")})
    spreads = {reading.check: reading.spread for reading in one.readings}
    assert (one.recent, spreads["latency-p95"]) == (8, pytest.approx(1.4826 * 2))


def test_a_history_of_one_s_own_that_cannot_be_used_is_no_error(tmp_path: Path) -> None:
    folder = tmp_path / "readiness"
    folder.mkdir()
    (folder / "history.db").mkdir()
    mine = {"XDG_DATA_HOME": str(tmp_path)}
    because = baseline.find("last", None, mine, WANTED, judged_by)
    assert isinstance(because, str)
    assert because.startswith("The history cannot be used: ")
    assert found(written(tmp_path, made()), mine).recent == 0
    with pytest.raises(ConfigurationError):
        baseline.find("last", str(folder), mine, WANTED, judged_by)


@pytest.mark.parametrize(
    ("word", "is_file"), [("a.json", True), ("./a", True), ("4f1d2c", False), ("..", True)]
)
def test_a_path_is_told_from_an_id(word: str, is_file: bool) -> None:
    assert earlier.is_file(word) is is_file
