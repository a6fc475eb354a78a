from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from readiness.load.check import Check
from readiness.load.tally import LATE_NS, Kind, Plain, Row, Rules, Tally, part, tally
from tests.load.test_response import PROPERTY

OPEN, CLOSE, PATIENCE = 1_000, 2_000, 300


def rules(desynced: frozenset[int] = frozenset(), *, opened: int = OPEN, closed: int = 0) -> Rules:
    return Rules(Check(), opened, closed, PATIENCE, desynced)


def row(intended: int, wait: int, took: int, lag: int = 0, code: int = 200, line: int = 1) -> Row:
    return intended, intended + wait, intended + wait + took, lag, code, line


PLAIN = st.builds(
    row,
    intended=st.integers(OPEN, CLOSE - PATIENCE - 1),
    wait=st.integers(0, 100),
    took=st.integers(0, 100),
    lag=st.integers(0, LATE_NS),
    code=st.sampled_from([200, 204]),
    line=st.integers(1, 3),
)
ANY = PLAIN | st.builds(
    row,
    intended=st.integers(OPEN - 100, CLOSE + 100),
    wait=st.integers(0, 200),
    took=st.integers(-1, 200),
    lag=st.sampled_from([0, LATE_NS + 1]),
    code=st.sampled_from([200, 503, -2]),
    line=st.integers(1, 3),
)
DESYNCED = st.frozensets(st.integers(1, 3), max_size=2)


def plainly(found: Tally) -> tuple[object, ...]:
    kinds: Mapping[int, Mapping[Kind, int]] = {k: dict(v) for k, v in found.kinds.items()}
    return (*map(list, found[:3]), found.late, kinds)


@given(st.lists(PLAIN, min_size=1, max_size=30), DESYNCED, st.sampled_from([0, CLOSE]))
@PROPERTY
def test_columns_add_up_to_what_rows_do(
    rows: list[Row], desynced: frozenset[int], closed: int
) -> None:
    columns = part(rows, rules(closed=closed))
    assert isinstance(columns, Plain)
    convicted = rules(desynced, closed=closed)
    assert plainly(tally(columns, convicted)) == plainly(tally(rows, convicted))


@given(
    st.lists(ANY, max_size=12), DESYNCED, st.sampled_from([0, OPEN]), st.sampled_from([0, CLOSE])
)
@PROPERTY
def test_whatever_the_rows_it_is_no_matter_whether_they_were_made_columns(
    rows: list[Row], desynced: frozenset[int], opened: int, closed: int
) -> None:
    some = part(list(rows), rules(opened=opened, closed=closed))
    convicted = rules(desynced, opened=opened, closed=closed)
    assert plainly(tally(some, convicted)) == plainly(tally(rows, convicted))
