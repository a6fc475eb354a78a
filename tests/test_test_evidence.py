"""From an inventory with artifacts to the assessment: settings, folder, replay, objective."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from readiness import collect, document, steps
from readiness.assessment import Assessment, assess
from readiness.document import ConfigurationError
from readiness.evidence import Evidence, Tool, from_json
from readiness.inventory import from_document
from tests.judging import CRITERIA
from tests.reports import COMMIT, junit, result, sarif

INVENTORY = """
version: 1
system: {name: shop}
services:
  api: {kind: tcp, url: "tcp://localhost:9", probes: {tcp_connect: false}}
artifacts:
  unit:
    kind: junit
    files: ["reports/**/*.xml"]
    owner: "@dana"
    probes: {junit_results: {max_age: 24h, commit: "${GIT_COMMIT:-}", at_least: 42}}
  coverage:
    kind: coverage
    files: coverage.info
    checks: {coverage-lines: {target: 90%, limit: 50%}}
  scan: {kind: sarif, files: [scan.sarif]}
"""


def assessed(folder: Path, environ: dict[str, str]) -> Assessment:
    """Run the probes of the inventory in `folder`, save the evidence, and judge what was saved."""
    (folder / "services.yaml").write_text(INVENTORY)
    written = document.read(folder / "services.yaml")
    inventory = from_document(written, environ)
    plan = steps.plan(inventory, written, frozenset({"observe"}))
    collector = collect.Collector(plan, "run", 30, lambda _step, _measurement: None)
    asyncio.run(collector.run())
    now = datetime.now(UTC)
    evidence = Evidence(
        tool=Tool(version="0.1.0"),
        run_id="run",
        inventory=inventory,
        environment="local",
        allowed=("observe",),
        started_at=now,
        finished_at=now,
        measurements=collector.measurements("left"),
    )
    return assess(from_json(evidence.to_json(), "evidence.json"), CRITERIA)


def outcomes(found: Assessment) -> dict[str, str]:
    return {f.check: f.outcome for f in found.model.findings if f.area == "tests"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with fifteen tests that pass and 27 that do not, of this commit."""
    (tmp_path / "reports" / "api").mkdir(parents=True)
    good, bad = [f"ok{i}" for i in range(15)], [f"bad{i}:failure" for i in range(27)]
    named = f'<properties><property name="git.commit" value="{COMMIT}"/></properties></testsuite>'
    text = junit(*good, *bad).replace("</testsuite>", named)
    (tmp_path / "reports" / "api" / "junit.xml").write_text(text)
    (tmp_path / "coverage.info").write_text("SF:a.py\nDA:1,1\nDA:2,1\nDA:3,0\nend_of_record\n")
    (tmp_path / "scan.sarif").write_text(sarif(result("warning")))
    return tmp_path


def test_the_overall_success_rate_is_a_row(folder: Path) -> None:
    found = assessed(folder, {"GIT_COMMIT": COMMIT})
    assert outcomes(found) == {
        "tests-passed": "fail",
        "tests-flaky": "pass",
        "tests-skipped": "pass",
        "tests-not-vanished": "pass",
        "tests-commit": "pass",
        "coverage-lines": "warn",
        "scan-critical": "pass",
        "scan-high": "pass",
        "scan-errors": "pass",
    }
    row = next(o for o in found.objectives if o.id == "tests_passed")
    assert (row.current, row.met) == (15 / 42, False)
    assert row.because == "15 of 42 test cases passed"
    area = next(a for a in found.model.card.areas if a.id == "tests")
    assert area.applicable and area.score is not None and 0 < area.score < 100


def test_results_of_another_commit_are_neither_a_pass_nor_a_row(folder: Path) -> None:
    found = assessed(folder, {"GIT_COMMIT": "0" * 40})
    assert outcomes(found)["tests-passed"] == "unknown"
    assert outcomes(found)["tests-commit"] == "fail"
    row = next(o for o in found.objectives if o.id == "tests_passed")
    assert (row.current, row.met) == (None, None)
    assert (
        row.because
        == "unit: stale: reports/api/junit.xml is of commit 1f8d5a0c3b7e, not 000000000000"
    )


def test_without_a_commit_any_will_do(folder: Path) -> None:
    assert outcomes(assessed(folder, {}))["tests-commit"] == "not_applicable"


def test_a_branch_is_no_commit(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"junit_results\.commit"):
        assessed(folder, {"GIT_COMMIT": "main"})
