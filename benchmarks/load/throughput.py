"""Requests a second from one client core, the status checked, beside each peer's."""

from benchmarks.load import ours
from benchmarks.load.peer import Figures, Load
from benchmarks.load.rounds import Client, clients, interleaved, median, ratio
from benchmarks.load.table import Bound, count, number, show
from benchmarks.load.yardstick import Yardstick, certificate

PROMISED = {"wrk": 0.7, "hey": 2, "k6": 6, "locust": 10, "httpx2": 50}


def run(rounds: int, seconds: float) -> list[Bound]:
    bounds = []
    with Yardstick("zero") as server:
        for users, who in ((50, clients()), (200, clients(tuple(PROMISED)))):
            load = Load(server.url, users, seconds)
            bounds += _compare(f"throughput, c={users}", who, load, rounds, PROMISED)
    return bounds


def run_tls(rounds: int, seconds: float) -> list[Bound]:
    with Yardstick("zero", tls=True) as server:
        load = Load(server.url, 50, seconds, certificate=certificate()[0])
        who = clients(("wrk", "h2load", "hey", "k6"))
        return _compare("throughput over TLS, c=50", who, load, rounds, {"wrk": 0.7})


def _compare(
    title: str, who: list[Client], load: Load, rounds: int, promised: dict[str, float]
) -> list[Bound]:
    results = interleaved(who, rounds, lambda client: client.play(load))
    mine = _rates(results.get(ours.NAME, []))
    wrk = _rates(results.get("wrk", []))
    rows = []
    for name, runs in results.items():
        rates, cpu = _rates(runs), median([run.cpu for run in runs])
        times = [ratio(rates, wrk), ratio(mine, rates)]
        failures = sum(run.failures for run in runs)
        row = [name, count(median(rates)), *(number(t) for t in times), number(cpu)]
        rows.append([*row, str(failures)])
    show(title, ["client", "req/s", "x wrk", "we / it", "its core", "failures"], rows)
    return [
        Bound(f"{title}: requests a second, x {name}", ratio(mine, _rates(results[name])), floor)
        for name, floor in promised.items()
        if name in results
    ]


def _rates(runs: list[Figures]) -> list[float]:
    return [run.requests_per_second for run in runs]
