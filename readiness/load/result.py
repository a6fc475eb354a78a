"""What one run saw, as counts and distributions."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from readiness.failure import FAILURE_KINDS, Failure, FailureKind
from readiness.load.check import BODY_FAILED, LIMITED, Check
from readiness.load.crew import Setup
from readiness.load.series import Series

CPU_LIMIT = 0.8
"""Share of a processor above which we, not the service, may be what is slow."""
LAG_LIMIT = 0.1
"""Part of the p99 that our own lateness may make up."""
LAG_FLOOR_MS = 1.0
"""Lateness below this is no matter, however quick the service is."""
_QUEUED_SHARE = 0.01


@dataclass(frozen=True)
class Result:
    """Counts take in the warm-up; distributions (ms) are of timed successes only."""

    check: Check
    codes: Mapping[int, int]
    """Outcome -> requests: a status, BODY_FAILED + status, or a fault below zero."""
    response: Series
    """From the intended start to the last byte: what a user waits."""
    service: Series
    """From the write to the last byte: what the answer alone takes."""
    lag: Series
    """From the moment a request could have been sent until it was: our own lateness."""
    seconds: float
    """Length of the window in which requests were started and timed."""
    in_window: int
    """Successes that came within the window."""
    offered: int
    """Arrivals within the window; 0 where there is no schedule."""
    queued: int
    """Arrivals of these that found every connection busy."""
    clock: str
    """Who stamped the answers: `kernel` or `process`."""
    cpu: float
    """Share of one processor that this took."""
    settled: bool
    """Whether service times settled before timing began."""
    silent: float
    """Seconds of the window after its last success; 0 if there was none."""
    late: int
    """Successes not timed, because we were late or a clock was set."""
    cut_off: int
    """Requests that the end of the run left without an outcome."""
    stalled: int
    """Times that our own process, or the whole machine, stood still."""
    connections: int
    closed_by_server: int
    cut_bodies: int
    """Answers whose body was given up at 1 MiB, by us: their times are until then."""
    untrusted: int
    """Timed successes of connections that turned out, later, to answer what nobody asked."""
    retried: int
    """Requests sent again since the connection that had served before was gone without a word."""
    asked_to_wait: int
    """Answers with Retry-After."""
    aborted: str
    """Why the run was given up early; empty if it was not."""
    first_fault: Failure | None
    setups: Sequence[Setup] = ()
    backlog: Sequence[tuple[float, int]] = field(default=(), repr=False)
    """(seconds, requests begun or waiting)"""

    @property
    def n(self) -> int:
        """How many requests had an outcome."""
        return sum(self.codes.values())

    @property
    def statuses(self) -> Mapping[int, int]:
        """Status -> number of requests answered with it, whatever the body said."""
        found: Counter[int] = Counter()
        for code, count in self.codes.items():
            if code > 0:
                found[code % BODY_FAILED] += count
        return found

    @property
    def faults(self) -> Mapping[FailureKind, int]:
        """What the target did wrong instead of answering -> number of requests."""
        return {FAILURE_KINDS[-c - 1]: n for c, n in self.codes.items() if c < 0}

    @property
    def successes(self) -> int:
        """How many requests were answered with success."""
        return sum(n for c, n in self.codes.items() if c > 0 and self.check.succeeded(c))

    @property
    def limited(self) -> int:
        """How many requests were refused for coming too often (429)."""
        return 0 if self.check.succeeded(LIMITED) else self.codes.get(LIMITED, 0)

    @property
    def throughput(self) -> float:
        """Successes per second of the window."""
        return self.in_window / self.seconds

    @property
    def crowded(self) -> bool:
        """Whether more than a chance few of the arrivals found every connection busy."""
        return self.queued > _QUEUED_SHARE * self.offered

    @property
    def drifting(self) -> bool:
        """Whether times still moved while they were taken, the service's or a queue's before it."""
        return self.service.drifts() or self.response.drifts()

    @property
    def local_limit(self) -> str:
        """Why the slowest times may be ours rather than the service's; empty if no doubt."""
        return self.doubt(0.99)

    @property
    def doubted_timeouts(self) -> str:
        """Why requests that timed out may be our fault; empty if none did, or no doubt."""
        n = self.faults.get("timeout", 0)
        if not n or self.cpu <= CPU_LIMIT:
            return ""
        return f"{n} timed out while this process used {self.cpu:.0%} of its processor"

    @property
    def only_late(self) -> bool:
        """Whether what is in doubt is at most too slow: requests that left late were all sent.

        Their times from the intended start hold our lateness too, those from the write do not.
        """
        return self.offered > 0 and self.cpu <= CPU_LIMIT

    def doubt(self, q: float) -> str:
        """Return why the `q` quantile may be ours rather than the service's; empty if no doubt.

        Arrivals that wait for us are timed with the waiting. Users who wait for us only make less
        load, which matters where it is the rule.
        """
        if self.cpu > CPU_LIMIT:
            return f"this process used {self.cpu:.0%} of its processor"
        if not self.offered:
            q = 0.5
        # who is late holds a connection up, and where others wait for it, that adds up
        measured = self.service if self.crowded else self.response
        if late(self.lag, measured, q):
            lag, times = self.lag.point(q), measured.point(q)
            return f"requests left {lag:.1f} ms late (p{100 * q:g}), of {times:.1f} ms measured"
        return ""


def late(lag: Series, times: Series, q: float) -> bool:
    """Whether our lateness may be what makes the `q` quantile of `times` what it is."""
    mine = lag.point(q)
    return mine > LAG_FLOOR_MS and mine > LAG_LIMIT * times.point(q)


def merge(results: Sequence[Result]) -> Result:
    """Return what several processes saw of one load, side by side, as if one had seen it all."""
    first = results[0]
    response, service, lag = Series(), Series(), Series()
    codes: Counter[int] = Counter()
    for result in results:
        codes.update(result.codes)
        response.merge(result.response)
        service.merge(result.service)
        lag.merge(result.lag)
    return Result(
        check=first.check,
        codes=dict(codes),
        response=response,
        service=service,
        lag=lag,
        seconds=max(r.seconds for r in results),
        in_window=sum(r.in_window for r in results),
        offered=sum(r.offered for r in results),
        queued=sum(r.queued for r in results),
        clock=first.clock,
        cpu=max(r.cpu for r in results),
        settled=all(r.settled for r in results),
        silent=min(r.silent for r in results),
        late=sum(r.late for r in results),
        cut_off=sum(r.cut_off for r in results),
        stalled=sum(r.stalled for r in results),
        connections=sum(r.connections for r in results),
        closed_by_server=sum(r.closed_by_server for r in results),
        retried=sum(r.retried for r in results),
        cut_bodies=sum(r.cut_bodies for r in results),
        untrusted=sum(r.untrusted for r in results),
        asked_to_wait=sum(r.asked_to_wait for r in results),
        aborted=next((r.aborted for r in results if r.aborted), ""),
        first_fault=next((r.first_fault for r in results if r.first_fault), None),
        setups=[setup for r in results for setup in r.setups],
    )
