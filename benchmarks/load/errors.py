"""Servers that misbehave now and then under a full closed load: is each fault called what it is?"""

from benchmarks.load import ours
from benchmarks.load.peer import Broken, Load
from benchmarks.load.rounds import clients
from benchmarks.load.table import Bound, count, show
from benchmarks.load.yardstick import Yardstick

ATTACKS = {  # mode of the server: one answer in how many, and the class it belongs to
    "forged": (1000, "protocol"),
    "half": (5000, "timeout"),
    "reset": (100, "reset"),
    "drip": (5000, "timeout"),
}
_SEEN = 0.9
"""Of the attacks; the last ones may fall to requests that the end of the run cuts off."""
_NAMES = {
    "forged": "a forged second answer",
    "half": "a stalled read",
    "reset": "a reset",
    "drip": "a slow header",
}


def run(rounds: int, seconds: float) -> list[Bound]:
    bounds, rows = [], []
    for mode, (every, kind) in ATTACKS.items():
        what = f"{_NAMES[mode]}, one in {every:,}"
        with Yardstick(mode, every) as server:
            mine = ours.measure(Load(server.url, 50, seconds), *ours.timeout(1))
            attacks = server.truth().attacks
            rows.append(
                [what, ours.NAME, count(mine.requests_per_second), str(attacks), _kinds(mine)]
            )
            seen = mine.kinds.get(kind, 0) / attacks if attacks else float("nan")
            bounds.append(Bound(f"{what}: errors of the kind {kind}, of the attacks", seen, _SEEN))
            bounds.append(Bound(f"{what}: share of errors called {kind}", _share(mine, kind), 1))
            rows += [[what, *row] for row in _others(server, seconds)]
    show("faults at speed, c=50", ["fault", "client", "req/s", "attacks", "errors seen"], rows)
    return bounds


def _kinds(mine: ours.Ours) -> str:
    return ", ".join(f"{kind} {n}" for kind, n in sorted(mine.kinds.items())) or "none"


def _share(mine: ours.Ours, kind: str) -> float:
    total = sum(mine.kinds.values())
    return mine.kinds.get(kind, 0) / total if total else 0.0


def _others(server: Yardstick, seconds: float) -> list[list[str]]:
    rows = []
    for client in clients(("wrk", "hey"))[1:]:
        try:
            told = client.play(Load(server.url, 50, seconds))
        except Broken as broken:
            print(f"broken   {broken}")
            continue
        attacks = str(server.truth().attacks)
        rows.append([client.name, count(told.requests_per_second), attacks, str(told.failures)])
    return rows
