"""What a team demands of a release: the verdict's thresholds, its blockers, and who is let pass."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from readiness.inventory.service import Frozen, Name
from readiness.quantity import quantity

Preset = Literal["prototype", "internal", "production", "regulated"]
Stage = Literal["report", "warn", "gate"]
FailOn = Literal["not-ready", "conditional"]

LONGEST_DAYS = 3650


def _whole(written: Any) -> Any:
    if isinstance(written, bool):
        raise ValueError("must be a whole number. Write digits only, such as 85")
    return written


def _share(written: Any) -> float:
    value = quantity(written, "ratio")
    if value > 1:
        raise ValueError("is more than all there is. Write a number up to 1, or put % behind it")
    return value


def _days(written: Any) -> int:
    try:
        value = quantity(written, "days")
    except ValueError:
        value = -1.0
    if value != int(value) or not 0 <= value <= LONGEST_DAYS:
        raise ValueError("must be a number of whole days. Write it as in 30d")
    return int(value)


Points = Annotated[int, Field(ge=0, le=100), BeforeValidator(_whole)]
Least = Annotated[int, Field(ge=1, le=100), BeforeValidator(_whole)]
Share = Annotated[
    float,
    BeforeValidator(_share),
    Field(ge=0, le=1, allow_inf_nan=False),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": 1},
                {"type": "string", "pattern": r"^\d+(\.\d+)?%?$"},
            ],
            "examples": [0.95, "95%"],
        }
    ),
]
Days = Annotated[
    int,
    BeforeValidator(_days),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": LONGEST_DAYS},
                {"type": "string", "pattern": r"^\d{1,4}d?$"},
            ],
            "examples": ["30d"],
        }
    ),
]


class Ready(Frozen):
    """What READY takes, where it is other than the preset's."""

    score: Points = Field(85, description="The least score before caps.")
    area: Points = Field(70, description="The least score of every area.")
    coverage: Share = Field(0.95, description="The least part of the score that was measured.")


class Conditional(Frozen):
    """What CONDITIONAL takes, where it is other than the preset's."""

    score: Points = Field(70, description="The least score before caps.")
    coverage: Share = Field(0.80, description="The least part of the score that was measured.")


class Waiving(Frozen):
    """Which waivers are accepted, and when their end is announced."""

    blockers: bool = Field(True, description="Whether a waiver may excuse a blocker.")
    longest: Days | None = Field(
        None, description="The most days from the run to a waiver's last; no limit if left out."
    )
    announce: Days = Field(14, description="Days before its last from which on a waiver is told.")


class Policy(Frozen):
    """What a release must reach. In services.yaml, what is left out is as the preset has it."""

    tier: Preset = Field("production", description="The preset to start from.")
    stage: Stage = Field("gate", description="report and warn exit with 0 where gate exits with 1.")
    fail_on: FailOn = Field("not-ready", description="The verdict from which on the gate fails.")
    ready: Ready = Ready()
    conditional: Conditional = Conditional()
    areas: Mapping[Name, Least] = Field(
        default_factory=dict, description="Least scores of areas, which then must exist."
    )
    blockers: Mapping[Name, bool] = Field(
        default_factory=dict, description="Checks that block although they ship otherwise, or not."
    )
    waivers: Waiving = Waiving()

    def minimum(self, area: str) -> int:
        """Return the least score of `area` that READY takes."""
        return self.areas.get(area, self.ready.area)
