"""vegeta: open with constant arrivals, or as fast as its workers can."""

import json
import shlex
from pathlib import Path

from benchmarks.load.peer import Figures, Load, Peer

_MS = 1e6
_INSTALL = "go install github.com/tsenart/vegeta/v12@latest"


def _command(program: str, load: Load, folder: Path) -> list[str]:
    (folder / "target").write_text(f"GET {load.url}\n")
    results = str(folder / "results")
    pace = ["-rate", str(load.rate or 0), "-max-workers", str(load.users), "-workers", "10"]
    limits = ["-insecure", "-duration", f"{load.seconds}s", *pace]
    files = ["-targets", str(folder / "target"), "-output", results]
    attack = shlex.join([program, "attack", *limits, *files])
    report = shlex.join([program, "report", "-type", "json", results])
    return ["sh", "-c", f"{attack} && {report}"]


def _read(out: str, folder: Path) -> Figures:
    said = json.loads(out)
    times = said["latencies"]
    failures = round(said["requests"] * (1 - said["success"]))
    quantiles = (times[q] / _MS for q in ("50th", "95th", "99th"))
    return Figures(said["rate"], *quantiles, failures)


PEER = Peer("vegeta", "vegeta", _command, _read, install=_INSTALL)
