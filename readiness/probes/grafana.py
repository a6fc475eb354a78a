"""Whether Grafana has its database, healthy data sources, and a dashboard of each service."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from readiness.escape import line
from readiness.failure import Failure, ProbeError
from readiness.inventory import Inventory, Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, Named
from readiness.probes._answer import Answer
from readiness.probes._backend import Backend, Withheld, inner, refusal, rows, unreadable
from readiness.probes._few import few
from readiness.probes._watched import Watched, WatchingSettings, ratio, someone, watched

TIER: Tier = "observe"
KINDS = frozenset({"grafana"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "answers": "true or false: it tells its health",
    "version": "its version",
    "database_ok": "true or false: it says that its database is ok",
    "has_datasources": "true or false: any data source is configured",
    "datasources": "count of data sources",
    "datasources_healthy_ratio": "ratio of the data sources with a health check that pass it",
    "datasources_unchecked": "count of data sources without a health check of their own",
    "has_critical_services": "true or false: the inventory has critical services to show",
    "services": "count of critical services looked for",
    "dashboards": "count of dashboards",
    "services_shown_ratio": "ratio of critical services with a dashboard by title, tag or folder",
}
_HEALTH, _SOURCES, _SOURCE = (
    "/api/health",
    "/api/datasources",
    "/api/datasources/uid/{uid}/health",
)
_MOST_SOURCES = 100
_AT_ONCE = 5
"""Data sources asked for their health at the same time."""
_UID = re.compile(r"[A-Za-z0-9_-]{1,100}")

Dashboard = Annotated[str, Field(min_length=1, max_length=200)]
Words = tuple[str, ...]


class Settings(WatchingSettings):
    """How it is asked, and which dashboard is whose."""

    dashboards: Mapping[str, Dashboard] = Field(
        default_factory=dict,
        description="title, tag or uid of the dashboard by service, where its name is in neither",
    )

    def named(self, inventory: Inventory) -> Iterator[Named]:
        """Part of ProbeSettings."""
        yield from super().named(inventory)
        services = [service.name for service in inventory.services]
        for name in self.dashboards:
            yield ("dashboards",), name, services, "service"


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Ask for its health, its data sources' health and its dashboards; no login is tried."""
    backend = Backend(service, context, settings.headers)
    services = watched(context.inventory, settings)
    return {
        **await _health(backend),
        **await _sources(backend),
        **someone(services, settings.exclude),
        **await _dashboards(backend, services, settings.dashboards),
    }


async def _health(backend: Backend) -> Values:
    """Read the health that is told with 200, or 503 where the database fails."""
    answer = await backend.answer(_HEALTH)
    if withheld := refusal(_HEALTH, answer):
        raise unreadable(withheld)
    try:
        told = json.loads(answer.text)
    except (ValueError, RecursionError):
        told = None
    database = inner(told, "database")
    if not isinstance(database, str):
        raise ProbeError("protocol", f"GET {_HEALTH} answered {answer.outcome} without its health")
    values: Values = {"answers": True, "database_ok": database == "ok"}
    if database != "ok":
        values["database_ok_because"] = f"the database is {line(database, 60)}"
    if isinstance(version := inner(told, "version"), str):
        values["version"] = line(version, 60)
    return values


async def _sources(backend: Backend) -> Values:
    found = await backend.read(_SOURCES)
    if isinstance(found, Withheld):
        return {"has_datasources_because": _needs(found, "datasources:read")}
    sources = [one for one in rows(found) if _UID.fullmatch(str(one.get("uid", "")))]
    values: Values = {"has_datasources": bool(sources), "datasources": len(sources)}
    if not sources:
        return values | {"has_datasources_because": "no data source is configured"}
    values |= await _healthy(backend, sources[:_MOST_SOURCES])
    if len(sources) > _MOST_SOURCES and values.get("datasources_healthy_ratio") == 1:
        del values["datasources_healthy_ratio"]
        because = f"not tested: of {len(sources)} data sources, {_MOST_SOURCES} were asked"
        values["datasources_healthy_ratio_because"] = because
    return values


