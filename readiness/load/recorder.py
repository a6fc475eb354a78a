"""Outcomes as they come in, one row each -> the samples behind a Result."""

from array import array
from collections import Counter, defaultdict, deque

from readiness.failure import FAILURE_KINDS, FailureKind
from readiness.load.check import Check
from readiness.load.series import Series

DESYNC: FailureKind = "protocol"
VOID = 1 << 62
"""A lag that no request has: what is marked with it is not timed."""
LATE_NS = 10_000_000
"""A request that we sent so much too late says more about us than about the service."""

_CHUNK = 2048
_LAST = 200
_RAW_CHUNKS = 25


def fault_code(kind: FailureKind) -> int:
    """Return the outcome that stands for a fault: below zero, where no status is."""
    return -1 - FAILURE_KINDS.index(kind)


Row = tuple[int, int, int, int, int, int]
"""(intended, sent, done, lag, outcome, connection), moments and lag in monotonic nanoseconds"""


class Recorder:
    """Takes down one row per request; the oldest rows become distributions as memory fills."""

    def __init__(self, check: Check, timeout_ns: int = VOID) -> None:
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
        self._folded: dict[int, Counter[tuple[int, bool, bool]]] = defaultdict(Counter)
        self._chunks: deque[list[Row]] = deque()
        self._rows: list[Row] = []
        self._before = self._mark = 0
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
        rows = self._rows[self._mark :]
        return [row[2] - row[1] for row in rows if row[4] > 0 and ok(row[4]) and row[3] < VOID]

    def newest_rows(self) -> list[Row]:
        """Return what was taken down since the last `turn`."""
        return self._rows[self._mark :]

    def newest(self) -> list[int]:
        """Return the outcomes taken down since the last `turn`."""
        return [row[4] for row in self._rows[self._mark :]]

    def void_recent(self) -> None:
        """Time nothing that was taken down since the last `turn`."""
        for place in range(self._mark, len(self._rows)):
            intended, sent, done, _, code, line = self._rows[place]
            self._rows[place] = (intended, sent, done, VOID, code, line)

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
        for chunk in (*self._chunks, self._rows):
            other._fold(chunk)
        return other

    def retire(self, line: int) -> None:
        """Forget what might have been held against a connection that is closed."""
        self.live.discard(line)
        if line not in self.desynced:
            self._folded.pop(line, None)

    def last(self) -> list[int]:
        """Return the times (ns) that the newest answers took."""
        return [row[2] - row[1] for row in self._rows[-_LAST:] if row[4] > 0]

    def _within(self, row: Row) -> bool:
        good = row[4] > 0 and self._check.succeeded(row[4])
        return good and 0 < self._opened <= row[2] <= (self._closed or VOID)

    def _timed(self, row: Row) -> bool:
        good = row[4] > 0 and self._check.succeeded(row[4]) and row[3] <= LATE_NS
        return good and 0 < self._opened <= row[0] < (self._closed or VOID)

    def turn(self) -> None:
        """Make room for more; called every few milliseconds."""
        self._mark = len(self._rows)
        if self._mark < _CHUNK:
            return
        self._before += self._mark
        self._chunks.append(self._rows[:])
        self._rows.clear()
        self._mark = 0
        if len(self._chunks) > _RAW_CHUNKS:
            oldest = self._chunks.popleft()
            self._fold(oldest)
            for row in oldest:
                if row[5] in self.live and row[5] not in self.desynced:  # it may be, later
                    self._folded[row[5]][row[4], self._within(row), self._timed(row)] += 1

    def finish(self) -> None:
        """Turn every row that is left into distributions."""
        for chunk in (*self._chunks, self._rows):
            self._fold(chunk)
        for line in self.desynced & self._folded.keys():
            for (code, within, timed), count in self._folded[line].items():
                self.codes[code] -= count
                self.codes[fault_code(DESYNC)] += count
                self.in_window -= within * count
                self.untrusted += timed * count
        self.codes = +self.codes
        self._before, self._mark = self.n, 0
        self._chunks.clear()
        self._rows.clear()

    def _fold(self, rows: list[Row]) -> None:
        response, service, lags = array("q"), array("q"), array("q")
        opened, closed = self._opened, self._closed or VOID
        ok = {code: code > 0 and self._check.succeeded(code) for code in {row[4] for row in rows}}
        desync, spoilt = fault_code(DESYNC), self.desynced
        patience, late_answer = self._timeout, fault_code("timeout")
        for intended, sent, done, lag, code, line in rows:
            if spoilt and line in spoilt:
                code = desync
            elif code > 0 and done - intended > patience and lag <= LATE_NS:
                code = late_answer  # it was read before anyone looked at the time
            self.codes[code] += 1
            if not ok.get(code):
                continue
            if opened and opened <= done <= closed:
                self.in_window += 1
            if not opened or not opened <= intended < closed:
                continue
            if lag < VOID:
                lags.append(lag)
            if lag > LATE_NS or done < sent:
                self.late += 1
                continue
            response.append(done - intended)
            service.append(done - sent)
        self.response.add(response)
        self.service.add(service)
        self.lag.add(lags)
