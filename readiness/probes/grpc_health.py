"""Whether a gRPC server and its services say SERVING (grpc.health.v1), and how fast it answers."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from readiness.failure import ProbeError
from readiness.inventory import HeaderName, Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._connection import within
from readiness.probes._few import few
from readiness.probes._grpc_channel import Answered, Channel
from readiness.probes._http import target
from readiness.probes._sampling import pause, sample

TIER: Tier = "observe"
KINDS = frozenset({"grpc"})
EXCLUSIVE = True
METRICS: Mapping[str, str] = {
    "connected": "true: the server answered a call of gRPC",
    "health_implemented": "true or false: it implements grpc.health.v1.Health/Check",
    "overall_told": "true or false: it tells how it is as a whole, not only of services",
    "serving": "true or false: it is SERVING as a whole",
    "services_serving": "true or false: each of `services` is SERVING",
    "p50_ms": "ms: median of Health/Check on one connection",
    "p95_ms": "ms: 95th percentile of Health/Check on one connection",
    "looks": "count: how often these samples were looked at, to end if they decide",
}
CHECK = "/grpc.health.v1.Health/Check"
_STATUS = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
"""HealthCheckResponse.ServingStatus by number (grpc/health/v1/health.proto)."""
_MOST_SAMPLES = 76
_DENIED = ("UNAUTHENTICATED", "PERMISSION_DENIED")


def _metadata_name(name: str) -> str:
    if name.lower().startswith("grpc-") or name.lower().endswith("-bin"):
        raise ValueError("is reserved by gRPC, or for binary values")
    return name


def _metadata(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.isascii() or not text.isprintable():
        raise ValueError("the value of metadata is one line of printable ASCII")
    return value


ServiceName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:/-]{1,200}$")]
MetadataName = Annotated[HeaderName, AfterValidator(_metadata_name)]


class Settings(ProbeSettings):
    """Which services are asked for, and how to be let in."""

    services: tuple[ServiceName, ...] | None = Field(
        None,
        min_length=1,
        max_length=50,
        description="services that must be SERVING, as in `shop.v1.Orders`",
    )
    headers: Mapping[MetadataName, Annotated[SecretStr, AfterValidator(_metadata)]] = Field(
        default_factory=dict, description="metadata to send, such as authorization"
    )


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Call Health/Check for the server as a whole and for each declared service, then sample it."""
    basic = target(service, "").authorization
    metadata = {"authorization": basic} if basic else {}
    metadata |= {name: value.get_secret_value() for name, value in settings.headers.items()}
    with within(context) as watch:
        watch.begin("connect")
        channel = await Channel.open(service, metadata, context)
    try:
        overall = await _status(channel, "", context)
        if overall == "UNIMPLEMENTED":
            because = "the server does not implement grpc.health.v1.Health/Check"
            unable = ("health_implemented", "overall_told")
            values: Values = {"connected": True, **dict.fromkeys(unable, False)}
            values |= {f"{metric}_because": because for metric in unable}
            return values | {"services_serving_because": f"not tested: {because}"}
        services = {name: await _status(channel, name, context) for name in settings.services or ()}
        asked = next((name for name, told in services.items() if told in _STATUS), "")
        timed = await _sampled(channel, "" if overall in _STATUS else asked, context)
    finally:
        channel.close()
    known: Values = {"connected": True, "health_implemented": True}
    return {**known, **_overall(overall, settings), **_declared(services), **timed}


async def _status(channel: Channel, name: str, context: Context) -> str:
    """Return the serving status, or the code of an answer that tells of the service anyhow."""
    with within(context) as watch:
        watch.begin("Health/Check")
        try:
            return _read(await channel.call(CHECK, _written(name)))
        except Answered as answer:
            if answer.code in ("NOT_FOUND", "UNIMPLEMENTED"):
                return answer.code
            raise _fault(answer) from answer


def _fault(answer: Answered) -> ProbeError:
    if answer.code in _DENIED:
        told = f"Health/Check answered {answer.code}: declare headers that are let in"
        return ProbeError("denied", told)
    return ProbeError("protocol", f"Health/Check answered {answer.code}")


async def _sampled(channel: Channel, name: str, context: Context) -> Values:
    async def once() -> None:
        try:
            await channel.call(CHECK, _written(name))
        except Answered as answer:
            if answer.code != "NOT_FOUND":  # which is an answer too
                raise _fault(answer) from answer

    n = min(context.samples, _MOST_SAMPLES)
    return await sample(once, n, context, after=pause)


def _overall(told: str, settings: Settings) -> Values:
    if told == "NOT_FOUND":
        why = "the server tells nothing of itself as a whole (NOT_FOUND)"
        if settings.services:
            return {"overall_told": False, "overall_told_because": why}
        return {"overall_told_because": f"not tested: {why}: declare services"}
    values: Values = {"overall_told": True, "serving": told == "SERVING"}
    return values if told == "SERVING" else values | {"serving_because": f"it says {told}"}


def _declared(services: Mapping[str, str]) -> Values:
    if not services:
        return {}
    failing = [
        f"{name} is unknown to it" if told == "NOT_FOUND" else f"{name} is {told}"
        for name, told in services.items()
        if told != "SERVING"
    ]
    values: Values = {"services_serving": not failing}
    if failing:
        values["services_serving_because"] = few(failing, between=", ")
    return values


def _written(name: str) -> bytes:
    """Return a HealthCheckRequest: its one field is `string service = 1`."""
    text = name.encode()
    return b"\x0a" + _varint(len(text)) + text if text else b""


def _varint(number: int) -> bytes:
    """Encode a number below 2**14 (Protocol Buffers, Encoding)."""
    return bytes([number]) if number < 128 else bytes([number & 127 | 128, number >> 7])


def _read(message: bytes) -> str:
    """Return the status of a HealthCheckResponse: its one field is `ServingStatus status = 1`.

    ProbeError for what is none.
    """
    if not message:
        return _STATUS[0]
    if len(message) == 2 and message[0] == 8 and message[1] < 128:
        number = message[1]
        return _STATUS[number] if number < len(_STATUS) else f"status {number}"
    raise ProbeError("protocol", "Health/Check answered something else than a status")
