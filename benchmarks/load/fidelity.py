"""The error of the reported p99 on a server whose every delay is known, and of a p95 beside it.

The truth is the server's own: the time from a request's arrival to its answer, by kernel stamps,
in that very run. It is 10 ms by plan; the server's lateness is shown.
"""

import contextlib
from collections.abc import Callable

from benchmarks.load import cores, ours
from benchmarks.load.peer import Figures, Load
from benchmarks.load.rounds import Client, clients, interleaved, median
from benchmarks.load.table import Bound, at_most, number, show
from benchmarks.load.yardstick import Truth, Yardstick

TITLE = "error of the reported p99 on a server of 10 ms, in ms (in % of the truth)"
CLIENTS = ("wrk", "hey", "k6", "aiohttp", "locust", "httpx2")
CONDITIONS = {  # users, with a hog on the client's core?, promised % of error
    "c=10": (10, False, 2),
    "c=50": (50, False, 2),
    "c=200": (200, False, 6),
    "c=50, hog": (50, True, 2),
}
_BIMODAL = (5_000, 200_000, 50)

Errors = dict[str, list[float]]


def run(rounds: int, seconds: float) -> list[Bound]:
    errors: dict[str, Errors] = {}
    late: dict[str, float] = {}
    with Yardstick("delay", 10_000) as server:
        for condition, (users, hogged, _) in CONDITIONS.items():
            load = Load(server.url, users, seconds)
            with cores.hog() if hogged else contextlib.nullcontext():
                errors[condition], truths = _errors(server, load, rounds, p99, true_p99)
            late[condition] = median([truth.late_p99_ms for truth in truths])
    _show(errors, late)
    return [*_promised(errors), *_bimodal(rounds, seconds)]


def p99(figures: Figures) -> float | None:
    """Return the p99 that judges the server: service time where it is told apart."""
    return figures.service_p99_ms if isinstance(figures, ours.Ours) else figures.p99_ms


def p95(figures: Figures) -> float | None:
    return figures.p95_ms  # the load is closed: what was intended was sent


def true_p99(truth: Truth) -> float:
    return truth.p99_ms


def true_p95(truth: Truth) -> float:
    return truth.p95_ms


def _errors(
    server: Yardstick,
    load: Load,
    rounds: int,
    told: Callable[[Figures], float | None],
    true: Callable[[Truth], float],
) -> tuple[Errors, list[Truth]]:
    """Return each client's errors in ms, one a round, and what the server said of itself."""
    errors: Errors = {}
    truths = []

    def play(client: Client) -> Figures:
        server.truth()
        figures = client.play(load)
        truths.append(server.truth())
        said = told(figures)
        mine = errors.setdefault(client.name, [])
        if said is None:
            print(f"withheld  {client.name}, c={load.users}: no quantile from so few samples")
        else:
            mine.append(said - true(truths[-1]))
        return figures

    interleaved(clients(CLIENTS), rounds, play)
    return errors, truths


def _show(errors: dict[str, Errors], late: dict[str, float]) -> None:
    names = dict.fromkeys(name for each in errors.values() for name in each)
    rows = [[name, *(_cell(errors[c].get(name, [])) for c in errors)] for name in names]
    rows.append(["the server, late", *(number(late[c], 3) for c in errors)])
    show(TITLE, ["client", *errors], rows)


def _cell(errors: list[float]) -> str:
    if not errors:
        return "no figure"
    error = median(errors)
    return f"{error:+.2f} ({error * 10:+.1f} %)"


def _promised(errors: dict[str, Errors]) -> list[Bound]:
    def of(name: str, condition: str) -> float:
        return abs(median(errors[condition].get(name, [])))

    bounds = [
        at_most(f"error of p99, {condition}", 10 * of(ours.NAME, condition), promised, " %")
        for condition, (_, _, promised) in CONDITIONS.items()
    ]
    for name in ("wrk", "hey"):
        if name in errors["c=50, hog"]:
            share = of(ours.NAME, "c=50, hog") / of(name, "c=50, hog")
            bounds.append(at_most(f"error of p99 beside a hog, x {name}'s", share, 0.1))
    return bounds


def _bimodal(rounds: int, seconds: float) -> list[Bound]:
    with Yardstick("bimodal", *_BIMODAL) as server:
        load = Load(server.url, 50, seconds)
        errors, truths = _errors(server, load, rounds, p95, true_p95)
    truth = median([truth.p95_ms for truth in truths])
    rows = [[name, number(truth + median(each))] for name, each in errors.items()]
    show(
        "p95 in ms: 5 ms, but 200 ms for 2 %", ["client", "p95"], [["truth", f"{truth:.2f}"], *rows]
    )
    off = abs(median(errors.get(ours.NAME, []))) / truth * 100
    return [at_most("bimodal: error of p95", off, 5, " %")]
