"""Clients taken in turn, several times over, so that a noisy minute hits them all alike."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.load import ours, peers
from benchmarks.load.peer import Broken, Figures, Load, Peer

Play = Callable[[Load], Figures]


@dataclass(frozen=True)
class Client:
    name: str
    play: Play


def clients(wanted: Sequence[str] = ()) -> list[Client]:
    """Return us and every peer that is here (of those `wanted`, if any are named)."""
    found = [Client(ours.NAME, ours.measure)]
    for peer in peers.ALL:
        if (not wanted or peer.name in wanted) and peer.name in _asked and _is_here(peer):
            found.append(Client(peer.name, peer.run))
    return found


_asked = {peer.name for peer in peers.ALL}
_told: set[str] = set()


def keep_to(names: Sequence[str]) -> None:
    """Measure beside no other peers than these."""
    _asked.intersection_update(names)


def _is_here(peer: Peer) -> bool:
    if peer.located:
        return True
    if peer.name not in _told:
        print(f"skipped  {peer.name}: not found ({peer.install})")
        _told.add(peer.name)
    return False


def interleaved(
    who: Sequence[Client], rounds: int, play: Callable[[Client], Figures]
) -> dict[str, list[Figures]]:
    """Return each client's figures, one a round; a client that breaks is told of and left out."""
    results: dict[str, list[Figures]] = {client.name: [] for client in who}
    for _ in range(rounds):
        for client in who:
            if client.name in results:
                try:
                    results[client.name].append(play(client))
                except Broken as broken:
                    print(f"broken   {broken}")
                    del results[client.name]
    return results


def median(figures: Sequence[float]) -> float:
    """Return the median; not a number for nothing, which keeps no promise."""
    return statistics.median(figures) if figures else float("nan")


def ratio(mine: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios round by round."""
    return median([m / t for m, t in zip(mine, theirs, strict=False) if t])
