"""A WebSocket asked as browsers do from pages of its own and of a foreign site -> who gets in."""

from collections.abc import Mapping, Sequence

from readiness.escape import line
from readiness.failure import ProbeError, classify
from readiness.inventory import Service
from readiness.measurement import Values
from readiness.probes import Context
from readiness.probes._connection import within
from readiness.probes._few import few
from readiness.probes._websocket import Channel, Opening, Refused, left

METRICS: Mapping[str, str] = {
    "foreign_origin_refused": "true or false: the script of a foreign site is refused",
    "origins_accepted": "true or false: every origin of `origins` is let in",
}
_LIMITED = (429, 502, 503, 504)
"""What says nothing of the origin that asked."""


async def values(
    service: Service, doors: Sequence[tuple[str, Opening]], context: Context
) -> Values:
    """Return METRICS of (origin, its handshake): declared ones, and as the last a foreign one."""
    *own, (stranger, opening) = doors
    asked = [(origin, await _admitted(service, each, context)) for origin, each in own]
    shut = [line(origin, 100) for origin, admitted in asked if admitted is False]
    doubts = [admitted for _, admitted in asked if isinstance(admitted, str)]
    found: Values = {"origins_accepted": not shut}
    if shut:
        found["origins_accepted_because"] = f"refused: {few(shut, between=', ')}"
    elif doubts:
        found = {"origins_accepted_because": f"not tested: {doubts[0]}"}
    return found | _foreign(stranger, await _admitted(service, opening, context))


def _foreign(stranger: str, admitted: bool | str) -> Values:
    metric = "foreign_origin_refused"
    if isinstance(admitted, str):
        return {f"{metric}_because": f"not tested: {admitted}"}
    because = f"the handshake of a page of {stranger} was answered 101"
    return {metric: not admitted, **({f"{metric}_because": because} if admitted else {})}


async def _admitted(service: Service, opening: Opening, context: Context) -> bool | str:
    """Whether this handshake gets a connection, or why that is not known.

    Some servers hang up instead of refusing.
    """
    try:
        with within(context) as watch:
            watch.begin("opening handshake")
            channel = await Channel.open(service, opening, context)
    except Refused as error:
        limited = error.status in _LIMITED
        return error.failure.detail if limited else False
    except (OSError, ProbeError) as error:
        failure = classify(error)
        if not failure.blames_target:
            raise
        return False if failure.kind == "reset" else failure.detail
    try:
        await left(channel, context)
    finally:
        channel.close()
    return True
