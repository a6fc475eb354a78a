"""Durations in nanoseconds -> counts in log-linear buckets, merged exactly and drawn or saved.

The bucket of a duration is the upper half of its IEEE 754 single: eight bits of exponent and seven
of mantissa. That is 128 linear buckets per octave, none wider than 0.79 % of what it holds, and the
conversion is one copy of the array instead of a logarithm per value.
"""

import base64
import math
import sys
import zlib
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from struct import Struct
from typing import Self

RELATIVE_WIDTH = 1 / 128
"""Width of a bucket, as a share of the least value in it."""

_SINGLE, _BITS = Struct(">f"), Struct(">I")
_UPPER_HALF = slice(sys.byteorder == "little", None, 2)
_VERSION = "h1."
_LONGEST = 1 << 18  # characters of text; no histogram needs so many
_MOST = 2**53  # up to here floats are exact


@dataclass(frozen=True)
class Histogram:
    """Counts by bucket, and the exact ends; all values in nanoseconds."""

    counts: Mapping[int, int] = field(default_factory=dict)
    """Bucket number -> how many values, ascending, none of them zero."""
    minimum: int | None = None
    maximum: int | None = None

    @classmethod
    def of(cls, values: Sequence[int]) -> Self:
        """Count `values`; ValueError for one below 0 or above 2**53 (104 days)."""
        counting = Counting()
        counting.add(values)
        return cls.counted(counting)

    @classmethod
    def counted(cls, so_far: "Counting") -> Self:
        """Return what was counted so far."""
        return cls(dict(sorted(so_far.counts.items())), so_far.minimum, so_far.maximum)

    @property
    def n(self) -> int:
        """How many values were counted."""
        return sum(self.counts.values())

    def __add__(self, other: Self) -> Self:
        """Return the histogram of both samples together: exact, in any order and grouping."""
        both = Counter(self.counts)
        both.update(other.counts)
        least = [h.minimum for h in (self, other) if h.minimum is not None]
        most = [h.maximum for h in (self, other) if h.maximum is not None]
        return type(self)(
            dict(sorted(both.items())), min(least, default=None), max(most, default=None)
        )

    def quantile(self, q: float) -> tuple[float, float, float]:
        """Return the least, middle and greatest value (ns) that the `q` quantile may have.

        ValueError if nothing was counted or `q` is outside 0..1.
        """
        if not 0 <= q <= 1:
            raise ValueError(f"a quantile is from 0 to 1, not {q}")
        return self.ranked(max(1, math.ceil(self.n * q - 1e-9)))

    def ranked(self, rank: int) -> tuple[float, float, float]:
        """Return the least, middle and greatest value (ns) that the `rank`-th smallest may have.

        ValueError unless 1 <= rank <= n.
        """
        return self._within(self.bucket(rank))

    def bucket(self, rank: int) -> int:
        """Return the number of the bucket with the `rank`-th smallest value, from 1 on."""
        sums = list(accumulate(self.counts.values()))
        if not sums or not 1 <= rank <= sums[-1]:
            raise ValueError(f"no value has rank {rank}")
        return list(self.counts)[bisect_left(sums, rank)]

    def above(self, threshold: float) -> tuple[int, int, int]:
        """Return the least, likeliest and greatest number of values over `threshold` (ns).

        Only values in the threshold's own bucket are in doubt; they are taken to be spread evenly.
        """
        if self.minimum is None or self.maximum is None or threshold < self.minimum:
            return self.n, self.n, self.n
        if threshold >= self.maximum:
            return 0, 0, 0
        own = bucket_of(threshold)
        over = sum(count for bucket, count in self.counts.items() if bucket > own)
        doubt = self.counts.get(own, 0)
        low, _, high = self._within(own)
        part = (high - threshold) / (high - low) if high > low else 0.0
        return over, over + round(doubt * min(1.0, max(0.0, part))), over + doubt

    def bars(self, columns: int) -> list[int]:
        """Return the counts of `columns` equal steps of the logarithm from minimum to maximum."""
        drawn = [0] * columns
        if self.minimum is None or self.maximum is None or columns < 1:
            return drawn
        first, last = math.log(max(1, self.minimum)), math.log(max(1, self.maximum))
        for bucket, count in self.counts.items():
            middle = math.log(max(1.0, self._within(bucket)[1]))
            place = (middle - first) / (last - first) if last > first else 0.0
            drawn[min(columns - 1, int(place * columns))] += count
        return drawn

    def encode(self) -> str:
        """Return this as short printable text: the ends, and (step, count) pairs, compressed."""
        numbers = [] if self.minimum is None else [self.minimum, self.maximum or 0]
        previous = 0
        for bucket, count in self.counts.items():
            numbers += [bucket - previous, count]
            previous = bucket
        packed = zlib.compress(b"".join(map(_varint, numbers)), 9)
        return _VERSION + base64.urlsafe_b64encode(packed).decode("ascii").rstrip("=")

    @classmethod
    def decode(cls, text: str) -> Self:
        """Return what `encode` made `text` of; ValueError if it is anything else."""
        if not text.startswith(_VERSION) or len(text) > _LONGEST:
            raise ValueError("not a histogram")
        numbers = list(_numbers(_unpacked(text.removeprefix(_VERSION))))
        if not numbers:
            return cls()
        if len(numbers) < 4 or len(numbers) % 2:
            raise ValueError("a histogram cut short")
        buckets = list(accumulate(numbers[2::2]))
        whole = cls(dict(zip(buckets, numbers[3::2], strict=True)), numbers[0], numbers[1])
        whole._check(buckets)
        return whole

    def _check(self, buckets: Sequence[int]) -> None:
        ends = (self.minimum or 0, self.maximum or 0)
        ascending = all(a < b for a, b in pairwise(buckets)) and ends[0] <= ends[1] <= _MOST
        held = (buckets[0], buckets[-1]) == tuple(map(bucket_of, ends))
        counted = 0 not in self.counts.values() and len(set(ends)) <= self.n <= _MOST
        if not (ascending and held and counted):
            raise ValueError("a histogram whose numbers contradict each other")

    def _within(self, bucket: int) -> tuple[float, float, float]:
        """Return the bucket's bounds and middle, no wider than the values that were counted."""
        least, most = float(self.minimum or 0), float(self.maximum or 0)
        # Singles are rounded to the nearest: what lies half a step below the edge is in it too.
        low = min(max(least, _begin(bucket) * (1 - 2**-24)), most)
        high = max(min(most, _begin(bucket + 1)), least)
        return low, (low + high) / 2, high


