"""Whether a TCP port accepts connections, how long it takes, and whether it greets as expected."""

from collections.abc import Mapping, Sequence
from typing import Self, get_args
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from readiness.failure import ProbeError
from readiness.inventory import Kind, Service, Tier
from readiness.measurement import Values
from readiness.probes import Address, Context, ProbeSettings
from readiness.probes._banner import Expected, fault
from readiness.probes._connection import dial, within
from readiness.probes._sampling import sample
from readiness.probes._wire import Wire

TIER: Tier = "observe"
KINDS: frozenset[str] = frozenset(get_args(Kind))
EXCLUSIVE = True
METRICS: Mapping[str, str] = {
    "connected": "true: the port accepts connections",
    "p50_ms": "ms: median time of a TCP connect",
    "p95_ms": "ms: 95th percentile of a TCP connect",
    "looks": "count: how often these samples were looked at, to end if they decide",
    "greets": "true or false: the server begins with `banner`",
}
_MOST_SAMPLES = 100


class Settings(ProbeSettings):
    """What the server says first; host and port are those of the service's URL."""

    banner: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="what it begins with, as in `SSH-2.0` or, between slashes, `/220[ -]/`",
    )
    send: SecretStr | None = Field(
        None, max_length=256, description="bytes to send first, where it waits for them"
    )

    @field_validator("banner")
    @classmethod
    def _possible(cls, written: str | None) -> str | None:
        if written is not None:
            Expected(written)
        return written

    @model_validator(mode="after")
    def _expecting(self) -> Self:
        if self.send is not None and self.banner is None:
            raise ValueError("sends something, so it needs a banner to expect")
        return self


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
    values: Values = {"connected": True, **timed}
    if settings.banner is None:
        return values
    return values | await _greets(addresses, Expected(settings.banner), settings.send, context)


async def _greets(
    addresses: Sequence[Address], expected: Expected, send: SecretStr | None, context: Context
) -> Values:
    with within(context) as watch:
        watch.begin("connect")
        wire = Wire(await dial(addresses))
    try:
        sent = send.get_secret_value().encode() if send else b""
        wrong = await fault(wire, expected, sent, context)
    finally:
        wire.close()
    return {"greets": not wrong, **({"greets_because": wrong} if wrong else {})}
