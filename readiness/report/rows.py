"""The rows of the Markdown reports that stand for more than one value of the assessment."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

from readiness.assessment.capabilities import CapabilityRow
from readiness.assessment.services import Level, ServiceRow
from readiness.finding import Finding, Outcome
from readiness.report.words import Sign
from readiness.score import SEVERITY_WEIGHTS, AreaScore

SEVEREST_FIRST: tuple[Outcome, ...] = ("fail", "unknown", "warn", "pass", "not_applicable")


@dataclass(frozen=True)
class AreaSection:
    """An area with its letter, what costs it points, and all of its findings, worst first."""

    score: AreaScore
    letter: str
    costs: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def counts(self) -> tuple[tuple[str, int], ...]:
        """How many findings have each outcome that occurs."""
        return counts(self.findings)

    @cached_property
    def rows(self) -> tuple[tuple[Finding, ...], ...]:
        """The findings, those together that say the same of several subjects."""
        rows: dict[tuple[str, ...], list[Finding]] = {}
        for f in self.findings:
            rows.setdefault(_sameness(f), []).append(f)
        return tuple(map(tuple, rows.values()))


@dataclass(frozen=True)
class ProofRow:
    """What of an area was found out about one service."""

    service: str
    findings: Sequence[Finding]

    @property
    def proven(self) -> int:
        """The number of checks that pass."""
        return sum(f.outcome == "pass" for f in self.findings)

    @property
    def total(self) -> int:
        """The number of checks that apply."""
        return sum(f.outcome != "not_applicable" for f in self.findings)

    @property
    def failed(self) -> tuple[str, ...]:
        """The titles of those that fail or warn."""
        return tuple(f.title for f in self.findings if f.outcome in ("fail", "warn"))

    @property
    def unknown(self) -> tuple[str, ...]:
        """The titles of those that nobody knows of."""
        return tuple(f.title for f in self.findings if f.outcome == "unknown")


@dataclass(frozen=True)
class Group:
    """What is equally ready, each with the issues that keep it from more."""

    title: str
    sign: Sign
    capabilities: tuple[CapabilityRow, ...]
    open: tuple[tuple[ServiceRow, tuple[str, ...]], ...]
    """Services with what is to be done about them."""
    clear: tuple[str, ...]
    """Services with nothing to be done."""


@dataclass(frozen=True)
class Load:
    """A service at each number of users it was measured with."""

    name: str
    levels: tuple[Level, ...]

    @property
    def top(self) -> Level:
        """The most users."""
        return self.levels[-1]

    @property
    def error_free(self) -> int | None:
        """The most users up to whom there was no error, if there is such a number."""
        clean = [level.users for level in takewhile(_clean, self.levels)]
        return max(clean, default=None)


@dataclass(frozen=True)
class OpenCheck:
    """A check that does not pass, with all the subjects it does not pass on, worst first.

    What cannot be reached at all stands for every check that it fails by that.
    """

    findings: tuple[Finding, ...]
    outage: bool = False

    @property
    def worst(self) -> Finding:
        """The finding that stands for it."""
        return self.findings[0]

    @property
    def subjects(self) -> tuple[str, ...]:
        """What it does not pass on."""
        return tuple(dict.fromkeys(f.service for f in self.findings))

    @property
    def reasons(self) -> tuple[str, ...]:
        """What was found, once each."""
        return tuple(dict.fromkeys(f.because for f in self.findings))


@dataclass(frozen=True)
class QualitySection:
    """An area below the services: its score, the checks that do not pass, and those that do."""

    area: AreaSection
    open: tuple[OpenCheck, ...]

    @property
    def total(self) -> int:
        """The number of checks that apply, subject by subject."""
        return sum(f.outcome != "not_applicable" for f in self.area.findings)

    @property
    def passed(self) -> tuple[Finding, ...]:
        """The findings that pass."""
        return tuple(f for f in self.area.findings if f.outcome == "pass")

    @property
    def clear(self) -> tuple[tuple[str, int], ...]:
        """Titles of the checks that pass wherever they apply, and on how many subjects."""
        unclear = {f.check for one in self.open for f in one.findings}
        return tuple(Counter(f.title for f in self.passed if f.check not in unclear).items())


def open_checks(
    findings: Sequence[Finding], down: Callable[[Finding], bool]
) -> tuple[OpenCheck, ...]:
    """Return the checks among `findings` that do not pass: failed first, then the severest.

    `down` tells of a finding whether it fails for no other reason than that its service is down.
    """
    ranked = sorted(
        (f for f in findings if f.outcome in ("fail", "unknown", "warn")),
        key=lambda f: (SEVEREST_FIRST.index(f.outcome), -SEVERITY_WEIGHTS[f.severity], f.score),
    )
    by_check: dict[str, list[Finding]] = {}
    for f in ranked:
        by_check.setdefault(_OUTAGE if down(f) else f.check, []).append(f)
    return tuple(OpenCheck(tuple(f), check == _OUTAGE) for check, f in by_check.items())


_OUTAGE = "."
"""No check has this id."""


def _sameness(f: Finding) -> tuple[str, ...]:
    """Return what is equal for findings that one row can tell of."""
    if f.outcome == "not_applicable" or (f.outcome == "pass" and f.measured is True):
        return f.check, f.outcome
    return f.check, f.outcome, f.service


def _clean(level: Level) -> bool:
    return level.success_rate is not None and level.success_rate.value == 1


def counts(findings: Sequence[Finding]) -> tuple[tuple[str, int], ...]:
    """Return how many of `findings` have each outcome that occurs, the severest first."""
    counted = Counter(f.outcome for f in findings)
    return tuple((outcome, counted[outcome]) for outcome in SEVEREST_FIRST if counted[outcome])
