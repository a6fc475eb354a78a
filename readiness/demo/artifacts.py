"""Writes the files that tell of the sample system: how it is run, and what its tests found."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

from readiness.demo.catalogue import SERVICES

VARIABLES = {"PYAIRTABLE_COMPOSE": "compose.yaml", "PYAIRTABLE_JUNIT": "integration.xml"}
"""Variable of services.yaml -> the file that it names."""

_STORES = {
    "postgres": ("postgres:18.1", ["CMD", "pg_isready", "-U", "app"]),
    "redis": ("valkey/valkey:9.1.0", ["CMD", "valkey-cli", "ping"]),
}
_SUITES: Mapping[str, tuple[int, int]] = {
    "registration": (4, 4),
    "login": (9, 0),
    "airtable": (8, 0),
    "files": (6, 5),
    "workflows": (7, 3),
    "sagas": (4, 2),
    "frontend": (4, 1),
}
"""Suite -> (its cases, those that pass while the system is broken)."""


def write(folder: Path, fixed: bool) -> dict[str, str]:
    """Write the files into `folder`; return the variables that point services.yaml at them."""
    texts = (yaml.safe_dump(_compose(fixed), sort_keys=False), _junit(fixed))
    for name, text in zip(VARIABLES.values(), texts, strict=True):
        (folder / name).write_text(text, "utf-8")
    return {variable: str(folder / name) for variable, name in VARIABLES.items()}


def _compose(fixed: bool) -> dict[str, Any]:
    """Return how the system is run: well, but for a few services while it is broken."""
    services = {name: _service(name) for name in SERVICES}
    services |= {name: _store(*parts) for name, parts in _STORES.items()}
    services["frontend"]["ports"] = ["443:8443"]
    if not fixed:
        services["workflow-service"]["image"] = "pyairtable/workflow-service:latest"
        del services["notification-service"]["healthcheck"]
        for name in ("file-service", "notification-service"):
            del services[name]["mem_limit"], services[name]["cpus"]
        services["redis"]["ports"] = ["6379:6379"]
    secrets = {"database-password": {"environment": "DATABASE_PASSWORD"}}
    return {"name": "pyairtable", "services": services, "secrets": secrets}


def _service(name: str) -> dict[str, Any]:
    check = ["CMD", "python", "-m", "pyairtable.health", SERVICES[name].health]
    return {
        "image": f"pyairtable/{name}:2.0.3",
        "environment": {"DATABASE_PASSWORD_FILE": "/run/secrets/database-password"},
        "secrets": ["database-password"],
        "depends_on": {store: {"condition": "service_healthy"} for store in _STORES},
        **_common(check),
    }


def _store(image: str, check: list[str]) -> dict[str, Any]:
    return {"image": image, **_common(check)}


def _common(check: list[str]) -> dict[str, Any]:
    return {
        "user": "10001:10001",
        "security_opt": ["no-new-privileges:true"],
        "restart": "unless-stopped",
        "mem_limit": "512m",
        "cpus": 1.0,
        "healthcheck": {"test": check, "interval": "10s", "timeout": "3s", "retries": 3},
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}},
    }


def _junit(fixed: bool) -> str:
    """Return what the integration tests of the system found, ten minutes ago."""
    root = ElementTree.Element("testsuites", name="PyAirtable integration")
    ran = datetime.now(UTC) - timedelta(minutes=10)
    for name, (cases, passing) in _SUITES.items():
        failures = 0 if fixed else cases - passing
        suite = ElementTree.SubElement(root, "testsuite", name=name, timestamp=ran.isoformat())
        suite.attrib |= {"tests": str(cases), "failures": str(failures), "errors": "0"}
        suite.extend(_cases(name, cases, cases - failures))
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)


def _cases(suite: str, cases: int, passing: int) -> Iterator[ElementTree.Element]:
    for number in range(1, cases + 1):
        name, classname = f"case_{number}", f"integration.{suite}"
        case = ElementTree.Element("testcase", name=name, classname=classname, time="0.05")
        if number > passing:
            ElementTree.SubElement(case, "failure", message="the journey does not get this far")
        yield case
