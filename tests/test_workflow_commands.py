"""Nothing that a service answers, and nothing an inventory says, is a command to a CI's runner."""

import functools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings

from readiness.__main__ import _explained
from readiness.assessment import assess
from readiness.cli.words import conclusion, files
from readiness.criteria import bundled_criteria
from readiness.document import ConfigurationError
from readiness.report import PRINTED
from tests import samples
from tests.background import background
from tests.hostile import FEW, HOSTILE, sendable, spoiled
from tests.program import readiness
from tests.runner_commands import Command, commands, suspicious
from tests.servers import Request, Web, response

CRITERIA = bundled_criteria()
ATTACKS = (
    "x\n::add-mask::a",
    "x\r::stop-commands::t",
    "\u2028::error::x",
    "\u200b::warning::x",
    "  ::set-output name=a::b",
    "##[add-mask]secret",
    "#\u200b#[error]x",
    "text ##[group]x",
    "##vso[task.setvariable variable=a]b",
    "##teamcity[x]",
    "::error file=a,line=1,title=a%0A::b%0D%0A::c",
)


def test_the_runners_rules_are_known() -> None:
    """What its own tests say: a command has a known name, a line of its own, and two colons."""
    (told,) = commands("::error file=a.py,line=3,title=a%3Ab::50 %25%0Amore\n")
    assert told == Command("error", {"file": "a.py", "line": "3", "title": "a:b"}, "50 %\nmore")
    for line in (
        "  ::debug::x",
        "::Warning::",
        "a ##[error]b",
        "##[set-env name=x;]y",
        "a\r::debug::",
    ):
        assert len(commands(line)) == 1, line
        assert suspicious(line)
    for line in ("a ::error::b", "::error", "::unknown::x", "##[x]", "# #[error]", ": :error::"):
        assert commands(line) == [], line
    assert commands("\u200b::error::x") and commands("#\u00ad#[error]x")


@functools.cache
def usual() -> list[tuple[str, dict[str, str]]]:
    """Return name and properties of the annotations where nobody attacks."""
    found = assess(spoiled(samples.partial(), "x"), CRITERIA)
    return [(c.name, c.properties) for c in commands(PRINTED["github"](found))]


def unharmed(text: str) -> None:
    """Make sure that of a system described by `text` all is printed, and nothing obeyed."""
    found = assess(spoiled(samples.partial(), text), CRITERIA)
    assert suspicious(conclusion(found)) == []
    printed = PRINTED["github"](found)
    assert [(c.name, c.properties) for c in commands(printed)] == usual()
    assert suspicious(printed) == printed.splitlines()


@pytest.mark.parametrize("attack", ["\n".join(ATTACKS), ATTACKS[5]])
def test_nothing_from_outside_starts_a_command(attack: str) -> None:
    unharmed(attack)


@pytest.mark.thorough
@settings(parent=FEW, max_examples=50)
@given(text=HOSTILE)
def test_nothing_at_all_from_outside_starts_a_command(text: str) -> None:
    unharmed(sendable(text))


@given(text=HOSTILE)
@example(text="\n".join(ATTACKS))
def test_no_name_of_a_file_and_no_mistake_starts_a_command(text: str) -> None:
    assert suspicious(files([Path("out") / text.replace("\0", "")])) == []
    _, complaint = _explained(ConfigurationError(text, file=text, line=3, fix=text))
    assert suspicious(complaint) == []


@pytest.mark.parametrize("form", ["github", "junit"])
def test_evidence_that_attacks_is_printed_without_effect(form: str, tmp_path: Path) -> None:
    path = tmp_path / "evidence.json"
    path.write_text(spoiled(samples.broken(), "\n".join(ATTACKS)).to_json(), "utf-8")
    quiet = {"GITHUB_STEP_SUMMARY": "", "GITHUB_OUTPUT": ""}
    done = readiness("report", str(path), "--format", form, cwd=tmp_path, env=quiet)
    assert done.returncode == 1, done.stderr
    names = {c.name for c in commands(done.stdout)}
    assert names == ({"error", "notice"} if form == "github" else set())
    assert commands(done.stderr) == []
    for command in commands(done.stdout):
        assert set(command.properties) in ({"title"}, {"file", "line", "title"})


@pytest.fixture(scope="module")
def hostile() -> Iterator[int]:
    """The port of a service that answers with commands wherever it can."""

    def answer(_request: Request) -> bytes:
        said = " ".join(ATTACKS).replace("\r", " ").replace("\n", " ")
        body = json.dumps({"status": said, "error": said, "checks": {said: [{"status": said}]}})
        return response(500, body, "application/health+json")

    with background(Web(answer)) as ports:
        yield ports[0]


def test_a_run_against_a_service_that_attacks(hostile: int, tmp_path: Path) -> None:
    (tmp_path / "services.yaml").write_text(
        "version: 1\n"
        'system: {name: "##[add-mask]shop ::error::x", environment: test}\n'
        "defaults: {timeout: 1s, samples: 20}\n"
        "services:\n"
        f'  api: {{kind: http, url: "http://127.0.0.1:{hostile}", criticality: critical}}\n'
    )
    done = readiness("run", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert suspicious(done.stdout) == suspicious(done.stderr) == []


@pytest.mark.parametrize("words", [("validate",), ("run", "--only"), ("explain",)])
def test_mistakes_are_told_without_effect(words: tuple[str, ...], tmp_path: Path) -> None:
    """An inventory may come with a change from outside."""
    for attack in ("\n".join(ATTACKS), "::error::x", "##[add-mask]x"):
        quoted = json.dumps(attack)
        (tmp_path / "services.yaml").write_text(
            f"version: 1\nsystem: {{name: x, {quoted}: 1}}\n"
            f"services: {{{quoted}: {{kind: {quoted}}}}}\n"
        )
        more = () if words == ("validate",) else (attack,)
        done = readiness(*words, *more, cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert suspicious(done.stdout) == suspicious(done.stderr) == []


def test_inventories_and_packs_are_told_of_without_effect(tmp_path: Path) -> None:
    attack = json.dumps("\n".join(ATTACKS))
    (tmp_path / "services.yaml").write_text(
        "version: 1\nsystem: {name: x, environment: test}\n"
        "services: {api: {kind: http, url: http://127.0.0.1:1}}\n"
        'artifacts: {stack: {kind: compose, files: ["##[add-mask]x.yaml"]}}\n'
    )
    (tmp_path / "pack.yaml").write_text(
        "checks:\n  own-check:\n    area: performance\n    probe: http_latency\n"
        f"    metric: p50_ms\n    title: {attack}\n    severity: low\n    better: lower\n"
        f"    target: 1\n    limit: 2\n    unit: ms\n    why: {attack}\n"
        "    fix: {text: Do it., effort_hours: 1}\n"
    )
    for words in (("validate",), ("explain", "--checks", "pack.yaml", "own-check")):
        done = readiness(*words, cwd=tmp_path)
        assert suspicious(done.stdout) == suspicious(done.stderr) == []
        assert (done.returncode, done.stderr) == (0, "")
