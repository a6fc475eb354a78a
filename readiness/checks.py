"""Check and Area: what is expected of each metric, why, how to mend it, and its weight."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from readiness.curve import Better, Curve, fault
from readiness.inventory import ArtifactKind, Kind, Service, Subject
from readiness.quantity import Unit, quantity

SubjectKind = Kind | ArtifactKind | Literal["journey"]
Severity = Literal["critical", "high", "medium", "low"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Fix(_Frozen):
    """What to do about a finding, in one sentence, and the hours it usually takes."""

    text: Annotated[str, Field(pattern=r"^[A-Z`].*\.$")]
    effort_hours: Annotated[float, Field(gt=0, le=10_000)]


class When(_Frozen):
    """A measured fact without which a check is not applicable; unmeasured, the check is unknown."""

    metric: str
    equals: bool
    otherwise: str


class Check(_Frozen):
    """One criterion on one metric of one probe.

    Its criterion is either `target` and `limit` on a curve, or `must_be`, or `one_of`. What is
    `sampled` is judged as an Estimate only: without its interval a sample proves nothing.
    """

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    title: str
    probe: str
    metric: str
    kinds: tuple[SubjectKind, ...] = ()
    area: str
    severity: Severity
    blocker: bool = False
    unit: Unit = ""
    target: float | None = None
    limit: float | None = None
    curve: Curve = "linear"
    better: Better = "lower"
    must_be: bool | None = None
    one_of: Annotated[tuple[str | int, ...], Field(min_length=1)] | None = None
    sampled: bool = False
    declared: tuple[str, ...] = ()
    when: When | None = None
    why: str
    fix: Fix

    @model_validator(mode="before")
    @classmethod
    def _units(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        unit = data.get("unit", "")
        if unit not in get_args(Unit):
            return data
        read = {k: quantity(data[k], unit) for k in ("target", "limit") if data.get(k) is not None}
        default = "log" if unit in ("ms", "bytes") else "linear"
        return {"curve": default, **data, **read}

    @model_validator(mode="after")
    def _one_criterion(self) -> Self:
        bounds = [self.target is not None, self.limit is not None]
        others = [self.must_be is not None, self.one_of is not None]
        if sum([all(bounds), *others]) != 1 or any(bounds) != all(bounds):
            raise ValueError("needs exactly one of: target and limit, must_be, one_of")
        if self.sampled and self.target is None:
            raise ValueError("is sampled, so it needs a target and a limit")
        if self.target is not None and self.limit is not None:
            wrong = fault(self.target, self.limit, self.curve, self.better)
            if wrong:
                raise ValueError(wrong)
        return self

    def concerns(self, service: Subject) -> bool:
        """Whether this check is made of `service` at all, by its kind and expected probes."""
        return self.probe in service.expected_probes and (
            not self.kinds or service.kind in self.kinds
        )

    def undeclared(self, service: Subject) -> str | None:
        """Return why the inventory leaves nothing to check here, or None where it does."""
        if not self.declared or any(_declares(service, path) for path in self.declared):
            return None
        named = dict.fromkeys(p.rpartition(".")[2] for p in self.declared)
        return f"{service.name} declares no {' or '.join(named)}"

    def for_service(self, service: Subject) -> "Check":
        """Return this check with the service's own target and limit put in.

        ValueError if they make no curve, or if this check has neither.
        """
        written = service.checks.get(self.id)
        if written is None:
            return self
        if self.target is None:
            raise ValueError("it has no target and no limit")
        data = self.model_dump(exclude_unset=True) | dict(written)
        try:
            return Check.model_validate(data)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]["msg"]
            raise ValueError(first.removeprefix("Value error, ")) from None


class Area(_Frozen):
    """A part of the score: its weight, its subjects, and how many conclusive checks it needs."""

    id: str
    title: str
    weight: Annotated[float, Field(gt=0)]
    min_checks: Annotated[int, Field(ge=1)] = 1
    kinds: tuple[SubjectKind, ...] = ()


class Criteria(_Frozen):
    """All checks by id and all areas by id, in the order of their files."""

    checks: Mapping[str, Check]
    areas: Mapping[str, Area]
    added: frozenset[str] = frozenset()
    only: tuple[str, ...] = ()
    """What was asked for where these are a part of all; empty where nothing was left out."""

    def limits(self, service: Subject, probe: str) -> dict[str, tuple[float, float]]:
        """Return metric -> (target, limit) of what `probe` on `service` will be judged by."""
        mine = [c.for_service(service) for c in self.checks.values() if c.probe == probe]
        return {
            c.metric: (c.target, c.limit)
            for c in mine
            if c.target is not None and c.limit is not None and c.concerns(service)
        }

    def sampled(self, measured: Iterable[tuple[Subject, str]]) -> int:
        """Return how many checks judge samples, on these services by these probes."""
        mine: dict[str, list[Check]] = {}
        for check in self.checks.values():
            if check.sampled:
                mine.setdefault(check.probe, []).append(check)
        return sum(
            check.concerns(service) and not check.undeclared(service)
            for service, probe in measured
            for check in mine.get(probe, ())
        )


def _declares(service: Subject, path: str) -> bool:
    if path == "https":
        return isinstance(service, Service) and service.address.startswith("https:")
    part, *rest = path.split(".")
    found: Any = getattr(service, part)
    for key in rest:
        found = found.get(key) if isinstance(found, Mapping) else getattr(found, key, None)
    return found is not None
