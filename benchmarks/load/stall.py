"""A server that stalls 500 ms every 5 s, at 1,000 requests a second: who sees it?

Of arrivals at any moment, one in ten meets a stall, and waits for what is left of it: uniform in
0 to 500 ms. So P(wait > t) = 0.1 (1 - t/500): the p95 is 250 ms and the p99 450 ms.
"""

from benchmarks.load import ours
from benchmarks.load.peer import Broken, Figures, Load
from benchmarks.load.rounds import Client, clients
from benchmarks.load.table import Bound, at_most, count, number, show
from benchmarks.load.yardstick import Truth, Yardstick

TRUTH = {"p95": 250.0, "p99": 450.0}
_STALL, _PERIOD = 500_000, 5_000_000
_SECONDS = 40
"""Whole periods; over 8 of them the arrivals alone spread the p95 by 2.2 % (one sigma)."""
_SHORT = 10
_RATE = 1000
_ROOM = 1000


def run(rounds: int, seconds: float) -> list[Bound]:
    rows, figures = [], {}
    with Yardstick("stall", _STALL, _PERIOD) as server:
        for model, client, load in _plays(server.url):
            try:
                server.truth()
                told = client.play(load)
            except Broken as broken:
                print(f"broken   {broken}")
                continue
            rows.append(_row(f"{client.name}, {model}", told, server.truth()))
            figures[model, client.name] = told
    truth = ["truth", "", *(number(each, 1) for each in TRUTH.values()), "", ""]
    header = ["client", "req/s", "p95 ms", "p99 ms", "server's p95", "and p99"]
    show("a stall of 500 ms every 5 s", header, [truth, *rows])
    return _promised(figures)


def _plays(url: str) -> list[tuple[str, Client, Load]]:
    us, *others = clients(("vegeta", "k6", "wrk", "hey"))
    opened = [each for each in others if each.name in ("vegeta", "k6")]
    closed = [each for each in others if each.name in ("wrk", "hey")]
    return [
        ("open", us, Load(url, _ROOM, _SECONDS, rate=_RATE)),
        *(("open", each, Load(url, _ROOM, _SHORT, rate=_RATE)) for each in opened),
        *(("closed", each, Load(url, 50, _SHORT)) for each in [us, *closed]),
    ]


def _row(name: str, told: Figures, truth: Truth) -> list[str]:
    mine = [number(told.p95_ms, 1), number(told.p99_ms, 1)]
    return [
        name,
        count(told.requests_per_second),
        *mine,
        number(truth.p95_ms),
        number(truth.p99_ms),
    ]


def _promised(figures: dict[tuple[str, str], Figures]) -> list[Bound]:
    bounds = []
    missing = Figures(0, p95_ms=float("nan"), p99_ms=float("nan"))
    opened = figures.get(("open", ours.NAME), missing)
    closed = figures.get(("closed", ours.NAME), missing)
    for name, told in {"p95": opened.p95_ms, "p99": opened.p99_ms}.items():
        off = abs((told or 0.0) / TRUTH[name] - 1) * 100
        bounds.append(at_most(f"stall, open: error of {name}", off, 5, " %"))
    share = (closed.p99_ms or 0.0) / TRUTH["p99"]
    return [*bounds, at_most("stall, closed is blind: its p99, x the truth", share, 0.1)]
