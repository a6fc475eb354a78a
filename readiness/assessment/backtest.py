"""A past run and criteria it did not know -> whether they would have blocked it."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from readiness.assessment.model import Model, evaluate, judged
from readiness.checks import Criteria
from readiness.evidence import Evidence
from readiness.finding import Finding, Outcome
from readiness.gate import Decision

Effect = Literal["blocked", "inconclusive", "not_passed", "passes", "cannot_tell"]

_BY_EXIT: Mapping[int, Effect] = {0: "passes", 1: "blocked", 4: "inconclusive"}
_PASSES = 0


@dataclass(frozen=True)
class Backtest:
    """What the gate said without the new criteria and says with them.

    `blocked`: it passed and would have failed. `inconclusive`: it passed and would not have, for
    what was measured then is too close to call, or too little. `not_passed`: it did not pass
    anyway. `cannot_tell`: the new criteria ask for what was not measured then, on which it hangs
    whether it would have passed.
    """

    effect: Effect
    before: Decision
    after: Decision
    findings: tuple[Finding, ...]
    """Those of the new criteria."""

    @property
    def outcomes(self) -> Mapping[Outcome, int]:
        """How many of them have each outcome."""
        return Counter(f.outcome for f in self.findings)


def backtest(past: Evidence, known: Criteria, tried: Criteria, changed: Evidence) -> Backtest:
    """Judge `past` by `known` and `changed`, which is `past` under another policy, by `tried`."""
    before, after = evaluate(past, known), evaluate(changed, tried)
    new = {name for name, check in tried.checks.items() if known.checks.get(name) != check}
    return Backtest(
        effect=_effect(before.decision, after, new),
        before=before.decision,
        after=after.decision,
        findings=tuple(f for f in after.findings if f.check in new),
    )


def _effect(before: Decision, after: Model, new: Collection[str]) -> Effect:
    if before.gated_exit_code != _PASSES:
        return "not_passed"
    unknown = [f for f in after.findings if f.check in new and f.outcome == "unknown"]
    if not unknown:
        return _BY_EXIT[after.decision.gated_exit_code]
    best = _with(after, [f.passing() for f in unknown])
    worst = _with(after, [_failing(f) for f in unknown])
    if _PASSES in (best, worst) and best != worst:
        return "cannot_tell"
    return _BY_EXIT[best]


def _with(model: Model, instead: Sequence[Finding]) -> int:
    """Return the gate's exit code with these findings in place of those that they were."""
    known = {(f.check, f.service): f for f in instead}
    findings = [known.get((f.check, f.service), f) for f in model.findings]
    return judged(model.evidence, model.criteria, findings).decision.gated_exit_code


def _failing(f: Finding) -> Finding:
    return f.model_copy(update={"outcome": "fail", "score": 0.0, "upper": 0.0, "failure": None})
