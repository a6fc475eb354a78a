"""One JUnit report of any dialect -> its suites and what became of each case, as they stand."""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from readiness.escape import line
from readiness.probes._junit_suites import Suite, Suites, short
from readiness.probes._provenance import Origin, commit_of, moment
from readiness.probes._report_files import Check, Report, UnreadableReport
from readiness.probes._safe_xml import Attributes, read, whole

_GRAVITY: Mapping[str, int] = {"passed": 0, "skipped": 1, "failed": 2, "error": 3}
_ELEMENTS = {"failure": "failed", "error": "error", "skipped": "skipped", "disabled": "skipped"}
_CLAIMS = {
    "tests": ("tests",),
    "bad": ("failures", "errors"),
    "skipped": ("skipped", "disabled"),
}
_RERUN = re.compile(r"(flaky|rerun)(Failure|Error)?", re.IGNORECASE)
_NOT_RUN = frozenset(
    ("notrun", "skipped", "suppressed", "disabled", "ignored", "pending", "inactive", "todo")
)
_NOT_PASSED = {
    **dict.fromkeys(("fail", "failed", "failure"), "failed"),
    **dict.fromkeys(("error", "broken", "aborted", "crashed", "timeout", "timedout"), "error"),
    **dict.fromkeys(("interrupted", "cancelled", "incomplete", "inconclusive"), "error"),
}
_COMMIT_NAMES = frozenset(
    (
        *("commit", "commitid", "commitsha", "gitcommit", "gitcommitid", "gitcommitidfull"),
        *("gitsha", "gitrevision", "gitref", "revision", "vcsrevision", "scmrevision", "sha"),
        *("githubsha", "cicommitsha", "buildvcsnumber", "buildsourceversion", "headsha"),
    )
)
"""Names of properties that tell a commit, without their dots, dashes and underscores."""


def read_into(suites: Suites, report: Report, check: Check) -> Origin:
    """Add what the report holds; UnreadableReport if it cannot be taken for a whole one."""
    reader = _Reader(suites, report)
    read(report, reader, check)
    return Origin(report, reader.newest, frozenset(reader.commits))


@dataclass
class _Case:
    class_name: str
    name: str
    outcome: str
    reruns: int = 0


@dataclass
class _Open:
    """A suite that is being read, or the root around all of them.

    Seconds, and how many tests, bad and skipped ones it claims: itself, and by the suites in it.
    """

    suite: Suite
    took: float
    claimed: Counter[str]
    took_within: float = 0.0
    claimed_within: Counter[str] = field(default_factory=Counter)


