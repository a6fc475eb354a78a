"""One documented read of a backend of observability -> its JSON, or why it could not be read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from pydantic import SecretStr

from readiness.failure import Failure, ProbeError
from readiness.inventory import Kind, Service
from readiness.probes import Context
from readiness.probes._answer import BODY_LIMIT, Answer
from readiness.probes._http import Target, attempt, exchange, target

READS: Mapping[Kind, frozenset[str]] = {
    "prometheus": frozenset(
        {
            "/api/v1/query",
            "/api/v1/rules",
            "/api/v1/alertmanagers",
            "/api/v1/status/buildinfo",
            "/api/v1/status/runtimeinfo",
        }
    ),
    "alertmanager": frozenset({"/api/v2/status", "/api/v2/alerts", "/api/v2/silences"}),
    "loki": frozenset(
        {
            "/ready",
            "/metrics",
            "/loki/api/v1/status/buildinfo",
            "/loki/api/v1/labels",
            "/loki/api/v1/label/{label}/values",
            "/loki/api/v1/query_range",
        }
    ),
    "tempo": frozenset({"/api/echo", "/api/traces/{trace}"}),
    "grafana": frozenset(
        {
            "/api/health",
            "/api/datasources",
            "/api/datasources/uid/{uid}/health",
            "/api/search",
        }
    ),
}
"""Every path that is asked, by GET alone: each is documented as a read.

Some that are not must stay out although a GET does them: /-/reload and /-/quit (Prometheus,
Alertmanager), /flush, /shutdown, /ingester/flush, /ingester/shutdown (Loki, Tempo, Mimir).
"""

_NOT_OFFERED = (404, 405, 410, 501)
_DENIED = (401, 403)


@dataclass(frozen=True)
class Withheld:
    """Why something could not be read that is no fault of the backend's."""

    because: str
    denied: bool = False


@dataclass(frozen=True)
class Backend:
    """A backend of observability, asked with the headers that its probe's settings name."""

    service: Service
    context: Context
    headers: Mapping[str, SecretStr] = field(default_factory=dict, repr=False)

    async def answer(
        self, path: str, query: Mapping[str, str] | None = None, **parts: str
    ) -> Answer:
        """GET one of READS, its `{parts}` filled in; ValueError for any other path."""
        return await exchange(self.context, self._to(path, query, parts), headers=self._sent)

    async def attempt(self, path: str, **parts: str) -> Answer | Failure:
        """Return what `answer` does, or the failure if the backend is at fault."""
        return await attempt(self.context, self._to(path, None, parts), headers=self._sent)

    def _to(self, path: str, query: Mapping[str, str] | None, parts: Mapping[str, str]) -> Target:
        if path not in READS[self.service.kind]:
            raise ValueError(f"{path} is none of the documented reads")
        filled = path.format_map({name: quote(part, safe="") for name, part in parts.items()})
        asked = f"?{urlencode(query, quote_via=quote)}" if query else ""
        return target(self.service, filled + asked)

    @property
    def _sent(self) -> dict[str, str]:
        return {name: value.get_secret_value() for name, value in self.headers.items()}

    async def read(
        self, path: str, query: Mapping[str, str] | None = None, **parts: str
    ) -> Any | Withheld:
        """Return the JSON at `path`, or why it is withheld; ProbeError for what is broken."""
        return told(path, await self.answer(path, query, **parts))

    async def must_read(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """Return the JSON at `path`; ProbeError where it is withheld, too."""
        found = await self.read(path, query)
        if isinstance(found, Withheld):
            raise unreadable(found)
        return found


def refusal(path: str, answer: Answer) -> Withheld | None:
    """Say why the answer tells nothing, if that is a permission, an old version or its size."""
    if answer.status in _DENIED:
        because = f"GET {path} answered {answer.status}: give this probe `headers` that may read it"
        return Withheld(f"not tested: {because}", denied=True)
    if answer.status in _NOT_OFFERED:
        why = "this version or this URL does not offer it"
        return Withheld(f"not tested: GET {path} answered {answer.status}: {why}")
    if answer.ok and (not answer.complete or len(answer.body) >= BODY_LIMIT):
        return Withheld(f"not tested: what GET {path} answers is longer than 1 MiB")
    return None


def told(path: str, answer: Answer) -> Any | Withheld:
    """Return the JSON of an answer, or why it is withheld; ProbeError for what is broken."""
    withheld = refusal(path, answer)
    if withheld:
        return withheld
    if not answer.ok:
        raise ProbeError("protocol", f"GET {path} answered {answer.outcome}")
    try:
        return json.loads(answer.text)
    except (ValueError, RecursionError):
        raise ProbeError("protocol", f"GET {path} answered 200 without JSON") from None


def unreadable(withheld: Withheld) -> ProbeError:
    """Return the error for what must be read and is withheld."""
    detail = withheld.because.removeprefix("not tested: ")
    if withheld.denied:
        return ProbeError("denied", detail)
    ours = "longer than" in detail
    return ProbeError("local_limit" if ours else "protocol", detail)


def rows(data: Any) -> list[Mapping[str, Any]]:
    """Return the objects in a list that should hold objects alone."""
    return [each for each in data if isinstance(each, dict)] if isinstance(data, list) else []


def inner(data: Any, *keys: str) -> Any:
    """Return what is found below `keys`, None if there is nothing."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data
