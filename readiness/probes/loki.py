"""Whether Loki has lines of every critical service, and how old the newest of each is."""

import json
import time
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic import Field

from readiness.escape import line
from readiness.inventory import Duration, Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, _ingested
from readiness.probes._answer import Answer
from readiness.probes._backend import Backend, Withheld, inner, refusal, rows, told, unreadable
from readiness.probes._few import few
from readiness.probes._promql import literal
from readiness.probes._watched import (
    NAMING,
    NOBODY,
    PODS,
    WATCHED_METRICS,
    Watched,
    WatchedSettings,
    matched,
    ratio,
    someone,
    watched,
)

TIER: Tier = "observe"
KINDS = frozenset({"loki"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "answers": "true or false: it tells its labels",
    "version": "its version",
    "ready": "true or false: it says that it is ready",
    **WATCHED_METRICS,
    "services_logging_ratio": "ratio of critical services with a line in the time looked back",
    "oldest_line_ms": "ms since the newest line of the critical service that is worst",
    "others_silent": "count of services that are not critical and have no stream",
    "counts_lines": "true or false: it counts the lines it received",
    "lines_refused_ratio": "ratio of lines received that were refused, since it started",
}
_MOST_VALUES = 5
"""Values of one label that are asked for, for one service."""
_NO_SUCH_PAGE = (404, 405, 410, 501)
_QUERY, _LABELS, _VALUES = (
    "/loki/api/v1/query_range",
    "/loki/api/v1/labels",
    "/loki/api/v1/label/{label}/values",
)
Streams = Mapping[str, Sequence[str]]
"""Label -> its values."""


class Settings(WatchedSettings):
    """What belongs to which service, and how far back its lines are looked for."""

    look_back: Duration = Field(
        6 * 3600, ge=60, le=7 * 86400, description="how far back the newest line is looked for"
    )


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Ask which labels there are, and for the newest line of each critical service."""
    backend = Backend(service, context, settings.headers)
    since = {"since": f"{settings.look_back:.0f}s"}
    found = await backend.must_read(_LABELS, since)
    streams = await _streams(backend, _texts(inner(found, "data")), since)
    mine = watched(context.inventory, settings)
    selectors = {each: chosen for each in mine if (chosen := _selector(each, streams))}
    others = watched(context.inventory, settings, critical=False)
    silent = [each.name for each in others if not _selector(each, streams)]
    return {
        "answers": True,
        **someone(mine, settings.exclude),
        **matched({each.name: label for each, (label, _) in selectors.items()}),
        **await _newest(backend, mine, selectors, since),
        "others_silent": len(silent),
        **({"others_silent_because": line(few(silent, 20))} if silent else {}),
        **await _ready(backend),
        **await _version(backend),
        **await _lines(backend),
    }


async def _streams(backend: Backend, labels: Sequence[str], since: Mapping[str, str]) -> Streams:
    """Return the values of every label that may name a service."""
    found = {}
    for label in (name for name in (*NAMING, *PODS) if name in labels):
        values = await backend.read(_VALUES, since, label=label)
        if not isinstance(values, Withheld):
            found[label] = _texts(inner(values, "data"))
    return found


def _selector(service: Watched, streams: Streams) -> tuple[str, str] | None:
    """Return the label that names the service and a selector of its streams, None if none does."""
    if service.declared:
        pairs = (f"{name}={json.dumps(value)}" for name, value in service.declared.items())
        return ", ".join(service.declared), f"{{{','.join(pairs)}}}"
    for label, values in streams.items():
        mine = [value for value in values if service.is_named(label, value)][:_MOST_VALUES]
        if mine:
            pattern = "|".join(literal(value) for value in mine)
            return label, f"{{{label}=~{json.dumps(pattern)}}}"
    return None


async def _newest(
    backend: Backend,
    services: Sequence[Watched],
    selectors: Mapping[Watched, tuple[str, str]],
    since: Mapping[str, str],
) -> Values:
    ages, missing = {}, []
    for service in services:
        age = None
        if service in selectors:
            age = await _age(backend, selectors[service][1], since)
        if age is None:
            sought = _sought(service)
            missing.append(f"{service.name} has no line in {since['since']} (looked for {sought})")
        else:
            ages[service.name] = age
    values = ratio("services_logging_ratio", ages, missing, len(services))
    if not ages:
        because = "not tested: no critical service has a line" if services else NOBODY
        return values | {"oldest_line_ms_because": because}
    oldest = sorted(ages.items(), key=lambda each: -each[1])
    because = few(f"the newest line of {name} is {age:.0f} s old" for name, age in oldest)
    return values | {"oldest_line_ms": oldest[0][1] * 1000, "oldest_line_ms_because": because}


def _sought(service: Watched) -> str:
    return service.sought.partition(", or ")[0]


async def _age(backend: Backend, selector: str, since: Mapping[str, str]) -> float | None:
    """Return how many seconds ago the newest line was, None where there is none."""
    query = {"query": selector, "limit": "1", "direction": "backward", **since}
    answer = await backend.answer(_QUERY, query)
    found = told(_QUERY, answer)
    if isinstance(found, Withheld):
        raise unreadable(found)
    moments = [
        int(entry[0])
        for stream in rows(inner(found, "data", "result"))
        for entry in stream.get("values") or ()
        if isinstance(entry, list) and entry and str(entry[0]).isdecimal()
    ]
    return max(0.0, _clock(answer) - max(moments) / 1e9) if moments else None


def _clock(answer: Answer) -> float:
    """Return the server's time, ours where it does not tell."""
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except ValueError:
        return time.time()


async def _ready(backend: Backend) -> Values:
    answer = await backend.answer("/ready")
    if withheld := refusal("/ready", answer):
        return {"ready_because": withheld.because}
    if answer.ok:
        return {"ready": True}
    because = f"GET /ready answered {answer.outcome}: {line(answer.text, 100)}"
    return {"ready": False, "ready_because": because}


async def _version(backend: Backend) -> Values:
    found: Any = await backend.read("/loki/api/v1/status/buildinfo")
    version = None if isinstance(found, Withheld) else inner(found, "version")
    return {"version": line(str(version), 60)} if version else {}


async def _lines(backend: Backend) -> Values:
    answer = await backend.answer("/metrics")
    if answer.status in _NO_SUCH_PAGE:
        because = f"GET /metrics answered {answer.outcome}: it is not to be had here"
        return {"counts_lines": False, "counts_lines_because": because}
    if not answer.ok or not answer.complete:
        cut = "" if not answer.ok else ", more than is read"
        return {"counts_lines_because": f"not tested: GET /metrics answered {answer.outcome}{cut}"}
    return _ingested.values(answer.text)


def _texts(data: Any) -> list[str]:
    return [each for each in data if isinstance(each, str)] if isinstance(data, list) else []
