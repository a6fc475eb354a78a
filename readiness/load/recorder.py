"""Outcomes as they come in, one row each -> the samples behind a Result."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from operator import itemgetter

from readiness.load.check import LIMITED, Check
from readiness.load.series import Series
from readiness.load.tally import (
    DESYNC,
    VOID,
    Kind,
    Part,
    Row,
    Rules,
    Tally,
    fault_code,
    part,
    tally,
)

_SLICE = 64
"""Rows that are added up at a time: few, since arrivals wait meanwhile."""
_PART = 1024
_LAST = 200
SEPARATE = 500_000
"""Outcomes that are not added up yet, so that a desync is found in time."""
_MOST_FRESH = 1000
"""Rows to be sliced; more do not wait for a moment to spare."""
_CODE = itemgetter(4)
PAUSE_NS = 250_000_000
"""Requests pause until what is under way is answered, or so long, before a look at the samples."""


class Recorder:
    """Takes down one row per request; the oldest rows become distributions as memory fills."""

    def __init__(self, check: Check, timeout_ns: int = VOID, separate: int = SEPARATE) -> None:
        self.codes: Counter[int] = Counter()
        self.response, self.service = Series(most=timeout_ns), Series(most=timeout_ns)
        self.lag = Series()
        self._timeout = timeout_ns
        self.in_window = 0
        """Successes that came within the window, whenever they were asked for."""
        self.late = 0
        """Requests not timed because we sent them too late, or could not trust a clock."""
        self.desynced: set[int] = set()
        """Connections that turned out to have answered what nobody asked."""
        self._check = check
        self._opened = self._closed = 0
        self.live: set[int] = set()
        """Connections that are open."""
        self.untrusted = 0
        """Timed successes of connections that were convicted too late to leave them out."""
        self._added: dict[int, dict[Kind, int]] = defaultdict(dict)
        """What open connections said that is added up already: it may be held against them."""
        self._fresh: deque[Row] = deque()
        self._parts: deque[Part] = deque()
        self._separate, self._most = 0, separate
        self._rows: list[Row] = []
        self._before = self._succeeded = 0
        self.add = self._rows.append
        """Takes down one outcome; the list's own method, for there is nothing quicker."""

    @property
    def n(self) -> int:
        """How many outcomes were taken down."""
        return self._before + len(self._rows)

    @property
    def successes(self) -> int:
        """How many of `codes` are successes."""
        return sum(n for c, n in self.codes.items() if c > 0 and self._check.succeeded(c))

    def open_window(self, now: int) -> None:
        """Time what is asked for from `now` on."""
        self._opened = now

    def close_window(self, now: int) -> None:
        """Time nothing that is asked for later than `now`."""
        self._closed = now

    def recent(self) -> list[int]:
        """Return the service times (ns) of the successes since the last `turn`, oldest first."""
        ok = self._check.succeeded
        return [
            row[2] - row[1] for row in self._rows if row[4] > 0 and ok(row[4]) and row[3] < VOID
        ]

    def newest_rows(self) -> list[Row]:
        """Return what was taken down since the last `turn`."""
        return self._rows[:]

    def newest(self) -> list[int]:
        """Return the outcomes taken down since the last `turn`, as far as is known by now."""
        if not self.desynced:
            return list(map(_CODE, self._rows))
        bad, desync = self.desynced, fault_code(DESYNC)
        return [desync if line in bad else code for *_, code, line in self._rows]

    def void_recent(self) -> None:
        """Time nothing that was taken down since the last `turn`."""
        self._rows[:] = [(*row[:3], VOID, *row[4:]) for row in self._rows]

    @property
    def limited(self) -> int:
        """How many requests were refused for coming too often (429)."""
        return 0 if self._check.succeeded(LIMITED) else self.codes[LIMITED]

    def preview(self) -> "Recorder":
        """Return what `finish` would leave now, without ending anything."""
        other = Recorder(self._check, self._timeout)
        other._opened, other._closed, other.desynced = self._opened, self._closed, self.desynced
        other.codes.update(self.codes)
        other.in_window, other.late, other._before = self.in_window, self.late, self.n
        for mine, theirs in (
            (self.response, other.response),
            (self.service, other.service),
            (self.lag, other.lag),
        ):
            theirs.merge(mine)
        for some in self._left():
            other._add_up(some)
        return other

    def forget(self, line: int) -> None:
        """Forget what might have been held against a connection that is closed."""
        self.live.discard(line)
        if line not in self.desynced:
            self._added.pop(line, None)

    def last(self) -> list[int]:
        """Return the times (ns) that the newest answers took."""
        newest = islice(chain(reversed(self._rows), reversed(self._fresh)), _LAST)
        return [row[2] - row[1] for row in newest if row[4] > 0]

    def last_success(self) -> int:
        """Return when the newest success came (ns), 0 if there was none; not after `finish`."""
        return self._newest_success(chain(reversed(self._rows), reversed(self._fresh)))

    def _newest_success(self, newest_first: Iterable[Row]) -> int:
        good = self._check.succeeded
        return next((r[2] for r in newest_first if r[4] > 0 and good(r[4])), self._succeeded)

    def turn(self) -> None:
        """Make room for more; called every few milliseconds."""
        self._before += len(self._rows)
        self._fresh.extend(self._rows)
        self._rows.clear()
        while len(self._fresh) > _MOST_FRESH:
            self._slice()
        while self._separate > self._most + _MOST_FRESH:
            self._retire_part()

    def catch_up(self) -> None:
        """Work off a few outcomes, if there are some: for a moment to spare."""
        if len(self._fresh) >= _SLICE:
            self._slice()
        elif self._separate > self._most:
            self._retire_part()

    def _slice(self) -> None:
        """Make a part of the oldest rows, which are warm in the cache."""
        rows = [self._fresh.popleft() for _ in range(_SLICE)]
        self._succeeded = self._newest_success(reversed(rows))
        self._parts.append(part(rows, self._rules))
        self._separate += _SLICE

    def _retire_part(self) -> None:
        """Add up the oldest part, and remember who said what in it."""
        self._separate -= _SLICE
        for line, kinds in self._add_up(self._parts.popleft()).kinds.items():
            if line in self.live and line not in self.desynced:
                mine = self._added[line]
                for kind, count in kinds.items():
                    mine[kind] = mine.get(kind, 0) + count

    def finish(self) -> None:
        """Turn every row that is left into distributions."""
        for some in self._left():
            self._add_up(some)
        for line in self.desynced & self._added.keys():
            for kind, count in self._added[line].items():
                self.codes[kind.code] -= count
                self.codes[fault_code(DESYNC)] += count
                self.in_window -= kind.within * count
                self.untrusted += kind.timed * count
        self.codes = +self.codes
        self._before = self.n
        self._parts.clear()
        self._fresh.clear()
        self._rows.clear()

    @property
    def _rules(self) -> Rules:
        return Rules(self._check, self._opened, self._closed, self._timeout, self.desynced)

    def _left(self) -> Iterator[Part]:
        """Return what is not added up yet, in order."""
        yield from self._parts
        rows, rules = chain(self._fresh, self._rows), self._rules
        while some := list(islice(rows, _PART)):
            yield part(some, rules)

    def _add_up(self, some: Part) -> Tally:
        found = tally(some, self._rules)
        for kinds in found.kinds.values():
            for kind, count in kinds.items():
                self.codes[kind.code] += count
                self.in_window += kind.within * count
        self.late += found.late
        self.response.add(found.response)
        self.service.add(found.service)
        self.lag.add(found.lag)
        return found


Enough = Callable[[Recorder], bool]
"""Whether what was seen will do, asked when the wanted number of samples is there."""
