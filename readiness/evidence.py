"""Everything a judgement rests on, in one value that can be saved, read back and judged again."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from readiness.baseline import Baseline
from readiness.document import ConfigurationError
from readiness.document.file import read_text
from readiness.gate import Verdict
from readiness.inventory import Environment, Inventory, Policy, System, Tier
from readiness.measurement import Measurement

SCHEMA = "readiness/evidence/v1"

MAIN_BRANCHES = ("main", "master")

INTERRUPTED_EXIT_CODES: Mapping[str, int] = {"SIGINT": 130, "SIGTERM": 143}


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is out of the calendar's range") from None


Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A time in UTC, by which waivers expire."""

RunId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
"""What a run is called, fit for the name of a file and for a word of the command line."""


class _Frozen(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", ser_json_inf_nan="strings", hide_input_in_errors=True
    )


class Tool(_Frozen):
    """The program that made the evidence."""

    name: Literal["readiness"] = "readiness"
    version: str


class Runner(_Frozen):
    """The kind of machine that measured, by which times can be compared."""

    system: str = ""
    """As in `linux`, lower case."""
    machine: str = ""
    """As in `x86_64`."""
    cpus: Annotated[int, Field(ge=0)] = 0
    """Processors this process may use."""
    provider: str = ""
    """Whose CI it ran in, as in `github`; empty at home."""

    @property
    def kind(self) -> str:
        """Return the runner class: runs of one class are comparable."""
        parts = (self.provider, self.system, self.machine, f"{self.cpus}cpu")
        return "-".join(part for part in parts if part)


class Revision(_Frozen):
    """What of the system's source was assessed, as far as the environment tells."""

    commit: str | None = None
    branch: str | None = None


