"""A real service in a bad state -> what the bundled checks say of it, by the probes themselves."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from readiness import probes
from readiness.criteria import bundled_criteria
from readiness.document import Document, bind
from readiness.failure import classify
from readiness.finding import Finding
from readiness.inventory import Subject
from readiness.judge import judge
from readiness.measurement import Measurement
from readiness.probes import Context

CRITERIA = bundled_criteria()


async def measured(subject: Subject, probe: str, context: Context) -> Measurement:
    """Point one probe at the subject, with the settings written there, as the collector does."""
    module = probes.load(probe)
    settings = bind(module.Settings, subject.probes.get(probe) or {}, Document("test", {}, {}))
    values: Mapping[str, Any] = {}
    failure = None
    try:
        values = await module.measure(subject, settings, context)
    except Exception as error:  # noqa: BLE001  as the collector does
        failure = classify(error)
    now = datetime.now(UTC)
    return Measurement(
        probe=probe,
        service=subject.name,
        started_at=now,
        seconds=0.1,
        values=values,
        failure=failure,
    )


async def judged(
    subject: Subject, context: Context, only: Collection[str] = ()
) -> dict[str, Finding]:
    """Return the findings on the subject by check, of all its probes or of `only` some."""
    found = {}
    for probe in only or subject.expected_probes:
        measurement = await measured(subject, probe, context)
        for check in CRITERIA.checks.values():
            if check.probe == probe and check.concerns(subject):
                on = measurement.started_at.date()
                found[check.id] = judge(check, subject, [measurement], (), on)
    return found


def troubled(findings: Mapping[str, Finding]) -> set[str]:
    """Return the checks that fail or warn."""
    return {name for name, f in findings.items() if f.outcome in ("fail", "warn")}


def unknown(findings: Mapping[str, Finding]) -> set[str]:
    """Return the checks that could not be judged."""
    return {name for name, f in findings.items() if f.outcome == "unknown"}
