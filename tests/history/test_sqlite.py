"""A history in a file: what was added is there again, whatever others do to the file."""

from pathlib import Path

from readiness.history import open_history
from tests.history.runs import run


def test_a_run_is_read_back_to_the_letter(tmp_path: Path) -> None:
    made = run("aa01")
    history = open_history(str(tmp_path / "deep" / "h.db"), {})
    row = history.add(made)
    history.close()
    again = open_history(str(tmp_path / "deep" / "h.db"), {})
    found = again.get("aa")
    assert found.run == row == again.find("aa01") == again.runs()[0]
    assert found.evidence.to_json() == made.evidence.to_json()
    assert found.criteria == made.model.criteria
    again.close()
