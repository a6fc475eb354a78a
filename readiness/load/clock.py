"""The wall clock, by which the kernel stamps packets -> moments of the monotonic clock."""

import time
from collections.abc import Callable

_STEP_NS = 100_000
"""Both clocks are slewed alike, so that their distance changes only when someone sets one."""
_BRACKET_NS = 20_000
"""A reading that took longer was interrupted and tells nothing."""
_TRIES = 5

Now = Callable[[], int]


class Clock:
    """The distance between CLOCK_REALTIME and CLOCK_MONOTONIC, in nanoseconds."""

    def __init__(self, wall: Now = time.time_ns, monotonic: Now = time.monotonic_ns) -> None:
        self._wall, self._monotonic = wall, monotonic
        distance = self._distance()
        self.offset_ns = wall() - monotonic() if distance is None else distance
        """What to take from a wall-clock stamp to get the monotonic moment."""

    def stepped(self) -> bool:
        """Read both clocks again; return whether one was set since, and follow it."""
        distance = self._distance()
        if distance is None or abs(distance - self.offset_ns) < _STEP_NS:
            return False
        self.offset_ns = distance
        return True

    def _distance(self) -> int | None:
        for _ in range(_TRIES):
            before = self._monotonic()
            wall = self._wall()
            width = self._monotonic() - before
            if width < _BRACKET_NS:
                return wall - before - width // 2
        return None