class _Reader:
    text = None

    def __init__(self, into: Suites, report: Report) -> None:
        self._into, self._report = into, report
        self._open: list[str] = []
        self._suites: list[_Open] = []
        self._case: _Case | None = None
        self._case_depth = 0
        self._shown = Counter[str]()
        self.newest: datetime | None = None
        self.commits: set[str] = set()

    def start(self, tag: str, attributes: Attributes) -> None:
        if not self._open:
            self._root(tag, attributes)
        elif tag in ("testsuite", "testcase") and self._case:
            raise UnreadableReport(f"{self._report.name} has a <{tag}> within a case")
        elif tag == "testsuite":
            self._begin(attributes)
        elif tag == "testcase":
            self._case, self._case_depth = _case(attributes), len(self._open)
        elif tag == "property":
            self._property(attributes)
        elif self._case is None:
            self._beside(tag)
        elif len(self._open) == self._case_depth + 1:
            self._within(self._case, tag)
        self._open.append(tag)

    def end(self, tag: str) -> None:
        self._open.pop()
        if tag == "testcase" and self._case is not None:
            self._settle(self._case)
            self._case = None
        elif tag == "testsuite":
            self._close()
        if not self._open and self._suites:
            self._close()

    def _root(self, tag: str, attributes: Attributes) -> None:
        if tag not in ("testsuites", "testsuite"):
            raise UnreadableReport(
                f"{self._report.name} is no JUnit report: its root is <{line(tag, 40)}>"
            )
        if tag == "testsuite":
            self._begin(attributes)
            return
        self._suites.append(self._suite(attributes, ""))

    def _begin(self, attributes: Attributes) -> None:
        outer = self._suites[-1].suite.name if self._suites else ""
        name = attributes.get("name", "")
        self._suites.append(self._suite(attributes, f"{outer}/{name}" if outer else name))
        self._into.suites += 1

    def _suite(self, attributes: Attributes, name: str) -> _Open:
        outer = self._suites[-1].suite if self._suites else None
        began, took = self._note_time(attributes), _seconds(attributes.get("time"))
        inherited = began is None and outer is not None
        suite = Suite(
            self._report,
            short(name),
            short(attributes.get("hostname", "")),
            outer.began if inherited and outer else began,
            outer.seconds if inherited and outer else took,
        )
        claimed = {
            what: sum(whole(attributes.get(each)) or 0 for each in names)
            for what, names in _CLAIMS.items()
        }
        return _Open(suite, took, Counter(claimed))

    def _note_time(self, attributes: Attributes) -> datetime | None:
        told = moment(attributes.get("timestamp", ""))
        if told and (self.newest is None or told > self.newest):
            self.newest = told
        return told

    def _property(self, attributes: Attributes) -> None:
        name = re.sub(r"[._\- ]", "", attributes.get("name", "")[:80]).lower()
        commit = commit_of(attributes.get("value", "")[:80])
        if name in _COMMIT_NAMES and commit:
            self.commits.add(commit)

    def _beside(self, tag: str) -> None:
        """Take what a suite says beside its cases: that it failed as a whole is a case of it."""
        if tag in ("failure", "error") and self._open[-1] in ("testsuite", "testsuites"):
            name = self._suites[-1].suite.name or "the report"
            self._settle(_Case("", f"{name} as a whole", "error"))

    def _within(self, case: _Case, tag: str) -> None:
        found = _ELEMENTS.get(tag)
        if found and _GRAVITY[found] > _GRAVITY[case.outcome]:
            case.outcome = found
        elif _RERUN.fullmatch(tag):
            case.reruns += 1

    def _settle(self, case: _Case) -> None:
        suite, outcome = self._suites[-1].suite, case.outcome
        if case.reruns and outcome == "passed":
            outcome = "flaky"
        self._shown["tests"] += 1
        self._shown["bad"] += outcome in ("failed", "error")
        self._shown["skipped"] += outcome == "skipped"
        self._shown["doubled"] += (outcome == "error") + case.reruns
        self._into.add(suite, case.class_name, case.name, outcome)  # type: ignore[arg-type]

    def _close(self) -> None:
        """Leave a suite, and add what it took and claims to what the one around it does."""
        suite = self._suites.pop()
        took, claimed = suite.took or suite.took_within, suite.claimed | suite.claimed_within
        if self._suites:
            self._suites[-1].took_within += took
            self._suites[-1].claimed_within += claimed
        else:
            self._into.seconds += took
            self._compare(claimed)

    def _compare(self, claimed: Counter[str]) -> None:
        """Hold what the report claims in all against its cases.

        Some reporters leave out skipped cases, some count errors and reruns as tests of their
        own. What is claimed beyond that is evidence that is not there.
        """
        shown = self._shown
        unseen = max(0, claimed["tests"] - shown["tests"])
        left_out = min(unseen, max(0, claimed["skipped"] - shown["skipped"]))
        self._into.left_out += left_out
        if unseen > left_out + shown["doubled"]:
            told = f"claims {claimed['tests']} tests and shows {shown['tests']}"
        elif claimed["bad"] > shown["bad"] + shown["doubled"]:
            told = f"claims {claimed['bad']} failures and shows {shown['bad']}"
        else:
            return
        self._into.disagreements.append(f"{self._report.name} {told}")


def _case(attributes: Attributes) -> _Case:
    told = {attributes.get(name, "").lower() for name in ("status", "result")}
    outcome = next((_NOT_PASSED[word] for word in told if word in _NOT_PASSED), "passed")
    if outcome == "passed" and (told & _NOT_RUN or attributes.get("executed") == "false"):
        outcome = "skipped"
    return _Case(attributes.get("classname", ""), attributes.get("name", ""), outcome)


def _seconds(text: str | None) -> float:
    """Read a suite's time; thousands may be set apart by commas."""
    try:
        seconds = float((text or "0")[:30].replace(",", ""))
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) and 0 <= seconds < 1e7 else 0.0
