"""Whether an HTTP service says it is healthy, and whether status and body agree."""

from collections.abc import Mapping

from readiness.failure import Failure
from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings, _health_report
from readiness.probes._answer import COLD_METRICS, Answer
from readiness.probes._health_report import HealthReport
from readiness.probes._http import attempt, exchange, public_path, target

TIER: Tier = "observe"
KINDS = frozenset({"http", "web"})
EXCLUSIVE = False
METRICS: Mapping[str, str] = {
    "status": "HTTP status of the health path",
    "healthy": "true or false: the status is 2xx and the body does not say down",
    "contradiction": "true or false: the status is 2xx but the body says down",
    "state": "the body's own word for its state, as it came",
    "structured": "true or false: the body is one of the known health shapes",
    "media_type": "media type of the body",
    "protocol": "protocol version of the answer",
    "live_status": "HTTP status of the liveness path, where one is declared",
    "live_healthy": "true or false: the same as healthy, of the liveness path",
    **COLD_METRICS,
}
_SHOWN = 5


class Settings(ProbeSettings):
    """Nothing to set: the paths are the service's own `health: {ready, live}`."""


async def measure(service: Service, settings: Settings, context: Context) -> Values:
    """Ask the readiness path once, and the liveness path where one is declared."""
    path = service.health_path
    answer = await exchange(context, target(service, path))
    report = _report(answer)
    values: Values = {
        "status": answer.status,
        "media_type": answer.media_type,
        "protocol": answer.protocol,
        "structured": isinstance(report, HealthReport),
        "contradiction": answer.ok and _says_down(report),
        **_judged("healthy", path, answer, report),
        **answer.cold,
    }
    if isinstance(report, HealthReport):
        values["state"] = report.word
    else:
        values |= {"structured_because": report, "state_because": report}
    if service.health and service.health.live:
        values |= await _liveness(service, service.health.live, context)
    return values


async def _liveness(service: Service, path: str, context: Context) -> Values:
    answer = await attempt(context, target(service, path))
    if isinstance(answer, Failure):
        because = f"GET {public_path(path)}: {answer.kind}: {answer.detail}"
        return {"live_healthy": False, "live_healthy_because": because}
    judged = _judged("live_healthy", path, answer, _report(answer))
    return {"live_status": answer.status, **judged}


def _report(answer: Answer) -> HealthReport | str:
    if answer.html:
        return "the body is a web page, not a health report"
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        return "the body is compressed, although it was asked for as it is"
    return _health_report.read(answer.text)


def _says_down(report: HealthReport | str) -> bool:
    return isinstance(report, HealthReport) and report.state == "down"


def _judged(metric: str, path: str, answer: Answer, report: HealthReport | str) -> Values:
    """Return `metric`, and `<metric>_because` unless there is nothing to explain."""
    healthy = answer.ok and not _says_down(report)
    said = _said(report) if isinstance(report, HealthReport) else ""
    spotless = isinstance(report, str) or (report.state == "up" and not report.failing)
    if healthy and spotless:
        return {metric: True}
    but = "but" if answer.ok and not healthy else "and"
    because = f"GET {public_path(path)} answered {answer.outcome}"
    return {metric: healthy, f"{metric}_because": f"{because} {but} {said}" if said else because}


def _said(report: HealthReport) -> str:
    names = ", ".join(report.failing[:_SHOWN])
    more = f" and {len(report.failing) - _SHOWN} more" if len(report.failing) > _SHOWN else ""
    return f'its body says "{report.word}"' + (f": {names}{more}" if names else "")
