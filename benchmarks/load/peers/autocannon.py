"""autocannon: closed; tells times to a millisecond, and no p95."""

import json
from pathlib import Path

from benchmarks.load.peer import Figures, Load, Peer


def _command(program: str, load: Load, folder: Path) -> list[str]:
    limits = ["-c", str(load.users), "-d", str(load.whole_seconds)]
    return [program, *limits, "--json", "--no-progress", load.url]


def _read(out: str, folder: Path) -> Figures:
    said = json.loads(out.strip().splitlines()[-1])
    failures = said["errors"] + said["timeouts"] + said["non2xx"]
    rate, times = said["requests"]["total"] / said["duration"], said["latency"]
    return Figures(rate, times["p50"], None, times["p99"], failures)


PEER = Peer(
    "autocannon", "autocannon", _command, _read, install="npm install -g --prefix peers autocannon"
)
