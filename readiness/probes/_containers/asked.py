"""The metrics of rules, and reading files once however many services ask what is in them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import Generic, Protocol, TypeVar

from readiness.inventory import Inventory
from readiness.measurement import Values
from readiness.probes._containers.files import Absent, Unreadable, found, signature
from readiness.probes._containers.verdict import untold

Read = TypeVar("Read", covariant=True)
Kept = TypeVar("Kept")

_MOST_KEPT = 8


class Reader(Protocol[Read]):
    """Turns files of a folder into what they describe."""

    def __call__(self, folder: Path, files: list[str], /) -> Read: ...


def metrics(asked: Mapping[str, str]) -> dict[str, str]:
    """Return METRICS for `asked`: each, and whether it applies."""
    told: dict[str, str] = {}
    for metric, text in asked.items():
        told[metric] = text
        told[f"{metric}_applies"] = f"false: {metric} has nothing to judge here"
    return told


class Shelf(Generic[Kept]):
    """What was read last, kept until a file changes; one reads while the others wait."""

    def __init__(self, read: Reader[Kept]) -> None:
        self._read = read
        self._lock = Lock()
        self._kept: dict[object, Kept | Absent | Unreadable] = {}

    def get(self, folder: Path, patterns: tuple[str, ...], run_id: str) -> Kept:
        """Return what the files hold that `patterns` match; raise Absent or Unreadable."""
        with self._lock:
            files = found(folder, patterns)
            key = (run_id, folder, signature(folder, files))
            if key not in self._kept:
                if len(self._kept) >= _MOST_KEPT:
                    self._kept.pop(next(iter(self._kept)))
                try:
                    self._kept[key] = self._read(folder, files)
                except (Absent, Unreadable) as error:
                    self._kept[key] = error
            kept = self._kept[key]
        if isinstance(kept, Absent | Unreadable):
            raise kept.with_traceback(None)
        return kept


def patterns_of(inventory: Inventory, kind: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return name and patterns of each artifact of `kind`."""
    return [(one.name, one.files) for one in inventory.artifacts if one.kind == kind]


def unread(error: Absent | Unreadable, asked: Iterable[str], whole: Iterable[str] | None) -> Values:
    """Say that nothing could be asked; of the artifact (`whole`), that it cannot be parsed.

    A file that is not there is no fault of what would be in it.
    """
    told: Values = {"defined_because": f"not tested: {error}", **untold(asked, str(error))}
    if whole is None:
        return told
    told |= {f"{metric}_because": f"not tested: {error}" for metric in whole}
    if isinstance(error, Absent):
        return {**told, "parsed_because": f"not tested: {error}"}
    return {**told, "parsed": False, "parsed_because": str(error)}
