"""A lock between test processes: what measures time runs with no other test beside it, or few."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

CROWD, LIGHT = "crowd", "light"


@contextlib.contextmanager
def beside_others(folder: Path) -> Iterator[None]:
    """Hold the room together with ordinary tests; wait for those that measure time."""
    with _together(folder, CROWD, without=LIGHT):
        yield


@contextlib.contextmanager
def beside_light(folder: Path, lane: int) -> Iterator[None]:
    """Hold the room with those that measure time under light load too, one in each lane."""
    with _opened(folder, f"lane {lane}") as (file,):
        fcntl.flock(file, fcntl.LOCK_EX)
        with _together(folder, LIGHT, without=CROWD):
            yield


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the room with no other test in it; never from within a test, which holds it already."""
    with _opened(folder, "door", CROWD, LIGHT) as files:
        for file in files:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _together(folder: Path, kind: str, *, without: str) -> Iterator[None]:
    """Hold the room with others of a `kind`, once those of the other kind have left it.

    Who waits holds the door, so that nobody comes in before them for ever.
    """
    with _opened(folder, "door", without, kind) as (door, theirs, ours):
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(theirs, fcntl.LOCK_EX)
        fcntl.flock(theirs, fcntl.LOCK_UN)
        fcntl.flock(ours, fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        yield


@contextlib.contextmanager
def _opened(folder: Path, *names: str) -> Iterator[list[int]]:
    with contextlib.ExitStack() as stack:  # closing them lets go of the locks
        yield [stack.enter_context((folder / name).open("w")).fileno() for name in names]
