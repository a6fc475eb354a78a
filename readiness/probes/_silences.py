"""The silences of an Alertmanager -> whether one mutes everything, and how long they last."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from readiness.escape import line
from readiness.measurement import Values
from readiness.probes._alert_rules import moment
from readiness.probes._backend import inner, rows
from readiness.probes._few import few
from readiness.probes._promql import Matcher

SILENCE_METRICS: Mapping[str, str] = {
    "has_silences": "true or false: a silence is active",
    "silences": "count of active silences",
    "not_muted": "true or false: no active silence matches every alert",
    "longest_silence_days": "days until the longest active silence ends",
}
"""What `values` measures."""

_ALWAYS_THERE = ("alertname", "severity", "job", "instance")
"""Labels that nearly every alert has."""
_ANY = ("Zq7x", "k")
"""Values that no pattern matches but one that matches any."""


def values(silences: Any, now: datetime | None = None) -> Values:
    """Return what SILENCE_METRICS describes, of the answer of /api/v2/silences."""
    now = now or datetime.now(UTC)
    active = [s for s in rows(silences) if inner(s, "status", "state") == "active"]
    total = [_shown(silence) for silence in active if _mutes_all(silence)]
    found: Values = {"silences": len(active), "has_silences": bool(active), "not_muted": not total}
    if total:
        found["not_muted_because"] = line(f"everything is muted by {few(total)}")
    ends = [(end, silence) for silence in active if (end := moment(silence.get("endsAt")))]
    if ends:
        end, last = max(ends, key=lambda each: each[0])
        found["longest_silence_days"] = max(0.0, (end - now) / timedelta(days=1))
        found["longest_silence_days_because"] = line(f"{_shown(last)} ends on {end:%Y-%m-%d}")
    return found


def _mutes_all(silence: Mapping[str, Any]) -> bool:
    matchers = _matchers(silence)
    return bool(matchers) and all(map(_matches_any, matchers))


def _matchers(silence: Mapping[str, Any]) -> list[Matcher]:
    signs = {(False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~"}
    return [
        Matcher(
            str(each.get("name", "")),
            signs[each.get("isRegex") is True, each.get("isEqual") is not False],
            str(each.get("value", "")),
        )
        for each in rows(silence.get("matchers"))
    ]


def _matches_any(matcher: Matcher) -> bool:
    """Whether it matches all alerts but those it may name: `alertname!="Watchdog"` does."""
    present = matcher.label in _ALWAYS_THERE
    return all(map(matcher.accepts, _ANY)) and (present or matcher.accepts(""))


def _shown(silence: Mapping[str, Any]) -> str:
    matchers = [f'{m.label}{m.sign}"{line(m.value, 40)}"' for m in _matchers(silence)]
    return f"the silence {few(matchers, between=', ')}"
