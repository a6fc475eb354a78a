"""A lock between test processes: what measures time runs with no other test beside it."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def beside_others(folder: Path) -> Iterator[None]:
    """Hold the room together with other tests; wait while one has it, or waits for it, alone."""
    with _opened(folder) as (door, room):
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the room with no other test in it; never from within a test, which holds it already."""
    with _opened(folder) as (door, room):
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[tuple[int, int]]:
    with (folder / "door").open("w") as door, (folder / "room").open("w") as room:
        yield door.fileno(), room.fileno()  # closing them lets go of the locks
