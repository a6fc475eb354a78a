"""How often the gate errs, on the real sample system: a table of runs that were blocked.

Run: python -m benchmarks.verdicts [BREACH...] [--runs N] [--out FILE]    (100 runs of each)

`healthy` is the whole repaired system of 12 services, which no run may block. Each breach is the
same system with one thing broken, assessed with the part of the inventory that concerns it: caught
is a run that the gate blocks (exit code 1) and whose finding fails at the check meant for it. As a
control the same part of the healthy system is assessed as often (`--controls N` for fewer). The
gate is the strictest: anything but READY blocks. Exit code 1 if a healthy run was blocked, or fewer
than 95 % of a breach caught. 100 runs of each take about three hours.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.verdicts.breaches import BREACHES, Breach
from benchmarks.verdicts.part import part, whole, write
from benchmarks.verdicts.service import VARIABLE
from readiness import demo

HEALTHY = "healthy"
CAUGHT = 0.95


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verdicts")
    parser.add_argument("names", nargs="*", metavar="BREACH", help=", ".join((HEALTHY, *BREACHES)))
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--controls", type=int, help="runs of each healthy part (as many)")
    parser.add_argument("--out", type=Path, help="also append each row to this file as JSON")
    asked = parser.parse_args()
    names = asked.names or [HEALTHY, *BREACHES]
    if strangers := [name for name in names if name not in (HEALTHY, *BREACHES)]:
        parser.error(f"no such breach: {strangers[0]}")
    controls = asked.runs if asked.controls is None else asked.controls
    print("| system | runs | blocked | by its check | false blocks of the healthy part | seconds |")
    print("|---|--:|--:|--:|--:|--:|")
    kept = True
    for name in names:
        row = _healthy(asked.runs) if name == HEALTHY else _breached(name, asked.runs, controls)
        print(_shown(row), flush=True)
        if asked.out:
            with asked.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        kept &= row["kept"]
    return 0 if kept else 1


def _healthy(runs: int) -> dict[str, Any]:
    with _running("") as environ, tempfile.TemporaryDirectory() as folder:
        found = _assess(whole(), Path(folder), environ, runs)
    blocked = runs - found["codes"][0]
    return _row("healthy, all 12 services", runs, blocked, None, (blocked, runs), found)


def _breached(name: str, runs: int, controls: int) -> dict[str, Any]:
    breach = BREACHES[name]
    inventory = part(breach.services, breach.journeys)
    with _running(name) as environ, tempfile.TemporaryDirectory() as folder:
        found = _assess(inventory, Path(folder), environ, runs, breach)
    false = 0
    if controls:
        with _running("") as environ, tempfile.TemporaryDirectory() as folder:
            control = _assess(inventory, Path(folder), environ, controls)
        false = controls - control["codes"][0]
        found["others"] += control["others"]
    what = f"{name}: {breach.what}"
    return _row(what, runs, found["codes"][1], found["right"], (false, controls), found)


def _row(
    what: str,
    runs: int,
    blocked: int,
    right: int | None,
    false: tuple[int, int],
    found: dict[str, Any],
) -> dict[str, Any]:
    caught = right is None or right >= CAUGHT * runs
    return {
        "what": what,
        "runs": runs,
        "blocked": blocked,
        "right": right,
        "false": false[0],
        "controls": false[1],
        "codes": dict(found["codes"]),
        "others": found["others"],
        "seconds": found["seconds"],
        "kept": caught and not false[0],
    }


def _shown(row: dict[str, Any]) -> str:
    right = "–" if row["right"] is None else f"{row['right']}"
    false = f"{row['false']} of {row['controls']}"
    return (
        f"| {row['what']} | {row['runs']} | {row['blocked']} | {right} | {false} "
        f"| {row['seconds']:.1f} |"
    )


@contextmanager
def _running(breach: str) -> Iterator[dict[str, str]]:
    """Start the repaired system with `breach`; yield the environment to assess it in."""
    os.environ[VARIABLE] = breach
    with demo.running(True, "benchmarks.verdicts.service") as variables:
        yield {**os.environ, **variables}


def _assess(
    inventory: dict[str, Any],
    folder: Path,
    environ: dict[str, str],
    runs: int,
    breach: Breach | None = None,
) -> dict[str, Any]:
    """Assess `runs` times; return the exit codes, how often the right check failed, and the time.

    What led to other codes than the wanted one is kept, to be looked at.
    """
    path, wanted = write(inventory, folder), 1 if breach else 0
    codes: Counter[int] = Counter()
    right, others, began = 0, [], time.perf_counter()
    for n in range(runs):
        out = folder / f"run-{n}"
        command = [sys.executable, "-m", "readiness", "run", str(path), "--out", str(out)]
        state = {**environ, "READINESS_STATE": str(folder), "READINESS_HISTORY": "none"}
        done = subprocess.run(command, env=state, capture_output=True, text=True, timeout=400)
        codes[done.returncode] += 1
        findings = _findings(out)
        hit = bool(breach) and (breach.check, breach.found_at) in findings  # type: ignore[union-attr]
        right += hit and done.returncode == 1
        if done.returncode != wanted or (breach and not hit):
            others.append(
                {"code": done.returncode, "said": done.stdout[-600:] + done.stderr[-300:]}
            )
    seconds = (time.perf_counter() - began) / max(1, runs)
    return {"codes": codes, "right": right, "others": others, "seconds": seconds}


def _findings(out: Path) -> set[tuple[str, str]]:
    """Return (check, service) of every finding that fails."""
    try:
        found = json.loads((out / "assessment.json").read_text("utf-8"))["findings"]
    except OSError:
        return set()
    return {(f["check"], f["service"]) for f in found if f["outcome"] == "fail"}


if __name__ == "__main__":
    sys.exit(main())
