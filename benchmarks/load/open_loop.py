"""The open model at 40,000 arrivals a second from one core: does it keep its own schedule?"""

from benchmarks.load import ours
from benchmarks.load.peer import Figures, Load
from benchmarks.load.rounds import clients, interleaved, median
from benchmarks.load.table import Bound, at_most, count, number, show
from benchmarks.load.yardstick import Yardstick

RATE = 40_000
_ROOM = 200


def run(rounds: int, seconds: float) -> list[Bound]:
    who = clients(("vegeta", "k6"))
    with Yardstick("zero") as server:
        load = Load(server.url, _ROOM, seconds, rate=RATE)
        results = interleaved(who, rounds, lambda client: client.play(load))
    rows = [[name, *_row(runs)] for name, runs in results.items()]
    header = ["client", "achieved", "p50 ms", "p99 ms", "lag p99 ms", "its core"]
    show(f"open loop at {RATE:,} req/s", header, rows)
    mine = results.get(ours.NAME, [])
    achieved = median([run.requests_per_second for run in mine])
    return [
        Bound("open loop: achieved, of the offered", achieved / RATE, 0.97),
        at_most("open loop: lag p99", median(_lags(mine)), 0.5, " ms"),
    ]


def _lags(runs: list[Figures]) -> list[float]:
    lags = [run.lag_p99_ms for run in runs if isinstance(run, ours.Ours)]
    return [lag for lag in lags if lag is not None]


def _row(runs: list[Figures]) -> list[str]:
    achieved = count(median([run.requests_per_second for run in runs]))
    p50, p99 = median([run.p50_ms or 0 for run in runs]), median([run.p99_ms or 0 for run in runs])
    lag = number(median(_lags(runs)) if _lags(runs) else None, 3)
    return [
        achieved,
        number(p50, 3),
        number(p99, 3),
        lag,
        number(median([run.cpu for run in runs])),
    ]
