"""How a RabbitMQ cluster does by its management API: alarms, nodes, limits, queues, version."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Annotated

from pydantic import Field

from readiness.escape import line
from readiness.failure import ProbeError
from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings, _rabbitmq_nodes, _rabbitmq_queues
from readiness.probes._few import few
from readiness.probes._monitoring import Told, ask, demanded

TIER: Tier = "observe"
KINDS = frozenset({"rabbitmq"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "connected": "true: the management API answered as RabbitMQ does",
    "version": "version of the server",
    "end_of_support": "ISO date at which community support of that series ended",
    "support_known": "true or false: it is known whether that series is supported",
    "supported": "true or false: community support of that series goes on",
    "unalarmed": "true or false: no alarm of memory or disk blocks publishers",
    **_rabbitmq_nodes.METRICS,
    **_rabbitmq_queues.METRICS,
}
END_OF_SUPPORT: Mapping[tuple[int, int], date] = MappingProxyType(
    {
        (3, 8): date(2022, 7, 31),
        (3, 9): date(2023, 1, 31),
        (3, 10): date(2023, 7, 31),
        (3, 11): date(2023, 12, 31),
        (3, 12): date(2024, 2, 21),
        (3, 13): date(2024, 9, 17),
        (4, 0): date(2025, 4, 15),
        (4, 1): date(2026, 1, 30),
    }
)
"""Ends of community support that are known (rabbitmq.com, Release Information; endoflife.date).

A series is supported until the next one is out, so that of the newest nobody can say the end.
"""
_OVERVIEW = "/api/overview?columns=rabbitmq_version,product_version,object_totals"
_ALARMS = "/api/health/checks/alarms"
_SERIES = re.compile(r"(\d{1,3})\.(\d{1,3})(?!\d)")
_SHOWN = 60

QueueName = Annotated[str, Field(min_length=1, max_length=255)]


class Settings(ProbeSettings):
    """Which queues are meant to keep what is put into them."""

    parking: tuple[QueueName, ...] = Field(
        (),
        max_length=50,
        description="queues that need no consumer, such as `*.dlq` (patterns with * and ?)",
    )


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """GET overview, alarms, nodes and the 500 fullest queues of the management API."""
    overview = demanded(await ask(service, _OVERVIEW, context), "RabbitMQ")
    version = overview.get("rabbitmq_version") or overview.get("product_version")
    if not isinstance(version, str):
        raise ProbeError("protocol", "GET /api/overview did not answer as RabbitMQ does")
    values: Values = {"connected": True, **_version(version, datetime.now(UTC).date())}
    values |= _alarms(await ask(service, _ALARMS, context))
    nodes = await ask(service, _rabbitmq_nodes.PATH, context)
    queues = await ask(service, _rabbitmq_queues.PATH, context)
    values |= _rabbitmq_nodes.values(nodes)
    if nodes.denied:
        return values | _rabbitmq_queues.unseen("queues of the user's own virtual hosts only")
    if hidden := _rabbitmq_queues.hidden(queues, overview.get("object_totals")):
        return values | _rabbitmq_queues.unseen(hidden)
    return values | _rabbitmq_queues.values(queues, settings.parking, context.previous)


def _version(version: str, today: date) -> Values:
    values: Values = {"version": line(version, _SHOWN)}
    found = _SERIES.match(version)
    series = (int(found[1]), int(found[2])) if found else (0, 0)
    ends = END_OF_SUPPORT.get(series)
    if (0, 0) < series < (oldest := min(END_OF_SUPPORT)):
        ends = END_OF_SUPPORT[oldest]  # or before
    if ends is None:
        told = f"not tested: the end of support of RabbitMQ {values['version']} is not known here"
        return values | {"support_known": False, "support_known_because": told}
    values |= {"support_known": True, "supported": today <= ends}
    values["end_of_support"] = ends.isoformat()
    if today > ends:
        told = f"community support of {series[0]}.{series[1]} ended by {ends.isoformat()}"
        values["supported_because"] = told
    return values


def _alarms(told: Told) -> Values:
    if told.status == 200 and told.fields.get("status") == "ok":
        return {"unalarmed": True}
    if told.status != 503 or not isinstance(told.data, Mapping):
        how = ": give the user the tag monitoring" if told.denied else ""
        return {"unalarmed_because": told.untold + how}
    listed = told.data.get("alarms")
    rows = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    alarms = [line(f"{one.get('resource')} on {one.get('node')}", _SHOWN) for one in rows[:50]]
    because = "publishers are blocked: " + (few(alarms, between=", ") or "an alarm is in effect")
    return {"unalarmed": False, "unalarmed_because": because}
