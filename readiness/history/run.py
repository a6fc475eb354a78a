"""One kept run: the row that lists it, and everything it takes to judge it again."""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, Field

from readiness import __version__
from readiness.assessment import Assessment
from readiness.checks import Criteria
from readiness.criteria import digest
from readiness.document import ConfigurationError
from readiness.evidence import Evidence, Moment, RunId
from readiness.gate import Verdict
from readiness.inventory import Environment


class HistoryError(ConfigurationError):
    """What is wrong with a history or with a run asked of it, and how to mend it."""


class Run(BaseModel):
    """A run as lists show it. `value`, `upper` and `raw` are 0..100, `coverage` 0..1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: RunId
    system: str
    environment: Environment
    started_at: Moment
    finished_at: Moment
    verdict: Verdict
    value: Annotated[int, Field(ge=0, le=100)]
    upper: Annotated[int, Field(ge=0, le=100)]
    raw: Annotated[int, Field(ge=0, le=100)]
    coverage: Annotated[float, Field(ge=0, le=1)]
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


class Packed(NamedTuple):
    """The same as stores take it: compressed, with the SHA-256 of the criteria's text."""

    run: Run
    evidence: bytes
    judged_by: str
    criteria: bytes


def kept(assessment: Assessment) -> Kept:
    """Return what is kept of `assessment`."""
    model = assessment.model
    judged = {
        "verdict": model.decision.verdict,
        "value": model.decision.value,
        "upper": model.decision.upper,
        "raw": model.card.raw,
        "coverage": model.card.coverage,
        "exit_code": assessment.exit_code,
        "tool": __version__,
    }
    run = Run.model_validate({**facts(assessment.evidence, model.criteria), **judged})
    return Kept(run, assessment.evidence, model.criteria)


def facts(evidence: Evidence, criteria: Criteria) -> Mapping[str, Any]:
    """Return what of a run's row follows from its evidence and criteria without judging."""
    return {
        "run_id": evidence.run_id,
        "system": evidence.inventory.system.name,
        "environment": evidence.environment,
        "started_at": evidence.started_at,
        "finished_at": evidence.finished_at,
        "criteria": digest(criteria),
        "runner": evidence.runner.kind,
        "branch": evidence.revision.branch,
        "commit": evidence.revision.commit,
        "interrupted": evidence.interrupted is not None,
        "partial": bool(evidence.only),
    }


class History(Protocol):
    """Where runs are kept. What goes wrong with the store is a HistoryError, never a driver's."""

    @property
    def where(self) -> str:
        """Return its place as it may be shown: without a user or password."""
        ...

    def prepare(self) -> None:
        """Make sure that runs can be added."""
        ...

    def add(self, assessment: Assessment) -> Run:
        """Keep a run; once this returns, it survives the death of this process and machine."""
        ...

    def take(self, runs: Sequence[Packed]) -> int:
        """Keep all of `runs` or none; return how many were not there before.

        A run that is there stays as it is. One that says it is pinned is, where none is yet.
        """
        ...

    def runs(
        self,
        system: str | None = None,
        environment: str | None = None,
        branch: str | None = None,
        limit: int | None = None,
        complete: bool = False,
    ) -> Sequence[Run]:
        """Return the rows of runs, the newest first; only those that are `complete` if so asked."""
        ...

    def find(self, run: str) -> Run:
        """Return the row whose id is or begins with `run`; HistoryError if none or several do."""
        ...

    def get(self, run: str) -> Kept:
        """Return the run whose id is or begins with `run`; HistoryError if none or several do."""
        ...

    def pin(self, run: str, pinned: bool = True) -> Run:
        """Make a run the pinned baseline of its system and environment, or no longer."""
        ...

    def remove(self, runs: Collection[str]) -> int:
        """Forget the runs of these whole ids but for pinned ones; return how many went."""
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...
