"""README and docs say what is so: every command and option in them exists, tables are fresh."""

import re
import shlex
from pathlib import Path

import pytest

from readiness.document import parse
from readiness.inventory import from_document
from readiness.probes import load
from tests.program import readiness

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(text: str) -> list[str]:
    blocks = re.findall(r"```(?:sh|console|bash|yaml)\n(.*?)```", text, re.DOTALL)
    lines = [
        line.strip().removeprefix("$ ").removeprefix("- run: ")
        for b in blocks
        for line in b.splitlines()
    ]
    return [
        line.partition("  #")[0].strip() for line in lines if re.match(r"(readiness|make) ", line)
    ]


GROUPS = ("history",)
"""Commands that have commands of their own."""

ALL = sorted({c for page in PAGES for c in commands(page.read_text("utf-8"))})


def test_the_readme_shows_commands() -> None:
    assert "make demo" in ALL
    assert "make test" in ALL
    assert any(c.startswith("readiness run") for c in ALL)


@pytest.mark.parametrize("line", [c for c in ALL if c.startswith("readiness ")])
def test_every_command_and_option_exists(line: str, tmp_path: Path) -> None:
    words = [w for w in shlex.split(line)[1:] if not w.startswith("-")]
    options = re.findall(r"(?<!\S)--[a-z-]+", line)
    shown = readiness(*words[: 2 if words[0] in GROUPS else 1], "--help", cwd=tmp_path)
    assert shown.returncode == 0, line
    for option in options:
        assert option in shown.stdout, f"{line}: {option}"


@pytest.mark.parametrize("line", [c for c in ALL if c.startswith("make ")])
def test_every_make_target_exists(line: str) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert line.split()[1] in targets


def test_the_exit_codes_are_documented() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    for code in ("0", "1", "2", "3", "4", "5", "6", "130"):
        assert re.search(rf"^\| `?{code}", text, re.MULTILINE), code


def test_the_excerpt_has_the_tables_of_the_report() -> None:
    report = (ROOT / "tests" / "golden" / "broken.report.md").read_text("utf-8")
    shown = (ROOT / "README.md").read_text("utf-8")
    heads = re.findall(r"^> (\|.*)\n> \|[-:|]+$", shown, re.MULTILINE)
    assert len(heads) == 4
    for head in heads:
        assert f"\n{head}\n" in report


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


SERVICES = """
version: 1
system: {name: s}
services:
  api: {kind: http, url: "http://localhost:1"}
  auth: {kind: http, url: "http://localhost:2"}
  files: {kind: http, url: "http://localhost:3"}
"""


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs" / "journeys.md"])
def test_the_journeys_shown_can_be_walked(page: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    [shown] = [block for block in blocks if re.search("^journeys:", block, re.MULTILINE)]
    found = parse(SERVICES + shown, page.name)
    named = dict.fromkeys(("ANN", "ANN_PW", "KEY"), "x")
    assert from_document(found, named).journeys[0].steps[0].creates


def test_the_settings_shown_are_settings() -> None:
    text = (ROOT / "docs" / "journeys.md").read_text("utf-8")
    [shown] = [b for b in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "jwt:" in b]
    data = parse(shown, "journeys.md").data["services"]
    for service in data.values():
        for name, settings in service["probes"].items():
            load(name).Settings.model_validate(settings)
