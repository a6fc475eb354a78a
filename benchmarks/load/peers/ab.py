"""ab (ApacheBench): closed, HTTP/1.0 with keep-alive."""

import csv
import re
from pathlib import Path

from benchmarks.load.peer import Figures, Load, Peer


def _command(program: str, load: Load, folder: Path) -> list[str]:
    limits = ["-t", str(load.whole_seconds), "-n", "2000000", "-c", str(load.users)]
    report = ["-e", str(folder / "percentiles.csv")]
    return [program, "-k", "-q", *limits, *report, load.url]


def _read(out: str, folder: Path) -> Figures:
    rate = float(re.findall(r"Requests per second:\s+([\d.]+)", out)[0])
    failures = int(re.findall(r"Failed requests:\s+(\d+)", out)[0])
    with (folder / "percentiles.csv").open() as file:
        times = {row[0]: float(row[1]) for row in list(csv.reader(file))[1:]}
    return Figures(rate, times["50"], times["95"], times["99"], failures)


PEER = Peer("ab", "ab", _command, _read, install="apt install apache2-utils")
