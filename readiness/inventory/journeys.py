"""The journeys of an inventory -> where their parts do not fit together."""

from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

from readiness.document.complaint import Complaint, Place, shown, suggest
from readiness.inventory.journey import NOBODY, Identity, Journey
from readiness.inventory.step import GIVEN, MARKS, REFERENCE, Step
from readiness.inventory.system import Inventory

WEB = ("http", "web")
"""Kinds of service that a step can ask."""


def unmet(inventory: Inventory) -> list[Complaint]:
    """Return the names in journeys and identities that lead nowhere, and what is left behind."""
    found: list[Complaint] = []
    services = {s.name: s.kind for s in inventory.services}
    for name, identity in inventory.identities.items():
        place: Place = ("identities", name)
        found += _service((*place, "service"), identity.service, services)
        found += _steps(place, identity.steps, inventory, bool(identity.service))
        found += _not_in_a_login(place, identity.steps)
        found += _marks(place, identity)
        if name == NOBODY:
            found.append(Complaint(place, "is the name for no one", "Give it another."))
        if identity.login and not identity.service:
            fix = "Write service: and the service that the login asks."
            found.append(Complaint(place, "has a login and no service", fix))
        known = {*GIVEN, *(key for step in identity.steps for key in step.capture)}
        for header, value in identity.headers.items():
            for text in _missing(value.get_secret_value(), known):
                where = (*place, "headers", header)
                found.append(Complaint(where, f"needs {text}, which no step captures"))
    found += _round(inventory)
    for journey in inventory.journeys:
        found += _journey(journey, inventory, services)
    return found


def _not_in_a_login(place: Place, steps: Sequence[Step]) -> Iterator[Complaint]:
    for index, step in enumerate(steps):
        if step.creates or step.removes or step.always:
            what = "is part of a login, which creates and removes nothing"
            yield Complaint((*place, "steps", index), what, "Make it a step of the journey.")


def _marks(place: Place, identity: Identity) -> Iterator[Complaint]:
    """Yield the headers of an identity that would hide whose requests its requests are."""
    written: list[tuple[Place, str]] = [((*place, "headers", h), h) for h in identity.headers]
    if identity.login:
        written.append(((*place, "login", "header"), identity.login.header))
    for where, header in written:
        if header.lower() in MARKS:
            what = f"is the header {header}, which says whose requests these are"
            yield Complaint(where, what, "Name another.")


def _round(inventory: Inventory) -> Iterator[Complaint]:
    """Yield the identities that must be logged in before they can log in."""
    needs = {
        name: {step.identity for step in identity.steps if step.identity in inventory.identities}
        for name, identity in inventory.identities.items()
    }
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        around = [str(name) for name in reversed(error.args[1])]
        what = f"needs itself to log in: {' -> '.join(around)}"
        yield Complaint(("identities", around[0]), what, "Remove one of these `as:`.")


def _journey(
    journey: Journey, inventory: Inventory, services: Mapping[str, str]
) -> Iterator[Complaint]:
    place: Place = ("journeys", journey.name)
    if journey.name in services:
        yield Complaint(place, "is the name of a service as well", "Give the journey another.")
    yield from _service((*place, "service"), journey.service, services)
    yield from _identity((*place, "as"), journey.identity, inventory)
    yield from _steps(place, journey.steps, inventory, bool(journey.service))
    creators: list[str] = []
    removed = {step.removes for step in journey.steps}
    for index, step in enumerate(journey.steps):
        where = (*place, "steps", index)
        if step.removes and step.removes not in creators:
            what = f"removes what '{shown(step.removes)}' created, but no step before creates it"
            yield Complaint((*where, "removes"), what, suggest(step.removes, creators))
        if step.removes and not step.always:
            fix = "Write always: true, so that it runs when the journey fails."
            yield Complaint(where, "removes something, but not always", fix)
        if step.creates and not set(GIVEN) & set(REFERENCE.findall(step.creates)):
            what = "names what nobody can tell from another's"
            fix = "Name it with {{unique}}, so that it can be found."
            yield Complaint((*where, "creates"), what, fix)
        creators += [step.name] if step.creates else []
        if step.creates and not step.stays and step.name not in removed:
            fix = f"Add a step with always: true and removes: {step.name}, or say why it stays:."
            yield Complaint(where, "creates what no step removes", fix)


def _service(place: Place, name: str | None, services: Mapping[str, str]) -> Iterator[Complaint]:
    if name is None:
        return
    if name not in services:
        fit = [known for known, kind in services.items() if kind in WEB]
        yield Complaint(place, f"names the unknown service '{shown(name)}'", suggest(name, fit))
    elif services[name] not in WEB:
        what = f"names '{name}' of kind {services[name]}, which speaks no HTTP"
        yield Complaint(place, what, "Name a service of kind http or web.")


def _identity(place: Place, name: str | None, inventory: Inventory) -> Iterator[Complaint]:
    if name is not None and name != NOBODY and name not in inventory.identities:
        fix = suggest(name, inventory.identities) or "Describe it under identities:."
        yield Complaint(place, f"names the unknown identity '{shown(name)}'", fix)


def _steps(
    place: Place, steps: Sequence[Step], inventory: Inventory, has_service: bool
) -> Iterator[Complaint]:
    services = {s.name: s.kind for s in inventory.services}
    known, names = set(GIVEN), set[str]()
    for index, step in enumerate(steps):
        where = (*place, "steps", index)
        if step.name in names:
            yield Complaint((*where, "name"), "is the name of an earlier step", "Give it another.")
        if not has_service and step.service is None:
            fix = "Write service: here, or for all steps."
            yield Complaint(where, "names no service to ask", fix)
        yield from _service((*where, "service"), step.service, services)
        yield from _identity((*where, "as"), step.identity, inventory)
        for name in sorted(step.references - known):
            what = f"needs {{{{{name}}}}}, which no step before it captures"
            yield Complaint(where, what, suggest(name, known))
        if step.unfilled:
            fix = "Write a name of small letters, digits and _, as in {{order_id}}."
            yield Complaint(where, "holds {{ }} around what is no name", fix)
        for name in sorted(step.capture.keys() & set(GIVEN)):
            what = f"is a name that every journey has: {', '.join(GIVEN)}"
            yield Complaint((*where, "capture", name), what, "Give it another.")
        names.add(step.name)
        known |= step.capture.keys()


def _missing(text: str, known: set[str]) -> Iterator[str]:
    for name in REFERENCE.findall(text):
        if name not in known:
            yield f"{{{{{name}}}}}"
