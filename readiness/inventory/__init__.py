"""services.yaml -> Inventory: read, filled from the environment, bound, and checked as a whole."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from readiness.document import Document, bind, read
from readiness.document.complaint import Complaint
from readiness.document.environment import substitute
from readiness.inventory import json_schema, references
from readiness.inventory.artifact import ARTIFACT_PROBES, Artifact, ArtifactKind
from readiness.inventory.duration import Duration
from readiness.inventory.expectation import Capture, Expect, Match
from readiness.inventory.journey import NOBODY, Identity, Journey
from readiness.inventory.login import HeaderName, Login
from readiness.inventory.policy import Conditional, FailOn, Policy, Preset, Ready, Stage, Waiving
from readiness.inventory.regression import Regression
from readiness.inventory.service import DEFAULT_PROBES, Criticality, Health, Kind, Service
from readiness.inventory.step import GIVEN, REFERENCE, SAFE, Part, Poll, Step
from readiness.inventory.system import (
    OBJECTIVES,
    Capability,
    Defaults,
    Environment,
    Inventory,
    Objective,
    Subject,
    System,
    Tier,
    Waiver,
)

__all__ = [
    "ARTIFACT_PROBES",
    "DEFAULT_PROBES",
    "GIVEN",
    "NOBODY",
    "OBJECTIVES",
    "REFERENCE",
    "SAFE",
    "Artifact",
    "ArtifactKind",
    "Capability",
    "Capture",
    "Conditional",
    "Criticality",
    "Defaults",
    "Duration",
    "Environment",
    "Expect",
    "FailOn",
    "HeaderName",
    "Health",
    "Identity",
    "Inventory",
    "Journey",
    "Kind",
    "Login",
    "Match",
    "Objective",
    "Part",
    "Policy",
    "Poll",
    "Preset",
    "Ready",
    "Regression",
    "Service",
    "Stage",
    "Step",
    "Subject",
    "System",
    "Tier",
    "Waiver",
    "Waiving",
    "from_document",
    "load",
    "missing_variables",
    "schema",
    "tolerant",
]


def load(path: Path, environ: Mapping[str, str], *, require_environment: bool = True) -> Inventory:
    """Read the inventory at `path`, its `${VAR:-default}` filled from `environ`.

    Without `require_environment` missing variables are no error; the inventory is then fit for
    being checked, not for being probed.
    """
    document = read(path)
    return from_document(document if require_environment else tolerant(document, environ), environ)


def missing_variables(document: Document, environ: Mapping[str, str]) -> list[tuple[str, int]]:
    """Return each variable that `document` needs and `environ` lacks, with a line that needs it."""
    _, missing, _ = substitute(document.data, environ)
    found: dict[str, int] = {}
    for place, variables in missing.items():
        for variable in variables:
            found.setdefault(variable.name, document.line(place) or 1)
    return list(found.items())


def tolerant(document: Document, environ: Mapping[str, str]) -> Document:
    """Return `document` such that binding it lets pass what hangs on variables not set."""
    _, missing, _ = substitute(document.data, environ)
    return replace(document, unset=frozenset(missing))


def from_document(document: Document, environ: Mapping[str, str]) -> Inventory:
    """Build the inventory that `document` describes; ConfigurationError tells of all mistakes."""
    data, missing, malformed = substitute(document.data, environ)
    unmet = [
        Complaint(
            place,
            f"needs the environment variable {variable.name}, which is not set"
            + (f" ({variable.message})" if variable.message else ""),
            f"Set it, or write a default as in ${{{variable.name}:-default}}.",
        )
        for place, variables in missing.items()
        if place not in document.unset
        for variable in variables
    ]
    wrong = malformed + unmet + references.misshapen(document.data)
    if wrong:
        raise document.error(wrong)
    inventory = bind(Inventory, data, document)
    wrong = [one for one in references.unmet(inventory) if one.place not in document.unset]
    if wrong:
        raise document.error(wrong)
    return inventory


def schema(
    probe_settings: Mapping[str, tuple[frozenset[str], type[BaseModel]]],
) -> dict[str, Any]:
    """Return the JSON Schema of services.yaml: probe -> (kinds, settings) says what probes take."""
    return json_schema.services_schema(Inventory, probe_settings)
