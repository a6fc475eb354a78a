"""An inventory -> where its parts do not fit together: unknown names, cycles, misplaced keys."""

from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import islice
from typing import Any

from readiness.document.complaint import MOST, Complaint, Place, shown, suggest
from readiness.inventory import journeys
from readiness.inventory.artifact import ARTIFACT_PROBES, DESCRIBING
from readiness.inventory.system import Inventory

_EXAMPLES = {
    "services": "`api: {kind: http, url: ...}`",
    "journeys": "`sign-in: {title: ..., service: ..., steps: [...]}`",
    "artifacts": "`tests: {kind: junit, files: [reports/*.xml]}`",
}


def misshapen(data: Any) -> list[Complaint]:
    """Return what is wrong with how `data` names its services and journeys, before it is bound."""
    if not isinstance(data, Mapping):
        return []
    return [one for part in _EXAMPLES if part in data for one in _misnamed(part, data[part])]


def _misnamed(part: str, named: Any) -> list[Complaint]:
    one = part.removesuffix("s")
    if not isinstance(named, Mapping):
        fix = f"Write each {one} as a key of its own, as in {_EXAMPLES[part]}."
        return [Complaint((part,), f"must be a mapping of names to {part}", fix)]
    if not named:
        return [Complaint((part,), f"names no {one}", "Add at least one.")]
    return [
        Complaint((part, name, "name"), "is not a known key", f"'{shown(name)}' is its name.")
        for name, body in named.items()
        if isinstance(body, Mapping) and "name" in body
    ]


def unmet(inventory: Inventory) -> list[Complaint]:
    """Return the names in `inventory` that lead nowhere, and what may not stand where it does."""
    unknown = list(islice(_unknown(inventory), MOST))
    return [
        *unknown,
        *([] if unknown else _cycle(inventory)),
        *_rates(inventory),
        *_misplaced(inventory),
        *_artifacts(inventory),
        *journeys.unmet(inventory),
    ]


def _unknown(inventory: Inventory) -> Iterator[Complaint]:
    names = {service.name for service in inventory.services}
    for service in inventory.services:
        place = ("services", service.name, "depends_on")
        yield from _strangers(place, service.depends_on, names)
    for key, capability in inventory.capabilities.items():
        yield from _strangers(("capabilities", key, "services"), capability.services, names)
        walks = {journey.name for journey in inventory.journeys}
        place = ("capabilities", key, "journeys")
        yield from _strangers(place, capability.journeys, walks, "journey")
    for index, waiver in enumerate(inventory.waivers):
        subjects = {subject.name for subject in inventory.subjects}
        if waiver.service is not None and waiver.service not in subjects:
            where = ("waivers", index, "service")
            yield Complaint(where, "is no service of this file", suggest(waiver.service, subjects))


def _strangers(
    place: Place, named: Iterable[str], names: set[str], of: str = "service"
) -> Iterator[Complaint]:
    for index, name in enumerate(named):
        if name not in names:
            what = f"names the unknown {of} '{shown(name)}'"
            yield Complaint((*place, index), what, suggest(name, names))


def _cycle(inventory: Inventory) -> Iterator[Complaint]:
    depends_on = {service.name: service.depends_on for service in inventory.services}
    try:
        TopologicalSorter(depends_on).prepare()
    except CycleError as error:
        around = list(reversed(error.args[1]))
        place = ("services", around[0], "depends_on")
        yield Complaint(place, f"goes round: {' -> '.join(around)}", "Remove one of these.")


def _rates(inventory: Inventory) -> Iterator[Complaint]:
    for name, objective in inventory.objectives.items():
        if name != "response_time" and objective.target > 1:
            place = ("objectives", name, "target")
            yield Complaint(place, "must be at most 1", "Write a rate as in 0.95 or 95%.")


def _misplaced(inventory: Inventory) -> Iterator[Complaint]:
    if "intrusive" in inventory.system.allow:
        index = inventory.system.allow.index("intrusive")
        fix = "Give --allow intrusive on the command line, each time it is meant."
        yield Complaint(("system", "allow", index), "cannot allow the intrusive tier", fix)
    for service in inventory.services:
        if service.health and service.kind not in ("http", "web"):
            place = ("services", service.name, "health")
            yield Complaint(place, f"is not for services of kind {service.kind}", "Remove it.")


def _artifacts(inventory: Inventory) -> Iterator[Complaint]:
    taken = {one.name for one in inventory.services} | {one.name for one in inventory.journeys}
    for artifact in inventory.artifacts:
        if artifact.name in taken:
            what = "is the name of a service or journey too"
            yield Complaint(("artifacts", artifact.name), what, "Give it another name.")
    kinds = {artifact.kind for artifact in inventory.artifacts}
    for kind in DESCRIBING:
        probe = ARTIFACT_PROBES[kind]
        for service in inventory.services:
            if probe in service.probes and kind not in kinds:
                place = ("services", service.name, "probes", probe)
                fix = f"Add one as in `artifacts: {{run: {{kind: {kind}, files: [...]}}}}`."
                yield Complaint(place, f"finds no artifact of kind {kind}", fix)
