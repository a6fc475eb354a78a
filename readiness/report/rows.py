"""The rows of the Markdown reports that stand for more than one value of the assessment."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from readiness.assessment.capabilities import CapabilityRow
from readiness.assessment.services import Level, ServiceRow
from readiness.finding import Finding, Outcome
from readiness.report.words import Sign
from readiness.score import AreaScore

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


def _clean(level: Level) -> bool:
    return level.success_rate is not None and level.success_rate.value == 1


def counts(findings: Sequence[Finding]) -> tuple[tuple[str, int], ...]:
    """Return how many of `findings` have each outcome that occurs, the severest first."""
    counted = Counter(f.outcome for f in findings)
    return tuple((outcome, counted[outcome]) for outcome in SEVEREST_FIRST if counted[outcome])
