"""A target, or the hours there are -> the least work to it or the best within them, in order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from typing import Any

from readiness.assessment.lacking import lacking, unmended
from readiness.assessment.model import Model, Standing
from readiness.assessment.plan import Work
from readiness.assessment.target import Choice, Solver
from readiness.gate import READY_SCORE, demands

_NEXT = (READY_SCORE, 90, 100)
"""What a report plans for: READY, then a grade A, then all there is."""


@dataclass(frozen=True)
class Step:
    """A piece of work in its turn: the hours and the score once it is done, and why it is in."""

    work: Work
    total_hours: float
    score: int
    because: str


@dataclass(frozen=True)
class LeastPlan:
    """The work that was chosen, and what is proven of it.

    `surely_least_hours` is what nothing that leads to as high a score can be below; `at_most`
    is the highest score that some other choice within the budget might still reach.
    """

    target: int
    budget_hours: float | None
    steps: tuple[Step, ...]
    left: tuple[Work, ...]
    score: int
    raw: int
    surely_least_hours: float
    at_most: int
    needs: tuple[str, ...]
    """What else reaching the target takes; empty where it is reached."""
    score_if: int | None = None
    """The score if what else it takes comes true, where the work was chosen for that."""

    @property
    def reached(self) -> bool:
        """Whether the score comes to the target."""
        return self.score >= self.target

    @property
    def hours(self) -> float:
        """What all of it takes."""
        return self.steps[-1].total_hours if self.steps else 0.0

    @property
    def within_hours(self) -> float:
        """By how much another choice might take less; 0 where it is proven that none does."""
        return max(0.0, self.hours - self.surely_least_hours)

    def to_contract(self) -> dict[str, Any]:
        """Return it as assessment.json holds it."""
        return {
            "target": self.target,
            "budget_hours": self.budget_hours,
            "hours": self.hours,
            "within_hours": self.within_hours,
            "score": self.score,
            "raw": self.raw,
            "reached": self.reached,
            "score_if": self.score_if,
            "because": list(self.needs),
            "items": [_row(step) for step in self.steps],
        }


def next_target(value: int) -> int | None:
    """Return what to plan for from a score of `value`; None if nothing is above it."""
    return next((target for target in _NEXT if value < target), None)


def least_plan(
    model: Model, work: Sequence[Work], target: int, budget_hours: float | None = None
) -> LeastPlan:
    """Return the least of `work` that brings the headline to `target` (0..100).

    Where it takes more than `budget_hours`, that of the highest headline within these, and of
    the highest raw score. Where no work reaches it, the least that does if all passes which no
    work mends: what is not known, and what another service's outage explains.
    """
    solver = Solver(model.standing, work)
    found = solver.least(target)
    if budget_hours is not None:
        budget = Fraction(str(budget_hours))
        if found is None or solver.hours(found.chosen) > budget:
            best, at_most = _best(solver, model.decision.value, target, budget)
            return _planned(model, solver, best, target, budget_hours, at_most)
    elif found is None:
        return _hoped(model, solver, target)
    assert found is not None
    return _planned(model, solver, found, target, budget_hours, target)


def _hoped(model: Model, solver: Solver, target: int) -> LeastPlan:
    """Plan for a target that work alone does not reach."""
    rest = unmended(model.findings, solver, target)
    lucky = Solver(model.standing.passing(rest), solver.work)
    found = lucky.least(target)
    if found:
        planned = _planned(model, solver, found, target, None, solver.best.value)
        return replace(planned, score_if=lucky.after(found.chosen).value)
    best = solver.least(solver.best.value)
    assert best is not None  # all work leads there
    return _planned(model, solver, best, target, None, solver.best.value)


def _best(solver: Solver, value: int, target: int, budget: Fraction) -> tuple[Choice, int]:
    """Return the least work to the best within `budget`, and the most that may be missed.

    `value` is what the headline is without any work.
    """
    top = min(target, solver.best.value)
    best, at_most = _highest(solver, value, top, budget, solver.least)
    after = solver.after(best.chosen)
    more, _ = _highest(
        solver,
        int(100 * after.exact),
        int(100 * solver.best.exact),
        budget,
        partial(solver.least, after.value),
    )
    return (more if more.chosen else best), at_most


def _highest(
    solver: Solver,
    low: int,
    high: int,
    budget: Fraction,
    least: Callable[[int], Choice | None],
) -> tuple[Choice, int]:
    """Halve the span from `low`, which takes no work, to `high`; what is higher takes no less."""
    best, at_most = Choice(frozenset(), Fraction(0)), high
    while low < high:
        middle = (low + high + 1) // 2
        found = least(middle)
        if found and solver.hours(found.chosen) <= budget:
            best, low = found, middle
        else:
            high = middle - 1
            if found is None or found.least_hours > budget:
                at_most = high
    return best, at_most


def _planned(
    model: Model,
    solver: Solver,
    found: Choice,
    target: int,
    budget_hours: float | None,
    at_most: int,
) -> LeastPlan:
    done = solver.after(found.chosen)
    value = done.value
    return LeastPlan(
        target=target,
        budget_hours=budget_hours,
        steps=_steps(model, solver, found, target),
        left=tuple(w for n, w in enumerate(solver.work) if n not in found.chosen),
        score=value,
        raw=int(100 * done.exact),
        surely_least_hours=float(found.least_hours),
        at_most=max(value, at_most),
        needs=() if value >= target else lacking(model, solver, target, budget_hours),
    )


def _steps(model: Model, solver: Solver, found: Choice, value: int) -> tuple[Step, ...]:
    steps, hours, done = [], Fraction(0), solver.standing
    why = _Reasons.of(model, value)
    for n in sorted(found.chosen):
        work = solver.work[n]
        hours += solver.efforts[n]
        done = done.passing(work.findings)
        steps.append(Step(work, float(hours), done.value, why(work)))
    return tuple(steps)


@dataclass(frozen=True)
class _Reasons:
    """What keeps the score from a value, by what a piece of work can do about it."""

    standing: Standing
    value: int
    weak: Mapping[str, str]

    @classmethod
    def of(cls, model: Model, value: int) -> "_Reasons":
        """Look for what keeps the score of `model` from `value`."""
        least = demands(value).area
        return cls(
            model.standing,
            value,
            {
                a.id: f"{a.title} is at {a.score}, of {least}"
                for a in model.card.areas
                if a.score is not None and a.score < least
            },
        )

    def __call__(self, work: Work) -> str:
        """Return why `work` is done."""
        if not work.keys.isdisjoint(self.standing.in_the_way(self.value)):
            return "blocker"
        lifted = [
            self.weak[area] for area in self.weak if any(f.area == area for f in work.findings)
        ]
        hourly = float(100 * work.gain) / work.head.fix.effort_hours
        return "; ".join([*lifted, f"{hourly:.2g} points an hour"])


def _row(step: Step) -> dict[str, Any]:
    head = step.work.head
    return {
        "check": head.check,
        "service": head.service,
        "effort_hours": head.fix.effort_hours,
        "total_hours": step.total_hours,
        "score": step.score,
        "because": step.because,
    }
