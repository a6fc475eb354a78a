"""Findings -> risks by severity, and what was not tested."""

from collections.abc import Collection, Sequence

from pydantic import BaseModel, ConfigDict

from readiness.assessment.model import Model
from readiness.assessment.services import ServiceRow
from readiness.finding import Finding

THIN_MARGIN = 0.8
"""A pass that uses up more than this part of its target is worth knowing."""


_UNTESTED = "not tested: "
"""How the reason begins of what does not apply because it takes more than was declared."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Risks(_Frozen):
    """One sentence part for each risk."""

    high: tuple[str, ...]
    medium: tuple[str, ...]
    low: tuple[str, ...]


class NotTested(_Frozen):
    """Something the assessment should have known and does not."""

    probe: str
    service: str
    because: str


def risks(findings: Sequence[Finding], rows: Sequence[ServiceRow]) -> Risks:
    """Sort what may go wrong after the release by how bad it would be."""
    down = {r.name for r in rows if r.status == "down"}
    critical_down = {r.name for r in rows if r.name in down and r.criticality == "critical"}
    high: dict[str, None] = {}
    medium: dict[str, None] = {}
    low: dict[str, None] = {}
    for f in findings:
        text = _text(f, down)
        if f.outcome == "fail" and ((f.blocker and not f.waived) or f.service in critical_down):
            high[text] = None
        elif f.outcome == "fail" or (f.blocker and (f.undecided or f.outcome == "unknown")):
            medium[text] = None
        elif f.outcome == "warn" or _thin(f):
            low[text] = None
    return Risks(
        high=tuple(high),
        medium=tuple(t for t in medium if t not in high),
        low=tuple(low),
    )


def not_tested(model: Model) -> tuple[NotTested, ...]:
    """Return every expected measurement that gave no result, and each area left unknown."""
    found: dict[tuple[str, str, str], None] = {}
    for f in model.findings:
        if f.outcome == "unknown" or f.because.startswith(_UNTESTED):
            found[f.probe, f.service, f.because] = None
    used = {probe for s in model.evidence.inventory.subjects for probe in s.expected_probes}
    for area in model.card.areas:
        if area.applicable and area.because:
            known = {c.probe for c in model.criteria.checks.values() if c.area == area.id}
            probes = ", ".join(sorted(known & used or known))
            found[probes, "every service", f"{area.title}: {area.because}"] = None
    return tuple(NotTested(probe=p, service=s, because=b) for p, s, b in found)


def _text(f: Finding, down: Collection[str]) -> str:
    if f.failure and f.outcome == "fail" and f.service in down:
        return f"{f.service} is down: {f.because}"
    waived = f" (waived by {f.waiver.owner} until {f.waiver.until})" if f.waiver else ""
    thin = f", over {THIN_MARGIN * 100:.0f} % of its target" if _thin(f) else ""
    return f"{f.title}, {f.service}: {f.because}{thin}{waived}"


def _thin(f: Finding) -> bool:
    """Whether a lower-is-better metric passes, but with little to spare."""
    if f.outcome != "pass" or f.target is None or f.limit is None or f.limit < f.target:
        return False
    value = getattr(f.measured, "high", f.measured)
    return isinstance(value, int | float) and value > THIN_MARGIN * f.target
