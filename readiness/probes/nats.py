"""How a NATS server does by its monitoring port: health, slow consumers, limits, JetStream."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from readiness.escape import line
from readiness.failure import ProbeError
from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings
from readiness.probes._few import few
from readiness.probes._monitoring import Told, ask, count, demanded, most, share

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
    "connections_ratio": "ratio 0..1: connections of max_connections",
    "memory_bytes": "bytes: resident memory of the server",
    "exposed": "true or false: it listens for clients on other addresses than this machine's own",
    "authenticated": "true or false: clients must prove who they are",
    "encrypted": "true or false: clients must speak TLS",
    "jetstream": "true or false: JetStream is on",
    "storage_limited": "true or false: JetStream's files have a limit",
    "storage_ratio": "ratio 0..1: JetStream's files of their limit",
    "memory_limited": "true or false: JetStream's memory has a limit",
    "memory_ratio": "ratio 0..1: JetStream's memory of its limit",
    "streams": "count: streams of JetStream",
    "consumed": "true or false: a stream has consumers",
    "consumer_lag": "count: messages that the last of the consumers has yet to be given",
}
_STREAMS = "/jsz?accounts=true&streams=true&consumers=true&limit=1000"
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
    if not (config := _object(server.get("jetstream"), "config")):
        return values | _no_jetstream()
    values |= _limits(config, _object(server.get("jetstream"), "stats"))
    return values | _streams(await ask(service, _STREAMS, context))


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
    if told.status == 200 and told.fields.get("status") == "ok":
        return {"healthy": True}
    body = told.data if isinstance(told.data, Mapping) else {}
    said = line(str(body.get("error") or body.get("status") or ""), 200)
    because = f"/healthz answered {told.status}" + (f": {said}" if said else "")
    return {"healthy": False, "healthy_because": because}


def _connections(server: Mapping[str, Any]) -> Values:
    now, limit = count(server.get("connections")), server.get("max_connections")
    values: Values = {"connections": now} if now is not None else {}
    ratio = share(now, limit)
    if ratio is None:
        return values | {"connections_ratio_because": "not tested: /varz tells no max_connections"}
    told = f"{now} of max_connections {count(limit)}"
    return values | {"connections_ratio": ratio, "connections_ratio_because": told}


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


def _no_jetstream() -> Values:
    values: Values = {"jetstream": False}
    for fact in ("storage_limited", "memory_limited", "consumed"):
        values |= {fact: False, f"{fact}_because": "JetStream is off"}
    return values


def _limits(config: Mapping[str, Any], stats: Mapping[str, Any]) -> Values:
    values: Values = {"jetstream": True}
    for name in ("storage", "memory"):
        ratio = share(stats.get(name), limit := config.get(f"max_{name}"))
        values[f"{name}_limited"] = ratio is not None
        if ratio is not None:
            told = f"{count(stats.get(name))} of {count(limit)} bytes"
            values |= {f"{name}_ratio": ratio, f"{name}_ratio_because": told}
    return values


def _streams(told: Told) -> Values:
    if not told.fields:
        why = told.untold
        return {"streams_because": why, "consumed_because": why, "consumer_lag_because": why}
    values: Values = {}
    streams = count(told.fields.get("streams"))
    if streams is not None:
        values["streams"] = streams
    lags = {name: float(lag) for name, lag in _lags(told.fields)}
    last = most(lags)
    values["consumed"] = last is not None
    if last:
        because = f"{last[0]} is the last of {len(lags)}"
        values |= {"consumer_lag": int(last[1]), "consumer_lag_because": because}
    return values


def _lags(jsz: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield `stream/consumer` and the messages that wait for it."""
    for account in _objects(jsz, "account_details"):
        for stream in _objects(account, "stream_detail"):
            for consumer in _objects(stream, "consumer_detail"):
                names = (stream.get("name"), consumer.get("name"))
                if (lag := count(consumer.get("num_pending"))) is not None:
                    yield "/".join(line(str(name), _SHOWN) for name in names), lag


def _object(of: Any, key: str) -> Mapping[str, Any]:
    found = of.get(key) if isinstance(of, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _objects(of: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = of.get(key)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
