"""Servers modelled on the documented answers of Loki, Tempo and Grafana, for where none is built.

The shapes are recorded from Loki 3.7, a Tempo of 2025 and a Grafana of 2023; those of Prometheus
and Mimir are documented ones.
"""

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from readiness.probes._promql import selectors
from tests.servers import Request, Web, response


def answered(data: Any, status: int = 200, **headers: str) -> bytes:
    """Return a response as a Go server gives it, with its date."""
    text = data if isinstance(data, str) else json.dumps(data)
    media_type = "text/plain" if isinstance(data, str) else "application/json"
    date = {"Date": formatdate(time.time(), usegmt=True)}
    return response(status, text, media_type, {**date, **headers})


@dataclass
class Loki:
    """Streams of lines: labels -> times in nanoseconds."""

    streams: list[tuple[Mapping[str, str], int]] = field(default_factory=list)
    ready: bool = True
    refused: int = 0

    def __call__(self, request: Request) -> bytes:
        """Answer one request."""
        url = urlsplit(request.target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        parts = [unquote(part) for part in url.path.split("/")]
        match parts[1:]:
            case ["ready"]:
                told = "ready" if self.ready else "Ingester not ready: waiting for 15s"
                return answered(f"{told}\n", 200 if self.ready else 503)
            case ["metrics"]:
                lines = (
                    f'loki_distributor_lines_received_total{{tenant="fake"}} {len(self.streams)}',
                    f'loki_discarded_samples_total{{reason="rate_limited",tenant="fake"}} '
                    f"{self.refused}",
                )
                return answered("\n".join(lines) + "\n")
            case ["loki", "api", "v1", "status", "buildinfo"]:
                return answered({"version": "3.7.8", "revision": "", "goVersion": ""})
            case ["loki", "api", "v1", "labels"]:
                return self._data(sorted({name for labels, _ in self.streams for name in labels}))
            case ["loki", "api", "v1", "label", name, "values"]:
                found = {labels[name] for labels, _ in self.streams if name in labels}
                return self._data(sorted(found))
            case ["loki", "api", "v1", "query_range"]:
                return self._data({"resultType": "streams", "result": self._newest(query["query"])})
        return answered("404 page not found\n", 404)

    def _newest(self, query: str) -> list[Any]:
        (selector,) = selectors(query)
        mine = [one for one in self.streams if selector.selects(one[0], strictly=True)]
        if not mine:
            return []
        labels, moment = max(mine, key=lambda one: one[1])
        return [{"stream": labels, "values": [[str(moment), "a line"]]}]

    def _data(self, data: Any) -> bytes:
        return answered({"status": "success", "data": data})


def serve(modelled: Any) -> Web:
    """Return the server of a model, which records its requests."""
    return Web(modelled)


def attribute(key: str, value: str) -> dict[str, Any]:
    """Return one attribute as OTLP's JSON has it."""
    return {"key": key, "value": {"stringValue": value}}


@dataclass
class Tempo:
    """Traces by their id, each found after so many requests for it."""

    patience: int = 0
    traces: dict[str, list[Any]] = field(default_factory=dict)
    asked: int = 0

    def export(self, batches: list[Any]) -> None:
        """Take spans in OTLP's JSON; keep their ids as base64, as Tempo tells them."""
        for batch in batches:
            for scope in batch["scopeSpans"]:
                trace = scope["spans"][0]["traceId"]
                kept = {**batch, "scopeSpans": [{"spans": [self._kept(s) for s in scope["spans"]]}]}
                self.traces.setdefault(trace, []).append(kept)

    def __call__(self, request: Request) -> bytes:
        """Answer one request."""
        path = urlsplit(request.target).path
        if path == "/api/echo":
            return answered("echo")
        if path.startswith("/api/traces/"):
            self.asked += 1
            found = self.traces.get(path.rpartition("/")[2])
            if found and self.asked > self.patience:
                return answered({"batches": found})
            return answered("trace not found", 404)
        return answered("404 page not found\n", 404)

    @staticmethod
    def _kept(span: dict[str, Any]) -> dict[str, Any]:
        kinds = {2: "SPAN_KIND_SERVER", 3: "SPAN_KIND_CLIENT"}
        ids = {
            key: base64.b64encode(bytes.fromhex(span[key])).decode()
            for key in ("traceId", "spanId", "parentSpanId")
        }
        return {**span, **ids, "kind": kinds[span["kind"]]}


@dataclass
class Grafana:
    """Dashboards, and data sources by their uid with the status of their health check."""

    token: str = "glsa_t0ken"
    database: str = "ok"
    dashboards: list[dict[str, Any]] = field(default_factory=list)
    sources: dict[str, int] = field(default_factory=dict)

    def __call__(self, request: Request) -> bytes:
        """Answer one request."""
        path = urlsplit(request.target).path
        if path == "/api/health":
            told = {"commit": "f92ed39b9a", "database": self.database, "version": "10.1.0"}
            return answered(told, 200 if self.database == "ok" else 503)
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return answered({"message": "Unauthorized"}, 401)
        if path == "/api/datasources":
            sources = ({"id": 1, "uid": uid, "name": uid.title()} for uid in self.sources)
            return answered([{**one, "type": "prometheus", "url": SECRET_URL} for one in sources])
        if path == "/api/search":
            return answered([{"type": "dash-db", "tags": [], **one} for one in self.dashboards])
        if path.startswith("/api/datasources/uid/"):
            status = self.sources[path.split("/")[4]]
            told = {"message": "it says", "status": "OK" if status == 200 else "ERROR"}
            return answered(told, status)
        return answered({"message": "Not found", "traceID": ""}, 404)


SECRET_URL = "http://grafana:s3cret@prometheus:9090"
"""What a data source may hold that nobody should be shown."""


@dataclass
class Prometheus:
    """`up` series with their age in seconds, and groups of rules; a Mimir if it says so.

    For states that a real server is not easily brought into, and where none is installed.
    """

    application: str | None = None
    prefix: str = ""
    tenant: str | None = None
    ups: list[tuple[dict[str, str], int, float]] = field(default_factory=list)
    groups: list[dict[str, Any]] = field(default_factory=list)
    metrics: frozenset[str] = frozenset()

    def __call__(self, request: Request) -> bytes:
        """Answer one request."""
        url = urlsplit(request.target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if self.tenant and request.headers.get("x-scope-orgid") != self.tenant:
            return answered("no org id\n", 401)
        match url.path.removeprefix(f"{self.prefix}/api/v1/"):
            case "query":
                return self._success(
                    {"resultType": "vector", "result": self._found(query["query"])}
                )
            case "rules":
                return self._success({"groups": self.groups})
            case "status/buildinfo":
                named = {"application": self.application} if self.application else {}
                return self._success({"version": "2.15.0", "revision": "abc", **named})
            case "alertmanagers" if not self.application:
                active = [{"url": "http://127.0.0.1:9093/api/v2/alerts"}]
                return self._success({"activeAlertmanagers": active, "droppedAlertmanagers": []})
            case "status/runtimeinfo" if not self.application:
                told = {"reloadConfigSuccess": True, "corruptionCount": 0}
                return self._success({**told, "storageRetention": "15d"})
        return answered("404 page not found\n", 404)

    def _found(self, query: str) -> list[Any]:
        now = time.time()
        if query == "up":
            return [
                {"metric": {"__name__": "up", **labels}, "value": [now, str(state)]}
                for labels, state, _ in self.ups
            ]
        if query == "time() - timestamp(up)":
            return [{"metric": labels, "value": [now, str(age)]} for labels, _, age in self.ups]
        if query == "vector(1)":
            return [{"metric": {}, "value": [now, "1"]}]
        if query.startswith("count({__name__=~"):
            (selector,) = selectors(query)
            labels = [labels for labels, _, _ in self.ups]
            there = any(selector.selects(one, strictly=False) for one in labels)
            asked = query.partition('"')[2].partition('"')[0].split("|")
            there = there and bool(self.metrics & set(asked))
            return [{"metric": {}, "value": [now, "1"]}] if there else []
        counts = {"errors": 0, "sent": 9, "undelivered": 0, "delivered": 9}
        return [{"metric": {"of": of}, "value": [now, str(n)]} for of, n in counts.items()]

    def _success(self, data: Any) -> bytes:
        return answered({"status": "success", "data": data})


def rule(name: str, query: str, **changes: Any) -> dict[str, Any]:
    """Return an alert rule as /api/v1/rules tells it."""
    told = {"name": name, "query": query, "health": "ok", "state": "inactive", "labels": {}}
    return {**told, "type": "alerting", "duration": 0, "annotations": {}, **changes}


def group(name: str, *rules: Any, seconds_ago: float | None = 10.0) -> dict[str, Any]:
    """Return a group of rules, evaluated so long ago or never."""
    evaluated = "0001-01-01T00:00:00Z"
    if seconds_ago is not None:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - seconds_ago))
        evaluated = f"{moment}.123456789Z"
    return {"name": name, "interval": 60, "lastEvaluation": evaluated, "rules": list(rules)}
