"""How Compose runs each service: health, restarts, limits, images, ports, rights, secrets, logs."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, get_args

from pydantic import Field

from readiness.document.complaint import suggest
from readiness.escape import line
from readiness.inventory import Artifact, Inventory, Kind, Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._compose import join
from readiness.probes._compose.rules import ASKED, rules
from readiness.probes._compose.stack import Container, Stack, load
from readiness.probes._compose.whole import WHOLE, whole
from readiness.probes._containers.asked import Shelf, metrics, patterns_of, unread
from readiness.probes._containers.files import Absent, Unreadable
from readiness.probes._containers.verdict import ask, nothing

TIER: Tier = "observe"
KINDS: frozenset[str] = frozenset((*get_args(Kind), "compose"))
EXCLUSIVE = False
ASKS_NOBODY = True
"""Files tell of a service that is down as well as of any other."""

METRICS: Mapping[str, str] = {
    "defined": "true: the files define this service, or one that is none of the inventory's",
    "parsed": "true: the files can be read and merged as Compose does it",
    **metrics(ASKED),
    **WHOLE,
}
_SHELF: Shelf[Stack] = Shelf(load)


class Settings(ProbeSettings):
    """What the files cannot tell by themselves."""

    service: str | None = Field(
        None, description="The service of the files that this one is, if named otherwise there."
    )
    profiles: tuple[str, ...] = Field((), description="Profiles that are started too.")
    public_ports: tuple[Annotated[int, Field(ge=1, le=65_535)], ...] = Field(
        (), description="Ports published to all the world on purpose, beside 80 and 443."
    )


async def measure(subject: Service | Artifact, settings: Settings, context: Context) -> Values:
    """Judge a service by its part of the files, an artifact by all that is no service's part."""
    return await asyncio.to_thread(_measure, subject, settings, context)


def _measure(subject: Service | Artifact, settings: Settings, context: Context) -> Values:
    try:
        if isinstance(subject, Artifact):
            stack = _SHELF.get(context.folder, subject.files, context.run_id)
            return _artifact(subject, settings, context.inventory, stack)
        stacks = [
            _SHELF.get(context.folder, files, context.run_id)
            for _, files in patterns_of(context.inventory, "compose")
        ]
    except (Absent, Unreadable) as error:
        return unread(error, ASKED, WHOLE if isinstance(subject, Artifact) else None)
    return _service(subject, settings, stacks)


def _artifact(artifact: Artifact, settings: Settings, inventory: Inventory, stack: Stack) -> Values:
    others = join.of_artifact(artifact, inventory, stack, settings.profiles)
    told = {"parsed": True, **whole(stack)}
    return {**told, **_asked(others, settings, "every service that is started is the inventory's")}


def _service(service: Service, settings: Settings, stacks: list[Stack]) -> Values:
    mine = [one for stack in stacks for one in join.of_service(service, stack)]
    if not mine and settings.service:
        known = [name for stack in stacks for name in stack.services]
        why = f"the Compose files define no service {settings.service}. "
        return unread(Absent(line((why + suggest(settings.service, known)).strip())), ASKED, None)
    untold = [stack.untold for stack in stacks if stack.untold]
    if not mine and untold:  # where it may be defined
        return unread(Absent(untold[0]), ASKED, None)
    return _asked(mine, settings, f"the Compose files define no service {service.name}")


def _asked(containers: list[Container], settings: Settings, otherwise: str) -> Values:
    if not containers:
        return {"defined": False, "defined_because": otherwise, **nothing(ASKED, otherwise)}
    return {"defined": True, **ask(rules(settings.public_ports), containers)}
