"""Whether a WebSocket opens, answers and closes in good order, how fast, and for which origins."""

import itertools
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from readiness.escape import line
from readiness.failure import ProbeError, classify
from readiness.inventory import HeaderName, Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings, _websocket_origins
from readiness.probes._connection import within
from readiness.probes._http import target
from readiness.probes._load import one_line
from readiness.probes._sampling import pause, sample
from readiness.probes._websocket import Channel, Opening, Refused, left
from readiness.probes.http_cors import STRANGER, Origin

TIER: Tier = "observe"
KINDS = frozenset({"websocket"})
EXCLUSIVE = True
METRICS: Mapping[str, str] = {
    "connected": "true: the opening handshake was answered 101",
    "handshake.p50_ms": "ms: median of TCP connect, TLS and opening handshake",
    "handshake.p95_ms": "ms: 95th percentile of TCP connect, TLS and opening handshake",
    "handshake.looks": "count: how often these samples were looked at, to end if they decide",
    "answered": "true or false: a ping, or the message of `send`, was answered as expected",
    "p50_ms": "ms: median round trip of that",
    "p95_ms": "ms: 95th percentile of the round trip of that",
    "looks": "count: how often these samples were looked at, to end if they decide",
    "subprotocol": "the subprotocol that the server chose",
    "subprotocol_agreed": "true or false: it chose one of `subprotocols`",
    **_websocket_origins.METRICS,
    "close_code": "code of the goodbye that answered ours (RFC 6455, section 7.4); 1006 for none",
    "closed_in_order": "true or false: our goodbye was answered",
}
_MOST_SAMPLES = 76

Subprotocol = Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$")]


class Settings(ProbeSettings):
    """How to be let in, and what is said; without `send` pings are."""

    send: SecretStr | None = Field(
        None, min_length=1, max_length=10_000, description="a message to send, that only is echoed"
    )
    expect: str | None = Field(
        None, min_length=1, max_length=1000, description="text in the answer; else what was sent"
    )
    origins: tuple[Origin, ...] | None = Field(
        None,
        min_length=1,
        max_length=10,
        description="origins whose scripts are let in, as in `https://app.example.com`; others "
        "must be refused",
    )
    subprotocols: tuple[Subprotocol, ...] | None = Field(
        None, min_length=1, max_length=10, description="subprotocols to offer, the best first"
    )
    headers: Mapping[HeaderName, Annotated[SecretStr, AfterValidator(one_line)]] = Field(
        default_factory=dict, description="headers to send along, such as Authorization or Cookie"
    )

    @model_validator(mode="after")
    def _said(self) -> Self:
        if self.expect is not None and self.send is None:
            raise ValueError("expects an answer, so it needs a message to send")
        return self

    def opening(self, service: Service, origin: str | None) -> Opening:
        """Return the handshake of one who comes from a page of `origin`."""
        basic = target(service, "").authorization
        sent = {"Authorization": basic} if basic else {}
        sent |= {name: value.get_secret_value() for name, value in self.headers.items()}
        return Opening(sent, origin, self.subprotocols or ())


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Open, talk and say goodbye on one connection, then sample handshakes on others.

    Raises ProbeError where the first handshake fails.
    """
    own = settings.origins[0] if settings.origins else None
    channel = await _opened(service, settings, own, context)
    try:
        values: Values = {"connected": True, **_subprotocol(channel, settings)}
        values |= await _talk(channel, settings, context)
        values |= await _goodbye(channel, context)
    finally:
        channel.close()
    polite = values["closed_in_order"] is True
    values |= await _handshakes(service, settings, own, context, polite)
    if settings.origins is None:
        return values
    doors = [(one, settings.opening(service, one)) for one in (*settings.origins[1:], STRANGER)]
    return values | await _websocket_origins.values(service, doors, context)


async def _opened(
    service: Service, settings: Settings, origin: str | None, context: Context
) -> Channel:
    try:
        with within(context) as watch:
            watch.begin("opening handshake")
            return await Channel.open(service, settings.opening(service, origin), context)
    except Refused as error:
        if origin is None or error.status != 403:
            raise
        told = f"the declared origin {line(origin, 100)} is refused (403)"
        raise ProbeError("protocol", told) from error


def _subprotocol(channel: Channel, settings: Settings) -> Values:
    if not settings.subprotocols:
        return {}
    if channel.subprotocol:
        return {"subprotocol": channel.subprotocol, "subprotocol_agreed": True}
    because = f"the server chose none of {', '.join(settings.subprotocols)}"
    return {"subprotocol_agreed": False, "subprotocol_agreed_because": because}


async def _talk(channel: Channel, settings: Settings, context: Context) -> Values:
    """Sample round trips; an answer that does not come is a finding of its own."""
    numbers = itertools.count()

    async def round_trip() -> None:
        if settings.send is None:
            await channel.ping(b"%d" % next(numbers))
        else:
            await _echo(channel, settings.send.get_secret_value(), settings.expect)

    what = "ping" if settings.send is None else "message"
    try:
        n = min(context.samples, _MOST_SAMPLES)
        timed = await sample(round_trip, n, context, after=pause)
    except (OSError, ProbeError) as error:
        failure = classify(error)
        if not failure.blames_target:
            raise
        return {"answered": False, "answered_because": f"{what}: {failure.detail}"}
    return {"answered": True, **timed}


async def _echo(channel: Channel, text: str, expect: str | None) -> None:
    """Send, and read until what is expected comes: a server may say other things meanwhile."""
    wanted = (expect or text).encode()
    await channel.send(text)
    while wanted not in await channel.message():
        pass


async def _goodbye(channel: Channel, context: Context) -> Values:
    code, told = await left(channel, context)
    if code is not None:
        return {"close_code": code, "closed_in_order": True}
    return {"close_code": 1006, "closed_in_order": False, "closed_in_order_because": told}


async def _handshakes(
    service: Service, settings: Settings, origin: str | None, context: Context, polite: bool
) -> Values:
    """Sample opening handshakes, and say goodbye each time where it is answered at all.

    Servers write an error into their log for each client that hangs up without.
    """
    opening = settings.opening(service, origin)

    async def farewell(channel: Channel) -> None:
        try:
            if polite:
                await left(channel, context)
        finally:
            channel.close()
        await pause(channel)

    n = min(context.samples, _MOST_SAMPLES)
    timed = await sample(
        lambda: Channel.open(service, opening, context),
        n,
        context,
        after=farewell,
        of="handshake.",
    )
    return {f"handshake.{name}": value for name, value in timed.items()}
