"""Reports as tools write them, made at whatever time a test needs them to be."""

import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from readiness.inventory import Artifact, ArtifactKind

SAVED = Path(__file__).parent / "probes" / "reports"
"""Real output of other tools, with the paths of the machine it ran on taken out."""

COMMIT = "1f8d5a0c3b7e9246aa10c5d4e3f2b1a09876fedc"


def artifact(kind: ArtifactKind, *files: str, probe: str = "", **settings: Any) -> Artifact:
    """Name files, with settings of the probe that reads them."""
    plain = Artifact(name="evidence", kind=kind, files=files)
    if not settings:
        return plain
    return plain.model_copy(update={"probes": {plain.health_probe: settings}})


def at(hours_ago: float = 0.0) -> str:
    """Write a time with its zone."""
    return (datetime.now(UTC) - timedelta(hours=hours_ago)).isoformat(timespec="milliseconds")


def saved(name: str) -> str:
    """Return what a tool wrote, as if it had done so just now."""
    text = (SAVED / name).read_text("utf-8")
    return re.sub(r'(?<=timestamp=")\d{4}-[^"]*', at(), text)


def aged_file(path: Path, hours: float) -> None:
    """Set back a file's own time."""
    then = time.time() - hours * 3600
    os.utime(path, (then, then))


def junit(*cases: str, began: str | None = None, name: str = "unit", **claims: Any) -> str:
    """Write a suite of `cases`, each `name`, `name:element` or `name:element:element`."""
    body = "".join(_case(case) for case in cases)
    attributes = {"name": name, "timestamp": at() if began is None else began, **claims}
    told = " ".join(f'{key}="{value}"' for key, value in attributes.items() if value != "")
    return f"<testsuites><testsuite {told}>{body}</testsuite></testsuites>"


def _case(case: str) -> str:
    name, *elements = case.split(":")
    inner = "".join(f"<{element}/>" for element in elements)
    return f'<testcase classname="shop.Cart" name="{name}">{inner}</testcase>'


def sarif(*results: Any, **changes: Any) -> str:
    """Write one successful run of a scanner that has just ended."""
    rules = changes.pop("rules", [])
    run = {
        "tool": {"driver": {"name": "Scanner", "semanticVersion": "1.2.3", "rules": rules}},
        "invocations": [{"executionSuccessful": True, "endTimeUtc": at()}],
        "results": list(results),
        **changes,
    }
    return json.dumps({"version": "2.1.0", "runs": [run]})


def result(level: str | None = "error", **changes: Any) -> dict[str, Any]:
    """Return a result at a place, whose message quotes what must not be shown."""
    physical = {
        "artifactLocation": {"uri": "src/app.py"},
        "region": {"startLine": 7, "snippet": {"text": "token = 'hunter2'"}},
    }
    told = {
        "ruleId": "R1",
        "message": {"text": "token is hunter2"},
        "locations": [{"physicalLocation": physical}],
        **({"level": level} if level else {}),
    }
    return {key: value for key, value in {**told, **changes}.items() if value is not None}


def run_pytest(folder: Path) -> None:
    """Run a small suite with pytest itself: junit.xml, coverage.xml and coverage.info."""
    package = folder / "shop"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "cart.py").write_text(
        "def total(prices, vat=False):\n"
        "    if vat:\n"
        "        return sum(prices) * 1.2\n"
        "    return sum(prices)\n"
    )
    (package / "unused.py").write_text("def never():\n    return 1\n")
    (folder / "test_cart.py").write_text(SUITE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    reports = ["--junitxml=junit.xml", "--cov=shop", "--cov-branch"]
    reports += ["--cov-report=xml:coverage.xml", "--cov-report=lcov:coverage.info"]
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV"))}
    ran = subprocess.run(
        [*command, *reports, "--rootdir=.", "-c", os.devnull, "."],
        cwd=folder,
        env=environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr


SUITE = """
import pytest
from shop import cart

@pytest.fixture
def leaking():
    yield
    raise RuntimeError("teardown")

@pytest.fixture(autouse=True, scope="session")
def told(record_testsuite_property):
    record_testsuite_property("git.commit", "1f8d5a0c3b7e9246aa10c5d4e3f2b1a09876fedc")

def test_adds(): assert cart.total([1, 2]) == 3
def test_breaks(): assert cart.total([1]) == 2
def test_leaks(leaking): pass
def test_breaks_and_leaks(leaking): assert 0
@pytest.mark.skip
def test_later(): pass
@pytest.mark.xfail
def test_known(): assert 0
@pytest.mark.parametrize("text", ["a", "<&>", "\\x1b[31m\\u202e"])
def test_each(text): pass
"""
"""Nine tests: 4 pass, 3 do not, two of these by their teardown, 2 are skipped."""
