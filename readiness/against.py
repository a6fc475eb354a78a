"""Two inventories -> the first, its services paired with those of the same name in the second."""

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

from readiness.document import ConfigurationError, Document
from readiness.document.complaint import suggest
from readiness.inventory import Environment, Inventory, Service, System

PROBE = "http_paired"
_KINDS = ("http", "web")
_REQUEST = ("request", "headers", "json", "expect_status", "expect_text", "expect_json")
_READING = ("GET ", "HEAD ")
_LONGEST = 200


def paired(inventory: Inventory, reference: Inventory, file: str) -> Inventory:
    """Return `inventory` with what to compare its HTTP services with: those of `reference`.

    Each is asked what its own inventory has it asked. A service without a partner is told why.
    ConfigurationError if none has one; `file` is where `reference` was read from.
    """
    asked = [one for one in inventory.services if one.kind in _KINDS]
    added = {one.name: _settings(one, reference, file) for one in asked}
    if not any("reference" in settings for settings in added.values()):
        raise _nothing_to_compare(added, reference, file)
    services = tuple(
        one.model_copy(update={"probes": {**one.probes, PROBE: _merged(one, added[one.name])}})
        if one.name in added
        else one
        for one in inventory.services
    )
    return inventory.model_copy(update={"services": services})


def needed(source: Document, inventory: Inventory) -> Document:
    """Return the tolerant `source` such that it lets pass what the comparison does not ask for.

    That is what hangs on variables that are not set, but for the system and the services that
    `inventory` has under the same names.
    """
    asked = {("services", one.name) for one in inventory.services if one.kind in _KINDS}
    spared = {p for p in source.unset if p[:1] != ("system",) and p[:2] not in asked}
    return replace(source, unset=frozenset(spared))


def _merged(service: Service, added: Mapping[str, Any]) -> Any:
    """Return the settings written for the comparison with those added; false stays false."""
    written = service.probes.get(PROBE, {})
    if written is False:
        return False
    kept = {k: v for k, v in written.items() if k not in ("reference", "alone")}
    return {**_request(service), **kept, **added}


def _settings(service: Service, reference: Inventory, file: str) -> dict[str, Any]:
    """Return the `reference` of a service, or why it is `alone`."""
    known = {one.name: one for one in reference.services if one.kind in _KINDS}
    name = PurePath(file).name
    partner = known.get(service.name)
    if partner is None:
        hint = suggest(service.name, known) if known else ""
        return _alone(f"{name} has no HTTP service '{service.name}'. {hint}")
    ours, theirs = _request(service), _request(partner)
    for one in (ours, theirs):
        if not str(one["request"]).startswith(_READING):
            return _alone("a reference is only read, and this is asked by another method")
    if (ours, service.url) == (theirs, partner.url):
        return _alone(f"in {name} it is the same service, at the same address")
    system = reference.system
    known_by = {"system": system.name, "version": system.version}
    return {
        "reference": {
            **theirs,
            **{key: value for key, value in known_by.items() if value},
            "environment": _environment(system, partner.url.get_secret_value()),
            "url": partner.url.get_secret_value(),
        }
    }


def _environment(system: System, url: str) -> Environment:
    """Return where a reference runs: what is not on this machine and says nothing may be in use."""
    if "environment" in system.model_fields_set:
        return system.environment
    host = urlsplit(url).hostname or ""
    try:
        here = ip_address(host).is_loopback
    except ValueError:
        here = host == "localhost"
    return system.environment if here else "production"


def _alone(because: str) -> dict[str, Any]:
    return {"alone": because.strip()[:_LONGEST]}


def _request(service: Service) -> dict[str, Any]:
    """Return what a service is asked: as for the comparison, else as for its latency."""
    for probe in (PROBE, "http_latency"):
        written = service.probes.get(probe) or {}
        found = {key: written[key] for key in _REQUEST if written.get(key) is not None}
        if found:
            break
    return {"request": f"GET {service.health_path}", **found}


def _nothing_to_compare(
    added: Mapping[str, Mapping[str, Any]], reference: Inventory, file: str
) -> ConfigurationError:
    if not added:
        what, fix = "no service of kind http or web is there to be compared.", ""
        return ConfigurationError(f"--against {file}: {what}", fix=fix)
    name, first = next(iter(added.items()))
    return ConfigurationError(
        f"nothing here can be compared with: '{name}' has no partner ({first['alone']}).",
        file=file,
        fix="Give the services of both inventories the same names.",
    )
