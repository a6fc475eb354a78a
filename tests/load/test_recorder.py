from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readiness.failure import FAILURE_KINDS
from readiness.load.check import Check
from readiness.load.recorder import SEPARATE, Recorder
from readiness.load.tally import DESYNC, LATE_NS, VOID, fault_code
from tests.load.test_response import PROPERTY

MS = 1_000_000
KEPT = 20_000
"""Outcomes kept apart in these tests, so that the rest is added up soon."""
OPEN, CLOSE = 1_000 * MS, 2_000 * MS
PROTOCOL = fault_code(DESYNC)
CODES = [200, 204, 404, 429, 503, 1200, fault_code("reset"), fault_code("timeout"), PROTOCOL]


class Row(NamedTuple):
    """One outcome: when it was meant to start, how late it was sent, what it took."""

    intended: int
    after: int = 1 * MS
    took: int = 5 * MS
    lag: int = 0
    code: int = 200
    line: int = 1

    @property
    def sent(self) -> int:
        return self.intended + self.after

    @property
    def done(self) -> int:
        return self.sent + self.took

    def given_to(self, recorder: Recorder) -> None:
        recorder.add((self.intended, self.sent, self.done, self.lag, self.code, self.line))


class Seen(NamedTuple):
    """What a recorder says, as plain values."""

    codes: dict[int, int]
    in_window: int
    late: int
    timed: int
    lags: int
    slowest: tuple[int, int]
    """Response and service time, ns."""

    @classmethod
    def of(cls, recorder: Recorder) -> "Seen":
        timed = recorder.response.n
        assert recorder.service.n == timed
        both = (recorder.response, recorder.service)
        slowest = [round(series.maximum_ms * MS) if timed else 0 for series in both]
        return cls(
            codes=dict(recorder.codes),
            in_window=recorder.in_window,
            late=recorder.late,
            timed=timed,
            lags=recorder.lag.n,
            slowest=(slowest[0], slowest[1]),
        )


def true(rows: Iterable[Row], desynced: Iterable[int] = ()) -> Seen:
    """What must be said of `rows`, one rule a line."""
    told = [row._replace(code=PROTOCOL) if row.line in desynced else row for row in rows]
    good = [row for row in told if 200 <= row.code < 300]
    asked = [row for row in good if OPEN <= row.intended < CLOSE]
    timed = [row for row in asked if row.lag <= LATE_NS and row.took >= 0]
    slowest = (
        max((row.done - row.intended for row in timed), default=0),
        max((row.took for row in timed), default=0),
    )
    return Seen(
        codes=dict(Counter(row.code for row in told)),
        in_window=sum(OPEN <= row.done <= CLOSE for row in good),
        late=len(asked) - len(timed),
        timed=len(timed),
        lags=sum(row.lag != VOID for row in asked),
        slowest=slowest,
    )


def recorder_of(
    rows: Iterable[Row], *, check: Check | None = None, separate: int = SEPARATE
) -> Recorder:
    recorder = Recorder(check or Check(), separate=separate)
    for row in rows:
        row.given_to(recorder)
    recorder.open_window(OPEN)
    recorder.close_window(CLOSE)
    return recorder


def finished(recorder: Recorder) -> Seen:
    recorder.finish()
    return Seen.of(recorder)


ROWS = st.lists(
    st.builds(
        Row,
        intended=st.sampled_from([OPEN - 5 * MS, OPEN - 1, OPEN, CLOSE - 1, CLOSE])
        | st.integers(OPEN - 50 * MS, CLOSE + 50 * MS),
        after=st.integers(0, 40 * MS),
        took=st.integers(-1, 90 * MS),
        lag=st.sampled_from([0, 3, LATE_NS, LATE_NS + 1, VOID]),
        code=st.sampled_from(CODES),
        line=st.integers(0, 4),
    ),
    max_size=40,
)


@given(ROWS, st.sets(st.integers(0, 4), max_size=2))
@PROPERTY
def test_every_outcome_is_counted_and_timed_by_the_rules(rows: list[Row], bad: set[int]) -> None:
    recorder = recorder_of(rows)
    recorder.desynced |= bad
    assert recorder.n == len(rows)
    assert finished(recorder) == true(rows, bad)
    assert recorder.n == len(rows)
    assert recorder.successes == sum(200 <= row.code < 300 and row.line not in bad for row in rows)


@given(ROWS, st.lists(st.integers(0, 40), max_size=5))
@PROPERTY
def test_a_preview_is_what_finishing_gives_and_changes_nothing(
    rows: list[Row], turns: Sequence[int]
) -> None:
    recorder = recorder_of([])
    for place, row in enumerate(rows):
        row.given_to(recorder)
        if place in turns:
            recorder.turn()
            recorder.preview()
    first, second = Seen.of(recorder.preview()), Seen.of(recorder.preview())
    assert not recorder.codes
    assert not recorder.response.n
    assert first == second == finished(recorder) == true(rows)


