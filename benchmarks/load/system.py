"""The sample system, latency and concurrency included: how long, and do its intervals decide?"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.load.peer import Broken
from benchmarks.load.table import Bound, at_most, number, show


def run(rounds: int, seconds: float) -> list[Bound]:
    lasted, findings = _assess()
    intervals = [each for each in findings if each["n"] is not None]
    rows = [
        ["seconds", number(lasted, 1)],
        ["findings of a sampled figure", str(len(intervals))],
        ["of these undecided", str(sum(each["undecided"] for each in intervals))],
        ["of all unknown", str(sum(each["outcome"] == "unknown" for each in findings))],
    ]
    show("readiness demo --fixed", ["what", "measured"], rows)
    undecided = sum(each["undecided"] for each in intervals)
    return [
        at_most("sample system, start and end included", lasted, 10, " s"),
        at_most("sample system: undecided intervals", undecided, 0),
    ]


def _assess() -> tuple[float, list[dict[str, Any]]]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "readiness", "demo", "--fixed", "--out", folder]
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True)
        lasted = time.perf_counter() - began
        if done.returncode:
            last = ((done.stderr or done.stdout).strip().splitlines() or ["nothing"])[-1]
            raise Broken(f"readiness demo ended with {done.returncode}: {last}")
        assessment = json.loads((Path(folder) / "assessment.json").read_text())
        return lasted, assessment["findings"]
