"""Service times as they come -> whether they have settled, so that timing may begin."""

import statistics
from collections.abc import Iterable

_TOLERANCE = 0.15
_TOLERANCE_NS = 100_000
_MOST_WINDOWS = 10


class Warmth:
    """Compares the medians of consecutive windows of `size` service times (nanoseconds)."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._window: list[int] = []
        self._median: float | None = None
        self._windows = 0
        self.settled = False
        """Whether two windows have agreed."""

    @property
    def given_up(self) -> bool:
        """Whether so many windows disagreed that it is no use to wait."""
        return self._windows >= _MOST_WINDOWS

    def unserved(self, asked: int) -> bool:
        """Whether none of `asked` requests, enough for two windows, was a success to be timed."""
        return not self._windows and not self._window and asked >= 2 * self._size

    def feed(self, times: Iterable[int]) -> None:
        """Take the service times of further answers."""
        self._window.extend(times)
        while len(self._window) >= self._size and not self.settled:
            median = statistics.median(self._window[: self._size])
            del self._window[: self._size]
            before, self._median = self._median, median
            self._windows += 1
            if before is not None:
                near = max(_TOLERANCE * max(before, median), _TOLERANCE_NS)
                self.settled = abs(median - before) <= near
