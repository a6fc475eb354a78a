"""locust: closed, with its faster client, which fails any status beyond 399."""

import csv
from pathlib import Path

from benchmarks.load.peer import Figures, Load, Peer

_SCRIPT = """
from locust import FastHttpUser, constant, task


class Visitor(FastHttpUser):
    wait_time = constant(0)
    insecure = True

    @task
    def visit(self):
        self.client.get("/")
"""


def _command(program: str, load: Load, folder: Path) -> list[str]:
    (folder / "visitor.py").write_text(_SCRIPT)
    limits = ["-u", str(load.users), "-r", str(load.users), "-t", f"{load.whole_seconds}s"]
    quiet = ["--headless", "--only-summary", "--loglevel", "ERROR", "--reset-stats"]
    script = ["-f", str(folder / "visitor.py"), "-H", load.url.rstrip("/")]
    return [program, *script, *limits, *quiet, "--csv", str(folder / "figures")]


def _read(out: str, folder: Path) -> Figures:
    with (folder / "figures_stats.csv").open() as file:
        row = next(row for row in csv.DictReader(file) if row["Name"] == "Aggregated")
    p50, p95, p99 = (float(row[q]) for q in ("50%", "95%", "99%"))
    return Figures(float(row["Requests/s"]), p50, p95, p99, int(row["Failure Count"]))


PEER = Peer("locust", "locust", _command, _read, install="pip install locust")
