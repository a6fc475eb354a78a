"""A target, or the hours there are -> the least work to it or the best within them, in order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from readiness.assessment.goal import Goal, ready, scored
from readiness.assessment.lacking import lacking, unmended
from readiness.assessment.model import Key, Model
from readiness.assessment.plan import Work
from readiness.assessment.target import Choice, Solver

_NEXT = (90, 100)
"""What a report of a system that is READY plans for: a grade A, then all there is."""
_NAMED = 2
"""Weak areas that are named for a piece of work; more are counted."""


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

    goal: Goal
    budget_hours: float | None
    steps: tuple[Step, ...]
    left: tuple[Work, ...]
    score: int
    raw: int
    surely_least_hours: float
    at_most: int
    reached: bool
    needs: tuple[str, ...]
    """What else reaching the target takes; empty where it is reached."""
    score_if: int | None = None
    """The score if what else it takes comes true, where the work was chosen for that."""

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
            "target": self.goal.value,
            "ready": self.goal.ready is not None,
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


def next_goal(model: Model) -> Goal | None:
    """Return what to plan for: READY, then what is above it; None if nothing is."""
    if model.decision.verdict != "ready":
        return ready(model.evidence.policy)
    value = next((value for value in _NEXT if model.decision.value < value), None)
    return None if value is None else scored(value, model.standing.strict)


def least_plan(
    model: Model, work: Sequence[Work], goal: Goal, budget_hours: float | None = None
) -> LeastPlan:
    """Return the least of `work` that reaches `goal`.

    Where it takes more than `budget_hours`, that of the highest headline within these, and of
    the highest raw score. Where no work reaches it, the least that does if all passes which no
    work mends: what is not known, and what another service's outage explains.
    """
    solver = Solver(model.standing, work)
    found, at_most = solver.least(goal), goal.value
    if budget_hours is not None:
        budget = Fraction(str(budget_hours))
        if found is None or solver.hours(found.chosen) > budget:
            found, at_most = _best(solver, goal, budget)
    elif found is None:
        return _hoped(model, solver, goal)
    return _planned(model, solver, found, goal, budget_hours, at_most)


def _hoped(model: Model, solver: Solver, goal: Goal) -> LeastPlan:
    """Plan for a goal that work alone does not reach."""
    best = solver.best.value
    for excused in (False, True):
        rest = unmended(model.findings, solver, goal, excused=excused)
        lucky = Solver(model.standing.passing(rest), solver.work)
        if found := lucky.least(goal):
            planned = _planned(model, solver, found, goal, None, best)
            return replace(planned, score_if=lucky.after(found.chosen).value)
    found = solver.least(scored(best, model.standing.strict))
    return _planned(model, solver, found or Choice(frozenset(), Fraction(0)), goal, None, best)


def _best(solver: Solver, goal: Goal, budget: Fraction) -> tuple[Choice, int]:
    """Return the least work to the best within `budget`, and the most that may be missed."""
    now, strict = solver.standing, solver.standing.strict
    top = solver.best.value if goal.ready else min(goal.value, solver.best.value)
    best, at_most = _highest(solver, now.value, top, budget, lambda v: scored(v, strict))
    after = solver.after(best.chosen)
    raw, most = int(100 * after.exact), int(100 * solver.best.exact)
    more, _ = _highest(solver, raw, most, budget, lambda r: scored(after.value, strict, r))
    return (more if more.chosen else best), at_most


def _highest(
    solver: Solver, low: int, high: int, budget: Fraction, goal: Callable[[int], Goal]
) -> tuple[Choice, int]:
    """Halve the span from `low`, which takes no work, to `high`; what is higher takes no less."""
    best, at_most = Choice(frozenset(), Fraction(0)), high
    while low < high:
        middle = (low + high + 1) // 2
        found = solver.least(goal(middle))
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
    goal: Goal,
    budget_hours: float | None,
    at_most: int,
) -> LeastPlan:
    done = solver.after(found.chosen)
    reached = goal.met(done)
    return LeastPlan(
        goal=goal,
        budget_hours=budget_hours,
        steps=_steps(model, solver, found, goal),
        left=tuple(w for n, w in enumerate(solver.work) if n not in found.chosen),
        score=done.value,
        raw=int(100 * done.exact),
        surely_least_hours=float(found.least_hours),
        at_most=max(done.value, at_most),
        reached=reached,
        needs=() if reached else lacking(model, solver, goal, budget_hours),
    )


def _steps(model: Model, solver: Solver, found: Choice, goal: Goal) -> tuple[Step, ...]:
    steps, hours, done = [], Fraction(0), solver.standing
    why = _Reasons.of(model, goal)
    for n in sorted(found.chosen):
        work = solver.work[n]
        hours += solver.efforts[n]
        done = done.passing(work.findings)
        steps.append(Step(work, float(hours), done.value, why(work)))
    return tuple(steps)


@dataclass(frozen=True)
class _Reasons:
    """What keeps the system from a goal, by what a piece of work can do about it."""

    closing: frozenset[Key]
    worse: frozenset[Key]
    weak: Mapping[str, str]

    @classmethod
    def of(cls, model: Model, goal: Goal) -> "_Reasons":
        """Look for what keeps `model` from `goal`."""
        least = goal.areas(model.standing.ledger)
        weak = {
            a.id: f"{a.title} is at {a.score}, of {least[a.id]}"
            for a in model.card.areas
            if a.score is not None and a.score < least.get(a.id, 0)
        }
        blocking = frozenset((f.check, f.service) for f in goal.closing(model.standing))
        return cls(blocking, goal.in_the_way(model.standing) - blocking, weak)

    def __call__(self, work: Work) -> str:
        """Return why `work` is done."""
        if not work.keys.isdisjoint(self.closing):
            return "blocker"
        if not work.keys.isdisjoint(self.worse):
            return "has regressed"
        low = [area for area in self.weak if any(f.area == area for f in work.findings)]
        more = [f"{len(low) - _NAMED} more weak areas"] if len(low) > _NAMED else []
        hourly = float(100 * work.gain) / work.head.fix.effort_hours
        lifted = [*(self.weak[area] for area in low[:_NAMED]), *more]
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
