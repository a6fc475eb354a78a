"""What a Prometheus scraped of itself and of its Alertmanagers -> whether alerts are delivered."""

from collections.abc import Mapping

from readiness.measurement import Values

WINDOW = "15m"
"""Over which failures are counted: that of the alerts that Prometheus' own mixin makes of them."""

_COUNTED: Mapping[str, str] = {
    "errors": "prometheus_notifications_errors_total",
    "sent": "prometheus_notifications_sent_total",
    "dropped": "prometheus_notifications_dropped_total",
    "missed": "prometheus_rule_group_iterations_missed_total",
    "undelivered": "alertmanager_notifications_failed_total",
    "delivered": "alertmanager_notifications_total",
}
"""What is counted -> its metric."""

SELF_METRICS: Mapping[str, str] = {
    "notification_errors_ratio": f"ratio of notifications to Alertmanager that failed in {WINDOW}",
    "notifications_dropped": f"count of notifications dropped for a full queue in {WINDOW}",
    "missed_iterations": f"count of evaluations of rules that were missed in {WINDOW}",
    "head_series": "count of series that it holds in memory",
    "deliveries_failed_ratio": "ratio of notifications by Alertmanager to a receiver that failed "
    f"in {WINDOW}",
}
"""What `watched_itself` measures."""

QUERY = " or ".join(
    f'label_replace({sought}, "of", "{name}", "", "")'
    for name, sought in (
        *((name, f"sum(increase({metric}[{WINDOW}]))") for name, metric in _COUNTED.items()),
        ("series", "max(prometheus_tsdb_head_series)"),
    )
)
"""One query for all of them: each sum is told by its label `of`."""

_TOLD = {
    "notifications_dropped": "dropped",
    "missed_iterations": "missed",
    "head_series": "series",
}
"""Metric -> what of QUERY it is as it is."""
_NOT_SCRAPED = "not tested: this server does not scrape {}; add a job for that"


def watched_itself(counted: Mapping[str, float]) -> Values:
    """Say how many notifications failed, of the sums that QUERY found."""
    values: Values = {}
    for metric, name in _TOLD.items():
        if name in counted:
            values[metric] = round(counted[name])
    return (
        values
        | _share("notification_errors_ratio", counted, "errors", "sent", "itself")
        | _share("deliveries_failed_ratio", counted, "undelivered", "delivered", "an Alertmanager")
    )


def _share(metric: str, counted: Mapping[str, float], part: str, whole: str, of: str) -> Values:
    if whole not in counted or part not in counted:
        return {f"{metric}_because": _NOT_SCRAPED.format(of)}
    if counted[whole] <= 0:
        return {f"{metric}_because": f"not tested: nothing was sent in {WINDOW}"}
    failed, sent = min(counted[part], counted[whole]), counted[whole]
    because = f"{failed:.0f} of {sent:.0f} in the last {WINDOW.rstrip('m')} minutes"
    return {metric: failed / sent, f"{metric}_because": because}
