"""What is kept of a run comes back as it was, as bytes of a store and as a line of an export."""

from hypothesis import given
from hypothesis import strategies as st

from readiness.assessment import assess
from readiness.checks import Criteria
from readiness.evidence import Evidence
from readiness.history.line import from_line, to_line
from readiness.history.packed import pack, unpack
from readiness.history.run import Kept, Run, facts, kept
from tests.judging import area, check
from tests.strategies import PROPERTY, evidences

FEW = Criteria(
    checks={"speed": check(), "one": check(id="one", one_of=("a", 1), limit=None, target=None)},
    areas={"performance": area("performance")},
    added=frozenset({"one"}),
)


@PROPERTY
@given(evidence=evidences(), value=st.integers(0, 100), coverage=st.floats(0, 1))
def test_any_run_comes_back_as_it_was(evidence: Evidence, value: int, coverage: float) -> None:
    judged = {"verdict": "ready", "value": value, "upper": 100, "raw": value, "exit_code": 0}
    run = Run.model_validate(
        {**facts(evidence, FEW), **judged, "coverage": coverage, "tool": "0.0.1"}
    )
    packed = pack(Kept(run, evidence, FEW))
    again = unpack(packed.run, packed.evidence, packed.criteria)
    assert again.run == run
    assert again.evidence.to_json() == evidence.to_json()
    assert again.criteria == FEW
    line = to_line(again)
    assert "\n" not in line
    assert from_line(line) == packed


@PROPERTY
@given(evidence=evidences())
def test_any_run_of_this_version_is_judged_as_its_row_says(evidence: Evidence) -> None:
    one = kept(assess(evidence, FEW))
    assert from_line(to_line(one)) == pack(one)
