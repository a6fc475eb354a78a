"""services.yaml -> Inventory: the system, its services, and what is expected of them."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_serializer

from readiness.document import Document, bind, read

Kind = Literal["http", "web", "postgres", "redis", "mcp", "tcp"]
Criticality = Literal["critical", "high", "normal", "low"]
Environment = Literal["local", "development", "test", "staging", "production"]
Tier = Literal["observe", "load", "write", "intrusive"]

DEFAULT_PROBES: Mapping[Kind, tuple[str, ...]] = {
    "http": ("http_health", "http_latency", "http_concurrency"),
    "web": ("web_page", "http_latency", "http_concurrency"),
    "postgres": ("postgres_health",),
    "redis": ("redis_health",),
    "mcp": ("mcp_handshake",),
    "tcp": ("tcp_connect",),
}
"""The probes every service of a kind gets; the first one tells whether it is up."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class System(_Frozen):
    """The system under assessment."""

    name: str
    version: str | None = None
    environment: Environment = "local"
    allow: tuple[Tier, ...] = ()


class Defaults(_Frozen):
    """Settings of every probe unless a service says otherwise."""

    timeout: float = 5.0
    samples: int = 100


class Health(_Frozen):
    """Paths of an HTTP service's health endpoints."""

    ready: str = "/health"
    live: str | None = None


class Service(_Frozen):
    """One service of the inventory."""

    name: str
    kind: Kind
    url: SecretStr
    criticality: Criticality = "normal"
    depends_on: tuple[str, ...] = ()
    owner: str | None = None
    tags: tuple[str, ...] = ()
    health: Health | None = None
    timeout: float | None = None
    samples: int | None = None
    probes: Mapping[str, Any] = Field(default_factory=dict, repr=False)
    checks: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)

    @property
    def address(self) -> str:
        """The URL without user, password, query and fragment: fit to be shown."""
        parts = urlsplit(self.url.get_secret_value())
        host = parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{host}{port}{parts.path}"

    @property
    def port(self) -> int | None:
        """The port it is reached at, the scheme's own where the URL names none."""
        parts = urlsplit(self.url.get_secret_value())
        defaults = {"http": 80, "https": 443, "postgres": 5432, "postgresql": 5432,
                    "redis": 6379, "rediss": 6379}
        return parts.port or defaults.get(parts.scheme)

    @property
    def health_probe(self) -> str:
        """The probe whose answer says whether the service is up."""
        return DEFAULT_PROBES[self.kind][0]

    @property
    def health_path(self) -> str:
        """The path that says whether an HTTP service can take traffic, `/` for a web page."""
        if self.health:
            return self.health.ready
        return "/" if self.kind == "web" else "/health"

    @property
    def expected_probes(self) -> tuple[str, ...]:
        """Every probe a complete assessment of this service needs, withheld ones included."""
        declared = tuple(name for name in self.probes if name not in DEFAULT_PROBES[self.kind])
        return DEFAULT_PROBES[self.kind] + declared

    @field_serializer("url")
    def _public_url(self, _: SecretStr) -> str:
        return self.address

    @field_serializer("probes")
    def _public_probes(self, probes: Mapping[str, Any]) -> dict[str, Any]:
        return {name: {} for name in probes}


class Capability(_Frozen):
    """Something users can do, and the services it takes."""

    title: str
    services: tuple[str, ...]


class Objective(_Frozen):
    """The target of one critical success metric."""

    target: float


class Waiver(_Frozen):
    """A finding that a named person has excused until a day."""

    check: str
    service: str | None = None
    reason: str
    owner: str
    until: date


class Inventory(_Frozen):
    """A whole services.yaml."""

    version: Literal[1]
    system: System
    defaults: Defaults = Defaults()
    services: tuple[Service, ...]
    capabilities: Mapping[str, Capability] = Field(default_factory=dict)
    objectives: Mapping[str, Objective] = Field(default_factory=dict)
    waivers: tuple[Waiver, ...] = ()

    def service(self, name: str) -> Service:
        """Return the service called `name`; KeyError if there is none."""
        return next(s for s in self.services if s.name == name)


def load(path: Path, environ: Mapping[str, str]) -> Inventory:
    """Read the inventory at `path`, its `${VAR:-default}` filled from `environ`."""
    return from_document(read(path), environ)


def from_document(document: Document, environ: Mapping[str, str]) -> Inventory:
    """Build the inventory that `document` describes."""
    data = dict(document.data)
    data["services"] = [{"name": n, **s} for n, s in data["services"].items()]
    return bind(Inventory, data, document)
