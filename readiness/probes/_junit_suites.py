"""Suites and what became of each case, once or several times, as reports have it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Literal

from readiness.escape import line
from readiness.probes._report_files import Report, UnreadableReport

Outcome = Literal["passed", "flaky", "failed", "error", "skipped"]
"""`flaky` is passed after it had failed, as the report itself says."""

MOST_CASES = 1_000_000
_LONGEST_KEY = 200
_NAME = 90


@dataclass(frozen=True, slots=True, eq=False)
class Suite:
    """One `<testsuite>`: which run of which tests it is."""

    report: Report
    name: str
    host: str
    began: datetime | None
    seconds: float

    @property
    def ended(self) -> datetime | None:
        """When it was over, if it says when it began and how long it took."""
        if self.began is None or not self.seconds:
            return None
        return self.began + timedelta(seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class Run:
    """What became of one case once."""

    suite: Suite
    outcome: Outcome


@dataclass
class Suites:
    """Everything that some reports hold. Cases are known by suite, class and name."""

    suites: int = 0
    runs: dict[str, Run | list[Run]] = field(default_factory=dict)
    bad_names: dict[str, str] = field(default_factory=dict)
    """Key -> name to show, of what did not pass at once."""
    disagreements: list[str] = field(default_factory=list)
    left_out: int = 0
    """Skipped cases that reports only count."""
    seconds: float = 0.0
    count: int = 0

    def add(self, suite: Suite, class_name: str, name: str, outcome: Outcome) -> None:
        """Note what became of a case."""
        key = _key(suite, class_name, name)
        run, before = Run(suite, outcome), self.runs.get(key)
        if before is None:
            self.runs[key] = run
        elif isinstance(before, list):
            before.append(run)
        else:
            self.runs[key] = [before, run]
        if outcome not in ("passed", "skipped"):
            whole_name = f"{class_name}.{name}" if class_name else name
            self.bad_names[key] = line(whole_name or suite.name, _NAME)
        self.count += 1
        if self.count > MOST_CASES:
            raise UnreadableReport(f"{suite.report.name} takes the cases over {MOST_CASES}")

    def of_cases(self) -> Iterator[tuple[str, list[Run]]]:
        """Yield every case with its runs, in the order in which they stand."""
        for key, runs in self.runs.items():
            yield key, runs if isinstance(runs, list) else [runs]


def short(text: str) -> str:
    """Return `text`, or a hash of it if it is long: names are kept by the hundred thousand."""
    if len(text) <= _LONGEST_KEY:
        return text
    return blake2b(text.encode("utf-8", "replace")).hexdigest()


def _key(suite: Suite, class_name: str, name: str) -> str:
    return short(f"{suite.name}\0{suite.host}\0{class_name}\0{name}")
