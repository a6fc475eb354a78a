"""The body of a health endpoint -> its own verdict and the components it names.

Reads health+json (draft-inadarei-api-health-check), Spring Boot Actuator, ASP.NET Core (text,
and the JSON of AspNetCore.Diagnostics.HealthChecks), MicroProfile Health, and plain
`{"status": ...}`, `{"healthy": true}` or one word of text.
"""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from readiness.escape import line

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
_NO_TROUBLE = re.compile(r"\b(no|0|zero|without)\s+(errors?|failures?|downtime)\b")
_TROUBLE = re.compile(
    r"\bnot(ok|ready|healthy|available|running|serving|alive|live|up)?\b|n't\b|\b(shut)?down\b"
    r"|error(s|ed)?\b|\bfail(s|ed|ing|ures?)?\b"
    r"|\bun[ -]?(able|available|expected|healthy|operational|reachable|ready|responsive|stable)\b"
    r"|\b(fatal|exception|outage|refused|offline|broken|lost)\b"
)
"""What a sentence says that no list of words foresees, in lower case and without underscores."""
_STATE_KEYS = ("status", "state", "health", "healthy", "ok", "success", "ready", "up")
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
_LONGEST_SENTENCE = 200


@dataclass(frozen=True)
class HealthReport:
    """What a service says about itself. `word` is its own word for `state`."""

    word: str
    state: State
    failing: tuple[str, ...]
    """Components that it says are down or degraded, with their own word: `db DOWN`."""
    component_down: bool = False
    """Whether one of `failing` is down, not only degraded."""
    structured: bool = True
    """Whether it has named fields; text has none."""

    @property
    def says_down(self) -> bool:
        """Whether it, or a part of it that it does not own up to, says down."""
        return self.state == "down" or (self.component_down and self.state != "warn")


@dataclass(frozen=True)
class NoReport:
    """Why a body is no health report, as part of a sentence."""

    because: str
    readable: bool
    """Whether it is sure that the body says nothing of health, so that the status decides."""


@functools.lru_cache(maxsize=256)
def read(text: str) -> HealthReport | NoReport:
    """Return the health report in `text`, or why there is none."""
    text = text.strip("\ufeff \t\r\n")
    if not text:
        return NoReport("the body is empty", readable=True)
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        if text.startswith(("{", "[")):
            return NoReport("the body is broken JSON", readable=False)
        return _text(text)
    if isinstance(data, str | bool):
        return _text(_as_word(data))
    failing = tuple(_failing(data, "", _DEEPEST))
    down = next((word for _, word in failing if _state(word) == "down"), None)
    word = _word(data)
    if word is None and down is None:
        return NoReport("the body is JSON without a status", readable=True)
    word = word or down or ""
    named = tuple(f"{name} {_short(word)}" for name, word in failing)
    return HealthReport(_short(word), _state(word), named, component_down=down is not None)


def _text(text: str) -> HealthReport | NoReport:
    if len(text) > _LONGEST_SENTENCE:
        return NoReport("the body is neither JSON nor a known word of health", readable=False)
    if (state := _state(text)) != "unclear":
        return HealthReport(_short(text), state, (), structured=False)
    because = "the body is text without a known word of health"
    return NoReport(because, readable=len(text) <= _LONGEST_WORD)


def _state(word: str) -> State:
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", word.strip()).lower()
    known = _WORDS.get(re.sub(r"[ -]", "_", word.strip().lower()))
    sentence = _NO_TROUBLE.sub("", plain.replace("_", " "))
    return known or ("down" if _TROUBLE.search(sentence) else "unclear")


def _word(data: Any) -> str | None:
    """Return the word a JSON object has for its own state; of several, one that says down."""
    if not isinstance(data, Mapping):
        return None
    members = {key.lower(): value for key, value in data.items()}
    values = (members.get(key) for key in _STATE_KEYS)
    words = [_as_word(value) for value in values if isinstance(value, str | bool)]
    return next((word for word in words if _state(word) == "down"), next(iter(words), None))


def _as_word(value: str | bool) -> str:
    return value if isinstance(value, str) else str(value).lower()


def _short(word: str) -> str:
    return line(word, _LONGEST_WORD)


def _failing(data: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield (name, word) of the innermost components that are down or degraded."""
    for name, value in _components(data) if depth else ():
        shown = line(name, _LONGEST_NAME)
        place = f"{path}/{shown}" if path else shown
        within = list(_failing(value, place, depth - 1))
        yield from within
        word = _as_word(value) if isinstance(value, str | bool) else _word(value)
        if not within and word is not None and _state(word) in ("down", "warn"):
            yield place, word


def _components(data: Any) -> Iterator[tuple[str, Any]]:
    """Yield (name, value) of what a JSON object lists as its parts, in any of the known shapes."""
    if isinstance(data, list):
        data = {"checks": data}
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
