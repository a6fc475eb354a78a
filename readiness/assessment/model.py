"""One evidence under one set of criteria: the model that every projection evaluates again."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from readiness.checks import Criteria
from readiness.evidence import Evidence
from readiness.finding import Finding, judge_all
from readiness.gate import Decision, decide
from readiness.score import Scorecard, score

Key = tuple[str, str]
"""(check id, service name)"""


@dataclass(frozen=True)
class Model:
    """Findings with the scorecard and the decision they lead to."""

    evidence: Evidence
    criteria: Criteria
    findings: tuple[Finding, ...]
    card: Scorecard
    decision: Decision

    def passing(self, keys: Collection[Key]) -> "Model":
        """Return this model with the findings named by `keys` passing."""
        wanted = frozenset(keys)
        return judged(
            self.evidence,
            self.criteria,
            [f.passing() if (f.check, f.service) in wanted else f for f in self.findings],
        )


def evaluate(evidence: Evidence, criteria: Criteria) -> Model:
    """Judge and score `evidence`; waivers are those in force on the day it was finished."""
    day = evidence.finished_at.date()
    return judged(
        evidence,
        criteria,
        judge_all(evidence.inventory, evidence.measurements, criteria, day),
    )


def judged(evidence: Evidence, criteria: Criteria, findings: Sequence[Finding]) -> Model:
    """Score and decide on `findings`."""
    card = score(findings, evidence.inventory, criteria.areas)
    decision = decide(card, findings, evidence.policy)
    return Model(evidence, criteria, tuple(findings), card, decision)
