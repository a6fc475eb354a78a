"""One service of the inventory: where it is, what it depends on, how it is to be probed."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    field_serializer,
    field_validator,
)

from readiness.inventory import url
from readiness.inventory.duration import Duration

Kind = Literal[
    "http",
    "web",
    "postgres",
    "redis",
    "mcp",
    "tcp",
    "grpc",
    "websocket",
    "rabbitmq",
    "nats",
    "prometheus",
    "alertmanager",
    "loki",
    "tempo",
    "grafana",
]
Criticality = Literal["critical", "high", "normal", "low"]

_SEEN_FROM_OUTSIDE = ("http_headers", "http_cors", "http_exposure")
"""What tells how hard a service is to attack, by requests that anyone can make."""

DEFAULT_PROBES: Mapping[Kind, tuple[str, ...]] = {
    "http": ("http_health", "http_latency", "http_concurrency", *_SEEN_FROM_OUTSIDE),
    "web": ("web_page", "http_latency", "http_concurrency", *_SEEN_FROM_OUTSIDE),
    "postgres": (
        "postgres_health",
        "postgres_activity",
        "postgres_throughput",
        "postgres_statements",
        "postgres_security",
        "postgres_migrations",
    ),
    "redis": ("redis_health",),
    "mcp": ("mcp_handshake",),
    "tcp": ("tcp_connect",),
    "grpc": ("grpc_health",),
    "websocket": ("websocket_echo",),
    "rabbitmq": ("rabbitmq",),
    "nats": ("nats",),
    "prometheus": ("prometheus",),
    "alertmanager": ("alertmanager",),
    "loki": ("loki",),
    "tempo": ("tempo",),
    "grafana": ("grafana",),
}
"""The probes every service of a kind gets; the first one tells whether it is up."""

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
_PATH_PATTERN = r"^/[!-~]{0,1023}$"
_NO_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_WORDS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


def _name(text: str) -> str:
    if not re.fullmatch(NAME_PATTERN, text):
        raise ValueError("must be named with letters, digits, '.', '_' and '-' only, at most 63")
    return text


def _line(text: str) -> str:
    if _NO_LINE.search(text):
        raise ValueError("must be a single line of text. Remove line breaks and control characters")
    return text


def _path(text: str) -> str:
    if not re.fullmatch(_PATH_PATTERN, text):
        raise ValueError("must be a path. Start it with /, without spaces, as in /health")
    return text


def _whole(written: Any) -> Any:
    if isinstance(written, bool):
        raise ValueError("must be a whole number. Write digits only, such as 100")
    return written


def _quantity(written: Any) -> Any:
    if isinstance(written, bool) or not isinstance(written, int | float | str):
        raise ValueError("must be a number, with its unit as in 200ms where it has one")
    return written


def _bound(name: str) -> str:
    if name not in ("target", "limit"):
        raise ValueError("is not a known key. Use one of: limit, target")
    return name


def _probe(settings: Any) -> Any:
    word = str(settings).lower()
    if settings is None or _WORDS.get(word) is True:
        return {}
    if _WORDS.get(word) is False:
        return False
    if not isinstance(settings, Mapping):
        raise ValueError("must be the probe's settings, or false to leave it out")
    return settings


Name = Annotated[
    str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": NAME_PATTERN})
]
Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_line),
]
UrlPath = Annotated[
    str, AfterValidator(_path), WithJsonSchema({"type": "string", "pattern": _PATH_PATTERN})
]
Timeout = Annotated[Duration, Field(gt=0, le=600, description="Time allowed for one exchange.")]
Samples = Annotated[
    int, Field(ge=1, le=100_000, description="Samples of each quantity."), BeforeValidator(_whole)
]
Settings = Annotated[Any, BeforeValidator(_probe)]
Quantity = Annotated[
    Any, BeforeValidator(_quantity), WithJsonSchema({"type": ["number", "string"]})
]
Bound = Annotated[
    str, AfterValidator(_bound), WithJsonSchema({"type": "string", "enum": ["limit", "target"]})
]


class Frozen(BaseModel):
    """A value that never changes, takes no unknown key, and never quotes what it refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Health(Frozen):
    """Paths of an HTTP service's health endpoints. They are public, their queries too."""

    ready: UrlPath = Field("/health", description="Answers 2xx when traffic can be taken.")
    live: UrlPath | None = Field(None, description="Answers 2xx while the process works.")


class Service(Frozen):
    """One service of the inventory.

    Its URL and the settings of its probes hold secrets: they are for probes, and in no text,
    dump or pickle of it. What is dumped is its public form, from which it can be read again.
    """

    name: Name
    kind: Kind = Field(description="What it speaks; decides which probes it gets.")
    url: SecretStr = Field(description="Where it is. User, password and query are never shown.")
    criticality: Criticality = Field("normal", description="How much it weighs in the score.")
    depends_on: tuple[Name, ...] = Field((), description="Services it cannot work without.")
    owner: Line | None = Field(None, description="Who mends it.")
    tags: tuple[Name, ...] = ()
    health: Health | None = None
    timeout: Timeout | None = None
    samples: Samples | None = None
    probes: Mapping[Name, Settings] = Field(
        default_factory=dict,
        repr=False,
        description="Settings by probe; naming a probe adds it, false leaves it out.",
    )
    checks: Mapping[Name, Mapping[Bound, Quantity]] = Field(
        default_factory=dict, description="Targets and limits of its own, by check."
    )

    @field_validator("url")
    @classmethod
    def _reachable(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        kind = info.data.get("kind")
        wrong = kind and url.fault(value.get_secret_value(), kind)
        if wrong:
            raise ValueError(wrong)
        return value

    @property
    def address(self) -> str:
        """The URL without user, password, query and fragment: fit to be shown."""
        return url.public(self.url.get_secret_value())

    @property
    def port(self) -> int | None:
        """The port it is reached at, the scheme's own where the URL names none."""
        return url.port(self.url.get_secret_value())

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
        encrypted = ("tls",) if self.address.startswith("https:") else ()
        usual = (*DEFAULT_PROBES[self.kind], *encrypted)
        return (*usual, *(name for name in self.probes if name not in usual))

    @field_serializer("url")
    def _public_url(self, _: SecretStr) -> str:
        return self.address

    @field_serializer("probes")
    def _public_probes(self, probes: Mapping[str, Any]) -> dict[str, Any]:
        """Keep which settings were made, for checks that ask, and none of their values."""
        return {
            name: settings and {key: True for key, value in settings.items() if value is not None}
            for name, settings in probes.items()
        }

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).model_validate, (self.model_dump(mode="json"),)
