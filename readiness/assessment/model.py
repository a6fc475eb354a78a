"""One evidence under one set of criteria: the model that every projection starts from."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction

from readiness.checks import Criteria
from readiness.evidence import Evidence
from readiness.finding import Finding
from readiness.gate import Decision, blockers, decide, demands, headline
from readiness.judge import judge_all
from readiness.score import Ledger, Scorecard

Key = tuple[str, str]
"""(check id, service name)"""


@dataclass(frozen=True)
class Standing:
    """The score as it is, or as it would be once some findings are fixed."""

    ledger: Ledger
    open_blockers: tuple[Finding, ...]

    def passing(self, findings: Collection[Finding]) -> "Standing":
        """Return this standing with `findings` passing: the whole model, evaluated again."""
        fixed = {(f.check, f.service) for f in findings if f.blocker}
        still_open = self.open_blockers
        if fixed:
            still_open = tuple(f for f in still_open if (f.check, f.service) not in fixed)
        return Standing(self.ledger.passing(findings), still_open)

    def in_the_way(self, value: int) -> tuple[Key, ...]:
        """Return the findings that must pass for a headline of at least `value`."""
        asked = demands(value)
        return tuple(
            (f.check, f.service)
            for f in self.open_blockers
            if (asked.excused if f.waived else asked.unexcused)
        )

    @property
    def value(self) -> int:
        """The headline score (0..100)."""
        return headline(self.ledger.card(), self.open_blockers)

    @property
    def exact(self) -> Fraction:
        """The score (0..1) before caps and rounding."""
        return self.ledger.total.low


@dataclass(frozen=True)
class Model:
    """Findings with the scorecard and the decision they lead to."""

    evidence: Evidence
    criteria: Criteria
    findings: tuple[Finding, ...]
    standing: Standing
    card: Scorecard
    decision: Decision


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
    ledger = Ledger.of(findings, evidence.inventory, criteria.areas)
    card = ledger.card()
    decision = decide(card, findings, evidence.policy)
    standing = Standing(ledger, blockers(findings))
    return Model(evidence, criteria, tuple(findings), standing, card, decision)
