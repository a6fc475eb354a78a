"""Measurements of the backends of observability -> the facts a reviewer asks for about each."""

from collections.abc import Sequence

from readiness.assessment.services import ServiceRow
from readiness.assessment.stores import StoreRow, Tellers, Values, told
from readiness.measurement import Measurement, number


def backends(
    rows: Sequence[ServiceRow], measurements: Sequence[Measurement]
) -> tuple[StoreRow, ...]:
    """Return one row for each backend of observability among `rows`, in their order."""
    return told(rows, measurements, _FACTS)


def _prometheus(values: Values) -> list[str]:
    return [
        *_of_services(values, "services_scraped_ratio", "scraped"),
        *_of_services(values, "services_alerted_ratio", "with an alert rule"),
        *_counted(values, "rules", "alert rule"),
        *_held(values, "watchdog_firing", "watchdog fires", "no watchdog fires"),
    ]


def _alertmanager(values: Values) -> list[str]:
    return [
        *_counted(values, "receivers", "receiver"),
        *_held(values, "watchdog_arrived", "watchdog arrives", "no watchdog arrives"),
        *_counted(values, "silences", "silence"),
    ]


def _loki(values: Values) -> list[str]:
    oldest = number(values.get("oldest_line_ms"))
    return [
        *_of_services(values, "services_logging_ratio", "log"),
        *([] if oldest is None else [f"newest line of the worst {oldest / 1000:.0f} s ago"]),
    ]


def _tempo(values: Values) -> list[str]:
    took = number(values.get("trace_ms"))
    return [
        *_counted(values, "spans", "span"),
        *([] if took is None else [f"our trace found after {took / 1000:.1f} s"]),
    ]


def _grafana(values: Values) -> list[str]:
    return [
        *_counted(values, "datasources", "data source"),
        *_of_services(values, "services_shown_ratio", "on a dashboard"),
    ]


def _of_services(values: Values, ratio: str, what: str) -> list[str]:
    share, services = number(values.get(ratio)), number(values.get("services"))
    if share is None or not services:
        return []
    return [f"{round(share * services)} of {round(services)} critical services {what}"]


def _counted(values: Values, metric: str, what: str) -> list[str]:
    n = number(values.get(metric))
    return [] if n is None else [f"{round(n)} {what}{'' if n == 1 else 's'}"]


def _held(values: Values, metric: str, holds: str, fails: str) -> list[str]:
    fact = values.get(metric)
    return [holds if fact else fails] if isinstance(fact, bool) else []


_FACTS: Tellers = {
    "prometheus": _prometheus,
    "alertmanager": _alertmanager,
    "loki": _loki,
    "tempo": _tempo,
    "grafana": _grafana,
}
