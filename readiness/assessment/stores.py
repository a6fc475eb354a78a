"""Measurements of one service -> the facts a reviewer asks for; of databases and caches here."""

from collections.abc import Callable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from readiness.assessment.services import ServiceRow
from readiness.inventory import Kind
from readiness.measurement import Measurement, Value, number
from readiness.quantity import amount

Values = Mapping[str, Value]
Teller = Callable[[Values], list[str]]
Tellers = Mapping[Kind, Teller]
"""Kind of service -> what makes facts of all that its probes measured."""


class StoreRow(BaseModel):
    """A store or backend; `version` and `facts` are empty where it was not measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: ServiceRow
    version: str
    facts: tuple[str, ...]


def stores(rows: Sequence[ServiceRow], measurements: Sequence[Measurement]) -> tuple[StoreRow, ...]:
    """Return one row for each data store among `rows`, in their order."""
    return told(rows, measurements, _FACTS)


def told(
    rows: Sequence[ServiceRow], measurements: Sequence[Measurement], tellers: Tellers
) -> tuple[StoreRow, ...]:
    """Return one row for each service whose kind has a teller, in their order."""
    kinds = {row.name: row.kind for row in rows if row.kind in tellers}
    known: dict[str, dict[str, Value]] = {name: {} for name in kinds}
    for m in sorted(measurements, key=lambda m: (m.probe.endswith("_health"), m.attempt)):
        if m.service in known and m.probe.startswith(kinds[m.service]):
            known[m.service] |= m.values  # a name that two probes have is the health probe's
    return tuple(_row(row, known[row.name], tellers[row.kind]) for row in rows if row.name in known)


def _row(row: ServiceRow, values: Values, teller: Teller) -> StoreRow:
    version = f"{values.get('server', row.kind)} {values['version']}" if "version" in values else ""
    return StoreRow(service=row, version=version, facts=tuple(teller(values)))


def _postgres(values: Values) -> list[str]:
    found = []
    if {"connections_used", "connections_max"} <= values.keys():
        used, most = values["connections_used"], values["connections_max"]
        found.append(f"{used} of {most} connections used")
    if (hits := number(values.get("cache_hit_ratio"))) is not None:
        found.append(f"{amount(hits, 'ratio')} of blocks read from its cache")
    if number(standbys := values.get("standbys")):
        found.append(f"{standbys} standbys")
    if values.get("standby") is True:
        found.append("a standby")
    if values.get("platform", "self-managed") != "self-managed":
        found.append(f"on {values['platform']}")
    if "end_of_life" in values:
        found.append(f"supported until {values['end_of_life']}")
    return found


def _redis(values: Values) -> list[str]:
    found = []
    ratio = number(values.get("memory_ratio"))
    if ratio is not None:
        found.append(f"{amount(ratio, 'ratio')} of its memory limit used")
    if "eviction_policy" in values:
        found.append(f"eviction {values['eviction_policy']}")
    if "persistence" in values:
        found.append(f"persistence {'on' if values['persistence'] is True else 'off'}")
    if number(replicas := values.get("connected_replicas")):
        found.append(f"{replicas} replicas")
    return found


_FACTS: Tellers = {"postgres": _postgres, "redis": _redis}
