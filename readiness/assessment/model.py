"""One evidence under one set of criteria: the model that every projection starts from."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from readiness.assessment.regression import Comparison, compare, worse
from readiness.checks import Criteria
from readiness.evidence import Evidence
from readiness.finding import Finding
from readiness.finding import Key as Key
from readiness.gate import Decision, blockers, capping, decide, headline, in_part
from readiness.inventory import Policy
from readiness.judge import judge_all
from readiness.policy import at_least
from readiness.score import Ledger, Scorecard


@dataclass(frozen=True)
class Standing:
    """The score as it is, or as it would be once some findings are fixed."""

    ledger: Ledger
    limiting: Mapping[Key, Finding]
    """The findings that cap it, some of them `mended`."""
    strict: Policy
    """The thresholds that cap it."""
    regressed: frozenset[Key] = frozenset()
    """What has surely got worse since the baseline, which caps it too."""
    mended: frozenset[Key] = frozenset()

    def passing(self, findings: Collection[Finding]) -> "Standing":
        """Return this standing with `findings` passing: the whole model, evaluated again."""
        fixed = {(f.check, f.service) for f in findings}
        return replace(
            self,
            ledger=self.ledger.passing(findings),
            regressed=self.regressed - fixed,
            mended=self.mended | (fixed & self.limiting.keys()),
        )

    @property
    def capping(self) -> tuple[Finding, ...]:
        """The findings that cap it still."""
        return tuple(f for key, f in self.limiting.items() if key not in self.mended)

    @property
    def open_blockers(self) -> tuple[Finding, ...]:
        """What blocks by the policy."""
        return blockers(self.capping)

    @property
    def value(self) -> int:
        """The headline score (0..100)."""
        left = (f for key, f in self.limiting.items() if key not in self.mended)
        first = next(left, None)
        if first and first.waived:  # one that is not waived caps more, and one is enough
            first = next((f for f in left if not f.waived), first)
        caps = () if first is None else (first,)
        return headline(self.ledger.card(), caps, self.strict, bool(self.regressed))

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
    comparison: Comparison | None = None


def evaluate(evidence: Evidence, criteria: Criteria) -> Model:
    """Judge and score `evidence`; waivers are those in force on the day it was finished."""
    return judged(evidence, criteria, findings_of(evidence, criteria))


def findings_of(evidence: Evidence, criteria: Criteria) -> tuple[Finding, ...]:
    """Judge `evidence` by `criteria`, check by check."""
    day = evidence.finished_at.date()
    return judge_all(evidence.inventory, evidence.measurements, criteria, day, evidence.policy)


def standing_of(
    evidence: Evidence,
    criteria: Criteria,
    findings: Sequence[Finding],
    regressed: frozenset[Key] = frozenset(),
) -> Standing:
    """Return where the system of `evidence` stands by `findings`."""
    ledger = Ledger.of(findings, evidence.inventory, criteria.areas)
    limiting = {(f.check, f.service): f for f in capping(findings)}
    return Standing(ledger, limiting, at_least(evidence.policy), regressed)


def judged(evidence: Evidence, criteria: Criteria, findings: Sequence[Finding]) -> Model:
    """Score and decide on `findings`."""
    comparison = compare(evidence, criteria, findings)
    regressed = worse(comparison, findings)
    standing = standing_of(evidence, criteria, findings, frozenset(regressed))
    card = standing.ledger.card()
    decision = decide(card, findings, evidence.policy, list(regressed.values()))
    if criteria.only:
        decision = in_part(decision)
    return Model(evidence, criteria, tuple(findings), standing, card, decision, comparison)