def test_finishing_twice_counts_once() -> None:
    recorder = recorder_of([Row(OPEN)])
    assert finished(recorder) == finished(recorder)


def test_a_window_holds_its_begin_but_not_its_end() -> None:
    rows = [Row(OPEN - 1), Row(OPEN), Row(CLOSE - 1), Row(CLOSE), Row(CLOSE + 1)]
    assert finished(recorder_of(rows)).timed == 2


def test_what_is_served_in_the_window_counts_for_throughput_whenever_it_was_asked_for() -> None:
    early = Row(OPEN - 3 * MS, took=5 * MS)
    late = Row(CLOSE - 3 * MS, took=5 * MS)
    seen = finished(recorder_of([early, early, late]))
    assert (seen.in_window, seen.timed) == (2, 1)


def test_before_a_window_opens_nothing_is_timed() -> None:
    recorder = Recorder(Check())
    Row(OPEN).given_to(recorder)
    recorder.finish()
    assert Seen.of(recorder) == Seen({200: 1}, 0, 0, 0, 0, (0, 0))


def test_a_window_need_not_close() -> None:
    recorder = Recorder(Check())
    recorder.open_window(OPEN)
    Row(10**15).given_to(recorder)
    recorder.finish()
    assert (recorder.response.n, recorder.in_window) == (1, 1)


def test_response_counts_from_the_intention_and_service_from_the_write() -> None:
    recorder = recorder_of([Row(OPEN, after=30 * MS, took=5 * MS, lag=2 * MS)])
    recorder.finish()
    assert recorder.response.maximum_ms == pytest.approx(35)
    assert recorder.service.maximum_ms == pytest.approx(5)
    assert recorder.lag.maximum_ms == pytest.approx(2)


def test_only_successes_are_timed() -> None:
    seen = finished(recorder_of([Row(OPEN, code=code) for code in CODES]))
    assert (seen.timed, seen.in_window, seen.lags) == (2, 2, 2)
    assert seen.codes == dict.fromkeys(CODES, 1)


def test_the_check_says_what_a_success_is() -> None:
    rows = [Row(OPEN, code=code) for code in CODES]
    recorder = recorder_of(rows, check=Check(statuses=frozenset({404, 429, 503})))
    recorder.finish()
    assert (recorder.successes, recorder.response.n, recorder.in_window) == (3, 3, 3)


@pytest.mark.parametrize(("lag", "timed", "lags"), [(LATE_NS, 1, 1), (LATE_NS + 1, 0, 1)])
def test_what_we_sent_late_is_counted_but_not_timed(lag: int, timed: int, lags: int) -> None:
    seen = finished(recorder_of([Row(OPEN, lag=lag)]))
    assert (seen.timed, seen.late, seen.lags) == (timed, 1 - timed, lags)
    assert (seen.codes, seen.in_window) == ({200: 1}, 1)


def test_an_answer_before_its_request_is_not_timed() -> None:
    seen = finished(recorder_of([Row(OPEN, took=-1)]))
    assert (seen.timed, seen.late) == (0, 1)


def test_what_is_voided_counts_and_is_neither_timed_nor_lagging() -> None:
    recorder = recorder_of([Row(OPEN), Row(OPEN)])
    recorder.turn()
    Row(OPEN, lag=7).given_to(recorder)
    Row(OPEN, code=503).given_to(recorder)
    recorder.void_recent()
    Row(OPEN).given_to(recorder)
    seen = finished(recorder)
    assert (seen.timed, seen.late, seen.lags) == (3, 1, 3)
    assert (seen.codes, seen.in_window) == ({200: 4, 503: 1}, 4)


def test_what_came_before_the_last_turn_is_not_voided_across_chunks() -> None:
    recorder = recorder_of([Row(OPEN)] * 512)
    recorder.turn()
    recorder.void_recent()
    Row(OPEN).given_to(recorder)
    recorder.void_recent()
    seen = finished(recorder)
    assert (seen.timed, seen.late) == (512, 1)


def test_a_desynced_connection_is_believed_in_nothing_it_ever_said() -> None:
    rows = [Row(OPEN, line=1), Row(OPEN, line=2), Row(OPEN, line=1, code=503), Row(OPEN, line=1)]
    recorder = recorder_of(rows)
    recorder.desynced.add(1)
    seen = finished(recorder)
    assert seen.codes == {200: 1, PROTOCOL: 3}
    assert (seen.timed, seen.in_window, recorder.successes) == (1, 1, 1)


