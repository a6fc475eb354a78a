"""A kept history and a run about to be made -> the run it is compared with, or why none is."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from readiness.baseline import RECENT_RUNS, Baseline, Reading
from readiness.criteria import digest
from readiness.evidence import Revision, Runner
from readiness.history import History, HistoryError, open_history
from readiness.history.baselines import Wanted, baseline
from readiness.history.packed import pack
from readiness.history.run import kept
from readiness.measurement import Measurement
from tests.baselines import P95
from tests.baselines import baseline as then
from tests.baselines import reading as read
from tests.history.runs import run
from tests.judging import CRITERIA, NOW, estimate, healthy, measured

RUNNER = Runner(system="linux", machine="x86_64", cpus=2)
LATER = NOW + timedelta(days=1)
WANTED = Wanted("shop", "local", digest(CRITERIA), RUNNER.kind)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    found = open_history(str(tmp_path / "h.db"), {})
    yield found
    found.close()


def add(history: History, name: str, minute: int = 0, **changes: Any) -> None:
    branch = changes.pop("branch", "fix")
    body = {"runner": RUNNER, "revision": Revision(commit="abcdef0", branch=branch)}
    history.add(run(name, minute, **body | changes))


def found(history: History, word: str, wanted: Wanted = WANTED) -> Baseline:
    one = baseline(history, word, wanted, LATER)
    assert isinstance(one, Baseline), one
    return one


def test_last_is_the_newest_and_main_the_newest_of_the_main_branch(history: History) -> None:
    add(history, "aa", 1, branch="main")
    add(history, "bb", 2, branch="master")
    add(history, "cc", 3)
    assert found(history, "last").run_id == "cc"
    main = found(history, "main")
    assert (main.run_id, main.branch, main.commit, main.value) == ("bb", "master", "abcdef0", 69)
    assert main.services == ("api",)
    assert {(r.check, r.metric) for r in main.readings} >= {(P95, "http_latency.p95_ms")}
    assert found(history, "a").asked == "a"


def test_pinned_is_the_pinned_run(history: History) -> None:
    assert baseline(history, "pinned", WANTED) == (
        f"No run of shop in local is pinned in {history.where}."
    )
    add(history, "aa", 1)
    add(history, "bb", 2)
    history.pin("aa")
    assert found(history, "pinned").run_id == "aa"


def test_an_empty_history_says_what_it_has_not(history: History) -> None:
    assert baseline(history, "last", WANTED) == (
        f"No complete run of shop in local is kept in {history.where}."
    )
    add(history, "cc", 3)
    assert baseline(history, "main", WANTED) == (
        f"No complete run of shop in local on main or master is kept in {history.where}."
    )


def test_a_run_that_does_not_exist_is_a_mistake(history: History) -> None:
    add(history, "cc", 3)
    with pytest.raises(HistoryError, match="there is no run 'nosuch'"):
        baseline(history, "nosuch", WANTED)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"system": "kiosk"}, "is of another system, shop"),
        ({"environment": "staging"}, "is of another environment, local and not staging"),
        ({"criteria": "0" * 12}, "was judged by other criteria"),
        (
            {"runner": "github-linux-x86_64-4cpu"},
            "was made on another class of machine, linux-x86_64-2cpu, and this is "
            "github-linux-x86_64-4cpu",
        ),
    ],
)
def test_what_does_not_match_is_said_exactly(
    history: History, other: dict[str, Any], why: str
) -> None:
    add(history, "aabb", 1)
    assert baseline(history, "aabb", WANTED._replace(**other)) == f"Run aabb {why}."
    if "criteria" in other or "runner" in other:
        assert baseline(history, "last", WANTED._replace(**other)) == (
            f"The last run of shop in local {why}."
        )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"interrupted": "SIGINT"}, "was interrupted"),
        ({"only": ("api",)}, "measured only a part of the system"),
    ],
)
def test_a_run_that_is_not_whole_serves_nobody(
    history: History, changes: dict[str, Any], why: str
) -> None:
    add(history, "aa", 1, branch="main")
    add(history, "bb", 2, branch="main", **changes)
    assert found(history, "main").run_id == found(history, "last").run_id == "aa"
    assert baseline(history, "bb", WANTED) == f"Run bb {why}."


def test_of_several_the_newest_that_matches_is_taken(history: History) -> None:
    add(history, "aa", 1)
    add(history, "bb", 2, runner=RUNNER.model_copy(update={"cpus": 64}))
    assert found(history, "last").run_id == "aa"


SLOW = healthy(http_latency__p95_ms=estimate(90))


def test_a_run_that_has_regressed_is_no_measure_until_it_is_pinned(history: History) -> None:
    add(history, "aa", 1)
    add(history, "bb", 2, found=SLOW, baseline=then(read(P95, estimate(20))))
    assert found(history, "last").run_id == "aa"
    assert found(history, "last").passed_over == ("bb",)
    assert found(history, "bb").run_id == "bb"
    history.pin("bb")
    assert found(history, "last").run_id == "bb"


def test_without_any_other_a_regressed_run_is_better_than_none(history: History) -> None:
    add(history, "bb", 2, found=SLOW, baseline=then(read(P95, estimate(20))))
    assert found(history, "last").run_id == "bb"
    assert found(history, "last").passed_over == ()


def test_the_noise_is_learned_from_runs_that_are_alike(history: History) -> None:
    for n in range(7):
        add(history, f"a{n}", n, found=healthy(http_latency__p95_ms=estimate(20 + n)))
    add(history, "other", 30, runner=Runner(cpus=1), found=SLOW)
    few = found(history, "last")
    assert (few.run_id, few.recent) == ("a6", 7)
    assert {r.spread for r in few.readings} == {None}
    add(history, "a7", 7, found=healthy(http_latency__p95_ms=estimate(27)))
    enough = found(history, "last")
    spreads = {r.check: r.spread for r in enough.readings}
    assert spreads[P95] == pytest.approx(1.4826 * 2)
    assert spreads["latency-p50"] == 0


def test_runs_that_cannot_be_read_tell_no_noise(history: History) -> None:
    add(history, "aa", 2)
    one = pack(kept(run("bb", 1, runner=RUNNER)))
    history.take([one._replace(evidence=b"x")])
    assert found(history, "last").recent == 1
    with pytest.raises(HistoryError, match="damaged"):
        baseline(history, "bb", WANTED)


def test_no_more_runs_than_that_are_looked_at(history: History) -> None:
    one = pack(kept(run("a", runner=RUNNER)))
    runs = [one.run.model_copy(update={"run_id": f"a{n}"}) for n in range(RECENT_RUNS + 2)]
    history.take([one._replace(run=row) for row in runs])
    assert found(history, "last").recent == RECENT_RUNS


def p95(value: float, width: float = 0.01) -> Sequence[Measurement]:
    ends = (value * (1 - width), value * (1 + width))
    return healthy(http_latency__p95_ms=estimate(value, *ends))


def of_p95(one: Baseline) -> Reading:
    [reading] = [r for r in one.readings if r.check == P95]
    return reading


def judged(found: Sequence[Measurement], since: Baseline) -> Sequence[str]:
    """Return what of a run has regressed since then."""
    comparison = run("now", found=found, baseline=since).model.comparison
    assert comparison is not None
    return [change.check for change in comparison.regressed]


def test_a_run_that_lost_its_evidence_takes_no_metric_away(history: History) -> None:
    add(history, "aa", 1, found=p95(20))
    add(history, "bb", 2, found=[m for m in p95(20) if m.probe != "http_latency"])
    last = found(history, "last")
    assert (last.run_id, last.passed_over) == ("bb", ())
    assert of_p95(last).run_id == "aa"
    assert {r.run_id for r in last.readings if not r.metric.startswith("http_latency")} == {""}
    now = run("now", found=p95(90), baseline=last).model.comparison
    assert now is not None
    [change] = now.regressed
    assert change.because.endswith("; then is of run aa")
    assert last.earlier == ("aa",)


def test_a_run_of_another_load_takes_no_metric_away(history: History) -> None:
    def at(users: int, value: float) -> Sequence[Measurement]:
        values: dict[str, Any] = {
            "success_rate": estimate(1.0),
            "p95_ms": estimate(value),
            "users_max": users,
        }
        return [*healthy()[:2], measured("http_concurrency", **values)]

    add(history, "aa", 1, found=at(50, 40))
    add(history, "bb", 2, found=at(5, 10))
    last = found(history, "last")
    assert last.run_id == "bb"
    assert "concurrency-p95" in judged(at(50, 200), last)
    assert "concurrency-p95" in judged(at(5, 40), last)


def test_what_a_run_was_compared_with_launders_no_regression(history: History) -> None:
    add(history, "aa", 1, found=p95(20))
    add(history, "bb", 2, found=p95(90))
    add(history, "cc", 3, found=p95(90), baseline=then(read(P95, estimate(90))))
    last = found(history, "last")
    assert (last.run_id, last.passed_over) == ("aa", ("cc", "bb"))


def test_no_number_of_tries_makes_a_regression_noise(history: History) -> None:
    for n in range(10):
        add(history, f"a{n}", n, found=p95(20 + n % 2 * 0.1))
    before = found(history, "last")
    assert P95 in judged(p95(25), before)
    tries = [
        pack(kept(run("b", 20, found=p95(25 + n % 5), runner=RUNNER, baseline=before)))
        for n in range(5)
    ]
    moments = [NOW + timedelta(minutes=20 + n) for n in range(RECENT_RUNS + 20)]
    history.take(
        [
            one._replace(run=one.run.model_copy(update={"run_id": f"b{n}", "started_at": at}))
            for n, at in enumerate(moments)
            for one in [tries[n % 5]]
        ]
    )
    last = found(history, "last")
    assert (last.run_id, last.recent) == ("a9", 10)
    assert P95 in judged(p95(25), last)


def test_the_noise_of_main_is_not_that_of_other_branches(history: History) -> None:
    for n in range(10):
        add(history, f"a{n}", 2 * n, branch="main", found=p95(20 + n % 2 * 0.1))
        add(history, f"b{n}", 2 * n + 1, found=p95(20 - n % 3 * 6))
    main = found(history, "main")
    assert (main.run_id, main.recent) == ("a9", 10)
    assert of_p95(main).spread == pytest.approx(1.4826 * 0.05)


def test_a_run_from_the_future_is_not_the_last(history: History) -> None:
    add(history, "aa", 1, branch="main")
    add(history, "bb", 7, branch="main")
    now = NOW + timedelta(minutes=1)
    for word in ("last", "main"):
        one = baseline(history, word, WANTED, now)
        assert isinstance(one, Baseline)
        assert (one.run_id, one.recent) == ("aa", 1)
        later = baseline(history, word, WANTED, now + timedelta(minutes=1))
        assert isinstance(later, Baseline)
        assert later.run_id == "bb"
    assert baseline(history, "last", WANTED, NOW - timedelta(hours=1)) == (
        "By their dates, all runs of shop in local are still to come."
    )


def test_a_pinned_run_starts_afresh(history: History) -> None:
    add(history, "aa", 1, found=p95(20))
    add(history, "bb", 2, found=p95(90))
    add(history, "cc", 3, found=p95(92))
    add(history, "dd", 4, found=p95(400))
    history.pin("bb")
    last = found(history, "last")
    assert (last.run_id, last.passed_over, last.recent) == ("cc", ("dd",), 2)
    assert found(history, "pinned").run_id == "bb"


def test_a_damaged_run_is_no_baseline_and_stops_nobody(history: History) -> None:
    one = pack(kept(run("bb", 5, runner=RUNNER)))
    history.take([one._replace(evidence=b"x")])
    assert baseline(history, "last", WANTED, LATER) == (
        f"No run of shop in local in {history.where} can be read."
    )
    add(history, "aa", 2)
    assert found(history, "last").run_id == "aa"


def test_a_damaged_pin_does_not_hide_what_came_before(history: History) -> None:
    add(history, "aa", 1)
    one = pack(kept(run("bb", 5, runner=RUNNER)))
    history.take([one._replace(evidence=b"x")])
    history.pin("bb")
    assert found(history, "last").run_id == "aa"
