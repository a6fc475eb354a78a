"""Outcomes as they come in -> the samples of one run, untimed where our own machine stalled."""

from array import array
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from readiness.failure import FAILURE_KINDS, Failure, FailureKind, ProbeError
from readiness.load.client import Outcome
from readiness.load.sentinel import Sentinel

IsSuccess = Callable[[int], bool]
"""Which statuses the caller counts as a success."""


@dataclass(frozen=True)
class Result:
    """What one run saw, one element of each array per request.

    Moments are nanoseconds of `time.monotonic_ns`: when the request was meant to start, when it
    was written to the socket, when its last byte came (or it failed).
    """

    intended_ns: "array[int]"
    sent_ns: "array[int]"
    done_ns: "array[int]"
    codes: "array[int]"
    """The status where there was an answer, else minus the place in FAILURE_KINDS, from 1."""
    timed: "array[int]"
    """1 where the time counts, 0 where it was warming up or where our event loop stalled.

    Either excuses slowness, never failure: a hostile answer can stall the loop that reads it.
    """
    seconds: float
    """Length of the window in which requests were started and timed."""
    answered: Mapping[int, int]
    """Status -> answers that came within the window, also to requests sent before it."""
    first_fault: Failure | None
    """The first of `faults`, with its detail."""
    voided: int
    """Requests left out: timeouts while our own event loop stalled, and what the run's deadline
    cut off."""

    @property
    def n(self) -> int:
        """How many requests had an outcome."""
        return len(self.codes)

    @property
    def statuses(self) -> Mapping[int, int]:
        """Status -> number of requests answered with it."""
        return Counter(code for code in self.codes if code > 0)

    @property
    def faults(self) -> Mapping[FailureKind, int]:
        """What the target did wrong instead of answering -> number of requests."""
        return Counter(FAILURE_KINDS[-code - 1] for code in self.codes if code < 0)

    def successes(self, ok: IsSuccess) -> int:
        """How many requests were answered with success."""
        return sum(count for status, count in self.statuses.items() if ok(status))

    def throughput(self, ok: IsSuccess) -> float:
        """Successes per second of the window."""
        return sum(n for status, n in self.answered.items() if ok(status)) / self.seconds

    def response_ms(self, ok: IsSuccess) -> list[float]:
        """Milliseconds of each timed success from its intended start: what a user waits."""
        return self._ms(self.intended_ns, ok)

    def service_ms(self, ok: IsSuccess) -> list[float]:
        """Milliseconds of each timed success from its write: what the answer alone takes."""
        return self._ms(self.sent_ns, ok)

    def _ms(self, since: "array[int]", ok: IsSuccess) -> list[float]:
        rows = zip(since, self.done_ns, self.codes, self.timed, strict=True)
        return [(done - start) / 1e6 for start, done, code, timed in rows if timed and ok(code)]


class _Row(NamedTuple):
    intended_ns: int
    outcome: Outcome
    timed: bool


class Ledger:
    """Takes down outcomes while a run lasts; `close` turns them into its Result."""

    def __init__(self, deadline: float) -> None:
        self._deadline_ns = round(deadline * 1e9)
        self._rows: list[_Row] = []
        self._cut_off = 0

    def add(self, intended_ns: int, outcome: Outcome, *, timed: bool = True) -> None:
        """Take down one outcome, unless it was the run's own deadline that ended it."""
        if (
            outcome.fault
            and outcome.fault.kind == "timeout"
            and outcome.done_ns >= self._deadline_ns
        ):
            self._cut_off += 1
        else:
            self._rows.append(_Row(intended_ns, outcome, timed))

    def spoilt(self, sentinel: Sentinel) -> int:
        """Return how many timed requests a stall has touched so far."""
        return sum(row.timed and _stalled(row, sentinel) for row in self._rows)

    def close(self, begin_ns: int, end_ns: int, sentinel: Sentinel) -> Result:
        """Return what was seen; requests that started or ended during a stall are not timed.

        A timeout is a time, so that one within a stall is left out. ProbeError: `local_limit` if
        that is most of them, `deadline` if none ended in time.
        """
        kept = self._kept(sentinel)
        stalled = len(self._rows) - len(kept)
        if stalled > len(kept):
            what = f"this machine stalled during {stalled} of {len(self._rows)} requests"
            raise ProbeError("local_limit", what)
        if not kept and self._cut_off:
            raise ProbeError("deadline", "the run's time was up before an answer came")
        outcomes = [row.outcome for row in self._rows if begin_ns < row.outcome.done_ns <= end_ns]
        return Result(
            intended_ns=array("q", (row.intended_ns for row in kept)),
            sent_ns=array("q", (row.outcome.sent_ns for row in kept)),
            done_ns=array("q", (row.outcome.done_ns for row in kept)),
            codes=array("h", (_code(row.outcome) for row in kept)),
            timed=array("b", (row.timed for row in kept)),
            seconds=max(end_ns - begin_ns, 1) / 1e9,
            answered=Counter(o.status for o in outcomes if o.status is not None),
            first_fault=next((row.outcome.fault for row in kept if row.outcome.fault), None),
            voided=stalled + self._cut_off,
        )

    def _kept(self, sentinel: Sentinel) -> list[_Row]:
        kept = []
        for row in self._rows:
            if not _stalled(row, sentinel):
                kept.append(row)
            elif row.outcome.fault is None or row.outcome.fault.kind != "timeout":
                kept.append(row._replace(timed=False))
        return kept


def _stalled(row: _Row, sentinel: Sentinel) -> bool:
    return sentinel.stalled(row.intended_ns, row.outcome.done_ns)


def _code(outcome: Outcome) -> int:
    if outcome.fault is not None:
        return -1 - FAILURE_KINDS.index(outcome.fault.kind)
    return outcome.status or 0
