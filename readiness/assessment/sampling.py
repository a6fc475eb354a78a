"""Findings of what was sampled -> what was decided by how many samples, and what is open."""

import re
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from readiness.assessment.model import Model
from readiness.checks import Criteria
from readiness.enough import more
from readiness.estimate import Estimate
from readiness.finding import Finding
from readiness.measurement import Measurement

_SAMPLE = re.compile(r"(p\d+_ms|success_rate)$")
"""The end of a metric's name, in whose place its samples' count of looks has `looks`."""


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True)


class OpenRow(_Row):
    """A check that its samples leave open, at its limit or for want of them."""

    check: str
    title: str
    service: str
    n: int
    looks: int | None
    more: int | None
    """About how many more samples it takes, if the value stays; null where no number would do."""
    because: str


class Sampling(_Row):
    """What rests on samples."""

    confidence: float | None
    """Null where each interval has 95 % for itself."""
    planned: int | None
    """The checks among which it is parted."""
    checks: int
    decided: int
    at_first_look: int
    samples: int
    """Each counted once, however many checks read it."""
    open: tuple[OpenRow, ...]


def sampling(model: Model) -> Sampling:
    """Count the samples behind the findings, and what they decide."""
    measured = {(m.probe, m.service): m for m in model.evidence.measurements}
    found = [f for f in model.findings if isinstance(f.measured, Estimate)]
    looks = {(f.check, f.service): _looks(f, model.criteria, measured) for f in found}
    samples: dict[tuple[str, str, str], int] = {}
    for f in found:
        assert isinstance(f.measured, Estimate)
        of = (f.probe, f.service, _SAMPLE.sub("", model.criteria.checks[f.check].metric))
        samples[of] = max(samples.get(of, 0), f.measured.n)
    settled = [f for f in found if not _is_open(f)]
    asked = model.evidence.confidence
    return Sampling(
        confidence=asked.asked if asked else None,
        planned=asked.checks if asked else None,
        checks=len(found),
        decided=len(settled),
        at_first_look=sum(looks[f.check, f.service] == 1 for f in settled),
        samples=sum(samples.values()),
        open=tuple(_row(f, looks[f.check, f.service]) for f in found if _is_open(f)),
    )


def _is_open(finding: Finding) -> bool:
    return finding.undecided or finding.outcome == "unknown"


def _looks(
    finding: Finding, criteria: Criteria, measured: Mapping[tuple[str, str], Measurement]
) -> int | None:
    """Return how often the samples of a finding were looked at; None where that was not counted."""
    metric = criteria.checks[finding.check].metric
    if not _SAMPLE.search(metric):
        return None
    looks = measured[finding.probe, finding.service].values.get(_SAMPLE.sub("looks", metric))
    return looks if type(looks) is int else None


def _row(finding: Finding, looks: int | None) -> OpenRow:
    e = finding.measured
    assert isinstance(e, Estimate)
    missing = None if finding.limit is None else more(e, finding.limit)
    if e.value is None:
        because = finding.because
    elif missing is None:
        because = "the value is at its limit, where no number of samples decides"
    else:
        because = f"about {missing:,} more samples decide, if the value stays"
    return OpenRow(
        check=finding.check,
        title=finding.title,
        service=finding.service,
        n=e.n,
        looks=looks,
        more=missing,
        because=because,
    )
