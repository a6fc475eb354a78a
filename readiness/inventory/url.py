"""The URL of a service: what is wrong with it, and the part of it that is fit to be shown."""

import functools
import ipaddress
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

SCHEMES: Mapping[str, tuple[str, ...]] = {
    "http": ("http", "https"),
    "web": ("http", "https"),
    "mcp": ("http", "https", "stdio"),
    "postgres": ("postgres", "postgresql"),
    "redis": ("redis", "rediss"),
    "tcp": ("tcp",),
    "grpc": ("grpc", "grpcs"),
    "websocket": ("ws", "wss"),
    **dict.fromkeys(
        ("rabbitmq", "nats", "prometheus", "alertmanager", "loki", "tempo", "grafana"),
        ("http", "https"),
    ),
}
"""Kind of service -> schemes its URL may have."""

_EXAMPLES: Mapping[str, str] = {
    "http": "http://localhost:8000",
    "web": "https://app.example.com",
    "mcp": "http://localhost:8001/mcp",
    "postgres": "postgres://user:password@localhost:5432/database",
    "redis": "redis://localhost:6379/0",
    "tcp": "tcp://localhost:9000",
    "grpc": "grpc://localhost:50051",
    "websocket": "ws://localhost:8000/ws",
    "rabbitmq": "http://user:password@localhost:15672",
    "nats": "http://localhost:8222",
    "prometheus": "http://localhost:9090",
    "alertmanager": "http://localhost:9093",
    "loki": "http://localhost:3100",
    "tempo": "http://localhost:3200",
    "grafana": "http://localhost:3000",
}
_PORTS: Mapping[str, int] = {
    "http": 80,
    "https": 443,
    "postgres": 5432,
    "postgresql": 5432,
    "redis": 6379,
    "rediss": 6379,
    "ws": 80,
    "wss": 443,
}
_LONGEST = 2048
_LONGEST_HOST = 253
_ENCODE = "In a user or password write / as %2F, ? as %3F, # as %23 and @ as %40"


class Parts(SplitResult):
    """The parts of a URL; those of its authority are read once."""

    @functools.cached_property
    def hostname(self) -> str | None:
        """Part of SplitResult."""
        return super().hostname

    @functools.cached_property
    def port(self) -> int | None:
        """Part of SplitResult."""
        return super().port


@functools.lru_cache(maxsize=8192)
def split(url: str) -> Parts:
    """Return the parts of a URL, which are asked for again and again."""
    return Parts(*urlsplit(url))


def fault(url: str, kind: str) -> str | None:
    """Return what is wrong with `url` for a service of `kind` and how to mend it, or None.

    The text never quotes the URL, which may hold a password.
    """
    example = f"Write it as in {_EXAMPLES[kind]}"
    schemes = SCHEMES[kind]
    if not url:
        return f"is empty. {example}"
    if len(url) > _LONGEST or re.search(r"[\s\x00-\x1f\x7f\\<>\"^`{|}]", url):
        return "holds a character no URL may hold, or is too long. Percent-encode the character"
    scheme, separator, _ = url.partition("://")
    if not separator:
        return f"has no scheme before the host. {example}"
    if scheme.lower() not in schemes:
        allowed = " or ".join(f"{one}://" for one in schemes)
        return f"must start with {allowed} for a service of kind {kind}. {example}"
    try:
        parts = split(url)
        return _misplaced(parts) or _host_fault(parts) or _port_fault(parts, example)
    except ValueError:
        return f"is not a valid URL. {example}"


def _misplaced(parts: SplitResult) -> str | None:
    """Return the fault of a password that was cut in two by a character of its own."""
    if parts.fragment or "@" in parts.path + parts.query:
        return f"has a # or an @ after its host. {_ENCODE}"
    if parts.scheme == "tcp" and (parts.username is not None or parts.path.strip("/")):
        return "must be a host and a port only. Write it as in tcp://localhost:9000"
    return None


def _host_fault(parts: SplitResult) -> str | None:
    host = parts.hostname or ""
    if not host:
        return "names no host. Write one after ://, as in ://localhost"
    if "," in parts.netloc.rpartition("@")[2]:
        return "names several hosts. Write one service for each"
    if "[" in parts.netloc:
        ipaddress.IPv6Address(host)
    elif len(host) > _LONGEST_HOST or not re.fullmatch(r"[\w.-]+", host):
        return "has a host that is no host name. Write a name or an IP address"
    else:
        host.encode("idna")
    return None


def _port_fault(parts: SplitResult, example: str) -> str | None:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        return f"has a port that is none of 1 to 65535. {_ENCODE}, and the port in digits"
    if parts.scheme in ("tcp", "grpc", "grpcs") and port is None:
        return f"names no port. {example}"
    return None


def public(url: str) -> str:
    """Return `url` without user, password, query and fragment."""
    parts = split(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path}"


def port(url: str) -> int | None:
    """Return the port of `url`, its scheme's own where it names none."""
    parts = split(url)
    return parts.port or _PORTS.get(parts.scheme)
