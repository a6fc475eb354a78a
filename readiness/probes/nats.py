"""How a NATS server does by its monitoring port: health, slow consumers, limits, JetStream."""

import ipaddress
from collections.abc import Mapping
from typing import Any

from readiness.escape import line
from readiness.failure import ProbeError
from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings, _nats_jetstream
from readiness.probes._few import few
from readiness.probes._monitoring import Told, ask, count, demanded, share

TIER: Tier = "observe"
KINDS = frozenset({"nats"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "connected": "true: the monitoring port answered as NATS does",
    "version": "version of the server",
    "server": "the server's own name or id",
    "started": "when the server started, as it says it",
    "healthy": "true or false: /healthz says ok",
    "slow_consumers": "count: clients cut off for reading too slowly, since the server started",
    "consumers_keep_up": "true or false: none was since the run before, or since the start",
    "connections": "count: clients connected",
    "connections_limited": "true or false: there is a max_connections",
    "connections_ratio": "ratio 0..1: connections of max_connections",
    "memory_bytes": "bytes: resident memory of the server",
    "exposed": "true or false: it listens for clients on other addresses than this machine's own",
    "authenticated": "true or false: clients must prove who they are",
    "encrypted": "true or false: clients must speak TLS",
    **_nats_jetstream.METRICS,
}
_PENDING = "/connz?sort=pending&limit=3"
_SHOWN = 60


class Settings(ProbeSettings):
    """Nothing to set: the service's URL is that of the monitoring port."""


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """GET /varz, /healthz and, where JetStream is on, /jsz; /connz to name slow consumers."""
    server = demanded(await ask(service, "/varz", context), "NATS")
    if not isinstance(server.get("server_id"), str):
        raise ProbeError("protocol", "GET /varz did not answer as NATS does")
    values: Values = {"connected": True, **_identity(server), **_access(server)}
    values |= _health(await ask(service, "/healthz", context)) | _connections(server)
    values |= _slow(server, context.previous)
    if values.get("consumers_keep_up") is False:
        because = str(values["consumers_keep_up_because"])
        slowest = _slowest(await ask(service, _PENDING, context))
        values["consumers_keep_up_because"] = because + slowest
    values |= _nats_jetstream.limits(server.get("jetstream"))
    if not values["jetstream"]:
        return values
    return values | _nats_jetstream.streams(await ask(service, _nats_jetstream.PATH, context))


def _identity(server: Mapping[str, Any]) -> Values:
    name = server.get("server_name") or server.get("server_id")
    found = {"version": server.get("version"), "server": name, "started": server.get("start")}
    told: Values = {key: line(text, _SHOWN) for key, text in found.items() if isinstance(text, str)}
    memory = count(server.get("mem"))
    return told | ({"memory_bytes": memory} if memory is not None else {})


def _access(server: Mapping[str, Any]) -> Values:
    """Tell what a stranger needs; NATS leaves out of its answer what is false."""
    host = str(server.get("host", ""))
    try:
        exposed = not ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        exposed = host != "localhost"
    encrypted = server.get("tls_required") is True
    known = server.get("auth_required") is True or (server.get("tls_verify") is True and encrypted)
    values: Values = {"exposed": exposed, "authenticated": known, "encrypted": encrypted}
    if not known:
        values["authenticated_because"] = "neither auth_required nor tls_verify is on"
    if not encrypted:
        values["encrypted_because"] = "tls_required is off"
    return values


def _health(told: Told) -> Values:
    if told.status == 404:
        return {"healthy_because": "not tested: this server has no /healthz, update it"}
    if told.denied:
        return {"healthy_because": told.untold}
    if told.status == 200 and told.fields.get("status") == "ok":
        return {"healthy": True}
    body = told.data if isinstance(told.data, Mapping) else {}
    said = line(str(body.get("error") or body.get("status") or ""), 200)
    because = f"/healthz answered {told.status}" + (f": {said}" if said else "")
    return {"healthy": False, "healthy_because": because}


def _connections(server: Mapping[str, Any]) -> Values:
    now, limit = count(server.get("connections")), server.get("max_connections")
    values: Values = {"connections": now} if now is not None else {}
    if isinstance(limit, int) and not isinstance(limit, bool) and limit <= 0:
        unlimited = "max_connections is not limited"
        return values | {"connections_limited": False, "connections_limited_because": unlimited}
    ratio = share(now, limit)
    if ratio is None:
        return values | {
            "connections_limited_because": "not tested: /varz tells no max_connections"
        }
    told = f"{now} of max_connections {count(limit)}"
    values |= {"connections_ratio": ratio, "connections_ratio_because": told}
    return values | {"connections_limited": True}


def _slow(server: Mapping[str, Any], previous: Values) -> Values:
    """Count slow consumers; those of before the last run are past, if the server is the same."""
    total = count(server.get("slow_consumers"))
    if total is None:
        return {"consumers_keep_up_because": "not tested: /varz tells no slow_consumers"}
    before, since = 0, "since the server started"
    if previous.get("started") == line(str(server.get("start")), _SHOWN):
        before, since = count(previous.get("slow_consumers")) or 0, "since the run before"
    values: Values = {"slow_consumers": total, "consumers_keep_up": total <= before}
    if total > before:
        values["consumers_keep_up_because"] = f"{total - before} slow consumers {since}"
    return values


def _slowest(told: Told) -> str:
    """Name the connections with most bytes waiting, as part of a sentence."""
    listed = told.fields.get("connections")
    waiting = [
        f"{line(str(one.get('name') or one.get('ip') or one.get('cid')), _SHOWN)} ({pending} bytes)"
        for one in (listed if isinstance(listed, list) else [])[:3]
        if isinstance(one, Mapping) and (pending := count(one.get("pending_bytes")))
    ]
    return f"; waiting now: {few(waiting, between=', ')}" if waiting else ""
