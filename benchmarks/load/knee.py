"""The knee of a server whose queue is known exactly (M/D/1), searched for again and again."""

import time

from benchmarks.load import md1, ours
from benchmarks.load.rounds import median
from benchmarks.load.table import Bound, at_most, count, number, show
from benchmarks.load.yardstick import Yardstick

_SERVICE_US = 1000
_LIMIT_MS = 20
_SEARCHES = 10
_FEW = 3
"""Where one round is enough."""
_QUANTILE = 0.99


def run(rounds: int, seconds: float) -> list[Bound]:
    searches = _SEARCHES if rounds > 1 else _FEW
    truth = md1.knee(_SERVICE_US / 1e6, _LIMIT_MS / 1e3, _QUANTILE)
    rows, errors, times = [], [], []
    with Yardstick("serial", _SERVICE_US) as server:
        for search in range(searches):
            began = time.perf_counter()
            found = ours.knee(server.url, _LIMIT_MS)
            times.append(time.perf_counter() - began)
            errors.append((found / truth - 1) * 100)
            rows.append([str(search), count(found), number(errors[-1]), number(times[-1], 1)])
    title = (
        f"knee of M/D/1, {_SERVICE_US} us of service, p99 <= {_LIMIT_MS} ms: truth {truth:.0f}/s"
    )
    show(title, ["search", "found", "error %", "seconds"], rows)
    return [
        at_most("knee: greatest error", max(map(abs, errors), default=float("nan")), 5, " %"),
        at_most("knee: median error", abs(median(errors)), 5, " %"),
        at_most("knee: longest search", max(times, default=float("nan")), 45, " s"),
    ]
