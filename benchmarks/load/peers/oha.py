"""oha: closed, with a histogram in its JSON."""

import json
from pathlib import Path

from benchmarks.load.peer import Figures, Load, Peer


def _command(program: str, load: Load, folder: Path) -> list[str]:
    limits = ["-c", str(load.users), "-z", f"{round(load.seconds * 1000)}ms"]
    return [program, *limits, "--no-tui", "--insecure", "--output-format", "json", load.url]


def _read(out: str, folder: Path) -> Figures:
    said = json.loads(out)
    times = said["latencyPercentiles"]
    quantiles = (times[q] * 1e3 for q in ("p50", "p95", "p99"))
    errors = said["errorDistribution"]
    failures = sum(n for why, n in errors.items() if "deadline" not in why)  # it cuts off its last
    return Figures(said["summary"]["requestsPerSec"], *quantiles, failures)


PEER = Peer("oha", "oha", _command, _read, install="cargo install --locked oha")
