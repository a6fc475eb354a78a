"""The body of a health endpoint -> its own verdict and the components it names.

Reads health+json (draft-inadarei-api-health-check), Spring Boot Actuator, ASP.NET Core (text,
and the JSON of AspNetCore.Diagnostics.HealthChecks), MicroProfile Health, and plain
`{"status": ...}`, `{"healthy": true}` or one word of text.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["up", "warn", "down", "unclear"]

_WORDS: Mapping[str, State] = {
    **dict.fromkeys(
        ("pass", "passed", "passing", "ok", "okay", "up", "healthy", "alive", "live", "ready"),
        "up",
    ),
    **dict.fromkeys(
        ("running", "available", "operational", "online", "serving", "success", "green", "true"),
        "up",
    ),
    **dict.fromkeys(("warn", "warning", "degraded", "partial", "yellow"), "warn"),
    **dict.fromkeys(
        ("fail", "failed", "failing", "failure", "error", "down", "unhealthy", "critical", "dead"),
        "down",
    ),
    **dict.fromkeys(
        ("out_of_service", "unavailable", "not_ready", "not_serving", "offline", "red", "false"),
        "down",
    ),
}
_STATE_KEYS = ("status", "state", "health", "healthy", "ok")
_COMPONENT_KEYS = (
    "components",
    "checks",
    "entries",
    "results",
    "details",
    "dependencies",
    "services",
)
_NAME_KEYS = ("name", "componentId", "component", "id", "key")
_DEEPEST = 6
_LONGEST_WORD = 40
_LONGEST_NAME = 60


@dataclass(frozen=True)
class HealthReport:
    """What a service says about itself. `word` is its own word for `state`."""

    word: str
    state: State
    failing: tuple[str, ...]
    """Components that it says are down or degraded, with their own word: `db DOWN`."""


def read(text: str) -> HealthReport | str:
    """Return the health report in `text`, or why there is none, as part of a sentence."""
    text = text.strip("\ufeff \t\r\n")
    if not text:
        return "the body is empty"
    if len(text) <= _LONGEST_WORD and _state(text) != "unclear":
        return HealthReport(text, _state(text), ())
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return "the body is neither JSON nor a known word of health"
    if isinstance(data, str) and _state(data) != "unclear":
        return HealthReport(data, _state(data), ())
    word = _word(data)
    if word is None:
        return "the body is JSON without a status"
    failing = tuple(f"{name} {word}" for name, word in _failing(data, "", _DEEPEST))
    return HealthReport(word, _state(word), failing)


def _state(word: str) -> State:
    return _WORDS.get(word.strip().lower().replace(" ", "_").replace("-", "_"), "unclear")


def _word(data: Any) -> str | None:
    """Return the word a JSON object has for its own state."""
    if not isinstance(data, Mapping):
        return None
    members = {key.lower(): value for key, value in data.items()}
    found = (members[key] for key in _STATE_KEYS if isinstance(members.get(key), str | bool))
    return next((_as_word(value) for value in found), None)


def _as_word(value: str | bool) -> str:
    return value[:_LONGEST_WORD] if isinstance(value, str) else str(value).lower()


def _failing(data: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield (name, word) of the innermost components that are down or degraded."""
    for name, value in _components(data) if depth else ():
        place = f"{path}/{name[:_LONGEST_NAME]}" if path else name[:_LONGEST_NAME]
        within = list(_failing(value, place, depth - 1))
        yield from within
        word = _as_word(value) if isinstance(value, str | bool) else _word(value)
        if not within and word is not None and _state(word) in ("down", "warn"):
            yield place, word


def _components(data: Any) -> Iterator[tuple[str, Any]]:
    """Yield (name, value) of what a JSON object lists as its parts, in any of the known shapes."""
    if not isinstance(data, Mapping):
        return
    members = {key.lower(): value for key, value in data.items()}
    for key in _COMPONENT_KEYS:
        listed = members.get(key)
        if isinstance(listed, Mapping):
            for name, value in listed.items():
                parts = value if isinstance(value, list) else [value]
                # Actuator's details hold plain facts too, such as `exists: false`
                yield from ((name, p) for p in parts if key != "details" or isinstance(p, Mapping))
        elif isinstance(listed, list):
            for value in listed:
                yield _name(value), value


def _name(component: Any) -> str:
    if not isinstance(component, Mapping):
        return "?"
    return next((str(component[key]) for key in _NAME_KEYS if component.get(key)), "?")
