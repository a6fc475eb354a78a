"""A score or the verdict READY -> what it takes of the model, and whether a standing has it."""

from collections.abc import Mapping
from dataclasses import dataclass

from readiness.assessment.model import Standing
from readiness.assessment.reasons import reasons
from readiness.finding import Finding, Key
from readiness.gate import Demands, demands
from readiness.inventory import Policy
from readiness.score import Ledger


@dataclass(frozen=True)
class Goal:
    """A headline of `value` and a raw score of `raw` (0..100), or READY by the policy `ready`."""

    value: int
    raw: int
    demands: Demands
    ready: Policy | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        return "READY" if self.ready else str(self.value)

    def met(self, standing: Standing) -> bool:
        """Whether `standing` has reached it, by evaluating the whole model."""
        if self.ready:
            card, worse = standing.ledger.card(), len(standing.regressed)
            return not reasons(card, standing.open_blockers, self.ready, worse)
        return standing.value >= self.value and 100 * standing.exact >= self.raw

    def in_the_way(self, standing: Standing) -> frozenset[Key]:
        """Return what must pass for it, of all that `standing` has: blockers, and what is worse."""
        worse = standing.regressed if self.demands.excused else frozenset()
        return worse | {(f.check, f.service) for f in self.closing(standing)}

    def closing(self, standing: Standing) -> tuple[Finding, ...]:
        """Return the blockers of `standing` that must pass for it."""
        holding = standing.open_blockers if self.ready else standing.capping
        return tuple(
            f for f in holding if (self.demands.excused if f.waived else self.demands.unexcused)
        )

    def areas(self, ledger: Ledger) -> Mapping[str, int]:
        """Return the least score that each area must come to, where one must."""
        policy = self.demands.areas
        if policy is None:
            return {}
        names = (name for name in ledger.areas if name in ledger.wholes or name in policy.areas)
        return {name: policy.minimum(name) for name in names}


def scored(value: int, strict: Policy, raw: int = 0) -> Goal:
    """Return the goal of a headline, under caps by the policy `strict`."""
    return Goal(value, max(value, raw), demands(value, strict))


def ready(policy: Policy) -> Goal:
    """Return the goal of the verdict READY."""
    score = policy.ready.score
    return Goal(score, score, Demands(True, True, policy.ready.coverage, policy), policy)
