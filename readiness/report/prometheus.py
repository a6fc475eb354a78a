"""Assessment -> readiness.prom, for the textfile collector of Prometheus' node exporter."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import get_args

from readiness.assessment import Assessment
from readiness.escape import prometheus
from readiness.finding import Outcome
from readiness.gate import Verdict

FILE = "readiness.prom"

Sample = tuple[Mapping[str, str], float]
"""(labels, value)"""


def render(assessment: Assessment) -> str:
    """Return the text format, version 0.0.4: gauges in base units, labelled by the system."""
    evidence = assessment.evidence
    system = {"system": evidence.inventory.system.name, "environment": evidence.environment}
    lines = []
    for name, meaning, samples in _gauges(assessment):
        lines += [f"# HELP readiness_{name} {meaning}", f"# TYPE readiness_{name} gauge"]
        lines += [_sample(name, {**system, **labels}, value) for labels, value in samples]
    return "".join(f"{line}\n" for line in lines)


def _gauges(a: Assessment) -> Iterator[tuple[str, str, list[Sample]]]:
    decision, card, evidence = a.model.decision, a.model.card, a.evidence
    yield "score", "Headline score, 0 to 100.", [({}, decision.value)]
    yield "score_upper", "Score if all that is unknown were good, 0 to 100.", [({}, decision.upper)]
    yield "score_raw", "Score before caps, 0 to 100.", [({}, card.raw)]
    yield "coverage_ratio", "Part of the score that rests on measurements.", [({}, card.coverage)]
    verdicts = get_args(Verdict)
    states: list[Sample] = [({"verdict": v}, decision.verdict == v) for v in verdicts]
    yield "verdict", "1 for the verdict reached, 0 for the others.", states
    yield (
        "area_score",
        "Score of an area, 0 to 100.",
        [({"area": area.id}, area.score) for area in card.areas if area.score is not None],
    )
    counted = Counter(f.outcome for f in a.model.findings)
    yield (
        "findings",
        "Findings by outcome.",
        [({"outcome": outcome}, counted[outcome]) for outcome in _OUTCOMES],
    )
    yield (
        "service_available",
        "1 if up with its health not failing, 0 if not.",
        [({"service": r.name}, r.available) for r in a.services if r.status != "unknown"],
    )
    yield (
        "service_response_seconds",
        "Median response time.",
        [
            ({"service": r.name}, r.response_ms / 1000)
            for r in a.services
            if r.response_ms is not None
        ],
    )
    yield (
        "started_timestamp_seconds",
        "When the run began.",
        [({}, evidence.started_at.timestamp())],
    )
    seconds = (evidence.finished_at - evidence.started_at).total_seconds()
    yield "duration_seconds", "How long the run took.", [({}, seconds)]


_OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    quoted = ",".join(f'{label}="{prometheus(text)}"' for label, text in labels.items())
    return f"readiness_{name}{{{quoted}}} {float(value):.15g}"
