"""Rows of outcomes -> what they add up to: durations, and outcomes by connection.

It runs while requests wait to be sent, so that the usual case, where all rows are alike, is left
to the interpreter's own loops.
"""

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from operator import sub
from typing import NamedTuple

from readiness.failure import FAILURE_KINDS, FailureKind
from readiness.load.check import Check

DESYNC: FailureKind = "protocol"
VOID = 1 << 62
"""A lag that no request has: what is marked with it is not timed."""
LATE_NS = 10_000_000
"""A request that we sent so much too late says more about us than about the service."""

Row = tuple[int, int, int, int, int, int]
"""(intended, sent, done, lag, outcome, connection), moments and lag in monotonic nanoseconds"""


def fault_code(kind: FailureKind) -> int:
    """Return the outcome that stands for a fault: below zero, where no status is."""
    return -1 - FAILURE_KINDS.index(kind)


class Kind(NamedTuple):
    """What matters of an outcome once its moments are forgotten."""

    code: int
    within: bool
    """Whether it is a success that came within the window."""
    timed: bool


@dataclass(frozen=True)
class Rules:
    """What a success is, and which of them are timed. Moments in ns; `closed` 0 is not yet."""

    check: Check
    opened: int
    closed: int
    patience: int
    """An answer later than this after its intended start is a time-out, read before we looked."""
    desynced: Set[int]
    """Connections of whose answers none is believed."""

    def good(self, code: int) -> bool:
        """Whether an outcome is a success."""
        return code > 0 and self.check.succeeded(code)


class Plain(NamedTuple):
    """Rows that all are timed successes, as columns: little memory, and little to add up."""

    response: "array[int]"
    service: "array[int]"
    lag: "array[int]"
    codes: "array[int]"
    lines: "array[int]"


Part = Plain | list[Row]


class Tally(NamedTuple):
    """What some outcomes add up to; durations in ns, of timed successes, in their order."""

    response: "array[int]"
    service: "array[int]"
    lag: "array[int]"
    """Of those that may have been timed, but for our being late."""
    late: int
    """Successes of the window that are not timed, since we were late or a clock was set."""
    kinds: Mapping[int, Mapping[Kind, int]]
    """Connection -> kind of outcome -> how many."""


def part(rows: list[Row], rules: Rules) -> Part:
    """Return `rows` as columns, if they are plain."""
    if not rows or not rules.opened:
        return rows
    intended, sent, done, lags, codes, lines = zip(*rows, strict=True)
    response, service = array("q", map(sub, done, intended)), array("q", map(sub, done, sent))
    plain = (
        rules.opened <= min(intended)
        and rules.opened <= min(done)
        and (not rules.closed or max(done) <= rules.closed > max(intended))
        and max(response) <= rules.patience
        and min(service) >= 0
        and max(lags) <= LATE_NS
        and all(map(rules.good, set(codes)))
    )
    if not plain:
        return rows
    return Plain(response, service, array("q", lags), array("h", codes), array("q", lines))


def tally(some: Part, rules: Rules) -> Tally:
    """Add up a part."""
    if not isinstance(some, Plain):
        return _one_by_one(some, rules)
    trusted = _without(some, rules.desynced)
    kinds: dict[int, dict[Kind, int]] = {}
    for (line, code), count in Counter(zip(trusted.lines, trusted.codes, strict=True)).items():
        kinds.setdefault(line, {})[Kind(code, within=True, timed=True)] = count
    for line, count in Counter(some.lines).items() if rules.desynced else ():
        if line in rules.desynced:
            kinds[line] = {Kind(fault_code(DESYNC), within=False, timed=False): count}
    return Tally(trusted.response, trusted.service, trusted.lag, 0, kinds)


def _without(some: Plain, lines: Set[int]) -> Plain:
    if lines.isdisjoint(some.lines):
        return some
    kept = [place for place, line in enumerate(some.lines) if line not in lines]
    return Plain(*(array(c.typecode, [c[place] for place in kept]) for c in some))


def _one_by_one(rows: Sequence[Row], rules: Rules) -> Tally:
    response, service, lags, late = array("q"), array("q"), array("q"), 0
    kinds: dict[int, Counter[Kind]] = {}
    opened, closed = rules.opened, rules.closed or VOID
    desync, late_answer = fault_code(DESYNC), fault_code("timeout")
    good = {code: rules.good(code) for code in {row[4] for row in rows}}
    for intended, sent, done, lag, code, line in rows:
        within = timed = False
        if line in rules.desynced:
            code = desync
        elif code > 0 and done - intended > rules.patience and lag <= LATE_NS:
            code = late_answer
        elif good[code] and opened:
            within = opened <= done <= closed
            if opened <= intended < closed:
                timed = lag <= LATE_NS and done >= sent
                late += not timed
                if lag < VOID:
                    lags.append(lag)
        if timed:
            response.append(done - intended)
            service.append(done - sent)
        kinds.setdefault(line, Counter())[Kind(code, within, timed)] += 1
    return Tally(response, service, lags, late, kinds)
