"""How Kubernetes runs each workload: probes, resources, replicas, budgets, rollout, security."""

import asyncio
from collections.abc import Mapping
from typing import get_args

from pydantic import Field

from readiness.document.complaint import suggest
from readiness.escape import line
from readiness.inventory import Artifact, Inventory, Kind, Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._containers.asked import Shelf, metrics, patterns_of, unread
from readiness.probes._containers.files import Absent, Unreadable
from readiness.probes._containers.verdict import combined, nothing
from readiness.probes._kubernetes import join
from readiness.probes._kubernetes.objects import Manifests, Workload, load
from readiness.probes._kubernetes.rules import ASKED, rules
from readiness.probes._kubernetes.whole import WHOLE, whole

TIER: Tier = "observe"
KINDS: frozenset[str] = frozenset((*get_args(Kind), "kubernetes"))
EXCLUSIVE = False
ASKS_NOBODY = True
"""Files tell of a service that is down as well as of any other."""

METRICS: Mapping[str, str] = {
    "defined": "true: the manifests hold its workload, or one that is none of the inventory's",
    "parsed": "true: the manifests are rendered objects that can be read",
    **metrics(ASKED),
    **WHOLE,
}
_SHELF: Shelf[Manifests] = Shelf(load)


class Settings(ProbeSettings):
    """What the files cannot tell by themselves."""

    workload: str | None = Field(
        None, description="Its workload, as in api or Deployment/api, if named otherwise there."
    )


async def measure(subject: Service | Artifact, settings: Settings, context: Context) -> Values:
    """Judge a service by its workload, an artifact by all that are no service's."""
    return await asyncio.to_thread(_measure, subject, settings, context)


def _measure(subject: Service | Artifact, settings: Settings, context: Context) -> Values:
    try:
        if isinstance(subject, Artifact):
            found = _SHELF.get(context.folder, subject.files, context.run_id)
            return _artifact(context.inventory, found)
        all_files = [
            _SHELF.get(context.folder, files, context.run_id)
            for _, files in patterns_of(context.inventory, "kubernetes")
        ]
    except (Absent, Unreadable) as error:
        return unread(error, ASKED, WHOLE if isinstance(subject, Artifact) else None)
    return _service(subject, settings, all_files)


def _artifact(inventory: Inventory, manifests: Manifests) -> Values:
    others = join.of_artifact(inventory, manifests)
    told = {"parsed": True, **whole(manifests)}
    otherwise = "the manifests hold no workload beside those of the inventory's services"
    return {**told, **_asked([(manifests, others)], otherwise)}


def _service(service: Service, settings: Settings, all_files: list[Manifests]) -> Values:
    mine = [(one, join.of_service(service, one)) for one in all_files]
    if settings.workload and not any(workloads for _, workloads in mine):
        return unread(_absent(settings.workload, all_files), ASKED, None)
    return _asked(mine, f"the manifests hold no workload of {service.name}")


def _absent(wanted: str, all_files: list[Manifests]) -> Absent:
    """Say that a workload is not there, and which may be meant."""
    workloads = [workload for one in all_files for workload in one.workloads]
    known = {w.who if "/" in wanted else w.object.name for w in workloads}
    told = f"the manifests hold no workload {wanted}. {suggest(wanted, known)}"
    return Absent(line(told.strip()))


def _asked(found: list[tuple[Manifests, list[Workload]]], otherwise: str) -> Values:
    there = [(rules(manifests), one) for manifests, workloads in found for one in workloads]
    if not there:
        return {"defined": False, "defined_because": otherwise, **nothing(ASKED, otherwise)}
    values: Values = {"defined": True}
    for metric in ASKED:
        values |= combined(metric, [of[metric](one) for of, one in there])
    return values
