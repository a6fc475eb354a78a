"""Durations of one run in order of time -> quantiles and shares with honest intervals.

Every sample is kept while they fit; after that, histograms of consecutive batches, so that memory
stays bounded however long the run, and the batch means that the intervals need remain.
"""

import functools
import math
from array import array
from collections.abc import Sequence
from itertools import pairwise
from operator import add

from readiness.estimate import (
    EVEN,
    Estimate,
    Exceedances,
    Ranks,
    Sides,
    exceedances,
    ranks,
    share,
    unusual,
)
from readiness.histogram import Counting, Histogram

RAW = 200_000
"""Samples looked at one by one."""
HELD = 2_000_000
"""Samples kept until they are looked at: binning takes time, and requests wait meanwhile."""
BATCHES = 64
"""At this many, neighbours are merged."""
_AT_ONCE = 2
"""Times as many samples are binned as come in, once too many are kept."""

_MS = 1e6
_DRIFT = 0.1  # of the median: less of a change does not matter
_GREAT = 0.5  # of the samples more beyond the median of all


class Series:
    """Non-negative durations (ns), oldest first."""

    def __init__(self, raw: int = RAW, most: int = 0, held: int = HELD) -> None:
        self._raw, self._held = raw, max(raw, held)
        self._most = most  # ns that no sample can exceed; 0 if there is no such bound
        self._batches: list[Histogram] = []
        self._size = max(1, raw // (BATCHES // 2))
        self._filling = Counting()  # the next batch
        self._recent: array[int] = array("q")  # not counted yet; all there is, at first
        self._counted = 0
        self._maximum = self._sum = 0

    def add(self, values: Sequence[int]) -> None:
        """Take in a chunk (ns), not older than what is here; ValueError for one below zero."""
        if not len(values):
            return
        if min(values) < 0:
            raise ValueError(f"a duration below zero: {min(values)} ns")
        self._forget()
        self._maximum = max(self._maximum, max(values))
        self._sum += sum(values)
        self._recent.extend(values)
        if self._counted or len(self._recent) > self._held:
            self._bin(_AT_ONCE * len(values))

    def merge(self, other: "Series") -> None:
        """Take in what was measured beside this, over the same stretch of time.

        The two are laid side by side, not end to end: a stall that both saw is one event, and
        must not count as two.
        """
        if not other.n:
            return
        whole = self.n + other.n
        self._most = self._most or other._most
        if not self.n:
            self._batches = list(other._all) if other._binned() else []
            self._recent = array("q") if other._binned() else other._recent[:]
            self._size = other._size
        elif not (self._binned() or other._binned()) and whole <= self._raw:
            self._recent = _interleaved(self._recent, other._recent)
        else:
            slots = BATCHES // 2
            self._batches = list(map(add, self._slots(slots), other._slots(slots)))
            self._size, self._recent = max(1, whole // slots), array("q")
            self._filling = Counting()
        self._counted = whole - len(self._recent)
        self._maximum = max(self._maximum, other._maximum)
        self._sum += other._sum
        self._forget()

    @property
    def n(self) -> int:
        """How many samples came in."""
        return self._counted + len(self._recent)

    @property
    def maximum_ms(self) -> float:
        """The greatest sample, exactly; 0 if there is none."""
        return self._maximum / _MS

    @property
    def mean_ms(self) -> float:
        """The mean of all samples, exactly; 0 if there is none."""
        return self._sum / self.n / _MS if self.n else 0.0

    def quantile(self, q: float, sides: Sides = EVEN) -> Estimate:
        """Estimate the `q` quantile (ms); empty where the samples cannot bound it."""
        found = ranks(self.n, q, self._above, sides)
        if found is None:
            return Estimate(value=None, low=None, high=None, n=self.n)
        lowest, value, highest = self._values(found)
        low, high = found.reach(lowest, self.point(0.5) * _MS, highest)
        high = max(highest, min(high, self._most or high))
        return Estimate(
            value=value / _MS, low=low / _MS, high=high / _MS, n=self.n, sides=unusual(sides)
        )

    def point(self, q: float) -> float:
        """Return the `q` quantile of the samples themselves (ms), however few; 0 if none."""
        if not self.n:
            return 0.0
        rank = min(self.n, max(1, math.ceil(self.n * q - 1e-9)))
        return self._values(Ranks(rank, rank, rank))[1] / _MS

    def over(self, threshold_ms: float) -> Estimate:
        """Estimate the share (0..1) of samples over a threshold; no number of samples is too few.

        Once binned, samples in the threshold's own bucket are in doubt, and widen the interval.
        """
        threshold = threshold_ms * _MS
        if not self._binned():
            counts = [value > threshold for value in self._recent]
            return share(self.n, Exceedances(counts, sum(counts)), self._above)
        parts = [(batch.n, batch.above(threshold)) for batch in self._all]
        low, value, high = (
            share(self.n, _residual([(n, found[i]) for n, found in parts]), self._above)
            for i in range(3)
        )
        return value.model_copy(update={"low": low.low, "high": high.high})

    def histogram(self) -> Histogram:
        """Return the distribution of all samples."""
        return self._total

    def drifts(self) -> bool:
        """Tell whether later samples differ from earlier ones, by more than chance or 10 %."""
        first, last = self._halves()
        if not first.n or not last.n:
            return False
        before, after = first.point(0.5), last.point(0.5)
        if abs(after - before) <= _DRIFT * min(before, after):
            return False
        middle = math.sqrt(before * after)  # neither of two steps lies on it
        slow, slower = sorted((first.over(middle), last.over(middle)), key=lambda e: e.value or 0)
        # dependence blurs the intervals of what only grows, so a great difference speaks as well
        clear = (slow.high or 0) < (slower.low or 0)
        return clear or (slower.value or 0) - (slow.value or 0) > _GREAT

    def _binned(self) -> bool:
        """Bin the samples, if there are too many to look at one by one; return whether they are."""
        if self.n > self._raw and not self._counted:
            self._bin(self.n)
        return bool(self._counted)

    def _bin(self, most: int) -> None:
        """Move the oldest `most` samples to the batch that is being filled, and those after it."""
        moved = 0
        while moved < min(most, len(self._recent)):
            part = self._recent[moved : moved + min(most - moved, self._size - self._filling.n)]
            self._filling.add(part)
            moved += len(part)
            if self._filling.n >= self._size:
                self._batches.append(Histogram.counted(self._filling))
                self._filling = Counting()
            if len(self._batches) >= BATCHES:
                self._batches = list(map(add, self._batches[::2], self._batches[1::2]))
                self._size *= 2
        del self._recent[:moved]
        self._counted += moved

    def _forget(self) -> None:
        for derived in ("_all", "_total", "_ordered"):
            self.__dict__.pop(derived, None)

    @functools.cached_property
    def _all(self) -> list[Histogram]:
        room = self._size - self._filling.n
        filling = Histogram.counted(self._filling) + Histogram.of(self._recent[:room])
        starts = range(room, len(self._recent), self._size)
        rest = [Histogram.of(self._recent[at : at + self._size]) for at in starts]
        return [*self._batches, *([filling] if filling.n else []), *rest]

    @functools.cached_property
    def _total(self) -> Histogram:
        return sum(self._all, Histogram())

    @functools.cached_property
    def _ordered(self) -> list[int]:
        return sorted(self._recent)

    def _values(self, found: Ranks) -> tuple[float, float, float]:
        """Return the values (ns) of these ranks; of binned ones the outer bounds and the middle."""
        if not self._binned():
            low, value, high = (self._ordered[rank - 1] for rank in found[:3])
            return low, value, high
        low_, value_, high_ = (self._total.ranked(rank) for rank in found[:3])
        return low_[0], value_[1], high_[2]

    def _above(self, rank: int) -> Exceedances:
        if not self._binned():
            return exceedances(self._recent, self._ordered, rank)
        level = self._total.bucket(rank)
        more, least = (_beyond(self._all, first) for first in (level + 1, level))
        wanted = self.n - rank
        nearer = min(more, least, key=lambda parts: abs(sum(c for _, c in parts) - wanted))
        return _residual(nearer)

    def _slots(self, slots: int) -> list[Histogram]:
        """Return the distributions of about equal, consecutive parts, as many as `slots`."""
        if not self._binned():
            edges = [self.n * i // slots for i in range(slots + 1)]
            pairs = pairwise(edges)
            return [Histogram.of(self._recent[a:b]) for a, b in pairs]
        parts, before = [Histogram()] * slots, 0
        for batch in self._all:
            place = (before + batch.n / 2) / self.n
            parts[int(place * slots)] += batch
            before += batch.n
        return parts

    def _halves(self) -> tuple["Series", "Series"]:
        first, last = Series(self._raw), Series(self._raw)
        middle = len(self._all if self._binned() else self._recent) // 2
        if self._binned():
            first._batches, last._batches = self._all[:middle], self._all[middle:]
            first._counted, last._counted = (_size(half._batches) for half in (first, last))
        else:
            first._recent, last._recent = self._recent[:middle], self._recent[middle:]
        return first, last


def _size(batches: Sequence[Histogram]) -> int:
    return sum(batch.n for batch in batches)


def _beyond(batches: Sequence[Histogram], first: int) -> list[tuple[int, int]]:
    """Return (size, values in the bucket `first` and those after it) of each batch."""
    return [
        (batch.n, sum(count for bucket, count in batch.counts.items() if bucket >= first))
        for batch in batches
    ]


def _residual(parts: Sequence[tuple[int, int]]) -> Exceedances:
    """Turn (size, exceedances) of batches into exceedances less those expected of its size."""
    n, total = (sum(column) for column in zip(*parts, strict=True))
    return Exceedances([count - size * total / n for size, count in parts], total)


def _interleaved(one: "array[int]", other: "array[int]") -> "array[int]":
    """Return both, each value at the same part of the way as in its own."""
    both = one + other
    places = [(i + 0.5) / len(part) for part in (one, other) for i in range(len(part))]
    return array("q", [both[i] for i in sorted(range(len(both)), key=places.__getitem__)])