class Source(_Frozen):
    """The inventory's file, at which code hosts show what is found."""

    path: str = "services.yaml"
    """From the top of its repository, with forward slashes; never a machine's own path."""
    lines: Mapping[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    """Service, journey or artifact -> the line on which it begins."""


class Compared(_Frozen):
    """The system that services were compared with, side by side."""

    name: str
    version: str | None = None
    environment: Environment

    @classmethod
    def of(cls, system: System) -> Self:
        """Return what is public of the system of the second inventory."""
        return cls(name=system.name, version=system.version, environment=system.environment)


class Past(_Frozen):
    """One earlier run of the same system and environment, for the trend."""

    run_id: str
    started_at: Moment
    value: Annotated[int, Field(ge=0, le=100)]
    verdict: Verdict


class Confidence(_Frozen):
    """How sure the intervals of what was sampled are, all looks at the samples together."""

    asked: Annotated[float, Field(gt=0, lt=1)]
    """That no check fails falsely, and that one given breach does not pass (0..1, two-sided)."""
    checks: Annotated[int, Field(ge=0)]
    """How many checks of sampled values the run planned."""


class Previous(_Frozen):
    """The score of the assessment before this one."""

    value: Annotated[int, Field(ge=0, le=100)]
    started_at: Moment


class Evidence(_Frozen):
    """One run: what was asked for, under which conditions, and what was measured.

    Its inventory carries no secret: URLs without user and query, no probe settings.
    """

    schema_: Literal["readiness/evidence/v1"] = Field(
        default="readiness/evidence/v1", alias="schema"
    )
    tool: Tool
    run_id: RunId
    inventory: Inventory
    environment: Environment
    allowed: tuple[Tier, ...]
    only: tuple[str, ...] = ()
    started_at: Moment
    finished_at: Moment
    interrupted: Literal["SIGINT", "SIGTERM"] | None = None
    measurements: tuple[Measurement, ...]
    packs: Mapping[str, str] = Field(default_factory=dict)
    policy: Policy = Policy()
    previous: Previous | None = None
    runner: Runner = Runner()
    revision: Revision = Revision()
    source: Source = Source()
    confidence: Confidence | None = None
    """None where each interval has 95 % for itself, as in evidence of before."""
    trend: tuple[Past, ...] = ()
    """Earlier runs as the history had them when this one began, the oldest first."""
    baseline: Baseline | None = None
    """The run that this one is compared with, so that judging again compares alike."""
    no_baseline: str = ""
    """Why there is none, though one was asked for."""
    against: Compared | None = None
    residue: tuple[str, ...] = ()
    """What journeys created and could not take away again."""

    @field_validator("policy", mode="before")
    @classmethod
    def _gate(cls, policy: Any) -> Any:
        """Read what evidence said before there were stages."""
        if isinstance(policy, Mapping) and isinstance(policy.get("gate"), bool):
            stage = "gate" if policy["gate"] else "report"
            return {"stage": stage, **{k: v for k, v in policy.items() if k != "gate"}}
        return policy

    @model_validator(mode="after")
    def _unambiguous(self) -> Self:
        """Refuse what could be judged in two ways, by the order of its parts."""
        twice = _first_twice(service.name for service in self.inventory.subjects)
        if twice:
            raise ValueError(f"service '{twice}' is in the inventory twice")
        attempts = sorted(self.measurements, key=lambda m: (m.service, m.probe, m.attempt))
        for one, after in pairwise(attempts):
            if (one.service, one.probe) != (after.service, after.probe):
                continue
            if one.attempt == after.attempt:
                raise ValueError(f"{one.probe} of '{one.service}' has two attempts of one number")
            if one.failure is None:
                raise ValueError(f"{one.probe} of '{one.service}' was tried again without failing")
        return self

    def to_json(self) -> str:
        """Return the text of evidence.json."""
        return self.model_dump_json(indent=1, by_alias=True) + "\n"


def _first_twice(names: Iterable[str]) -> str | None:
    return next((name for name, n in Counter(names).items() if n > 1), None)


def from_json(text: str, name: str) -> Evidence:
    """Read the text of the evidence file `name`; ConfigurationError if it is not one."""
    try:
        return Evidence.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigurationError(
            f"this is not evidence of version {SCHEMA} ({place}: {first['msg']}).",
            file=name,
            fix="Name an evidence.json that `readiness run` has written.",
        ) from None


class _PreviousScore(BaseModel):
    value: Annotated[int, Field(ge=0, le=100)]
    previous: Previous | None = None


class _PreviousAssessment(BaseModel):
    schema_: Literal["readiness/assessment/v1"] = Field(alias="schema")
    started_at: Moment
    exit_code: int
    score: _PreviousScore
    only: tuple[str, ...] | None = None
    only_checks: tuple[str, ...] | None = None

    @property
    def whole(self) -> bool:
        """Whether it is of all there is to measure, judged by all checks, and came to its end."""
        interrupted = self.exit_code in INTERRUPTED_EXIT_CODES.values()
        return not interrupted and self.only is None and self.only_checks is None


def previous(path: Path) -> Previous | None:
    """Read the score of the assessment.json at `path`; ConfigurationError if it is none.

    An interrupted run, one of a part of the system, or judged by some checks only, is no measure:
    what it was itself compared with stands in for it.
    """
    try:
        found = _PreviousAssessment.model_validate_json(read_text(path))
    except (OSError, ValueError):
        raise ConfigurationError(
            "this previous assessment cannot be read.",
            file=str(path),
            fix="Name an assessment.json that `readiness run` has written.",
        ) from None
    if not found.whole:
        return found.score.previous
    return Previous(value=found.score.value, started_at=found.started_at)


class _PreviousEvidence(BaseModel):
    measurements: tuple[Measurement, ...]


def measured_before(path: Path) -> tuple[Measurement, ...]:
    """Return what the evidence.json at `path` holds of measurements; none if it is none.

    It serves for naming what has changed since; no verdict hangs on its being there.
    """
    try:
        return _PreviousEvidence.model_validate_json(read_text(path)).measurements
    except (OSError, ValueError):
        return ()
