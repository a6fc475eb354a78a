"""Whether an HTTP service says it is healthy, and whether status and body agree."""

from collections.abc import Mapping

from readiness.failure import Failure
from readiness.inventory import Service, Tier
from readiness.measurement import Values
from readiness.probes import Context, ProbeSettings, _health_report
from readiness.probes._answer import COLD_METRICS, Answer
from readiness.probes._health_report import HealthReport, NoReport
from readiness.probes._http import attempt, exchange, public_path, target

TIER: Tier = "observe"
KINDS = frozenset({"http", "web"})
EXCLUSIVE = False
BEARS_COMPANY = True
"""Whether many may run at once: what it times is timed by the kernel."""
METRICS: Mapping[str, str] = {
    "status": "HTTP status of the health path",
    "healthy": "true or false: the status is 2xx and the body does not say otherwise",
    "contradiction": "true or false: the status is 2xx but the body says that it or a part is down",
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
    report = _report(service, answer)
    values: Values = {
        "status": answer.status,
        "media_type": answer.media_type,
        "protocol": answer.protocol,
        **_contradiction(answer, report),
        **_state(report),
        **_structured(answer, report),
        **_judged("healthy", path, answer, report),
        **answer.cold,
    }
    if service.health and service.health.live:
        values |= await _liveness(service, service.health.live, context)
    return values


async def _liveness(service: Service, path: str, context: Context) -> Values:
    answer = await attempt(context, target(service, path))
    if isinstance(answer, Failure):
        because = f"GET {public_path(path)}: {answer.kind}: {answer.detail}"
        return {"live_healthy": False, "live_healthy_because": because}
    judged = _judged("live_healthy", path, answer, _report(service, answer))
    return {"live_status": answer.status, **judged}


def _report(service: Service, answer: Answer) -> HealthReport | NoReport:
    if answer.packed:
        because = "the body is compressed, although it was asked for as it is"
        return NoReport(because, readable=False)
    if answer.html and "<" in answer.text:  # frameworks send a word or nothing as HTML, too
        because = "the body is a web page, not a health report"
        return NoReport(because, readable=service.kind == "web")
    return _health_report.read(answer.text)


def _structured(answer: Answer, report: HealthReport | NoReport) -> Values:
    """Say whether the body is a report; an error page says nothing of those of better days."""
    if isinstance(report, HealthReport) and report.structured:
        return {"structured": True}
    return {"structured": False} if answer.ok else {"structured_because": f"it is {answer.outcome}"}


def _state(report: HealthReport | NoReport) -> Values:
    if isinstance(report, NoReport):
        return {"structured_because": report.because, "state_because": report.because}
    values: Values = {"state": report.word}
    if not report.structured:
        values["structured_because"] = "the body is text"
    if report.state == "unclear":
        values["state_because"] = f'"{report.word}" is no known word of health'
    return values


def _doubt(report: HealthReport | NoReport) -> str:
    """Return why the body leaves open whether the service is healthy; empty if it does not."""
    if isinstance(report, NoReport):
        return "" if report.readable else report.because
    unknown = report.state == "unclear" and not report.says_down
    return f'its body says "{report.word}", which is no known word of health' if unknown else ""


def _says_down(report: HealthReport | NoReport) -> bool:
    return isinstance(report, HealthReport) and report.says_down


def _contradiction(answer: Answer, report: HealthReport | NoReport) -> Values:
    if answer.ok and (doubt := _doubt(report)):
        return {"contradiction_because": doubt}
    return {"contradiction": answer.ok and _says_down(report)}


def _judged(metric: str, path: str, answer: Answer, report: HealthReport | NoReport) -> Values:
    """Return `metric` unless it is unknown, and `<metric>_because` if it needs explaining."""
    doubt = _doubt(report) if answer.ok else ""
    healthy = answer.ok and not _says_down(report)
    spotless = isinstance(report, NoReport) or (report.state == "up" and not report.failing)
    if healthy and spotless and not doubt:
        return {metric: True}
    because = f"GET {public_path(path)} answered {answer.outcome}"
    if doubt:
        return {f"{metric}_because": f"{because}, but {doubt}"}
    said = _said(report) if isinstance(report, HealthReport) else ""
    but = "but" if answer.ok and not healthy else "and"
    return {metric: healthy, f"{metric}_because": f"{because} {but} {said}" if said else because}


def _said(report: HealthReport) -> str:
    names = ", ".join(report.failing[:_SHOWN])
    more = f" and {len(report.failing) - _SHOWN} more" if len(report.failing) > _SHOWN else ""
    return f'its body says "{report.word}"' + (f": {names}{more}" if names else "")
