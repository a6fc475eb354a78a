"""hey: closed; prints times to 0.1 ms, and groups answers by status."""

import re
from pathlib import Path

from benchmarks.load.peer import Figures, Load, Peer


def _command(program: str, load: Load, folder: Path) -> list[str]:
    return [program, "-c", str(load.users), "-z", f"{load.seconds}s", load.url]


def _read(out: str, folder: Path) -> Figures:
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", out)[0])
    times = {q: float(s) * 1e3 for q, s in re.findall(r"(\d+)% in ([\d.]+) secs", out)}
    errors = re.findall(r"^\s+\[(\d+)\]\s+\S+ \"", out, re.MULTILINE)
    return Figures(rate, times["50"], times["95"], times["99"], sum(map(int, errors)))


PEER = Peer("hey", "hey", _command, _read, install="apt install hey")
