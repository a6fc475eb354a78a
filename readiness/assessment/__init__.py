"""Evidence and criteria -> Assessment: every judgement in one value, and its JSON contract."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

from readiness.assessment.beside import BesideRow, beside
from readiness.assessment.blame import RootCause, explained, root_causes
from readiness.assessment.capabilities import CapabilityRow, capabilities
from readiness.assessment.change import Course
from readiness.assessment.journeys import JourneyRow, journeys
from readiness.assessment.least import LeastPlan, least_plan, next_goal
from readiness.assessment.leniency import WaiverRow, eased, waivers
from readiness.assessment.model import Model, evaluate
from readiness.assessment.objectives import ObjectiveRow, objectives
from readiness.assessment.plan import (
    Condition,
    PlanItem,
    Work,
    conditions,
    plan,
    projections,
    works,
)
from readiness.assessment.regression import Comparison
from readiness.assessment.risks import NotTested, Risks, not_tested, risks
from readiness.assessment.sampling import Sampling, sampling
from readiness.assessment.services import ServiceRow, rows
from readiness.checks import Criteria
from readiness.estimate import Estimate
from readiness.evidence import INTERRUPTED_EXIT_CODES, Evidence
from readiness.finding import Finding, Key

SCHEMA = "readiness/assessment/v1"


@dataclass(frozen=True)
class Assessment:
    """What the evidence says of the system, ready to be written down in any form."""

    model: Model
    services: tuple[ServiceRow, ...]
    journeys: tuple[JourneyRow, ...]
    capabilities: tuple[CapabilityRow, ...]
    objectives: tuple[ObjectiveRow, ...]
    root_causes: tuple[RootCause, ...]
    not_tested: tuple[NotTested, ...]
    sampling: Sampling
    risks: Risks
    work: tuple[Work, ...]
    conditions: tuple[Condition, ...]
    projections: Mapping[Key, int]
    beside: tuple[BesideRow, ...] = ()

    @property
    def evidence(self) -> Evidence:
        """What was measured."""
        return self.model.evidence

    @property
    def plan(self) -> tuple[PlanItem, ...]:
        """The work to do, in order."""
        return plan(self.work)

    @cached_property
    def least(self) -> LeastPlan | None:
        """The least work to the next goal, None where the score is at its highest."""
        goal = next_goal(self.model)
        return None if goal is None else least_plan(self.model, self.work, goal)

    @property
    def exit_code(self) -> int:
        """The gate's exit code; an interrupted run has its signal's."""
        signal = self.evidence.interrupted
        return INTERRUPTED_EXIT_CODES[signal] if signal else self.model.decision.exit_code

    def to_json(self) -> str:
        """Return the text of assessment.json, schema readiness/assessment/v1."""
        return json.dumps(_contract(self), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def assess(evidence: Evidence, criteria: Criteria) -> Assessment:
    """Judge `evidence` by `criteria`: pure, so that equal evidence is judged equally."""
    model = evaluate(evidence, criteria)
    services = rows(evidence.inventory, evidence.measurements, model.findings)
    walked = journeys(evidence.inventory, evidence.measurements, model.findings)
    causes = root_causes(evidence.inventory, model.findings)
    work = works(model, explained(causes))
    return Assessment(
        model=model,
        services=services,
        journeys=walked,
        capabilities=capabilities(model, walked),
        objectives=objectives(model, services, walked),
        root_causes=causes,
        not_tested=not_tested(model),
        sampling=sampling(model),
        risks=risks(model.findings, services),
        work=work,
        conditions=conditions(model, work),
        projections=projections(model, work),
        beside=beside(evidence.measurements, model.findings),
    )


def _contract(a: Assessment) -> dict[str, Any]:
    evidence, decision, card = a.evidence, a.model.decision, a.model.card
    system, previous = evidence.inventory.system, evidence.previous
    return {
        "schema": SCHEMA,
        "tool": evidence.tool.model_dump(mode="json"),
        "system": {
            "name": system.name,
            "version": system.version,
            "environment": evidence.environment,
        },
        "started_at": evidence.started_at.isoformat(),
        "finished_at": evidence.finished_at.isoformat(),
        "exit_code": a.exit_code,
        "verdict": decision.verdict,
        "conditions": [c.model_dump(mode="json") for c in a.conditions],
        "score": {
            "value": decision.value,
            "upper": decision.upper,
            "raw": card.raw,
            "grade": decision.grade,
            "coverage": card.coverage,
            "caps": [c.model_dump(mode="json") for c in decision.caps],
            "previous": previous.model_dump(mode="json") if previous else None,
        },
        "baseline": _baseline(a.model.comparison),
        "no_baseline": evidence.no_baseline or None,
        "regressions": _regressions(a.model.comparison),
        "areas": [area.model_dump(mode="json") for area in card.areas],
        "capabilities": [c.model_dump(mode="json") for c in a.capabilities],
        "journeys": [j.model_dump(mode="json") for j in a.journeys],
        "residue": list(evidence.residue),
        "services": [s.model_dump(mode="json") for s in a.services],
        "against": evidence.against.model_dump(mode="json") if evidence.against else None,
        "beside": [row.model_dump(mode="json") for row in a.beside],
        "objectives": [o.model_dump(mode="json") for o in a.objectives],
        "findings": [_finding(f, a) for f in a.model.findings],
        "root_causes": [c.model_dump(mode="json") for c in a.root_causes],
        "not_tested": [n.model_dump(mode="json") for n in a.not_tested],
        "sampling": a.sampling.model_dump(mode="json"),
        "risks": a.risks.model_dump(mode="json"),
        "plan": [item.model_dump(mode="json") for item in a.plan],
        "least_plan": a.least.to_contract() if a.least else None,
        "only": list(evidence.only) or None,
        "only_checks": list(a.model.criteria.checks) if a.model.criteria.only else None,
        "policy": {
            **evidence.policy.model_dump(mode="json"),
            "gated_exit_code": decision.gated_exit_code,
            "eased": [one.model_dump(mode="json") for one in eased(a.model)],
        },
        "waivers": [_waiver(row) for row in waivers(a.model)],
    }


def _waiver(row: WaiverRow) -> dict[str, Any]:
    rest = row.model_dump(mode="json", exclude={"waiver"})
    return {**row.waiver.model_dump(mode="json"), **rest}


def _baseline(found: Comparison | None) -> dict[str, Any] | None:
    """Return the run that this one was compared with, and how many metrics took which course."""
    if found is None:
        return None
    known = found.baseline.model_dump(mode="json", include=_SHOWN)
    courses = {course: len(found.of(course)) for course in get_args(Course)}
    return {**known, "metrics": courses, "added": [*found.added], "gone": [*found.gone]}


_SHOWN = {"asked", "run_id", "started_at", "commit", "branch", "value", "recent", "passed_over"}


def _regressions(found: Comparison | None) -> list[dict[str, Any]]:
    return [change.model_dump(mode="json") for change in found.regressed] if found else []


def _finding(f: Finding, a: Assessment) -> dict[str, Any]:
    e = f.measured if isinstance(f.measured, Estimate) else None
    return {
        "check": f.check,
        "service": f.service,
        "area": f.area,
        "severity": f.severity,
        "blocker": f.blocker,
        "outcome": f.outcome,
        "undecided": f.undecided,
        "flaky": f.flaky,
        "score": f.score,
        "value": e.value if e else f.measured,
        "low": e.low if e else None,
        "high": e.high if e else None,
        "n": e.n if e else None,
        "unit": f.unit,
        "target": f.target,
        "limit": f.limit,
        "because": f.because,
        "fix": f.fix.model_dump(mode="json"),
        "projected_score": a.projections.get((f.check, f.service)),
        "waiver": f.waiver.model_dump(mode="json") if f.waiver else None,
    }