def test_since_the_last_turn_there_are_new_outcomes_and_service_times_of_successes() -> None:
    recorder = recorder_of([Row(OPEN, took=1)])
    assert recorder.recent() == [1]
    recorder.turn()
    assert (recorder.recent(), list(recorder.newest())) == ([], [])
    for took, code in ((7, 200), (8, 503), (9, 204), (3, fault_code("reset"))):
        Row(OPEN, took=took, code=code).given_to(recorder)
    assert recorder.recent() == [7, 9]
    assert list(recorder.newest()) == [200, 503, 204, fault_code("reset")]


def test_the_newest_outcomes_of_a_desynced_connection_are_faults() -> None:
    recorder = recorder_of([Row(OPEN, line=1), Row(OPEN, line=2)])
    recorder.desynced.add(1)
    assert recorder.newest() == [PROTOCOL, 200]


def many(n: int) -> list[Row]:
    """Outcomes of all sorts, in the order of their ends."""
    lags = [0] * 50 + [LATE_NS + 1, VOID]
    codes = [200] * 90 + [503, fault_code("reset"), 1200]
    step = (CLOSE - OPEN) * 6 // 5 // n
    return [
        Row(
            OPEN - 100 * MS + k * step,
            took=1 + k * 7919 % (90 * MS),
            lag=lags[k % len(lags)],
            code=codes[k % len(codes)],
            line=k % 50,
        )
        for k in range(n)
    ]


def test_what_no_longer_fits_in_memory_is_counted_all_the_same() -> None:
    rows = many(60_000)
    turning, still = Recorder(Check(), separate=KEPT), Recorder(Check())
    for recorder in (turning, still):
        recorder.open_window(OPEN)
        recorder.close_window(CLOSE)
        recorder.desynced.add(3)
    for place, row in enumerate(rows):
        row.given_to(turning)
        row.given_to(still)
        if place % 100 == 0:
            turning.turn()
    assert turning.codes  # some are distributions by now
    assert not still.codes
    seen, wanted = Seen.of(turning.preview()), true(rows, {3})
    assert (seen.codes, seen.timed, seen.lags) == (wanted.codes, wanted.timed, wanted.lags)
    assert turning.n == still.n == len(rows)
    assert finished(turning) == finished(still) == wanted
    assert turning.n == still.n == len(rows)


def test_no_two_outcomes_are_confused() -> None:
    codes = {fault_code(kind) for kind in FAILURE_KINDS}
    assert len(codes) == len(FAILURE_KINDS)
    assert not codes & set(range(10_000))


def test_a_preview_of_a_long_run_is_what_finishing_gives() -> None:
    recorder = recorder_of([], separate=KEPT)
    for place, row in enumerate(many(60_000)):
        row.given_to(recorder)
        if place % 100 == 0:
            recorder.turn()
    preview = recorder.preview()
    assert preview.n == recorder.n
    assert Seen.of(preview) == finished(recorder)


def test_a_desync_found_late_is_believed_all_the_same() -> None:
    recorder = recorder_of([], separate=KEPT)
    recorder.live.add(1)
    for _ in range(60_000):
        Row(1_500_000_000).given_to(recorder)
        recorder.turn()
    recorder.desynced.add(1)
    assert finished(recorder).codes == {PROTOCOL: 60_000}


def test_what_a_connection_said_late_takes_its_throughput_back() -> None:
    recorder = recorder_of([], separate=KEPT)
    recorder.open_window(1)
    recorder.live.add(1)
    for _ in range(60_000):
        Row(1_500_000_000).given_to(recorder)
        recorder.turn()
    recorder.desynced.add(1)
    recorder.finish()
    assert recorder.in_window == 0
    assert recorder.untrusted > 0


def test_a_closed_connection_is_forgotten() -> None:
    recorder = recorder_of([], separate=KEPT)
    recorder.live.add(1)
    for _ in range(60_000):
        Row(1_500_000_000).given_to(recorder)
        recorder.turn()
    recorder.forget(1)
    recorder.desynced.add(1)
    assert finished(recorder).codes[200] > 0  # folded before, and never accused while open


def test_an_answer_after_its_time_is_a_timeout() -> None:
    recorder = Recorder(Check(), timeout_ns=1_000_000)
    recorder.open_window(1)
    for took in (900_000, 1_000_001, 2_000_000):
        recorder.add((10, 20, 10 + took, 0, 200, 1))
    recorder.finish()
    assert dict(recorder.codes) == {200: 1, fault_code("timeout"): 2}
    assert recorder.response.n == 1
