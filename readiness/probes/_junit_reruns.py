"""Every run of every case -> a census of cases, in which what was run again counts once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from readiness.probes._junit_suites import Outcome, Run, Suites

_BAD: tuple[Outcome, ...] = ("failed", "error")
_MOST_NAMED = 10


@dataclass
class Census:
    """How many cases came to which end, and the names of some that did not pass at once."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    flaky: list[str] = field(default_factory=list)

    @property
    def passed(self) -> int:
        """Cases that passed in the end."""
        return self.outcomes["passed"] + self.outcomes["flaky"]

    @property
    def executed(self) -> int:
        """Cases that were not skipped."""
        return self.outcomes.total() - self.outcomes["skipped"]

    def count(self, outcome: Outcome, name: str) -> None:
        """Count one case."""
        self.outcomes[outcome] += 1
        named = self.failed if outcome in _BAD else self.flaky
        if outcome in (*_BAD, "flaky") and len(named) < _MOST_NAMED:
            named.append(name)


def census(suites: Suites) -> Census:
    """Count each case once: one that passed at last, after it had failed, is flaky.

    A runner repeats what failed, never what passed. So within a suite only a pass that follows
    nothing but failures is a rerun; any other case of the same name is another case. A report of
    its own is a rerun if it began when the one before was over: legs of a matrix, which run
    beside each other, are not merged, and one's failure is not excused by another's success.
    """
    found = Census()
    for key, runs in suites.of_cases():
        name = suites.bad_names.get(key, "")
        for outcome in _ends(runs) if len(runs) > 1 else (runs[0].outcome,):
            found.count(outcome, name)
    found.outcomes["skipped"] += suites.left_out
    return found


def _ends(runs: Sequence[Run]) -> list[Outcome]:
    by_suite = [list(group) for _, group in groupby(runs, key=lambda run: id(run.suite))]
    ends = [(group[0], _repeated([run.outcome for run in group])) for group in by_suite]
    ends.sort(key=lambda end: end[0].suite.began.timestamp() if end[0].suite.began else 0.0)
    merged: list[tuple[Run, list[Outcome]]] = []
    for run, outcomes in ends:
        before = next((end for end in merged if _follows(run, outcomes, *end)), None)
        if before is None:
            merged.append((run, outcomes))
        else:
            merged[merged.index(before)] = (run, [_again(before[1][0], outcomes[0])])
    return [outcome for _, outcomes in merged for outcome in outcomes]


def _repeated(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Merge failures that a pass or nothing follows; leave all else as cases of one name."""
    *first, last = outcomes
    if not first or not all(outcome in _BAD for outcome in first) or last == "skipped":
        return list(outcomes)
    return [last if last in _BAD else "flaky"]


def _follows(run: Run, outcomes: list[Outcome], before: Run, ends: list[Outcome]) -> bool:
    """Whether one suite, in a file of its own, repeats the case after the other had ended."""
    began, ended = run.suite.began, before.suite.ended
    if run.suite.report == before.suite.report or began is None or ended is None:
        return False
    return len(outcomes) == len(ends) == 1 and ended <= began


def _again(before: Outcome, after: Outcome) -> Outcome:
    """Return what two runs of a case come to: the later one's word, if it was run at all."""
    if after == "skipped":
        return before
    return "flaky" if after == "passed" and before in (*_BAD, "flaky") else after
