"""A composite action -> its steps run one after the other, as GitHub's runner would run them.

Run steps are run by bash with files that stand in for the runner's; of what `uses` another action
is kept with what it would be given, for that is not ours.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.program import environment

_BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|\d+|[\w.-]+(?:\(\))?|==|!=|&&|\|\||!|\(|\))")


@dataclass
class Ran:
    """What a run of the action came to."""

    steps: list[str] = field(default_factory=list)
    """The names of the steps that ran."""
    used: dict[str, dict[str, str]] = field(default_factory=dict)
    """Step -> what the action it uses was given."""
    printed: dict[str, str] = field(default_factory=dict)
    summaries: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    failed: str | None = None
    """The first step that failed."""
    code: int = 0


def run(
    action: Path, given: Mapping[str, str], github: Mapping[str, str], workspace: Path, temp: Path
) -> Ran:
    """Run `action` with the inputs `given` in a job whose variables are `github`."""
    declared = yaml.safe_load(action.read_text("utf-8"))
    unknown = set(given) - set(declared["inputs"])
    assert not unknown, f"no such inputs: {unknown}"
    job = _Job(action.parent, github, workspace, temp)
    for name, told in declared["inputs"].items():
        job.known[f"inputs.{name}"] = given.get(name, job.filled(str(told.get("default", ""))))
    for step in declared["runs"]["steps"]:
        job.step(step)
    for name, told in declared["outputs"].items():
        job.ran.outputs[name] = job.filled(told["value"])
    return job.ran


class _Job:
    def __init__(self, home: Path, github: Mapping[str, str], workspace: Path, temp: Path) -> None:
        self.home, self.github, self.workspace, self.temp = home, github, workspace, temp
        self.ran = Ran()
        self.path = ""
        self.known = {
            "github.action_path": str(home),
            "github.token": github.get("GITHUB_TOKEN", ""),
            "github.run_id": "11",
            "github.run_attempt": "1",
            "runner.temp": str(temp),
        }

    def step(self, step: Mapping[str, Any]) -> None:
        condition = str(step.get("if", "success()")).removeprefix("${{").removesuffix("}}")
        wanted = _Expression(condition, {**self.known, "success()": not self.ran.failed}).value()
        if not wanted or ("always()" not in condition and self.ran.failed):
            return
        name = step["name"]
        self.ran.steps.append(name)
        if "uses" in step:
            self.ran.used[name] = {k: self.filled(str(v)) for k, v in step["with"].items()}
            return
        assert "${{" not in step["run"], f"{name}: an input in a script is a script"
        assert step["shell"] == "bash"
        code = self.script(name, step)
        if code and not self.ran.failed:
            self.ran.failed, self.ran.code = name, code

    def script(self, name: str, step: Mapping[str, Any]) -> int:
        files = {key: self.temp / f"{name} {key}" for key in ("OUTPUT", "STEP_SUMMARY", "PATH")}
        for file in files.values():
            file.touch()
        script = self.temp / f"{name}.sh"
        script.write_text(step["run"], "utf-8")
        told = {key: self.filled(str(value)) for key, value in step.get("env", {}).items()}
        environ = {
            **{k: v for k, v in environment().items() if not k.startswith(("GITHUB_", "CI"))},
            **{k: v for k, v in self.github.items() if k != "GITHUB_TOKEN"},
            **{f"GITHUB_{key}": str(file) for key, file in files.items()},
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_ACTION_PATH": str(self.home),
            "RUNNER_TEMP": str(self.temp),
            "PATH": f"{self.path}{os.environ['PATH']}",
            **told,
        }
        folder = self.workspace / self.filled(step.get("working-directory", "."))
        done = subprocess.run(
            [*_BASH, str(script)],
            cwd=folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        self.ran.printed[name] = done.stdout
        self.ran.summaries[name] = files["STEP_SUMMARY"].read_text("utf-8")
        for line in files["OUTPUT"].read_text("utf-8").splitlines():
            key, _, value = line.partition("=")
            self.known[f"steps.{step['id']}.outputs.{key}"] = value
        self.path = "".join(f"{p}:" for p in files["PATH"].read_text().split()) + self.path
        return done.returncode

    def filled(self, text: str) -> str:
        return re.sub(
            r"\$\{\{(.*?)\}\}", lambda m: str(_Expression(m[1], self.known).value()), text
        )


class _Expression:
    """The part of GitHub's expressions that the action uses; what is not known is empty."""

    def __init__(self, text: str, known: Mapping[str, object]) -> None:
        self.tokens = _TOKEN.findall(text.strip())
        assert "".join(self.tokens) == re.sub(r"\s(?=(?:[^']*'[^']*')*[^']*$)", "", text.strip())
        self.known = {"always()": True, **known}

    def value(self) -> object:
        found = self._either()
        assert not self.tokens, self.tokens
        return found

    def _either(self) -> object:
        found = self._both()
        while self._next("||"):
            other = self._both()
            found = found or other
        return found

    def _both(self) -> object:
        found = self._compared()
        while self._next("&&"):
            other = self._compared()
            found = found and other
        return found

    def _compared(self) -> object:
        found = self._one()
        if self._next("=="):
            return found == self._one()
        if self._next("!="):
            return found != self._one()
        return found

    def _one(self) -> object:
        if self._next("!"):
            return not self._one()
        if self._next("("):
            found = self._either()
            assert self._next(")")
            return found
        token = self.tokens.pop(0)
        return token[1:-1].replace("''", "'") if token[0] == "'" else self.known.get(token, "")

    def _next(self, token: str) -> bool:
        if self.tokens and self.tokens[0] == token:
            self.tokens.pop(0)
            return True
        return False
