"""h2load: closed, here over HTTP/1.1; it tells no percentiles, so they come from its log."""

import re
from pathlib import Path

from benchmarks.load.peer import Figures, Load, Peer


def _command(program: str, load: Load, folder: Path) -> list[str]:
    log = folder / "requests.log"
    limits = ["-D", str(load.whole_seconds), "-c", str(load.users), "-t1"]
    return [program, "--h1", *limits, f"--log-file={log}", load.url]


def _read(out: str, folder: Path) -> Figures:
    rate = float(re.findall(r"finished in [\d.]+\w+, ([\d.]+) req/s", out)[0])
    failures = sum(map(int, re.findall(r"(\d+) (?:failed|errored|timeout)", out)))
    log = (folder / "requests.log").read_text().splitlines()
    times = sorted(int(line.split("\t")[2]) / 1e3 for line in log)
    p50, p95, p99 = (times[int(q * len(times))] for q in (0.5, 0.95, 0.99))
    return Figures(rate, p50, p95, p99, failures)


PEER = Peer("h2load", "h2load", _command, _read, install="apt install nghttp2-client")
