"""wrk: closed, counts any status beyond 399 as an error."""

from pathlib import Path

from benchmarks.load.peer import Figures, Load, Peer

_SCRIPT = """
done = function(summary, latency, requests)
  local errors = 0
  for _, n in pairs(summary.errors) do errors = errors + n end
  io.write(string.format("FIGURES %f %f %f %f %d\\n", summary.requests * 1e6 / summary.duration,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3,
    errors))
end
"""


def _command(program: str, load: Load, folder: Path) -> list[str]:
    script = folder / "done.lua"
    script.write_text(_SCRIPT)
    limits = ["-t1", f"-c{load.users}", f"-d{load.whole_seconds}"]
    return [program, *limits, "-s", str(script), load.url]


def _read(out: str, folder: Path) -> Figures:
    line = next(line for line in out.splitlines() if line.startswith("FIGURES"))
    rate, p50, p95, p99, errors = map(float, line.split()[1:])
    return Figures(rate, p50, p95, p99, int(errors))


PEER = Peer("wrk", "wrk", _command, _read, install="apt install wrk")
