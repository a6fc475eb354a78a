"""Servers modelled on the documented answers of Loki, Tempo and Grafana, for where none is built.

The shapes are recorded from Loki 3.7 and Tempo 1.5; Grafana's are those of its documentation.
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
            return answered({"message": "Unauthorized", "traceID": ""}, 401)
        if path == "/api/datasources":
            sources = ({"id": 1, "uid": uid, "name": uid.title()} for uid in self.sources)
            return answered([{**one, "type": "prometheus", "url": SECRET_URL} for one in sources])
        if path == "/api/search":
            return answered([{"type": "dash-db", "tags": [], **one} for one in self.dashboards])
        if path.startswith("/api/datasources/uid/"):
            status = self.sources[path.split("/")[4]]
            told = {"message": "it says", "status": "OK" if status == 200 else "ERROR"}
            return answered(told, status)
        return answered({"message": "Not found"}, 404)


SECRET_URL = "http://grafana:s3cret@prometheus:9090"
"""What a data source may hold that nobody should be shown."""
