"""What a user does from end to end, step by step, and who they are while they do it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, model_serializer, model_validator

from readiness.inventory.duration import Duration
from readiness.inventory.login import HeaderName, Login
from readiness.inventory.service import Criticality, Frozen, Line, Name
from readiness.inventory.step import SAFE, Step

NOBODY = "nobody"
"""Who asks where a step sends no proof of anyone."""


class Identity(Frozen):
    """Someone who can prove who they are: by headers, or by a login made afresh each time.

    `steps` log in where one request does not; `headers` may then hold what they kept.
    """

    service: Name | None = Field(None, description="where the login goes")
    login: Login | None = Field(None, description="one request that yields a token")
    steps: tuple[Step, ...] = Field((), description="a login that takes more than one request")
    headers: Mapping[HeaderName, SecretStr] = Field(
        default_factory=dict, repr=False, description="sent with each request, as in X-API-Key"
    )

    @model_validator(mode="after")
    def _provable(self) -> "Identity":
        if self.login and (self.steps or self.headers):
            raise ValueError("has a login, which takes no steps and no headers beside it")
        if not (self.login or self.steps or self.headers):
            raise ValueError("proves nothing. Write login, steps or headers")
        return self

    @property
    def logs_in(self) -> bool:
        """Whether it takes a request that changes something to become who it is."""
        return self.login is not None or any(step.method not in SAFE for step in self.steps)


class Journey(Frozen):
    """A sequence of requests by which a user reaches something.

    What is dumped is its public form: names, titles and paths, from which it can be read again.
    """

    name: Name
    title: Line
    service: Name | None = Field(None, description="where steps go that name no other")
    identity: Name | None = Field(None, alias="as", description="who asks, step by step")
    authenticates: bool = Field(
        False, description="counts for the objective authentication_success"
    )
    criticality: Criticality = "high"
    owner: Line | None = Field(None, description="Who mends it.")
    repeat: Annotated[int, Field(ge=1, le=1000, description="rounds, for a success rate")] = 1
    deadline: Duration = Field(60.0, gt=0, le=3600, description="for all rounds")
    steps: tuple[Step, ...] = Field(max_length=100, json_schema_extra={"minItems": 1})

    @model_validator(mode="after")
    def _somewhere(self) -> "Journey":
        if not self.steps:
            raise ValueError("has no steps. Add at least one")
        return self

    @property
    def kind(self) -> Literal["journey"]:
        """What it is among the subjects of an assessment."""
        return "journey"

    @property
    def expected_probes(self) -> tuple[str, ...]:
        """The probe that walks it."""
        return ("journey",)

    @property
    def health_probe(self) -> str:
        """The probe whose answer says whether it works at all."""
        return "journey"

    @property
    def probes(self) -> Mapping[str, Any]:
        """Settings by probe: it has none."""
        return {}

    @property
    def checks(self) -> Mapping[str, Mapping[str, Any]]:
        """Targets of its own by check: it has none."""
        return {}

    @property
    def tier(self) -> Literal["observe", "write"]:
        """The tier of its traffic, logins left aside: they ask for theirs themselves."""
        changes = any(step.method not in SAFE for step in self.steps)
        return "write" if changes else "observe"

    @property
    def captured(self) -> frozenset[str]:
        """The variables that its steps keep."""
        return frozenset(name for step in self.steps for name in step.capture)

    @property
    def depends_on(self) -> tuple[str, ...]:
        """The services that its steps ask."""
        asked = (step.service or self.service for step in self.steps)
        return tuple(dict.fromkeys(name for name in asked if name))

    @model_serializer
    def _public(self) -> dict[str, Any]:
        steps = [
            {"name": step.name, "request": step.shown, "service": step.service}
            for step in self.steps
        ]
        return {
            "name": self.name,
            "title": self.title,
            "service": self.service,
            "authenticates": self.authenticates,
            "criticality": self.criticality,
            "owner": self.owner,
            "repeat": self.repeat,
            "steps": steps,
        }
