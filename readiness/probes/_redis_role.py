"""The settings of a Redis service -> what its keys are for, which decides what it may lose."""

from typing import Literal, get_args

from pydantic import Field

from readiness.inventory import Service
from readiness.probes import ProbeSettings

Role = Literal["cache", "queue", "store"]
PROBES = ("redis_memory", "redis_persistence")
"""The probes that judge by it; it need be declared for one of them only."""


class RoleSettings(ProbeSettings):
    """What the keys are for."""

    role: Role | None = Field(
        None,
        description="What the keys are for. cache: any may go; queue or store: none may be lost. "
        "Declared for redis_memory or redis_persistence, it holds for both.",
    )


def role_of(service: Service, settings: RoleSettings) -> Role | None:
    """Return the role declared for this probe or, failing that, for the other that judges by it."""
    if settings.role:
        return settings.role
    for probe in PROBES:
        written = service.probes.get(probe)
        declared = written.get("role") if isinstance(written, dict) else None
        for role in get_args(Role):
            if declared is not None and str(declared) == role:
                return role  # type: ignore[no-any-return]
    return None