async def _healthy(backend: Backend, sources: Sequence[Mapping[str, Any]]) -> Values:
    """Ask each for its health: 404 says that its plugin has no check, 400 and 5xx that it fails.

    Grafana waits longer for a data source that is silent than we do for Grafana.
    """
    few_at_once = asyncio.Semaphore(_AT_ONCE)

    async def ask(uid: str) -> Answer | Failure:
        async with few_at_once:
            return await backend.attempt(_SOURCE, uid=uid)

    answers = await asyncio.gather(*(ask(str(source["uid"])) for source in sources))
    status = [0 if isinstance(answer, Failure) else answer.status for answer in answers]
    if any(each in (401, 403) for each in status):
        because = "not tested: the token may read data sources, but not ask for their health"
        return {"datasources_healthy_ratio_because": f"{because} (datasources:query)"}
    checked = [each not in (404, 501) for each in status]
    values: Values = {"datasources_unchecked": checked.count(False)}
    if not any(checked):
        because = "not tested: no data source has a health check of its own"
        return values | {"datasources_healthy_ratio_because": because}
    well = sum(200 <= each < 300 for each in status)
    values["datasources_healthy_ratio"] = well / sum(checked)
    ill = [
        f"{line(str(source.get('name', '?')), 60)} ({each or 'no answer'})"
        for source, each, tells in zip(sources, status, checked, strict=True)
        if tells and not 200 <= each < 300
    ]
    if ill:
        values["datasources_healthy_ratio_because"] = line(f"not healthy: {few(ill)}")
    return values


async def _dashboards(
    backend: Backend, services: Sequence[Watched], declared: Mapping[str, str]
) -> Values:
    found = await backend.read("/api/search", {"type": "dash-db", "limit": "5000"})
    if isinstance(found, Withheld):
        return {"services_shown_ratio_because": _needs(found, "dashboards:read")}
    dashboards = rows(found)
    shown: set[str] = set()
    for dashboard in dashboards:
        shown |= _whose(dashboard, services, declared)
    missing = [
        f"{service.name} has no dashboard (looked for {_sought(service.name, declared)})"
        for service in services
        if service.name not in shown
    ]
    values = ratio("services_shown_ratio", shown, missing, len(services))
    return values | {"dashboards": len(dashboards)}


def _whose(
    dashboard: Mapping[str, Any], services: Sequence[Watched], declared: Mapping[str, str]
) -> set[str]:
    """Return the services that a dashboard is of; of `api` and `api-gateway` the longer name."""
    tags = [tag for tag in dashboard.get("tags") or () if isinstance(tag, str)]
    title, uid = str(dashboard.get("title", "")), str(dashboard.get("uid", ""))
    texts = [_words(text) for text in (title, str(dashboard.get("folderTitle", "")), *tags)]
    mine = {
        service.name: _words(service.name)
        for service in services
        if service.name not in declared
        and any(_holds(text, _words(service.name)) for text in texts)
    }
    longest = {
        name
        for name, words in mine.items()
        if not any(_holds(other, words) and other != words for other in mine.values())
    }
    return longest | {
        service.name for service in services if declared.get(service.name) in (title, uid, *tags)
    }


def _words(text: str) -> Words:
    return tuple(re.findall(r"[a-z0-9]+", text.lower()))


def _holds(text: Words, words: Words) -> bool:
    """Whether the words follow each other in the text."""
    return bool(words) and any(
        text[at : at + len(words)] == words for at in range(len(text) - len(words) + 1)
    )


def _sought(name: str, declared: Mapping[str, str]) -> str:
    if name in declared:
        return f'"{line(declared[name], 60)}"'
    return "its name in titles, folders and tags"


def _needs(withheld: Withheld, permission: str) -> str:
    if withheld.denied:
        return f"{withheld.because}, with the permission {permission}"
    return withheld.because
