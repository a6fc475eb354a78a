"""What a service's name resolves to, how long that takes, and whether every address accepts."""

import ipaddress
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Self, get_args

from pydantic import Field, field_validator, model_validator

from readiness.escape import line
from readiness.failure import ProbeError
from readiness.inventory import Kind, Service, Tier
from readiness.inventory.url import split
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._connection import within
from readiness.probes._dns_message import Record, RecordType, query
from readiness.probes._every_address import accepting
from readiness.probes._few import few
from readiness.probes._name_server import WRITTEN, NameServer
from readiness.probes._sampling import pause, sample
from readiness.probes._system_lookups import SystemLookups

TIER: Tier = "observe"
KINDS: frozenset[str] = frozenset(get_args(Kind))
EXCLUSIVE = True
METRICS: Mapping[str, str] = {
    "is_name": "true or false: there is a name to look up, not an address",
    "resolved": "true: the name has records",
    "p50_ms": "ms: median time of a look-up",
    "p95_ms": "ms: 95th percentile of a look-up",
    "looks": "count: how often these samples were looked at, to end if they decide",
    "addresses": "count: different addresses found",
    "families": "families of the addresses found: IPv4, IPv6",
    "records": "the records found, other than addresses",
    "as_expected": "true or false: every record found is one of `expect`",
    "ttl_seconds": "seconds for which the answer may be kept; by a named resolver only",
    "dialled": "true or false: the addresses are the service's own, and were connected to",
    "accepting": "true or false: every address accepts a connection at the service's port",
}
_MOST_SAMPLES = 100
_SHOWN = 60

Text = Annotated[str, Field(min_length=1, max_length=255)]


class Settings(ProbeSettings):
    """What is looked up, by whom, and what is to be found."""

    name: str | None = Field(
        None, max_length=253, description="name to look up; that of the URL if absent"
    )
    record: RecordType | None = Field(
        None, description="type of record, A and AAAA if absent; others need a `resolver`"
    )
    resolver: str | None = Field(
        None, description="name server to ask, as in 10.0.0.2:53; the system's resolver if absent"
    )
    expect: tuple[Text, ...] | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="addresses or networks (10.0.0.0/8) that all found must be in; "
        "of other records, their values",
    )

    @field_validator("resolver")
    @classmethod
    def _place(cls, written: str | None) -> str | None:
        found = written is None or WRITTEN.fullmatch(written)
        port = found["port"] if found and found is not True else None
        if not found or (port and not 1 <= int(port) <= 65535):
            raise ValueError("must be a name server. Write it as in 10.0.0.2 or [fd00::1]:53")
        return written

    @field_validator("name")
    @classmethod
    def _possible(cls, written: str | None) -> str | None:
        if written is not None:
            query(0, name := _ascii(written), "A")
            return name
        return None

    @model_validator(mode="after")
    def _askable(self) -> Self:
        if self.resolver is None and not self.of_addresses:
            raise ValueError(f"records of type {self.record} need a resolver to ask")
        if self.of_addresses:
            for one in self.expect or ():
                ipaddress.ip_network(one)  # raises ValueError
        return self

    @property
    def of_addresses(self) -> bool:
        """Whether addresses are what is asked for."""
        return self.record in (None, "A", "AAAA")

    @property
    def types(self) -> tuple[RecordType, ...]:
        """The types of record to ask for."""
        return (self.record,) if self.record else ("A", "AAAA")


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Look the name up, sample that, and connect once to each address that the service has."""
    host = _ascii(split(service.url.get_secret_value()).hostname or "")
    name = settings.name or host
    if _is_address(name):
        because = "it is an address, which needs no DNS"
        none: Values = {"is_name": False, "dialled": False}
        return none | {"is_name_because": because, "dialled_because": because}
    if settings.resolver:
        values, found = await _by_server(name, settings.resolver, settings, context)
    else:
        values, found = await _by_system(name, settings, context)
    values = {"is_name": True, "resolved": True, **values}
    values |= _described(found, settings) | _as_expected(found, settings)
    own = settings.of_addresses and name == host and service.port is not None
    if not own or service.port is None:
        because = "what was looked up is not where the service is"
        return values | {"dialled": False, "dialled_because": because}
    return values | await accepting(found, service.port, context)


async def _by_system(
    name: str, settings: Settings, context: Context
) -> tuple[Values, Sequence[str]]:
    with within(context) as watch:
        watch.begin("resolve")
        addresses = await context.resolve(name, 0)
    wanted = {"A": socket.AF_INET, "AAAA": socket.AF_INET6}.get(settings.record or "")
    found = [host for family, host, _ in addresses if wanted in (None, family)]
    lookups = SystemLookups(name)
    try:
        values = await _sampled(lookups.once, context)
    finally:
        lookups.close()
    because = "only a named resolver tells it"
    return values | {"ttl_seconds_because": because}, _some(found, settings)


async def _by_server(
    name: str, resolver: str, settings: Settings, context: Context
) -> tuple[Values, Sequence[str]]:
    with within(context):
        server = await NameServer.at(resolver, context)
    try:
        records: list[Record] = []
        for kind in settings.types:
            with within(context) as watch:
                watch.begin("resolve")
                records += await server.records(name, kind)
        found = _some([record.value for record in records], settings)
        asked = records[0].type
        values = await _sampled(lambda: server.records(name, asked), context)
    finally:
        server.close()
    return values | {"ttl_seconds": min(record.ttl for record in records)}, found


def _some(found: Sequence[str], settings: Settings) -> Sequence[str]:
    """Return the different ones of `found`; ProbeError if there is none."""
    if not found:
        raise ProbeError("dns", f"the name has no record of type {' or '.join(settings.types)}")
    return tuple(dict.fromkeys(found))


async def _sampled(once: Callable[[], Awaitable[object]], context: Context) -> Values:
    n = min(context.samples, _MOST_SAMPLES)
    return await sample(once, n, context, after=pause)


def _described(found: Sequence[str], settings: Settings) -> Values:
    if not settings.of_addresses:
        return {"records": few([line(one, _SHOWN) for one in found])}
    versions = sorted({ipaddress.ip_address(_bare(one)).version for one in found})
    families = ", ".join(f"IPv{version}" for version in versions)
    return {"addresses": len(found), "families": families}


def _as_expected(found: Sequence[str], settings: Settings) -> Values:
    if settings.expect is None:
        return {}
    strange = [line(one, _SHOWN) for one in found if not _expected(one, settings)]
    if not strange:
        return {"as_expected": True}
    told = f"not among what is expected: {few(strange, between=', ')}"
    return {"as_expected": False, "as_expected_because": told}


def _expected(one: str, settings: Settings) -> bool:
    expect = settings.expect or ()
    if settings.of_addresses:
        return any(ipaddress.ip_address(_bare(one)) in ipaddress.ip_network(n) for n in expect)
    same = str if settings.record == "TXT" else _folded
    return same(one) in map(same, expect)


def _folded(name: str) -> str:
    return name.lower().rstrip(".")


def _ascii(host: str) -> str:
    return host if host.isascii() else host.encode("idna").decode("ascii")


def _bare(host: str) -> str:
    """Return an address without its zone, as in fe80::1%eth0."""
    return host.partition("%")[0]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(_bare(name))
    except ValueError:
        return False
    return True
