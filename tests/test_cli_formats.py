"""`--format` as its user types it: what each name leaves in the folder, on stdout and in CI."""

import json
from collections.abc import Mapping
from pathlib import Path
from subprocess import CompletedProcess

from readiness.report import FORMATS, github
from tests.golden import FOLDER
from tests.program import readiness


def report(
    where: Path, *formats: str, sample: str = "broken", env: Mapping[str, str] | None = None
) -> "CompletedProcess[str]":
    """Render saved evidence in `formats` to the folder `out`, in no CI but that of `env`."""
    words = [word for name in formats for word in ("--format", name)]
    evidence = str(FOLDER / f"{sample}.evidence.json")
    environ = {"GITHUB_STEP_SUMMARY": "", "GITHUB_OUTPUT": "", **(env or {})}
    return readiness("report", evidence, "--out", "out", *words, cwd=where, env=environ)


def test_every_format_with_a_file_is_written_to_the_folder(tmp_path: Path) -> None:
    done = report(tmp_path, *FORMATS)
    assert done.returncode == 1, done.stderr
    files = {form.file for form in FORMATS.values()} | {"evidence.json", "assessment.json"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == files
    assert "::" not in done.stdout
    for name in ("readiness.sarif", "gl-code-quality.json"):
        assert json.loads((tmp_path / "out" / name).read_text("utf-8"))
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert page.startswith("<!doctype html>") and page.endswith("</html>\n")


def test_github_annotates_on_stdout_and_adds_to_the_step_summary(tmp_path: Path) -> None:
    collected = tmp_path / "step.md"
    collected.write_text("# Tests\n", "utf-8")
    done = report(tmp_path, "github", "summary", env={"GITHUB_STEP_SUMMARY": str(collected)})
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert sum(line.startswith("::error file=") for line in lines) == github.MOST
    assert any(line.startswith("NOT READY") for line in lines)
    summary = (tmp_path / "out" / "summary.md").read_text("utf-8")
    assert collected.read_text("utf-8") == f"# Tests\n{summary}"


def test_github_elsewhere_only_annotates(tmp_path: Path) -> None:
    done = report(tmp_path, "github")
    assert done.stdout.count("::error file=") == github.MOST
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"report.md", "evidence.json", "assessment.json"}


def test_github_says_nothing_of_a_system_without_problems(tmp_path: Path) -> None:
    collected = tmp_path / "step.md"
    done = report(tmp_path, "github", sample="fixed", env={"GITHUB_STEP_SUMMARY": str(collected)})
    assert done.returncode == 0
    assert "::" not in done.stdout
    assert "ready for production" in collected.read_text("utf-8")


def test_a_step_summary_that_cannot_be_written_is_said_and_loses_nothing(tmp_path: Path) -> None:
    lost = str(tmp_path / "none" / "step.md")
    done = report(tmp_path, "github", sample="fixed", env={"GITHUB_STEP_SUMMARY": lost})
    assert done.returncode == 6
    assert "GITHUB_STEP_SUMMARY cannot be written to (No such file or directory)" in done.stderr
    assert (tmp_path / "out" / "report.md").exists()
    assert "100/100" in done.stdout


def test_an_unknown_format_is_guessed_among_all(tmp_path: Path) -> None:
    done = report(tmp_path, "githb")
    assert done.returncode == 2
    assert "Did you mean 'github'?" in done.stderr
