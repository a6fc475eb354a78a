"""Everything a judgement rests on, in one value that can be saved, read back and judged again."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from readiness.document import ConfigurationError
from readiness.gate import Policy
from readiness.inventory import Environment, Inventory, Tier
from readiness.measurement import Measurement

SCHEMA = "readiness/evidence/v1"


class _Frozen(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", ser_json_inf_nan="strings", hide_input_in_errors=True
    )


class Tool(_Frozen):
    """The program that made the evidence."""

    name: Literal["readiness"] = "readiness"
    version: str


class Previous(_Frozen):
    """The score of the assessment before this one."""

    value: int
    started_at: datetime


class Evidence(_Frozen):
    """One run: what was asked for, under which conditions, and what was measured.

    Its inventory carries no secret: URLs without user and query, no probe settings.
    """

    schema_: Literal["readiness/evidence/v1"] = Field(default="readiness/evidence/v1", alias="schema")
    tool: Tool
    run_id: str
    inventory: Inventory
    environment: Environment
    allowed: tuple[Tier, ...]
    only: tuple[str, ...] = ()
    started_at: datetime
    finished_at: datetime
    interrupted: Literal["SIGINT", "SIGTERM"] | None = None
    measurements: tuple[Measurement, ...]
    packs: Mapping[str, str] = Field(default_factory=dict)
    policy: Policy = Policy()
    previous: Previous | None = None

    def to_json(self) -> str:
        """Return the text of evidence.json."""
        return self.model_dump_json(indent=1, by_alias=True) + "\n"


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
    value: int


class _PreviousAssessment(BaseModel):
    schema_: Literal["readiness/assessment/v1"] = Field(alias="schema")
    started_at: datetime
    score: _PreviousScore


def previous(path: Path) -> Previous:
    """Read the score of the assessment.json at `path`; ConfigurationError if it is none."""
    try:
        found = _PreviousAssessment.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise ConfigurationError(
            "this previous assessment cannot be read.",
            file=str(path),
            fix="Name an assessment.json that `readiness run` has written.",
        ) from None
    return Previous(value=found.score.value, started_at=found.started_at)
