"""One kept run: the row that lists it, and everything it takes to judge it again."""

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict

from readiness.assessment import Assessment
from readiness.checks import Criteria
from readiness.evidence import Evidence
from readiness.gate import Verdict
from readiness.inventory import Environment


class Run(BaseModel):
    """A run as lists show it. `value`, `upper` and `raw` are 0..100, `coverage` 0..1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    system: str
    environment: Environment
    started_at: AwareDatetime
    finished_at: AwareDatetime
    verdict: Verdict
    value: int
    upper: int
    raw: int
    coverage: float
    exit_code: int
    criteria: str
    """The digest of the criteria it was judged by (`criteria.digest`)."""
    runner: str
    """The class of the machine that measured (`Runner.kind`)."""
    branch: str | None = None
    commit: str | None = None
    tool: str
    """The version of readiness that judged."""
    pinned: bool = False
    interrupted: bool = False
    partial: bool = False
    """Whether `--only` left a part of the system out."""

    @property
    def complete(self) -> bool:
        """Whether it can serve as a baseline: neither interrupted nor in part."""
        return not self.interrupted and not self.partial


class Kept(NamedTuple):
    """A run with what it was judged from and by."""

    run: Run
    evidence: Evidence
    criteria: Criteria


class History(Protocol):
    """Where runs are kept. What goes wrong with the store is a HistoryError, never a driver's."""

    def add(self, assessment: Assessment) -> Run:
        """Keep a run; once this returns, it survives the death of this process and machine."""
        ...

    def runs(
        self,
        system: str | None = None,
        environment: str | None = None,
        branch: str | None = None,
        limit: int | None = None,
    ) -> Sequence[Run]:
        """Return the rows of runs, the newest first."""
        ...

    def get(self, run: str) -> Kept:
        """Return the run whose id is or begins with `run`; HistoryError if none or several do."""
        ...

    def pin(self, run: str, pinned: bool = True) -> Run:
        """Make a run the pinned baseline of its system and environment, or no longer."""
        ...

    def remove(self, runs: Collection[str]) -> int:
        """Forget the runs of these whole ids; return how many there were."""
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...
