"""Which services of a stack are services of the inventory, by their setting or by their name."""

import posixpath
from collections.abc import Collection, Mapping
from typing import Any

from readiness.inventory import Artifact, Inventory, Service
from readiness.probes._compose.stack import Container, Stack
from readiness.probes._containers.names import plain, same

PROBE = "compose_file"


def project(stack: Stack) -> str:
    """Return the project's name: as it is written, or that of its folder."""
    written = stack.root.at("name")
    if written and written.text and "$" not in written.text:
        return written.text
    return posixpath.basename(posixpath.dirname(posixpath.abspath(stack.folder / stack.files[0])))


def of_service(service: Service, stack: Stack) -> list[Container]:
    """Return what runs `service`; by its key first, then by any other name of a container."""
    settings: Any = service.probes.get(PROBE)
    named = settings.get("service") if isinstance(settings, Mapping) else None
    if isinstance(named, str):
        found = stack.services.get(named)
        return [found] if found else []
    exact = [one for key, one in stack.services.items() if plain(key) == plain(service.name)]
    if exact:
        return exact
    by_name = project(stack)
    return [one for one in stack.services.values() if same(service.name, one.names, by_name)]


def of_artifact(
    artifact: Artifact, inventory: Inventory, stack: Stack, profiles: Collection[str]
) -> list[Container]:
    """Return what is no service of the inventory and is started, its profiles considered."""
    joined = {
        container.name for service in inventory.services for container in of_service(service, stack)
    }
    return [
        one
        for one in stack.services.values()
        if one.name not in joined and not one.at("provider") and _started(one, profiles)
    ]


def _started(container: Container, profiles: Collection[str]) -> bool:
    asked = {one.text for one in container.items("profiles")}
    return not asked or bool(asked & {*profiles})
