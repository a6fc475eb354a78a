"""Whether consumer groups of Redis or Valkey streams keep up: lag, pending entries, consumers."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field
from redis.exceptions import ResponseError

from readiness.inventory import Service, Tier
from readiness.inventory.duration import Duration
from readiness.measurement import Value, Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._few import few
from readiness.probes._redis_connection import Session, not_tested, session
from readiness.probes._redis_group_looks import GroupLooks
from readiness.probes._redis_info import fact, unexplained
from readiness.probes._redis_streams import scanned
from readiness.probes._redis_window import Window

TIER: Tier = "observe"
KINDS = frozenset({"redis"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "streams": "count: streams looked at",
    "scan_whole": "true or false: every key was looked at, or the streams are declared",
    "streams_present": "true or false: every declared stream exists",
    "groups": "count: consumer groups looked at",
    "has_groups": "true or false: there are consumer groups",
    "lag": "count: entries not yet delivered, of the group with the most (XINFO GROUPS)",
    "lag_per_second": "1/s: growth of the lag within the window, of the group where it grew most",
    "pending": "count: entries delivered and not acknowledged, of the group with the most",
    "oldest_pending_seconds": "s: since the longest waiting of the oldest pending was delivered",
    "groups_served": "true or false: where entries wait, a group reads or has a consumer that does",
}
_MEASURED = ("groups", "has_groups", "lag", "pending", "oldest_pending_seconds", "groups_served")


class Settings(ProbeSettings):
    """Which streams to look at, and when a consumer counts as gone."""

    streams: (
        Annotated[
            tuple[Annotated[str, Field(min_length=1, max_length=512)], ...],
            Field(min_length=1, max_length=50),
        ]
        | None
    ) = Field(None, description="Keys of the streams; without them, some keys are searched.")
    idle: Annotated[
        Duration, Field(ge=0.1, le=86_400, description="Silence after which a consumer is gone.")
    ] = 60.0
    window: Window = 2.0


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Look at each group twice, the window apart."""
    async with session(service.url.get_secret_value(), context) as connection:
        if connection.database:
            reply = await connection.ask("SELECT", str(connection.database))
            if reply != "OK":
                return unexplained(METRICS, not_tested(reply, "SELECT"))
        streams, whole, found = await _streams(connection, settings, context)
        if not streams:
            return found
        looks = await GroupLooks.taken(
            connection, streams, idle=settings.idle, window=settings.window, context=context
        )
    if looks.refused:
        return found | unexplained(_MEASURED, looks.refused)
    if settings.streams:
        because = f"no stream {few(looks.missing, between=', ')}"
        found |= fact("streams_present", not looks.missing, because)
    return found | _judgeable(looks, whole, context)


async def _streams(
    connection: Session, settings: Settings, context: Context
) -> tuple[Sequence[str], bool, Values]:
    """Return the streams to look at, whether they are all, and what is told if there are none."""
    if settings.streams:
        return settings.streams, True, {"streams": len(settings.streams), "scan_whole": True}
    reply = await scanned(connection, context)
    if isinstance(reply, ResponseError):
        because = not_tested(reply, "SCAN")
        if "unknown command" in str(reply):
            return (), False, fact("has_groups", False, because)
        return (), False, unexplained(("streams", *_MEASURED), because)
    names, whole = reply
    found: Values = {"streams": len(names)} | fact("scan_whole", whole, _PARTIAL)
    if not names:
        found |= fact("has_groups", False, "there are no streams" if whole else _PARTIAL)
    return names, whole, found


_PARTIAL = "not tested: not every key was looked at for streams; declare streams: [name]"


def _judgeable(looks: GroupLooks, whole: bool, context: Context) -> Values:
    """Return the worst of all groups. Where a look was partial, what is bad stands alone."""
    groups = looks.groups
    partial = looks.partial or ("" if whole else _PARTIAL)
    if not groups:
        because = partial or "no stream has a consumer group"
        return fact("has_groups", False, because) | {"groups": 0}
    found: Values = {"groups": len(groups), "has_groups": True}
    served = fact("groups_served", not looks.unserved, few(looks.unserved))
    unsure = f"not tested: whether entries wait for {few(looks.unsure)} is not told"
    doubt = partial or (unsure if looks.unsure else "")
    found |= _bound("groups_served", doubt) if doubt and not looks.unserved else served
    pending = max(groups, key=lambda one: one.pending)
    found["pending"] = pending.pending
    if looks.grown:
        found["lag_per_second"] = max(looks.grown)
    lags = [(one.lag, one.title) for one in groups if one.lag is not None]
    untold = [one.title for one in groups if one.lag is None]
    unknown = f"not tested: the server does not tell the lag of {few(untold)}" if untold else ""
    found |= _worst("lag", lags, unknown or partial, context)
    return found | _worst("oldest_pending_seconds", looks.waited, partial, context)


def _bound(metric: str, because: str) -> Values:
    return {f"{metric}_because": because}


def _worst(
    metric: str, told: Sequence[tuple[Value, str]], partial: str, context: Context
) -> Values:
    """Return the largest; if only a part was seen it is a lower bound, and tells only if bad."""
    if not told:
        return _bound(metric, partial or "not tested: no group tells")
    value, title = max((float(v), t) for v, t in told if isinstance(v, int | float))
    target, _ = context.limits.get(metric, (0.0, 0.0))
    if partial and value <= target:
        return _bound(metric, partial)
    return {metric: value, f"{metric}_because": title}
