"""The system under assessment: its services, and what is expected of them and of all of it."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from readiness import secret
from readiness.document.complaint import suggest
from readiness.inventory import url
from readiness.inventory.artifact import ARTIFACT_PROBES, DESCRIBING, Artifact
from readiness.inventory.journey import Identity, Journey
from readiness.inventory.policy import Policy
from readiness.inventory.regression import Regression
from readiness.inventory.service import (
    DEFAULT_PROBES,
    Frozen,
    Line,
    Name,
    Samples,
    Service,
    Timeout,
)

Environment = Literal["local", "development", "test", "staging", "production"]
Tier = Literal["observe", "load", "write", "intrusive"]

OBJECTIVES = (
    "availability",
    "success_rate",
    "authentication_success",
    "error_rate",
    "response_time",
    "checks_passed",
    "tests_passed",
)
"""The critical success metrics a target can be set for; all but response_time are rates."""

_FACTORS = {
    unit: Decimal(factor)
    for unit, factor in ((None, "1"), ("%", "0.01"), ("us", "0.001"), ("ms", "1"), ("s", "1000"))
}
_NO_TARGET = "must be a target. Write it as in 0.95, 95% or, for response_time, 100ms"


def _objective(name: str) -> str:
    if name not in OBJECTIVES:
        raise ValueError(f"is no objective. {suggest(name, OBJECTIVES)}")
    return name


def _target(written: Any) -> Any:
    """Read `95%` as 0.95 and `100ms` as the 100 milliseconds that response_time is kept in."""
    if isinstance(written, bool) or not isinstance(written, int | float | str):
        raise ValueError(_NO_TARGET)
    if not isinstance(written, str):
        return written
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(%|us|ms|s)?", written, re.ASCII)
    if not match:
        raise ValueError(_NO_TARGET)
    return float(Decimal(match[1]) * _FACTORS[match[2]])  # 95 * 0.01 is not 0.95 in floats


def _day(written: Any) -> Any:
    if not isinstance(written, str | date):
        raise ValueError("must be a date. Write it as in 2026-12-31")
    return written


_ObjectiveName = Annotated[
    str, AfterValidator(_objective), WithJsonSchema({"type": "string", "enum": list(OBJECTIVES)})
]


class System(Frozen):
    """The system under assessment."""

    name: Line
    version: Line | None = Field(None, description="Put quotes around it: 1.10 is 1.1 without.")
    environment: Environment = Field("local", description="Decides which traffic is allowed.")
    allow: tuple[Tier, ...] = Field((), description="Tiers of traffic allowed beyond observe.")


class Defaults(Frozen):
    """Settings of every probe unless a service says otherwise."""

    timeout: Timeout = 5.0
    samples: Samples = 400


class Capability(Frozen):
    """Something users can do: the services it takes, and the journeys that show it."""

    title: Line
    services: tuple[Name, ...] = ()
    journeys: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _something(self) -> "Capability":
        if not self.services and not self.journeys:
            raise ValueError("names no service and no journey. Add at least one")
        return self


class Objective(Frozen):
    """The target of one critical success metric: a rate of 0..1, for response_time milliseconds."""

    target: Annotated[
        float,
        BeforeValidator(_target),
        Field(ge=0, allow_inf_nan=False),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "number", "minimum": 0},
                    {"type": "string", "pattern": r"^\d+(\.\d+)?(%|us|ms|s)?$"},
                ],
                "examples": [0.95, "95%", "100ms"],
            }
        ),
    ]


class Waiver(Frozen):
    """A finding that a named person has excused until a day."""

    check: Name
    service: Name | None = Field(None, description="All services where left out.")
    reason: Line
    owner: Line
    until: Annotated[date, BeforeValidator(_day)] = Field(description="The last day, in UTC.")


class Inventory(Frozen):
    """A whole services.yaml."""

    version: Literal[1] = Field(description="The version of this format.")
    system: System
    defaults: Defaults = Defaults()
    services: tuple[Service, ...]
    identities: Mapping[Name, Identity] = Field(
        default_factory=dict, exclude=True, repr=False, description="Who can ask, by name."
    )
    journeys: tuple[Journey, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    capabilities: Mapping[Name, Capability] = Field(default_factory=dict)
    objectives: Mapping[_ObjectiveName, Objective] = Field(default_factory=dict)
    waivers: tuple[Waiver, ...] = ()
    policy: Policy = Field(
        Policy(), exclude=True, description="What a release must reach (docs/policy.md)."
    )
    """As it was written; the one that holds is the evidence's."""
    regression: Regression = Regression()

    @field_validator("services", "journeys", "artifacts", mode="before")
    @classmethod
    def _by_name(cls, named: Any) -> Any:
        if not isinstance(named, Mapping):
            return named
        return [
            {**body, "name": name} if isinstance(body, Mapping) else body
            for name, body in named.items()
        ]

    @model_validator(mode="after")
    def _described(self) -> "Inventory":
        """Ask of each service what the files say that tell how services are run."""
        kinds = {artifact.kind for artifact in self.artifacts}
        asked: dict[str, Any] = {ARTIFACT_PROBES[kind]: {} for kind in DESCRIBING if kind in kinds}
        if asked:
            services = tuple(
                one.model_copy(update={"probes": {**asked, **one.probes}}) for one in self.services
            )
            object.__setattr__(self, "services", services)
        return self

    @property
    def subjects(self) -> "tuple[Subject, ...]":
        """Everything that findings are made of: the services, the journeys, the artifacts."""
        return (*self.services, *self.journeys, *self.artifacts)

    def steps_of(self, journey: str) -> tuple[str, ...]:
        """Return the names of a journey's steps, none if there is no such journey."""
        return tuple(s.name for j in self.journeys if j.name == journey for s in j.steps)

    def service(self, name: str) -> Service:
        """Return the service called `name`; KeyError if there is none."""
        for service in self.services:
            if service.name == name:
                return service
        raise KeyError(name)

    def secrets(self) -> frozenset[str]:
        """Return every text that must not be shown, in each form it may be met in.

        Left out is what this inventory shows openly anyway (a password equal to a service's
        name): masking it would hide nothing and garble every report.
        """
        found: list[str] = []
        public = [self.model_dump_json(), *(p for kind in DEFAULT_PROBES.values() for p in kind)]
        for service in self.services:
            found += secret.of_url(url.split(service.url.get_secret_value()))
            found += secret.of_settings(service.probes)
            public += secret.public_texts(service.probes)
        found += self._sent()
        openly = "\n".join(public)
        return frozenset(s for s in secret.spellings(found) if s not in openly)

    def _sent(self) -> Iterator[str]:
        """Yield the secrets that journeys and logins send."""
        steps = [step for journey in self.journeys for step in journey.steps]
        for identity in self.identities.values():
            steps += identity.steps
            yield from secret.of_settings({"headers": _plain(identity.headers)})
            if identity.login:
                yield from secret.of_settings({"login": identity.login.sent})
        for step in steps:
            yield from secret.of_body(step.sent)
            yield from secret.of_settings(step.path)


Subject = Service | Journey | Artifact
"""What a finding is about."""


def _plain(headers: Mapping[str, SecretStr]) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in headers.items()}
