"""Inventory -> plan: which probe asks what of whom, its settings bound before any traffic."""

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from readiness import probes
from readiness.document import ConfigurationError, Document, bind
from readiness.document.complaint import Place, shown, suggest
from readiness.failure import Failure
from readiness.inventory import (
    ARTIFACT_PROBES,
    Artifact,
    Environment,
    Inventory,
    Journey,
    Subject,
    Tier,
)
from readiness.looks import ALONE, Looks
from readiness.probes import Probe, ProbeSettings

Limits = Callable[[Subject, str], Mapping[str, tuple[float, float]]]
"""(service or journey, probe name) -> metric -> (target, limit)"""


@dataclass(frozen=True)
class Step:
    """One probe to point at one service or journey, or the reason why it must not be."""

    service: Subject
    name: str
    probe: Probe
    settings: ProbeSettings
    withheld: Failure | None


@dataclass(frozen=True)
class Plan:
    """Every step of a run, in the inventory's order."""

    inventory: Inventory
    steps: tuple[Step, ...]
    allowed: frozenset[Tier]
    limits: Limits
    folder: Path
    looks: Looks = ALONE
    """How sure intervals must be."""
    environment: Environment = "local"


def plan(
    inventory: Inventory,
    document: Document,
    allowed: frozenset[Tier],
    only: Collection[str] = (),
    limits: Limits = lambda _service, _probe: {},
    environment: Environment | None = None,
) -> Plan:
    """Bind the settings of every expected probe; ConfigurationError names the line at fault.

    `environment` is the command line's word, over the inventory's.
    """
    unknown = sorted(set(only) - {s.name for s in inventory.subjects})
    if unknown:
        raise ConfigurationError(
            f"--only names the unknown service '{unknown[0]}'.",
            fix=suggest(unknown[0], [s.name for s in inventory.subjects]),
        )
    known = {name: functools.cache(functools.partial(_usual, name)) for name in probes.names()}
    steps = tuple(
        _step(subject, name, known, inventory, document, allowed, only)
        for subject in inventory.subjects
        for name in subject.expected_probes
    )
    environment = environment or inventory.system.environment
    folder = Path(document.name).parent
    return Plan(inventory, steps, allowed, limits, folder, environment=environment)


def _step(
    service: Subject,
    name: str,
    known: Mapping[str, Callable[[], tuple[Probe, ProbeSettings | None]]],
    inventory: Inventory,
    document: Document,
    allowed: frozenset[Tier],
    only: Collection[str],
) -> Step:
    part = "artifacts" if isinstance(service, Artifact) else "services"
    place = (part, service.name, "probes", name)
    where: dict[str, Any] = {"file": document.name, "line": document.line(place)}
    if name not in known:
        raise ConfigurationError(
            f"{part.removesuffix('s')} '{service.name}' names the unknown probe '{name}'.",
            **where,
            fix=suggest(name, known),
        )
    probe, settings = known[name]()
    if service.kind not in probe.KINDS:
        raise ConfigurationError(
            f"probe '{name}' cannot be pointed at '{service.name}' of kind {service.kind}.",
            **where,
            fix=f"It takes {_takes(probe.KINDS)}.",
        )
    written = service.probes.get(name, {})
    off = written is False
    if settings is None or (written and not off):
        settings = bind(probe.Settings, {} if off or written is None else written, document, place)
        _check_names(settings, inventory, document, place)
    if isinstance(service, Journey):
        settings = settings.model_copy(update={"seconds": service.deadline})
    return Step(service, name, probe, settings, _withheld(service, probe, off, allowed, only))


def _takes(kinds: Collection[str]) -> str:
    """Name what a probe may be pointed at."""
    services, artifacts = set(kinds) - set(ARTIFACT_PROBES), set(kinds) & set(ARTIFACT_PROBES)
    parts = (("services", services), ("artifacts", artifacts))
    return " and ".join(f"{what} of kind {', '.join(sorted(of))}" for what, of in parts if of)


def _check_names(
    settings: ProbeSettings, inventory: Inventory, document: Document, place: Place
) -> None:
    """Raise ConfigurationError for a name in the settings that the inventory does not have."""
    for at, name, names, what in settings.named(inventory):
        if name not in names:
            raise ConfigurationError(
                f"'{'.'.join((*map(str, place), *at))}' names the unknown {what} '{shown(name)}'.",
                file=document.name,
                line=document.line((*place, *at)),
                fix=suggest(name, names),
            )


def _usual(name: str) -> tuple[Probe, ProbeSettings | None]:
    """Return the probe and its settings where none are made; None if it cannot do without."""
    probe = probes.load(name)
    try:
        return probe, probe.Settings()
    except ValidationError:
        return probe, None


def _withheld(
    service: Subject, probe: Probe, off: bool, allowed: frozenset[Tier], only: Collection[str]
) -> Failure | None:
    if only and service.name not in only:
        return Failure(kind="not_allowed", detail="left out by --only")
    if off:
        return Failure(kind="not_allowed", detail="switched off in the inventory")
    tier = service.tier if isinstance(service, Journey) else probe.TIER
    if tier not in allowed:
        return Failure(
            kind="not_allowed", detail=f"needs the {tier} tier, which this run is not allowed"
        )
    return None
