"""What a history keeps, finds and forgets: the same in a file and in Postgres."""

from collections.abc import Iterator

import pytest

from readiness.checks import Criteria
from readiness.history import History, HistoryError, Run, open_history
from readiness.history.choose import chosen
from readiness.history.packed import pack
from readiness.history.run import kept
from readiness.inventory import System
from tests.history.runs import run
from tests.judging import inventory, service


@pytest.fixture
def history(where: str) -> Iterator[History]:
    opened = open_history(where, {})
    yield opened
    opened.close()


def ids(runs: object) -> list[str]:
    assert isinstance(runs, list)
    return [one.run_id for one in runs if isinstance(one, Run)]


def test_a_run_is_read_back_to_the_letter(history: History, where: str) -> None:
    revision = {"branch": "main", "commit": "5f3c0a7d"}
    made = run("aa01", revision=revision, only=("api",), interrupted="SIGTERM")
    row = history.add(made)
    assert (row.branch, row.commit, row.partial, row.interrupted) == (
        *("main", "5f3c0a7d"),
        *(True, True),
    )
    assert (row.value, row.verdict) == (made.model.decision.value, made.model.decision.verdict)
    history.close()
    again = open_history(where, {})
    found = again.get("aa")
    assert found.run == row == again.find("aa01") == again.runs()[0]
    assert found.evidence.to_json() == made.evidence.to_json()
    assert found.criteria == made.model.criteria
    again.close()


def test_runs_are_listed_the_newest_first_and_filtered(history: History) -> None:
    other = inventory(service(), system=System(name="other"))
    history.add(run("b2", 2, revision={"branch": "main"}))
    history.add(run("a1", 1))
    history.add(run("c3", 3, of=other, environment="test"))
    history.add(run("d4", 4, only=("api",)))
    history.add(run("e5", 5, interrupted="SIGINT"))
    assert ids(history.runs()) == ["e5", "d4", "c3", "b2", "a1"]
    assert ids(history.runs(limit=2)) == ["e5", "d4"]
    assert ids(history.runs("shop", "local")) == ["e5", "d4", "b2", "a1"]
    assert ids(history.runs("shop", complete=True, limit=1)) == ["b2"]
    assert ids(history.runs(environment="test")) == ["c3"]
    assert ids(history.runs(branch="main")) == ["b2"]
    assert ids(history.runs("nosuch")) == []


def test_a_run_is_found_by_the_beginning_of_its_id_where_that_is_clear(history: History) -> None:
    for name in ("ab", "abcd", "abce", "x_y"):
        history.add(run(name))
    assert history.find("abcd").run_id == "abcd"
    assert history.find("ab").run_id == "ab", "whole ids come first"
    with pytest.raises(HistoryError, match="several runs"):
        history.find("abc")
    for none in ("", "nosuch", "a%", "x%"):
        with pytest.raises(HistoryError, match="there is no run"):
            history.get(none)


def test_a_run_that_is_there_stays_as_it_is(history: History) -> None:
    first = history.add(run("aa"))
    history.add(run("aa", found=()))
    assert history.runs() == [first]


def test_each_series_has_one_pin_and_a_pinned_run_is_not_forgotten(history: History) -> None:
    other = inventory(service(), system=System(name="other"))
    for one in (run("a1"), run("b2", 1), run("c3", of=other)):
        history.add(one)
    assert history.pin("a1").pinned
    assert history.pin("c3").pinned
    assert history.pin("b2").pinned
    assert [one.run_id for one in history.runs() if one.pinned] == ["b2", "c3"]
    assert chosen(history, "pinned", "shop").run_id == "b2"
    with pytest.raises(HistoryError, match="several runs are pinned"):
        chosen(history, "pinned")
    assert history.remove(["a1", "b2", "nosuch"]) == 1
    assert ids(history.runs("shop")) == ["b2"]
    assert not history.pin("b2", False).pinned
    with pytest.raises(HistoryError, match="no run of shop is pinned"):
        chosen(history, "pinned", "shop")
    assert history.remove(["b2"]) == 1
    with pytest.raises(HistoryError, match="no run"):
        history.pin("b2")


def test_last_is_the_newest_or_the_newest_that_is_whole(history: History) -> None:
    history.add(run("a1", 1))
    history.add(run("b2", 2, interrupted="SIGINT"))
    assert chosen(history, "last").run_id == "b2"
    assert chosen(history, "last", "shop", "local", complete=True).run_id == "a1"
    with pytest.raises(HistoryError, match="no run of nosuch is kept"):
        chosen(history, "last", "nosuch")


def test_old_evidence_keeps_the_criteria_of_its_time(history: History) -> None:
    made = run("a1")
    criteria = made.model.criteria
    fewer = Criteria(
        checks={k: v for k, v in criteria.checks.items() if k != "latency-p95"},
        areas=criteria.areas,
    )
    old = kept(made)
    history.take(
        [
            pack(old),
            pack(old._replace(run=old.run.model_copy(update={"run_id": "b2"}), criteria=fewer)),
        ]
    )
    assert history.get("a1").criteria == criteria
    assert history.get("b2").criteria == fewer
    history.remove(["b2"])
    assert history.get("a1").criteria == criteria


def test_many_runs_are_taken_whole_or_not_at_all(history: History) -> None:
    one, two = pack(kept(run("a1"))), pack(kept(run("b2", 1)))
    assert history.take([one, two, one]) == 2
    assert history.take([one, two]) == 0
    history.remove(["a1", "b2"])
    broken = two._replace(evidence=None)  # type: ignore[arg-type]
    with pytest.raises(Exception):  # noqa: B017
        history.take([one, broken])
    assert history.runs() == []


def test_a_pin_that_comes_along_holds_where_there_is_none(history: History) -> None:
    def pinned(name: str) -> "object":
        one = kept(run(name))
        return pack(one._replace(run=one.run.model_copy(update={"pinned": True})))

    history.take([pinned("a1")])  # type: ignore[list-item]
    history.take([pinned("b2")])  # type: ignore[list-item]
    assert chosen(history, "pinned").run_id == "a1"


def test_damaged_evidence_is_said_and_spoils_no_other_run(history: History) -> None:
    one = pack(kept(run("a1")))
    for name, data in {"cut": one.evidence[:-9], "none": b"", "other": one.criteria}.items():
        row = one.run.model_copy(update={"run_id": name})
        history.take([one._replace(run=row, evidence=data)])
        with pytest.raises(HistoryError, match=f"run {name} is damaged"):
            history.get(name)
    history.take([one])
    assert history.get("a1").run.run_id == "a1"
    assert len(history.runs()) == 4
