"""Whether a TCP port accepts connections, and how long it takes."""

from collections.abc import Mapping
from typing import get_args
from urllib.parse import urlsplit

from readiness.failure import ProbeError
from readiness.inventory import Kind, Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._connection import dial, within
from readiness.probes._sampling import sample

TIER: Tier = "observe"
KINDS: frozenset[str] = frozenset(get_args(Kind))
EXCLUSIVE = True
METRICS: Mapping[str, str] = {
    "connected": "true: the port accepts connections",
    "p50_ms": "ms: median time of a TCP connect",
    "p95_ms": "ms: 95th percentile of a TCP connect",
}
_MOST_SAMPLES = 100


class Settings(ProbeSettings):
    """Nothing to set: host and port are those of the service's URL."""


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Connect and close, up to 100 times one after another; the name is resolved once."""
    host, port = urlsplit(service.url.get_secret_value()).hostname, service.port
    if host is None or port is None:
        raise ProbeError("probe_bug", "the service's URL names no host and port")
    with within(context) as watch:
        watch.begin("resolve")
        addresses = await context.resolve(host, port)

    async def connect() -> None:
        (await dial(addresses)).close()

    timed = await sample(connect, min(context.samples, _MOST_SAMPLES), context)
    return {"connected": True, **timed}
