"""What NATS tells of JetStream -> how full its stores are, and how far its consumers are behind."""

from collections.abc import Iterator, Mapping
from typing import Any

from readiness.escape import line
from readiness.measurement import Values
from readiness.probes._monitoring import Told, count, most, share

METRICS: Mapping[str, str] = {
    "jetstream": "true or false: JetStream is on",
    "storage_limited": "true or false: JetStream's files have a limit",
    "storage_ratio": "ratio 0..1: JetStream's files of their limit",
    "memory_limited": "true or false: JetStream's memory has a limit",
    "memory_ratio": "ratio 0..1: JetStream's memory of its limit",
    "streams": "count: streams of JetStream",
    "consumed": "true or false: a stream has consumers",
    "consumer_lag": "count: messages that the last of the consumers has yet to be given",
}
PATH = "/jsz?accounts=true&streams=true&consumers=true&limit=1000"
_SHOWN = 60


def limits(jetstream: Any) -> Values:
    """Return how full the stores are, of the `jetstream` that /varz tells."""
    config, stats = _object(jetstream, "config"), _object(jetstream, "stats")
    if not config:
        return _off()
    values: Values = {"jetstream": True}
    for name in ("storage", "memory"):
        ratio = share(stats.get(name), limit := config.get(f"max_{name}"))
        values[f"{name}_limited"] = ratio is not None
        if ratio is not None:
            told = f"{count(stats.get(name))} of {count(limit)} bytes"
            values |= {f"{name}_ratio": ratio, f"{name}_ratio_because": told}
    return values


def _off() -> Values:
    values: Values = {"jetstream": False}
    for fact in ("storage_limited", "memory_limited", "consumed"):
        values |= {fact: False, f"{fact}_because": "JetStream is off"}
    return values


def streams(told: Told) -> Values:
    """Return what /jsz tells of streams and consumers."""
    if not told.fields:
        why = told.untold
        return {"streams_because": why, "consumed_because": why, "consumer_lag_because": why}
    values: Values = {}
    number = count(told.fields.get("streams"))
    if number is not None:
        values["streams"] = number
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
