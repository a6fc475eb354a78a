"""The sample system, latency and concurrency included: how long, and do its intervals decide?"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.load.peer import Broken
from benchmarks.load.table import Bound, at_most, number, show


def run(rounds: int, seconds: float) -> list[Bound]:
    runs = [_assess() for _ in range(rounds)]
    lasted, whole = (statistics.median(run[i] for run in runs) for i in (0, 1))
    findings = [each for run in runs for each in run[2]]
    intervals = [each for each in findings if each["n"] is not None]
    unknown = sum(each["outcome"] == "unknown" for each in findings)
    rows = [
        ["seconds of the assessment", number(lasted, 1)],
        ["with the start and the end of the system", number(whole, 1)],
        ["findings of a sampled figure", str(len(intervals))],
        ["of these undecided", str(sum(each["undecided"] for each in intervals))],
        ["of all unknown", str(unknown)],
    ]
    show("readiness demo --fixed", ["what", "measured"], rows)
    undecided = sum(each["undecided"] for each in intervals)
    return [
        at_most("sample system, assessed", lasted, 10, " s"),
        at_most("sample system: undecided intervals", undecided, 0),
        at_most("sample system: unknown findings", unknown, 0),
    ]


def _assess() -> tuple[float, float, list[dict[str, Any]]]:
    """Return the seconds of the assessment, those of the whole command, and the findings."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "readiness", "demo", "--fixed", "--out", folder]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True)
        lasted = time.perf_counter() - start
        if done.returncode:
            last = ((done.stderr or done.stdout).strip().splitlines() or ["nothing"])[-1]
            raise Broken(f"readiness demo ended with {done.returncode}: {last}")
        assessment = json.loads((Path(folder) / "assessment.json").read_text())
        began, ended = (
            datetime.fromisoformat(assessment[f"{end}_at"]) for end in ("started", "finished")
        )
        return (ended - began).total_seconds(), lasted, assessment["findings"]