class Counting:
    """A histogram in the making, for values that come a few at a time."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        """Bucket number -> how many values, in no order."""
        self.n = 0
        self.minimum: int | None = None
        self.maximum: int | None = None

    def add(self, values: Sequence[int]) -> None:
        """Count `values`; ValueError, and nothing counted, as of `Histogram.of`."""
        if not len(values):
            return
        least, most = min(values), max(values)
        if least < 0 or most > _MOST:
            raise ValueError(f"a duration must be from 0 to 2**53 ns, not {least} to {most}")
        singles = memoryview(array("f", values)).cast("B").cast("H")
        self.counts.update(singles[_UPPER_HALF].tolist())
        self.n += len(values)
        self.minimum = least if self.minimum is None else min(self.minimum, least)
        self.maximum = most if self.maximum is None else max(self.maximum, most)


def bucket_of(value: float) -> int:
    """Return the number of the bucket that holds `value` (ns, not below 0)."""
    number: int = _BITS.unpack(_SINGLE.pack(min(value, _MOST)))[0]
    return number >> 16


def _begin(bucket: int) -> float:
    least: float = _SINGLE.unpack(_BITS.pack(bucket << 16))[0]
    return least


def _varint(number: int) -> bytes:
    """Return LEB128: seven bits a byte, the lowest first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def _numbers(data: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield number
            number = shift = 0
        elif shift > 63:
            raise ValueError("a histogram with a number too great")
    if shift:
        raise ValueError("a histogram cut short")


def _unpacked(text: str) -> bytes:
    """Return the bytes, but never more than a histogram can have, whatever the text says."""
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(packed, _LONGEST)
    except (ValueError, zlib.error) as broken:
        raise ValueError("not a histogram") from broken
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("a histogram cut short, or with something after its end")
    return data
