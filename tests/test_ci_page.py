"""docs/ci.md: its workflows and pipelines are taken by the schemas of those who run them."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from readiness.report import FORMATS, PRINTED
from tests.builtin_schemas import builtin

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "ci.md").read_text("utf-8")
BLOCKS: list[str] = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
WORKFLOWS = [text for text in BLOCKS if "jobs:" in text]
PIPELINES = [text for text in BLOCKS if "jobs:" not in text]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))


def workflow(text: str) -> str:
    """Return the whole workflow that an example is of, with the action in its own repository."""
    head = "" if re.search(r"^on:", text, re.M) else "on: pull_request\n"
    return f"{head}{text}".replace("example/readiness@v1", "./")


def test_there_is_one_example_of_each() -> None:
    assert (len(WORKFLOWS), len(PIPELINES)) == (2, 1)


@pytest.mark.parametrize("text", WORKFLOWS)
def test_workflows_are_valid_and_start_no_script_of_an_expression(text: str) -> None:
    written = yaml.load(workflow(text), yaml.BaseLoader)  # where `on` is no truth value
    plain = yaml.safe_load(workflow(text).replace("\non:", '\n"on":').replace("on: p", '"on": p'))
    jsonschema.validate(plain, builtin("github-workflows"))
    for job in written["jobs"].values():
        assert not [step for step in job["steps"] if "${{" in step.get("run", "")]
        for step in job["steps"]:
            if step.get("uses") == "./":
                assert set(step["with"]) <= set(ACTION["inputs"])


@pytest.mark.skipif(not shutil.which("actionlint"), reason="actionlint is not installed")
def test_actionlint_has_no_objection(tmp_path: Path) -> None:
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "action.yml", tmp_path)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    for n, text in enumerate(WORKFLOWS):
        (folder / f"{n}.yml").write_text(f"name: readiness\n{workflow(text)}", "utf-8")
    done = subprocess.run(
        ["actionlint"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_the_pipeline_is_valid_and_sets_what_there_is() -> None:
    (text,) = PIPELINES
    written = yaml.safe_load(text)
    jsonschema.validate(written, builtin("gitlab-ci"))
    job = yaml.safe_load((ROOT / "ci" / "gitlab.yml").read_text("utf-8"))[".readiness"]
    ours = {name for name in written["readiness"]["variables"] if name.startswith("READINESS_")}
    assert ours <= set(job["variables"])


def test_every_input_output_and_format_is_told() -> None:
    for name in (*ACTION["inputs"], *ACTION["outputs"]):
        assert f"`{name}`" in PAGE, name
    for name, form in FORMATS.items():
        assert f"\n| {name} | {form.file} |" in PAGE
    for name in PRINTED:
        assert f"\n| {name} | stdout" in PAGE
